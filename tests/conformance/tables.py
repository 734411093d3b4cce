"""Tables of what a socket answers in every state, and the asking.

A table is a text file: a row for each state, a column for each probe.  Each probe meets a socket that was
brought into the state anew, because a call changes what the next one finds.

Owns the comparison.  Does not own the ways into the states, nor the probes.
"""

from __future__ import annotations

import errno
import re
import socket as std
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs

from .machine import Machine, outcome


def rows(name: str) -> dict[str, dict[str, str]]:
    """A table: state, column, what is expected."""
    text = Path(__file__).with_name(name).read_text()
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    head, *body = [re.split(r"\s{2,}", line.strip()) for line in lines]
    return {row[0]: dict(zip(head[1:], row[1:], strict=True)) for row in body}


@attrs.define
class Table:
    """What is expected, how to get there, and what to ask.

    Args:
        rows: as `rows` reads them.
        builders: how to bring a socket into each state.  What they return has a `sock` and a `peer`.
        probes: by column, what to ask of such a situation.  A column may have several, told apart by a
            second word.
    """

    rows: dict[str, dict[str, str]]
    builders: dict[str, Callable[[Machine], Any]]
    probes: dict[str, Callable[[Machine, Any], list[Any]]]

    def wrong_masks(self, machine: Machine, state: str) -> list[str]:
        """What poll(2) says of the socket and of its peer, where it is not what is expected."""
        situation = self.builders[state](machine)
        wrong = []
        for sock, column in ((situation.sock, "readiness"), (situation.peer, "peer")):
            expected = self.rows[state][column]
            if expected != "?" and not machine.reaches(sock, expected):
                wrong.append(f"{column}: {machine.mask(sock)} instead of {expected}")
        return wrong

    def wrong_answers(self, machine: Machine, state: str) -> list[str]:
        """The probes that were answered otherwise than expected.

        On a real machine a reset may take a moment to cross loopback while a probe is under way; so there a
        row is allowed more than one attempt.
        """
        for _ in range(machine.attempts):
            wrong = self._wrong_answers_once(machine, state)
            if not wrong:
                break
        return wrong

    def _wrong_answers_once(self, machine: Machine, state: str) -> list[str]:
        wrong = []
        for probe, ask in self.probes.items():
            situation = self.builders[state](machine)
            if self.rows[state]["readiness"] != "?":
                machine.reaches(situation.sock, self.rows[state]["readiness"])
            expected = self.rows[state][re.split(r" (?=reading)", probe)[0]]
            answers = " ".join(str(answer) for answer in ask(machine, situation))
            if answers != expected:
                wrong.append(f"{probe}: {answers} instead of {expected}")
        return wrong


# --- what every table asks -----------------------------------------------------------------------


def so_error(m: Machine, s: Any) -> list[Any]:
    """Twice, as names."""
    return [_errno_name(outcome(s.sock.getsockopt, std.SOL_SOCKET, std.SO_ERROR)) for _ in "12"]


def zero(result: Any) -> Any:
    """connect() says 0, as the kernel does."""
    return 0 if result == "ok" else result


def _errno_name(number: Any) -> Any:
    return number if isinstance(number, str) or not number else errno.errorcode[number]


COMMON: dict[str, Callable[[Machine, Any], list[Any]]] = {
    "recv": lambda m, s: [outcome(s.sock.recv, 100) for _ in range(3)],
    "send": lambda m, s: [outcome(s.sock.send, b"x") for _ in range(3)],
    "SO_ERROR": so_error,
    "shutdown": lambda m, s: [outcome(s.sock.shutdown, std.SHUT_WR)],
    "shutdown reading": lambda m, s: [outcome(s.sock.shutdown, std.SHUT_RD)],
}
