"""Rules of epoll, each broken once."""

from __future__ import annotations

from .infidelities import Infidelity

EPOLL = [
    Infidelity(
        "an edge is reported until it is gone",
        "epoll.EpollFile.events",
        "if events & (ONESHOT | EDGE):",
        "if events & ONESHOT:",
        "epoll",
    ),
    Infidelity(
        "what is level-triggered is reported once",
        "epoll.EpollFile.events",
        "if events & (ONESHOT | EDGE):",
        "if True:",
        "epoll",
    ),
    Infidelity(
        "one shot is not the last",
        "epoll.EpollFile.events",
        "item.events = events & PRIVATE",
        "pass",
        "epoll",
    ),
    Infidelity(
        "what is level-triggered keeps its place",
        "epoll.EpollFile.events",
        "ready.extend(again)",
        "ready.extendleft(reversed(again))",
        "epoll",
    ),
    Infidelity(
        "registering twice is allowed",
        "epoll.EpollFile.add",
        "raise _failed(errno.EEXIST)",
        "return",
        "epoll",
    ),
    Infidelity(
        "what was not registered can be modified",
        "epoll.EpollFile._item",
        "raise _failed(errno.ENOENT)",
        "raise _failed(errno.EBADF)",
        "epoll",
    ),
    Infidelity(
        "HUP and ERR must be asked for",
        "epoll.EpollFile.add",
        "Item(self, fd, file, events | ERR | HUP)",
        "Item(self, fd, file, events)",
        "epoll",
    ),
    Infidelity(
        "modify() of what is ready waits for the next event",
        "epoll.EpollFile.modify",
        "self._link_if_ready(item)",
        "pass",
        "epoll",
    ),
    Infidelity(
        "an epoll that has something to report is not readable",
        "epoll.EpollFile.poll_mask",
        "return IN",
        "return 0",
        "epoll",
    ),
]
