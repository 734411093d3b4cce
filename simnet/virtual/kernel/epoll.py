"""epoll: a file that keeps which of the files it watches became ready, in that order (epoll(7)).

Follows fs/eventpoll.c, whose functions the methods name.  An item belongs to a descriptor *and* to the file
behind it at the moment of its registration: it lives until the file is closed, though the descriptor may
be closed or used anew before.

A file that wakes its items says with which events, if it knows (`File.wake`); an item that has an interest
in them is linked into the ready list, and what it reports is asked when a program waits.  That is all there
is to edge-triggering: an item reports once for each time that it was linked.

Owns interest and order.  When a file wakes its watchers is the business of its kind.

Simplified: how many epolls may lead to one file (reverse_path_check) has no limit but their depth.
"""

from __future__ import annotations

import errno
import os
from collections import deque
from typing import TYPE_CHECKING, Any

from ...transport import ERR, HUP, IN, OUT
from .file import BANDS, DATA, File

if TYPE_CHECKING:
    from ..host import Host

EXCLUSIVE, ONESHOT, EDGE, _WAKEUP = 1 << 28, 1 << 30, 1 << 31, 1 << 29
PRIVATE = EXCLUSIVE | ONESHOT | EDGE | _WAKEUP
"""How to report, as opposed to what (EP_PRIVATE_BITS)."""

_BESIDE_EXCLUSIVE = IN | OUT | ERR | HUP | _WAKEUP | EDGE | EXCLUSIVE  # EPOLLEXCLUSIVE_OK_BITS
_MORE = OUT | BANDS  # than whether there is anything to read
NESTS_MAX = 4  # EP_MAX_NESTS


def _failed(reason: int) -> OSError:
    return OSError(reason, os.strerror(reason))


class Item:
    """The interest of one epoll in one file, under one descriptor (struct epitem)."""

    __slots__ = ("epoll", "events", "fd", "file", "is_linked", "since_ns")

    queued = False
    """Is always told: a second event matters to whoever watches the epoll itself."""

    def __init__(self, epoll: EpollFile, fd: int, file: File, events: int) -> None:
        self.epoll, self.fd, self.file, self.events = epoll, fd, file, events
        self.is_linked = False  # into the ready list
        self.since_ns = 0

    def ready(self) -> int:
        """What there is to report (ep_item_poll)."""
        return self.file.ready_for(self.events)

    def wake(self, key: int = 0) -> bool:
        """The file woke its watchers (ep_poll_callback).

        True if this interest is exclusive and a program that waited has it now: no other need be woken.
        """
        events = self.events
        if not events & ~PRIVATE or (key and not key & events):
            return False
        return self.epoll.link(self) and bool(events & EXCLUSIVE)

    def readable(self) -> bool:
        events = self.events  # wake(DATA) without the call
        return bool(events & DATA) and self.epoll.link(self) and bool(events & EXCLUSIVE)

    def gone(self) -> None:
        """The file is closed (eventpoll_release_file)."""
        self.epoll.remove(self)


