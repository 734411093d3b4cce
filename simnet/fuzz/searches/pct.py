"""Priority schedules: orders drawn so that mistakes which need few reorderings are met often.

After Burckhardt, Kothari, Musuvathi and Nagarakatte, "A Randomized Scheduler with Probabilistic Guarantees of
Finding Bugs" (ASPLOS 2010).  Every host, channel and set of timers gets a priority at random when it is first
met, and whoever has the highest goes first.  At d - 1 moments, drawn among those of the calm run, whoever
goes first just then is put behind all others from there on.  A mistake of depth d, one that d ordering
constraints bring out, is met there in a run with probability of at least 1 / (n * k ** (d - 1)), with n that
can be ordered and k moments.

Where nobody says who is ready (items that become ready one by one for an epoll), a number is drawn.

Owns those schedules.
"""

from __future__ import annotations

import random
from collections.abc import Collection
from typing import Any

from ...choices import Choices, Noting, Point
from ...errors import UsageError
from ...outcomes import ORDER
from ...scenario.run import Outcome
from ...workload import Streams
from .search import Case, Search, whole_number

DEPTH = 3


class Priorities(Choices):
    """The schedule of one seed.

    Args:
        depth: how many ordering constraints a mistake may need, d; 1 or more.
        moments: how many questions of order a run asks, k.
        ops: the operations that are questions of order.
    """

    def __init__(self, seed: int, depth: int, moments: int, ops: Collection[str]) -> None:
        self._given = seed, depth, moments, ops
        self._random = random.Random(seed)
        self._ops = ops
        count = min(depth - 1, moments)
        self._changes = {
            moment: -rank for rank, moment in enumerate(self._random.sample(range(moments), count), 1)
        }
        self._priorities: dict[object, float] = {}
        self._streams = Streams(seed)
        self._moment = -1

    def again(self) -> Priorities:
        return Priorities(*self._given)

    def workload(self, name: str, nth: int) -> random.Random:
        return self._streams(name)

    def watches(self, where: str, alias: str) -> bool:
        return False  # of ends and listeners

    def considers(self, op: str) -> bool:
        return op in self._ops

    def pick(self, label: Point, count: int) -> int:
        if label.op not in self._ops:
            return 0
        self._moment += 1
        if label.op == "timer":
            others = max(self._priority((label.where, number)) for number in range(label.size))
            return int(self._priority((label.where, "timers")) > others)
        if len(label.data) != count:
            return self._random.randrange(count)
        ready = [(label.where, each if isinstance(each, str) else each[0]) for each in label.data]
        first = max(range(count), key=lambda place: self._priority(ready[place]))
        change = self._changes.get(self._moment)
        if change is not None:
            self._priorities[ready[first]] = change
            first = max(range(count), key=lambda place: self._priority(ready[place]))
        return first

    def _priority(self, who: object) -> float:
        if who not in self._priorities:
            self._priorities[who] = self._random.random()
        return self._priorities[who]


class Pct(Search):
    """Priority schedules of one depth, for ever.

    Args:
        seed: the first one.
        only: the kinds of order to try, as (operation, outcome): those of `ORDER` that are in it.
        depth: how many ordering constraints a mistake may need, 1 or more.
    """

    name = "pct"

    def __init__(self, seed: int = 0, only: Collection[tuple[str, str]] = ORDER, depth: int = DEPTH) -> None:
        if depth < 1:
            raise UsageError(f"the depth of a priority schedule is 1 or more, not {depth}")
        self._next = self._seed = seed
        self._depth = depth
        self._ops = frozenset(op for op, _ in ORDER.intersection(only))
        self._moments: int | None = None

    def next(self) -> Case | None:
        if self._moments is None:
            return Case("the calm run", choices=Noting())
        self._seed = self._next
        self._next += 1
        choices = Priorities(self._seed, self._depth, self._moments, self._ops)
        return Case(f"schedule {self._seed}", choices=choices)

    def learn(self, outcome: Outcome) -> None:
        if self._moments is None:
            calm = outcome.network.recording.inner
            assert isinstance(calm, Noting), f"the first run of this search was decided by {calm!r}"
            self._moments = sum(place.op in self._ops for place in calm.places)

    def state(self) -> int:
        """The last seed."""
        return self._seed

    def resume(self, state: Any) -> None:
        """Begin with that seed; the calm run is made all the same."""
        self._next = self._seed = whole_number(state, self.name)
