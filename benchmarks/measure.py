"""Measuring side by side: contestants take turns, round after round, and ratios are taken within a round.

A shared machine drifts, and figures of two runs cannot be compared.  Within a round everybody meets the
same machine; the median over the rounds forgets the one in which something else was going on.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping
from statistics import median
from typing import TypeAlias

import attrs

from simnet.fence import take_down

Contestant: TypeAlias = Callable[[], object]


@attrs.frozen
class Row:
    """What one contestant did in one workload."""

    workload: str
    contestant: str
    seconds: tuple[float, ...]  # a round
    operations: int
    ratios: tuple[float, ...]  # the first contestant's speed is so many times ours, a round

    @property
    def per_second(self) -> float:
        return self.operations / median(self.seconds)

    @property
    def microseconds(self) -> float:
        return median(self.seconds) / self.operations * 1e6


def compare(
    workload: str,
    contestants: Mapping[str, Contestant],
    operations: int,
    rounds: int,
    said: Callable[[str], None],
) -> list[Row]:
    """Run every contestant once a round, after one that is not counted; `said` hears where we are.

    Every contestant performs `operations` operations in one call.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for turn in range(rounds + 1):
        for name, run in contestants.items():
            said(f"{workload}: {name}, {'warm-up' if not turn else f'round {turn} of {rounds}'}")
            taken = timed(run)
            if turn:
                seconds[name].append(taken)
    first = seconds[next(iter(contestants))]
    return [
        Row(
            workload,
            name,
            tuple(taken),
            operations,
            tuple(theirs / ours for theirs, ours in zip(taken, first, strict=True)),
        )
        for name, taken in seconds.items()
    ]


def timed(run: Contestant) -> float:
    """Seconds of one call, begun without garbage of the one before, and without the checks of its fence."""
    gc.collect()
    take_down()
    began = time.perf_counter()
    run()
    return time.perf_counter() - began
