"""The event loop: poll, dispatch, timers.  One loop for every transport.

A `Loop` owns a map of channels by descriptor, what each of them is interested in, and timers.  It
does not own sockets, nor what a handler does with an event.

A channel is anything with the methods of `channels.Channel`.  asyncore asks every channel in every pass
whether it wants to read or write, which is why it slows down with every idle connection.  Here the
question is asked again only where the answer may have changed:

* never, where a class does not override ``readable`` or ``writable``;
* after `Loop.touch`, which channels call that declare their changes (``declares_interest = True``);
* in every pass otherwise, as asyncore documents.

Programs also write to a map directly.  A default loop's map tells its loop.  A dict that was given cannot;
it is compared with who was known before, which costs some 15 µs for a thousand channels.  So a pass that
finds something ready at once looks only at how many there are and who came last, and all are compared
before a wait, and in every 256th pass of a loop that never waits.

One pass is: ask, poll, dispatch in the poller's order (for each channel: read, write, exceptional),
then make the calls that other threads asked for, and call the timers that are due.  ERR and HUP count as
readable, and ERR as writable, as select(2) reports them: a handler finds out what happened by reading.
A virtual machine may be held up within a pass: what poll has found is kept, and the pass goes on with it.

A loop and its channels belong to one thread.  `Loop.call_soon_threadsafe` is for all others.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from typing import Any

from .calls import Calls
from .channels import ChannelMap
from .timers import Timer, Timers
from .transport import ERR, HUP, IN, OUT, PRI, RDHUP, Poller, Transport, current
from .units import SECOND_NS

READABLE = IN | HUP | ERR | RDHUP
WRITABLE = OUT | ERR

DISCONNECTED = frozenset(
    {errno.ECONNRESET, errno.ENOTCONN, errno.ESHUTDOWN, errno.ECONNABORTED, errno.EPIPE, errno.EBADF}
)
"""Errnos that mean that the connection is gone: a handler that lets one out is told by handle_close."""

GIVEN_UP = frozenset({errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.ENETUNREACH})
"""Errnos with which Linux gives up an established connection (tcp(7)); asyncore takes them for mistakes."""

_UNARMED_WAIT = 0.1  # seconds; while the process has no descriptor left to be woken by


class ExitNow(Exception):
    """Raised by a handler to leave `loop`; it passes through everything."""


_COMPARED_EVERY = 256  # passes of a loop that always finds something ready

PASSING = (ExitNow, KeyboardInterrupt, SystemExit)


class Loop:
    """The channels and timers of one map on one transport; get one with `loop_for`."""

    label = ""

    _in_hand: Sequence[tuple[int, int]] = ()
    """What poll has found, and nobody was told before the machine was held up."""

    _steps_before = 0
    """How many steps there were before those in hand."""

    def __init__(
        self, transport: Transport, map: dict[int, Any] | None = None, kind: str | None = None
    ) -> None:
        self.transport = transport
        self.is_default = map is None
        own = ChannelMap(self)
        self.map: dict[int, Any] = own if map is None else map
        self._put, self._drop = (own.put, own.drop) if map is None else (map.__setitem__, map.pop)
        self._wake = transport.waker(self)
        self._kind = kind
        self.poller: Poller = transport.poller(kind, self._wake, self.hand)
        self._events: dict[int, int] = {}  # what the poller was told
        self._known: dict[int, Any] = {}  # who was asked
        self._asked: dict[int, Any] = {}  # who is asked again in every pass
        self._touched: dict[int, Any] = {}
        self._wakeup = transport.wakeup(self)
        self._armed: Poller | None = None  # the poller that other threads can wake
        self._calls = Calls(self._wakeup)
        self._looks = 0  # at a map that cannot tell
        self._timers = Timers(transport.clock)
        self.next_deadline_ns = self._timers.next_deadline_ns
        self.next_timer = self._timers.next_timer
        transport.adopt(self)

    # --- channels --------------------------------------------------------------------------------

    def add(self, fd: int, channel: Any) -> None:
        """A channel joins the map under its descriptor."""
        if self._events.get(fd) and self._known.get(fd) is not channel:
            self._forget(fd)  # the interest of whoever had this number before
        self._put(fd, channel)
        self._known[fd] = channel
        self.touch(fd, channel)

    def remove(self, fd: int) -> None:
        """A channel leaves the map; its descriptor may be closed already."""
        self._drop(fd, None)
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
        touched, self._touched = self._touched, {}
        while touched:
            fd, channel = next(iter(touched.items()))
            if self._has(fd, channel):
                self._known[fd] = channel
                if self._is_told_by(channel):
                    self._asked.pop(fd, None)
                    try:
                        self._ask(fd, channel)
                    except BaseException:
                        self._touched = touched | self._touched  # nobody is forgotten over an error
                        self._wake()
                        raise
                else:
                    self._asked[fd] = channel
            del touched[fd]
        for fd, channel in list(self._asked.items()):
            if self._has(fd, channel):  # else one of those before has closed it
                self._ask(fd, channel)

    def _looks_known(self, timeout: float | None) -> bool:
        """Whether nobody seems to have written to a map that cannot tell; sure if the pass will not wait."""
        map, known = self.map, self._known
        self._looks += 1
        if timeout == 0.0 or self._looks % _COMPARED_EVERY == 0 or not isinstance(map, dict):
            return map == known
        return len(map) == len(known) and next(reversed(map.items()), None) == next(
            reversed(known.items()), None
        )

    def _poll_after_a_look(self, timeout: float | None) -> list[tuple[int, int]]:
        """Nothing is ready at once: there is the time to compare a whole map before the wait."""
        if self.map != self._known:
            self._reconcile()
            self._refresh()
            timeout = 0.0  # who was asked just now may have made a timer
        return self.poller.poll(timeout)

    def _reconcile(self) -> None:
        """Somebody wrote to the map without asking: find out who came and who went."""
        for fd in [fd for fd, channel in self._known.items() if self.map.get(fd) is not channel]:
            self._forget(fd)
        for fd, channel in self.map.items():
            if fd not in self._known:
                self._touched[fd] = channel
        self._known = dict(self.map)  # in the same order, for the look at who came last

    def _is_told_by(self, channel: Any) -> bool:
        """Whether the channel's answers change only when it says so, and says so to this loop."""
        if not getattr(channel, "declares_interest", False) or getattr(channel, "_loop", self) is not self:
            return False
        own = getattr(channel, "__dict__", {})
        return "readable" not in own and "writable" not in own

    def _ask(self, fd: int, channel: Any) -> None:
        events = IN | PRI if channel.readable() else 0
        # A listener is never writable; that channel.accepting is not set counts as "no listener".
        if channel.writable() and not getattr(channel, "accepting", False):
            events |= OUT | PRI
        events &= ~getattr(channel, "deaf_to", 0)
        if events != self._events.get(fd, 0) and self._has(fd, channel):  # else it closed itself just now
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

        Timers that are due at the same time are called in the order in which they were made, after the
        events of that moment.  What a timer raises leaves the loop, on every transport: it belongs to no
        channel that could be closed.  The timers that are due with it are called in the next pass.
        """
        timer = self._timers.add(delay, callback, args)
        self._wake()
        return timer

    def call_soon_threadsafe(self, callback: Callable[..., object], *args: Any) -> None:
        """Have the loop call ``callback(*args)`` in its own thread, in its next pass, which begins at once.

        The one method that other threads may call, and the handlers of signals; it never blocks.  Calls of
        one thread are made in their order.  They keep `loop` from returning as little as timers do: those
        that come when it has returned are made when somebody runs it again.

        On a virtual host it is made at this moment of virtual time.

        Raises:
            UsageError: the loop was closed.  Calls that wait when it is closed are not made.
            NotImplementedError: on a virtual host, from another thread than that of the simulation.
        """
        self._calls.add(callback, args)

    # --- running ---------------------------------------------------------------------------------

    def turn(self, timeout: float | None) -> bool:
        """One pass: True if any handler or timer was called.

        `timeout` bounds the wait, in seconds; None waits as long as it takes.  A timer that is due ends
        it earlier.
        """
        if self._in_hand:
            return self._go_on()
        if not (self.is_default or self._looks_known(timeout)):
            self._reconcile()
        if self._touched or self._asked:
            self._refresh()
        timers, are_due = self._timers, False
        if timers.heap:
            deadline_ns = timers.next_deadline_ns()
            if deadline_ns is not None:
                left = max(deadline_ns - self.transport.clock.monotonic_ns(), 0) / SECOND_NS
                timeout = left if timeout is None else min(timeout, left)
                are_due = not left
        if timeout != 0.0 and self._armed is not self.poller:
            timeout = self._arm(timeout)
        calls = self._calls
        if calls.queue:
            timeout = 0.0
        if self.is_default or timeout == 0.0:
            ready = self.poller.poll(timeout)
        else:
            ready = self.poller.poll(0.0) or self._poll_after_a_look(timeout)
        if not ready:
            return self._end_pass(False)
        transport = self.transport
        if are_due and transport.timers_first(len(ready)):
            timers.fire()
        transport.steps += len(ready)
        if transport.watches_steps:
            return self._step_through(ready, transport.steps - len(ready))
        find, told = self.map.get, self._events
        for fd, events in ready:
            channel = find(fd)
            # A number that a handler of this pass closed and opened again has not told its interest yet.
            if channel is None or fd not in told:
                if fd == self._wakeup.fd:
                    self._wakeup.clear()
                continue
            try:  # as `dispatch` does, without its call
                if events == IN:
                    channel.handle_read_event()
                else:
                    self._tell(fd, channel, events)
            except PASSING:
                raise
            except Exception as error:
                _answer(channel, error)
        return self._end_pass(True)

    def _end_pass(self, told: bool) -> bool:
        """Whatever poll has found was told."""
        calls, timers = self._calls, self._timers
        made = calls.make() if calls.queue else False
        fired = timers.fire() if timers.heap else False
        if self._asked and (made or fired or (told and self.poller.is_news)):
            self._wake()
        return made or fired or told

    def _step_through(self, ready: Sequence[tuple[int, int]], before: int, asked: int = 0) -> bool:
        """Tell one after the other, as a machine does that may be held up before each; False if it was.

        `before` is how many steps there were before these, of which the first `asked` need not be asked.
        """
        transport = self.transport
        for place, (fd, events) in enumerate(ready):
            channel = self.map.get(fd)
            if channel is None or fd not in self._events:
                continue
            if place >= asked:
                left = ready[place:]
                time_ns = transport.choose_hold(before + place + 1, len(left), left)
                if time_ns:
                    self._in_hand, self._steps_before = left, before + place
                    transport.hold_up(self, time_ns)
                    return False
            self.dispatch(fd, channel, events)
        return self._end_pass(True)

    def _go_on(self) -> bool:
        """Go on with a pass that was held up: poll is not asked again."""
        ready, self._in_hand = self._in_hand, ()
        if self._touched:
            self._wake()  # somebody has meanwhile, and is asked in the next pass
        return self._step_through(ready, self._steps_before, asked=1)

    def _arm(self, timeout: float | None) -> float | None:
        """Let other threads end this wait; how long it may be."""
        if self._wakeup.arm(self.poller):
            self._armed = self.poller
            return timeout
        return _UNARMED_WAIT if timeout is None else min(timeout, _UNARMED_WAIT)

    def hand(self, fd: int, events: int) -> bool:
        """Dispatch one event outside a pass; False if there is more to do in this moment than that."""
        transport = self.transport
        if self._asked or self._touched or not self.is_default or transport.watches_steps:
            return False
        transport.steps += 1
        channel = self.map.get(fd)
        if channel is not None:
            self.dispatch(fd, channel, events)
        return True

    def dispatch(self, fd: int, channel: Any, events: int) -> None:
        """Hand one channel its events."""
        try:
            if events == IN:
                channel.handle_read_event()
            else:
                self._tell(fd, channel, events)
        except PASSING:
            raise
        except Exception as error:
            _answer(channel, error)

    def _tell(self, fd: int, channel: Any, events: int) -> None:
        """Read, write, exceptional."""
        wanted = self._events.get(fd, 0)
        if not events & ~(HUP | ERR) and not (wanted & IN or (events & WRITABLE and wanted & OUT)):
            # It came unasked, and would come in every pass: a connection that is over, and of which the
            # channel wants nothing just now. select would not show it. Other interest watches it again.
            self.poller.forget(fd)
            return
        if events & READABLE and wanted & IN:
            channel.handle_read_event()
        if events & WRITABLE and wanted & OUT and self._has(fd, channel):
            channel.handle_write_event()
        if events & PRI and self._has(fd, channel):
            channel.handle_expt_event()

    def _has(self, fd: int, channel: object) -> bool:
        """Whether `channel` still is in the map: an earlier handler may have closed it."""
        return self.map.get(fd) is channel

    def describe(self, fd: int) -> str | None:
        """The class of the channel that has this descriptor."""
        channel = self.map.get(fd)
        return None if channel is None else type(channel).__name__

    def use(self, kind: str | None) -> None:
        """Poll with another kind of poller from the next pass on; None is the machine's default."""
        if kind != self._kind:
            successor = self.transport.poller(kind, self._wake, self.hand)
            self.poller.close()
            self._kind, self.poller = kind, successor
            self._events.clear()
            self._touched = dict(self.map)
            self._wake()

    def part(self) -> None:
        """After fork(2), in the child, whose poller is its own: wake nobody but this loop."""
        if self._armed is not None:
            self.poller.forget(self._wakeup.fd)
            self._wakeup.close()
            self._armed = None

    @property
    def asks(self) -> bool:
        """Whether the next pass may find something that nobody told: answers that have changed, or a map."""
        return bool(self._asked) or not self.is_default

    def close(self) -> None:
        """Release the poller, drop the timers and the calls: nothing is called any more.  Channels stay."""
        self.poller.close()
        self._events.clear()
        self._in_hand = ()
        self._calls.close()
        self._timers.close()


