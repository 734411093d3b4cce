"""What descriptors refer to: an open file description (open(2)), of whatever kind.

Several descriptors, and messages on their way, may refer to one `File`; with the last of them it is closed.
Whoever wants to know of its readiness is among its `watchers`, and is told when it may have changed.

Owns the life of a file and its watchers.  What can be read or written is the business of each kind.
"""

from __future__ import annotations

import errno
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Protocol

from ...transport import ERR, IN, OUT, PRI

if TYPE_CHECKING:
    from ..host import Host
    from ..network import Network


RDNORM, RDBAND, WRNORM, WRBAND = 0x40, 0x80, 0x100, 0x200
"""What STREAMS called the events; poll(2) reports these beside the others to who asks."""

BANDS = RDNORM | RDBAND | WRNORM | WRBAND

DATA, SPACE, ERROR = IN | PRI | RDNORM | RDBAND, OUT | WRNORM | WRBAND, ERR
"""With which events files wake their watchers (sk_data_ready, sk_write_space, sk_error_report)."""


_TRIES_AT_ONCE = 100

FIONREAD, SIOCOUTQ, SIOCATMARK = 0x541B, 0x5411, 0x8905
"""Requests of ioctl(2) that ask a file for a number."""


class Watcher(Protocol):
    """Who is told that the readiness of a file may have changed: a poller's registration, an epoll's item."""

    events: int
    """The poll mask that is of interest."""

    queued: bool
    """Whether it knows already, and need not be told again."""

    def wake(self, key: int = 0) -> bool | None:
        """The file's readiness may have changed; `key` says which events it has now, if the file knows.

        True if no other watcher need be told.
        """

    def readable(self) -> bool | None:
        """Data has come."""

    def gone(self) -> None:
        """The file is closed."""


class File(ABC):
    """An open file description on a host."""

    __slots__ = ("__weakref__", "_inode", "host", "is_nonblocking", "net", "references", "watchers")

    label = ""
    """How a report calls it; a connection has a name of its own."""

    ordinary = False
    """Whether readiness follows from a connection's queue alone: the fast path of a poller."""

    linger_seconds: int | None = None
    """How long close(2) waits, if at all (SO_LINGER in socket(7))."""

    access = os.O_RDWR
    """How it is open: the access mode that F_GETFL in fcntl(2) tells."""

    file_type = 0o600
    """The st_mode of stat(2)."""

    has_write_band = False
    """Whether POLLWRBAND comes with POLLOUT: for datagrams and AF_UNIX."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.net: Network = host.network
        self._inode = 0
        self.references = 0  # descriptors, and messages that carry one (unix(7), SCM_RIGHTS)
        self.is_nonblocking = False  # O_NONBLOCK: shared by all descriptors (fcntl(2))
        self.watchers: tuple[Watcher, ...] = ()

    @abstractmethod
    def poll_mask(self) -> int:
        """What poll(2) would say, with every event asked for."""

    def ready_for(self, events: int) -> int:
        """Which of `events` there are."""
        mask = self.poll_mask()
        if events & BANDS:
            if mask & IN:
                mask |= RDNORM
            if mask & OUT:
                mask |= WRNORM | WRBAND if self.has_write_band else WRNORM
        return mask & events

    def try_while_ready(self, events: int, attempt: Callable[[], bool]) -> bool:
        """Make an attempt while it has any of `events`, until one is answered; whether one was.

        A network may choose EAGAIN for a file that is ready.  Who waits does not see that: the kernel looks
        anew, at once, for no event may be left to come.
        """
        for _ in range(_TRIES_AT_ONCE):
            if not self.poll_mask() & events:
                return False
            if attempt():
                return True
        return False

    @abstractmethod
    def close(self) -> None:
        """The last reference is gone."""

    @abstractmethod
    def vanish(self) -> None:
        """The host crashed: the file is gone, and nobody is told."""

    @property
    def lingers(self) -> bool:
        """Whether a close that waits has something to wait for."""
        return False

    @property
    def is_over(self) -> bool:
        """Whether it is one end of something of which the other end is gone, so that nothing can come."""
        return False

    @property
    def is_blocked(self) -> bool:
        """Whether a program was told to wait for room to write."""
        return False

    def without_descriptors(self) -> Iterable[File]:
        """Files that only this one leads to: connections that wait to be accepted."""
        return ()

    def queues(self) -> tuple[int, int]:
        """recv-q and send-q as netstat(8) shows them."""
        return self.readable_bytes(), 0

    def names(self) -> tuple[str, str]:
        """The local and the remote address as netstat(8) shows them."""
        return "", ""

    @property
    def touched(self) -> int:
        """How often a program has done anything with this file: a number that grows."""
        return 0

    @property
    def state_name(self) -> str:
        """The state as netstat(8) would name it."""
        return type(self).__name__

    def readable_bytes(self) -> int:
        """How many bytes could be read at once (FIONREAD in tcp(7))."""
        return 0

    @property
    def inode(self) -> int:
        """The st_ino of stat(2): on one host, no two files have the same."""
        if not self._inode:
            self._inode = next(self.host.inodes)
        return self._inode

    def read(self, size: int) -> bytes:
        """read(2), without waiting."""
        raise self._unfit(self.access != os.O_WRONLY)

    def write(self, data: memoryview) -> int:
        """write(2), without waiting."""
        raise self._unfit(self.access != os.O_RDONLY)

    def _unfit(self, is_open_for_this: bool) -> OSError:
        reason = errno.EINVAL if is_open_for_this else errno.EBADF
        return OSError(reason, os.strerror(reason))

    def ioctl(self, request: int) -> int:
        """The number that a request of ioctl(2) asks for."""
        raise OSError(errno.ENOTTY, os.strerror(errno.ENOTTY))

    def hold(self) -> None:
        """One more descriptor or message refers to this file."""
        self.references += 1

    def drop(self) -> None:
        """A descriptor or message that refers to this file is gone."""
        self.references -= 1
        if not self.references:
            for watcher in self.watchers:
                watcher.gone()
            self.close()

    def wake(self, key: int = 0) -> None:
        """Readiness may have changed: `key` says which events there are now, 0 that it may be any.

        Only who asks to be told once of each event can tell (EPOLLET in epoll(7)).
        """
        for watcher in self.watchers:
            if not watcher.queued and watcher.wake(key):
                break

    def note(self, kind: int, n: int, data: Any = None) -> None:  # noqa: B027  (most have no place in the trace)
        """Leave an event in the trace."""
