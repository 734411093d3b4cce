"""Names in modules that lead through a check, for as long as checks are up.

A name is changed where it is owned (`time.sleep`), and in every module of a program that took it from there
before (``from time import sleep``).  What somebody else has put in its place, as tests do, is left alone.

Not found are functions that were kept elsewhere before checks were up, say as the default of an argument
(``def __init__(self, clock=time.monotonic)``), and methods of types made in C (``datetime.now``).

Owns changing modules and changing them back.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any, Protocol

import attrs

from .allowed import is_of_program
from .ways import BY_PATCH, Way


class Check:
    """Stands for a function.  It is no function: kept in a class it must not become a method, as what it
    stands for does not."""

    def __init__(self, way: Way, key: str, original: Callable[..., Any], went: Callable[[Way], None]) -> None:
        self._way, self._original, self._went = way, original, went
        self.__module__, _, name = key.rpartition(".")
        self.__name__ = self.__qualname__ = name
        self.__doc__ = original.__doc__
        self.__wrapped__ = original

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True  # pytest shows the line of the program
        given = self._way.free_from
        if not given or len(args) < given or args[given - 1] is None:
            self._went(self._way)
        return self._original(*args, **kwargs)

    def __repr__(self) -> str:
        return repr(self._original)

    def __reduce__(self) -> str:
        return self.__name__  # copied and pickled as functions are: by name


_KINDS = (BuiltinFunctionType, FunctionType, Check)


class Layer(Protocol):
    """What somebody else changes the same names by, on top of checks: down while these go up or down."""

    is_up: bool

    def put_up(self) -> None: ...
    def take_down(self) -> None: ...


@attrs.frozen(eq=False)
class _Name:
    """A name in a module: what it means, and what it means while checks are up."""

    globals: dict[str, Any]
    name: str
    original: Callable[..., Any]
    check: Check

    def change(self, before: object, after: object) -> None:
        if self.globals.get(self.name) is before:
            self.globals[self.name] = after


class Checks:
    """All names that lead through a check.

    Args:
        went: called with a way before each call of one of its functions.
    """

    def __init__(self, went: Callable[[Way], None]) -> None:
        self.are_up = False
        self.above: Layer | None = None
        self._went = went
        self._owned: dict[str, _Name] = {}
        self._taken: list[_Name] = []
        self._known: dict[Any, _Name] = {}  # by a function, and by its check, the name of its owner
        self._modules: dict[str, Any] = {}  # those that were looked through

    def put_up(self) -> None:
        """Let the names lead through checks; again, for modules that have come since."""
        if not self.are_up or len(sys.modules) != len(self._modules):
            above = self.above if self.above is not None and self.above.is_up else None
            if above is not None:
                above.take_down()
            self._look()
            self.are_up = True
            for name in (*self._owned.values(), *self._taken):
                name.change(name.original, name.check)
            if above is not None:
                above.put_up()

    def take_down(self) -> None:
        """Let the names mean again what they meant before; again, for what a test has put back since."""
        if self.above is not None:
            self.above.take_down()
        if self.are_up:
            self._look()  # what was imported meanwhile may have taken a check
        self.are_up = False
        for name in (*self._owned.values(), *self._taken):
            name.change(name.check, name.original)

    def _look(self) -> None:
        """Look through the modules that are new."""
        modules = dict(sys.modules)
        if len(modules) == len(self._modules):
            return
        before, self._modules = self._modules, modules
        for key, way in BY_PATCH.items():
            if key not in self._owned:
                self._own(key, way)
        for dotted, module in modules.items():
            if isinstance(module, ModuleType) and before.get(dotted) is not module:
                self._look_through(dotted, vars(module))

    def _own(self, key: str, way: Way) -> None:
        owner, _, name = key.rpartition(".")
        globals_ = getattr(self._modules.get(owner), "__dict__", {})
        original = globals_.get(name)
        # A function in Python that comes from elsewhere is a test's, and may be gone tomorrow.
        if isinstance(original, BuiltinFunctionType) or (
            isinstance(original, FunctionType) and original.__module__ == owner
        ):
            made = self._owned[key] = _Name(globals_, name, original, Check(way, key, original, self._went))
            if key == way.name:
                self._known[original] = self._known[made.check] = made

    def _look_through(self, dotted: str, globals_: dict[str, Any]) -> None:
        """Find the names that a module took from their owners."""
        found = [(name, value) for name, value in list(globals_.items()) if type(value) in _KINDS]
        for name, value in found:
            owned = self._known.get(value)
            if owned is None or f"{dotted}.{name}" in BY_PATCH:
                continue
            if is_of_program(dotted):
                self._taken.append(_Name(globals_, name, owned.original, owned.check))
            else:
                # A tool, or the standard library, that was imported while checks were up has taken a check.
                globals_[name] = owned.original
