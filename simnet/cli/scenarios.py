"""``simnet run``, ``replay`` and ``export``: scenario files one after the other, or one to the letter.

Owns what is printed of them.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import Diverged, ScenarioError, UsageError
from .group import main, scenario_words

if TYPE_CHECKING:
    from ..scenario import Outcome, Scenario
    from ..script import Script


@main.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("--record", is_flag=True, help="Write what each run did into its file, for `simnet replay`.")
def run(paths: tuple[str, ...], record: bool) -> int:
    """Run scenarios: files, or directories of them.

    Exit status 0 if every run ended as its scenario expects, 1 if one did not, 2 if a file is wrong.
    """
    files = [file for path in paths for file in _scenario_files(path)]
    statuses = [_run_one(file, record) for file in files]
    good, broken = statuses.count(0), statuses.count(2)
    parts = [f"{good} as expected", f"{len(files) - good - broken} not", f"{broken} that cannot be run"]
    shown = parts[:2] if not broken else parts
    click.echo(f"{len(files)} scenario{'s' * (len(files) != 1)}: {', '.join(shown)}")
    return max(statuses)


def _scenario_files(path: str) -> list[str]:
    if not os.path.isdir(path):
        return [path]
    files = sorted(map(str, Path(path).rglob("*.toml")))
    if not files:
        raise UsageError(f"no scenario (*.toml) is in the directory {path}")
    return files


def _run_one(path: str, record: bool) -> int:
    from ..scenario import load, record_of, run_scenario, save_record

    try:
        scenario = load(path)
        if scenario.test is not None:
            return _run_test(scenario)
        verdict = run_scenario(scenario)
    except ScenarioError as error:
        return _line("wrong", "red", scenario_words(error), 2)
    except UsageError as error:
        return _line("wrong", "red", f"{path}: {error}", 2)
    if not verdict.as_expected:
        return _line("NOT", "red", str(verdict), 1)
    if record:
        save_record(path, record_of(verdict.outcome))
    return _line("ok", "green", f"{path}: {scenario.title} ({scenario.expect.outcome})", 0)


def _line(mark: str, colour: str, words: str, status: int) -> int:
    click.echo(f"{click.style(f'{mark:<5}', fg=colour)} {words}", err=status == 2)
    return status


def _run_test(scenario: Scenario) -> int:
    """A test is run by pytest; how it ended decides."""
    from ..scenario.by_pytest import pytest_arguments, replay_test

    click.echo(f"$ pytest {shlex.join(pytest_arguments(scenario))}")
    problems = replay_test(scenario, ["-q"])
    if problems:
        return _line("NOT", "red", "\n".join([f"{scenario.name}:", *(f"  {each}" for each in problems)]), 1)
    return _line("ok", "green", f"{scenario.name}: {scenario.expect.outcome}, as expected", 0)


# --- export --------------------------------------------------------------------------------------


@main.command()
@click.argument("file", metavar="FILE")
def export(file: str) -> None:
    """Print the scenario in FILE as a pytest function that needs no file."""
    from ..scenario import as_test, load

    click.echo(as_test(load(file)), nl=False)


# --- replay --------------------------------------------------------------------------------------


@main.command()
@click.argument("file", metavar="FILE")
@click.option("--verify", is_flag=True, help="Replay it once more in a new process, under another hash seed.")
@click.option("-q", "--quiet", is_flag=True, help="Print the digest of the run and nothing else.")
def replay(file: str, verify: bool, quiet: bool) -> int:
    """Run the scenario in FILE again, to the letter of its record.

    Exit status 0 if the run repeated the record and ended as expected, 1 if it did not.
    """
    from ..scenario import load
    from ..scenario import replay as replay_strictly

    scenario = load(file)
    if scenario.test is not None:
        return _run_test(scenario)
    verdict = replay_strictly(scenario)
    if quiet:
        click.echo(verdict.digest)
        return 0 if verdict.as_expected else 1
    if not verdict.outcome.passed:
        click.echo(_report(scenario, verdict.outcome))
        click.echo()
    click.echo(str(verdict))
    compared = "as recorded" if scenario.record else f"not recorded; `simnet run --record {file}` does it"
    click.echo(f"digest {verdict.digest}, {compared}")
    if verify and verdict.as_expected:
        _verify(file, verdict.digest)
    return 0 if verdict.as_expected else 1


def _report(scenario: Scenario, outcome: Outcome) -> str:
    """What went wrong, and where the nearest run that passes goes another way."""
    from ..fuzz.nearest import nearest_passing
    from ..report.failure import failure_report
    from ..scenario import execute, find_program, make_network

    assert scenario.call is not None
    program = find_program(scenario.call)

    def attempt(script: Script) -> Outcome:
        return execute(program, make_network(scenario, script=script), scenario.arguments)

    return failure_report(outcome, nearest=nearest_passing(outcome, outcome.network.script(), attempt))


def _verify(file: str, digest: str) -> None:
    """Raise Diverged unless a new process under another hash seed comes to the same digest."""
    other = "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"
    command = [sys.executable, "-m", "simnet.cli", *_same_options(), "replay", "--quiet", file]
    environment = {**os.environ, "PYTHONHASHSEED": other}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.stdout.strip() != digest:
        came = done.stdout.strip() or done.stderr.strip()
        raise Diverged(f"{file}: a new process under PYTHONHASHSEED={other} came to {came}")
    click.echo(f"digest {digest}, also in a new process under PYTHONHASHSEED={other}")


def _same_options() -> list[str]:
    """The options of a command that has the same fence, and looks for the same properties."""
    from .. import checks
    from ..fence import default

    allowed = (f"--allow={name}" for name in default().allow)
    return ["--fence", default().level, *allowed, f"--check={checks.default()}"]
