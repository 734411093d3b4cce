"""Hashes of objects that a program keeps in sets: in a process a number, not an address.

What has no hash of its own is hashed by its address, and a set is walked in the order of hashes.  So a
program that cancels all its tasks, or closes all its connections, does that in another order in every run.
In a process the objects named here are numbered when they are first hashed; so the order in which a set is
walked depends on nothing but what the program did before.  Types and objects stay what they are.

asyncio itself keeps tasks, futures, transports, coroutines and asynchronous generators in sets, programs
keep protocols, writers, sockets and threads there as well.  Objects of other classes keep their addresses:
nobody knows which of them are in a set already, and from a set one whose hash changes is lost.  For the same
reason a hash that was told once, inside or outside, stays what it is.

A number says which process it is of as well, so that a registry of the tasks of many hosts has few that are
equal.

Owns the numbers, and which types are numbered.  What of asyncio depends on other things is `tasks`.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import socket
import sys
import threading
from collections.abc import Callable
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import AsyncGeneratorType, CoroutineType, ModuleType
from typing import Any
from weakref import ref

from ..process import running
from .methods import give

_asyncio: Any = asyncio
_OF_THE_LIBRARY: tuple[type, ...] = (
    *(asyncio.Future, asyncio.Task, _asyncio.futures._PyFuture, _asyncio.tasks._PyTask),
    *(CoroutineType, AsyncGeneratorType),
    *(asyncio.BaseProtocol, asyncio.BaseTransport, asyncio.AbstractServer),
    *(asyncio.StreamReader, asyncio.StreamWriter),
    *(concurrent.futures.Future, threading.Thread, socket.socket),
)
_OF_PACKAGES: dict[str, tuple[str, ...]] = {
    "anyio._backends._asyncio": ("CancelScope",),
    "aiohttp.web_request": ("BaseRequest",),
    "aiohttp.web_response": ("StreamResponse",),
    "aiohttp.client_ws": ("ClientWebSocketResponse",),
    "redis.connection": ("AbstractConnection",),
    "redis.asyncio.connection": ("AbstractConnection",),
}
"""What packages keep in sets, or tell their users to, and what has no base of the library."""

_PROCESS_BITS = 20


class _Numbered(ref[Any]):
    """Keeps the number of an object for as long as there is the object."""

    __slots__ = ("address", "number")

    address: int
    number: int


_numbers: dict[int, _Numbered] = {}


def _forget(gone: Any, numbers: dict[int, _Numbered] = _numbers) -> None:
    del numbers[gone.address]  # also when the interpreter ends, and has taken globals away


def _hash_of(kind: str) -> Callable[[Any], int]:
    """The hash of one kind of objects, which are counted for themselves: how many of another there are is a
    matter of the version."""

    def number_of(self: Any) -> int:
        address = id(self)
        known = _numbers.get(address)
        if known is None:
            try:
                known = _Numbered(self, _forget)
            except TypeError:  # its class leaves no room for that
                return object.__hash__(self)
            known.address, known.number = address, _next(kind, self)
            _numbers[address] = known
        return known.number

    return number_of


def _next(kind: str, thing: Any) -> int:
    process = running()
    if process is None:
        return object.__hash__(thing)
    leader = process.leader
    number = leader.hashes[kind] = leader.hashes.get(kind, -1) + 1
    return (leader.ident << _PROCESS_BITS) + number


_undo: dict[type, Callable[[], None]] = {}


def change() -> Callable[[], None]:
    """Let objects of these types be hashed by number; returns what undoes it."""
    for cls in _OF_THE_LIBRARY:
        _undo[cls] = give(cls, "__hash__", _hash_of(cls.__name__))
    for module in _OF_PACKAGES:
        if module in sys.modules:
            _change_module(sys.modules[module])
    finder = _Finder()
    sys.meta_path.insert(0, finder)

    def undo_all() -> None:
        sys.meta_path.remove(finder)
        for undo in reversed(_undo.values()):
            undo()
        _undo.clear()

    return undo_all


def _change_module(module: ModuleType) -> None:
    for name in _OF_PACKAGES[module.__name__]:
        cls = getattr(module, name, None)
        if isinstance(cls, type) and cls not in _undo:
            _undo[cls] = give(cls, "__hash__", _hash_of(name))


class _Finder(MetaPathFinder):
    """Sees modules of these packages come, so that no object of theirs tells another hash before."""

    def find_spec(self, name: str, path: Any, target: ModuleType | None = None) -> ModuleSpec | None:
        spec = PathFinder.find_spec(name, path, target) if name in _OF_PACKAGES else None
        if spec is not None and spec.loader is not None:
            loader: Any = spec.loader
            execute = loader.exec_module

            def execute_and_change(module: ModuleType) -> None:
                execute(module)
                _change_module(module)

            loader.exec_module = execute_and_change
        return spec
