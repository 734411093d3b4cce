"""``simnet fidelity``: the table of every call in every state, real beside virtual.

Owns what is printed of it, and where it is written.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import UsageError
from .group import main

if TYPE_CHECKING:
    from ..oracle.matrix.survey import Survey

KINDS = ("tcp4", "tcp6", "tcp46", "udp4", "udp6", "udp46", "unix", "unixdg", "unixseq")


@main.command()
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    type=click.Choice(KINDS),
    help="Only this kind of socket; may be repeated.",
)
@click.option(
    "--recorded",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Compare with what FILE recorded of a live kernel, and do not ask one.",
)
@click.option(
    "--sequences",
    "count",
    type=click.IntRange(1),
    metavar="N",
    help="N sequences of operations, not the table.",
)
@click.option(
    "--length",
    default=3,
    show_default=True,
    type=click.IntRange(1, 20),
    metavar="N",
    help="Operations of a sequence.",
)
@click.option("--seed", default=0, show_default=True, metavar="N", help="Which sequences.")
@click.option(
    "--write",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIRECTORY",
    help="Write fidelity.md and fidelity.json there.",
)
@click.option("--show", default=20, show_default=True, metavar="N", help="How many differences to print.")
def fidelity(
    kinds: tuple[str, ...],
    recorded: Path | None,
    count: int | None,
    length: int,
    seed: int,
    write: Path | None,
    show: int,
) -> int:
    """Make every call on sockets in every state, on the live kernel and on a virtual host, and compare.

    The live kernel is asked in a private network namespace, which on most machines needs no root.

    Exit status 0 if every difference has a reason, 1 if one has none, 2 if the live kernel cannot be asked.
    """
    if write is not None and (kinds or recorded or count):
        raise UsageError("--write is for the whole table of a live kernel, and goes with nothing but --show")
    if recorded is not None and count:
        raise UsageError("--sequences asks the live kernel, and no record has any")
    kinds = kinds or KINDS
    if recorded is not None:
        found = _with_record(recorded, kinds)
    else:
        found = _with_live_kernel(kinds, (count, length, seed) if count else None)
    _print(found, show)
    if write is not None:
        _write(found, write)
    return 1 if found.verdict.unexplained else 0


def _with_record(recorded: Path, kinds: tuple[str, ...]) -> Survey:
    from ..oracle.matrix.record import load
    from ..oracle.matrix.survey import survey_of_record

    return survey_of_record(load(recorded), kinds, _tell)


def _with_live_kernel(kinds: tuple[str, ...], draw: tuple[int, int, int] | None) -> Survey:
    from ..oracle.matrix.sequences import drawn
    from ..oracle.matrix.survey import survey, survey_of_sequences
    from ..oracle.namespace import NoNamespace

    try:
        return survey(kinds, _tell) if draw is None else survey_of_sequences(drawn(kinds, *draw), _tell)
    except NoNamespace as why:
        raise UsageError(f"the live kernel cannot be asked: {why}; --recorded FILE does without") from None


def _tell(line: str) -> None:
    click.echo(line, err=True)


def _print(found: Survey, show: int) -> None:
    verdict = found.verdict
    for difference in verdict.unexplained[:show]:
        click.echo(difference)
    for words, places in sorted(verdict.not_simulated.items()):
        click.echo(f"not simulated, {len(places)} cells: {words}")
    for reason, differences in verdict.explained.items():
        click.echo(f"different, {len(differences)} cells: {reason.name}")
    missing = sum(map(len, verdict.not_simulated.values()))
    differ, unexplained = len(verdict.differences), len(verdict.unexplained)
    click.echo(
        f"{verdict.compared} cells: {verdict.equal} equal to Linux {found.kernel},"
        f" {differ} different ({unexplained} without a reason), {missing} not simulated;"
        f" {len(found.unstable)} that Linux answered differently when asked twice"
    )


def _write(found: Survey, directory: Path) -> None:
    from ..oracle.matrix.document import page
    from ..oracle.matrix.record import save

    (directory / "fidelity.md").write_text(page(found), encoding="utf-8")
    save(found.record, directory / "fidelity.json")
