"""How a process waits: it stands still, and whoever has what it waits for wakes it.

A call that has to wait switches to the network, and comes back when the network gives the process a turn.
Meanwhile what asyncio keeps for the thread of this computer is another process's.

Owns waiting, standing still for others, and what a process finds when it goes on: a signal, or its end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from greenlet import greenlet

from ..transport import IN, PRI
from .coroutines import abandon, put_running_loop, take_running_loop
from .ending import Killed, refuse_lines
from .kept import began
from .signals import Signals

if TYPE_CHECKING:
    from ..virtual.host import Host
    from ..virtual.kernel.file import File
    from .process import Process
    from .thread import Thread

ANY = -1
"""Every event that a file can have."""

READS_AT_ONCE, READ_NS = 1_000, 10_000
"""After so many readings of a clock, or questions in vain, at one moment, so much time passes with each."""


class Waits:
    """That part of a process."""

    host: Host
    label: str
    leader: Process
    threads: dict[Thread, None]
    signals: Signals
    is_alive: bool
    was_killed: bool
    call: str
    waits: int
    events: int
    queued: bool
    holder: Callable[[], Process | None] | None
    _hub: greenlet | None
    _deadline_ns: int | None
    _switches: int
    _gives_way: bool
    _reads: int
    _read_ns: int
    _take_down: Callable[[], None] | None
    _wake: Callable[[], None]

    def wait(
        self,
        call: str,
        condition: Callable[[], object],
        deadline_ns: int | None,
        files: Iterable[File] = (),
        events: int = ANY,
    ) -> bool:
        """Stand still until `condition` is true, or until the deadline; whether it is true.

        The condition is asked at first, and whenever the process was woken: by one of `files` that may have
        one of `events`, or by a call of `wake`.  While it waits its files are not closed, as in a kernel.

        If it is woken at the moment of its deadline, it is a pick whether that came too late (`timer`).
        """
        if condition():
            return True
        self.waits += 1
        self.events, self.call, self._deadline_ns = events, call, deadline_ns
        watched = []
        for file in files:
            before, is_held = file.watchers, file.references > 0
            file.watchers = during = (*before, self)
            if is_held:
                file.references += 1
            watched.append((file, before, during, is_held))
        network = self.host.network
        try:
            while deadline_ns is None or network.now_ns < deadline_ns:
                self._stand_still()
                if self.queued and deadline_ns == network.now_ns and self.host.timers_first(1):
                    return False
                if condition():
                    return True
            return False
        finally:
            self.call, self._deadline_ns, self.queued = "", None, True
            for file, before, during, is_held in watched:
                if file.watchers is during:  # the usual case: nobody else has come or gone
                    file.watchers = before
                else:
                    file.watchers = tuple(other for other in file.watchers if other is not self)
                if is_held:
                    file.drop()

    def hold_up(self, call: str, time_ns: int | None, condition: Callable[[], object] = bool) -> None:
        """Stand still for so long, or until `condition` is true, in a call that does not wait."""
        waits = self.waits
        self.wait(call, condition, None if time_ns is None else self.host.network.now_ns + time_ns)
        self.waits = waits

    def give_way(self) -> None:
        """Let others run that can, at this moment."""
        self.call = "sleep"
        self._wake()
        self._stand_still()
        self.call = ""

    def may_switch(self, call: str) -> None:
        """Before it goes on with a call, the network may let the other threads of its process run."""
        self._switches += 1
        network = self.host.network
        if network.is_calm:
            return
        effect = network.choose("switch", self, self._switches, self._others_ready(), call)
        if effect is not None and effect[0] == "yields":
            self._gives_way = True  # and another that does so is none to wait for
            while self._others_ready():
                self.give_way()
            self._gives_way = False
        elif effect is not None:
            self.hold_up(call, effect[1])

    def _others_ready(self) -> int:
        """How many other threads of its process could go on at this moment."""
        group = (self.leader, *self.leader.threads)
        return sum(each.queued and not each._gives_way for each in group if each is not self)

    def ask_again(self, call: str) -> None:
        """Before it reads a clock, or when it has asked for what is not there and does not wait: who does
        nothing else, again and again, gets to the time at which it is there."""
        now_ns = self.host.network.now_ns
        if self._read_ns != now_ns:
            self._read_ns, self._reads = now_ns, 0
        self._reads += 1
        if self._reads > READS_AT_ONCE:
            self.hold_up(call, READ_NS)
            self._read_ns = self.host.network.now_ns  # it goes on with that

    def _stand_still(self) -> None:
        taken = take_running_loop()
        self.queued = False
        network = self.host.network
        assert network.process is self, f"{self.label} waits while it does not run"
        self._hub.switch()  # type: ignore[union-attr]
        if taken is not None:
            put_running_loop(*taken)
        if self.was_killed:
            self._let_go_of_loop()
            del taken
            refuse_lines()
            raise Killed
        if self.signals.pending and self.leader is self:
            self._tell_signals()

    def _let_go_of_loop(self) -> None:
        """It is killed, and what it has of asyncio is not on its stack."""
        taken = take_running_loop()
        if taken is not None:
            self._take_down = abandon(taken[0], began(self.host.network))

    def _tell_signals(self) -> None:
        """Call handlers, which may wait in turn; then it waits for what it waited for."""
        before = self.events, self.call, self._deadline_ns, self.holder
        self.events, self.call, self._deadline_ns, self.holder = ANY, "", None, None
        self.signals.tell()
        self.events, self.call, self._deadline_ns, self.holder = before

    def wake(self, key: int = 0) -> None:
        """What it waits for may have come."""
        if self.is_alive and not self.queued and (not key or key & self.events):
            self.queued = True
            self._wake()

    def readable(self) -> None:
        """Data has come to a file that it waits for."""
        self.wake(IN | PRI)

    def gone(self) -> None:
        """A file is closed; not one that it waits for."""
