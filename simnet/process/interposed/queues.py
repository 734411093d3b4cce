"""`queue.SimpleQueue` in a process: the type stays, and whoever has to wait for an item stands still.

It is made in C and waits there; its methods are replaced (`methods`).  `queue.Queue` and its like are made of
locks, and come to `locks`.

Owns its methods that wait, look, or wake.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any

from ..process import Process, running
from ..thread import give_way_at
from .methods import replace

_put, _get = SimpleQueue.put, SimpleQueue.get
_waiting: dict[Any, list[Process]] = {}


def _put_in(self: Any, item: Any, block: Any = True, timeout: Any = None) -> None:
    _put(self, item)
    for thread in _waiting.get(self, ()):
        thread.wake()
    if (putting := running()) is not None:
        give_way_at(putting, "put")


def _put_nowait(self: Any, item: Any) -> None:
    _put_in(self, item)


def _get_out(self: Any, block: Any = True, timeout: Any = None) -> Any:
    thread = running()
    if thread is None or (block and timeout is not None and timeout < 0):
        return _get(self, block, timeout)
    if not block:
        timeout = 0
    give_way_at(thread, "get")
    found: list[Any] = []
    if not _finds(self, found):
        if timeout == 0:
            thread.ask_again("get")
        deadline_ns = None if timeout is None else thread.host.deadline_ns(timeout)
        waiting = _waiting.setdefault(self, [])
        waiting.append(thread)
        try:
            thread.wait("get", partial(_finds, self, found), deadline_ns)
        finally:
            waiting.remove(thread)
            if not waiting:
                _waiting.pop(self, None)
    if not found:
        raise Empty
    return found.pop()


def _get_nowait(self: Any) -> Any:
    return _get_out(self, False)


def _finds(queue: Any, found: list[Any]) -> bool:
    try:
        found.append(_get(queue, False))
    except Empty:
        return False
    return True


def change() -> Callable[[], None]:
    """Let threads of processes wait for items by standing still; returns what undoes it."""
    methods = {"put": _put_in, "put_nowait": _put_nowait, "get": _get_out, "get_nowait": _get_nowait}
    return replace(SimpleQueue, methods)
