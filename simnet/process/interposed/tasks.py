"""What asyncio keeps for the whole interpreter, and a process finds as if it had one of its own.

- Tasks that have no name get numbers: in each process from 1 on, as in a new interpreter.
- The registry of tasks is a weak set for all loops.  In which order it is walked depends on what was in it
  before, so it is kept in the order of registration.
- `loop.create_server` puts the addresses that it is to listen at into a set, of tuples with text in them,
  which is walked by the seed of hashes.

Owns these three.
"""

from __future__ import annotations

import asyncio
from asyncio import base_events
from collections.abc import Callable
from typing import Any

from ..process import running
from .methods import give

_asyncio: Any = asyncio
_base_events: Any = base_events
_registry: Any = getattr(_asyncio.tasks, "_scheduled_tasks", None)  # from Python 3.12 on
if _registry is None:
    _registry = _asyncio.tasks._all_tasks

_init: Any = asyncio.Task.__init__


def _init_with_name(self: Any, coro: Any, *, name: Any = None, **kwargs: Any) -> None:
    if name is None:
        process = running()
        if process is not None:
            name = f"Task-{next(process.leader.tasks)}"
    _init(self, coro, name=name, **kwargs)
    made_by = self._source_traceback
    if made_by:  # in debug mode: who has made it, and that is not the line above
        del made_by[-1]


class _InOrder(dict[Any, None]):
    """A set that is walked in the order in which its members came; what a WeakSet wants of one."""

    add = dict.setdefault

    def discard(self, member: Any) -> None:
        self.pop(member, None)


def change() -> Callable[[], None]:
    """Let asyncio keep these in order; returns what undoes it."""
    undo_init = give(asyncio.Task, "__init__", _init_with_name)
    _registry.data = _InOrder.fromkeys(_registry.data)
    _base_events.set = dict.fromkeys

    def undo() -> None:
        undo_init()
        _registry.data = set(_registry.data)
        del _base_events.set

    return undo
