"""What the socket module looks at before it asks the kernel: numbers, buffers, sequences.

Owns the checks and their texts, those of CPython's argument parsing.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

from ...units import SECOND_NS

_TIME_MAX_NS = (1 << 63) - 1
_SIZE_MAX = (1 << 63) - 1


def c_int(value: Any) -> int:
    """A number as the C functions take it."""
    number = operator.index(value)
    if not -0x8000_0000 <= number <= 0x7FFF_FFFF:
        bound = "greater than maximum" if number > 0 else "less than minimum"
        raise OverflowError(f"signed integer is {bound}")
    return number


def c_size(value: Any) -> int:
    """A size as the C functions take it (Py_ssize_t)."""
    number = operator.index(value)
    if not -_SIZE_MAX <= number < _SIZE_MAX:  # the greatest is no room that can be had
        raise OverflowError("Python int too large to convert to C ssize_t")
    return number


def duration_ns(value: Any, unit_ns: int = SECOND_NS) -> int:
    """A time-out in nanoseconds, rounded away from zero so that nobody waits too short."""
    if isinstance(value, float):
        if math.isnan(value):
            raise ValueError("Invalid value NaN (not a number)")
        product = value * unit_ns
        if not -_TIME_MAX_NS <= product <= _TIME_MAX_NS:
            raise OverflowError("timestamp out of range for platform time_t")
        return math.ceil(product) if product >= 0 else math.floor(product)
    whole = operator.index(value) * unit_ns
    if not -_TIME_MAX_NS <= whole <= _TIME_MAX_NS:
        raise OverflowError("timestamp too large to convert to C PyTime_t")
    return whole


def timeout_s(value: Any) -> float | None:
    """What settimeout() is given, to the nanosecond (socket_parse_timeout)."""
    if value is None:
        return None
    wait_ns = duration_ns(value)
    if wait_ns < 0:
        raise ValueError("Timeout value out of range")
    return wait_ns / SECOND_NS


def members(call: str, place: int, value: Any) -> list[Any]:
    """The members of an argument that has to be an iterable."""
    try:
        return list(value)
    except TypeError:
        raise TypeError(f"{call}() argument {place} must be an iterable") from None


def control_message(item: Any) -> tuple[int, int, bytes]:
    """One message of sendmsg()'s ancillary data: level, type and bytes."""
    call = "[sendmsg() ancillary data items]() argument must be"
    if not isinstance(item, Sequence):
        raise TypeError(f"{call} 3-item sequence, not {type(item).__name__}")
    if len(item) != 3:
        raise TypeError(f"{call} sequence of length 3, not {len(item)}")
    level, kind, data = item
    return c_int(level), c_int(kind), bytes_of(data)


def bytes_of(buffer: Any) -> bytes:
    """The bytes of whatever the socket module takes for bytes."""
    try:
        with memoryview(buffer) as view:
            return view.tobytes()
    except TypeError:
        raise TypeError(f"a bytes-like object is required, not {type(buffer).__name__!r}") from None


def room_in(call: str, view: memoryview, size: int) -> int:
    """How much a call may write into a buffer."""
    if view.readonly:
        name = type(view.obj).__name__
        raise TypeError(f"{call}() argument 1 must be read-write bytes-like object, not {name}")
    size = c_size(size)
    if size < 0:
        raise ValueError(f"negative buffersize in {call}")
    if size > len(view):
        raise ValueError("buffer too small for requested bytes")
    return size or len(view)