def _answer(channel: Any, error: Exception) -> None:
    """What a handler let out, while it is being handled."""
    if not isinstance(error, OSError):
        channel.handle_error()
    elif error.errno in DISCONNECTED:
        getattr(channel, "handle_close_event", channel.handle_close)()  # a dispatcher's tells it once
    elif error.errno != errno.EAGAIN:
        # Else readiness was spurious (select(2), BUGS): nothing to do, and poll will tell again.
        channel.handle_error()


def loop_for(transport: Transport, map: dict[int, Any] | None = None) -> Loop:
    """The loop that runs `map` on `transport`; without a map, the transport's default loop."""
    found = _find(transport, map)
    if found is None:
        with transport.making:  # another thread may look for the same one
            found = _find(transport, map) or Loop(transport, map)
    return found


def _find(transport: Transport, map: dict[int, Any] | None) -> Loop | None:
    loops: list[Loop] = transport.loops
    for loop in loops:
        if loop.is_default if map is None else loop.map is map:
            return loop
    return None


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
        use_poll: poll(2) instead of the poller that the transport was made with.
        map: channels by descriptor; without it, the transport's own.
        count: passes to make; without it, as many as it takes.

    A timer keeps nobody running: without a channel `loop` returns, as asyncore's does.
    """
    transport = current()
    running = loop_for(transport, map)
    running.use("poll" if use_poll else None)
    while running.map and (count is None or count > 0):
        if count is not None:
            count -= 1
        if not transport.drive(running, timeout):
            return
