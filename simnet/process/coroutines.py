"""What asyncio keeps of a process: the loop that runs, and tasks that are suspended, on no stack.

asyncio keeps the running loop for the thread of this computer, which all processes share.  When a process is
killed, nothing of its tasks may run later, when the garbage collector finds them: no ``finally`` of a
coroutine, and no destructor of a transport that would close its socket.  So coroutines are closed, and the
collector runs, while every line is refused (`ending`).

Not found are asynchronous generators that no task of the loop waits in.

Owns which loop runs, and the tasks of one loop.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any
from weakref import ref

from ..garbage import collector
from .ending import beneath_programs


def take_running_loop() -> tuple[Any, Any] | None:
    """The loop that runs in this thread of the computer, with its hooks for asynchronous generators: it is
    another process's turn, and none does."""
    asyncio: Any = sys.modules.get("_asyncio")
    loop = None if asyncio is None else asyncio._get_running_loop()
    if loop is None:
        return None
    hooks = sys.get_asyncgen_hooks()
    put_running_loop(None, (None, None))
    return loop, hooks


def put_running_loop(loop: Any, hooks: Any) -> None:
    """It is the turn again of the process whose loop that is."""
    sys.modules["_asyncio"]._set_running_loop(loop)
    sys.set_asyncgen_hooks(*hooks)


def abandon(loop: Any, moment: int) -> Callable[[], None]:
    """Let go of a loop; returns what takes its tasks down, to be called while every line is refused.

    Args:
        moment: before which the collector need look for nothing of the loop's.
    """
    asyncio: Any = sys.modules["asyncio"]
    tasks = asyncio.all_tasks(loop)
    coroutines = [task.get_coro() for task in tasks]
    for task in tasks:
        task._log_destroy_pending = False
    local: Any = getattr(asyncio.events._event_loop_policy, "_local", None)
    if getattr(local, "_loop", None) is loop:
        local._loop = None
    left = ref(loop)

    @beneath_programs
    def take_down() -> None:
        tasks.clear()
        while coroutines:
            _close(coroutines.pop())
        collector.collect_since(moment)
        kept: Any = left()
        if isinstance(kept, asyncio.BaseEventLoop):  # by a package, which lets it go at any time
            kept._closed = True  # or its destructor complains then

    return take_down


@beneath_programs
def _close(coroutine: Any) -> None:
    """Unless it is on the stack, and goes with it."""
    if not coroutine.cr_running:
        coroutine.close()
