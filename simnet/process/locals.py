"""What `threading.local` keeps, of a process or a thread that stands still.

The interpreter finds the values of all locals by the thread of this computer that asks, and all processes run
in one.  So they are taken out of it when a process comes to stand, and put back when it goes on: a local is
one wherever it was made, its subclasses included, and in a new thread it is made anew, as ever.

Where they are found is a matter of the version: the dictionary of the thread (PyThreadState_GetDict) until
3.12, from 3.13 on two fields in the state of the thread, a key and what tells that the thread has ended
(Modules/_threadmodule.c).  Nobody says where these two are; they are looked for once, by what they hold.

A process runs in one thread of this computer from its first turn on (greenlets cannot leave theirs), so where
its values go is looked up then, and a switch only exchanges them.

Owns the exchange.
"""

from __future__ import annotations

import ctypes
import gc
import sys
import threading
from itertools import pairwise
from typing import Any
from weakref import getweakrefcount

_IN_THE_STATE = sys.version_info >= (3, 13)
_SEARCHED = 512  # bytes of the state
_WORD = ctypes.sizeof(ctypes.c_void_p)

_address_of_dict = ctypes.pythonapi.PyThreadState_GetDict
_address_of_dict.argtypes, _address_of_dict.restype = (), ctypes.c_void_p
_state_of_thread = ctypes.pythonapi.PyThreadState_Get
_state_of_thread.argtypes, _state_of_thread.restype = (), ctypes.c_void_p
_drop = ctypes.pythonapi.Py_DecRef
_drop.argtypes, _drop.restype = (ctypes.c_void_p,), None

_Two = ctypes.c_size_t * 2


_dicts: dict[int, dict[Any, Any]] = {}
"""The dictionaries of threads by their addresses, which stay theirs because they are kept."""


def _dict_of_thread() -> dict[Any, Any]:
    address = _address_of_dict()
    found = _dicts.get(address)
    if found is None:  # the reference that the call returns is borrowed
        found = _dicts[address] = ctypes.cast(address, ctypes.py_object).value
    return found


class InTheDictionary:
    """The values of one process, or what was there in their place while it runs."""

    __slots__ = ("_of_thread", "_values")

    def __init__(self) -> None:
        self._values: dict[Any, Any] = {}
        self._of_thread: dict[Any, Any] = {}

    def settle(self) -> None:
        """This is the thread that the process runs in."""
        self._of_thread = _dict_of_thread()

    def exchange(self) -> None:
        """Put in what is here, and take out what is there."""
        of_thread = self._of_thread
        values = {key: value for key, value in of_thread.items() if value.__class__ is _KIND}
        for key in values:
            del of_thread[key]
        if not self._values:
            self._values = values
            return
        # A local that is gone meanwhile has left behind what points nowhere; its key may be another's now.
        of_thread.update({key: value for key, value in self._values.items() if getweakrefcount(value)})
        self._values = values

    def drop(self) -> None:
        """The process has ended."""
        self._values = {}


_fields: dict[int, memoryview] = {}
"""The two fields by the addresses of states: only a way of looking at them."""


class InTheState:
    """The same from Python 3.13 on: the two fields, which are empty together."""

    __slots__ = ("_fields", "_key", "_sentinel")

    def __init__(self) -> None:
        self._key = self._sentinel = 0
        self._fields: memoryview = memoryview(b"")

    def settle(self) -> None:
        address = _state_of_thread()
        fields = _fields.get(address)
        if fields is None:
            both = _Two.from_address(address + _OFFSET)
            fields = _fields[address] = memoryview(both).cast("B").cast("P")
        self._fields = fields

    def exchange(self) -> None:
        fields = self._fields
        key = fields[0]
        if key or self._key:
            sentinel = fields[1]
            fields[0], fields[1] = self._key, self._sentinel
            self._key, self._sentinel = key, sentinel

    def drop(self) -> None:
        key, sentinel, self._key, self._sentinel = self._key, self._sentinel, 0, 0
        for each in (key, sentinel):
            if each:
                _drop(each)


def _kind_in_the_dictionary() -> type:
    """The type by which a dictionary of a thread keeps a local."""
    before = len(_dict_of_thread())
    local = threading.local()
    local.value = 1
    *_, found = _dict_of_thread().values()
    assert len(_dict_of_thread()) == before + 1, "this interpreter keeps threading.local somewhere else"
    return type(found)


def _offset_in_the_state() -> int:
    """Where in the state of a thread the two fields begin."""
    local = threading.local()
    local.value = 1
    held = gc.get_referents(local)
    (key,) = (key for each in held if isinstance(each, dict) for key in each)
    (sentinel,) = (reference() for each in held if isinstance(each, set) for reference in each)
    words = (ctypes.c_void_p * (_SEARCHED // _WORD)).from_address(_state_of_thread())
    for index, pair in enumerate(pairwise(words)):
        if pair == (id(key), id(sentinel)):
            return index * _WORD
    raise AssertionError("this interpreter keeps the values of threading.local somewhere else")


if _IN_THE_STATE:
    _OFFSET = _offset_in_the_state()
    _KIND: type = object
    Locals: Any = InTheState
else:
    _OFFSET = 0
    _KIND = _kind_in_the_dictionary()
    Locals = InTheDictionary
