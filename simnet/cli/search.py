"""``simnet fuzz``: one run after the other, and what is made of a failure.

Owns the command and its progress.  The search is `simnet.fuzz.campaign`.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import Diverged, UsageError
from ..units import SECOND_NS, duration_ns
from .group import main

if TYPE_CHECKING:
    from ..fuzz.campaign import Found, Progress
    from ..fuzz.coverage import HandlerCoverage
    from ..fuzz.searches import Search
    from ..scenario import Scenario

KEPT = ".simnet/failures"
"""Where a search keeps what it found, and where it is."""

SECONDS_DEFAULT = 10.0
NEVER_SEEN = 3
"""The exit status of a search without a failure, whose runs never got to where they should `sometimes`."""

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
@click.option(
    "--search",
    "name",
    metavar="NAME",
    help="Which runs to make: mixed (if not given), storm, happenings, sweep, pairs, cuts, exhaustive, pct, "
    "novelty.",
)
@click.option("--seed", callback=_whole(0), metavar="N", help="The first seed; without it, 0.")
@click.option("--resume", is_flag=True, help="Go on where the last search of TARGET was.")
@click.option("--keep-going", is_flag=True, help="Collect failures of different kinds, not only the first.")
@click.option(
    "--out", default=KEPT, show_default=True, metavar="DIR", help="The directory for what is found."
)
@click.option("--gentle", is_flag=True, help="Only what TCP hides from a program that is right: no resets.")
@click.option("--harsh", is_flag=True, help="Rare things as well: silent ends, no memory, no such name.")
@click.option("--coverage", is_flag=True, help="Show which handlers ran under which faults.")
@click.option("--shrink/--no-shrink", default=True, help="Whether to look for the deviations that matter.")
def fuzz(
    target: str,
    runs: int | None,
    seconds: float | None,
    name: str | None,
    seed: int | None,
    resume: bool,
    keep_going: bool,
    out: str,
    gentle: bool,
    harsh: bool,
    coverage: bool,
    shrink: bool,
) -> int:
    """Run TARGET again and again, in other weather each time, until it fails.

    TARGET is a scenario file, `module:callable` or `path/to/file.py::callable`.  Of a scenario the program,
    hosts and links are used; the search takes the place of its faults.  Exit status 1 if a failure was found,
    3 if none was, but something is said `sometimes` that no run has seen.
    """
    from ..fuzz.coverage import HandlerCoverage
    from ..scenario import check_arguments, find_program

    scenario = _target(target)
    assert scenario.call is not None
    program = find_program(scenario.call)
    check_arguments(scenario.call, program, scenario.arguments)
    folder = _folder(out)
    weather, only = _weather(gentle, harsh)
    state_file = folder / f"{_slug(target)}{weather}.search"
    by = _chosen(name, only, seed, state_file if resume else None)
    covered = HandlerCoverage() if coverage else None
    if runs is None and seconds is None:
        seconds = SECONDS_DEFAULT
    scenario = _with_all_hosts(program, scenario)
    kept = 0
    with Screen() as screen:
        for found in _findings(program, scenario, by, runs, seconds, state_file, shrink, covered, screen):
            screen.pause()
            kept += 1
            if not keep_going:
                click.echo(screen.summary())
            _keep(program, scenario, found, by.name, folder / _slug(target))
            if not keep_going:
                return 1
            click.echo()
            screen.go_on()
    click.echo(screen.summary())
    for fingerprint, times in screen.failures():
        click.echo(f"  {fingerprint}: {_counted(times, 'time')}")
    never = screen.progress.never if screen.progress is not None else ()
    for says in never:
        click.echo(f"  never seen in any run: {says}")
    if covered is not None:
        click.echo(f"\nhandlers by faults, in {_counted(covered.runs, 'watched run')}:\n{covered.table()}")
    if kept:
        return 1
    if never:
        click.echo(f"simnet: no failure, but never seen in any run: {'; '.join(never)}", err=True)
        return NEVER_SEEN
    return 0


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


def _weather(gentle: bool, harsh: bool) -> tuple[str, frozenset[tuple[str, str]]]:
    """What a search may do, and what that adds to the name of its state file."""
    from ..outcomes import EVERY, GENTLE, HARSH

    if gentle and harsh:
        raise UsageError("give --gentle or --harsh, not both")
    return ("-gentle", GENTLE) if gentle else ("-harsh", HARSH) if harsh else ("", EVERY)


def _chosen(
    name: str | None, only: frozenset[tuple[str, str]], seed: int | None, state_file: Path | None
) -> Search:
    """The search that was asked for; with a state file, the one that is to go on."""
    from ..fuzz.searches import DEFAULT, search_by_name
    from ..fuzz.state_file import read_state

    if state_file is None:
        return search_by_name(name or DEFAULT, only, seed)
    if seed is not None:
        raise UsageError("give --seed or --resume, not both")
    last, state = read_state(state_file)
    if name is not None and name != last:
        raise UsageError(f"cannot resume: the last search was {last!r}, not {name!r}")
    search = search_by_name(last, only)
    search.resume(state)
    return search


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
            self.go_on()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.pause()

    def pause(self) -> None:
        """Leave the terminal to somebody else."""
        if self._status is not None:
            self._status.stop()

    def go_on(self) -> None:
        if self._status is not None:
            self._status.start()

    def show(self, progress: Progress) -> None:
        self.progress = progress
        if self._status is not None:
            self._status.update(self.summary())
        elif progress.seconds - self._said_at >= PLAIN_SECONDS:
            self._said_at = progress.seconds
            click.echo(self.summary(), err=True)

    def failures(self) -> list[tuple[str, int]]:
        """The fingerprints of what failed, and how often each did, the most frequent first."""
        failures = self.progress.failures if self.progress is not None else {}
        return sorted(failures.items(), key=lambda failure: -failure[1])

    def summary(self) -> str:
        progress = self.progress
        if progress is None:
            return "no run was made"
        rate = progress.runs / progress.seconds if progress.seconds else 0
        times, kinds = sum(progress.failures.values()), len(progress.failures)
        failures = _counted(times, "failure") + (f" of {kinds} kinds" if kinds > 1 else "")
        at = f"{progress.extent}" if progress.extent is not None else progress.case
        return (
            f"{_counted(progress.runs, 'run')} in {progress.seconds:.1f} s ({rate:,.0f}/s), "
            f"{_counted(progress.behaviours, 'behaviour')}, {failures}, {at}"
        )


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' * (number != 1)}"


def _findings(
    program: Callable[..., object],
    scenario: Scenario,
    by: Search,
    runs: int | None,
    seconds: float | None,
    state_file: Path,
    shrink: bool,
    coverage: HandlerCoverage | None,
    screen: Screen,
) -> Iterator[Found]:
    from ..fuzz.campaign import findings
    from ..scenario import make_network

    try:
        yield from findings(
            program,
            by=by,
            arguments=scenario.arguments,
            make_network=partial(make_network, scenario),
            runs_max=runs,
            seconds_max=seconds,
            on_progress=screen.show,
            state_file=state_file,
            shrink=shrink,
            coverage=coverage,
        )
    except KeyboardInterrupt:
        at = screen.progress.case if screen.progress is not None else "the first run"
        click.echo(f"stopped at {at}; --resume continues there", err=True)
        raise


def _keep(
    program: Callable[..., object], scenario: Scenario, found: Found, search: str, folder: Path
) -> None:
    """Write the failure to a file, replay it from there, and report it."""
    import attrs

    from ..report.failure import failure_report
    from ..scenario import Expect, carried_in, execute, load, make_network, record_of, save
    from ..scenario import replay as replay_strictly
    from ..scenario.run import first_line, looked_for

    outcome = execute(program, make_network(scenario, script=found.script), scenario.arguments)
    kind = type(outcome.error).__name__
    path = folder.with_name(f"{folder.name}-{outcome.network.trace.digest()[:4]}") / "scenario.toml"
    path.parent.mkdir(exist_ok=True)
    kept = attrs.evolve(
        scenario,
        title=f"{kind} in {scenario.call}",
        why=f"{first_line(outcome.error)}\n\nFound by `simnet fuzz --search {search}`:\n{found.case.name}.",
        script=found.script,
        seed=None,
        **looked_for(outcome.network),
        expect=Expect("fails", error=kind),
    )
    carried = carried_in(kept, partial(program, **scenario.arguments))
    save(attrs.evolve(kept, record=record_of(outcome, carried)), path)
    again = replay_strictly(load(path))
    click.echo(
        failure_report(
            found.outcome,
            shrunk=found.shrunk,
            nearest=found.shrunk.nearest if found.shrunk else None,
            replay=f"simnet replay {path}",
            keep=f"cp {path} scenarios/{path.parent.name}.toml",
            seed=found.seed,
        )
    )
    click.echo(f"\nreplayed from its file: digest {again.digest}, as recorded")
    if not again.as_expected:
        raise Diverged(str(again))
