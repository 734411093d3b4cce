"""Packages that a process has for itself, with whatever their modules keep.

On a real machine every process has an interpreter of its own, so three servers have three times what a
module keeps in its globals.  Here they share one.  Of the packages that `Host.spawn` was told of (`fresh`), a
process finds nothing imported when it begins, and imports them anew; when it comes to stand, what is in
`sys.modules` of them is exchanged for what was there before.

A function that was imported outside belongs to the module outside, so such a process begins with one that
imports the package itself.

Owns the exchange.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from types import ModuleType

from ..errors import UsageError


class OwnModules:
    """The modules of some packages, of one process while it stands, and of all others while it runs.

    Raises UsageError: what is given is no list of names of packages, which have no dots.
    """

    def __init__(self, packages: Iterable[str]) -> None:
        self._packages = () if isinstance(packages, str) else tuple(packages)
        if not self._packages or not all(str(name).isidentifier() for name in self._packages):
            raise UsageError(f"fresh is a list of packages, by their names without dots, not {packages!r}")
        self._kept: dict[str, ModuleType] = {}
        self._here, self._there = _Names(self._packages), _Names(self._packages)

    def exchange(self) -> None:
        """Put in what is here, and take out what is there: before the process goes on, and when it stands."""
        modules = sys.modules
        self._here, self._there = self._there, self._here
        there = {name: modules.pop(name) for name in self._there.look() if name in modules}
        modules.update(self._kept)
        self._kept = there


class _Names:
    """Which of all modules are of some packages; looked for again where any has come or gone since."""

    __slots__ = ("_names", "_packages", "_seen")

    def __init__(self, packages: tuple[str, ...]) -> None:
        self._packages = packages
        self._seen: tuple[int, str] = (-1, "")  # how many there were, and the last of them
        self._names: list[str] = []

    def look(self) -> list[str]:
        seen = len(sys.modules), next(reversed(sys.modules))
        if seen != self._seen:
            self._seen = seen
            self._names = [name for name in sys.modules if name.partition(".")[0] in self._packages]
        return self._names
