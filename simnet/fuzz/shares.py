"""How often a drawn script deviates in which way: the kinds, each with its share and its amounts.

A share is a part of 256: Hypothesis draws four of five characters from the first 256 of an alphabet, so that
many entries are all that most characters can mean.  An entry is a kind with an amount.  Kinds fall into
families, of each of which a run has a few entries: so what belongs together comes together, and what ends
connections does not come so often that nothing else is met.

Owns the shares.  What an entry does where is decided in `strategies`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import attrs

from ..outcomes import CORRUPTION, GENTLE, ORDER, OUTCOMES, outcome_of

ENTRIES = 256


@attrs.frozen
class Entry:
    """A kind of deviation with an amount; `wanders` if every operation has another amount, from there on."""

    op: str
    outcome: str
    amount: int = 0
    wanders: bool = False


_BYTES = (1, 0, 2, 3, 4, 5, 6, 8, 12, 16)
"""Counts of bytes that each operation shares; 0 stands for all but the last."""

_FAR = 1000
"""A count of bytes from here on is wrapped in all but long segments: to any place within."""

_READY = 5
"""So many that are ready at once, and no more, are given another order."""

_SHARES: dict[tuple[str, str], int] = {
    ("segment", "cut"): 24,
    ("segment", "late"): 24,
    ("send", "takes"): 16,
    ("recv", "again"): 8,
    ("send", "again"): 8,
    ("segment", "lost"): 6,
    ("segment", "crumbles"): 6,
    ("connect", "loses"): 6,
    ("accept", "again"): 4,
    ("turn", "first"): 8,
    ("next", "first"): 8,
    ("timer", "first"): 4,
    ("step", "held"): 16,
    ("segment", "reset"): 8,
    ("recv", "reset"): 8,
    ("send", "reset"): 8,
    ("accept", "fails"): 8,
    ("accept", "reset"): 4,
    ("connect", "refused"): 6,
    ("life", "reset"): 8,
    ("connect", "hangs"): 2,
    ("connect", "unreachable"): 2,
    ("datagram", "late"): 16,
    ("datagram", "lost"): 8,
    ("datagram", "twice"): 6,
    ("datagram", "refused"): 4,
}
"""Kinds that are not listed have a share of 1."""


def family(kind: tuple[str, str]) -> str:
    """Which of ``stream``, ``order``, ``datagram`` and ``harsh`` a kind belongs to."""
    if kind[0] == "datagram":
        return "datagram"
    if kind in ORDER or kind[0] in ("step", "switch", "wake"):
        return "order"
    return "stream" if kind in GENTLE or kind in CORRUPTION else "harsh"


def kinds_drawn(only: Collection[tuple[str, str]]) -> list[tuple[str, str]]:
    """The kinds of a set of weather that are drawn, those with the largest share first."""
    known = [
        (op, outcome.name) for op, outcomes in OUTCOMES.items() if op != "jitter" for outcome in outcomes
    ]
    return sorted((kind for kind in known if kind in only), key=lambda kind: -_SHARES.get(kind, 1))


def entries(kinds: Iterable[tuple[str, str]]) -> tuple[Entry, ...]:
    """`ENTRIES` entries in the proportions of their shares; none if there are no kinds."""
    kinds = list(kinds)
    total = sum(_SHARES.get(kind, 1) for kind in kinds)
    found: list[Entry] = []
    reached = 0
    for kind in kinds:
        reached += _SHARES.get(kind, 1)
        possible = amounts(*kind)
        slots = round(ENTRIES * reached / total) - len(found)
        found += [possible[len(possible) * slot // slots] for slot in range(slots)]
    return tuple(found)


def amounts(op: str, outcome: str) -> Sequence[Entry]:
    """The entries of one kind, one for each amount that is drawn, from mild to severe."""
    kind = outcome_of(op, outcome)
    if not kind.words.holes:
        return [Entry(op, outcome)]
    if fixed := kind.amounts(0):
        return [Entry(op, outcome, amount) for amount in fixed]
    if "bytes" not in kind.words.holes:
        return [Entry(op, outcome, amount) for amount in kind.amounts(_READY)[:4]]
    near = [Entry(op, outcome, amount) for amount in _BYTES]
    far = [Entry(op, outcome, _FAR + step, wanders=True) for step in range(2 * len(_BYTES))]
    return [*near, *far]
