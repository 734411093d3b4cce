"""Names that mean something else while interposition is up: finding them, changing them, changing them back.

Owns places: a global of a module, an attribute of a class, a default of a function.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from random import Random
from types import BuiltinFunctionType, FunctionType, MappingProxyType, MethodType, ModuleType
from typing import Any

import attrs

from ...fence.allowed import OWN, TOOLS
from ...fence.patches import Check
from ..process import running
from .entropy import KeptGenerator

_LEFT_ALONE = {OWN, *TOOLS, "importlib", "posix", "_socket", "_signal", "_random", "zipimport"}
"""Packages in which names mean what they always mean: simnet's own, tools, and what Python is made of."""

_KEPT_IN_CLASSES = {"selectors", "sched", "logging", "multiprocessing.connection"}
"""Modules of the standard library that keep functions of others in classes and in defaults."""


Inside = Callable[..., Any]
"""What a process calls in the place of a function: with its host and that function before the arguments."""


def by_module(table: Mapping[ModuleType, str], inside: Inside) -> dict[Any, Inside]:
    """What processes call in the place of functions that are listed by module: `inside`, which is given the
    names of the module and of the function first.  What this Python does not have is left out."""
    return {
        getattr(module, name): partial(inside, module.__name__, name)
        for module, names in table.items()
        for name in names.split()
        if hasattr(module, name)
    }


