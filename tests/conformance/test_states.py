"""What a TCP socket answers in every state: the table of `tcp_states.txt`, on both machines, over both
versions of IP.

Each probe meets a socket that was brought into the state anew, because a call changes what the next one
finds.  On a real machine a reset may take a moment to cross loopback while a probe is under way; so
there a row is allowed more than one attempt.
"""

from __future__ import annotations

import re
import socket as std
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from simnet.transport import OUT

from .machine import Machine, outcome
from .states import BUILDERS, Situation

TABLE = Path(__file__).with_name("tcp_states.txt")


def rows() -> dict[str, dict[str, str]]:
    """The table: state, column, what is expected."""
    lines = [line for line in TABLE.read_text().splitlines() if not line.startswith("#")]
    head, *body = [re.split(r"\s{2,}", line.strip()) for line in lines]
    return {row[0]: dict(zip(head[1:], row[1:], strict=True)) for row in body}


ROWS = rows()


def connect(m: Machine, s: Situation) -> list[Any]:
    """Three times, to somebody who listens; what is under way is given time to finish."""
    target = m.listener().getsockname()
    answers = []
    for _ in range(3):
        answers.append(_zero(outcome(s.sock.connect, target)))
        if answers[-1] == "EINPROGRESS":
            m.eventually(lambda: m.poll_mask(s.sock) & OUT)
    return answers


def getpeername(m: Machine, s: Situation) -> list[Any]:
    name = outcome(s.sock.getpeername)
    if isinstance(name, str):
        return [name]
    owners = {"<self>": s.sock, "<peer>": s.peer, "<listener>": s.listener}
    return [{sock.getsockname(): owner for owner, sock in owners.items() if sock is not None}.get(name, name)]


def _zero(result: Any) -> Any:
    return 0 if result == "ok" else result


PROBES: dict[str, Callable[[Machine, Situation], list[Any]]] = {
    "recv": lambda m, s: [outcome(s.sock.recv, 100) for _ in range(3)],
    "send": lambda m, s: [outcome(s.sock.send, b"x") for _ in range(3)],
    "SO_ERROR": lambda m, s: [
        _errno_name(outcome(s.sock.getsockopt, std.SOL_SOCKET, std.SO_ERROR)) for _ in "12"
    ],
    "connect": connect,
    "shutdown": lambda m, s: [outcome(s.sock.shutdown, std.SHUT_WR)],
    "shutdown reading": lambda m, s: [outcome(s.sock.shutdown, std.SHUT_RD)],
    "getpeername": getpeername,
    "bind": lambda m, s: [outcome(s.sock.bind, (m.address, 0))],
}


def _errno_name(number: Any) -> Any:
    return number if isinstance(number, str) or not number else outcome(_raise, number)


def _raise(number: int) -> None:
    raise OSError(number, "")


def test_every_state_of_the_table_can_be_brought_about() -> None:
    assert list(ROWS) == list(BUILDERS)


@pytest.mark.parametrize("state", ROWS)
def test_a_socket_is_as_ready_as_its_state_says(machine: Machine, family: int, state: str) -> None:
    """poll(2); tcp_poll in net/ipv4/tcp.c."""
    situation = BUILDERS[state](machine.over(family))
    for sock, column in ((situation.sock, "readiness"), (situation.peer, "peer")):
        expected = ROWS[state][column]
        if expected != "?":
            machine.reaches(sock, expected)
            assert machine.mask(sock) == expected, column


@pytest.mark.parametrize("state", ROWS)
def test_a_socket_answers_each_call_as_its_state_says(machine: Machine, family: int, state: str) -> None:
    """recv(2), send(2), socket(7), connect(2), shutdown(2), getpeername(2), bind(2)."""
    for _ in range(machine.attempts):
        wrong = _wrong_answers(machine.over(family), state)
        if not wrong:
            break
    assert wrong == []


def _wrong_answers(machine: Machine, state: str) -> list[str]:
    wrong = []
    for probe, ask in PROBES.items():
        situation = BUILDERS[state](machine)
        if ROWS[state]["readiness"] != "?":
            machine.reaches(situation.sock, ROWS[state]["readiness"])
        expected = ROWS[state][probe.removesuffix(" reading")]
        answers = " ".join(str(answer) for answer in ask(machine, situation))
        if answers != expected:
            wrong.append(f"{probe}: {answers} instead of {expected}")
    return wrong


def test_a_wrong_row_would_be_noticed(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The canary."""
    monkeypatch.setitem(ROWS, "fresh", ROWS["fresh"] | {"recv": "EAGAIN EAGAIN EAGAIN"})
    assert _wrong_answers(machine, "fresh") == [
        "recv: ENOTCONN ENOTCONN ENOTCONN instead of EAGAIN EAGAIN EAGAIN"
    ]
