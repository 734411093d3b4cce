"""A machine that lets its loops wait until somebody runs them: this computer, or the host of a process.

A program calls `loop`, and one pass after the other is made in that call, which waits in the machine's
poller.  A virtual host turns the loops that run on it by itself, and is none of these.

Owns which loops there are on such a machine.  What it makes of sockets and of waiting is its own.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from .transport import Transport, Turner, current, enter_context, leave_context


class Undriven(Transport):
    """That part of a transport.

    Args:
        making: held while a loop is looked for and made.
    """

    drives_loops = False

    def __init__(self, making: AbstractContextManager[object]) -> None:
        self.making = making
        self.kept: dict[str, Any] = {}
        self._default_loop: Turner | None = None
        self._loops: list[weakref.ref[Turner]] = []

    @property
    def loops(self) -> list[Any]:
        """Its own loop, and those of the maps that programs still hold, in the order of their making.

        A map of one's own is no leak: it goes with its last channel, and takes the sockets along.
        """
        return [loop for reference in self._loops if (loop := reference()) is not None]

    @loops.setter
    def loops(self, loops: list[Any]) -> None:
        self._loops = [weakref.ref(loop) for loop in loops]

    def adopt(self, loop: Turner) -> None:
        if loop.is_default:
            self._default_loop = loop
        with self.making:
            self.loops = [*self.loops, loop]

    def dismiss(self, loop: Turner) -> None:
        if loop is self._default_loop:
            self._default_loop = None
        with self.making:
            self.loops = [other for other in self.loops if other is not loop]

    def waker(self, loop: Turner) -> Callable[[], None]:
        return _nothing

    def drive(self, loop: Turner, timeout: float | None) -> bool:
        if current() is self:
            loop.turn(timeout)
            return True
        token = enter_context(self)  # handlers make their channels on the machine that they run on
        try:
            loop.turn(timeout)
        finally:
            leave_context(token)
        return True

    def close(self) -> None:
        """Close all loops: nothing is called any more.  Sockets stay open."""
        if self._loops:
            for loop in self.loops:
                loop.close()
            self.loops = []
        self._default_loop = None
        self.kept = {}


def _nothing() -> None:
    """A loop that somebody runs looks for itself in its next pass."""
