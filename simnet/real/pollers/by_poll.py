"""poll(2) behind the contract of `Poller`."""

from __future__ import annotations

import errno
import os
import select
from contextlib import suppress

from ...transport import NVAL, Poller
from .waiting import milliseconds


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
        ready = self._poll.poll(milliseconds(timeout))
        for fd, events in ready:
            if events & NVAL:
                raise OSError(errno.EBADF, f"{os.strerror(errno.EBADF)}: {fd}")
        return ready

    def close(self) -> None:
        self._poll = select.poll()
