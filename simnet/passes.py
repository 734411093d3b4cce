"""The passes of asyncore's loop over one map, on any machine.

A `Passes` makes passes over one map.  On a machine whose loops somebody runs it does what asyncore does and
no more.  A machine that drives its loops must know when a pass is worth while: there a poller keeps what the
last pass asked for, and the machine turns the loop when that says so.  What is found is still found by the
machine's select or poll.

Owns when a pass is made, over which map, and for how long it may wait.  What is asked and in which order who
is told is the business of `ways`; timers are of channels of the native kind only, that have joined the map.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any

import attrs

from .channels import ChannelMap
from .errors import UsageError
from .timers import Timer, Timers
from .transport import Poller, Transport, current
from .units import SECOND_NS
from .ways import Way

_MILLISECOND_NS = SECOND_NS // 1000

_VISITOR = f"{__name__}.visitor"
"""What makes the passes over maps that are only lent, among what modules keep of a machine."""


@attrs.frozen
class _InHand:
    """What select has found, and nobody was told before the machine was held up.

    `parts` are told one after the other; there were `before` steps before them.
    """

    way: Way
    parts: list[Any]
    before: int
    is_new: bool


class Passes:
    """The passes over one map on one transport: a `Turner` beside the native loops.  See `passes_over`.

    Args:
        way: how the machine finds out who is ready when it turns this by itself.
    """

    label = ""
    is_default = False  # a channel of the native kind that names no map does not come here
    asks = True

    def __init__(self, transport: Transport, way: Way, map: dict[int, Any] | None = None) -> None:
        self.transport = transport
        self.way = way
        self._wake = transport.waker(self)
        self.poller: Poller = transport.poller("select", self._become_ready)
        self._watched: dict[int, int] = {}
        self._is_closed = False
        self._is_away = False
        self._told: ChannelMap | None = None
        self._in_hand: _InHand | None = None
        self._timers = Timers(transport.clock)
        self.next_deadline_ns = self._timers.next_deadline_ns
        self.next_timer = self._timers.next_timer
        self.map: dict[int, Any] = map if map is not None else self._own_map()
        transport.adopt(self)

    def _own_map(self) -> dict[int, Any]:
        if not self.transport.drives_loops:
            return {}
        self._told = ChannelMap(self)
        return self._told

    def add(self, fd: int, channel: Any) -> None:
        """Somebody writes to the map that was made here, or a channel of the native kind joins the map."""
        if self.map is self._told:
            self._told.put(fd, channel)
        else:
            self.map[fd] = channel
        self._wake()

    def remove(self, fd: int) -> None:
        """Somebody takes a channel out of it."""
        if self.map is self._told:
            self._told.drop(fd, None)
        else:
            self.map.pop(fd, None)

    def call_later(self, delay: str | float, callback: Callable[..., object], *args: Any) -> Timer:
        """A timer of a channel of the native kind; asyncore's have none.  See `Loop.call_later`."""
        timer = self._timers.add(delay, callback, args)
        self._wake()
        return timer

    def call_soon_threadsafe(self, *args: Any) -> None:
        """What a channel of the native kind may ask of its loop, and asyncore's has not."""
        raise UsageError("the map that this channel has joined is asyncore's, whose loop no thread can wake")

    def _become_ready(self) -> None:
        if not self._is_away:
            self._wake()

    def touch(self, *of: Any) -> None:
        """Something may have changed in the map, or `of` one channel: everybody is asked again."""
        self._wake()

    def turn(self, timeout: float | None) -> bool:
        """One pass: True if it told anybody of something that had not been told, and left alone, before, or
        called a timer."""
        if not self.transport.drives_loops:
            return self.make(self.way, timeout)
        told = self._tell_news() if self._in_hand is None else self._go_on(self._in_hand)
        if self._in_hand is not None:
            return False  # the machine is held up within this pass
        fired = self._timers.fire()
        if fired and not self._is_closed:
            self._wake()
        return told or fired

    def make(self, way: Way, timeout: float | None) -> bool:
        """One pass on a machine whose loops somebody runs: True if it told anybody, or called a timer."""
        asked = way.ask(self.map)
        ready = way.find(asked, self._until_due(timeout))
        way.tell(self.map.get, ready)
        fired = self._timers.fire()
        return fired or any(ready)

    def _until_due(self, timeout: float | None) -> float | None:
        """How long a pass may wait: no longer than till the next timer.

        A millisecond more, for asyncore's poll counts whole ones, down, and would spin for the rest of one.
        """
        deadline_ns = self.next_deadline_ns()
        if deadline_ns is None:
            return timeout
        left_ns = deadline_ns - self.transport.clock.monotonic_ns()
        left = (left_ns + _MILLISECOND_NS) / SECOND_NS if left_ns > 0 else 0.0
        return left if timeout is None else min(timeout, left)

    def _tell_news(self) -> bool:
        way = self.way
        asked = way.ask(self._own())
        interest = way.interest(asked)
        left_alone = {fd for fd, _ in self.poller.spinning()}  # type: ignore[attr-defined]
        is_news = self._watch(interest)
        if not interest or not (self.poller.poll(0.0) or is_news):
            return False  # select would find nothing
        ready = way.find(asked, 0.0)
        fds = list(way.descriptors(ready))
        is_new = any(fd not in left_alone for fd in fds)
        transport = self.transport
        before, transport.steps = transport.steps, transport.steps + len(fds)
        try:
            if transport.watches_steps:
                self._step_through(_InHand(way, way.apart(ready), before, is_new))
            else:
                way.tell(self._channel_at, ready)
        finally:
            self._news(is_new)
        return is_new

    def _news(self, is_new: bool) -> None:
        """Whoever was told may have changed what anybody answers."""
        if is_new and not self._is_closed:
            self._wake()

    def _step_through(self, ready: _InHand, asked: int = 0) -> None:
        """Tell one after the other, as a machine does that may be held up before each; the first `asked` of
        these steps need not be asked."""
        transport, parts = self.transport, ready.parts
        for place, part in enumerate(parts):
            if self._is_closed:
                return
            if place >= asked:
                left = parts[place:]
                time_ns = transport.choose_hold(ready.before + place + 1, len(left), left)
                if time_ns:
                    self._in_hand = attrs.evolve(ready, parts=left, before=ready.before + place)
                    transport.hold_up(self, time_ns)
                    return
            ready.way.tell(self._channel_at, part)

    def _go_on(self, ready: _InHand) -> bool:
        """Go on with a pass that was held up: nobody is asked, and select finds nothing new.

        What has woken the machine meanwhile is seen in the next one.
        """
        self._in_hand = None
        try:
            self._step_through(ready, asked=1)
        finally:
            self._news(True)
        return ready.is_new

    def _own(self) -> dict[int, Any]:
        """The map without the channels of the map that was lent last: the program makes their passes."""
        visitor = self.transport.kept.get(_VISITOR)
        if visitor is None or visitor.map is self.map:
            return self.map
        lent = {id(channel) for channel in visitor.map.values()}
        return {fd: channel for fd, channel in self.map.items() if id(channel) not in lent}

    def _channel_at(self, fd: int) -> Any:
        return None if self._is_closed else self.map.get(fd)

    def _watch(self, interest: dict[int, int]) -> bool:
        """Tell the poller who wants what; whether select may say something that the poller cannot.

        All are told anew: a number may have been closed and used again since.
        """
        poller, watched = self.poller, self._watched
        is_news = interest != watched
        for fd in watched:
            if fd not in interest:
                poller.forget(fd)
        self._watched = interest
        for fd, events in interest.items():
            try:
                poller.watch(fd, events)
            except OSError as error:
                if error.errno != errno.EBADF:
                    raise
                is_news = True  # select raises, poll has an event for it
        return is_news

    def visit(self, map: dict[int, Any], timeout: float | None) -> bool:
        """Let time pass for one pass over `map`; the machine turns this at no other time."""
        self.map, self._is_away = map, False
        self.transport.adopt(self)
        try:
            return self.transport.drive(self, timeout)
        finally:
            self.leave()

    def leave(self) -> None:
        """Be turned no more until the next visit.  What was ready and left alone is remembered till then."""
        self._is_away, self._in_hand = True, None
        self.transport.dismiss(self)

    def describe(self, fd: int) -> str | None:
        """The class of the channel that has this descriptor."""
        channel = self.map.get(fd)
        return None if channel is None else type(channel).__name__

    def close(self) -> None:
        """Release the poller, drop the timers: nothing is called any more.  Channels stay as they are."""
        self._is_closed, self._in_hand = True, None
        self.poller.close()
        self._timers.close()
        self._watched = {}


