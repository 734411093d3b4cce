"""``python -m tests.packages [FOLDER]``: pyftpdlib's own suites with either asyncore, counts side by side.

FOLDER is an unpacked source distribution; without it the suites are those of the installed release.
"""

from __future__ import annotations

import platform
import sys
import tempfile
from collections import Counter
from importlib.metadata import version
from pathlib import Path

from tests.packages.own_suite import OTHERS, OURS, SUITES, Run, run


def counts(found: Run) -> str:
    counted = Counter(found.outcomes.values())
    return ", ".join(f"{counted[outcome]} {outcome.lower()}" for outcome in sorted(counted)) or found.asyncore


def main() -> int:
    """Print a row for each suite; the exit status is whether a test passes with the other asyncore only."""
    sources = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else None
    release = sources.name.removeprefix("pyftpdlib-") if sources else version("pyftpdlib")
    print("| Python | pyftpdlib | suite | with the other asyncore | with simnet's |\n|---|---|---|---|---|")
    lost = set()
    with tempfile.TemporaryDirectory() as folder:
        for suite in SUITES:
            others, ours = (
                run(suite, before, sources, None if sources else Path(folder)) for before in (OTHERS, OURS)
            )
            lost |= others.passed - ours.passed
            print(
                f"| {platform.python_version()} | {release} | {suite} | {counts(others)} | {counts(ours)} |"
            )
    for test in sorted(lost):
        print("passes with the other asyncore only:", test)
    return bool(lost)


if __name__ == "__main__":
    sys.exit(main())
