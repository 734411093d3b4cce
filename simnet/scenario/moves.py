"""Where the anchor of a deviation may have moved to, when a program was edited: the nearest operations first.

Three things move.  A connection that is opened earlier, or by a host of another name, moves the place.  A
call that is made earlier moves the count.  And bytes that are put into a message move the amount: whoever
cut between CR and LF still means that cut, wherever it is now.

Owns distances, in places, counts and bytes.  Whether the program fails there is found out by `nearby`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

import attrs

from ..outcomes import outcome_of
from ..script import Deviation
from .anchors import split
from .operations import Carried, Operation, is_at

COST_MAX = 4.0
_NAME_COST = 1.5
"""Another host or port counts as much as so many connections or operations."""

_TURNS = ("turn", "next", "timer", "step", "switch", "wake")  # of a whole host: every call more counts
_DELIMITERS = (b"\r\n\r\n", b"\r\n", b"\n", b"\0")
_ROLE = re.compile(r"#(\d+) (\w+)")


@attrs.frozen
class Candidate:
    """A deviation that may do instead, how far it is from the first, and by which `shift`."""

    cost: float
    deviation: Deviation
    shift: tuple[object, ...] = ()


def candidates(deviation: Deviation, was: Carried | None, operations: Iterable[Operation]) -> list[Candidate]:
    """What may do instead of a deviation, the nearest first; itself at first, at no cost.

    Args:
        was: what its operation carried when it was recorded, if that is known.
        operations: those of a run of the program as it is now.
    """
    found = [Candidate(0.0, deviation)]
    for operation in operations:
        if (distance := _distance(deviation, operation)) is None:
            continue
        cost, shift = distance
        likeness = 1.0 if was is None else similarity(was, operation.carried)
        for rank, amount in enumerate(amounts(deviation, was, operation)):
            total = cost + rank / 2 + (1 - likeness)
            moved = at(deviation, operation, amount)
            if moved != deviation and total <= COST_MAX:
                found.append(Candidate(total, moved, shift))
    return sorted(found, key=lambda each: (each.cost, each.deviation))


def likeliest(deviation: Deviation, was: Carried, operations: Sequence[Operation]) -> Deviation | None:
    """The deviation at the operation that carries what its own carried, or nearly so; None if none does."""
    best: tuple[float, float] | None = None
    found = None
    for operation in operations:
        distance = _distance(deviation, operation)
        likeness = similarity(was, operation.carried)
        if distance is None or likeness < 0.5:
            continue
        possible = amounts(deviation, was, operation)
        if possible and (best is None or (likeness, -distance[0]) > best):
            best = likeness, -distance[0]
            found = at(deviation, operation, possible[0])
    return found


def at(deviation: Deviation, operation: Operation, amount: int) -> Deviation:
    """The same deviation at another operation."""
    where = operation.alias if deviation.wraps else operation.where
    return attrs.evolve(deviation, where=where, nth=operation.nth, amount=amount)


def similarity(was: Carried, is_now: Carried | None) -> float:
    """From 0 to 1: how much of the longer of two operations' bytes both begin and end with.

    All of what was carried, within something longer, is more than half of it.
    """
    if is_now is None:
        return 0.0
    if was == is_now:
        return 1.0
    head, tail = _in_common(was, is_now)
    length = max(len(was.data), len(is_now.data))
    likeness = (head + tail) / (length if was.is_whole and is_now.is_whole else length + 1)
    return max(likeness, 0.6) if was.is_whole and was.data in is_now.data else likeness


# --- places and counts ---------------------------------------------------------------------------


def _distance(deviation: Deviation, operation: Operation) -> tuple[float, tuple[object, ...]] | None:
    """How far an operation is from an anchor, and by which way; None if they have nothing in common."""
    if deviation.op != operation.op:
        return None
    place = _from_place(deviation.where, operation)
    if place is None:
        return None
    cost, shift = place
    count = operation.nth - deviation.nth
    return cost + abs(count) / (3 if deviation.op in _TURNS else 1), (*shift, count)


def _from_place(where: str, operation: Operation) -> tuple[float, tuple[object, ...]] | None:
    role = _ROLE.fullmatch(operation.alias)
    if where.startswith("#"):
        was = _ROLE.fullmatch(where)
        if was is None or role is None or was[2] != role[2]:
            return None
        by = int(role[1]) - int(was[1])
        return abs(by), (by,)
    old, new = split(where), split(operation.where)
    if len(old) != len(new) or (old == ("network",)) is not (new == ("network",)):
        return None
    of_connection = {"client": 1, "server": 3}.get(role[2] if role else "")
    cost = 0.0
    shift: list[object] = []
    for index, (one, other) in enumerate(zip(old, new, strict=True)):
        if one == other:
            continue
        if index == of_connection:
            by = int(other) - int(one)
            cost += abs(by)
            shift.append(by)
        else:
            cost += _NAME_COST
            shift.append((one, other))
    return cost, tuple(shift)


# --- amounts -------------------------------------------------------------------------------------


def amounts(deviation: Deviation, was: Carried | None, operation: Operation) -> list[int]:
    """What an amount may be at another operation, the likeliest first; only what is possible there."""
    outcome = outcome_of(deviation.op, deviation.outcome)
    possible = outcome.amounts(operation.size)
    amount = deviation.amount
    if "bytes" in outcome.words.holes:
        meant = _positions(amount, was, operation.carried)
    elif outcome.name == "flipped":
        meant = [8 * byte + amount % 8 for byte in _positions(amount // 8, was, operation.carried)]
    elif outcome.name == "first":
        meant = [amount, amount + 1, amount - 1]
    else:
        meant = [amount]
    return [each for each in dict.fromkeys(meant) if each in possible or deviation.wraps]


def _positions(position: int, was: Carried | None, is_now: Carried | None) -> list[int]:
    """Where a position in bytes is in others that resemble them: in the same bytes, at the same delimiter,
    as far from the end of what both end with; and then the same, and as far from the end."""
    if was is None or is_now is None or was == is_now:
        return [position]
    within = is_now.data.find(was.data) if was.is_whole else -1
    found = [within + position] if within >= 0 else []
    found += _by_delimiter(position, was.data, is_now.data)
    head, tail = _in_common(was, is_now)
    from_end = is_now.size - (was.size - position)
    if position > head and was.size - position <= tail:
        found.append(from_end)
    return [*found, position, from_end]


def _by_delimiter(position: int, was: bytes, is_now: bytes) -> Iterator[int]:
    """Within a delimiter, or at its edge: the same place in the delimiter of that number, or the last."""
    for delimiter in _DELIMITERS:
        new = list(_found(delimiter, is_now))
        for number, start in enumerate(_found(delimiter, was) if new else ()):
            if start <= position <= start + len(delimiter):
                yield new[min(number, len(new) - 1)] + position - start
                return


def _found(delimiter: bytes, data: bytes) -> Iterator[int]:
    place = data.find(delimiter)
    while place >= 0:
        yield place
        place = data.find(delimiter, place + len(delimiter))


def _in_common(was: Carried, is_now: Carried) -> tuple[int, int]:
    """How many bytes two operations begin with alike, and how many more they end with, if that is known."""
    one, other = was.data, is_now.data
    shorter = min(len(one), len(other))
    head = next((n for n in range(shorter) if one[n] != other[n]), shorter)
    if not (was.is_whole and is_now.is_whole):
        return head, 0
    rest = shorter - head
    tail = next((n for n in range(rest) if one[-1 - n] != other[-1 - n]), rest)
    return head, tail


def is_met_alike(deviation: Deviation, was: Carried, operations: Iterable[Operation]) -> bool:
    """Whether the operation that a deviation is anchored on carries what it did when it was recorded."""
    return any(is_at(deviation, each) and each.carried == was for each in operations)
