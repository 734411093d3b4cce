"""The select module of a virtual host.

Readiness is one function of a file, its poll mask; what select() and poll() say of it follows from that
(select(2), poll(2); fs/select.c).  Whatever has to wait lets time pass on the network.

Owns the functions, and the objects that poll() makes.  Those of epoll are `modules.epoll`.
"""

from __future__ import annotations

import errno
import os
import select as std
from collections.abc import Callable, Iterable, Iterator
from types import ModuleType
from typing import TYPE_CHECKING, Any, Self

from ...transport import ERR, HUP, IN, NVAL, OUT, PRI, RDHUP
from ...units import SECOND_NS
from ..kernel.epoll import EDGE, EXCLUSIVE, ONESHOT
from ..kernel.file import RDBAND, RDNORM, WRBAND, WRNORM
from ..kernel.pipe import PIPE_BUF
from ..socket.arguments import duration_ns
from .arguments import MILLISECOND_NS, descriptor_of, milliseconds, unsigned_short_of
from .binding import module_like, names_of
from .epoll import CLOEXEC, Epoll

if TYPE_CHECKING:
    from ..host import Host

FD_SETSIZE = 1024
_MICROSECOND_NS = 1000

READABLE, WRITABLE, EXCEPTIONAL = IN | HUP | ERR | NVAL, OUT | ERR | NVAL, PRI | NVAL
"""Which events make a descriptor a member of the three sets (POLLIN_SET and its like in fs/select.c)."""

_EVENTS = {
    **{"IN": IN, "PRI": PRI, "OUT": OUT, "ERR": ERR, "HUP": HUP, "RDHUP": RDHUP, "MSG": 0x400},
    **{"RDNORM": RDNORM, "RDBAND": RDBAND, "WRNORM": WRNORM, "WRBAND": WRBAND},
}
_CONSTANTS = {
    **{f"{call}{name}": number for call in ("POLL", "EPOLL") for name, number in _EVENTS.items()},
    **{"POLLNVAL": NVAL, "PIPE_BUF": PIPE_BUF},
    **{"EPOLLET": EDGE, "EPOLLONESHOT": ONESHOT, "EPOLLEXCLUSIVE": EXCLUSIVE, "EPOLL_CLOEXEC": CLOEXEC},
}
"""As Linux numbers them, also where this computer runs another system."""

_CARRIED = {**names_of(std, ["error"]), **_CONSTANTS}


class Poll:
    """A set of descriptors to poll: what select.poll() returns."""

    __slots__ = ("_events", "_host", "_is_polling")

    _host: Host
    _events: dict[int, int]
    _is_polling: bool

    def __new__(cls) -> Self:
        raise TypeError("cannot create 'select.poll' instances")

    @classmethod
    def on(cls, host: Host) -> Self:
        """A new one; programs get it from poll()."""
        made = object.__new__(cls)
        made._host, made._events, made._is_polling = host, {}, False
        return made

    def __repr__(self) -> str:
        return f"<select.poll {self._host.name}>"

    def register(self, fd: Any, eventmask: int = IN | PRI | OUT, /) -> None:
        number = descriptor_of(fd)
        self._events[number] = unsigned_short_of(eventmask)

    def modify(self, fd: Any, eventmask: int, /) -> None:
        number, events = descriptor_of(fd), unsigned_short_of(eventmask)
        if number not in self._events:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        self._events[number] = events

    def unregister(self, fd: Any, /) -> None:
        del self._events[descriptor_of(fd)]

    def poll(self, timeout: float | None = None, /) -> list[tuple[int, int]]:
        """Events in the order of registration; `timeout` counts milliseconds."""
        wait_ms = milliseconds(timeout, MILLISECOND_NS, away_from_zero=True)
        if self._is_polling:
            raise RuntimeError("concurrent poll() invocation")
        asked = list(self._events.items())
        ready = self._ready(asked)
        if not ready and wait_ms != 0:
            self._is_polling = True
            try:
                is_woken = self._wait(asked, wait_ms)
            finally:
                self._is_polling = False
            ready = [(fd, mask) for fd, mask in self._ready(asked) if is_woken or mask == NVAL]
        elif not ready:
            self._host.network.patience.looked_in_vain("poll")
        else:
            self._host.network.patience.looked_and_found("poll", self._host, ready)
        self._host.step("poll", len(ready))
        return ready

    def _ready(self, asked: list[tuple[int, int]]) -> list[tuple[int, int]]:
        return [(fd, mask) for fd, events in asked if (mask := self._mask(fd, events))]

    def _wait(self, asked: list[tuple[int, int]], wait_ms: int | None) -> bool:
        def is_woken() -> bool:
            return any(self._mask(fd, events) & ~NVAL for fd, events in asked)

        wait_ns = None if wait_ms is None else wait_ms * MILLISECOND_NS
        return wait(self._host, "poll", is_woken, wait_ns, [fd for fd, _ in asked])

    def _mask(self, fd: int, events: int) -> int:
        file = self._host.descriptors.get(fd)
        return NVAL if file is None else file.ready_for(events | ERR | HUP)


