"""Durations, sizes and rates with units, read exactly and kept as integers.

Inside simnet time is an integer number of nanoseconds, a size an integer number of bytes and a rate
an integer number of bits a second.  At the edge people write ``"20ms"``, ``"64KiB"`` and
``"10Mbit/s"``.  A bare number is seconds, bytes or bits a second.
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache

from .errors import UsageError

SECOND_NS = 1_000_000_000

_DURATIONS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "ms": 1_000_000,
    "s": SECOND_NS,
    "min": 60 * SECOND_NS,
    "h": 3600 * SECOND_NS,
}
_SIZES = {
    "B": 1,
    "kB": 1000,
    "MB": 1000**2,
    "GB": 1000**3,
    "KiB": 1024,
    "MiB": 1024**2,
    "GiB": 1024**3,
}
_RATES = {"bit/s": 1, "kbit/s": 1000, "Mbit/s": 1000**2, "Gbit/s": 1000**3} | {
    f"{unit}/s": 8 * bytes_ for unit, bytes_ in _SIZES.items()
}

_QUANTITY = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?|\.[0-9]+)\s*([A-Za-zµ/]*)\s*")


def duration_ns(value: str | float) -> int:
    """A duration as nanoseconds: ``"20ms"``, ``"1.5s"``, ``"2min"``; a bare number is seconds.

    Raises UsageError for anything else, and for negative or non-finite numbers.
    """
    try:
        return _duration_ns(value)
    except TypeError:  # what no cache can hold is no duration either
        return _read(value, _DURATIONS, SECOND_NS, "duration", "20ms")


@lru_cache(maxsize=1024, typed=True)
def _duration_ns(value: str | float) -> int:
    return _read(value, _DURATIONS, SECOND_NS, "duration", "20ms")


def size_bytes(value: str | int) -> int:
    """A size in bytes: ``"64KiB"``, ``"10kB"``; a bare number is bytes."""
    return _read(value, _SIZES, 1, "size", "64KiB")


def rate_bits(value: str | float) -> int:
    """A rate in bits a second: ``"10Mbit/s"``, ``"1MB/s"``; a bare number is bits a second."""
    return _read(value, _RATES, 1, "rate", "10Mbit/s")


def seconds(ns: int) -> str:
    """A virtual instant or duration for people: seconds, at least three decimals, never rounded."""
    whole, rest = divmod(abs(ns), SECOND_NS)
    digits = f"{rest:09d}"
    kept = digits.rstrip("0").ljust(3, "0")
    return f"{'-' if ns < 0 else ''}{whole}.{kept}"


def duration(ns: int) -> str:
    """The shortest exact spelling of a duration that `duration_ns` reads back."""
    for unit in ("h", "min", "s", "ms", "us"):
        if ns and ns % _DURATIONS[unit] == 0:
            return f"{ns // _DURATIONS[unit]}{unit}"
    return f"{ns}ns" if ns else "0s"


def _read(value: str | float, units: dict[str, int], bare: int, what: str, example: str) -> int:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise UsageError(f"a {what} is text like {example!r} or a number, not {value!r}")
    if isinstance(value, str):
        match = _QUANTITY.fullmatch(value)
        unit = match.group(2) if match else ""
        if match is None or (unit and unit not in units):
            raise UsageError(f"{value!r} is no {what}; write one like {example!r} (units: {' '.join(units)})")
        amount, scale = Fraction(match.group(1)), units[unit] if unit else bare
    else:
        try:
            amount, scale = Fraction(str(value)), bare
        except ValueError:
            raise UsageError(f"a {what} must be finite, not {value!r}") from None
    if amount < 0:
        raise UsageError(f"a {what} cannot be negative: {value!r}")
    return round(amount * scale)
