"""A campaign: one run after the other, as a search says, until one makes the program fail.

Hypothesis is for tests; this is for millions of runs.  A `Search` says what decides each run, and a run
without a trace is the fastest there is.  When it fails, the same case runs again with its trace, the run's
script is recorded, the script alone must fail in the same way, and then it is shrunk.  Each of these steps is
also a check: a program that does not do the same thing twice is reported as such, not as a finding.

Owns the runs and what is counted of them.  Does not own which runs to make (`searches`), shrinking
(`shrink`), nor what is shown of it (`report`).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeAlias

import attrs

from ..errors import Diverged, UsageError
from ..scenario.replay import first_difference
from ..scenario.run import Outcome, Program, execute
from ..script import Script
from ..virtual import Network
from .coverage import HandlerCoverage
from .searches import Case, Extent, Search, Storm, mixed
from .shrink import Shrunk, minimize
from .state_file import StateFile

MakeNetwork: TypeAlias = Callable[..., Network]
"""Builds the network of one run from ``seed=``, ``script=`` or ``choices=``, perhaps ``only=``, and
``trace=``; it may add links."""

PROGRESS_SECONDS = 0.2

COVERED_EVERY = 10
"""One run of so many is watched for coverage: watching takes time."""


@attrs.frozen
class Progress:
    """How far a campaign is.

    `behaviours` is the number of different runs seen so far, by which kinds of deviation they met and
    how they ended: while it grows, further runs still do something new.  `failures` says how often the
    program failed with each fingerprint (its property and place).  `case` is the last one run, and `extent`
    how far the search is, if it has an end.  `never` is what was to be seen `sometimes`
    (`simnet.properties.sometimes`), and was not.
    """

    runs: int
    seconds: float
    failures: Mapping[str, int]
    behaviours: int
    case: str
    extent: Extent | None
    never: tuple[str, ...] = ()


@attrs.frozen(eq=False)
class Found:
    """A failure: its case, its run with a trace, and what is left of its script after shrinking.

    `shrunk` is None if the campaign was told not to shrink; `script` is the best that is known.
    """

    case: Case
    outcome: Outcome
    shrunk: Shrunk | None
    progress: Progress

    @property
    def seed(self) -> int | None:
        """The seed that it was found under, if it was a storm."""
        return self.case.seed

    @property
    def script(self) -> Script:
        return self.shrunk.script if self.shrunk else self.outcome.network.script()


def search(program: Program, **how: Any) -> Found | None:
    """The first failure of `program`, or None; takes what `findings` takes."""
    return next(findings(program, **how), None)


def findings(
    program: Program,
    *,
    by: Search | None = None,
    arguments: Mapping[str, Any] | None = None,
    make_network: MakeNetwork | None = None,
    seeds: Iterable[int] | None = None,
    runs_max: int | None = None,
    seconds_max: float | None = None,
    on_progress: Callable[[Progress], object] | None = None,
    state_file: str | os.PathLike[str] | None = None,
    shrink: bool = True,
    coverage: HandlerCoverage | None = None,
) -> Iterator[Found]:
    """Run `program` again and again; the distinct failures, as they are found.

    Two failures are the same if they have the same fingerprint.  Those that were found before are counted,
    but neither shrunk nor given again.

    Args:
        by: the search that says what to run; without it, `simnet.fuzz.searches.mixed`.
        arguments: given to the program by name, besides the network.
        make_network: builds the network of a run; without it, `Network`.
        seeds: instead of a search, storms under these seeds, in order.
        runs_max, seconds_max: when to give up; without either, when the search ends.  Time that is spent on
            shrinking does not count.
        on_progress: called at most five times a second, at each failure that is new, and at the end.
        state_file: holds, at any moment, where the search is: it survives a crash of the interpreter.
        shrink: whether to look for the deviations that matter.
        coverage: is told of one run of `COVERED_EVERY` which handlers ran under which faults.

    Raises:
        Diverged: a failure did not come again, in the same case or as its script.
        UsageError: `state_file` cannot be written, or both a search and seeds are given.
    """
    if by is not None and seeds is not None:
        raise UsageError("give a search or seeds, not both")
    by = by or (mixed() if seeds is None else Storm(seeds))
    campaign = _Campaign(program, by, arguments or {}, make_network or Network, on_progress, coverage)
    with StateFile(state_file) if state_file is not None else nullcontext() as file:
        while not campaign.is_over(runs_max, seconds_max) and (case := by.next()) is not None:
            if file is not None:
                file.write(by)
            outcome = campaign.run(case)
            if outcome.error is not None and campaign.is_new(outcome):
                yield campaign.examine(case, outcome, shrink)
    campaign.report()


class _Campaign:
    """What has been run so far, and how to run more."""

    def __init__(
        self,
        program: Program,
        search: Search,
        arguments: Mapping[str, Any],
        make_network: MakeNetwork,
        on_progress: Callable[[Progress], object] | None,
        coverage: HandlerCoverage | None,
    ) -> None:
        self._runs = 0
        self._coverage = coverage
        self._program, self._search, self._arguments = program, search, arguments
        self._make_network, self._on_progress = make_network, on_progress
        self._case = "nothing"
        self._failures: dict[str, int] = {}
        self._behaviours: set[object] = set()
        self._seen: dict[str, bool] = {}  # what the program wants to see, and whether any run has
        self._began = self._reported = time.perf_counter()
        self._aside = 0.0  # seconds that were spent on failures, by this and by whoever was told of them

    @property
    def _seconds(self) -> float:
        return time.perf_counter() - self._began - self._aside

    def is_over(self, runs_max: int | None, seconds_max: float | None) -> bool:
        return self._runs == runs_max or (seconds_max is not None and self._seconds >= seconds_max)

    def progress(self) -> Progress:
        failures, behaviours = dict(self._failures), len(self._behaviours)
        never = tuple(says for says, seen in self._seen.items() if not seen)
        return Progress(
            self._runs, self._seconds, failures, behaviours, self._case, self._search.extent, never
        )

    def report(self) -> None:
        if self._on_progress is not None:
            self._reported = time.perf_counter()
            self._on_progress(self.progress())

    def run(self, case: Case) -> Outcome:
        """Make one run, fast.  Nothing of a run that passed is kept."""
        self._case = case.name
        try:
            network = self._make_network(**case.supplier(), trace=self._search.wants_trace)
            with self._watched(network):
                outcome = execute(self._program, network, self._arguments)
        except KeyboardInterrupt:
            self.report()
            raise
        self._runs += 1
        self._behaviours.add(_behaviour(outcome))
        for says, seen in outcome.network.seen_sometimes.items():
            self._seen[says] = seen or self._seen.get(says, False)
        if outcome.error is not None:
            self._failures[outcome.fingerprint] = self._failures.get(outcome.fingerprint, 0) + 1
        self._search.learn(outcome)
        if time.perf_counter() - self._reported >= PROGRESS_SECONDS:
            self.report()
        return outcome

    def _watched(self, network: Network) -> AbstractContextManager[None]:
        if self._coverage is None or self._runs % COVERED_EVERY:
            return nullcontext()
        return self._coverage.watch(network)

    def is_new(self, outcome: Outcome) -> bool:
        """Whether a failure is the first of its kind."""
        return self._failures[outcome.fingerprint] == 1

    def examine(self, case: Case, failed: Outcome, shrink: bool) -> Found:
        """A case that failed: run it again with its trace, then as a script, then shrink that."""
        began = time.perf_counter()
        progress = self.progress()
        self.report()
        outcome = self._execute(**case.supplier(), trace=True)
        if _words(outcome) != _words(failed):
            raise Diverged(
                f"not deterministic: under {case.name} the program {_words(failed)}, "
                f"and under the same again it {_words(outcome)}"
            )
        shrunk = self._shrink(case, outcome) if shrink else None
        self._aside += time.perf_counter() - began
        return Found(case, outcome, shrunk, progress)

    def _shrink(self, case: Case, outcome: Outcome) -> Shrunk:
        script = outcome.network.script()
        try:
            shrunk = minimize(script, self._replay, wanted=outcome.fingerprint)
        except Diverged as error:
            raise Diverged(f"{case.name}: {error}") from None
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
    """Equal for runs that met the same kinds of deviation and happening, and ended in the same way."""
    network = outcome.network
    kinds = frozenset((each.op, each.outcome) for each in network.recording.deviations)
    return kinds, frozenset(each.what for each in network.happened), outcome.fingerprint


def _words(outcome: Outcome) -> str:
    """How a run ended, and after how many deviations: what two runs of one case have in common."""
    if outcome.error is None:
        return "passed"
    return f"failed with {outcome.fingerprint!r} after {len(outcome.network.script().deviations)} deviations"
