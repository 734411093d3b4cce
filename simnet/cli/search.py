"""``simnet fuzz``: one storm after the other, and what is made of the first failure.

Owns the command and its progress.  The search is `simnet.fuzz.campaign`.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import Diverged, UsageError
from ..units import SECOND_NS, duration_ns
from .group import main

if TYPE_CHECKING:
    from ..fuzz.campaign import Found, Progress
    from ..scenario import Scenario

KEPT = ".simnet/failures"
"""Where a search keeps what it found, and the seed that it is at."""

SECONDS_DEFAULT = 10.0
PLAIN_SECONDS = 5.0  # between two lines of progress where there is no terminal


def _seconds(context: click.Context, option: click.Parameter, text: str | None) -> float | None:
    """A duration such as ``10s`` or ``2min``."""
    if text is None:
        return None
    try:
        return duration_ns(text) / SECOND_NS
    except UsageError as error:
        raise click.BadParameter(str(error), context, option) from None


def _whole(least: int) -> Callable[[click.Context, click.Parameter, str | None], int | None]:
    """A whole number, `least` or more."""

    def read(context: click.Context, option: click.Parameter, text: str | None) -> int | None:
        if text is None:
            return None
        if not (text.isascii() and text.isdigit()) or int(text) < least:
            wanted = f"a whole number from {least} on is wanted, not {text!r}"
            raise click.BadParameter(wanted, context, option)
        return int(text)

    return read


@main.command()
@click.argument("target")
@click.option("--runs", callback=_whole(1), metavar="N", help="Give up after so many runs.")
@click.option(
    "--time",
    "seconds",
    callback=_seconds,
    metavar="TIME",
    help="Give up after this time; 10s if neither is given.",
)
@click.option("--seed", callback=_whole(0), metavar="N", help="The first seed; without it, 0.")
@click.option("--resume", is_flag=True, help="Begin with the seed at which the last search for TARGET was.")
@click.option(
    "--out", default=KEPT, show_default=True, metavar="DIR", help="The directory for what is found."
)
@click.option("--gentle", is_flag=True, help="Only what TCP hides from a program that is right: no resets.")
@click.option("--shrink/--no-shrink", default=True, help="Whether to look for the deviations that matter.")
def fuzz(
    target: str,
    runs: int | None,
    seconds: float | None,
    seed: int | None,
    resume: bool,
    out: str,
    gentle: bool,
    shrink: bool,
) -> int:
    """Run TARGET in one storm after the other until it fails.

    TARGET is a scenario file, `module:callable` or `path/to/file.py::callable`.  Of a scenario the program,
    hosts and links are used; storms take the place of its faults.  Exit status 1 if a failure was found.
    """
    from ..scenario import check_arguments, find_program

    scenario = _target(target)
    assert scenario.call is not None
    program = find_program(scenario.call)
    check_arguments(scenario.call, program, scenario.arguments)
    folder = _folder(out)
    seed_file = folder / f"{_slug(target)}.seed"
    start = _first_seed(seed, seed_file if resume else None)
    if runs is None and seconds is None:
        seconds = SECONDS_DEFAULT
    scenario = _with_all_hosts(program, scenario)
    with Screen() as screen:
        found = _search(program, scenario, start, runs, seconds, seed_file, gentle, shrink, screen)
    click.echo(screen.summary())
    if found is None:
        return 0
    _keep(program, scenario, found, folder / _slug(target))
    return 1


def _target(target: str) -> Scenario:
    from ..scenario import Scenario, load

    if target.endswith(".toml") or os.path.exists(target):
        scenario = load(target)
        if scenario.test is not None:
            raise UsageError(f"{target}: {scenario.test} is a test; pytest --simnet-runs=1000 searches it")
        return scenario
    if ":" not in target:
        raise UsageError(
            f"a target is a scenario file, 'module:callable' or 'file.py::callable', not {target!r}"
        )
    return Scenario(title=target, call=target)


def _folder(out: str) -> Path:
    folder = Path(out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"the directory {out} cannot be made: {error.strerror}") from None
    return folder


def _slug(target: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "-", target.removesuffix(".toml")).strip("-")


def _first_seed(seed: int | None, seed_file: Path | None) -> int:
    if seed_file is None:
        return seed or 0
    if seed is not None:
        raise UsageError("give --seed or --resume, not both")
    try:
        return int(seed_file.read_text(encoding="ascii"))
    except FileNotFoundError:
        raise UsageError(f"there is nothing to resume: {seed_file} does not exist") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot resume: {seed_file} holds no seed: {error}") from None


def _with_all_hosts(program: Callable[..., object], scenario: Scenario) -> Scenario:
    """A file that names hosts names all of them: add those that the program makes itself."""
    import attrs

    from ..scenario import HostSpec, execute, make_network
    from ..script import Script

    if not scenario.hosts:
        return scenario
    network = make_network(scenario, script=Script())
    execute(program, network, scenario.arguments)
    named = [spec.name for spec in scenario.hosts]
    added = [HostSpec(name) for name in network.hosts if name not in named]
    return attrs.evolve(scenario, hosts=(*scenario.hosts, *added))


class Screen:
    """Progress on stderr: a line that changes on a terminal, else a line every few seconds."""

    def __init__(self) -> None:
        self.progress: Progress | None = None
        self._status: Any = None
        self._said_at = 0.0

    def __enter__(self) -> Screen:
        if sys.stderr.isatty():
            from rich.console import Console

            self._status = Console(stderr=True).status("starting")
            self._status.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._status is not None:
            self._status.stop()

    def show(self, progress: Progress) -> None:
        self.progress = progress
        if self._status is not None:
            self._status.update(self.summary())
        elif progress.seconds - self._said_at >= PLAIN_SECONDS:
            self._said_at = progress.seconds
            click.echo(self.summary(), err=True)

    def summary(self) -> str:
        progress = self.progress
        if progress is None:
            return "no run was made"
        rate = progress.runs / progress.seconds if progress.seconds else 0
        parts = (_counted(progress.behaviours, "behaviour"), _counted(progress.failures, "failure"))
        return (
            f"{_counted(progress.runs, 'run')} in {progress.seconds:.1f} s ({rate:,.0f}/s), "
            f"{', '.join(parts)}, seed {progress.seed}"
        )


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' * (number != 1)}"


def _search(
    program: Callable[..., object],
    scenario: Scenario,
    start: int,
    runs: int | None,
    seconds: float | None,
    seed_file: Path,
    gentle: bool,
    shrink: bool,
    screen: Screen,
) -> Found | None:
    from ..fuzz.campaign import search
    from ..outcomes import EVERY, GENTLE
    from ..scenario import make_network

    try:
        return search(
            program,
            arguments=scenario.arguments,
            make_network=partial(make_network, scenario, only=GENTLE if gentle else EVERY),
            seeds=count(start),
            runs_max=runs,
            seconds_max=seconds,
            on_progress=screen.show,
            seed_file=seed_file,
            shrink=shrink,
        )
    except KeyboardInterrupt:
        at = seed_file.read_text(encoding="ascii").strip()
        click.echo(f"stopped at seed {at}; --resume continues there", err=True)
        raise


def _keep(program: Callable[..., object], scenario: Scenario, found: Found, folder: Path) -> None:
    """Write the failure to a file, replay it from there, and report it."""
    import attrs

    from ..report.failure import failure_report
    from ..scenario import Expect, execute, load, make_network, record_of, save
    from ..scenario import replay as replay_strictly

    outcome = execute(program, make_network(scenario, script=found.script), scenario.arguments)
    record = record_of(outcome)
    kind = type(outcome.error).__name__
    path = folder.with_name(f"{folder.name}-{record.digest[:4]}") / "scenario.toml"
    path.parent.mkdir(exist_ok=True)
    kept = attrs.evolve(
        scenario,
        title=f"{kind} in {scenario.call}",
        why=f"Found by `simnet fuzz` under seed {found.seed}: {outcome.error}",
        script=found.script,
        seed=None,
        expect=Expect("fails", error=kind),
        record=record,
    )
    save(kept, path)
    again = replay_strictly(load(path))
    click.echo(
        failure_report(
            found.outcome,
            shrunk=found.shrunk,
            replay=f"simnet replay {path}",
            keep=f"cp {path} scenarios/{path.parent.name}.toml",
            seed=found.seed,
        )
    )
    click.echo(f"\nreplayed from {path}: digest {again.digest}, as recorded")
    if not again.as_expected:
        raise Diverged(str(again))
