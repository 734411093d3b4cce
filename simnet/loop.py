"""The event loop: poll, dispatch, timers.  One loop for every transport.

A `Loop` owns a map of channels by descriptor, what each of them is interested in, and timers.  It
does not own sockets, nor what a handler does with an event.

A channel is anything with the methods of `Channel`.  asyncore asks every channel in every pass whether
it wants to read or write, which is why it slows down with every idle connection.  Here the question is
asked again only where the answer may have changed:

* never, where a class does not override ``readable`` or ``writable``;
* after `Loop.touch`, which channels call that declare their changes (``declares_interest = True``);
* in every pass otherwise, as asyncore documents.

One pass is: ask, poll, dispatch in the poller's order (for each channel: read, write, exceptional),
then call the timers that are due.  ERR and HUP count as readable, and ERR as writable, as select(2)
reports them: a handler finds out what happened by reading.
"""

from __future__ import annotations

import errno
import heapq
from collections.abc import Callable
from itertools import count
from typing import Any, Protocol, runtime_checkable

from .transport import ERR, HUP, IN, OUT, PRI, RDHUP, Poller, Transport, current
from .units import SECOND_NS, duration_ns

READABLE = IN | HUP | ERR | RDHUP
WRITABLE = OUT | ERR

DISCONNECTED = frozenset(
    {errno.ECONNRESET, errno.ENOTCONN, errno.ESHUTDOWN, errno.ECONNABORTED, errno.EPIPE, errno.EBADF}
)
"""Errnos that mean that the connection is gone: a handler that lets one out is told by handle_close."""


class ExitNow(Exception):
    """Raised by a handler to leave `loop`; it passes through everything."""


PASSING = (ExitNow, KeyboardInterrupt, SystemExit)


@runtime_checkable
class Channel(Protocol):
    """What a loop asks of the values of its map."""

    def readable(self) -> bool: ...
    def writable(self) -> bool: ...
    def handle_read_event(self) -> None: ...
    def handle_write_event(self) -> None: ...
    def handle_expt_event(self) -> None: ...
    def handle_close(self) -> None: ...
    def handle_error(self) -> None: ...


class Timer:
    """A call that is due at a time.  `cancel` may be called at any time, also twice."""

    __slots__ = ("args", "callback", "deadline_ns")

    def __init__(self, deadline_ns: int, callback: Callable[..., object], args: tuple[Any, ...]) -> None:
        self.deadline_ns = deadline_ns
        self.callback: Callable[..., object] | None = callback
        self.args = args

    def __repr__(self) -> str:
        return f"<Timer {'cancelled' if self.is_cancelled else self.callback}>"

    @property
    def is_cancelled(self) -> bool:
        return self.callback is None

    def cancel(self) -> None:
        """The call will not be made."""
        self.callback, self.args = None, ()

    def fire(self) -> None:
        callback, args = self.callback, self.args
        self.cancel()
        if callback is not None:
            callback(*args)


