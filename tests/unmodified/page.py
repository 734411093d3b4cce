"""The page of the documentation that lists which packages run unmodified, and which do not.

Owns its text and its rows.  Versions and speed are those of the Python that wrote it.
"""

from __future__ import annotations

import platform
from collections.abc import Iterable
from pathlib import Path

from tests.unmodified.probe import STANDARD_LIBRARY, Performance, Probe, Refused

PAGE = Path("reference") / "unmodified.md"
"""Below the folder of the documentation."""

_TEXT = """# What runs unmodified

Each row is a program of `tests/unmodified/programs`: clients and servers as their packages ship them, in the
processes of [virtual hosts](../how-to/blocking-code.md). Each is run on a calm network, and with faults of
its own, all of which have to come true. A row that *passes* has passed either run twice, with one trace.
Besides the standard library these are {count} distributions.

`make unmodified` writes this page anew. Versions, and how many simulated seconds one second of computing made
in the calm run (the minute included for which TCP remembers a connection), are those of Python {python}. The
tests ask every Python.

| package | version | what is exercised | faults of the second run | result | simulated s per s |
|---|---|---|---|---|---:|
{rows}

## What does not run

| package | version | why |
|---|---|---|
{refused}
"""

CELLS = 6
PASSES = "passes"


def row_of(probe: Probe, result: str, calm: Performance | None = None) -> tuple[str, ...]:
    """The cells of a probe, `result` being `PASSES` or why not."""
    speed = "-" if calm is None else f"{calm.simulated_s / calm.real_s:.1f}"
    release = "-" if probe.lacks else probe.version
    return (
        *(named(probe), release, probe.exercised),
        *(faults_of(probe), _cell(result), speed),
    )


def named(probe: Probe) -> str:
    """The package, with those that it is asked together with."""
    return ", ".join((probe.package, *probe.needs))


def faults_of(probe: Probe) -> str:
    return _cell("; ".join(probe.weather))


def row_of_refused(refused: Refused, release: str) -> tuple[str, ...]:
    return refused.package, release, refused.reason


def page(rows: Iterable[Iterable[str]], refused: Iterable[Iterable[str]], count: int) -> str:
    """The text of the page; `count` is the number of distributions that run."""
    return _TEXT.format(
        python=platform.python_version(),
        count=count,
        rows="\n".join(map(_row, rows)),
        refused="\n".join(map(_row, refused)),
    )


def rows_in(text: str, cells: int) -> list[list[str]]:
    """The rows of so many cells, without their heads."""
    lines = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    return [line for line in lines if len(line) == cells and line[0] != "package"]


def distributions(probes: Iterable[Probe]) -> list[str]:
    """Those of PyPI, each once."""
    names = [name for probe in probes for name in (probe.package, *probe.needs)]
    return [name for name in dict.fromkeys(names) if name != STANDARD_LIBRARY]


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "/").split()) or "-"
