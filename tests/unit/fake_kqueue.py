"""A kqueue(2) on top of poll(2), as the manual pages of FreeBSD and macOS describe it.

Stands in for the module `select` of a system that has kqueue. What it keeps of the original: a changelist
that adds and deletes filters one by one; ENOENT for a filter that is not there, EBADF for a descriptor that
is not open, as an error of the call if there is no room for events and as an EV_ERROR event if there is;
one event for each filter that is active, level-triggered; EV_EOF with the socket's error in fflags; filters
that go with their descriptor when that is closed. A socket that never was connected is not writable
(filt_sowrite).
"""

import errno
import os
import select
import stat
from dataclasses import dataclass

KQ_FILTER_READ, KQ_FILTER_WRITE = -1, -2
KQ_EV_ADD, KQ_EV_DELETE, KQ_EV_EOF, KQ_EV_ERROR = 0x1, 0x2, 0x8000, 0x4000
POLLED = {KQ_FILTER_READ: select.POLLIN, KQ_FILTER_WRITE: select.POLLOUT}


@dataclass
class kevent:
    ident: int
    filter: int = KQ_FILTER_READ
    flags: int = KQ_EV_ADD
    fflags: int = 0
    data: int = 0


class kqueue:
    def __init__(self):
        self.filters = {}  # (fd, filter) to the file that the descriptor had
        self.changes = []  # for tests: all that was asked for

    def control(self, changelist, max_events, timeout=None):
        failed = []
        for change in changelist or ():
            self.changes.append((change.ident, change.filter, change.flags))
            error = self._change(change)
            if error and len(failed) >= max_events:
                raise OSError(error, os.strerror(error))
            if error:
                failed.append(kevent(change.ident, change.filter, KQ_EV_ERROR, data=error))
        if failed or not max_events:
            return failed
        return self._active(timeout)[:max_events]

    def _change(self, change):
        key, file = (change.ident, change.filter), file_of(change.ident)
        if file is None:
            return errno.EBADF
        self._drop_closed()
        if change.flags & KQ_EV_ADD:
            self.filters[key] = file
            return 0
        assert change.flags & KQ_EV_DELETE
        return 0 if self.filters.pop(key, None) else errno.ENOENT

    def _drop_closed(self):
        for key, file in list(self.filters.items()):
            if file_of(key[0]) != file:
                del self.filters[key]

    def _active(self, timeout):
        self._drop_closed()
        asked, wanted = select.poll(), {}
        for fd, which in self.filters:
            wanted[fd] = wanted.get(fd, 0) | POLLED[which]
            if which == KQ_FILTER_READ:
                wanted[fd] |= select.POLLRDHUP
        for fd, mask in wanted.items():
            asked.register(fd, mask)
        ready = dict(asked.poll(None if timeout is None else timeout * 1000 + 0.999))
        events = [self._event(fd, which, ready.get(fd, 0)) for fd, which in self.filters]
        return [event for event in events if event is not None]

    def _event(self, fd, which, seen):
        if seen & select.POLLHUP and is_unconnected(fd):
            return None
        gone = bool(seen & (select.POLLHUP | select.POLLERR))
        ended = gone or (which == KQ_FILTER_READ and bool(seen & select.POLLRDHUP))
        if not ended and not seen & POLLED[which]:
            return None
        flags = KQ_EV_EOF if ended else 0
        return kevent(fd, which, flags, errno.ECONNRESET if seen & select.POLLERR else 0)

    def close(self):
        self.filters.clear()


def file_of(fd):
    """Which open file a descriptor has, None if it is closed."""
    try:
        status = os.fstat(fd)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def is_unconnected(fd):
    """Whether it is a socket that was never connected nor refused: poll(2) says HUP and no more."""
    asked = select.poll()
    asked.register(fd, select.POLLIN | select.POLLRDHUP)
    return dict(asked.poll(0)).get(fd) == select.POLLHUP and stat.S_ISSOCK(os.fstat(fd).st_mode)
