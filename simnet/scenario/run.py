"""Run a program on a network and say how it ended.

A *program* is a callable that takes a `Network` (and perhaps arguments), makes its hosts and handlers,
runs the network and asserts what should hold.  Whatever it lets out is the run's error.

A scenario names its program and describes its network; `run_scenario` runs it and says whether it ended
as the scenario expects.

Owns runs and how they are judged.  Whether a run repeats its record is the business of `replay`.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial
from typing import Any, TypeAlias

import attrs

from ..choices import Choices
from ..errors import PropertyViolated, UsageError
from ..fence import Fence
from ..outcomes import EVERY
from ..script import Script
from ..virtual import Network
from .model import Scenario
from .program import check_arguments, find_program

Program: TypeAlias = Callable[..., object]


@attrs.frozen(eq=False)
class Outcome:
    """How a run ended: the network as it was then, and what the program let out."""

    network: Network
    error: BaseException | None

    @property
    def passed(self) -> bool:
        return self.error is None

    @property
    def fingerprint(self) -> str:
        """What makes two failures the same: the kind of error, and the function that let it out."""
        return "" if self.error is None else fingerprint(self.error)


def execute(program: Program, network: Network, arguments: Mapping[str, Any] | None = None) -> Outcome:
    """Run `program` on `network`.  Interrupts pass through; every other exception is the outcome.

    Also those that are no Exception: pytest's own `fail` and `skip` are such.
    """
    try:
        program(network, **(arguments or {}))
    except (KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:
        return Outcome(network, error)
    finally:
        network.trace.end()
    return Outcome(network, None)


def make_network(
    scenario: Scenario,
    *,
    script: Script | None = None,
    seed: int | None = None,
    choices: Choices | None = None,
    only: Collection[tuple[str, str]] = EVERY,
    trace: bool = True,
) -> Network:
    """A fresh network with the hosts and links of a scenario.

    `script`, `seed` (a storm that may do `only` this) or `choices` decide its run instead of what the
    scenario says.  Raises UsageError if
    a host or a quantity cannot be, which `load` has checked before.
    """
    if script is None and seed is None and choices is None:
        script, seed = (scenario.script, None) if scenario.seed is None else (None, scenario.seed)
    network = Network(script, seed=seed, choices=choices, only=only, trace=trace, **network_options(scenario))
    for spec in scenario.hosts:
        host = network.host(spec.name)
        if spec.descriptors_max is not None:
            host.descriptors_max = spec.descriptors_max
    for link in scenario.links:
        network.link(
            *link.between,
            latency=link.latency,
            jitter=link.jitter,
            bandwidth=link.bandwidth,
            capacity=link.capacity,
        )
    return network


def network_options(scenario: Scenario) -> dict[str, Any]:
    """What a scenario says of its network, but for hosts, links and what decides the run."""
    return {"latency": scenario.latency, "fence": scenario.fence, "check": scenario.check}


def looked_for(network: Network) -> dict[str, Any]:
    """What a scenario has to say so that its runs look for what this network looked for."""
    fence = network.fence if network.fence != Fence() else None
    return {"check": network.checks.changes(), "fence": fence}


@attrs.frozen(eq=False)
class Verdict:
    """Whether a run ended as its scenario expects; `problems` say what did not."""

    scenario: Scenario
    outcome: Outcome
    problems: tuple[str, ...]

    @property
    def as_expected(self) -> bool:
        return not self.problems

    @property
    def digest(self) -> str:
        return self.outcome.network.trace.digest()

    def __str__(self) -> str:
        if self.as_expected:
            return f"{self.scenario.name}: {self.scenario.expect.outcome}, as expected"
        return "\n".join([f"{self.scenario.name}: not as expected", *(f"  {each}" for each in self.problems)])


def run_scenario(scenario: Scenario) -> Verdict:
    """Run a scenario and compare how it ended with what it expects.

    The record of an earlier run is not looked at: the program may have changed since.  Raises UsageError
    if the program cannot be found or does not take these arguments, or is a test, which pytest runs.
    """
    return judge(scenario, execute(program_of(scenario), make_network(scenario)))


def program_of(scenario: Scenario) -> Callable[[Network], object]:
    """The program of a scenario with its arguments: called with a network.  Raises as `run_scenario`."""
    if scenario.call is None:
        raise UsageError(f"{scenario.name}: {scenario.test} is a test, which pytest runs")
    program = find_program(scenario.call)
    check_arguments(scenario.call, program, scenario.arguments)
    return partial(program, **scenario.arguments)


def judge(scenario: Scenario, outcome: Outcome) -> Verdict:
    """Compare how a run ended with what its scenario expects."""
    return Verdict(
        scenario, outcome, (*wrong_end(scenario, outcome.error), *_wrong_faults(scenario, outcome))
    )


def unmet(scenario: Scenario, network: Network) -> tuple[str, ...]:
    """The faults of a scenario that a run of it did not meet, as sentences."""
    return tuple(map(str, network.unmet()))


def wrong_end(scenario: Scenario, error: BaseException | None) -> Iterator[str]:
    """What is wrong with a run that let this error out, or none."""
    expect = scenario.expect
    if error is None:
        if expect.outcome == "fails":
            yield f"it passes, and {expect.error or 'a failure'} is expected"
        return
    found = f"{type(error).__name__}: {first_line(error)}"
    if expect.outcome == "passes":
        yield f"it fails: {found}"
    elif expect.error is not None and expect.error not in [kind.__name__ for kind in type(error).__mro__]:
        yield f"it fails with another error than {expect.error}: {found}"
    elif expect.says is not None and expect.says not in str(error):
        yield f"its error does not say {expect.says!r}: {found}"


def _wrong_faults(scenario: Scenario, outcome: Outcome) -> Iterator[str]:
    never, expected = unmet(scenario, outcome.network), scenario.expect.unmet
    yield from (f"never happened: {sentence}" for sentence in never if sentence not in expected)
    yield from (
        f"happened, and is expected not to: {sentence}" for sentence in expected if sentence not in never
    )


def first_line(error: BaseException | None) -> str:
    """The first line of an error's message that says anything."""
    return next((line for line in str(error).splitlines() if line.strip()), "(no message)")


def fingerprint(error: BaseException) -> str:
    """The kind of an error, the property if it is one, and the innermost function outside simnet that it
    came through."""
    frames = traceback.extract_tb(error.__traceback__)
    own = __file__.rpartition("scenario")[0]
    outside = [frame for frame in frames if not frame.filename.startswith(own)] or frames
    place = f"{outside[-1].name}" if outside else ""
    kind = type(error).__name__
    if isinstance(error, PropertyViolated):
        kind, place = f"{kind} {error.name}", error.function or place
    return f"{kind} in {place}"
