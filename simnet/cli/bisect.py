"""``simnet bisect``: when was the failure of a scenario certain?

Owns what is printed.  The experiment is `simnet.fuzz.bisect`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import UsageError
from .group import main

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..choices import Choices
    from ..fuzz.bisect import Step
    from ..scenario import Scenario
    from ..scenario.run import Outcome
    from ..script import Happening
    from ..virtual import Network


@main.command()
@click.argument("file", metavar="FILE")
@click.option(
    "--runs", type=click.IntRange(1), default=20, show_default=True, help="Storms after each step of the run."
)
@click.option("--gentle", is_flag=True, help="Storms do only what TCP hides from a program that is right.")
def bisect(file: str, runs: int, gentle: bool) -> int:
    """Tell from which step on the failure of the scenario in FILE is certain.

    Its run is repeated up to each of its deviations and happenings, and then chance decides.  Exit status 0
    if there is such a step, 1 if even the whole run leaves a way out.
    """
    from ..choices import Seeded
    from ..fuzz.bisect import bisect as steps_of
    from ..fuzz.bisect import certain_from
    from ..outcomes import EVERY, GENTLE
    from ..scenario import execute, load
    from ..scenario.run import first_line
    from ..virtual.faults import At

    scenario = load(file)
    program, make = _program(file, scenario)
    outcome = execute(program, make(scenario))
    if outcome.passed:
        raise UsageError(f"{file}: its run passes, so there is no failure to look for")

    def attempt(choices: Choices, happenings: tuple[Happening, ...]) -> Outcome:
        network = make(scenario, choices=choices)
        for each in happenings:
            At(network, each.at_ns).befall(each.what, each.groups, each.amounts)
        return execute(program, network)

    def storm(seed: int) -> Choices:
        return Seeded(seed, GENTLE if gentle else EVERY)

    click.echo(f"{outcome.fingerprint}: {first_line(outcome.error)}\n")
    click.echo("storms that fail  if calm  repeated so far")
    steps: list[Step] = []
    for step in steps_of(outcome, attempt, storm, runs=runs):
        steps.append(step)
        click.echo(_line(step, len(steps) - 1))
    found = certain_from(steps)
    if found is None:
        click.echo("\nnever certain: even after the whole run some storm ends otherwise")
        if not gentle:
            click.echo("a storm may reset the connection before it shows: --gentle leaves that out")
        return 1
    what = "from the start" if found.item is None else f"from step {steps.index(found)} on: {found.item}"
    click.echo(f"\ncertain {what}")
    return 0


def _program(file: str, scenario: Scenario) -> tuple[Callable[[Network], object], Callable[..., Network]]:
    """What to run, and what makes its networks: a program, or a test that needs no other fixture."""
    from .. import pytest_failures
    from ..scenario import make_network, program_of

    if scenario.test is None:
        return program_of(scenario), make_network
    call = pytest_failures.kept_call(scenario, Path.cwd())
    if call is None:
        raise UsageError(f"{file}: {scenario.test} needs fixtures, and bisect cannot make them")
    return call, pytest_failures.bare_network


def _line(step: Step, number: int) -> str:
    share = f"{step.failed} of {step.runs}"
    last = f"{number}  {step.item}" if step.item is not None else "0  nothing"
    return f"{share:>16}  {'fails' if step.alone else 'not':<7}  {last}"
