"""The page of the documentation that says how the interpreter's suites fare on a virtual host.

Owns its text and its rows.  A run adds the rows of its own Python; those of others stay.
"""

from __future__ import annotations

import platform
import re
from pathlib import Path

from tests.interpreter.reasons import NOT_APPLICABLE, NOT_PASSED
from tests.interpreter.suites import Outcome

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "interpreter-suites.md"

_HEAD = """# The interpreter's own suites

CPython comes with tests of its `select`, `selectors` and `socket` modules, and of modules that are built on
them. They are run here on virtual hosts, unmodified: each test on a host of its own, with `host.modules` in
place of the modules of this computer. Tests with a server and a client in two threads have two greenlets that
take turns. `pytest tests/interpreter` runs them where the test package is installed;
`python -m tests.interpreter` writes this page anew.

| Python | suite | tests that apply | passed |
|---|---|---:|---:|
"""

_REASONS = """
Skipped ones (another system, another kind of socket than this computer's kernel has) do not count.

## What does not apply

| test | why |
|---|---|
{not_applicable}

## What applies and does not pass

| test | why |
|---|---|
{not_passed}
"""

Row = tuple[str, str, str, str]


def row_of(suite: str, outcomes: list[Outcome]) -> Row:
    """Python, suite, how many apply, how many of these passed."""
    passed = sum(not outcome.trouble for outcome in outcomes)
    return platform.python_version(), suite, str(len(outcomes)), str(passed)


def rows_in(text: str) -> list[Row]:
    """The rows of a page."""
    return re.findall(r"^\| ([\d.]+) \| (\w+) \| (\d+) \| (\d+) \|$", text, re.MULTILINE)


def page(rows: list[Row]) -> str:
    """The text of the page."""
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    reasons = _REASONS.format(not_applicable=_rows(NOT_APPLICABLE), not_passed=_rows(NOT_PASSED))
    return f"{_HEAD}{table}\n{reasons}"


def _rows(table: dict[str, str]) -> str:
    return "\n".join(f"| `{pattern}` | {reason} |" for pattern, reason in table.items())
