"""`simnet fidelity`: what it prints, what it writes, and its exit status."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from simnet.cli import main
from simnet.oracle.matrix import survey
from simnet.oracle.matrix.cells import Place
from simnet.oracle.matrix.record import load, save
from simnet.oracle.namespace import NoNamespace

RECORD = Path(__file__).parent.parent.parent / "docs" / "fidelity.json"


def fidelity(*args):
    return CliRunner().invoke(main, ["fidelity", *map(str, args)])


def test_it_compares_with_a_record_where_no_live_kernel_can_be_asked(small_record):
    done = fidelity("--recorded", small_record, "--kind", "udp4")
    assert done.exit_code == 0
    assert f"equal to Linux {load(small_record).kernel}" in done.stdout


def test_a_difference_without_a_reason_is_printed_and_fails_the_command(small_record):
    record = load(small_record)
    record.live[Place("udp4", "fresh", "recv")] = "b'planted'"
    save(record, small_record)
    done = fidelity("--recorded", small_record, "--kind", "udp4")
    assert done.exit_code == 1
    assert "udp4/fresh/recv\n  live     b'planted'\n  virtual  EAGAIN\n" in done.stdout


def test_without_a_namespace_it_says_what_else_can_be_done(monkeypatch):
    def no(wanted):
        raise NoNamespace("unshare(2) says Operation not permitted")

    monkeypatch.setattr(survey, "live_cells", no)
    done = fidelity("--kind", "udp4")
    assert done.exit_code == 2
    assert "unshare(2) says Operation not permitted; --recorded FILE does without" in done.stderr


def test_sequences_are_asked_of_the_live_kernel():
    done = fidelity("--sequences", 200, "--kind", "udp4")
    if done.exit_code == 2:
        pytest.skip(done.stderr.strip())
    assert "cells: " in done.stdout
    assert "+" in done.stdout or done.exit_code == 0


def test_sequences_have_no_record():
    done = fidelity("--sequences", 200, "--recorded", RECORD)
    assert (done.exit_code, done.stdout) == (2, "")


@pytest.mark.parametrize("more", [("--kind", "udp4"), ("--recorded", RECORD), ("--sequences", 3)])
def test_a_part_of_the_table_is_not_written(tmp_path, more):
    done = fidelity("--write", tmp_path, *more)
    assert done.exit_code == 2
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def small_record(tmp_path, monkeypatch):
    """A record of few cells, and a table that has no more."""
    record = load(RECORD)
    wanted = [place for place in record.live if (place.kind, place.state) == ("udp4", "fresh")]
    monkeypatch.setattr(survey, "places", lambda kinds: wanted)
    few = {place: record.live[place] for place in wanted}
    unlike = {place: cell for place, cell in record.virtual.items() if place in few}
    path = tmp_path / "fidelity.json"
    save(type(record)(record.kernel, few, unlike, []), path)
    return path