Poll.__module__, Poll.__name__ = "select", "poll"


def wait(
    host: Host, call: str, is_woken: Callable[[], bool], wait_ns: int | None, fds: Iterable[int]
) -> bool:
    """Let time pass until something is ready or `wait_ns` is over; whether something is.

    Nobody is woken by a descriptor that was closed meanwhile; it is found at the end (NOTES in select(2)).
    """
    files = dict.fromkeys(file for fd in fds if (file := host.descriptors.get(fd)) is not None)
    return host.wait(call, is_woken, None if wait_ns is None else host.network.now_ns + wait_ns, files)


def _members(source: Any, base: int) -> Iterator[tuple[Any, int]]:
    """Whom a program asks about: objects and their descriptors.

    A list may change while its members are asked for their numbers.
    """
    try:
        items = source if isinstance(source, list) else tuple(source)
    except TypeError:
        raise TypeError("arguments 1-3 must be sequences") from None
    index = 0
    while index < len(items):
        item = items[index]
        fd = descriptor_of(item)
        if fd - base >= FD_SETSIZE:
            raise ValueError("filedescriptor out of range in select()")
        if index >= FD_SETSIZE:
            raise ValueError("too many file descriptors in select()")
        yield item, fd
        index += 1


def _microseconds(timeout: Any) -> int | None:
    """What select(2) is told, in nanoseconds: whole microseconds, rounded up."""
    if timeout is None:
        return None
    try:
        wait_ns = duration_ns(timeout, SECOND_NS)
    except TypeError:
        raise TypeError("timeout must be a float or None") from None
    if wait_ns < 0:
        raise ValueError("timeout must be non-negative")
    return -(-wait_ns // _MICROSECOND_NS) * _MICROSECOND_NS


def module_for(host: Host) -> ModuleType:
    """The select module of `host`."""

    def select(
        rlist: Any, wlist: Any, xlist: Any, timeout: float | None = None, /
    ) -> tuple[list[Any], list[Any], list[Any]]:
        wait_ns = _microseconds(timeout)
        asked = [
            (list(_members(members, host.descriptors.base)), events)
            for members, events in ((rlist, READABLE), (wlist, WRITABLE), (xlist, EXCEPTIONAL))
        ]
        for members, _ in asked:
            for _, fd in members:
                host.descriptors.of(fd)

        def mask(fd: int) -> int:
            file = host.descriptors.get(fd)
            return NVAL if file is None else file.poll_mask()

        def ready(which: int = -1) -> list[list[tuple[Any, int]]]:
            return [
                [member for member in members if mask(member[1]) & events & which]
                for members, events in asked
            ]

        def is_woken() -> bool:
            return any(mask(fd) & events & ~NVAL for members, events in asked for _, fd in members)

        found = ready()
        if any(found):
            wanted = [events for _, events in asked]
            events = [(fd, each) for each, some in zip(wanted, found, strict=True) for _, fd in some]
            host.network.patience.looked_and_found("select", host, events)
        elif wait_ns == 0:
            host.network.patience.looked_in_vain("select")
            found = ready()
        else:
            fds = [fd for members, _ in asked for _, fd in members]
            found = ready() if wait(host, "select", is_woken, wait_ns, fds) else ready(NVAL)
        readable, writable, exceptional = ([item for item, _ in members] for members in found)
        host.step("select", len(readable) + len(writable) + len(exceptional))
        return readable, writable, exceptional

    def poll() -> Poll:
        return Poll.on(host)

    epoll = type("epoll", (Epoll,), {"__slots__": (), "__module__": "select", "_machine": host})
    return module_like(std, _CARRIED, {"select": select, "poll": poll, "epoll": epoll})
