"""epoll(7) behind the contract of `Poller`.

epoll watches open files, not descriptors.  A descriptor that is closed leaves by itself, but only if no
other descriptor (dup(2), a child process) has the same file open.  Else the file stays, goes on being
reported under a number that is closed or has another file by now, and nobody can take it out any more
(epoll(7), "Questions and answers", 6).  Such a ghost would keep a level-triggered loop busy for ever.

Whoever forgets a descriptor before it is closed, as dispatchers do, leaves none.  Where it was closed
first, which shows when it is taken out, its number is suspect: what is reported under it is compared with
what poll(2) says of it, and if that is something else, the whole set is made anew.
"""

from __future__ import annotations

import errno
import select

from ...transport import IN, OUT, Poller
from .forked import in_children
from .waiting import bounded

_READY_MAX = 1024  # reported by one poll; the kernel lets those behind them go first in the next
_SUSPECTS_MAX = 64  # beyond the number of what is watched: then a new set costs less than the questions


class EpollPoller(Poller):
    """epoll(7): no limit on descriptors; a poll costs what is ready.

    What epoll refuses (EPERM), regular files and directories, is always ready, as poll(2) has it.
    A process that was forked gets a set of its own, so that it cannot change its parent's.
    """

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._watched: dict[int, int] = {}
        self._always: dict[int, int] = {}  # of the watched: those that epoll refuses
        self._suspects: set[int] = set()
        in_children.add(self)

    def watch(self, fd: int, events: int) -> None:
        if not events:
            self.forget(fd)
            return
        if fd not in self._watched or fd in self._always:
            self._register(fd, events)
        else:
            try:
                self._epoll.modify(fd, events)
            except FileNotFoundError:  # the number was closed and used again
                self._suspects.add(fd)
                self._register(fd, events)
        self._watched[fd] = events

    def _register(self, fd: int, events: int) -> None:
        self._always.pop(fd, None)
        try:
            self._epoll.register(fd, events)
        except FileExistsError:  # forgotten while closed, and now this number has the same file again
            self._epoll.modify(fd, events)
        except PermissionError:
            self._always[fd] = events & (IN | OUT)

    def forget(self, fd: int) -> None:
        if self._watched.pop(fd, None) is None or self._always.pop(fd, None) is not None:
            return
        try:
            self._epoll.unregister(fd)
        except OSError as error:
            if error.errno not in (errno.EBADF, errno.ENOENT):
                raise
            self._suspects.add(fd)  # closed before: gone by itself, or a ghost
            if len(self._suspects) > len(self._watched) + _SUSPECTS_MAX:
                self.renew()

    def poll(self, timeout: float | None) -> list[tuple[int, int]]:
        if self._always:
            timeout = 0
        ready = self._epoll.poll(bounded(timeout), _READY_MAX)
        if self._suspects:
            ready = self._without_ghosts(ready)
        if self._always:
            ready += self._always.items()
        return ready

    def _without_ghosts(self, ready: list[tuple[int, int]]) -> list[tuple[int, int]]:
        suspects = [pair for pair in ready if pair[0] in self._suspects]
        if not any(self._is_ghost(fd, events) for fd, events in suspects):
            return ready
        self.renew()
        return [pair for pair in ready if pair not in suspects]  # those that are none come again

    def _is_ghost(self, fd: int, events: int) -> bool:
        """Whether these events are not those of the file that has this descriptor now."""
        if fd not in self._watched:
            return True
        asked = select.poll()
        asked.register(fd, self._watched[fd])
        return bool(events & ~dict(asked.poll(0)).get(fd, 0))

    def renew(self) -> None:
        """A new set, with those that are watched and open."""
        self._epoll.close()
        self._epoll = select.epoll()
        self._suspects.clear()
        for fd, events in self._watched.items():
            try:
                self._register(fd, events)
            except OSError as error:
                if error.errno != errno.EBADF:
                    raise

    def close(self) -> None:
        in_children.discard(self)
        self._watched.clear()
        self._always.clear()
        self._suspects.clear()
        self._epoll.close()
