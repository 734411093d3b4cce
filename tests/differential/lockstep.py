"""Runs one program on the live kernel and on a virtual host in lock step, and finds where they differ.

After each call the real machine has a bounded time to reach the readiness that the virtual one claims, so
nothing depends on how fast this computer delivers.  What still differs is run again: a difference counts
only if it comes back, because another process may have taken a port.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import attrs

from tests.conformance.machine import RealMachine, VirtualMachine

from .program import PORTS, Call
from .session import Session

PATIENCE_S = 0.25
RUNS = 3


@attrs.frozen
class Difference:
    """Where two machines parted: the call's position, and what each of them said."""

    position: int
    call: Call
    virtual: Any
    real: Any

    def __str__(self) -> str:
        return f"{self.position} {self.call}\n    real    {self.real}\n    virtual {self.virtual}"


def difference(
    program: list[Call],
    seen: Counter[Any] | None = None,
    *,
    runs: int = RUNS,
    patience_s: float = PATIENCE_S,
) -> Difference | None:
    """The first difference that `program` shows in each of some runs; None if there is none.

    `seen` counts what was compared: (operation, kind of result, readiness afterwards).
    """
    found = None
    for _ in range(runs):
        found = _run(program, seen, patience_s)
        if found is None:
            return None
    return found


def _run(program: list[Call], seen: Counter[Any] | None, patience_s: float) -> Difference | None:
    virtual_machine, real_machine = VirtualMachine(), RealMachine()
    real_machine.address = virtual_machine.address
    ports = _free_ports(real_machine)
    try:
        virtual, real = Session(virtual_machine, ports), Session(real_machine, ports)
        for position, call in enumerate(program):
            one, other = virtual.do(call), real.do(call)
            if one != other:
                return Difference(position, call, one, other)
            state = virtual.state()
            if not _reaches(real_machine, real, state, patience_s):
                return Difference(position, call, [one, *state], [other, *real.state()])
            if seen is not None and one is not None:
                _count(seen, call, one, state)
        return None
    finally:
        real_machine.close()
        virtual_machine.close()


def _reaches(machine: RealMachine, session: Session, state: list[str], patience_s: float) -> bool:
    return machine.eventually(lambda: session.state() == state, patience_s)


def _count(seen: Counter[Any], call: Call, result: Any, state: list[str]) -> None:
    mask = next((line.split(" ")[1] for line in state if line.startswith(f"{call.slot} ")), "")
    seen[call.op, result if isinstance(result, str) else type(result).__name__, mask] += 1


def _free_ports(machine: RealMachine) -> dict[str, int]:
    """Port numbers that nobody has on any address."""
    sockets = [machine.socket() for _ in PORTS]
    for sock in sockets:
        sock.bind(("", 0))
    numbers = [sock.getsockname()[1] for sock in sockets]
    for sock in sockets:
        sock.close()
    return dict(zip(PORTS, numbers, strict=True))


def shrink(program: list[Call], differs: Callable[[list[Call]], object]) -> list[Call]:
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