class StandIn:
    """Stands for a function: in a process it calls the host's, anywhere else what it stands for.

    It is no function: kept in a class it must not become a method, as a builtin does not.
    """

    def __init__(
        self,
        original: Any,
        before: Any,
        inside: Callable[..., Any],
        outside: Callable[..., Any] | None = None,
    ) -> None:
        self.original, self._before, self._inside = original, before, inside
        self._outside = before if outside is None else partial(outside, before)
        self.__module__ = getattr(original, "__module__", None) or ""
        self.__name__ = self.__qualname__ = getattr(original, "__name__", "")
        self.__doc__ = original.__doc__
        self.__wrapped__ = original

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        process = running()
        if process is None:
            return self._outside(*args, **kwargs)
        return self._inside(process.host, self.original, *args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        original = object.__getattribute__(self, "original")
        if isinstance(original, type) and (process := running()) is not None:
            rooms = process.host.modules
            original = getattr(getattr(rooms, original.__module__, None), original.__name__, original)
        return getattr(original, name)

    def __repr__(self) -> str:
        return repr(self.original)

    def __reduce__(self) -> str:
        return self.__name__


_STANDING = (StandIn, KeptGenerator)


@attrs.frozen(eq=False)
class _Place:
    """Where a name is kept: in a namespace that is read and written by these two."""

    read: Callable[[], Any]
    write: Callable[[Any], None]
    original: Any


class Names:
    """All places of some functions, and of generators that packages keep, and what stands there instead.

    Args:
        insides: by function (or class), what a process calls in its place, with its host and the function
            before the arguments.
        outsides: by function, what anybody else calls, with what was there before in front of the arguments;
            where there is none, that itself.
    """

    def __init__(
        self,
        insides: Mapping[Any, Callable[..., Any]],
        outsides: Mapping[Any, Callable[..., Any]] = MappingProxyType({}),
    ) -> None:
        self._insides, self._outsides = dict(insides), dict(outsides)
        self._places: list[_Place] = []
        self._modules: dict[str, Any] = {}
        self._are_up = False

    def meant_by(self, function: Any) -> Any:
        """What a name means in a process that led to `function` when it was read."""
        known = None if isinstance(function, StandIn) else self._known(function)
        return function if known is None else self._stand_in_for(known, function)

    def put_up(self) -> None:
        """Change them; again, in modules that have come since."""
        if self._are_up and len(sys.modules) == len(self._modules):
            return
        self._look()
        self._are_up = True
        for place in self._places:
            value = place.read()
            if not isinstance(value, _STANDING) and _original(value) is place.original:
                place.write(self._stand_in_for(place.original, value))

    def take_down(self) -> None:
        self._look()  # what was imported meanwhile may have taken a stand-in
        self._are_up = False
        for place in self._places:
            value = place.read()
            if isinstance(value, _STANDING):
                place.write(value._before)

    def _stand_in_for(self, original: Any, value: Any) -> Any:
        if isinstance(original, Random):
            return KeptGenerator(original)
        return StandIn(original, value, self._insides[original], self._outsides.get(original))

    def _look(self) -> None:
        """Look through the modules that are new."""
        modules = dict(sys.modules)
        before, self._modules = self._modules, modules
        for dotted, module in modules.items():
            top = dotted.partition(".")[0]
            if before.get(dotted) is module or not isinstance(module, ModuleType):
                continue
            if top not in _LEFT_ALONE and not top.startswith("pytest_"):
                self._places += self._places_in(dotted, module)

    def _places_in(self, dotted: str, module: ModuleType) -> Iterator[_Place]:
        whole = dotted in _KEPT_IN_CLASSES or dotted.partition(".")[0] not in sys.stdlib_module_names
        for name, value in list(vars(module).items()):
            if (original := self._known(value, whole)) is not None:
                yield _in_dict(vars(module), name, original)
            elif whole and isinstance(value, type) and value.__module__ == dotted:
                yield from self._places_in_class(value)
            elif whole and isinstance(value, FunctionType) and value.__module__ == dotted:
                yield from self._defaults(value)

    def _places_in_class(self, cls: type) -> Iterator[_Place]:
        for name, value in list(vars(cls).items()):
            inner = value.__func__ if isinstance(value, staticmethod) else value
            if (original := self._known(inner)) is not None:
                yield _in_class(cls, name, original)
            elif isinstance(inner, FunctionType):
                yield from self._defaults(inner)

    def _defaults(self, function: FunctionType) -> Iterator[_Place]:
        for index, value in enumerate(function.__defaults__ or ()):
            if (original := self._known(value)) is not None:
                yield _in_defaults(function, index, original)
        for name, value in (function.__kwdefaults__ or {}).items():
            if (original := self._known(value)) is not None:
                yield _in_dict(function.__kwdefaults__, name, original)  # type: ignore[arg-type]

    def _known(self, value: Any, whole: bool = True) -> Any:
        """What a value is, or stands for, if it is one of ours: a function, or of a package's a generator."""
        if whole and type(value) in (Random, KeptGenerator):
            return _original(value)
        if not isinstance(value, (BuiltinFunctionType, FunctionType, MethodType, type, Check, StandIn)):
            return None
        original = _original(value)
        try:
            return original if original in self._insides else None
        except TypeError:  # what cannot be hashed is none
            return None


def _original(value: Any) -> Any:
    """What a name means when nobody has changed it."""
    return value.__wrapped__ if isinstance(value, (Check, *_STANDING)) else value


def _in_dict(namespace: dict[str, Any], name: str, original: Any) -> _Place:
    def write(value: Any) -> None:
        namespace[name] = value

    return _Place(lambda: namespace.get(name), write, original)


def _in_class(cls: type, name: str, original: Any) -> _Place:
    is_static = isinstance(vars(cls)[name], staticmethod)

    def read() -> Any:
        value = vars(cls).get(name)
        return value.__func__ if isinstance(value, staticmethod) else value

    def write(value: Any) -> None:
        setattr(cls, name, staticmethod(value) if is_static else value)

    return _Place(read, write, original)


def _in_defaults(function: FunctionType, index: int, original: Any) -> _Place:
    def write(value: Any) -> None:
        defaults = function.__defaults__ or ()
        function.__defaults__ = (*defaults[:index], value, *defaults[index + 1 :])

    return _Place(lambda: (function.__defaults__ or ())[index], write, original)
