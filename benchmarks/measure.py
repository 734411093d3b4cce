"""Measuring side by side: contestants take turns, round after round, and ratios are taken within a round.

A shared machine drifts, and figures of two runs cannot be compared.  Within a round everybody meets the
same machine; the median over the rounds forgets the one in which something else was going on.  Ratios are of
CPU time, user and kernel: nobody here waits for anything but the processor, and who else has it is chance.
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
    cpu_seconds: tuple[float, ...]  # of this process, user and kernel, in the same rounds
    operations: int
    ratios: tuple[float, ...]  # the first contestant's speed is so many times ours, a round

    @property
    def per_second(self) -> float:
        return self.operations / median(self.seconds)

    @property
    def microseconds(self) -> float:
        return median(self.seconds) / self.operations * 1e6

    @property
    def cpu_microseconds(self) -> float:
        return median(self.cpu_seconds) / self.operations * 1e6


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
    cpu_seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for turn in range(rounds + 1):
        for name, run in contestants.items():
            said(f"{workload}: {name}, {'warm-up' if not turn else f'round {turn} of {rounds}'}")
            taken, cpu = timed(run)
            if turn:
                seconds[name].append(taken)
                cpu_seconds[name].append(cpu)
    first = cpu_seconds[next(iter(contestants))]
    return [
        Row(
            workload,
            name,
            tuple(taken),
            tuple(cpu_seconds[name]),
            operations,
            tuple(theirs / ours for theirs, ours in zip(cpu_seconds[name], first, strict=True)),
        )
        for name, taken in seconds.items()
    ]


def timed(run: Contestant) -> tuple[float, float]:
    """Seconds and CPU seconds of one call, begun without garbage of the one before, and without the checks of
    its fence."""
    gc.collect()
    take_down()
    began, cpu_began = time.perf_counter(), time.process_time()
    run()
    return time.perf_counter() - began, time.process_time() - cpu_began
