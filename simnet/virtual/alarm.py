"""Alarms: a loop is woken when its earliest timer is due.

A loop has at most one entry in the schedule for its timers, planned for the earliest of them.  Timers come
and go without telling; so an entry whose time has come may be for nobody, and the next one is planned then.

Owns whether an entry is still wanted.  When it is planned is the business of the `engine`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..transport import Turner

if TYPE_CHECKING:
    from .host import Host


class Alarm:
    """Wakes a loop when its earliest timer is due, or a process when its wait is over."""

    __slots__ = ("host", "loop", "planned_ns", "wake")

    def __init__(self, host: Host, loop: Turner) -> None:
        self.host, self.loop = host, loop
        self.wake = host.waker(loop)
        self.planned_ns = -1

    def is_due(self, time_ns: int) -> bool:
        """Whether the entry for `time_ns` is still wanted: timers may have been cancelled since."""
        if self.planned_ns != time_ns or not self.host.has(self.loop):  # the host has crashed since
            return False
        deadline_ns = self.loop.next_deadline_ns()
        return deadline_ns is not None and deadline_ns <= time_ns

    def lapse(self, time_ns: int) -> None:
        """The entry for `time_ns` is gone: plan the next one."""
        if self.planned_ns == time_ns:
            self.planned_ns = -1
            if self.host.has(self.loop):
                self.host.network.set_alarm(self)

    def arrive(self, item: object) -> None:
        now_ns = self.host.network.now_ns
        if self.is_due(now_ns):
            self.planned_ns = -1
            self.wake()
        else:
            self.lapse(now_ns)
