"""What a datagram socket answers in every state: the tables of `udp_states.txt` and
`unix_datagram_states.txt`, on both machines.
"""

from __future__ import annotations

import socket as std
from typing import Any

import pytest

from .datagram_states import UDP, UNIX, Situation, binding, bound_socket, nobody
from .machine import Machine, outcome
from .tables import COMMON, Table, rows


def getpeername(m: Machine, s: Situation) -> list[Any]:
    name = outcome(s.sock.getpeername)
    return [s.names.get(name, name)]


BOTH = COMMON | {
    "sendto": lambda m, s: [outcome(s.sock.sendto, b"x", bound_socket(m).getsockname())],
    "sendto nobody": lambda m, s: [outcome(s.sock.sendto, b"x", nobody(m))],
    "getpeername": getpeername,
}
UDP_TABLE = Table(
    rows("udp_states.txt"),
    UDP,
    BOTH
    | {
        "connect": lambda m, s: [outcome(s.sock.connect, bound_socket(m).getsockname())],
        "bind": lambda m, s: [outcome(s.sock.bind, binding(m))],
    },
)
UNIX_TABLE = Table(rows("unix_datagram_states.txt"), UNIX, BOTH)


def over_unix(machine: Machine) -> Machine:
    """The machine, whose sockets are those of AF_UNIX."""
    machine.family = std.AF_UNIX
    return machine


@pytest.mark.parametrize("table", [UDP_TABLE, UNIX_TABLE], ids=["udp", "unix"])
def test_every_state_of_a_table_can_be_brought_about(table: Table) -> None:
    assert sorted(table.rows) == sorted(table.builders)


@pytest.mark.parametrize("state", UDP_TABLE.rows)
def test_a_udp_socket_is_as_ready_as_its_state_says(machine: Machine, family: int, state: str) -> None:
    """poll(2); udp_poll in net/ipv4/udp.c."""
    assert UDP_TABLE.wrong_masks(machine.over(family), state) == []


@pytest.mark.parametrize("state", UDP_TABLE.rows)
def test_a_udp_socket_answers_each_call_as_its_state_says(machine: Machine, family: int, state: str) -> None:
    """udp(7), recv(2), send(2), socket(7), connect(2), shutdown(2), getpeername(2), bind(2)."""
    assert UDP_TABLE.wrong_answers(machine.over(family), state) == []


@pytest.mark.parametrize("state", UNIX_TABLE.rows)
def test_a_unix_datagram_socket_is_as_ready_as_its_state_says(machine: Machine, state: str) -> None:
    """poll(2); unix_dgram_poll in net/unix/af_unix.c."""
    assert UNIX_TABLE.wrong_masks(over_unix(machine), state) == []


@pytest.mark.parametrize("state", UNIX_TABLE.rows)
def test_a_unix_datagram_socket_answers_each_call_as_its_state_says(machine: Machine, state: str) -> None:
    """unix(7), recv(2), send(2), socket(7), shutdown(2), getpeername(2)."""
    assert UNIX_TABLE.wrong_answers(over_unix(machine), state) == []
