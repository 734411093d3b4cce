"""A virtual host in the shape that existing code expects: modules with the surface of the standard ones.

Code that takes a module gets `host.modules.socket` where it took `socket`.  Constants, exceptions and
everything that asks no machine are the standard library's own; the functions and classes that do ask are
bound to the host.

Owns the collection.  Each module says itself what it owns.
"""

from __future__ import annotations

from functools import cached_property
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..host import Host


class Modules:
    """The modules of one host; each is made when it is first asked for, and its room entered then."""

    def __init__(self, host: Host) -> None:
        self._host = host

    @cached_property
    def socket(self) -> ModuleType:
        """The surface of `socket`."""
        return self._made("socket")

    @cached_property
    def select(self) -> ModuleType:
        """The surface of `select`."""
        return self._made("select")

    @cached_property
    def selectors(self) -> ModuleType:
        """The surface of `selectors`."""
        return self._made("selectors")

    @cached_property
    def time(self) -> ModuleType:
        """The surface of `time`."""
        return self._made("time")

    @cached_property
    def os(self) -> ModuleType:
        """The surface of `os`."""
        return self._made("os")

    @cached_property
    def fcntl(self) -> ModuleType:
        """The surface of `fcntl`."""
        return self._made("fcntl")

    def _made(self, name: str) -> ModuleType:
        made: ModuleType = import_module(f"{__name__}.{name}").module_for(self._host)
        return made