class EpollFile(File):
    """What epoll_create(2) makes."""

    __slots__ = ("_calls", "_items", "_ready", "is_awaited")

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        self._items: dict[tuple[int, File], Item] = {}
        self._ready: deque[Item] = deque()
        self._calls = 0
        self.is_awaited = False  # a program waits for events, and none has woken it yet

    # --- control ---------------------------------------------------------------------------------

    def add(self, fd: int, events: int) -> None:
        """EPOLL_CTL_ADD (do_epoll_ctl, ep_insert)."""
        file = self._target(fd)
        if events & EXCLUSIVE and (isinstance(file, EpollFile) or events & ~_BESIDE_EXCLUSIVE):
            raise _failed(errno.EINVAL)
        if isinstance(file, EpollFile):
            self._check_nesting(file)
        if (fd, file) in self._items:
            raise _failed(errno.EEXIST)
        item = self._items[fd, file] = Item(self, fd, file, events | ERR | HUP)
        # Wait queues have their exclusive entries behind the others, of which the latest is the first.
        file.watchers = (*file.watchers, item) if events & EXCLUSIVE else (item, *file.watchers)
        self._link_if_ready(item)

    def modify(self, fd: int, events: int) -> None:
        """EPOLL_CTL_MOD (ep_modify)."""
        file = self._target(fd)
        if events & EXCLUSIVE:
            raise _failed(errno.EINVAL)
        item = self._item(fd, file)
        if item.events & EXCLUSIVE:
            raise _failed(errno.EINVAL)
        item.events = events | ERR | HUP
        self._link_if_ready(item)

    def delete(self, fd: int) -> None:
        """EPOLL_CTL_DEL."""
        self.remove(self._item(fd, self._target(fd)))

    def remove(self, item: Item) -> None:
        """Forget an item (ep_remove)."""
        del self._items[item.fd, item.file]
        item.file.watchers = tuple(watcher for watcher in item.file.watchers if watcher is not item)
        if item.is_linked:
            self._ready.remove(item)

    def _target(self, fd: int) -> File:
        """The file that a program wants to watch."""
        self._calls += 1
        file = self.host.descriptors.of(fd)
        if file is self:
            raise _failed(errno.EINVAL)
        return file

    def _item(self, fd: int, file: File) -> Item:
        item = self._items.get((fd, file))
        if item is None:
            raise _failed(errno.ENOENT)
        return item

    def _link_if_ready(self, item: Item) -> None:
        if not item.is_linked and item.ready():
            self.link(item)

    # --- epolls in epolls ------------------------------------------------------------------------

    def _check_nesting(self, inner: EpollFile) -> None:
        """ELOOP if watching `inner` would close a circle, or make a tower too high (ep_loop_check)."""
        if self is inner or inner.reaches(self) or inner.depth() + 1 + self.height() > NESTS_MAX:
            raise _failed(errno.ELOOP)

    def reaches(self, other: EpollFile) -> bool:
        """Whether this epoll watches another, be it by way of a third."""
        return any(inner is other or inner.reaches(other) for inner in self._inner())

    def depth(self) -> int:
        """How many epolls lie below this one."""
        return max((1 + inner.depth() for inner in self._inner()), default=0)

    def height(self) -> int:
        """How many epolls lie above this one."""
        above = (watcher.epoll for watcher in self.watchers if isinstance(watcher, Item))
        return max((1 + outer.height() for outer in above), default=0)

    def _inner(self) -> list[EpollFile]:
        return [item.file for item in self._items.values() if isinstance(item.file, EpollFile)]

    # --- the ready list --------------------------------------------------------------------------

    def link(self, item: Item) -> bool:
        """An item has something to report; whether a program waited for that.

        Among items that became ready at the same moment, the network may choose the order.
        """
        if not item.is_linked:
            now_ns = self.net.now_ns
            item.is_linked, item.since_ns = True, now_ns
            ready = self._ready
            if not ready or ready[-1].since_ns != now_ns:
                ready.append(item)
            elif self.net.is_calm:
                self.host.turns += 1  # nobody decides, but it counts: a rule may come later
                ready.append(item)
            else:
                ready.insert(len(ready) - self._choose_place(item), item)
        was_awaited, self.is_awaited = self.is_awaited, False
        self.wake(DATA)
        return was_awaited

    def _choose_place(self, item: Item) -> int:
        """How many of those that became ready at this moment come behind it."""
        together = 1
        while self._came_together(together, item):
            together += 1
        return self.host.choose_first(together + 1)

    def _came_together(self, place: int, item: Item) -> bool:
        """Whether what is at this place, counted from the end, became ready when `item` did."""
        ready = self._ready
        return place < len(ready) and ready[-1 - place].since_ns == item.since_ns

    def events(self, events_max: int) -> list[tuple[int, int]]:
        """Take what is to be reported: descriptors and events (ep_send_events).

        What is level-triggered goes to the end of the list and will be asked again.
        """
        self._calls += 1
        found: list[tuple[int, int]] = []
        ready = self._ready
        if not ready:
            return found
        again = []
        while ready and len(found) < events_max:
            item = ready.popleft()
            events, file = item.events, item.file
            if file.ordinary and not events & _MORE:  # most are read only: ready_for() without the calls
                end: Any = file
                mask = 0 if end.queue is None else events & IN
            else:
                mask = file.ready_for(events)
            if not mask:
                item.is_linked = False
                continue
            found.append((item.fd, mask))
            if events & (ONESHOT | EDGE):
                item.is_linked = False
                if events & ONESHOT:
                    item.events = events & PRIVATE
            else:
                item.since_ns = -1  # its place is settled
                again.append(item)
        ready.extend(again)
        return found

    def poll_mask(self) -> int:
        """Readable while an item has something to report (__ep_eventpoll_poll)."""
        ready = self._ready
        while ready:
            if ready[0].ready():
                return IN
            ready.popleft().is_linked = False
        return 0

    # --- life ------------------------------------------------------------------------------------

    @property
    def touched(self) -> int:
        return self._calls

    @property
    def state_name(self) -> str:
        return "EPOLL"

    def ioctl(self, request: int) -> int:
        raise _failed(errno.EINVAL)

    def close(self) -> None:
        for item in list(self._items.values()):
            self.remove(item)

    def vanish(self) -> None:
        self.watchers = ()
