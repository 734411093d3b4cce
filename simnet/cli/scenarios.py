"""``simnet run`` and ``export``: scenario files one after the other, or one as a test.

Owns what is printed of them.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import ScenarioError, UsageError
from .group import main, scenario_words

if TYPE_CHECKING:
    from ..scenario import Scenario
    from ..virtual import Network

CENSUS_HELP = "Say what processes called: what was simulated, what escaped, what was refused."


@main.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("--record", is_flag=True, help="Write what each run did into its file, for `simnet replay`.")
@click.option("--census", is_flag=True, help=CENSUS_HELP)
def run(paths: tuple[str, ...], record: bool, census: bool) -> int:
    """Run scenarios: files, or directories of them.

    Exit status 0 if every run ended as its scenario expects, 1 if one did not, 2 if a file is wrong.
    """
    files = [file for path in paths for file in _scenario_files(path)]
    statuses = [_run_one(file, record, census) for file in files]
    good, broken = statuses.count(0), statuses.count(2)
    parts = [f"{good} as expected", f"{len(files) - good - broken} not", f"{broken} that cannot be run"]
    shown = parts[:2] if not broken else parts
    click.echo(f"{len(files)} scenario{'s' * (len(files) != 1)}: {', '.join(shown)}")
    return max(statuses)


@contextmanager
def counted(is_wanted: bool) -> Iterator[Callable[[Network], None]]:
    """Count what is run in the ``with`` block, if that is wanted; yields what prints a network's table."""
    if not is_wanted:
        yield lambda network: None
        return
    from ..census import of_every_network

    with of_every_network() as made:
        yield lambda network: click.echo("\n".join(str(each) for each in made if each.network is network))


def _scenario_files(path: str) -> list[str]:
    if not os.path.isdir(path):
        return [path]
    files = sorted(map(str, Path(path).rglob("*.toml")))
    if not files:
        raise UsageError(f"no scenario (*.toml) is in the directory {path}")
    return files


def _run_one(path: str, record: bool, census: bool) -> int:
    from ..scenario import carried_in, load, program_of, record_of, run_scenario, save_record

    try:
        scenario = load(path)
        if scenario.test is not None:
            return run_test(scenario, ["--simnet-census"] if census else [])
        with counted(census) as tell:
            verdict = run_scenario(scenario)
            tell(verdict.outcome.network)
    except ScenarioError as error:
        return line("wrong", "red", scenario_words(error), 2)
    except UsageError as error:
        return line("wrong", "red", f"{path}: {error}", 2)
    if not verdict.as_expected:
        hint = f"\n  were its faults moved by an edit? simnet replay {path}" if len(scenario.script) else ""
        return line("NOT", "red", f"{verdict}{hint}", 1)
    if record:
        save_record(path, record_of(verdict.outcome, carried_in(scenario, program_of(scenario))))
    return line("ok", "green", f"{path}: {scenario.title} ({scenario.expect.outcome})", 0)


def line(mark: str, colour: str, words: str, status: int) -> int:
    """Print what became of one scenario; its status."""
    click.echo(f"{click.style(f'{mark:<5}', fg=colour)} {words}", err=status == 2)
    return status


def run_test(scenario: Scenario, more: Sequence[str] = ()) -> int:
    """A test is run by pytest; how it ended decides."""
    from ..scenario.by_pytest import pytest_arguments, replay_test

    click.echo(f"$ pytest {shlex.join([*pytest_arguments(scenario), *more])}")
    problems = replay_test(scenario, ["-q", *more])
    if problems:
        return line("NOT", "red", "\n".join([f"{scenario.name}:", *(f"  {each}" for each in problems)]), 1)
    return line("ok", "green", f"{scenario.name}: {scenario.expect.outcome}, as expected", 0)


# --- export --------------------------------------------------------------------------------------


@main.command()
@click.argument("file", metavar="FILE")
def export(file: str) -> None:
    """Print the scenario in FILE as a pytest function that needs no file."""
    from ..scenario import as_test, load

    click.echo(as_test(load(file)), nl=False)
