"""Which amounts of an outcome are worth a run, the most telling first.

A cut of a segment of 4000 bytes has 3999 amounts.  Those that people name come first: the first byte and all
but the last, the second and all but the last two, the middle, and for bytes that hold line ends the places
before, within and after each of them.  Delays are few as they are.  Of everything else there is a sample.

Owns that order.  What is possible at all is `simnet.outcomes`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import islice

from ...choices import Noted
from ...outcomes import Outcome

AMOUNTS_MAX = 64
"""Outcomes with more amounts than this are tried only where people would name them."""

_SAMPLES = 8
_LINE_END = re.compile(rb"\r?\n")


def telling(outcome: Outcome, place: Noted, amounts_max: int = AMOUNTS_MAX) -> tuple[int, ...]:
    """The amounts to try, at most `amounts_max` of them, named ones first."""
    amounts = outcome.amounts(place.size)
    if len(amounts) <= 1:
        return tuple(amounts)
    named = named_places(place) if "bytes" in outcome.words.holes else ()
    first = [amount for amount in named if amount in amounts]
    rest = amounts if len(amounts) <= amounts_max else _sample(amounts) if not first else ()
    return tuple(islice(dict.fromkeys((*first, *rest)), amounts_max))


def named_places(place: Noted) -> Sequence[int]:
    """The byte counts of an operation that people name; some may be 0, or all of it."""
    size = place.size
    return [1, size - 1, size // 2, *at_line_ends(place.data), 2, size - 2]


def at_line_ends(data: bytes) -> list[int]:
    """The places before, within and behind each line end."""
    return [at for found in _LINE_END.finditer(data) for at in range(found.start(), found.end() + 1)]


def _sample(amounts: Sequence[int]) -> Sequence[int]:
    return [amounts[len(amounts) * part // _SAMPLES] for part in range(_SAMPLES)]
