"""The transport that is this computer."""

from __future__ import annotations

import os
import socket as std
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

from ..transport import Address, Poller, Turner
from ..undriven import Undriven
from .modules import MODULES
from .pollers import best_kind, make_poller
from .waking import SocketWakeup


class SystemClock:
    """The clocks of the operating system."""

    def monotonic_ns(self) -> int:
        return time.monotonic_ns()

    def time_ns(self) -> int:
        return time.time_ns()


class RealTransport(Undriven):
    """Sockets of this computer.  Loops run when somebody runs them.

    Args:
        poller: which poller its loops use: ``"epoll"``, ``"kqueue"``, ``"poll"`` or ``"select"``; without
            it, the first of these that the system has.  A pass costs what is ready with the first two, what
            is watched with the others; select ends at descriptor 1023.
    """

    ends_on_error = False
    modules = MODULES

    def __init__(self, poller: str | None = None) -> None:
        super().__init__(threading.RLock())
        self.clock = SystemClock()
        self._kind = poller or best_kind()
        _machines.add(self)

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

    def wakeup(self, loop: Turner) -> SocketWakeup:
        return SocketWakeup()


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
