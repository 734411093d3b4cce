"""The virtual kernel as something that runs programs: a host of a new network for each."""

from __future__ import annotations

from collections import Counter

from ..virtual import Network
from .lockstep import Log, run
from .program import Program
from .session import Machine

PORTS = {"P1": 2001, "P2": 2002, "P3": 2003}
FIRST_DESCRIPTOR = 3


class VirtualKernel:
    """Runs programs on virtual hosts; counts what is not simulated, by its name."""

    def __init__(self) -> None:
        self.missing: Counter[str] = Counter()

    def log(self, program: Program) -> Log:
        """What a virtual host says to a program."""
        host = Network().host("machine")
        return run(program, Machine(host.modules, PORTS, host.address, FIRST_DESCRIPTOR), self._miss)

    def _miss(self, name: str) -> None:
        self.missing[name] += 1
