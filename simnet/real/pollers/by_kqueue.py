"""kqueue(2) of the BSDs and macOS behind the contract of `Poller`."""

from __future__ import annotations

import errno
import select
from typing import Any

from ...transport import ERR, HUP, IN, OUT, Poller
from .forked import in_children
from .waiting import bounded

_READY_MAX = 1024  # reported by one poll


class KqueuePoller(Poller):
    """kqueue(2): no limit on descriptors; a poll costs what is ready.

    Written against the manual pages of FreeBSD and macOS, and tested only against a stand-in that behaves
    as they say: no such machine was at hand.

    EVFILT_READ is IN and EVFILT_WRITE is OUT.  The end of what the peer sends (EV_EOF of the read filter)
    is IN, as select shows it: data first, then the end.  That nobody reads any more (EV_EOF of the write
    filter) is OUT and HUP, and an error that waits is ERR besides.  PRI is never reported: Python's
    `select` has no EVFILT_EXCEPT, and not all of these systems have.

    Filters belong to descriptors and leave with them, so a number that was closed and used again has none.
    A child process does not inherit a kqueue; it gets one of its own.

    Args:
        kernel: where kqueue, kevent and their constants are: the module `select`, or what stands in for it.
    """

    def __init__(self, kernel: Any = select) -> None:
        self._kernel = kernel
        self._filters = ((IN, kernel.KQ_FILTER_READ), (OUT, kernel.KQ_FILTER_WRITE))
        self._kqueue = kernel.kqueue()
        self._watched: dict[int, int] = {}
        in_children.add(self)

    def watch(self, fd: int, events: int) -> None:
        former = self._watched.get(fd, 0)
        for event, which in self._filters:
            if events & event:
                # Also if it is there: adding again changes nothing, and the number may be another file's.
                self._change(fd, which, self._kernel.KQ_EV_ADD)
            elif former & event:
                self._delete(fd, which)
        if events:
            self._watched[fd] = events
        else:
            self._watched.pop(fd, None)

    def forget(self, fd: int) -> None:
        events = self._watched.pop(fd, 0)
        for event, which in self._filters:
            if events & event:
                self._delete(fd, which)

    def _change(self, fd: int, which: int, flags: int) -> None:
        # With no room for events, a change that fails is an error of the call (kqueue(2), "RETURN VALUES").
        self._kqueue.control([self._kernel.kevent(fd, which, flags)], 0, 0)

    def _delete(self, fd: int, which: int) -> None:
        try:
            self._change(fd, which, self._kernel.KQ_EV_DELETE)
        except OSError as error:
            if error.errno not in (errno.EBADF, errno.ENOENT):  # closed before: gone by itself
                raise

    def poll(self, timeout: float | None) -> list[tuple[int, int]]:
        room = min(2 * len(self._watched), _READY_MAX) or 1
        masks: dict[int, int] = {}
        for event in self._kqueue.control(None, room, bounded(timeout)):
            masks[event.ident] = masks.get(event.ident, 0) | self._mask(event)
        return list(masks.items())

    def _mask(self, event: Any) -> int:
        kernel = self._kernel
        if event.flags & kernel.KQ_EV_ERROR:
            return ERR
        reads = event.filter == kernel.KQ_FILTER_READ
        mask = IN if reads else OUT
        if event.flags & kernel.KQ_EV_EOF:
            mask |= 0 if reads else HUP
            mask |= ERR if event.fflags else 0  # the errno of the socket
        return mask

    def renew(self) -> None:
        """A new kqueue, with those that are watched and open."""
        watched, self._watched = self._watched, {}
        self._kqueue = self._kernel.kqueue()
        for fd, events in watched.items():
            try:
                self.watch(fd, events)
            except OSError as error:
                if error.errno != errno.EBADF:
                    raise

    def close(self) -> None:
        in_children.discard(self)
        self._watched.clear()
        self._kqueue.close()
