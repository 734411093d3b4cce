"""A pass of asyncore's loop: ask every channel, find who is ready, tell them.

The native `Loop` keeps what channels are interested in, and goes channel by channel.  asyncore asks anew in
every pass, and its order is another one: with select all readers, then all writers, then whoever has
something exceptional; with poll by descriptor.  Programs have come to rely on both.

Owns the order of asking and telling.  Does not own channels, nor what becomes of their exceptions: `names`
is the module that has these functions, and is looked up in at every call, for programs replace what it has.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from .transport import IN, OUT, PRI

ChannelAt: TypeAlias = Callable[[int], Any]
"""Who has a descriptor now, or None: an earlier handler may have closed the channel."""


class Way(ABC):
    """One of the two ways to find out who is ready.

    Args:
        names: a module with `select`, `time`, `read`, `write`, `_exception` and `readwrite`.
    """

    def __init__(self, names: Any) -> None:
        self.names = names

    @abstractmethod
    def ask(self, map: dict[int, Any]) -> Any:
        """Ask every channel what it wants."""

    @abstractmethod
    def interest(self, asked: Any) -> dict[int, int]:
        """What `asked` means to a poller: events by descriptor."""

    @abstractmethod
    def find(self, asked: Any, timeout: float | None) -> Any:
        """Wait up to `timeout` seconds (None: for ever) for anything that was asked for."""

    @abstractmethod
    def descriptors(self, ready: Any) -> Iterable[int]:
        """Which descriptors `ready` is about."""

    @abstractmethod
    def tell(self, channel_at: ChannelAt, ready: Any) -> None:
        """Call the handlers of who is ready."""

    @abstractmethod
    def apart(self, ready: Any) -> list[Any]:
        """`ready` in parts that can be told one after the other: one for each of `descriptors`."""


class BySelect(Way):
    """select(2): all readers are told, then all writers, then who has something exceptional."""

    def ask(self, map: dict[int, Any]) -> tuple[list[int], list[int], list[int]]:
        readers, writers, others = [], [], []
        for fd, channel in list(map.items()):
            reads, writes, hears = channel.readable(), channel.writable(), ~_deaf_to(channel)
            if reads and hears & IN:
                readers.append(fd)
            if writes and hears & OUT and not channel.accepting:  # a listener is never writable
                writers.append(fd)
            if (reads or writes) and hears & PRI:
                others.append(fd)
        return readers, writers, others

    def interest(self, asked: tuple[list[int], list[int], list[int]]) -> dict[int, int]:
        events: dict[int, int] = {}
        for fds, event in zip(asked, (IN, OUT, PRI), strict=True):
            for fd in map(_number, fds):
                events[fd] = events.get(fd, 0) | event
        return events

    def find(
        self, asked: tuple[list[int], list[int], list[int]], timeout: float | None
    ) -> tuple[list[int], list[int], list[int]]:
        if not any(asked):  # not every system's select takes three empty lists
            self.names.time.sleep(timeout)
            return asked
        ready: tuple[list[int], list[int], list[int]] = self.names.select.select(*asked, timeout)
        return ready

    def descriptors(self, ready: tuple[list[int], list[int], list[int]]) -> Iterable[int]:
        return [_number(fd) for fds in ready for fd in fds]

    def tell(self, channel_at: ChannelAt, ready: tuple[list[int], list[int], list[int]]) -> None:
        names = self.names
        for fds, call in zip(ready, ("read", "write", "_exception"), strict=True):
            for fd in fds:
                channel = channel_at(fd)
                if channel is not None:
                    getattr(names, call)(channel)

    def apart(
        self, ready: tuple[list[int], list[int], list[int]]
    ) -> list[tuple[list[int], list[int], list[int]]]:
        readers, writers, others = ready
        return [
            *(([fd], [], []) for fd in readers),
            *(([], [fd], []) for fd in writers),
            *(([], [], [fd]) for fd in others),
        ]


class ByPoll(Way):
    """poll(2): one descriptor after the other is told all that there is of it."""

    def ask(self, map: dict[int, Any]) -> tuple[Any, dict[int, int]]:
        select = self.names.select
        pollster, asked = select.poll(), {}
        for fd, channel in list(map.items()):
            flags = select.POLLIN | select.POLLPRI if channel.readable() else 0
            if channel.writable() and not channel.accepting:
                flags |= select.POLLOUT
            flags &= ~_deaf_to(channel)
            if flags:
                pollster.register(fd, flags)
                asked[fd] = flags
        return pollster, asked

    def interest(self, asked: tuple[Any, dict[int, int]]) -> dict[int, int]:
        return {_number(fd): events for fd, events in asked[1].items()}

    def find(self, asked: tuple[Any, dict[int, int]], timeout: float | None) -> list[tuple[int, int]]:
        pollster, _ = asked
        ready: list[tuple[int, int]] = pollster.poll(None if timeout is None else int(timeout * 1000))
        return ready

    def descriptors(self, ready: list[tuple[int, int]]) -> Iterable[int]:
        return [fd for fd, _ in ready]

    def tell(self, channel_at: ChannelAt, ready: list[tuple[int, int]]) -> None:
        for fd, flags in ready:
            channel = channel_at(fd)
            if channel is not None:
                self.names.readwrite(channel, flags)

    def apart(self, ready: list[tuple[int, int]]) -> list[list[tuple[int, int]]]:
        return [[event] for event in ready]


def _deaf_to(channel: Any) -> int:
    """The events that a channel of the native kind does not want to be told of; others want all."""
    return channel.deaf_to if hasattr(type(channel), "deaf_to") else 0


def _number(key: Any) -> int:
    """The descriptor that a key of a map means: select(2) of Python takes a socket as well as its number."""
    number: int = key if isinstance(key, int) else key.fileno()
    return number
