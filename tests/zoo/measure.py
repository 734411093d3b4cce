"""How a member is searched for: what the tests of the zoo ask, and what ``python -m tests.zoo`` measures.

Both ways are those of a user who has set nothing: `simnet.fuzz.campaign.search`, and a Hypothesis test with
`networks()`.

Owns the two searches.  Does not own what is expected of them.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

import attrs
from hypothesis import Phase, given, seed, settings

from simnet import Network
from simnet.fuzz import networks
from simnet.fuzz.campaign import Found, search
from simnet.fuzz.searches import mixed
from simnet.scenario import Expect, Scenario, record_of
from tests.zoo.members import Member

SECONDS_MAX = 60.0
DEVIATIONS_MAX = 3
APART = 1_000_000
"""Between the first seeds of two searches that are to have no storm in common."""


def calm(member: Member) -> None:
    """Both twins pass on the textbook network; what they import is imported then."""
    member.bad(Network())
    member.good(Network())


def by_search(member: Member, start: int = 0, runs_max: int | None = None) -> Found | None:
    """The first failure in series `start` of the seeds, shrunk; None after a minute, or so many runs."""
    return search(member.bad, by=mixed(start * APART), runs_max=runs_max, seconds_max=SECONDS_MAX)


def survives(member: Member, runs: int, start: int = 0) -> Found | None:
    """The first failure of the good twin in so many runs: there should be none."""
    return search(member.good, by=mixed(start * APART), runs_max=runs)


@attrs.define
class Drawn:
    """The first failure, shrunk, with storms from series `start`; None after a minute, or `runs_max`."""

    examples: int = 0
    deviations: int = 0
    seconds: float = 0.0


def by_hypothesis(member: Member, number: int, shrinks: bool = True) -> Drawn:
    """A test of 100 examples, under Hypothesis's `seed` of that number.

    Args:
        shrinks: whether Hypothesis goes on to the smallest example, which takes most of the time.
    """
    drawn, ran = Drawn(), 0

    @seed(number)
    # Without a deadline of real time a slow machine finds the same.
    @settings(database=None, deadline=None, phases=list(Phase) if shrinks else [Phase.generate])
    @given(net=networks())
    def test(net: Network) -> None:
        nonlocal ran
        ran += 1
        try:
            member.bad(net)
        except BaseException:
            drawn.examples = drawn.examples or ran
            drawn.deviations = len(net.script())
            raise

    began = time.perf_counter()
    try:
        test()
    except Exception:  # one kind of failure, or a group of several
        assert drawn.examples, "Hypothesis itself found something to complain of"
        drawn.seconds = time.perf_counter() - began
    return drawn


def scenario_of(member: Member, found: Found) -> Scenario:
    """What was found, as the scenario that brings it back."""
    assert found.shrunk is not None
    outcome = found.shrunk.outcome
    assert outcome.error is not None
    return Scenario(
        title=f"{member.name.replace('_', ' ')}: {member.bug}",
        why=(member.module.__doc__ or "").strip(),
        call=f"{member.place}:bad",
        script=found.script,
        expect=Expect(outcome="fails", error=type(outcome.error).__name__),
        record=record_of(outcome),
    )


def median(numbers: Iterable[Any]) -> Any:
    """The upper one of two in the middle: it was measured."""
    ordered = sorted(numbers)
    return ordered[len(ordered) // 2]
