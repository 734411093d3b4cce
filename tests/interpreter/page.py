"""The page of the documentation that says how the interpreter's suites fare on a virtual host.

Owns its text and its table.  A run adds the column of its own Python; those of others stay.
"""

from __future__ import annotations

import platform
import re
from collections.abc import Mapping
from pathlib import Path

from tests.interpreter.reasons import NOT_APPLICABLE, NOT_PASSED, NOT_RUN, SUITES
from tests.interpreter.suites import Outcome

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "interpreter-suites.md"

_HEAD = """# The interpreter's own suites

CPython comes with tests of `socket`, `select` and `selectors`, of threads and queues, of asyncio, and of the
clients and servers that are built on them. They are run here on virtual hosts, unmodified: each test is a
[process](../how-to/blocking-code.md) on a host of its own, and its threads are those of that process.
`pytest tests/interpreter` runs them where the test package is installed; `python -m tests.interpreter` writes
this page anew.

Told is how many tests pass, of how many that apply.

"""

_REASONS = """
Skipped ones (another system, another kind of socket than this computer's kernel has) do not count, nor does
what an older or a newer Python does not have.

## What applies and does not pass

| test | why |
|---|---|
{not_passed}

## What applies and is not run

It would take minutes, or for ever; counted as not passed.

| test | why |
|---|---|
{not_run}

## What does not apply

| test | why |
|---|---|
{not_applicable}
"""

Count = tuple[int, int]
"""How many pass, and how many apply."""

Counts = dict[str, dict[str, Count]]
"""By Python, by suite."""


def this_python() -> str:
    return platform.python_version()


def count_of(outcomes: list[Outcome]) -> Count:
    return sum(not outcome.trouble for outcome in outcomes), len(outcomes)


def counts_in(text: str) -> Counts:
    """What the table of a page says."""
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line[:1] == "|"]
    head = rows[0] if rows else [""]
    counts: Counts = {python: {} for python in head[1:]}
    for suite, *cells in rows:
        for python, cell in zip(counts, cells, strict=False):
            if suite in SUITES and (found := re.fullmatch(r"([\d,]+) of ([\d,]+)", cell)):
                passed, applies = (int(number.replace(",", "")) for number in found.groups())
                counts[python][suite] = passed, applies
    return counts


def page(counts: Counts) -> str:
    """The text of the page."""
    pythons = sorted(counts, key=lambda python: [int(part) for part in python.split(".")])
    suites = [suite for suite in SUITES if any(suite in counts[python] for python in pythons)]
    lines = [("suite", *pythons), ("---", *("---:" for _ in pythons))]
    lines += [(suite, *(_cell(counts[python].get(suite)) for python in pythons)) for suite in suites]
    lines.append(("in all", *(_cell(_sum(counts[python])) for python in pythons)))
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    reasons = {"not_passed": NOT_PASSED, "not_run": NOT_RUN, "not_applicable": NOT_APPLICABLE}
    told = _REASONS.format(**{name: _rows(table) for name, table in reasons.items()})
    return f"{_HEAD}{table}\n{told}"


def _cell(count: Count | None) -> str:
    return "" if count is None else f"{count[0]:,} of {count[1]:,}"


def _sum(counts: Mapping[str, Count]) -> Count:
    return sum(passed for passed, _ in counts.values()), sum(applies for _, applies in counts.values())


def _rows(table: dict[str, str]) -> str:
    return "\n".join(f"| `{pattern}` | {reason} |" for pattern, reason in table.items())
