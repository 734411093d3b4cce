"""Globals of modules of which each process has its own, as it has its own interpreter on a real machine.

Processes share one interpreter, and by that what modules keep.  For most that does no harm; an old loop
keeps there who is on which descriptor, and two hosts have the same numbers.  So the values of `KEPT` are
taken out of their modules when a process comes to stand, and put back when it goes on.  A process begins with
fresh ones, and the test around it keeps its own.

A module that is imported in a process is that of all, and what it kept so far is the process's.

Owns the list, and the exchange.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import attrs

KEPT: tuple[tuple[str, str, str, Callable[[], Any]], ...] = (
    # asyncore of Python 3.11 and of the distributions that bring it back
    ("asyncore", "", "socket_map", dict),
    # waitress's own copy of it
    ("waitress.wasyncore", "", "socket_map", dict),
    # the one loop of pyftpdlib, which FTPServer takes if it is given none
    ("pyftpdlib.ioloop", "IOLoop", "_instance", type(None)),
)
"""Module, class in it or nothing, name, and what makes a fresh value."""


@attrs.frozen(eq=False)
class _Place:
    """A global that was found."""

    owner: Any
    name: str
    fresh: Callable[[], Any]


class OwnGlobals:
    """The places of `KEPT` that there are in this interpreter."""

    def __init__(self) -> None:
        self._places: list[_Place] = []
        self._modules = 0  # when it was looked for them

    def exchange(self, values: dict[Any, Any]) -> None:
        """Put in what is here, and take out what is there: before a process goes on, and when it stands."""
        if len(sys.modules) != self._modules:
            self._look()
        for place in self._places:
            there = getattr(place.owner, place.name)
            setattr(place.owner, place.name, values.pop(place) if place in values else place.fresh())
            values[place] = there

    def _look(self) -> None:
        self._modules = len(sys.modules)
        for dotted, cls, name, fresh in KEPT:
            module = sys.modules.get(dotted)
            owner = getattr(module, cls, None) if cls else module
            # A module may be simnet's under that name, which keeps it for each machine by itself.
            is_there = hasattr(owner, name) if cls else name in getattr(module, "__dict__", {})
            if is_there and not any(place.owner is owner for place in self._places):
                self._places.append(_Place(owner, name, fresh))


own_globals = OwnGlobals()
