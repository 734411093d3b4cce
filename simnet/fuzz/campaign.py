"""A campaign: one storm after the other, until one makes the program fail.

Hypothesis is for tests; this is for millions of runs.  A seed makes a storm, and a run without a trace
is the fastest there is.  When it fails, the same seed runs again with its trace, the run's script is
recorded, the script alone must fail in the same way, and then it is shrunk.  Each of these steps is
also a check: a program that does not do the same thing twice is reported as such, not as a finding.

Owns the search over seeds.  Does not own shrinking (`shrink`), nor what is shown of it (`report`).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping
from itertools import count
from typing import Any, TypeAlias

import attrs

from ..errors import Diverged, UsageError
from ..scenario.replay import first_difference
from ..scenario.run import Outcome, Program, execute
from ..script import Script
from ..virtual import Network
from .shrink import Shrunk, minimize

MakeNetwork: TypeAlias = Callable[..., Network]
"""Builds the network of one run from ``seed=`` or ``script=``, and ``trace=``; it may add links."""

PROGRESS_SECONDS = 0.2


@attrs.frozen
class Progress:
    """How far a campaign is.

    `behaviours` is the number of different runs seen so far, by which kinds of deviation they met and
    how they ended: while it grows, further seeds still do something new.  `seed` is the last one run.
    """

    runs: int
    seconds: float
    failures: int
    behaviours: int
    seed: int


@attrs.frozen(eq=False)
class Found:
    """A failure: the seed, its run with a trace, and what is left of its script after shrinking.

    `shrunk` is None if the campaign was told not to shrink; `script` is the best that is known.
    """

    seed: int
    outcome: Outcome
    shrunk: Shrunk | None
    progress: Progress

    @property
    def script(self) -> Script:
        return self.shrunk.script if self.shrunk else self.outcome.network.script()


def search(
    program: Program,
    *,
    arguments: Mapping[str, Any] | None = None,
    make_network: MakeNetwork | None = None,
    seeds: Iterable[int] | None = None,
    runs_max: int | None = None,
    seconds_max: float | None = None,
    on_progress: Callable[[Progress], object] | None = None,
    seed_file: str | os.PathLike[str] | None = None,
    shrink: bool = True,
) -> Found | None:
    """Run `program` under one seed after the other; the first failure, or None.

    Args:
        arguments: given to the program by name, besides the network.
        make_network: builds the network of a run; without it, `Network`.
        seeds: which ones, in order; without it, 0, 1, 2, ...
        runs_max, seconds_max: when to give up; without either, when the seeds end.
        on_progress: called at most five times a second, and at the end.
        seed_file: holds, at any moment, the seed that runs: it survives a crash of the interpreter.
        shrink: whether to look for the deviations that matter.

    Raises:
        Diverged: a failure did not come again, under its seed or as its script.
        UsageError: `seed_file` cannot be written.
    """
    campaign = _Campaign(program, arguments or {}, make_network or Network, on_progress)
    note = _SeedFile(seed_file) if seed_file is not None else None
    try:
        for seed in count() if seeds is None else seeds:
            if campaign.runs == runs_max or (seconds_max is not None and campaign.seconds >= seconds_max):
                break
            if note is not None:
                note.write(seed)
            if campaign.fails(seed):
                return campaign.examine(seed, shrink)
    finally:
        if note is not None:
            note.close()
    campaign.report()
    return None


class _Campaign:
    """What has been run so far, and how to run more."""

    def __init__(
        self,
        program: Program,
        arguments: Mapping[str, Any],
        make_network: MakeNetwork,
        on_progress: Callable[[Progress], object] | None,
    ) -> None:
        self.runs = self._failures = 0
        self._program, self._arguments = program, arguments
        self._make_network, self._on_progress = make_network, on_progress
        self._seed = 0
        self._failed = ""
        self._behaviours: set[object] = set()
        self._began = self._reported = time.perf_counter()

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self._began

    def progress(self) -> Progress:
        return Progress(self.runs, self.seconds, self._failures, len(self._behaviours), self._seed)

    def report(self) -> None:
        if self._on_progress is not None:
            progress = self.progress()
            self._reported = self._began + progress.seconds
            self._on_progress(progress)

    def fails(self, seed: int) -> bool:
        """Run one seed, fast.  Nothing of a run that passed is kept."""
        self._seed = seed
        outcome = self._execute(seed=seed, trace=False)
        self.runs += 1
        self._behaviours.add(_behaviour(outcome))
        self._failures += not outcome.passed
        self._failed = _words(outcome)
        if time.perf_counter() - self._reported >= PROGRESS_SECONDS:
            self.report()
        return not outcome.passed

    def examine(self, seed: int, shrink: bool) -> Found:
        """A seed that failed: run it again with its trace, then as a script, then shrink that."""
        outcome = self._execute(seed=seed, trace=True)
        if _words(outcome) != self._failed:
            raise Diverged(
                f"not deterministic: under seed {seed} the program {self._failed}, "
                f"and under the same seed again it {_words(outcome)}"
            )
        progress = self.progress()
        self.report()
        shrunk = self._shrink(seed, outcome) if shrink else None
        return Found(seed, outcome, shrunk, progress)

    def _shrink(self, seed: int, outcome: Outcome) -> Shrunk:
        script = outcome.network.script()
        try:
            shrunk = minimize(script, self._replay, wanted=outcome.fingerprint)
        except Diverged as error:
            raise Diverged(f"seed {seed}: {error}") from None
        first = shrunk.outcome.network.trace
        again = self._replay(shrunk.script).network.trace
        if first.digest() != again.digest():
            raise Diverged(
                f"not deterministic: {shrunk.outcome.fingerprint}, and two runs of the same script part: "
                f"{first_difference(first, again)}"
            )
        return shrunk

    def _replay(self, script: Script) -> Outcome:
        return self._execute(script=script, trace=True)

    def _execute(self, **supplier: Any) -> Outcome:
        return execute(self._program, self._make_network(**supplier), self._arguments)


def _behaviour(outcome: Outcome) -> object:
    """Equal for runs that met the same kinds of deviation and ended in the same way."""
    deviations = outcome.network.script().deviations
    return frozenset((each.op, each.outcome) for each in deviations), outcome.fingerprint


def _words(outcome: Outcome) -> str:
    """How a run ended, and after how many deviations: what two runs of one seed have in common."""
    if outcome.error is None:
        return "passed"
    return f"failed with {outcome.fingerprint!r} after {len(outcome.network.script().deviations)} deviations"


class _SeedFile:
    """A file that holds one seed, written in place: whatever ends the process, the seed is there."""

    _WIDTH = 24

    def __init__(self, path: str | os.PathLike[str]) -> None:
        try:
            self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
            os.ftruncate(self._fd, 0)
        except OSError as error:
            raise UsageError(
                f"the seed file {os.fspath(path)!r} cannot be written: {error.strerror}"
            ) from None

    def write(self, seed: int) -> None:
        """One system call, so that a reader never sees half of it; blanks cover a longer seed before it."""
        os.pwrite(self._fd, f"{seed:<{self._WIDTH}}\n".encode(), 0)

    def close(self) -> None:
        os.close(self._fd)
