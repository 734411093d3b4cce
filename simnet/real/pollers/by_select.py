"""select(2) behind the contract of `Poller`."""

from __future__ import annotations

import select

from ...errors import UsageError
from ...transport import IN, OUT, PRI, Poller
from .waiting import bounded


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
            ready = select.select(readers, writers, others, bounded(timeout))
        except ValueError as error:  # from FD_SETSIZE on
            raise UsageError(
                f"select cannot watch descriptor {max(self._events)}: take the poller 'epoll', 'kqueue' or "
                "'poll', or let RealTransport() choose"
            ) from error
        masks: dict[int, int] = {}
        for fds, event in zip(ready, (IN, OUT, PRI), strict=True):
            for fd in fds:
                masks[fd] = masks.get(fd, 0) | event
        return list(masks.items())

    def close(self) -> None:
        self._events.clear()
