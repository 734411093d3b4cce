"""Timers of asyncio that are due at one moment: they fire in the order in which they were set.

A loop keeps its timers in a heap, by time, and a heap is not stable.  On a real machine nobody notices: no
two readings of the clock are equal, so of two tasks that sleep a second, one after the other, the first wakes
up first.  Here time stands still while a program runs, and ten that begin to sleep at one moment would wake
up in an order that no machine has.  So in a process the time of a timer says as well which one it is.

Times that are equal to the nanosecond are equal: sums of floats differ in their last bits.

Owns `BaseEventLoop.call_at`.
"""

from __future__ import annotations

from asyncio import BaseEventLoop
from collections.abc import Callable
from typing import Any

from ..process import running

_SAME_SECONDS = 0.5e-9

_call_at: Any = BaseEventLoop.call_at


class Due(float):
    """When a timer is due, in seconds; before another of the same moment that is set later."""

    __slots__ = ("nth",)

    nth: int

    def __lt__(self, other: float) -> bool:
        if other.__class__ is Due and -_SAME_SECONDS < self - other < _SAME_SECONDS:
            return self.nth < other.nth
        return float.__lt__(self, other)


def _call_in_order(self: Any, when: Any, *args: Any, **kwargs: Any) -> Any:
    process = running()
    if process is not None and isinstance(when, (int, float)):
        when = Due(when)
        when.nth = next(process.leader.timers)
    timer = _call_at(self, when, *args, **kwargs)
    if timer._source_traceback:  # in debug mode: who has set it, and that is not the line above
        del timer._source_traceback[-1]
    return timer


def change() -> Callable[[], None]:
    """Let loops of processes keep timers in order; returns what undoes it."""
    cls: Any = BaseEventLoop
    cls.call_at = _call_in_order

    def undo() -> None:
        cls.call_at = _call_at

    return undo
