"""``python -m tests.zoo``: bring the packages, search for every member, and say what it took.

    python -m tests.zoo --fetch                 let pip bring the released packages
    python -m tests.zoo                         the table of docs/explanation/zoo.md
    python -m tests.zoo crlf_cut -k 3           some members, three searches each
    python -m tests.zoo --record                write what the search finds into kept/

Owns the command and the table.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import click

from simnet.scenario import save
from tests.zoo.measure import SECONDS_MAX, by_hypothesis, by_search, calm, median, scenario_of, survives
from tests.zoo.members import MEMBERS, Member
from tests.zoo.releases import RELEASES

SCENARIOS = Path(__file__).parent / "kept"
SURVIVAL, SURVIVAL_MIN = 10, 2_000
"""How many times the runs of the longest search the good twin has to survive, and at least how many runs."""

HEAD = (
    *("member", "bug", "found", "runs", "shrinking", "seconds", "deviations", "good twin"),
    *("Hypothesis", "examples"),
)


@click.command(help=__doc__)
@click.argument("names", nargs=-1)
@click.option("-k", "searches", default=5, show_default=True, help="Searches per member and way.")
@click.option("--fetch", is_flag=True, help="Only bring the packages.")
@click.option("--record", is_flag=True, help="Only write the scenarios.")
@click.option("--hypothesis/--no-hypothesis", default=True, help="Whether Hypothesis searches too.")
def main(names: tuple[str, ...], searches: int, fetch: bool, record: bool, hypothesis: bool) -> None:
    if fetch:
        sys.exit(_fetch())
    chosen = [member for member in MEMBERS if not names or member.name in names]
    if unknown := set(names) - {member.name for member in chosen}:
        raise click.UsageError(f"no member is called {', '.join(sorted(unknown))}")
    if not record:
        print(_row(HEAD), _row("---" for _ in HEAD), sep="\n")
    for member in chosen:
        if member.missing:
            print(f"{member.name}: {', '.join(member.missing)} not here: --fetch", file=sys.stderr)
            continue
        calm(member)
        if record:
            _record(member)
        else:
            print(_row(_measure(member, searches, hypothesis)), flush=True)


def _fetch() -> int:
    """Bring what is missing; the number of packages that could not be brought."""
    failed = 0
    for each in RELEASES.values():
        if not each.is_here:
            print(f"bringing {each}")
            try:
                each.fetch()
            except subprocess.CalledProcessError:
                failed += 1
    return failed


def _record(member: Member) -> None:
    found = by_search(member)
    if found is None:
        print(f"{member.name}: not found")
        return
    save(scenario_of(member, found), SCENARIOS / f"{member.name.replace('_', '-')}.toml")
    print(f"{member.name}: {'; '.join(found.script.sentences())}")


def _measure(member: Member, searches: int, hypothesis: bool) -> list[str]:
    who = [f"`{member.name}`", member.bug]
    drawn = [by_hypothesis(member, number) for number in range(searches if hypothesis else 0)]
    hits = [each.examples for each in drawn if each.examples]
    by_drawing = [f"{len(hits)} of {len(drawn)}", _of(hits)]
    found, seconds = [], []
    for start in range(1, searches + 1):
        began = time.perf_counter()
        each = by_search(member, start)
        if each is not None:
            seconds.append(time.perf_counter() - began)
            assert each.shrunk is not None
            found.append((each.progress.runs, len(each.script), each.shrunk.runs))
    if not found:
        return [*who, f"0 of {searches}", "-", "-", f"> {SECONDS_MAX:.0f}", "-", "-", *by_drawing]
    runs, lengths, shrinking = zip(*found, strict=True)
    survived = max(SURVIVAL * max(runs), SURVIVAL_MIN)
    failure = survives(member, survived, start=searches + 1)
    twin = f"{survived} runs" if failure is None else f"fails: {failure.case}"
    times = f"{median(seconds):.2f} (at most {max(seconds):.2f})"
    how_often = f"{len(found)} of {searches}"
    return [*who, how_often, _of(runs), _of(shrinking), times, str(max(lengths)), twin, *by_drawing]


def _of(numbers: Sequence[int]) -> str:
    return f"{median(numbers)} (at most {max(numbers)})" if numbers else "-"


def _row(cells: object) -> str:
    return f"| {' | '.join(cells)} |"  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
