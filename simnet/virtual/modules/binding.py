"""How a module for one host is made out of a standard one.

Owns the mechanics: what is carried over, and how the standard library's own Python functions come to call the
host's.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterable, Mapping
from types import FunctionType, ModuleType
from typing import Any


def names_of(standard: ModuleType, names: Iterable[str]) -> dict[str, Any]:
    """What a standard module has under these names, which is the same for every host."""
    return {name: getattr(standard, name) for name in names if hasattr(standard, name)}


def constants_of(standard: ModuleType) -> list[str]:
    """The names in capitals."""
    return [name for name in dir(standard) if name.isupper()]


def module_like(standard: ModuleType, carried: Mapping[str, Any], bound: Mapping[str, Any]) -> ModuleType:
    """A module with the name of a standard one: what is `carried` is that module's, and `bound` the host's.

    Whatever else the standard one has raises NotImplementedError when it is asked for.
    """
    made = _Bound(standard.__name__, standard.__doc__)
    made.__dict__.update(carried)
    made.__dict__.update(bound)
    made.__dict__.update(__builtins__=builtins, _standard=standard)
    return made


class _Bound(ModuleType):
    """A module of a virtual host."""

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("__") and hasattr(self.__dict__["_standard"], name):
            raise NotImplementedError(f"{self.__name__}.{name} is not simulated")
        raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")


def rebound(function: Callable[..., Any], module: ModuleType) -> Callable[..., Any]:
    """A Python function of the standard library that looks its globals up in `module`."""
    assert isinstance(function, FunctionType), function
    twin = FunctionType(
        function.__code__, module.__dict__, function.__name__, function.__defaults__, function.__closure__
    )
    twin.__kwdefaults__ = function.__kwdefaults__
    twin.__doc__ = function.__doc__
    return twin
