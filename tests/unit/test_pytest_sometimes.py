"""pytest tells at its end what was to be seen sometimes, and was not seen in any test."""

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[2]
TESTS = """
import pytest
from simnet import Network
from simnet.properties import sometimes

@pytest.mark.parametrize("number", range(4))
def test_numbers(number):
    net = Network()
    sometimes(net, "a three", number == 3)
    sometimes(net, "a seven", number == 7)

def test_that_fails(net):
    sometimes(net, "the end", False)
    sometimes(net, "a seven", False)
    assert False

@pytest.fixture
def late(net):
    yield
    sometimes(net, "a teardown", net.now_ns > 0)

def test_of_a_fixture(late):
    pass
"""
NEVER = [
    "*= simnet: never seen in any test =*",
    "a seven  (test_numbers.py::test_numbers*",
    "the end  (test_numbers.py::test_that_fails)",
    "a teardown  (test_numbers.py::test_of_a_fixture)",
]


@pytest.fixture
def project(pytester):
    pytester.makepyfile(test_numbers=TESTS)
    pytester.syspathinsert(ROOT)
    return pytester


def test_what_no_test_has_seen_is_told_with_who_said_it_first(project):
    result = project.runpytest_inprocess("-p", "no:xdist")
    result.assert_outcomes(passed=5, failed=1)
    result.stdout.fnmatch_lines(NEVER)
    result.stdout.no_fnmatch_line("a three*")


def test_what_one_worker_of_xdist_has_seen_is_seen(project):
    pytest.importorskip("xdist")
    result = project.runpytest_inprocess("-n2")
    result.assert_outcomes(passed=5, failed=1)
    result.stdout.fnmatch_lines_random(NEVER)
    result.stdout.no_fnmatch_line("a three*")


@pytest.mark.parametrize("chosen", ["test_numbers.py::test_numbers[3]", "-ktest_nothing"])
def test_nothing_is_told_where_nothing_is_missing(project, chosen):
    project.makepyfile(test_nothing="def test_nothing(net):\n    pass\n")
    text = TESTS.replace('    sometimes(net, "a seven", number == 7)\n', "")
    project.makepyfile(test_numbers=text)
    result = project.runpytest_inprocess("-p", "no:xdist", chosen)
    assert result.ret == 0
    result.stdout.no_fnmatch_line("*never seen*")


def test_a_label_that_the_next_session_sees_is_not_kept_from_the_last(project):
    project.runpytest_inprocess("-p", "no:xdist", "test_numbers.py::test_numbers[0]")
    result = project.runpytest_inprocess("-p", "no:xdist", "test_numbers.py::test_of_a_fixture")
    result.stdout.fnmatch_lines([NEVER[0], NEVER[-1]])
    result.stdout.no_fnmatch_line("a seven*")
