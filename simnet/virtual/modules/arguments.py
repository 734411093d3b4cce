"""How the standard modules read the arguments that several of them take: descriptors and time-outs.

Owns checks, messages and rounding; those of CPython (Objects/fileobject.c, Python/pytime.c).
"""

from __future__ import annotations

import operator
from typing import Any

from ...units import SECOND_NS
from ..socket.arguments import duration_ns

INT_MIN, INT_MAX = -(1 << 31), (1 << 31) - 1
MILLISECOND_NS = SECOND_NS // 1000


def int_of(value: Any) -> int:
    """A C int."""
    number: int = value if value.__class__ is int else operator.index(value)
    if not INT_MIN <= number <= INT_MAX:
        raise OverflowError("Python int too large to convert to C int")
    return number


def descriptor_of(source: Any) -> int:
    """The descriptor that a program names: an int, or an object with fileno() (PyObject_AsFileDescriptor)."""
    if isinstance(source, int):
        fd = int_of(source)
    elif hasattr(source, "fileno"):
        fd = source.fileno()
        if not isinstance(fd, int):
            raise TypeError("fileno() returned a non-integer")
        fd = int_of(fd)
    else:
        raise TypeError("argument must be an int, or have a fileno() method.")
    if fd < 0:
        raise ValueError(f"file descriptor cannot be a negative integer ({fd})")
    return fd


def unsigned_short_of(value: Any) -> int:
    """A set of poll(2) events."""
    if not isinstance(value, int):
        raise TypeError("an integer is required")
    if value < 0:
        raise ValueError("value must be positive")
    if value > 0xFFFF:
        raise OverflowError("Python int too large for C unsigned short")
    return value


def milliseconds(value: Any, unit_ns: int, away_from_zero: bool = False) -> int | None:
    """What poll(2) and epoll_wait(2) are told: whole milliseconds; None, or less than none, is for ever.

    CPython rounds up for the one and away from zero for the other; for what is negative that differs.
    """
    if value is None:
        return None
    if value.__class__ is int and -1 <= value <= 1:  # what selectors pass on, if nothing is due later
        return None if value < 0 else value * unit_ns // MILLISECOND_NS
    try:
        wait_ns = duration_ns(value, unit_ns)
    except TypeError:
        raise TypeError("timeout must be an integer or None") from None
    wait_ms = -(-wait_ns // MILLISECOND_NS)
    if not INT_MIN <= wait_ms <= INT_MAX:
        raise OverflowError("timeout is too large")
    return None if wait_ms < 0 or (away_from_zero and wait_ns < 0) else wait_ms
