"""Rounds: every contestant meets the same load, one after another, again and again.

A shared machine drifts, within a second too.  So the hand-written loop stays beside every other contestant,
each with connections of its own; the load goes to one and to the other in slices of a tenth of a second, and
a ratio is that of two slices that follow each other.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from statistics import median
from typing import Self

import attrs

from benchmarks.real.contestants import Contestant
from benchmarks.real.load import Load

_WARM_UP_S = 0.1
_SPARE_DESCRIPTORS = 50


@attrs.frozen
class Scenario:
    """How many connections there are."""

    active: int
    idle: int = 0

    def __str__(self) -> str:
        return f"{self.active} active" + (f", {self.idle} idle" if self.idle else "")

    @property
    def connections(self) -> int:
        return self.active + self.idle

    def why_not(self) -> str | None:
        """Why this process may not have so many connections; raises its limit as far as it may."""
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        needed = 2 * self.connections + _SPARE_DESCRIPTORS
        if hard != resource.RLIM_INFINITY and needed > hard:
            return f"it takes {needed} descriptors, and this process may have {hard} (ulimit -n)"
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        return None


@attrs.frozen
class Figures:
    """What one server did in one round."""

    per_second: float
    cpu_us: float  # of the server's process, user and kernel, a request


@attrs.frozen
class Effort:
    """How long to look: in every round, each pair of contestants has so many slices each."""

    rounds: int
    slices: int
    seconds: float  # a slice


@attrs.frozen
class Row:
    """What a contestant did in all slices of a scenario, or why it did not take part."""

    scenario: Scenario
    contestant: Contestant
    pairs: tuple[tuple[Figures, Figures], ...] = ()  # its own, and the hand-written loop's beside it
    why_not: str = ""

    @property
    def per_second(self) -> float:
        return median(own.per_second for own, _ in self.pairs)

    @property
    def cpu_us(self) -> float:
        return median(own.cpu_us for own, _ in self.pairs)

    @property
    def relative_speed(self) -> list[float]:
        """Requests/s, if the hand-written loop's are 1."""
        return [own.per_second / base.per_second for own, base in self.pairs]

    @property
    def relative_cpu(self) -> list[float]:
        """Requests in the same CPU time, if the hand-written loop's are 1."""
        return [base.cpu_us / own.cpu_us for own, base in self.pairs]


@contextmanager
def apart() -> Iterator[None]:
    """Servers and the load each on a processor of their own, where there are two and the system lets us.

    Left alone, the kernel puts both on one for some seconds and on two for others, and figures of one kind
    cannot be compared with those of the other.
    """
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    processors = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(processors)})
    _servers_on[:] = [processors - {max(processors)} or processors]
    try:
        yield
    finally:
        os.sched_setaffinity(0, processors)
        _servers_on.clear()


_servers_on: list[set[int]] = []  # where a new server is put


class Server:
    """A contestant in a process of its own."""

    def __init__(self, contestant: Contestant) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.real.servers", contestant.module, contestant.function],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for processors in _servers_on:
            os.sched_setaffinity(self._process.pid, processors)
        self.port = int(self._answer())

    def _answer(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the server has ended"
        return line

    def cpu_seconds(self) -> float:
        """What its process has taken so far, in user mode and in the kernel."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return float(self._answer())

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


class Side:
    """A server and its load, for as long as the `with`."""

    def __init__(self, contestant: Contestant, scenario: Scenario) -> None:
        self._server = Server(contestant)
        try:
            self._load = Load(self._server.port, scenario.active, scenario.idle)
            self._load.run(_WARM_UP_S)
        except BaseException:
            self._server.close()
            raise

    def measure(self, seconds: float) -> Figures:
        cpu_before = self._server.cpu_seconds()
        requests, taken = self._load.run(seconds)
        cpu = self._server.cpu_seconds() - cpu_before
        return Figures(requests / taken, cpu / requests * 1e6)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._load.close()
        self._server.close()


def compare(
    scenario: Scenario, contestants: Sequence[Contestant], effort: Effort, said: Callable[[str], None]
) -> list[Row]:
    """A row for each contestant, the first of which is what the others are compared with."""
    refusal = scenario.why_not()
    reasons = {each: refusal or each.why_not(scenario.connections) for each in contestants}
    playing = [each for each in contestants if not reasons[each]]
    pairs: dict[Contestant, list[tuple[Figures, Figures]]] = {each: [] for each in playing}
    if playing:
        baseline, *others = playing
        with apart(), Side(baseline, scenario) as base:
            for number in range(1, effort.rounds + 1):
                for each in others:
                    said(f"{scenario}: round {number} of {effort.rounds}, {each.name}")
                    with Side(each, scenario) as own:
                        pairs[each] += in_turns(own, base, effort)
        pairs[baseline] = [(figures, figures) for each in others for _, figures in pairs[each]]
    return [
        Row(scenario, each, tuple(pairs.get(each, ())), why_not=reasons[each] or "") for each in contestants
    ]


def in_turns(own: Side, base: Side, effort: Effort) -> list[tuple[Figures, Figures]]:
    """What both did in slices that follow each other, each of them first in every second."""
    pairs = []
    for number in range(effort.slices):
        if number % 2:
            theirs = base.measure(effort.seconds)
            pairs.append((own.measure(effort.seconds), theirs))
        else:
            pairs.append((own.measure(effort.seconds), base.measure(effort.seconds)))
    return pairs
