"""``python -m tests.unmodified``: run each probe, calm and with its faults, and print the table.

    python -m tests.unmodified --write docs     write it into the documentation instead
    python -m tests.unmodified -k requests      only the programs whose names have that in them

Owns the command.
"""

from __future__ import annotations

import sys
import warnings
from importlib.metadata import version
from pathlib import Path

import click

from tests.unmodified.page import PAGE, PASSES, distributions, page, row_of, row_of_refused
from tests.unmodified.probe import Performance, Probe
from tests.unmodified.table import PROBES, REFUSED


@click.command(help=__doc__)
@click.option("--write", "docs", type=click.Path(path_type=Path), help="The folder of the documentation.")
@click.option("-k", "part", default="", help="Only programs with this in their names.")
def main(docs: Path | None, part: str) -> None:
    rows, failed = [], 0
    for probe in (each for each in PROBES if part in each.program):
        result, calm = _try(probe)
        failed += result != PASSES and not probe.lacks
        print(f"{probe.program}: {result}", file=sys.stderr, flush=True)
        rows.append(row_of(probe, result, calm))
    refused = [row_of_refused(each, "-" if each.lacks else version(each.package)) for each in REFUSED]
    text = page(rows, refused, len(distributions(PROBES)))
    if docs is None:
        print(text)
    else:
        (docs / PAGE).write_text(text, encoding="utf-8")
    sys.exit(bool(failed))


def _try(probe: Probe) -> tuple[str, Performance | None]:
    """The result of a probe, and its calm run if it passed."""
    if probe.lacks:
        return probe.lacks, None
    try:
        calm, again = (probe.perform(with_faults=False) for _ in range(2))  # the first one imports
        stormy, stormy_again = (probe.perform(with_faults=True) for _ in range(2))
    except Exception as error:
        return f"{type(error).__name__}: {error}", None
    if (calm.digest, stormy.digest) != (again.digest, stormy_again.digest):
        return "does not repeat", None
    return PASSES, again


if __name__ == "__main__":
    warnings.simplefilter("error")
    main()