class Loop:
    """The channels and timers of one map on one transport; get one with `loop_for`."""

    def __init__(self, transport: Transport, map: dict[int, Any], kind: str | None = None) -> None:
        self.transport = transport
        self.map = map
        self._wake = transport.waker(self)
        self.poller: Poller = transport.poller(kind, self._wake, self.hand)
        self._events: dict[int, int] = {}  # what the poller was told
        self._known: dict[int, Any] = {}  # who was asked
        self._asked: dict[int, Any] = {}  # who is asked again in every pass
        self._touched: dict[int, Any] = {}
        self._timers: list[tuple[int, int, Timer]] = []
        self._sequence = count().__next__
        transport.adopt(self)

    # --- channels --------------------------------------------------------------------------------

    def add(self, fd: int, channel: Any) -> None:
        """A channel joins the map under its descriptor."""
        self.map[fd] = self._known[fd] = channel
        self.touch(fd, channel)

    def remove(self, fd: int) -> None:
        """A channel leaves the map; its descriptor may be closed already."""
        self.map.pop(fd, None)
        self._forget(fd)

    def touch(self, fd: int, channel: Any) -> None:
        """What a channel is interested in may have changed: it is asked in the next pass."""
        if not self._touched:
            self._wake()
        self._touched[fd] = channel

    def _forget(self, fd: int) -> None:
        self._known.pop(fd, None)
        self._asked.pop(fd, None)
        self._touched.pop(fd, None)
        if self._events.pop(fd, 0):
            self.poller.forget(fd)

    def _refresh(self) -> None:
        """Ask whoever must be asked, and tell the poller what changed."""
        if len(self.map) != len(self._known):
            self._reconcile()
        touched, self._touched = self._touched, {}
        for fd, channel in touched.items():
            if self.map.get(fd) is channel:
                self._known[fd] = channel
                if _declares(channel):
                    self._asked.pop(fd, None)
                    self._ask(fd, channel)
                else:
                    self._asked[fd] = channel
        for fd, channel in list(self._asked.items()):
            if self.map.get(fd) is channel:
                self._ask(fd, channel)
            else:
                self._forget(fd)

    def _reconcile(self) -> None:
        """Somebody wrote to the map without asking: find out who came and who went."""
        for fd in [fd for fd in self._known if fd not in self.map]:
            self._forget(fd)
        for fd, channel in self.map.items():
            if fd not in self._known:
                self._touched[fd] = channel

    def _ask(self, fd: int, channel: Any) -> None:
        events = IN | PRI if channel.readable() else 0
        # A listener is never writable; that channel.accepting is not set counts as "no listener".
        if channel.writable() and not getattr(channel, "accepting", False):
            events |= OUT | PRI
        if events != self._events.get(fd, 0):
            try:
                self.poller.watch(fd, events)
            except OSError as error:
                if error.errno != errno.EBADF:
                    raise
                # Closed behind our back; whoever owns it finds out when it reads.
                events = 0
            self._events[fd] = events

    # --- timers ----------------------------------------------------------------------------------

    def call_later(self, delay: str | float, callback: Callable[..., object], *args: Any) -> Timer:
        """Call ``callback(*args)`` after `delay` (seconds, or text with a unit).

        Timers that are due at the same time are called in the order in which they were made.
        """
        timer = Timer(self.transport.clock.monotonic_ns() + duration_ns(delay), callback, args)
        heapq.heappush(self._timers, (timer.deadline_ns, self._sequence(), timer))
        self._wake()
        return timer

    def next_deadline_ns(self) -> int | None:
        """When the earliest timer is due, on the transport's monotonic clock."""
        timers = self._timers
        while timers and timers[0][2].is_cancelled:
            heapq.heappop(timers)
        return timers[0][0] if timers else None

    def _fire(self) -> bool:
        now_ns = self.transport.clock.monotonic_ns()
        due = []
        while (deadline_ns := self.next_deadline_ns()) is not None and deadline_ns <= now_ns:
            due.append(heapq.heappop(self._timers))
        for index, (_, _, timer) in enumerate(due):
            try:
                timer.fire()
            except BaseException:
                for entry in due[index + 1 :]:
                    heapq.heappush(self._timers, entry)
                raise
        return bool(due)

    # --- running ---------------------------------------------------------------------------------

    def turn(self, timeout: float | None) -> bool:
        """One pass: True if any handler or timer was called.

        `timeout` bounds the wait, in seconds; None waits as long as it takes.  A timer that is due ends
        it earlier.
        """
        if self._touched or self._asked or len(self.map) != len(self._known):
            self._refresh()
        if self._timers:
            deadline_ns = self.next_deadline_ns()
            if deadline_ns is not None:
                left = max(deadline_ns - self.transport.clock.monotonic_ns(), 0) / SECOND_NS
                timeout = left if timeout is None else min(timeout, left)
        ready = self.poller.poll(timeout)
        map = self.map
        for fd, events in ready:
            channel = map.get(fd)
            if channel is not None:
                self.dispatch(fd, channel, events)
        fired = bool(self._timers) and self._fire()
        if (ready or fired) and self._asked:
            self._wake()
        return fired or bool(ready)

    def hand(self, fd: int, events: int) -> bool:
        """Dispatch one event outside a pass; False if there is more to do in this moment than that."""
        if self._asked or self._touched:
            return False
        channel = self.map.get(fd)
        if channel is not None:
            self.dispatch(fd, channel, events)
        return True

    def dispatch(self, fd: int, channel: Any, events: int) -> None:
        """Hand one channel its events: read, write, exceptional."""
        wanted = self._events.get(fd, 0)
        try:
            if events & IN or (events & READABLE and wanted & IN):
                channel.handle_read_event()
            if events & WRITABLE and wanted & OUT and self._has(fd, channel):
                channel.handle_write_event()
            if events & PRI and self._has(fd, channel):
                channel.handle_expt_event()
        except BlockingIOError:
            # Readiness was spurious (select(2), BUGS): there is nothing to do, and poll will tell again.
            pass
        except OSError as error:
            if error.errno in DISCONNECTED:
                channel.handle_close()
            else:
                channel.handle_error()
        except PASSING:
            raise
        except Exception:
            channel.handle_error()

    def _has(self, fd: int, channel: object) -> bool:
        """Whether `channel` still is in the map: an earlier handler may have closed it."""
        return self.map.get(fd) is channel

    def describe(self, fd: int) -> str | None:
        """The repr of the channel that has this descriptor."""
        channel = self.map.get(fd)
        return None if channel is None else type(channel).__name__

    def close(self) -> None:
        """Release the poller.  Channels stay as they are."""
        self.poller.close()
        self._events.clear()


def _declares(channel: Any) -> bool:
    """Whether the channel's answers change only when it says so."""
    if not getattr(channel, "declares_interest", False):
        return False
    own = getattr(channel, "__dict__", {})
    return "readable" not in own and "writable" not in own


def loop_for(transport: Transport, map: dict[int, Any] | None = None) -> Loop:
    """The loop that runs `map` on `transport`; without a map, the transport's default loop."""
    loops: list[Loop] = transport.loops
    for loop in loops:
        if loop.map is map or (map is None and loop is loops[0]):
            return loop
    return Loop(transport, {} if map is None else map)


def loop(
    timeout: float | None = 30.0,
    use_poll: bool = False,
    map: dict[int, Any] | None = None,
    count: int | None = None,
) -> None:
    """Run the current transport's channels until none is left, or for `count` passes.

    As `asyncore.loop`.  On a virtual host this lets time pass for the whole network, and also returns
    when nothing can happen any more.

    Args:
        timeout: how long one pass may wait, in seconds.
        use_poll: poll(2) instead of select(2); fixed by the first pass of a map.
        map: channels by descriptor; without it, the transport's own.
        count: passes to make; without it, as many as it takes.
    """
    transport = current()
    running = loop_for(transport, map)
    while running.map and (count is None or count > 0):
        if count is not None:
            count -= 1
        if not transport.drive(running, timeout):
            return
