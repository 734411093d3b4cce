"""How a process ends as by SIGKILL: no line of its code is run any more, no ``finally`` and no ``except``.

A greenlet that is dropped, or thrown an exception into, runs the handlers on its stack.  A process that lost
its machine must not: what its ``finally`` would do, it did not do.  Yet its frames have to be taken down, for
they hold sockets, and by these the whole network, in memory.

So `Killed` is raised where the process stands, and the interpreter is given a trace function that raises it
anew at each line that is about to be run, and at each call: handlers begin, and get no further.  A trace
function in Python would be put down after its first error, one in C is not; CPython calls it as
``function(object, frame, what, argument)`` (PyEval_SetTrace, docs.python.org/3/c-api/init.html), so that
PyObject_DelItem, which has the same shape and calls ``object.__delitem__(frame)``, is one.

`Killed` is a GeneratorExit, so that generators and coroutines which are dropped on the way close in silence.

Not prevented is what C code does when an exception passes: a lock or a file of this computer is released by
its ``with``.  And code behind the call in which a process ends its own host is run to the end of its line.
"""

from __future__ import annotations

import ctypes
import sys
import warnings
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any, TypeVar

from ..fence.allowed import OWN, is_of_program
from ..garbage import collector, run_collector


class Killed(GeneratorExit):
    """Takes down the frames of a process; no code of a program ever sees it."""


_Function = TypeVar("_Function", bound=Callable[..., Any])
_beneath: set[CodeType] = set()


def beneath_programs(function: _Function) -> _Function:
    """What this function of simnet calls is a program, or what a program leaves behind."""
    _beneath.add(function.__code__)
    return function


beneath_programs(run_collector)


def collect_young() -> None:
    """What frames have left behind in cycles goes, while lines are refused: no buffer is flushed later.

    What is older than two collections is not found.
    """
    collector.collect(1)


class _Refusal:
    """Refuses every line but those of simnet, which keeps its own books while frames are taken down, and of
    what simnet calls for that."""

    def __delitem__(self, frame: FrameType) -> None:
        if not _is_own(frame) and not _works_for_simnet(frame.f_back):
            raise Killed


def _is_own(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0] == OWN


def _works_for_simnet(frame: FrameType | None) -> bool:
    """Whether the first caller that is not of a library is simnet."""
    while frame is not None:
        if _is_own(frame):
            return frame.f_code not in _beneath
        if is_of_program(str(frame.f_globals.get("__name__", ""))):
            return False
        frame = frame.f_back
    return False


_set_trace = ctypes.pythonapi.PyEval_SetTrace
_set_trace.argtypes, _set_trace.restype = (ctypes.c_void_p, ctypes.py_object), None
_set_handled = ctypes.pythonapi.PyErr_SetHandledException
_set_handled.argtypes, _set_handled.restype = (ctypes.c_void_p,), None
_refuse = ctypes.cast(ctypes.pythonapi.PyObject_DelItem, ctypes.c_void_p)
_refusal = _Refusal()


_before: list[tuple[Any, Any, warnings.catch_warnings[None]]] = []


def refuse_lines() -> None:
    """From now on the current thread runs no line that is not simnet's, until `accept_lines`."""
    hook, silence = sys.unraisablehook, warnings.catch_warnings()
    silence.__enter__()  # a kernel closes files of this computer without a word
    warnings.simplefilter("ignore", ResourceWarning)
    _before.append((sys.gettrace(), hook, silence))
    sys.unraisablehook = _without_the_killed(hook)
    sys.settrace(
        None
    )  # else, where lines are traced already, 3.12 and later do not look at frames that stand
    _set_trace(_refuse, _refusal)


@beneath_programs
def accept_lines(before: Callable[[], object] | None = None) -> None:
    """The thread runs as before: debuggers and coverage get their trace function back.

    Args:
        before: called while lines are still refused, when the frames are gone.

    First goes what a handler that was refused has left behind as the exception being handled: it holds the
    frames, and the destructors that they lead to must not run either.
    """
    _set_handled(None)
    try:
        if before is not None:
            before()
    finally:
        trace, sys.unraisablehook, silence = _before.pop()
        sys.settrace(trace)
        silence.__exit__(None, None, None)


def _without_the_killed(hook: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """An unraisable hook that says nothing of destructors which were refused."""

    def tell(unraisable: Any) -> None:
        if not (isinstance(unraisable.exc_type, type) and issubclass(unraisable.exc_type, Killed)):
            hook(unraisable)

    return tell
