"""`import asyncore` means simnet's: for packages that cannot be edited, on every Python.

Owns what `sys.modules` says under the two old names, and who would not notice a change of it.  Does not own
the modules themselves.

They are entries of `sys.modules`, and no finder on `sys.meta_path`: so there is one module object under two
names, with one `ExitNow` and one `socket_map`.  It keeps the spec that says where it really lives, and
`importlib.reload`, `importlib.util.find_spec` and pickle go by that; the import system would write the spec
of a finder over it.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any, Self

from .errors import UsageError

NAMES = ("asyncore", "asynchat")


class Installation:
    """What `install_asyncore` has changed.  A context manager: at its end all is as before."""

    def __init__(self, modules: dict[str, ModuleType]) -> None:
        self._modules = modules
        self._before: dict[str, Any] = {name: sys.modules[name] for name in modules if name in sys.modules}
        sys.modules.update(modules)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.undo()

    def undo(self) -> None:
        """Let the names mean again what they meant before.  Whoever has imported simnet's modules keeps them.

        A name that somebody else has taken meanwhile is left alone.
        """
        for name, module in self._modules.items():
            if sys.modules.get(name) is module:
                del sys.modules[name]
                sys.modules.update({name: self._before[name]} if name in self._before else {})


def install_asyncore(*, replace: bool = False) -> Installation:
    """Let ``import asyncore`` and ``import asynchat`` find `simnet.asyncore` and `simnet.asynchat`.

    To be called before the first import of a package that uses them, say at the top of a ``conftest.py``.
    Called again, it changes nothing.  Importing these modules warns of nothing, also on Python 3.11.

    Args:
        replace: install them though modules have imported others of these names, which they go on using.

    Returns:
        What undoes it, by its method `undo` or as a context manager.

    Raises:
        UsageError: modules have imported others of these names (those of Python 3.11, or of a distribution
            that brings them back) and would keep them; the message names both.
    """
    modules = {name: import_module(f".{name}", __package__) for name in NAMES}
    others = [
        other
        for name, module in modules.items()
        if isinstance(other := sys.modules.get(name), ModuleType) and other is not module
    ]
    keepers = [] if replace else _keepers(others)
    if keepers:
        raise UsageError(
            f"{', '.join(keepers)} imported {' and '.join(map(_where, others))} and would go on using it: "
            "call install_asyncore() before that, or install_asyncore(replace=True) for later imports only"
        )
    return Installation(modules)


def _keepers(others: list[ModuleType]) -> list[str]:
    """The modules that have in a global one of `others`, or a class or function of it."""
    kept = {id(thing) for other in others for thing in (other, *_made_by(other))}
    return [
        name
        for name, module in sorted(sys.modules.items())
        if module not in others and any(id(value) in kept for value in list(_globals(module).values()))
    ]


def _made_by(module: ModuleType) -> list[object]:
    """The classes and functions of a module's own."""
    values = list(_globals(module).values())
    return [value for value in values if getattr(value, "__module__", None) == module.__name__]


def _globals(module: Any) -> dict[str, Any]:
    # None stands for a module that must not be imported, and some packages put objects of their own there.
    return getattr(module, "__dict__", {})


def _where(module: ModuleType) -> str:
    return f"{module.__name__} ({getattr(module, '__file__', 'no file')})"
