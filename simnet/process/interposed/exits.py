"""`atexit` in a process: what a program registers is called when its process ends, and not when pytest does.

So it is where the function has returned, or an exception has left it, and the threads have ended that are no
daemons; the latest first.  A process that is killed, or ended by a signal without a handler, calls nothing.
What one of these functions lets out is the process's exception; the others are not called then.

What the standard library registers for itself, as `logging` does when it is imported, is the interpreter's.

Owns the functions that stand for those of `atexit`.
"""

from __future__ import annotations

import atexit
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ...fence.allowed import OWN, is_of_program
from ..process import running

if TYPE_CHECKING:
    from ...virtual.host import Host


def _is_of_the_library() -> bool:
    """Whether the caller is a module of the standard library, or simnet."""
    frame = sys._getframe(2)
    module = OWN
    while frame is not None and module.partition(".")[0] == OWN:
        module = str(frame.f_globals.get("__name__", ""))
        frame = frame.f_back  # type: ignore[assignment]
    return not is_of_program(module)


def _register(host: Host, original: Any, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    if _is_of_the_library():
        return original(function, *args, **kwargs)
    if not callable(function):
        raise TypeError("the first argument must be callable")
    process = running()
    assert process is not None
    process.leader.exit_calls.append((function, args, kwargs))
    return function


def _unregister(host: Host, original: Any, function: Callable[..., Any], /) -> None:
    if _is_of_the_library():
        original(function)
        return
    process = running()
    assert process is not None
    leader = process.leader
    leader.exit_calls = [each for each in leader.exit_calls if each[0] != function]


def stand_ins() -> dict[Any, Callable[..., Any]]:
    """By function, what a process calls in its place."""
    return {atexit.register: _register, atexit.unregister: _unregister}
