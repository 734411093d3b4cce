"""All orders: every way in which the picks of order of a small scenario can fall.

A run asks, again and again, which host goes next, which ready channel is first, whether a timer comes before
data.  The answers of one run are a path in a tree, and the tree is walked depth-first: the next run keeps the
answers up to the last question that has an answer left, takes that one, and the textbook's from there on.
When it is over, no order makes the program fail.

How many runs there will be is not known before.  It is estimated from the part of the tree that lies behind
(Knuth, "Estimating the Efficiency of Backtrack Programs", 1975, weighs paths in the same way), and exact at
the end.

Owns the walk.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from fractions import Fraction
from typing import Any

from ...choices import Choices, Point
from ...errors import Diverged, UsageError
from ...outcomes import ORDER
from ...scenario.run import Outcome
from .search import Case, Extent, Search

DEPTH_MAX = 1000
"""Questions of a run that are answered in every way; later ones get the textbook's answer."""


class Ordered(Choices):
    """Answers questions of order by a list, then as the textbook does; `counts` keeps how many answers each
    of them had."""

    def __init__(self, prefix: Sequence[int], ops: Collection[str], depth_max: int) -> None:
        self.counts: list[int] = []
        self.parted = ""  # where the run left that of the same answers before it
        self._prefix, self._ops, self._depth_max = tuple(prefix), ops, depth_max

    def again(self) -> Ordered:
        return Ordered(self._prefix, self._ops, self._depth_max)

    def watches(self, where: str, alias: str) -> bool:
        return False  # of ends and listeners

    def considers(self, op: str) -> bool:
        return op in self._ops

    def pick(self, label: Point, count: int) -> int:
        asked = len(self.counts)
        if label.op not in self._ops or asked == self._depth_max:
            return 0
        self.counts.append(count)
        answer = self._prefix[asked] if asked < len(self._prefix) else 0
        if answer >= count:  # told later: what is raised here would be taken for a failure of the program
            self.parted = f"question {asked + 1} of order, at {label.where}, has {count} answers"
            return 0
        return answer


class Exhaustive(Search):
    """Every order in which hosts, channels and timers of a small scenario can go.

    Args:
        only: the kinds of order to try, as (operation, outcome): those of `ORDER` that are in it.
        depth_max: how many questions of a run are answered in every way.
    """

    name = "exhaustive"

    def __init__(self, only: Collection[tuple[str, str]] = ORDER, depth_max: int = DEPTH_MAX) -> None:
        self._ops = frozenset(op for op, _ in ORDER.intersection(only))
        self._depth_max = depth_max
        self._prefix: list[int] | None = []
        self._under_way: list[int] = []
        self._over = 0
        self._behind = Fraction(0)

    def next(self) -> Case | None:
        if self._prefix is None:
            return None
        self._under_way = self._prefix
        choices = Ordered(self._prefix, self._ops, self._depth_max)
        return Case(f"order {self._over + 1}", choices=choices)

    def learn(self, outcome: Outcome) -> None:
        asked = outcome.network.recording.inner
        assert isinstance(asked, Ordered), f"a run of this search was decided by {asked!r}"
        if asked.parted:
            raise Diverged(f"not deterministic: {asked.parted}, and under the same ones before it had more")
        self._over += 1
        self._prefix = _following(self._under_way, asked.counts)
        self._behind = Fraction(1) if self._prefix is None else _part(self._prefix, asked.counts)

    @property
    def extent(self) -> Extent | None:
        if not self._behind:
            return None
        return Extent(self._over, round(self._over / self._behind), is_exact=self._prefix is None)

    def state(self) -> list[Any]:
        """How many runs are over, and the answers of the one that is not."""
        return [self._over, self._under_way]

    def resume(self, state: Any) -> None:
        match state:
            case [int(over), [*answers]] if over >= 0 and all(type(each) is int for each in answers):
                self._over, self._prefix = over, answers
            case _:
                raise UsageError(f"cannot resume: {state!r} is no place in the search {self.name!r}")


def _following(prefix: Sequence[int], counts: Sequence[int]) -> list[int] | None:
    """The next path of the tree; None after the last."""
    path = [*prefix, *([0] * (len(counts) - len(prefix)))]
    for last in reversed(range(len(counts))):
        if path[last] + 1 < counts[last]:
            return [*path[:last], path[last] + 1]
    return None


def _part(prefix: Sequence[int], counts: Sequence[int]) -> Fraction:
    """The part of the tree before a path: each answer has an equal part of what is below its question."""
    part, width = Fraction(0), Fraction(1)
    for answer, count in zip(prefix, counts, strict=False):
        width /= count
        part += answer * width
    return part
