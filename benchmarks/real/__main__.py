"""``python -m benchmarks.real [--quick] [--only WORD]``: echo servers on real sockets, in one table.

Each server has a process of its own; the load comes from this one.
"""

from __future__ import annotations

import argparse
import platform
import sys
from collections.abc import Sequence
from statistics import median, quantiles

from benchmarks.__main__ import said
from benchmarks.real.contestants import BASELINE, CONTESTANTS
from benchmarks.real.load import REQUEST
from benchmarks.real.rounds import Effort, Row, Scenario, compare

SCENARIOS = (Scenario(100), Scenario(1000), Scenario(100, 5000), Scenario(100, 9000))


QUICK = Effort(rounds=1, slices=4, seconds=0.08)
FULL = Effort(rounds=3, slices=6, seconds=0.12)


def main(arguments: list[str], scenarios: Sequence[Scenario] = SCENARIOS, quick: Effort = QUICK) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.real", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round: one minute instead of six")
    parser.add_argument("--only", metavar="WORD", help="only contestants whose name has this in it")
    options = parser.parse_args(arguments)
    effort = quick if options.quick else FULL
    chosen = [each for each in CONTESTANTS if not options.only or options.only in each.name]
    contestants = [BASELINE, *(each for each in chosen if each is not BASELINE)]
    rows = [row for scenario in scenarios for row in compare(scenario, contestants, effort, said)]
    said("")
    print("\n".join(table(rows)))
    print()
    print("\n".join(notes(effort, arguments)))


def table(rows: list[Row]) -> list[str]:
    """A table of Markdown: medians, and the middle half of all slices in brackets."""
    lines = [
        "| connections | server | requests/s | relative | µs CPU | CPU relative |",
        "|---|---|---|---|---|---|",
    ]
    scenario = None
    for row in rows:
        first = "" if row.scenario is scenario else str(row.scenario)
        scenario = row.scenario
        if row.why_not:
            cells = [f"not measured: {row.why_not}", "", "", ""]
        else:
            cells = [
                f"{row.per_second:,.0f}",
                _spread(row.relative_speed),
                f"{row.cpu_us:.2f}",
                _spread(row.relative_cpu),
            ]
        lines.append(f"| {' | '.join([first, row.contestant.name, *cells])} |")
    return lines


def _spread(ratios: list[float]) -> str:
    if len(ratios) < 4:
        return f"{median(ratios):.2f}"
    low, middle, high = quantiles(ratios, n=4)
    return f"{middle:.2f} ({low:.2f}–{high:.2f})"


def notes(effort: Effort, arguments: list[str]) -> list[str]:
    """What was measured, and how to measure it again."""
    python = f"{platform.python_implementation()} {platform.python_version()}, {platform.machine()}"
    return [
        f"{python}; medians and quartiles of {effort.rounds * effort.slices} slices of {effort.seconds} s.",
        f"A request has {len(REQUEST)} bytes; every active connection has one outstanding.",
        f"Relative: to the {BASELINE.name} in the slice beside it; more is better in both columns.",
        "The load has a processor of its own, and takes as long for a request as the fastest servers; it",
        "limits their requests/s: CPU a request (of the server, user and kernel) is the sharper figure.",
        " ".join(["again:", "python", "-m", "benchmarks.real", *arguments]),
    ]


if __name__ == "__main__":
    main(sys.argv[1:])
