"""Methods of types that are made in C, replaced where the type keeps them.

Such a type lets nobody set its attributes.  Its methods are replaced in the dictionary behind the view that
it gives, so whoever has taken the type, or an object of it, from anywhere is served as well.

That is enough for methods that are called by their names.  What C code calls stands in a slot as well, in the
type and in those that have inherited it; such are the hash and the initializer.

Owns that.
"""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Callable, Iterator, Mapping
from typing import Any

_modified = ctypes.pythonapi.PyType_Modified
_modified.argtypes, _modified.restype = (ctypes.py_object,), None


def replace(cls: type, methods: Mapping[str, Any]) -> Callable[[], None]:
    """Put other methods in the place of those that `cls` has; returns what puts them back."""
    (namespace,) = gc.get_referents(vars(cls))
    assert isinstance(namespace, dict)
    before = {name: namespace[name] for name in methods if name in namespace}

    def write(values: Mapping[str, Any]) -> None:
        namespace.update(values)
        _modified(cls)

    write({name: methods[name] for name in before})
    return lambda: write(before)


# --- slots -------------------------------------------------------------------------------------------

_WORD = ctypes.sizeof(ctypes.c_void_p)
_SLOTS = {"__hash__": 13, "__init__": 35}
"""Which word of a PyTypeObject, counted from behind its head (docs.python.org/3/c-api/typeobj.html)."""

_MAY_BE_SET, _MAY_NOT_BE_SET = 1 << 9, 1 << 8  # Py_TPFLAGS_HEAPTYPE, Py_TPFLAGS_IMMUTABLETYPE


def _slot(cls: type[Any], name: str) -> Any:
    return ctypes.c_void_p.from_address(id(cls) + object.__basicsize__ + _SLOTS[name] * _WORD)


class _Plain:
    """Has the slots of `object`."""


class _Telling:
    def __init__(self) -> None:
        """What calls a method of Python is in the slot."""

    def __hash__(self) -> int:
        return 0


_TO_A_METHOD = {name: _slot(_Telling, name).value for name in _SLOTS}
for _name in _SLOTS:
    assert _TO_A_METHOD[_name] != _slot(_Plain, _name).value == _slot(object, _name).value, _name


def give(cls: type, name: str, function: Callable[..., Any]) -> Callable[[], None]:
    """Let `function` be that method of `cls` and of the classes that inherit it; returns what puts back what
    was.

    Args:
        name: ``__hash__`` or ``__init__``.
    """
    before = vars(cls).get(name)
    if cls.__flags__ & _MAY_BE_SET and not cls.__flags__ & _MAY_NOT_BE_SET:
        setattr(cls, name, function)
        return lambda: delattr(cls, name) if before is None else setattr(cls, name, before)
    (namespace,) = gc.get_referents(vars(cls))
    inherited, in_c = getattr(cls, name), _slot(cls, name).value

    def write(value: Any) -> None:
        if value is None:
            del namespace[name]
        else:
            namespace[name] = value
        _modified(cls)
        for each in _family(cls, name, in_c):
            _slot(each, name).value = in_c if getattr(each, name) is inherited else _TO_A_METHOD[name]

    write(function)
    return lambda: write(before)


def _family(cls: type[Any], name: str, in_c: int | None) -> Iterator[type[Any]]:
    """A class and those derived from it that have its slot, or one to a method."""
    if _slot(cls, name).value in (in_c, _TO_A_METHOD[name]):
        yield cls
        for each in type.__subclasses__(cls):
            yield from _family(each, name, in_c)
