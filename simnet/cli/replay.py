"""``simnet replay``: one scenario again, and whether its failure comes back.

Owns the command and what it prints.  How a failure is looked for is `simnet.scenario.nearby`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import redirect_stdout
from io import StringIO
from typing import TYPE_CHECKING

import click

from ..errors import Diverged, UsageError
from .group import main
from .scenarios import CENSUS_HELP, counted, run_test

if TYPE_CHECKING:
    from ..scenario import Outcome, Reproduction, Scenario
    from ..script import Script


@main.command()
@click.argument("file", metavar="FILE")
@click.option("--verify", is_flag=True, help="Replay it once more in a new process, under another hash seed.")
@click.option("--strict", is_flag=True, help="To the letter: look for no failure that has moved.")
@click.option("--update", is_flag=True, help="Write anchors that have moved, and a new record, into FILE.")
@click.option("--census", is_flag=True, help=CENSUS_HELP)
@click.option("-q", "--quiet", is_flag=True, help="Print the digest of the run and nothing else; strict.")
def replay(file: str, verify: bool, strict: bool, update: bool, census: bool, quiet: bool) -> int:
    """Run the scenario in FILE again, and compare the run with its record.

    If its failure does not come back, because the program was edited, it is looked for beside the anchors of
    its faults.  Exit status 0 if the run is the recorded one or the failure came back, 1 if not.
    """
    from ..scenario import load, program_of, reproduce
    from ..scenario import replay as replay_strictly

    if update and (strict or quiet):
        raise UsageError("a strict replay updates nothing: give --update or --strict, not both")
    scenario = load(file)
    if scenario.test is not None:
        wanted = {"--simnet-strict": strict or quiet, "--simnet-update": update, "--simnet-census": census}
        status = run_test(scenario, [option for option, is_on in wanted.items() if is_on])
        if verify and scenario.record is None and not update:
            raise UsageError(f"{file} has no record to verify: give --update as well")
        if verify and not status:
            _verify_test(file)
        return status
    if strict or quiet:
        verdict = replay_strictly(scenario)
        if quiet:
            click.echo(verdict.digest)
            return 0 if verdict.as_expected else 1
    with counted(census) as tell:
        again = reproduce(scenario, program_of(scenario))
        tell(again.verdict.outcome.network)
    if again.parted and not again.is_back:
        raise Diverged(str(again))
    _show(again)
    is_changed = bool(again.parted) or again.is_moved
    click.echo(f"digest {again.verdict.digest}, {_compared(file, scenario, is_changed)}")
    if not again.is_back:
        return 1
    if update:
        _update(file, scenario, again)
    elif is_changed:
        click.echo(f"to keep it as it is now: simnet replay --update {file}")
    if verify and (update or not is_changed):
        _verify(file, again.verdict.digest)
    elif verify:
        raise UsageError("a run that is not the recorded one is not verified: give --update as well")
    return 0


def _show(again: Reproduction) -> None:
    outcome = again.verdict.outcome
    if not outcome.passed:
        click.echo(_report(again.scenario, outcome))
        click.echo()
    click.echo(str(again))


def _report(scenario: Scenario, outcome: Outcome) -> str:
    """What went wrong, and where the nearest run that passes goes another way."""
    from ..fuzz.nearest import nearest_passing
    from ..report.failure import failure_report
    from ..scenario import execute, make_network, program_of

    program = program_of(scenario)

    def attempt(script: Script) -> Outcome:
        with redirect_stdout(StringIO()):  # what the program prints was shown when it ran
            return execute(program, make_network(scenario, script=script), scenario.arguments)

    return failure_report(outcome, nearest=nearest_passing(outcome, outcome.network.script(), attempt))


def _compared(file: str, scenario: Scenario, is_changed: bool) -> str:
    if scenario.record is None:
        return f"not recorded; `simnet run --record {file}` does it"
    return "not as recorded" if is_changed else "as recorded"


def _update(file: str, scenario: Scenario, again: Reproduction) -> None:
    """Write what has moved, and the record of the run that was made."""
    from ..scenario import carried_in, program_of, record_of, update

    carried = carried_in(again.scenario, program_of(again.scenario))
    update(file, scenario, again.scenario, record_of(again.verdict.outcome, carried))
    click.echo(f"{file} is updated")


def _verify(file: str, digest: str) -> None:
    """Raise Diverged unless a new process under another hash seed comes to the same digest."""
    done = _elsewhere("--quiet", file)
    if done.stdout.strip() != digest:
        came = done.stdout.strip() or done.stderr.strip()
        raise Diverged(f"{file}: a new process under PYTHONHASHSEED={_other_seed()} came to {came}")
    click.echo(f"also in a new process under PYTHONHASHSEED={_other_seed()}")


def _verify_test(file: str) -> None:
    """Raise Diverged unless the test repeats its record in a new process under another hash seed."""
    done = _elsewhere("--strict", file)
    if done.returncode:
        where = f"a new process under PYTHONHASHSEED={_other_seed()}"
        raise Diverged(f"{file}: {where} did not repeat the record:\n{done.stdout}{done.stderr}")
    click.echo(f"also in a new process under PYTHONHASHSEED={_other_seed()}")


def _elsewhere(option: str, file: str) -> subprocess.CompletedProcess[str]:
    """A strict replay in a new process, under another hash seed."""
    command = [sys.executable, "-m", "simnet.cli", *_same_options(), "replay", option, file]
    environment = {**os.environ, "PYTHONHASHSEED": _other_seed()}
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def _other_seed() -> str:
    return "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"


def _same_options() -> list[str]:
    """The options of a command that has the same fence, and looks for the same properties."""
    from .. import checks
    from ..fence import default

    allowed = (f"--allow={name}" for name in default().allow)
    return ["--fence", default().level, *allowed, f"--check={checks.default()}"]
