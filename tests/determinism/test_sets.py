"""Sets of tasks, connections and threads are walked in one order, wherever in memory these are."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.determinism.sets import PROGRAMS, run
from tests.determinism.test_digests import ROOT, other_pythons

SETS = Path(__file__).parent / "sets.py"
CASES = [("0", 0), ("1", 1_000), ("4242", 30_001)]
DIGEST_CHARACTERS = 32


def lines(hash_seed, garbage, python=sys.executable, **more):
    """By program, what it said and its digest."""
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT), **more}
    result = subprocess.run(
        [python, str(SETS), str(garbage)], env=environment, capture_output=True, text=True, check=True
    )
    return dict(line.split(" ", 1) for line in result.stdout.splitlines())


@pytest.fixture(scope="module")
def known():
    return lines(*CASES[0])


@pytest.mark.parametrize(("hash_seed", "garbage"), CASES[1:])
def test_neither_garbage_nor_the_hash_seed_changes_the_order(known, hash_seed, garbage):
    assert list(known) == list(PROGRAMS)
    assert lines(hash_seed, garbage) == known


@pytest.mark.parametrize("python", other_pythons(), ids=lambda path: path.parts[-3])
def test_every_python_walks_them_in_one_order(known, python):
    try:
        subprocess.run([python, "-c", "import attrs, greenlet"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip(f"{python} is not set up yet")
    there, here = lines("7", 500, str(python)), dict(known)
    for each in (there, here):  # pools of 3.11 begin their threads at other moments
        each["pool"] = each["pool"][:-DIGEST_CHARACTERS]
    assert there == here


def test_by_address_every_program_but_that_of_addresses_differs():
    by_address = [lines("0", garbage, SETS_BY_ADDRESS="1") for _, garbage in CASES]
    same = {name for name in PROGRAMS if len({each[name] for each in by_address}) == 1}
    assert same <= {"addresses"}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_second_run_in_one_interpreter_is_the_first(name):
    assert run(name) == run(name)
