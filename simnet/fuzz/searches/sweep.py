"""Sweeps: everything that could happen, one thing at a time; then two.

A calm run meets a number of operations, and at each of them the network could have done something else.
`Sweep` makes a run for each of these, so it is finite, needs no seed, and is complete at its depth: when it
ends, no single deviation from the calm run makes the program fail, up to the amounts that are left out where
there are very many (see `amounts`).  It goes in rounds: first the most telling amount of every outcome at
every operation, then the next.

`Pairs` makes a run for each two outcomes, with the most telling amount of each, at two operations of the calm
run: those that are near to each other first.  What comes up only after the first deviation is not in it.

Owns the order of these runs.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from typing import Any, TypeAlias

from ...choices import Noted, Noting
from ...errors import UsageError
from ...outcomes import EVERY, OUTCOMES
from ...scenario.run import Outcome
from ...script import Deviation, Script
from .amounts import AMOUNTS_MAX, telling
from .search import Case, Extent, Search

PAIRS_MAX = 100_000

Branch: TypeAlias = tuple[Noted, str, tuple[int, ...]]
"""An outcome that was possible at an operation, with the amounts to try."""


class Listed(Search):
    """A search that makes a calm run first, and from what it met a list of further runs."""

    def __init__(self, only: Collection[tuple[str, str]] = EVERY) -> None:
        self._only = only
        self._cases: Iterator[Case] | None = None
        self._total = 0
        self._tried = 0
        self._skip: tuple[int, int] | None = None

    @abstractmethod
    def _list(self, places: Sequence[Noted]) -> tuple[int, Iterator[Case]]:
        """How many runs there are, and the runs, for the operations of the calm run."""

    def next(self) -> Case | None:
        if self._cases is None:
            return Case("the calm run", choices=Noting())
        case = next(self._cases, None)
        if case is not None:
            self._tried += 1
        return case

    def learn(self, outcome: Outcome) -> None:
        if self._cases is None:
            calm = outcome.network.recording.inner
            assert isinstance(calm, Noting), f"the first run of a sweep was decided by {calm!r}"
            self._total, self._cases = self._list(calm.places)
            if self._skip is not None:
                self._go_on(*self._skip)

    @property
    def extent(self) -> Extent | None:
        return None if self._cases is None else Extent(self._tried, self._total)

    def state(self) -> list[int]:
        """How many runs are over, but for the calm one, and of how many."""
        if self._cases is None:
            return list(self._skip or (0, 0))
        return [max(self._tried - 1, 0), self._total]

    def resume(self, state: Any) -> None:
        """Leave out so many runs.  The calm run is made all the same."""
        match state:
            case [int(over), int(total)] if 0 <= over <= total:
                self._skip = over, total
            case _:
                raise UsageError(f"cannot resume: {state!r} is no place in the search {self.name!r}")

    def _go_on(self, over: int, total: int) -> None:
        assert self._cases is not None
        if total and total != self._total:
            raise UsageError(
                f"cannot resume: there were {total:,} runs to make, and now there are {self._total:,}; "
                "the program does something else than before"
            )
        self._cases = islice(self._cases, over, None)
        self._tried = over


def branches_of(places: Sequence[Noted], only: Collection[tuple[str, str]]) -> Iterator[Branch]:
    """Every outcome of `only` that was possible at these operations, with the amounts to try."""
    for place in places:
        for outcome in OUTCOMES[place.op]:
            if (place.op, outcome.name) in only:
                amounts = telling(outcome, place, AMOUNTS_MAX)
                if amounts:
                    yield place, outcome.name, amounts


class Sweep(Listed):
    """Every outcome at every operation of a calm run, one at a time.

    Args:
        only: which outcomes, as (operation, outcome).
    """

    name = "sweep"

    def _list(self, places: Sequence[Noted]) -> tuple[int, Iterator[Case]]:
        branches = list(branches_of(places, self._only))
        return sum(len(amounts) for _, _, amounts in branches), map(case_of, rounds(branches))


class Pairs(Listed):
    """Every two outcomes at two operations of a calm run, those near to each other first.

    Args:
        only: which outcomes, as (operation, outcome).
        pairs_max: how many pairs at most.
    """

    name = "pairs"

    def __init__(self, only: Collection[tuple[str, str]] = EVERY, pairs_max: int = PAIRS_MAX) -> None:
        super().__init__(only)
        self._pairs_max = pairs_max

    def _list(self, places: Sequence[Noted]) -> tuple[int, Iterator[Case]]:
        branches = branches_of(places, self._only)
        singles = [_deviation(place, name, amounts[0]) for place, name, amounts in branches]
        total = sum(1 for _ in islice(_pairs(singles), self._pairs_max))
        return total, map(_case_of_two, islice(_pairs(singles), self._pairs_max))


def rounds(branches: Sequence[Branch]) -> Iterator[Deviation]:
    """The first amount of each branch, then the second of each that has one, and so on."""
    rank = 0
    while branches:
        for place, name, amounts in branches:
            yield _deviation(place, name, amounts[rank])
        rank += 1
        branches = [branch for branch in branches if len(branch[2]) > rank]


def _pairs(singles: Sequence[Deviation]) -> Iterator[tuple[Deviation, Deviation]]:
    """Two at a time, the nearest first; not two at the same operation, which cannot both happen."""
    for distance in range(1, len(singles)):
        for first, second in zip(singles, singles[distance:], strict=False):
            if (first.where, first.op, first.nth) != (second.where, second.op, second.nth):
                yield first, second


def _deviation(place: Noted, outcome: str, amount: int) -> Deviation:
    return Deviation(place.where, place.op, place.nth, outcome, amount)


def case_of(deviation: Deviation) -> Case:
    """The run with that one deviation."""
    return Case(str(deviation), script=Script([deviation]))


def _case_of_two(pair: tuple[Deviation, Deviation]) -> Case:
    return Case(" and ".join(map(str, pair)), script=Script(pair))
