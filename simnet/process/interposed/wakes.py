"""Which task of an asyncio loop goes on first, where several could: a pick (`wake`), for who asks for it.

A pass of a loop makes the calls that are in line when it begins.  CPython keeps them in their order, and so
tasks that are woken by one event, or are made in one step, go on in the order in which they waited, or were
made; asyncio promises that of callbacks, not of tasks.  A program that relies on it is not wrong on CPython,
so no storm changes it by default.

Only steps of tasks change places, and among themselves; each task has one at most.  The number of a pick is
that of the pass.

Owns that pick, made between a loop's select and its calls.
"""

from __future__ import annotations

import asyncio
from asyncio import selector_events
from collections import deque
from collections.abc import Callable
from typing import Any

from ..process import Process, running

_loop: Any = selector_events.BaseSelectorEventLoop
_process_events: Any = _loop._process_events


def _process_and_choose(self: Any, event_list: Any) -> None:
    _process_events(self, event_list)
    process = running()
    if process is not None:
        process.passes += 1
        if process.host.network.watches_wakes:
            _choose_first(process, self._ready)


def _choose_first(process: Process, calls: deque[Any]) -> None:
    """Let the task that the network picks go on before the other tasks."""
    places = [place for place, call in enumerate(calls) if _is_step_of_a_task(call)]
    if len(places) < 2:
        return
    effect = process.host.network.choose("wake", process, process.passes, len(places))
    if effect is not None:
        steps = [calls[place] for place in places]
        steps.insert(0, steps.pop(effect[1] - 1))
        for place, step in zip(places, steps, strict=True):
            calls[place] = step


def _is_step_of_a_task(call: Any) -> bool:
    return isinstance(getattr(call._callback, "__self__", None), asyncio.Task)


def change() -> Callable[[], None]:
    """Let loops of processes ask; returns what undoes it."""
    _loop._process_events = _process_and_choose

    def undo() -> None:
        _loop._process_events = _process_events

    return undo
