"""Readiness on a virtual host: kept as it changes, never searched for.

A `Registration` ties an end to a poller.  When the readiness of the end may have changed, the end wakes
its registrations, and they queue up, in the order in which they became ready, as epoll keeps them.
`poll` looks only at what is queued.

Level-triggered readiness without a scan: what is still ready after the handlers ran stays queued.  But a
registration whose end is not touched by its handlers would keep the host busy for ever at one moment;
after some passes it goes aside, is still reported by every pass (as select would), and does not cause
one, until its end has something new to tell.  What is to be read and lies aside when nothing else can
happen, or for a second, is a loop that spins.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..errors import Livelock
from ..transport import ERR, HUP, IN, NVAL, OUT, Poller, enter_context, leave_context
from ..units import SECOND_NS, seconds

if TYPE_CHECKING:
    from .host import Host
    from .kernel.file import File

ALWAYS = ERR | HUP | NVAL
"""What poll(2) reports whether it is asked for or not."""

SPIN_NS = SECOND_NS
"""How long what is to be read may lie aside while other things happen."""

FRUITLESS_PASSES = 4
"""How often a handler may leave a ready end alone before that causes no more passes."""


class Registration:
    """One poller's interest in one descriptor."""

    __slots__ = ("_fruitless", "_touched", "aside_ns", "end", "events", "fd", "poller", "queued")

    def __init__(self, poller: VirtualPoller, fd: int, end: File, events: int) -> None:
        self.poller = poller
        self.fd = fd
        self.end = end
        self.events = events | ALWAYS
        self.queued = False
        self._touched = -1
        self._fruitless = 0
        self.aside_ns = 0  # since when it lies aside

    def wake(self, key: int = 0) -> None:
        """The end's readiness may have changed."""
        if key and not key & self.events:
            return
        self.queued = True
        poller = self.poller
        if not poller.ready and poller.on_ready is not None:
            poller.on_ready()
        poller.ready.append(self)

    def readable(self) -> None:
        """Data has come: if it is all that happens at this moment, its channel gets it at once.

        That is what a pass of the loop with this one event would do, without the pass.
        """
        poller = self.poller
        end: Any = self.end
        network = end.net
        if not network.is_alone:  # the usual case in a crowd: wake() without the call
            self.queued = True
            if not poller.ready and poller.on_ready is not None:
                poller.on_ready()
            poller.ready.append(self)
            return
        if network.runnable or poller.hand is None:
            self.wake()
            return
        mask = (IN if end.waiting else IN | OUT) if end.ordinary else end.poll_mask()
        mask &= self.events
        if not mask:
            return  # who waits for room only, and there is none
        network.is_alone = False  # what the handler causes on its own host waits until it has returned
        token = enter_context(end.host)
        handed = False
        try:
            handed = poller.hand(self.fd, mask)
        finally:  # also if the handler ends the run: it may go on, and then what was not read is told again
            leave_context(token)
            if handed and end.ordinary and end.queue is None and not self.events & OUT:
                pass  # the usual case: it was read, and nothing else is wanted
            elif not self.queued and (not handed or end.poll_mask() & self.events):
                self.wake()

    def gone(self) -> None:
        """The end is closed: its loop forgets the descriptor when it closes the channel."""

    def is_fruitless(self) -> bool:
        """Whether the program has done nothing with the end for some passes."""
        end = self.end
        touched = end.touched
        if touched != self._touched:
            self._touched, self._fruitless, self.aside_ns = touched, 0, 0
        self._fruitless += 1
        return self._fruitless > FRUITLESS_PASSES


