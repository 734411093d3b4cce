"""Calls that are due at a time: a heap of them, by one machine's monotonic clock.

Owns their order and which are called.  Does not own who waits for the earliest: that is a loop.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from functools import partial
from itertools import count
from typing import Any

from .transport import Clock
from .units import duration_ns

_PURGE_AT = 64  # timers, cancelled ones included, before the first look for cancelled ones


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


def name_of(callback: Any) -> str:
    """What a function is called, where it is defined: ``Poller.again``."""
    while isinstance(callback, partial):
        callback = callback.func
    return getattr(callback, "__qualname__", type(callback).__qualname__)


class Timers:
    """The timers of one loop."""

    __slots__ = ("_clock", "_is_closed", "_purge_at", "_sequence", "heap")

    def __init__(self, clock: Clock) -> None:
        self.heap: list[tuple[int, int, Timer]] = []
        self._clock = clock
        self._purge_at = _PURGE_AT
        self._sequence = count().__next__
        self._is_closed = False

    def add(self, delay: str | float, callback: Callable[..., object], args: tuple[Any, ...]) -> Timer:
        """A timer that is due after `delay` (seconds, or text with a unit)."""
        timer = Timer(self._clock.monotonic_ns() + duration_ns(delay), callback, args)
        if len(self.heap) >= self._purge_at:
            self._purge()
        heapq.heappush(self.heap, (timer.deadline_ns, self._sequence(), timer))
        return timer

    def _purge(self) -> None:
        """Drop cancelled timers: idle time-outs that every message renews would pile up."""
        self.heap = [entry for entry in self.heap if not entry[2].is_cancelled]
        heapq.heapify(self.heap)
        self._purge_at = max(2 * len(self.heap), _PURGE_AT)

    def next_deadline_ns(self) -> int | None:
        """When the earliest timer is due, on the machine's monotonic clock; None if there is none."""
        heap = self.heap
        while heap and heap[0][2].is_cancelled:
            heapq.heappop(heap)
        return heap[0][0] if heap else None

    def next_timer(self) -> str | None:
        """What the earliest timer calls, for reports; None if there is none."""
        return None if self.next_deadline_ns() is None else name_of(self.heap[0][2].callback)

    def fire(self) -> bool:
        """Call what is due now; True if anything was.

        What a timer raises is let out, and those that are due after it stay.
        """
        now_ns = self._clock.monotonic_ns()
        due = []
        while (deadline_ns := self.next_deadline_ns()) is not None and deadline_ns <= now_ns:
            due.append(heapq.heappop(self.heap))
        for index, (_, _, timer) in enumerate(due):
            if self._is_closed:
                break  # by a timer before this one: its host has crashed
            try:
                timer.fire()
            except BaseException:
                for entry in due[index + 1 :]:
                    heapq.heappush(self.heap, entry)
                raise
        return bool(due)

    def close(self) -> None:
        """Nothing is called any more."""
        self.heap.clear()
        self._is_closed = True
