"""Runs a program on one machine, or against what another has said, and finds where the two part.

The virtual machine goes first, because it needs no time.  After each call the live one has a bounded time to
reach the readiness that the virtual one claims, so nothing depends on how fast this computer delivers.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeAlias

import attrs

from .normal import NotSimulated
from .program import Call, Program
from .session import Machine, Session, State
from .words import kind_of, said

PATIENCE_S = 0.25

Entry: TypeAlias = tuple[Any, State]
"""What a program sees of one call: its result, and the state of all descriptors afterwards."""

Log: TypeAlias = list[Entry]

SKIPPED = "not simulated"
"""The result of a call that the virtual machine refuses by name.  It had no effect, so the other machine
leaves it out."""


@attrs.frozen
class Difference:
    """Where two machines parted: the position of the call, and what each of them said."""

    position: int
    call: Call
    expected: Entry
    found: Entry

    @property
    def kind(self) -> tuple[str, ...]:
        """What sort of difference it is: a call and what sort of results it had, or the readiness."""
        results = kind_of(self.expected[0]), kind_of(self.found[0])
        return ("readiness",) if self.expected[0] == self.found[0] else (self.call.op, *results)


def run(program: Program, machine: Machine, missing: Callable[[str], None] | None = None) -> Log:
    """What `machine` says to a program; `missing` is told what it does not simulate.

    An exception that no kernel would be the reason of ends the log, as a result that no kernel gives.
    """
    session = Session(machine)
    log: Log = []
    try:
        for position, call in enumerate(program):
            try:
                result = session.do(call, position)
            except NotSimulated as error:
                if missing is not None:
                    missing(str(error))
                result = SKIPPED
            log.append((result, session.state()))
    except Exception as error:
        log.append((f"{type(error).__name__}: {error}", ()))
    finally:
        session.end()
    return log


def compare(
    program: Program, expected: Log, machine: Machine, patience_s: float = PATIENCE_S
) -> Difference | None:
    """Where `machine` first says something else than `expected`; None if nowhere."""
    session = Session(machine)
    try:
        for position, (call, entry) in enumerate(zip(program, expected, strict=False)):
            wanted, wanted_state = entry
            if wanted == SKIPPED:
                continue
            result = session.do(call, position)
            if result != wanted:
                return Difference(position, call, entry, (result, session.state()))
            state = session.state()
            if state != wanted_state and not _reaches(session, wanted_state, patience_s):
                return Difference(position, call, entry, (result, session.state()))
        return None
    finally:
        session.end()


def difference(program: Program, expected: Log, found: Log) -> Difference | None:
    """Where two logs part; a call that was left out in one of them ends the comparison."""
    for position, (call, one, other) in enumerate(zip(program, expected, found, strict=False)):
        if SKIPPED in (one[0], other[0]):
            return None
        if one != other:
            return Difference(position, call, one, other)
    return None


def _reaches(session: Session, state: State, patience_s: float) -> bool:
    """Whether the machine comes to a state in some time."""
    deadline_s = time.monotonic() + patience_s
    while session.state() != state:
        if time.monotonic() >= deadline_s:
            return False
        time.sleep(0.0005)
    return True


def shrink(program: Program, differs: Callable[[Program], object]) -> Program:
    """A program that still `differs` and of which no call can be left out."""
    size = max(len(program) // 2, 1)
    while True:
        at, before = 0, len(program)
        while at < len(program):
            shorter = program[:at] + program[at + size :]
            if differs(shorter):
                program = shorter
            else:
                at += size
        if size == 1 and len(program) == before:
            return program
        size = max(size // 2, 1)


def report(program: Program, difference: Difference, names: tuple[str, str] = ("virtual", "real")) -> str:
    """The program up to where two machines part, and what each of them says there."""
    lines = [f"  {call!r}" for call in program[: difference.position + 1]]
    wide = max(map(len, names))
    for name, (result, state) in zip(names, (difference.expected, difference.found), strict=True):
        lines.append(f"    {name:{wide}}  {said(result, state)}")
    return "\n".join(lines)
