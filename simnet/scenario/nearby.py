"""Look for the failure of a scenario beside its anchors, after its program was edited.

A scenario fails no more as it was recorded.  Either the program was mended, or what its faults are anchored
on is elsewhere now: a connection was opened earlier, a message sent before, a host renamed.  To tell the two
apart, its program is run again with the anchors moved: first to the operations that carry what theirs
carried, one after the other; then to the nearest ones, all in the same way, and each in its own.

A scenario that passes guards a correction, and tests nothing once its faults find no moment, or another one.
There the bytes alone say where they belong, and a run is right that passes and carries the same at each.

No seed is drawn and the order is fixed, so two searches that are not stopped by the clock find the same.
Only a run that fails with the recorded error at the recorded place, and meets all of its faults, is found.

Owns the search.  How far an anchor may move, and what is near, is `moves`.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import permutations
from typing import TypeAlias

import attrs

from ..script import Deviation, Item, Script
from ..virtual import Network
from .anchors import host_names, split, with_names
from .model import Scenario
from .moves import Candidate, candidates, is_met_alike, likeliest
from .operations import Carried, Operation, anchor, attentive, carried_by
from .run import Outcome, execute, fingerprint, make_network, wrong_end

MakeNetwork: TypeAlias = Callable[..., Network]
"""Makes the network of a scenario, with a supplier of picks as ``choices=``; as `run.make_network` does."""

RUNS_MAX = 200
SECONDS_MAX = 5.0

_CANDIDATES_MAX = 30
_RENAMES_MAX = 4


@attrs.frozen(eq=False)
class Near:
    """What a search found.

    Attributes:
        scenario: the scenario with its anchors moved, and as it should be again; None if it was not found.
        moves: which items became which.
        runs: how many runs were made.
        needs_no_faults: the program fails like that without any deviation, so there is nothing to look for.
    """

    scenario: Scenario | None
    moves: tuple[tuple[Item, Item], ...]
    runs: int
    needs_no_faults: bool = False


def look_near(
    scenario: Scenario,
    program: Callable[[Network], object],
    *,
    make: MakeNetwork = make_network,
    runs_max: int = RUNS_MAX,
    seconds_max: float = SECONDS_MAX,
) -> Near:
    """Look for the failure of a scenario with its anchors moved.

    Args:
        scenario: expects a failure, or passes and has a record of what its operations carried.  What the
            record says of that, and of the place of a failure, is gone by.
        program: called with a network, and with nothing else.
        make: makes the network of a scenario: ``make(scenario, choices=...)``.
        runs_max, seconds_max: when to give up.
    """
    search = _Search(scenario, program, make, runs_max, seconds_max)
    found, needs_none = None, False
    with suppress(_Exhausted):
        needs_none = search.needs_no_faults()
        found = None if needs_none else search.look()
    pairs = zip(scenario.script.items(), found.script.items(), strict=True) if found is not None else ()
    return Near(found, tuple((old, new) for old, new in pairs if old != new), search.runs, needs_none)


def needs_no_faults(
    scenario: Scenario, program: Callable[[Network], object], make: MakeNetwork = make_network
) -> bool:
    """Whether a program fails as its scenario expects even if nothing deviates: one run of it."""
    return _Search(scenario, program, make, RUNS_MAX, SECONDS_MAX).needs_no_faults()


def carried_in(
    scenario: Scenario, program: Callable[[Network], object], make: MakeNetwork = make_network
) -> Mapping[str, Carried]:
    """What the anchored operations of a scenario carry, by their anchors: one more run of it."""
    network, supplier = attentive(scenario.script, partial(make, scenario))
    execute(program, network)
    return carried_by(scenario.script, supplier.operations) if network.trace.covers_contents else {}


class _Exhausted(Exception):
    """There are no runs or seconds left."""


@attrs.frozen(eq=False)
class _Run:
    """One run: whether it fails as wanted, what it came to, and its hosts."""

    is_wanted: bool
    operations: Sequence[Operation]
    hosts: tuple[str, ...]


class _Search:
    """One search: what was tried, and what is left to try with."""

    def __init__(
        self,
        scenario: Scenario,
        program: Callable[[Network], object],
        make: MakeNetwork,
        runs_max: int,
        seconds_max: float,
    ) -> None:
        self._scenario, self._program, self._make = scenario, program, make
        self._runs_max, self._ends = runs_max, time.perf_counter() + seconds_max
        self._tried: dict[tuple[Script, object], _Run] = {}
        record = scenario.record
        carried = record.carried if record is not None else {}
        self._failure = record.failure if record is not None else None
        # By the position of the deviation, since anchors will change.
        self._carried = [carried.get(anchor(each)) for each in scenario.script.deviations]

    @property
    def runs(self) -> int:
        return len(self._tried)

    # --- runs ------------------------------------------------------------------------------------

    def _run(self, scenario: Scenario) -> _Run:
        key = scenario.script, scenario.hosts
        if key not in self._tried:
            if self.runs >= self._runs_max or time.perf_counter() >= self._ends:
                raise _Exhausted
            network, supplier = attentive(scenario.script, partial(self._make, scenario))
            outcome = execute(self._program, network)
            met = {str(each) for each in network.unmet()} <= {*scenario.expect.unmet}
            if scenario.expect.outcome == "passes":
                is_wanted = met and outcome.passed and self._carries_alike(scenario, supplier.operations)
            else:
                is_wanted = met and self._fails_alike(outcome)
            self._tried[key] = _Run(is_wanted, supplier.operations, tuple(network.hosts))
        return self._tried[key]

    def _fails_alike(self, outcome: Outcome) -> bool:
        if outcome.error is None or any(wrong_end(self._scenario, outcome.error)):
            return False
        return self._failure is None or fingerprint(outcome.error) == self._failure

    def _carries_alike(self, scenario: Scenario, operations: Sequence[Operation]) -> bool:
        pairs = zip(scenario.script.deviations, self._carried, strict=True)
        return all(was is None or is_met_alike(deviation, was, operations) for deviation, was in pairs)

    def needs_no_faults(self) -> bool:
        """Whether the program fails in this way even if nothing deviates."""
        if self._scenario.expect.outcome == "passes":
            return False
        script = self._scenario.script
        calm = attrs.evolve(script, deviations=())
        return len(calm) < len(script) and self._run(attrs.evolve(self._scenario, script=calm)).is_wanted

    # --- the search ------------------------------------------------------------------------------

    def look(self) -> Scenario | None:
        bases: list[Scenario] = []
        for base in self._bases():
            followed, is_found = self._follow(base)
            if is_found:
                return followed
            bases += [followed, base]
        if self._scenario.expect.outcome == "passes":
            return None
        for base in bases:
            for candidate in self._neighbours(base):
                if self._run(candidate).is_wanted:
                    return candidate
        return None

    def _bases(self) -> Iterator[Scenario]:
        """The scenario as it is, or with other names for the hosts of which nothing is heard any more."""
        run = self._run(self._scenario)
        active = tuple(dict.fromkeys(name for each in run.operations for name in split(each.where)))
        named = [name for item in self._scenario.script.items() for name in host_names(item)]
        known = dict.fromkeys([*(host.name for host in self._scenario.hosts), *named])
        gone = [name for name in known if name not in active]
        new = [name for name in run.hosts if name not in known and name in active]
        yield self._scenario
        if gone:
            chosen = list(permutations(new, min(len(gone), len(new))))[:_RENAMES_MAX]
            yield from (_with_hosts(self._scenario, dict(zip(gone, names, strict=False))) for names in chosen)

    def _follow(self, scenario: Scenario) -> tuple[Scenario, bool]:
        """Move each deviation, one after the other, to where the bytes of its operation are now.

        Each move is a run of its own: what one deviation does decides what the next one meets.
        """
        for index, was in enumerate(self._carried):
            run = self._run(scenario)
            if run.is_wanted:
                return scenario, True
            deviation = scenario.script.deviations[index]
            if was is None or is_met_alike(deviation, was, run.operations):
                continue
            moved = likeliest(deviation, was, run.operations)
            if moved is not None and self._may_move(scenario, index):
                scenario = _with_deviations(scenario, {index: moved}) or scenario
        return scenario, self._run(scenario).is_wanted

    def _may_move(self, scenario: Scenario, index: int) -> bool:
        """A deviation that is expected to find no moment stays where it is."""
        return str(scenario.script.deviations[index]) not in scenario.expect.unmet

    def _neighbours(self, scenario: Scenario) -> Iterator[Scenario]:
        """All that is near, the nearest first: all anchors moved in the same way, then each in its own."""
        operations = self._run(scenario).operations
        choices = [
            candidates(deviation, was, operations)[
                : _CANDIDATES_MAX if self._may_move(scenario, index) else 1
            ]
            for index, (deviation, was) in enumerate(
                zip(scenario.script.deviations, self._carried, strict=True)
            )
        ]
        for moved in (*_alike(choices), *_nearest(choices)):
            changed = _with_deviations(scenario, dict(enumerate(moved)))
            if changed is not None:
                yield changed


def _alike(choices: Sequence[Sequence[Candidate]]) -> Iterator[Sequence[Deviation]]:
    """Every shift that more than one anchor can make, by all that can."""
    by_shift: dict[tuple[object, ...], dict[int, Candidate]] = {}
    for index, found in enumerate(choices):
        for candidate in found[1:]:
            by_shift.setdefault(candidate.shift, {}).setdefault(index, candidate)
    shared = [moved for moved in by_shift.values() if len(moved) > 1]
    for moved in sorted(shared, key=lambda moved: min(each.cost for each in moved.values())):
        yield [moved.get(index, found[0]).deviation for index, found in enumerate(choices)]


def _nearest(choices: Sequence[Sequence[Candidate]]) -> Iterator[Sequence[Deviation]]:
    """Every choice of one candidate for each anchor, by the sum of what they cost."""
    start = (0,) * len(choices)
    waiting = [(0.0, start)]
    seen = {start}
    while waiting:
        _, taken = heapq.heappop(waiting)
        yield [found[rank].deviation for found, rank in zip(choices, taken, strict=True)]
        for place, found in enumerate(choices):
            following = (*taken[:place], taken[place] + 1, *taken[place + 1 :])
            if following[place] < len(found) and following not in seen:
                seen.add(following)
                cost = sum(found[rank].cost for found, rank in zip(choices, following, strict=True))
                heapq.heappush(waiting, (cost, following))


def _with_deviations(scenario: Scenario, moved: Mapping[int, Deviation]) -> Scenario | None:
    """The scenario with some deviations replaced; None if two of them would decide one operation."""
    deviations = [moved.get(index, each) for index, each in enumerate(scenario.script.deviations)]
    if len({(each.where, each.op, each.nth) for each in deviations}) < len(deviations):
        return None
    return attrs.evolve(scenario, script=attrs.evolve(scenario.script, deviations=deviations))


def _with_hosts(scenario: Scenario, names: Mapping[str, str]) -> Scenario:
    """The scenario where hosts have other names."""

    def now(name: str) -> str:
        return names.get(name, name)

    hosts = tuple(attrs.evolve(host, name=now(host.name)) for host in scenario.hosts)
    links = tuple(
        attrs.evolve(link, between=(now(link.between[0]), now(link.between[1]))) for link in scenario.links
    )
    items = [with_names(item, names) for item in scenario.script.items()]
    renamed = dict(zip(map(str, scenario.script.items()), map(str, items), strict=True))
    unmet = tuple(renamed[sentence] for sentence in scenario.expect.unmet)
    return attrs.evolve(
        scenario,
        hosts=hosts,
        links=links,
        script=Script.of(items),
        expect=attrs.evolve(scenario.expect, unmet=unmet),
    )
