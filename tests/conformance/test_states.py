"""What a TCP socket answers in every state: the table of `tcp_states.txt`, on both machines, over both
versions of IP.
"""

from __future__ import annotations

from typing import Any

import pytest

from simnet.transport import OUT

from .machine import Machine, outcome
from .states import BUILDERS, Situation
from .tables import COMMON, Table, rows, zero


def connect(m: Machine, s: Situation) -> list[Any]:
    """Three times, to somebody who listens; what is under way is given time to finish."""
    target = m.listener().getsockname()
    answers = []
    for _ in range(3):
        answers.append(zero(outcome(s.sock.connect, target)))
        if answers[-1] == "EINPROGRESS":
            m.eventually(lambda: m.poll_mask(s.sock) & OUT)
    return answers


def getpeername(m: Machine, s: Situation) -> list[Any]:
    name = outcome(s.sock.getpeername)
    if isinstance(name, str):
        return [name]
    owners = {"<self>": s.sock, "<peer>": s.peer, "<listener>": s.listener}
    return [{sock.getsockname(): owner for owner, sock in owners.items() if sock is not None}.get(name, name)]


PROBES = COMMON | {
    "connect": connect,
    "getpeername": getpeername,
    "bind": lambda m, s: [outcome(s.sock.bind, (m.address, 0))],
}
TABLE = Table(rows("tcp_states.txt"), BUILDERS, PROBES)


def test_every_state_of_the_table_can_be_brought_about() -> None:
    assert list(TABLE.rows) == list(BUILDERS)


@pytest.mark.parametrize("state", TABLE.rows)
def test_a_socket_is_as_ready_as_its_state_says(machine: Machine, family: int, state: str) -> None:
    """poll(2); tcp_poll in net/ipv4/tcp.c."""
    assert TABLE.wrong_masks(machine.over(family), state) == []


@pytest.mark.parametrize("state", TABLE.rows)
def test_a_socket_answers_each_call_as_its_state_says(machine: Machine, family: int, state: str) -> None:
    """recv(2), send(2), socket(7), connect(2), shutdown(2), getpeername(2), bind(2)."""
    assert TABLE.wrong_answers(machine.over(family), state) == []


def test_a_wrong_row_would_be_noticed(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The canary."""
    machine.patience_s = 0
    monkeypatch.setitem(TABLE.rows, "fresh", TABLE.rows["fresh"] | {"recv": "EAGAIN EAGAIN EAGAIN"})
    assert TABLE.wrong_answers(machine, "fresh") == [
        "recv: ENOTCONN ENOTCONN ENOTCONN instead of EAGAIN EAGAIN EAGAIN"
    ]
    monkeypatch.setitem(TABLE.rows, "fresh", TABLE.rows["fresh"] | {"readiness": "IN"})
    assert TABLE.wrong_masks(machine, "fresh") == ["readiness: OUT|HUP instead of IN"]
