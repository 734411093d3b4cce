"""The ways to wait for descriptors that this system has, and which of them to take."""

from __future__ import annotations

import select
from collections.abc import Callable

from ...errors import UsageError
from ...transport import ERR, HUP, IN, OUT, PRI, Poller
from .by_epoll import EpollPoller
from .by_kqueue import KqueuePoller
from .by_poll import PollPoller
from .by_select import SelectPoller

__all__ = ["KINDS", "best_kind", "make_poller"]

_ALL: dict[str, Callable[[], Poller]] = {
    "epoll": EpollPoller,
    "kqueue": KqueuePoller,
    "poll": PollPoller,
    "select": SelectPoller,
}
KINDS = {kind: make for kind, make in _ALL.items() if hasattr(select, kind)}
"""Those of this system, the best one first."""

assert (IN, PRI, OUT, ERR, HUP) == (1, 2, 4, 8, 16)


def best_kind() -> str:
    """epoll, else kqueue, whose cost is that of what is ready; else poll, else select."""
    return next(iter(KINDS))


def make_poller(kind: str) -> Poller:
    """A poller by its name; UsageError if this system has none of that name."""
    if kind not in KINDS:
        raise UsageError(f"no poller is called {kind!r}; there are {', '.join(KINDS)}")
    return KINDS[kind]()
