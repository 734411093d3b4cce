"""Where a process stands: the line of its program that waits.

Owns the walk over the frames of a greenlet that stands still.
"""

from __future__ import annotations

from types import FrameType

from ..fence.allowed import OWN, is_of_program


def place_of(frame: FrameType | None) -> str:
    """The innermost line of the program's own, as ``path:line``; else the innermost that is not simnet's."""
    outside = ""
    while frame is not None:
        module = str(frame.f_globals.get("__name__", ""))
        here = f"{frame.f_code.co_filename}:{frame.f_lineno}"
        if is_of_program(module):
            return here
        if not outside and module.partition(".")[0] != OWN:
            outside = here
        frame = frame.f_back
    return outside


def library_call(frame: FrameType | None) -> str:
    """What of the standard library the program has called to wait there, such as ``Queue.get``."""
    found = ""
    while frame is not None:
        module = str(frame.f_globals.get("__name__", ""))
        if is_of_program(module):
            return found
        if module.partition(".")[0] != OWN:
            found = frame.f_code.co_qualname
        frame = frame.f_back
    return found
