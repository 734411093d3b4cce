"""select(2), poll(2) and epoll(7) behind the contract of `Poller`."""

from __future__ import annotations

import errno
import math
import os
import select
from collections.abc import Callable
from contextlib import suppress

from ..errors import UsageError
from ..transport import ERR, HUP, IN, NVAL, OUT, PRI, Poller


class SelectPoller(Poller):
    """select(2): everywhere, up to descriptor 1023; every poll costs what is watched.

    Readable comes back as IN, writable as OUT, exceptional as PRI: select does not tell ERR and HUP.
    """

    def __init__(self) -> None:
        self._events: dict[int, int] = {}

    def watch(self, fd: int, events: int) -> None:
        if events:
            self._events[fd] = events
        else:
            self._events.pop(fd, None)

    def forget(self, fd: int) -> None:
        self._events.pop(fd, None)

    def poll(self, timeout: float | None) -> list[tuple[int, int]]:
        watched = self._events.items()
        readers, writers, others = (
            [fd for fd, events in watched if events & wanted] for wanted in (IN, OUT, PRI)
        )
        try:
            ready = select.select(readers, writers, others, _bounded(timeout))
        except ValueError as error:  # from FD_SETSIZE on
            raise UsageError(
                f"select cannot watch descriptor {max(self._events)}: take the poller 'poll' or 'epoll'"
            ) from error
        masks: dict[int, int] = {}
        for fds, event in zip(ready, (IN, OUT, PRI), strict=True):
            for fd in fds:
                masks[fd] = masks.get(fd, 0) | event
        return list(masks.items())

    def close(self) -> None:
        self._events.clear()


class PollPoller(Poller):
    """poll(2): no limit on descriptors; every poll costs what is watched."""

    def __init__(self) -> None:
        self._poll = select.poll()

    def watch(self, fd: int, events: int) -> None:
        if events:
            self._poll.register(fd, events)
        else:
            self.forget(fd)

    def forget(self, fd: int) -> None:
        with suppress(KeyError):
            self._poll.unregister(fd)

    def poll(self, timeout: float | None) -> list[tuple[int, int]]:
        ready = self._poll.poll(_milliseconds(timeout))
        for fd, events in ready:
            if events & NVAL:
                raise OSError(errno.EBADF, f"{os.strerror(errno.EBADF)}: {fd}")
        return ready

    def close(self) -> None:
        self._poll = select.poll()


class EpollPoller(Poller):
    """epoll(7): a poll costs what is ready."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._watched: dict[int, int] = {}

    def watch(self, fd: int, events: int) -> None:
        if not events:
            self.forget(fd)
        elif fd in self._watched:
            try:
                self._epoll.modify(fd, events)
            except FileNotFoundError:  # the number was closed and used again
                self._epoll.register(fd, events)
        else:
            self._epoll.register(fd, events)
        if events:
            self._watched[fd] = events

    def forget(self, fd: int) -> None:
        if self._watched.pop(fd, None) is not None:
            try:
                self._epoll.unregister(fd)
            except OSError as error:
                if error.errno not in (errno.EBADF, errno.ENOENT):  # closed before: gone by itself
                    raise

    def poll(self, timeout: float | None) -> list[tuple[int, int]]:
        return self._epoll.poll(_bounded(timeout), max(len(self._watched), 1))

    def close(self) -> None:
        self._watched.clear()
        self._epoll.close()


def make_poller(kind: str) -> Poller:
    """A poller by its name; UsageError if this system has none of that name."""
    if kind not in _KINDS:
        raise UsageError(f"no poller is called {kind!r}; there are {', '.join(_KINDS)}")
    return _KINDS[kind]()


def _bounded(timeout: float | None) -> float | None:
    # The kernel counts milliseconds in an int; a wait that ends early is one that found nothing.
    return None if timeout is None else min(timeout, 1_000_000.0)


def _milliseconds(timeout: float | None) -> float | None:
    # Rounded up, or a timer that is due in half a millisecond would be awaited by spinning.
    return None if timeout is None else math.ceil(min(timeout, 1_000_000.0) * 1000)


_KINDS: dict[str, Callable[[], Poller]] = {"select": SelectPoller}
if hasattr(select, "poll"):
    _KINDS["poll"] = PollPoller
if hasattr(select, "epoll"):
    _KINDS["epoll"] = EpollPoller

assert (IN, PRI, OUT, ERR, HUP) == (1, 2, 4, 8, 16)
