"""Calls that a loop was asked for from outside: by other threads, by handlers of signals.

A caller appends to a queue and then ends the loop's wait; a loop looks at the queue before it waits.  So
nothing is missed, and nobody ever holds a lock: a signal's handler may come between any two steps.

Owns the queue.  How the wait of a loop ends is the business of its transport's `Wakeup`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from .errors import UsageError
from .transport import Wakeup


class Calls:
    """What one loop was asked to call."""

    __slots__ = ("_is_closed", "_wakeup", "queue")

    def __init__(self, wakeup: Wakeup) -> None:
        self.queue: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()
        self._wakeup = wakeup
        self._is_closed = False

    def add(self, callback: Callable[..., object], args: tuple[Any, ...]) -> None:
        """Ask for ``callback(*args)``, and end the loop's wait.

        Raises:
            UsageError: the loop was closed.
            NotImplementedError: the thread is not simulated; see `Wakeup.check`.
        """
        if self._is_closed:
            raise UsageError(f"the loop is closed: nobody will call {callback!r}")
        self._wakeup.check()
        self.queue.append((callback, args))
        self._wakeup.set()

    def make(self) -> bool:
        """Make the calls that were asked for before; True if there was any.

        What one raises is let out, and those after it stay.  What they ask for waits for the next pass, or
        calls that renew themselves would keep everybody else waiting.
        """
        queue = self.queue
        asked = len(queue)
        try:
            for _ in range(asked):
                if not queue:  # closed by the one before: its host has crashed
                    break
                callback, args = queue.popleft()
                callback(*args)
        finally:
            if queue:
                self._wakeup.set()
        return asked > 0

    def close(self) -> None:
        """Nothing is called any more."""
        self._is_closed = True
        self.queue.clear()
        self._wakeup.close()
