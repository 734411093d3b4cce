"""The epoll objects of a virtual host: the surface of select.epoll.

Owns arguments, the descriptor and waiting.  What is ready, and in which order, is `kernel.epoll`.
"""

from __future__ import annotations

import errno
import operator
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

from ...transport import IN, OUT, PRI
from ...units import SECOND_NS
from ..kernel.epoll import EpollFile
from .arguments import MILLISECOND_NS, descriptor_of, int_of, milliseconds

if TYPE_CHECKING:
    from ..host import Host
    from ..kernel.descriptors import Descriptors

_EVENTS_MAX = 1023  # FD_SETSIZE - 1, what CPython asks for if it is not told
_DEFAULT = IN | PRI | OUT
CLOEXEC = 0o2000000


class Epoll:
    """An epoll and its descriptor; `_machine` is the host, of which every host's class has its own."""

    __slots__ = ("__weakref__", "_descriptors", "_fd")

    _machine: Host
    _descriptors: Descriptors
    _fd: int

    def __new__(cls, *args: object, **kwargs: object) -> Self:
        made = super().__new__(cls)
        made._fd, made._descriptors = -1, cls._machine.descriptors  # for __del__, should __init__ fail
        return made

    def __init__(self, sizehint: int = -1, flags: int = 0) -> None:
        if int_of(sizehint) <= 0 and sizehint != -1:
            raise ValueError("negative sizehint")
        if int_of(flags) not in (0, CLOEXEC):
            raise OSError("invalid flags")
        self._descriptors.check()
        self._fd = self._descriptors.open(EpollFile(self._machine))

    @classmethod
    def fromfd(cls, fd: int, /) -> Self:
        """An object for a descriptor that the program has already; for -1, one with a new epoll."""
        number = int_of(fd)
        if number == -1:
            return cls()
        made = cls.__new__(cls)
        made._fd = number
        return made

    def __repr__(self) -> str:
        return f"<select.epoll fd={self._fd} {self._machine.name}>"

    def __enter__(self) -> Self:
        self.fileno()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __del__(self) -> None:
        if (
            self._fd >= 0
            and not self._machine.is_ending
            and isinstance(self._descriptors.get(self._fd), EpollFile)
        ):
            self.close()

    @property
    def closed(self) -> bool:
        return self._fd < 0

    def close(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0 and not self._descriptors.is_gone:
            with suppress(OSError):  # CPython does not tell
                self._descriptors.close(fd)

    def fileno(self) -> int:
        if self._fd < 0:
            raise ValueError("I/O operation on closed epoll object")
        return self._fd

    def register(self, fd: Any, eventmask: int = _DEFAULT) -> None:
        number, events = descriptor_of(fd), operator.index(eventmask) & 0xFFFFFFFF
        self._controlled(number).add(number, events)

    def modify(self, fd: Any, eventmask: int) -> None:
        number, events = descriptor_of(fd), operator.index(eventmask) & 0xFFFFFFFF
        self._controlled(number).modify(number, events)

    def unregister(self, fd: Any) -> None:
        number = descriptor_of(fd)
        self._controlled(number).delete(number)

    def poll(self, timeout: float | None = None, maxevents: int = -1) -> list[tuple[int, int]]:
        """Events in the order in which files became ready; `timeout` counts seconds."""
        events_max = int_of(maxevents)
        self.fileno()
        wait_ms = milliseconds(timeout, SECOND_NS)
        if events_max == -1:
            events_max = _EVENTS_MAX
        elif events_max < 1:
            raise ValueError(f"maxevents must be greater than 0, got {events_max}")
        file, host = self._file(), self._machine
        found = file.events(events_max)
        if found:
            host.network.patience.looked_and_found("epoll.poll", host, found)
            host.step("epoll.poll", len(found))
            return found
        if wait_ms == 0:
            host.network.patience.looked_in_vain("epoll.poll")
            return found
        return self._wait(file, events_max, wait_ms)

    def _wait(self, file: EpollFile, events_max: int, wait_ms: int | None) -> list[tuple[int, int]]:
        found: list[tuple[int, int]] = []

        def is_over() -> bool:
            found.extend(file.events(events_max))
            file.is_awaited = not found
            return not file.is_awaited

        host = self._machine
        try:
            deadline_ns = None if wait_ms is None else host.network.now_ns + wait_ms * MILLISECOND_NS
            host.wait("epoll.poll", is_over, deadline_ns, (file,))
        finally:
            file.is_awaited = False
        host.step("epoll.poll", len(found))
        return found

    def _file(self) -> EpollFile:
        """The epoll behind the descriptor, which may have been closed and used anew."""
        file = self._descriptors.of(self._fd)
        if not isinstance(file, EpollFile):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        return file

    def _controlled(self, target: int) -> EpollFile:
        """The same for epoll_ctl(2), which looks its target up before it finds out what it was asked on."""
        self._descriptors.of(self.fileno())
        self._descriptors.of(target)
        return self._file()
