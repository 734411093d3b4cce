"""What asyncio keeps of a process that is killed: tasks that are suspended, on no stack, and their loop.

Nothing of them may run later, when the garbage collector finds them: no ``finally`` of a coroutine, and no
destructor of a transport that would close its socket.  So coroutines are closed, and the collector runs,
while every line is refused (`ending`).

Not found are asynchronous generators that no task of the loop waits in.

Owns the tasks of one loop.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any
from weakref import ref

from ..garbage import collector
from .ending import beneath_programs


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