def passes_over(map: dict[int, Any], transport: Transport, way: Way) -> Passes:
    """What makes the passes over `map` on `transport`, from now on; a new one goes by `way`."""
    return _find(map, transport) or Passes(transport, way, map)


def _find(map: dict[int, Any], transport: Transport) -> Passes | None:
    visitor = transport.kept.get(_VISITOR)
    for loop in transport.loops:
        if loop.map is map and isinstance(loop, Passes) and loop is not visitor:
            return loop
    return None


def make_pass(map: dict[int, Any], way: Way, timeout: float | None) -> None:
    """One pass over `map` on the current transport, which may wait up to `timeout` seconds (None: for ever).

    A virtual host lets time pass for the whole network: until anybody in the map was told something, or the
    time is over.

    Raises:
        UsageError: on a virtual host, inside a handler.
        Whatever a channel lets out while it is asked, or told.
    """
    transport = current()
    if not transport.drives_loops:
        passes = _find(map, transport)
        if passes is not None:
            passes.make(way, timeout)
        else:
            way.tell(map.get, way.find(way.ask(map), timeout))
    elif not _drive(transport, map, way, timeout) and timeout:
        way.names.time.sleep(timeout)  # nothing is planned, but whoever counts passes counts the time too


def run_until_quiet(map: dict[int, Any], way: Way, timeout: float | None) -> None:
    """Passes over `map` on the current transport, which drives its loops, until the map is empty or nothing
    can happen any more."""
    transport = current()
    while map and _drive(transport, map, way, timeout):
        pass


def _drive(transport: Transport, map: dict[int, Any], way: Way, timeout: float | None) -> bool:
    passes = _find(map, transport)
    if passes is not None:
        passes.way = way
        return transport.drive(passes, timeout)
    # No channel says that it lives in this map: a pass was asked for, and that is all.
    visitor = transport.kept.get(_VISITOR)
    if visitor is None:
        visitor = transport.kept[_VISITOR] = Passes(transport, way, map)
        visitor.leave()
    visitor.way = way
    is_news: bool = visitor.visit(map, timeout)
    return is_news
