"""Environment variables of this computer that do not go for a host: its way to the internet, and its zone.

A program may be configured by its environment, so a process has that of the interpreter.  But ``HTTP_PROXY``
and its like tell of the network that this computer is in, and urllib, requests, httpx, aiohttp and websockets
follow them; and ``TZ`` tells where it stands.  What of these was there when the interpreter began, with the
same value, a process does not see.  What a test or a program sets it does.

Owns those names, and reading in `os.environ`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ..process import running

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
_read, _walk = _Environ.__getitem__, _Environ.__iter__


def _is_hidden(environ: Any, key: Any) -> bool:
    """Whether a process does not see a variable that is set."""
    if not _of_this_computer or running() is None:
        return False
    try:
        name = environ.encodekey(key)
    except TypeError:  # which the reading itself refuses
        return False
    raw = os.fsencode(name)
    return raw in _of_this_computer and environ._data.get(name) == _of_this_computer[raw]


def _getitem(self: Any, key: Any) -> Any:
    if _is_hidden(self, key):
        raise KeyError(key)
    return _read(self, key)


def _iter(self: Any) -> Iterator[Any]:
    for key in _walk(self):
        if not _is_hidden(self, key):
            yield key


def change() -> Callable[[], None]:
    """Let `os.environ` hide them from processes; returns what undoes it."""
    _Environ.__getitem__, _Environ.__iter__ = _getitem, _iter

    def undo() -> None:
        _Environ.__getitem__, _Environ.__iter__ = _read, _walk

    return undo
