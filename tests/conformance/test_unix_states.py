"""What an AF_UNIX stream socket answers in every state: the table of `unix_states.txt`, on both machines."""

from __future__ import annotations

from typing import Any

import pytest

from .machine import Machine, outcome
from .sockets import unix_listener
from .states import Situation
from .tables import COMMON, Table, rows, zero
from .unix_states import BUILDERS


def connect(m: Machine, s: Situation) -> list[Any]:
    """Three times, to somebody who listens."""
    target = unix_listener(m).getsockname()
    return [zero(outcome(s.sock.connect, target)) for _ in "123"]


def getpeername(m: Machine, s: Situation) -> list[Any]:
    name = outcome(s.sock.getpeername)
    if s.listener is not None and name == s.listener.getsockname():
        return ["<listener>"]
    return [name or "<unnamed>"]


PROBES = COMMON | {
    "connect": connect,
    "getpeername": getpeername,
    "bind": lambda m, s: [outcome(s.sock.bind, m.path())],
}
TABLE = Table(rows("unix_states.txt"), BUILDERS, PROBES)


def test_every_state_of_the_table_can_be_brought_about() -> None:
    assert list(TABLE.rows) == list(BUILDERS)


@pytest.mark.parametrize("state", TABLE.rows)
def test_a_unix_stream_is_as_ready_as_its_state_says(machine: Machine, state: str) -> None:
    """poll(2); unix_poll in net/unix/af_unix.c."""
    assert TABLE.wrong_masks(machine, state) == []


@pytest.mark.parametrize("state", TABLE.rows)
def test_a_unix_stream_answers_each_call_as_its_state_says(machine: Machine, state: str) -> None:
    """recv(2), send(2), socket(7), connect(2), shutdown(2), getpeername(2), bind(2)."""
    assert TABLE.wrong_answers(machine, state) == []