class VirtualPoller(Poller):
    """All kinds of poller on a virtual host: their order is the one in which things became ready."""

    __slots__ = (
        "_aside",
        "_hand",
        "_host",
        "_idle",
        "_order",
        "_registered",
        "hand",
        "is_news",
        "on_ready",
        "ready",
    )

    def __init__(
        self,
        host: Host,
        on_ready: Callable[[], None] | None = None,
        hand: Callable[[int, int], bool] | None = None,
    ) -> None:
        self._host = host
        self._order: Callable[[list[tuple[int, int]]], list[tuple[int, int]]] = host.order
        self._registered: dict[int, Registration] = {}
        self.ready: list[Registration] = []
        self._idle: list[Registration] = []
        self._aside: set[Registration] = set()  # the same, to look one up
        self.is_news = True
        self.on_ready = on_ready
        self.hand = self._hand = hand

    def hold(self, stands_still: bool) -> None:
        """While its host stands still, nothing is handed over at once."""
        self.hand = None if stands_still else self._hand
        for registration in self._aside:  # who stands still does not spin
            registration.aside_ns = self._host.network.now_ns

    def watch(self, fd: int, events: int) -> None:
        registration = self._registered.get(fd)
        end = self._host.descriptors.get(fd)
        if end is None:
            self.forget(fd)
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        if registration is not None and registration.end is end:
            registration.events = events | ALWAYS
            if not events:
                self.forget(fd)
                return
        elif events:
            self.forget(fd)
            registration = self._registered[fd] = Registration(self, fd, end, events)
            end.watchers = (*end.watchers, registration)
        else:
            self.forget(fd)
            return
        is_known = registration.queued or registration in self._aside  # that it is ready is no news
        if not is_known and end.poll_mask() & registration.events:
            registration.wake()

    def forget(self, fd: int) -> None:
        registration = self._registered.pop(fd, None)
        if registration is not None:
            registration.events = 0
            end = registration.end
            end.watchers = tuple(other for other in end.watchers if other is not registration)

    def poll(self, timeout: float | None) -> list[tuple[int, int]]:
        aside = self._bring_back() if self._aside else None
        events = []
        ready = self.ready
        for registration in ready:
            end: Any = registration.end
            if end.ordinary:  # most are: poll_mask() without the call
                mask = (IN if end.queue is not None else 0) | (0 if end.waiting else OUT)
            else:
                mask = end.poll_mask()
            mask &= registration.events
            if mask:
                events.append((registration.fd, mask))
            else:
                registration.queued = False
        if len(events) != len(ready):
            self.ready = [registration for registration in ready if registration.queued]
        self.is_news = aside is None or not aside.issuperset(self.ready)
        return self._order(events) if len(events) > 1 else events

    def _bring_back(self) -> set[Registration]:
        """What lies aside is told in this pass as well, behind what is new; which that is."""
        for registration in self._idle:
            if not registration.queued:  # else its end has woken it
                self._check_patience(registration)
                registration.queued = True
                self.ready.append(registration)
        self._idle.clear()
        aside, self._aside = self._aside, set()
        return aside

    def _check_patience(self, registration: Registration) -> None:
        """Raise Livelock if a real loop would have called a handler all the time for a second, in vain."""
        network = self._host.network
        if network.now_ns - registration.aside_ns < SPIN_NS or not registration.events & IN:
            return
        # HUP alone is a socket that has not begun to connect, of which its program may say so only later.
        if registration.end.poll_mask() & (IN | ERR):
            fd = registration.fd
            who = self._host.owner(fd) or registration.end.label
            raise Livelock(
                f"{self._host.name}: {who} has been readable since t={seconds(registration.aside_ns)}, and "
                f"is not read: its loop would spin\n{network.netstat()}"
            )

    def settle(self) -> bool:
        """After the handlers of a pass: what is no longer ready, or was not touched, causes no pass.

        True if anything is left that does.
        """
        keep: list[Registration] = []
        for registration in self.ready:
            end: Any = registration.end
            if end.ordinary and end.queue is None and not registration.events & OUT:
                registration.queued = False  # the usual case: it was read, and nothing else is wanted
            elif not end.poll_mask() & registration.events:
                registration.queued = False
            elif registration.is_fruitless():
                self._idle.append(registration)
                self._aside.add(registration)
                if not registration.aside_ns:
                    registration.aside_ns = self._host.network.now_ns
                registration.queued = False  # its end wakes it again
            else:
                keep.append(registration)
        self.ready = keep
        return bool(keep)

    def spinning(self) -> list[tuple[int, int]]:
        """What has been ready and left alone: (fd, events)."""
        return [(r.fd, r.end.poll_mask() & r.events) for r in self._idle if r.events and not r.queued]

    def close(self) -> None:
        for fd in list(self._registered):
            self.forget(fd)
        self.ready.clear()
        self._idle.clear()
        self._aside.clear()


class OrderedPoller(VirtualPoller):
    """For who finds out by select(2) in which order they are ready: nobody decides it here."""

    __slots__ = ()

    def __init__(
        self,
        host: Host,
        on_ready: Callable[[], None] | None = None,
        hand: Callable[[int, int], bool] | None = None,
    ) -> None:
        super().__init__(host, on_ready, hand)
        self._order = _as_it_comes


def _as_it_comes(events: list[tuple[int, int]]) -> list[tuple[int, int]]:
    return events
