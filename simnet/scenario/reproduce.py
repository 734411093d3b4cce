"""Does the failure of a scenario come back?  At its anchors, or near them, after its program was edited.

A strict replay (`replay`) asks whether a run is the recorded one, event by event.  Most edits make it another
one, and what people want to know then is whether the failure is still there.

Owns that question, and how its answer is said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import attrs

from ..virtual import Network
from .model import Scenario
from .nearby import MakeNetwork, Near, look_near, needs_no_faults
from .replay import parting
from .run import Verdict, execute, judge, make_network


@attrs.frozen(eq=False)
class Reproduction:
    """How a scenario was run again.

    Attributes:
        verdict: of its run; of the run with its anchors moved, if that brought the failure back.
        parted: at which event the run with its anchors unmoved left the record; empty if it did not.
        near: what was found beside the anchors, if it was looked for.
    """

    verdict: Verdict
    parted: str
    near: Near | None = None

    @property
    def scenario(self) -> Scenario:
        """The scenario that was run, with its anchors moved if they had to be."""
        return self.verdict.scenario

    @property
    def is_moved(self) -> bool:
        return self.near is not None and bool(self.near.moves)

    @property
    def is_back(self) -> bool:
        """Whether it ends as expected: on the recorded run, or with the failure that is looked for, or with
        faults that meet what they met then."""
        is_found = self.near is not None and self.near.scenario is not None
        is_looked_for = self.scenario.expect.outcome == "fails"
        is_vain = self.near is not None and self.near.needs_no_faults
        return self.verdict.as_expected and not is_vain and (not self.parted or is_looked_for or is_found)

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        if self.is_moved:
            yield from self._moves()
        elif self.is_back or not self.parted:
            yield str(self.verdict)
            yield from self._elsewhere()
        if self.parted and self.is_back:
            yield f"the run parted from its record {self.parted}"
        elif self.parted:
            yield f"{self.scenario.name}: diverged {self.parted}"
            yield from self.verdict.problems
        if self.near is not None and self.near.needs_no_faults:
            yield "it fails like that without any of its deviations: they are not what it takes"
        elif self.near is not None and self.near.scenario is None:
            yield self._in_vain(self.near)

    def _in_vain(self, near: Near) -> str:
        if self.scenario.expect.outcome == "passes":
            return "what its faults met when it was recorded is nowhere near"
        return f"nor does it fail so with its anchors moved ({_counted(near.runs, 'run')})"

    def _moves(self) -> Iterator[str]:
        assert self.near is not None
        moves = self.near.moves
        outcome = self.scenario.expect.outcome
        yield f"{self.scenario.name}: {outcome}, as expected, with {_counted(len(moves), 'anchor')} moved"
        for old, new in moves:
            yield f"  was     {old}"
            yield f"  is now  {new}"

    def _elsewhere(self) -> Iterator[str]:
        """It fails as expected, but not where it did when it was recorded."""
        was, is_now = _failure(self.scenario), self.verdict.outcome.fingerprint
        if self.verdict.as_expected and was is not None and was != is_now:
            yield f"not where it failed when it was recorded: {is_now}, not {was}"


def reproduce(
    scenario: Scenario, program: Callable[[Network], object], make: MakeNetwork = make_network
) -> Reproduction:
    """Run a scenario again; if its failure does not come back, look for it beside its anchors.

    Args:
        program: `program_of` the scenario.
        make: makes the network of a scenario.
    """
    verdict = judge(scenario, execute(program, make(scenario)))
    parted = parting(scenario, verdict.outcome)
    if scenario.expect.outcome == "fails" and _is_back(verdict):
        # Another run, which may have another reason to fail.
        needs_none = bool(parted) and needs_no_faults(scenario, program, make)
        return Reproduction(verdict, parted, Near(None, (), 1, needs_none) if needs_none else None)
    if not _may_look(scenario, parted):
        return Reproduction(verdict, parted)
    near = look_near(scenario, program, make=make)
    if near.scenario is None:
        return Reproduction(verdict, parted, near)
    return Reproduction(judge(near.scenario, execute(program, make(near.scenario))), parted, near)


def _failure(scenario: Scenario) -> str | None:
    return scenario.record.failure if scenario.record is not None else None


def _is_back(verdict: Verdict) -> bool:
    """Whether a run ends as expected, and at the place that was recorded."""
    failure = _failure(verdict.scenario)
    return verdict.as_expected and failure in (None, verdict.outcome.fingerprint)


def _may_look(scenario: Scenario, parted: str) -> bool:
    """Whether there is a failure to look for that could be told from another, and anchors that may be moved.

    A run that does not leave its record is what it was: nothing has moved.
    """
    if scenario.expect.outcome == "passes":
        return bool(parted) and scenario.record is not None and bool(scenario.record.carried)
    if not len(scenario.script):
        return False
    is_known = _failure(scenario) is not None or scenario.expect.error is not None
    return is_known and (scenario.record is None or bool(parted))


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"
