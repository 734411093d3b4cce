"""The interval timer of a process, which sends it SIGALRM: alarm(2) and setitimer(2) with ITIMER_REAL.

Owns one timer.  The functions of `signal` that set it are in `interposed.signals`.
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .process import Process


class IntervalTimer:
    """That of one process; it is not set when it is made."""

    __slots__ = ("_due_ns", "_interval_ns", "_process")

    def __init__(self, process: Process) -> None:
        self._process = process
        self._due_ns: int | None = None
        self._interval_ns = 0

    def left(self) -> tuple[int, int]:
        """In how many ns it is due, 0 if it is not set; and after how many again, 0 if it is for once."""
        if self._due_ns is None:
            return 0, 0
        return max(self._due_ns - self._process.host.network.now_ns, 1), self._interval_ns

    def set(self, delay_ns: int, interval_ns: int = 0) -> None:
        """Let it be due in `delay_ns`, and then every `interval_ns`; 0 is never."""
        network = self._process.host.network
        if self._due_ns is not None:
            network.schedule.extract(lambda entry: entry[2] is self)
            self._due_ns = None
        if delay_ns:
            self._due_ns, self._interval_ns = network.now_ns + delay_ns, interval_ns
            network.schedule.plan(self._due_ns, self)

    def arrive(self, item: object) -> None:
        """It is due."""
        self._due_ns = None
        self.set(self._interval_ns, self._interval_ns)
        self._process.send_signal(signal.SIGALRM)
