"""The selectors module of a virtual host: the standard library's own classes, on the host's select module.

Owns nothing but the binding.  Where this Python has no EpollSelector, the host has none.
"""

from __future__ import annotations

import selectors as std
from types import ModuleType
from typing import TYPE_CHECKING

from .binding import module_like, names_of

if TYPE_CHECKING:
    from ..host import Host

_ASK_NO_MACHINE = (
    *("BaseSelector", "SelectorKey", "EVENT_READ", "EVENT_WRITE"),
    *("_BaseSelectorImpl", "_PollLikeSelector", "_SelectorMapping", "_fileobj_to_fd"),
)


def module_for(host: Host) -> ModuleType:
    """The selectors module of `host`."""
    select = host.modules.select
    body = {"__module__": "selectors"}
    classes = {
        "SelectSelector": {"_select": staticmethod(select.select)},
        "PollSelector": {"_selector_cls": staticmethod(select.poll)},
        "EpollSelector": {"_selector_cls": select.epoll},
    }
    made = {
        name: type(name, (getattr(std, name),), {**body, **bound})
        for name, bound in classes.items()
        if hasattr(std, name)
    }
    made["DefaultSelector"] = made.get("EpollSelector", made["PollSelector"])
    return module_like(std, names_of(std, _ASK_NO_MACHINE), made)
