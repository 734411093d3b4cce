"""Where a program went past its host: the innermost line that is the program's own.

Owns the walk over the stack.  Who may go past the fence without a report is in `allowed`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from fnmatch import fnmatchcase
from types import FrameType

import attrs

from .allowed import CALLERS, STANDARD, is_tool
from .ways import Way

_PASSED_BY = ("simnet.process.interposed.names", "simnet.census.counting")
"""Where calls of a program pass by that are interposed in processes, or counted."""


@attrs.frozen
class Place:
    """A line of a program.

    Attributes:
        path, line: where.
        called: the function of the standard library that is called there.
    """

    path: str
    line: int
    called: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"


def place_of(way: Way, allow: Collection[str], frame: FrameType | None) -> Place | None:
    """Where `way` is gone, looking outwards from `frame`; None if whoever goes it may.

    The walk ends where simnet called the program, or a tool such as pytest did.
    """
    path, line, called = "", 0, way.name
    while frame is not None:
        module = str(frame.f_globals.get("__name__", ""))
        if _may(CALLERS, module, way) or (allow and matches(allow, packages(module))):
            return None
        top = module.partition(".")[0]
        if module in _PASSED_BY:
            frame = frame.f_back
            continue
        if top in STANDARD:
            called = called if path else _called(way, module, frame.f_code.co_qualname)
        elif is_tool(top):
            break
        elif not path:
            path, line = frame.f_code.co_filename, frame.f_lineno
            if matches(allow, (called,)):
                return None
        frame = frame.f_back
    return Place(path, line, called) if path else None


def _called(way: Way, module: str, qualname: str) -> str:
    """What a program called, by a frame of the standard library: ``threading.Thread``, not its ``start``."""
    name = f"{module}.{qualname}"
    return way.name if name.startswith(way.name + ".") else name.removesuffix(".__init__")


def _may(callers: Mapping[str, Collection[str]], module: str, way: Way) -> bool:
    """Whether the table lets `module`, or a package that it is in, go `way`."""
    return any(way.family in callers.get(package, ()) for package in packages(module))


def packages(module: str) -> Iterator[str]:
    """A module and the packages that it is in, innermost first."""
    while module:
        yield module
        module = module.rpartition(".")[0]


def matches(patterns: Collection[str], names: Collection[str] | Iterator[str]) -> bool:
    """Whether one of the names is one of the patterns, in which ``*`` stands for any characters."""
    return any(fnmatchcase(name, pattern) for name in names for pattern in patterns)
