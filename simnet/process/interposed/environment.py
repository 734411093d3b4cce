"""The environment of a process: that of the interpreter, but for what tells of this computer.

A program may be configured by its environment, so a process finds what the test has.  What it changes itself
is its own, as with any process, and gone with it: neither the test nor the next run finds it.

``HTTP_PROXY`` and its like tell of the network that this computer is in, and urllib, requests, httpx, aiohttp
and websockets follow them; and ``TZ`` tells where it stands.  What of these was there when the interpreter
began, with the same value, a process does not see.  What a test or a program sets it does.

C code that asks for a variable, as OpenSSL does for certificates, finds what a process of this interpreter
has set last, until interposition is down; but for ``TZ``, which would be another zone for all.

Owns `os.environ`, as processes find it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from ..process import Process, running

_STARTED_WITH = Path("/proc/self/environ")


def _at_start() -> dict[Any, Any]:
    """The environment that the interpreter was started with; where nobody tells, that of now."""
    try:
        pairs = [line.partition(b"=") for line in _STARTED_WITH.read_bytes().split(b"\0") if line]
        return {name: value for name, _, value in pairs}
    except OSError:
        return dict(os.environb)


def _is_of_a_computer(name: bytes) -> bool:
    return name == b"TZ" or name.lower().endswith(b"_proxy")


_of_this_computer = {name: value for name, value in _at_start().items() if _is_of_a_computer(name)}

_Environ: Any = type(os.environ)
_METHODS = ("__getitem__", "__setitem__", "__delitem__", "__iter__", "__len__")
_before: dict[str, Any] = {name: getattr(_Environ, name) for name in _METHODS}

_changes: WeakKeyDictionary[Process, dict[Any, Any]] = WeakKeyDictionary()
"""By process, what it has set, in the form of the environment; None is what it has deleted."""


_put: set[Any] = set()
"""Names that mean something else to C code just now."""


def _changed_here() -> dict[Any, Any] | None:
    """The changes of the process that is running; None outside of processes."""
    process = running()
    return None if process is None else _changes.setdefault(process.leader, {})


def _inherited(environ: Any, name: Any) -> Any:
    """What a process finds before it changes anything."""
    value, raw = environ._data.get(name), os.fsencode(name)
    return None if raw in _of_this_computer and value == _of_this_computer[raw] else value


def _getitem(self: Any, key: Any) -> Any:
    changed = _changed_here()
    if changed is None:
        return _before["__getitem__"](self, key)
    name = self.encodekey(key)
    value = changed[name] if name in changed else _inherited(self, name)
    if value is None:
        raise KeyError(key)
    return self.decodevalue(value)


def _setitem(self: Any, key: Any, value: Any) -> None:
    changed = _changed_here()
    if changed is None:
        _before["__setitem__"](self, key, value)
    else:
        name, encoded = self.encodekey(key), self.encodevalue(value)
        if os.fsencode(name) != b"TZ":
            os.putenv(name, encoded)
            _put.add(name)
        changed[name] = encoded


def _delitem(self: Any, key: Any) -> None:
    changed = _changed_here()
    if changed is None:
        _before["__delitem__"](self, key)
    else:
        _getitem(self, key)  # KeyError if it is not there
        name = self.encodekey(key)
        if os.fsencode(name) != b"TZ":
            os.unsetenv(name)
            _put.add(name)
        changed[name] = None


def _iter(self: Any) -> Iterator[Any]:
    changed = _changed_here()
    if changed is None:
        yield from _before["__iter__"](self)
        return
    for name in dict.fromkeys((*self._data, *changed)):
        if (changed[name] if name in changed else _inherited(self, name)) is not None:
            yield self.decodekey(name)


def _len(self: Any) -> int:
    return sum(1 for _ in _iter(self))


def change() -> Callable[[], None]:
    """Let `os.environ` be another one in each process; returns what undoes it."""
    for name, method in zip(_METHODS, (_getitem, _setitem, _delitem, _iter, _len), strict=True):
        setattr(_Environ, name, method)

    def undo() -> None:
        for name, method in _before.items():
            setattr(_Environ, name, method)
        data: dict[Any, Any] = vars(os.environ)["_data"]
        while _put:
            name = _put.pop()
            if name in data:
                os.putenv(name, data[name])
            else:
                os.unsetenv(name)

    return undo
