"""Novelty: storms that begin where an earlier run did something new.

Every run leaves features: of each kind of place, three events in a row, with the errno of a call that failed;
and which kinds of deviation it met.  A run with a feature that nobody has seen goes into the corpus, with
its deviations.  Three of four runs then begin as one of the corpus did, repeat some of its deviations, the
later ones of the corpus rather than the earlier, and storm from there on.  So a run that got into a state
that few runs reach is where many others begin.  That is the search of AFL, guided by what the network saw
instead of branches of code.

Owns features and corpus.  The corpus is not in the state: its runs are made again when a search goes on.
"""

from __future__ import annotations

import random
import re
from collections.abc import Collection, Iterator
from functools import lru_cache
from typing import Any

from ...choices import Choices, Point, Scripted, Seeded
from ...errors import UsageError
from ...outcomes import EVERY, option_index
from ...scenario.run import Outcome
from ...script import Script
from ...trace import Kind
from ...virtual import Network
from ...workload import Value
from .search import Case, Search

_FRESH_ONE_IN = 4
_FAIL, _DEVIATE, _NAME, _DRAW = int(Kind.FAIL), int(Kind.DEVIATE), int(Kind.NAME), int(Kind.DRAW)


class Branching(Choices):
    """Repeats what was drawn, and deviations; is a storm as soon as the last of them has happened."""

    def __init__(self, trunk: Script, seed: int, only: Collection[tuple[str, str]]) -> None:
        self._given = trunk, seed, only
        self._trunk = {(each.where, each.op, each.nth): each for each in trunk.deviations}
        self._drawn = Scripted(trunk)
        self._storm = Seeded(seed, only)

    def again(self) -> Branching:
        return Branching(*self._given)

    def workload(self, name: str, nth: int) -> Value | None:
        return self._drawn.workload(name, nth)

    def spares(self, op: str) -> bool:
        return not self._trunk and self._storm.spares(op)

    def pick(self, label: Point, count: int) -> int:
        if not self._trunk:
            return self._storm.pick(label, count)
        wanted = self._trunk.pop((label.where, label.op, label.nth), None)
        if wanted is None:
            return 0
        return option_index(label.op, label.size, wanted.outcome, wanted.amount)


class Novelty(Search):
    """Storms, and storms that begin as a run did that was new.

    Args:
        seed: the first one.
        only: what storms may do, as (operation, outcome).
    """

    name = "novelty"
    wants_trace = True

    def __init__(self, seed: int = 0, only: Collection[tuple[str, str]] = EVERY) -> None:
        self._next, self._only = seed, only
        self._seed = seed
        self._corpus: list[Script] = []
        self._new: list[int] = []  # the seeds of the corpus
        self._again: Iterator[int] = iter(())
        self._seen: set[object] = set()
        self._resumed: list[Any] | None = None

    def next(self) -> Case | None:
        seed = next(self._again, None)
        if seed is None:
            self._resumed = None
            seed = self._next
            self._next += 1
        self._seed = seed
        draw = random.Random(seed)
        if not self._corpus or not draw.randrange(_FRESH_ONE_IN):
            return Case(f"seed {seed}", seed=seed, only=self._only)
        chosen = self._corpus[-1 - int(len(self._corpus) * draw.random() ** 2)]
        begun = chosen.deviations[: draw.randrange(1, len(chosen.deviations) + 1)]
        trunk = Script(begun, draws=chosen.draws)
        return Case(f"branch {seed}", choices=Branching(trunk, seed, self._only))

    def learn(self, outcome: Outcome) -> None:
        found = features(outcome.network)
        if found <= self._seen:
            return
        self._seen |= found
        recorded = outcome.network.recording.script()
        self._new.append(self._seed)
        if recorded.deviations:
            self._corpus.append(recorded)

    def state(self) -> list[Any]:
        """The last seed, and those of the runs that were new."""
        return self._resumed or [self._seed, self._new]

    def resume(self, state: Any) -> None:
        match state:
            case [int(seed), [*new]] if all(type(each) is int and each <= seed for each in new):
                self._next, self._again, self._resumed = seed, iter(new), state
            case _:
                raise UsageError(f"cannot resume: {state!r} is no place in the search {self.name!r}")


def features(network: Network) -> set[object]:
    """What is telling of a run with a trace."""
    roles = [_role(name) for name in network.trace.names]
    before: dict[int, tuple[int, int]] = {}
    found: set[object] = set()
    for _, kind, who, n, _ in network.trace.events:
        if kind in (_NAME, _DRAW):
            continue
        earlier, last = before.get(who, (-1, -1))
        found.add((roles[who], earlier, last, kind, n if kind == _FAIL else 0))
        before[who] = last, kind
    found.update((each.op, each.outcome) for each in network.recording.deviations)
    return found


@lru_cache(maxsize=4096)
def _role(name: str) -> str:
    """A name without its numbers: all connections between two hosts are alike."""
    return re.sub(r"\d+", "", name)
