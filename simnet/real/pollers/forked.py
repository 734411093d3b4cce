"""A child process shares its parent's epoll set, and has lost its kqueue: both need new ones."""

from __future__ import annotations

import os
from typing import Protocol
from weakref import WeakSet


class Renewable(Protocol):
    def renew(self) -> None:
        """Let go of what the kernel keeps, and register all that is watched anew."""


in_children: WeakSet[Renewable] = WeakSet()
"""The pollers that are renewed in every process that is forked from here on."""


def _renew() -> None:
    for poller in list(in_children):
        poller.renew()


os.register_at_fork(after_in_child=_renew)
