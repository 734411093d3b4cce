"""The transport that is this computer."""

from __future__ import annotations

import os
import socket as std
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

from ..transport import Address, Poller, Transport, Turner, current, enter_context, leave_context
from .modules import MODULES
from .pollers import best_kind, make_poller
from .waking import SocketWakeup


class SystemClock:
    """The clocks of the operating system."""

    def monotonic_ns(self) -> int:
        return time.monotonic_ns()

    def time_ns(self) -> int:
        return time.time_ns()


class RealTransport(Transport):
    """Sockets of this computer.  Loops run when somebody runs them.

    Args:
        poller: which poller its loops use: ``"epoll"``, ``"kqueue"``, ``"poll"`` or ``"select"``; without
            it, the first of these that the system has.  A pass costs what is ready with the first two, what
            is watched with the others; select ends at descriptor 1023.
    """

    drives_loops = False
    ends_on_error = False
    modules = MODULES

    def __init__(self, poller: str | None = None) -> None:
        self.clock = SystemClock()
        self._kind = poller or best_kind()
        self._default_loop: Turner | None = None
        self.kept: dict[str, Any] = {}
        self._loops: list[weakref.ref[Turner]] = []
        self.making = threading.RLock()
        _machines.add(self)

    @property
    def loops(self) -> list[Any]:
        """Its own loop, and those of the maps that programs still hold, in the order of their making.

        A map of one's own is no leak: it goes with its last channel, and takes the sockets along.
        """
        return [loop for reference in self._loops if (loop := reference()) is not None]

    @loops.setter
    def loops(self, loops: list[Any]) -> None:
        self._loops = [weakref.ref(loop) for loop in loops]

    def __repr__(self) -> str:
        return f"RealTransport(poller={self._kind!r})"

    def socket(self, family: int = std.AF_INET, type: int = std.SOCK_STREAM, proto: int = 0) -> std.socket:
        return std.socket(family, type, proto)

    def poller(
        self,
        kind: str | None = None,
        wake: Callable[[], None] | None = None,
        hand: Callable[[int, int], bool] | None = None,
    ) -> Poller:
        return make_poller(kind or self._kind)

    def getaddrinfo(
        self, host: Any, port: Any, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0
    ) -> list[tuple[Any, Any, int, str, Address]]:
        return std.getaddrinfo(host, port, family, type, proto, flags)

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

    def wakeup(self, loop: Turner) -> SocketWakeup:
        return SocketWakeup()

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
        for loop in self.loops:
            loop.close()
        self.loops = []
        self._default_loop = None
        self.kept = {}


_machines: weakref.WeakSet[RealTransport] = weakref.WeakSet()


def _part_from_parent() -> None:
    """In the child of fork(2): no byte of its own may wake the parent.

    A lock that another thread held would stay held here, where there is no such thread.
    """
    for machine in list(_machines):
        machine.making = threading.RLock()
        for loop in machine.loops:
            part = getattr(loop, "part", None)
            if part is not None:
                part()


if hasattr(os, "register_at_fork"):  # after the pollers, which are renewed by then
    os.register_at_fork(after_in_child=_part_from_parent)


def _nothing() -> None:
    """A loop that somebody runs looks for itself in its next pass."""
