"""When was a failure certain?  Repeat the beginning of a failing run, and let chance decide the rest.

A failing run is a list of deviations and happenings in the order in which they came.  For each number of
them, that many are repeated to the letter; then a storm decides what follows, once for each of some seeds.
How often the run fails in the same way says how much of the failure was made by then: the step at which the
share jumps is the one to look at, and once it is all of them, nothing could be saved any more.

Owns that experiment.  The failing script comes from elsewhere, as does the storm.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import TypeAlias

import attrs

from ..choices import Calm, Choices, Point, Scripted
from ..errors import Diverged, UsageError
from ..scenario.run import Outcome
from ..script import Deviation, Happening, Item, Script
from ..workload import Value

Storm: TypeAlias = Callable[[int], Choices]
"""Makes the supplier of a storm from its seed."""

Attempt: TypeAlias = Callable[[Choices, "tuple[Happening, ...]"], Outcome]
"""Runs the program anew with a supplier of picks, and with these happenings."""

RUNS = 20


class Beginning(Choices):
    """Some deviations to the letter; when the last of them has happened, somebody else decides."""

    def __init__(self, script: Script, rest: Choices) -> None:
        self._script, self._rest = script, rest
        self._first = Scripted(script)

    def again(self) -> Beginning:
        return Beginning(self._script, self._rest.again())

    @property
    def is_over(self) -> bool:
        """Whether all of it has happened."""
        return not self._first.unmet()

    def watches(self, where: str, alias: str) -> bool:
        return self._first.watches(where, alias) or self._rest.watches(where, alias)

    def pick(self, label: Point, count: int) -> int:
        supplier = self._rest if self.is_over else self._first
        return supplier.pick(label, count)

    def workload(self, name: str, nth: int) -> Value | Random | None:
        value = self._first.workload(name, nth)
        return value if value is not None else self._rest.workload(name, nth)

    def meet(self, deviation: Deviation) -> None:
        self._first.meet(deviation)
        self._rest.meet(deviation)


@attrs.frozen
class Step:
    """How it goes on after some of a failing run: `failed` of `runs` storms ended in the same failure.

    `item` is the last that was repeated, None at the start.  `alone` is whether it fails if nothing
    deviates any more.
    """

    item: Item | None
    failed: int
    runs: int
    alone: bool

    @property
    def is_certain(self) -> bool:
        return self.failed == self.runs and self.alone


def bisect(outcome: Outcome, attempt: Attempt, storm: Storm, *, runs: int = RUNS) -> Iterator[Step]:
    """The steps of a failing run, from its start on, as they are measured.

    Args:
        outcome: the run that failed, with its trace.
        attempt: runs the program anew.
        storm: who decides the rest, by seeds from 0 on.
        runs: storms for each step.

    Raises:
        UsageError: the run passed, or nothing in it deviated.
        Diverged: repeated to the end, the run does not fail in the same way.
    """
    if outcome.passed:
        raise UsageError("a run that passed has no step at which its failure became certain")
    items = in_order(outcome)
    if not items:
        raise UsageError("the program fails on a calm network: there is nothing to take away")
    wanted = outcome.fingerprint

    def fails(repeated: Script, rest: Choices) -> bool:
        return attempt(Beginning(repeated, rest), repeated.happenings).fingerprint == wanted

    for count in range(len(items) + 1):
        repeated = Script.of(items[:count])
        alone = fails(repeated, Calm())
        if count == len(items) and not alone:
            raise Diverged(f"not deterministic: repeated to its end, the run does not end with {wanted!r}")
        failed = sum(fails(repeated, storm(seed)) for seed in range(runs))
        yield Step(items[count - 1] if count else None, failed, runs, alone)


def in_order(outcome: Outcome) -> list[Item]:
    """What a run's script consists of, in the order in which it happened.

    What a long trace has dropped came before everything that it still has.
    """
    script = outcome.network.script()
    waiting: dict[object, list[Item]] = {}
    for item in script.items():
        waiting.setdefault(str(item), []).append(item)
    found = [waiting[text].pop(0) for *_, text in outcome.network.trace.events if waiting.get(text)]
    return [*(item for items in waiting.values() for item in items), *found]


def certain_from(steps: list[Step]) -> Step | None:
    """The first step from which on every run failed; None if there is none."""
    found = None
    for step in reversed(steps):
        if not step.is_certain:
            break
        found = step
    return found
