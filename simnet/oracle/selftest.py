"""The comparison at length: programs of every profile, in turn, until enough calls were compared.

Owns the order of the work and its figures.  Does not own how they are shown.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import Protocol

import attrs

from .generate import generate
from .live import LiveKernel
from .lockstep import PATIENCE_S, Difference, Log, difference, report, shrink
from .profiles import PROFILES, Profile
from .program import Program
from .recorded import recorded
from .simulated import VirtualKernel
from .words import Coverage

BATCH = 10
"""How many programs are run at a time: while the live kernel has one batch, the virtual one runs the next."""

RUNS = 3
"""How often a program is run that shows a difference; it counts if it comes back each time."""

SHRINKING_PATIENCE_S = 0.05


class Kernel(Protocol):
    """Whatever says first what a program sees."""

    def log(self, program: Program) -> Log: ...


@attrs.define
class Mismatch:
    """A program to which the two kernels say different things, made short."""

    profile: str
    seed: int
    program: Program
    words: str


@attrs.define
class Tally:
    """The figures of one profile."""

    profile: str
    programs: int = 0
    asked: int = 0
    """Calls of the programs, those among them that had nothing to be called on or are not simulated."""

    calls: int = 0
    """Calls that were compared."""

    coverage: Coverage = attrs.Factory(Coverage)
    disturbed: int = 0
    """Differences that did not come back."""

    mismatches: list[Mismatch] = attrs.Factory(list)


class Selftest:
    """A comparison of two kernels, profile by profile.

    Args:
        profiles: their names, in turn.
        calls: how many calls are compared in all.
        seed: the first seed of each profile.
        first: says what is expected: the virtual kernel, or in an identity control the live one.
        live: the live kernel, or None if recorded logs stand in for it.
        progress: told after each batch.
    """

    def __init__(
        self,
        profiles: list[str],
        calls: int,
        seed: int,
        first: Kernel,
        live: LiveKernel | None,
        progress: Callable[[Selftest], None] = lambda selftest: None,
    ) -> None:
        self.tallies = {name: Tally(name) for name in profiles}
        self.calls_wanted = calls
        self.first = first
        self.live = live
        self._seed = seed
        self._progress = progress
        self._started_s = time.monotonic()

    @property
    def calls(self) -> int:
        return sum(tally.calls for tally in self.tallies.values())

    @property
    def kinds(self) -> int:
        return sum(tally.coverage.kinds for tally in self.tallies.values())

    @property
    def mismatches(self) -> list[Mismatch]:
        return [mismatch for tally in self.tallies.values() for mismatch in tally.mismatches]

    @property
    def calls_per_second(self) -> float:
        return self.calls / max(time.monotonic() - self._started_s, 1e-9)

    def run(self) -> None:
        """Compare until enough calls were, or a profile after the other has shown a mismatch."""
        if self.live is None:
            self._run_recorded()
        else:
            self._run_live(self.live)

    def _run_live(self, live: LiveKernel) -> None:
        waiting: list[tuple[Tally, int, Program, Log]] = []
        for tally, programs in self._batches():
            batch = [(tally, seed, program, self.first.log(program)) for seed, program in programs]
            self._settle(live, waiting)
            live.ask([(program, log, PATIENCE_S) for _, _, program, log in batch])
            waiting = batch
        self._settle(live, waiting)

    def _batches(self) -> Iterator[tuple[Tally, list[tuple[int, Program]]]]:
        seed = self._seed
        while True:
            for tally in self.tallies.values():
                if self._is_enough():
                    return
                if not tally.mismatches:
                    seeds = _shared(PROFILES[tally.profile], range(seed, seed + BATCH))
                    if seeds:
                        yield tally, [(number, generate(number, tally.profile)) for number in seeds]
            if all(tally.mismatches for tally in self.tallies.values()):
                return
            seed += BATCH

    def _is_enough(self) -> bool:
        """Enough was compared, or twice as much was asked for and the virtual kernel refused half of it."""
        asked = sum(tally.asked for tally in self.tallies.values())
        return self.calls >= self.calls_wanted or asked >= 2 * self.calls_wanted

    def _settle(self, live: LiveKernel, batch: list[tuple[Tally, int, Program, Log]]) -> None:
        """Count what has come of a batch."""
        answers = live.answers() if batch else []
        for (tally, seed, program, log), answer in zip(batch, answers, strict=True):
            tally.programs += 1
            tally.asked += len(program)
            tally.calls += tally.coverage.add(program, log)
            if isinstance(answer, Difference) and not tally.mismatches:
                self._look_into(live, tally, seed, program, answer.kind)
        self._progress(self)

    def _look_into(
        self, live: LiveKernel, tally: Tally, seed: int, program: Program, kind: tuple[str, ...]
    ) -> None:
        """Whether a difference comes back; if it does, the fewest calls that show one of its kind."""
        differs = partial(self._differs, live, kind)
        if not all(differs(program) for _ in range(RUNS - 1)):
            tally.disturbed += 1
            return
        program = shrink(program, lambda shorter: differs(shorter, SHRINKING_PATIENCE_S))
        found = differs(program) or differs(program)
        words = report(program, found) if found else "\n".join(f"  {call!r}" for call in program)
        tally.mismatches.append(Mismatch(tally.profile, seed, program, words))

    def _differs(
        self, live: LiveKernel, kind: tuple[str, ...], program: Program, patience_s: float = PATIENCE_S
    ) -> Difference | None:
        found = live.compare(program, self.first.log(program), patience_s)
        return found if found is not None and found.kind == kind else None

    def _run_recorded(self) -> None:
        for tally in self.tallies.values():
            for number, (program, log) in enumerate(recorded(tally.profile)):
                said = self.first.log(program)
                tally.programs += 1
                tally.calls += tally.coverage.add(program, said)
                found = difference(program, said, log)
                if found is not None and not tally.mismatches:
                    words = report(program, found)
                    tally.mismatches.append(Mismatch(tally.profile, number, program, words))
            self._progress(self)


def _shared(profile: Profile, seeds: range) -> list[int]:
    """The seeds of a batch that a profile runs: all of them, or its share if it is slow."""
    return [seed for seed in seeds if seed * profile.share // 100 != (seed - 1) * profile.share // 100]


def missing(first: Kernel) -> Counter[str]:
    """What the virtual kernel does not simulate, and how often a program asked for it."""
    return first.missing if isinstance(first, VirtualKernel) else Counter()
