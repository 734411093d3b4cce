"""What a network may decide: every operation at which it could do one thing or another, and what it could do.

A pick is a number, and a number says nothing to a person; so for every operation `OUTCOMES` says what its
options are, in words and from mild to severe.  Option 0 is the textbook and has no words.

Owns the options.  Who picks is `choices`; how a pick is written down is `script`.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from functools import lru_cache

import attrs

from .errors import UsageError
from .units import duration_ns
from .words import Words


@attrs.frozen
class Outcome:
    """One kind of thing that may happen at an operation, from mild to severe in its amount.

    `amounts` maps the size of the operation (bytes, ready channels, nanoseconds) to the amounts that
    are possible then; an outcome without an amount has the one amount 0.
    """

    name: str
    words: Words = attrs.field(converter=Words)
    amounts: Callable[[int], Sequence[int]]


def _once(size: int) -> Sequence[int]:
    return (0,)


def _part_of(size: int) -> Sequence[int]:
    return range(size - 1, 0, -1)


def _up_to(size: int) -> Sequence[int]:
    return range(1, size + 1)


def _delays(size: int) -> Sequence[int]:
    return _DELAYS_NS


def _accept_errors(size: int) -> Sequence[int]:
    return _ACCEPT_ERRORS


def _few(size: int) -> Sequence[int]:
    return (1, 2, 3)


_DELAYS_NS = tuple(duration_ns(text) for text in ("1ms", "5ms", "20ms", "100ms", "500ms", "2s", "10s", "60s"))
_ACCEPT_ERRORS = (errno.ECONNABORTED, errno.EMFILE, errno.ENFILE, errno.ENOBUFS)

OUTCOMES: dict[str, tuple[Outcome, ...]] = {
    "connect": (
        Outcome("loses", "loses {count} SYN", _few),
        Outcome("refused", "is refused", _once),
    ),
    "accept": (
        Outcome("again", "is told to try again", _once),
        Outcome("fails", "fails with {errno}", _accept_errors),
    ),
    "send": (
        Outcome("takes", "takes {bytes}", _part_of),
        Outcome("again", "is told to try again", _once),
        Outcome("reset", "is reset", _once),
    ),
    "recv": (
        Outcome("again", "is told to try again", _once),
        Outcome("reset", "is reset", _once),
    ),
    "segment": (
        Outcome("late", "comes {duration} late", _delays),
        Outcome("cut", "is cut after {bytes}", _part_of),
        Outcome("lost", "is lost", _once),
        Outcome("reset", "is reset", _once),
    ),
    "jitter": (Outcome("late", "adds {duration}", _up_to),),
    "turn": (Outcome("first", "starts with ready number {count}", lambda size: range(2, size + 1)),),
}
"""Every operation at which a network may deviate, with its outcomes from mild to severe.

=========  =====================  ====================================================================
operation  belongs to             the size of a Point
=========  =====================  ====================================================================
connect    a connection's opener  0
accept     a listener             0
send       an end                 bytes that would be taken
recv       an end                 bytes that would be returned
segment    an end                 bytes in the segment it emits
jitter     an end                 the link's jitter, ns
turn       a host, the network    how many channels (or hosts) are ready at once
=========  =====================  ====================================================================
"""


GENTLE = frozenset(
    {
        ("connect", "loses"),
        ("accept", "again"),
        ("send", "takes"),
        ("send", "again"),
        ("recv", "again"),
        ("segment", "late"),
        ("segment", "cut"),
        ("segment", "lost"),
        ("jitter", "late"),
        ("turn", "first"),
    }
)
"""What TCP hides from a program that is right: everything arrives, only not as on the textbook network.

A program that fails in gentle weather is wrong; one that fails when a connection is reset may have
every right to.
"""

EVERY = frozenset((op, outcome.name) for op, outcomes in OUTCOMES.items() for outcome in outcomes)
"""Every kind of deviation, as (operation, outcome)."""


@lru_cache(maxsize=4096)
def options(op: str, size: int) -> int:
    """How many options a pick at operation `op` has, the calm one included."""
    return 1 + sum(len(outcome.amounts(size)) for outcome in OUTCOMES[op])


def option(op: str, size: int, index: int) -> tuple[str, int]:
    """What option `index` (not 0) means: the outcome's name and its amount."""
    rest = index - 1
    for outcome in OUTCOMES[op]:
        amounts = outcome.amounts(size)
        if rest < len(amounts):
            return outcome.name, amounts[rest]
        rest -= len(amounts)
    raise AssertionError(f"{op} of size {size} has no option {index}")


def option_index(op: str, size: int, name: str, amount: int, wrap: bool = False) -> int:
    """The option that does `name` with `amount`; 0 where that is not possible at this size.

    With `wrap`, an amount that is out of range means one that is in range: drawn scripts do not know
    the sizes that they will meet.
    """
    index = 1
    for outcome in OUTCOMES[op]:
        amounts = outcome.amounts(size)
        if outcome.name == name:
            if amount in amounts:
                return index + amounts.index(amount)
            return index + amount % len(amounts) if wrap and amounts else 0
        index += len(amounts)
    raise UsageError(f"{op!r} has no outcome {name!r}; it has {', '.join(o.name for o in OUTCOMES[op])}")


def outcome_of(op: str, name: str) -> Outcome:
    """The outcome of that name; UsageError with the names that there are."""
    for outcome in OUTCOMES[op]:
        if outcome.name == name:
            return outcome
    raise UsageError(f"{op!r} has no outcome {name!r}; it has {', '.join(o.name for o in OUTCOMES[op])}")
