"""Packages run unmodified in the processes of a network, and the page of the documentation says which."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from tests.unmodified.page import CELLS, PAGE, PASSES, distributions, faults_of, named, rows_in
from tests.unmodified.probe import Performance, Probe, Refused
from tests.unmodified.table import PROBES, REFUSED

DOCS = Path(__file__).parents[2] / "docs"
PACKAGES_MIN = 20
AGAIN = "run `make unmodified`"


@pytest.fixture(params=PROBES, ids=lambda probe: probe.program)
def probe(request: pytest.FixtureRequest) -> Probe:
    if request.param.lacks:
        pytest.skip(request.param.lacks)
    return request.param  # type: ignore[no-any-return]


@pytest.fixture(params=REFUSED, ids=lambda refused: refused.package)
def refused(request: pytest.FixtureRequest) -> Refused:
    if request.param.lacks:
        pytest.skip(request.param.lacks)
    return request.param  # type: ignore[no-any-return]


@cache
def twice(probe: Probe, with_faults: bool) -> tuple[Performance, Performance]:
    return probe.perform(with_faults), probe.perform(with_faults)


def test_it_passes_on_a_calm_network_and_repeats(probe: Probe) -> None:
    first, second = twice(probe, with_faults=False)
    assert first.digest == second.digest


def test_it_passes_with_its_faults_and_repeats(probe: Probe) -> None:
    first, second = twice(probe, with_faults=True)
    assert first.digest == second.digest


def test_its_faults_make_another_run(probe: Probe) -> None:
    """A fault that changes nothing shows nothing."""
    assert twice(probe, with_faults=False)[0].digest != twice(probe, with_faults=True)[0].digest


def test_what_does_not_run_fails_for_the_reason_that_is_given(refused: Refused) -> None:
    name, text = refused.raises
    error = refused.perform()
    assert error is not None, f"{refused.package} runs: it wants a probe of its own"
    assert type(error).__name__ == name
    assert text in str(error)


@pytest.mark.once
def test_every_program_belongs_to_one_probe() -> None:
    programs = [each.program for each in (*PROBES, *REFUSED) if each.program]
    assert len(programs) == len(set(programs))
    there = {path.stem for path in (Path(__file__).parent / "programs").glob("*.py")}
    assert there == set(programs)


@pytest.mark.once
def test_the_page_lists_every_probe_with_its_faults_as_passing() -> None:
    rows = rows_in((DOCS / PAGE).read_text(), CELLS)
    told = [(row[0], *row[2:4]) for row in rows]
    assert told == [(named(probe), probe.exercised, faults_of(probe)) for probe in PROBES], AGAIN
    assert all(row[4] in (PASSES, probe.gone) for row, probe in zip(rows, PROBES, strict=True)), AGAIN


@pytest.mark.once
def test_the_page_lists_what_does_not_run_with_its_reason() -> None:
    rows = [(row[0], row[2]) for row in rows_in((DOCS / PAGE).read_text(), 3)]
    assert rows == [(each.package, each.reason) for each in REFUSED], AGAIN


@pytest.mark.once
def test_at_least_twenty_distributions_run() -> None:
    count = len(distributions(PROBES))
    assert count >= PACKAGES_MIN
    assert f"these are {count} distributions." in (DOCS / PAGE).read_text(), AGAIN
