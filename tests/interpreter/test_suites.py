"""The interpreter's own tests of select, poll, epoll, selectors and socket pass on a virtual host."""

from __future__ import annotations

import platform

import pytest

from tests.interpreter.page import PAGE, page, row_of, rows_in
from tests.interpreter.reasons import NOT_APPLICABLE, NOT_PASSED, SUITES, reason
from tests.interpreter.suites import Outcome, available, installed, name_of, run, run_what_applies

pytest.importorskip("test.support", reason="the test package of the interpreter is not installed")
pytest.importorskip("greenlet", reason="the suites' threads are greenlets")

PASSED_MIN = 0.95


@pytest.fixture(scope="module", params=SUITES)
def suite(request: pytest.FixtureRequest) -> str:
    if request.param not in available():
        pytest.skip(f"Python {platform.python_version()} has no {request.param}")
    return str(request.param)


@pytest.fixture(scope="module")
def outcomes(suite: str) -> list[Outcome]:
    return run_what_applies(suite)


def test_what_applies_passes_but_for_what_is_named(suite: str, outcomes: list[Outcome]) -> None:
    unexplained = [o for o in outcomes if o.trouble and not reason(NOT_PASSED, f"{suite}.{o.test}")]
    assert not unexplained, "\n\n".join(f"{o.test}\n{o.trouble}" for o in unexplained)


def test_at_least_95_percent_of_what_applies_passes(outcomes: list[Outcome]) -> None:
    passed = sum(not outcome.trouble for outcome in outcomes)
    assert outcomes
    assert passed >= PASSED_MIN * len(outcomes)


def test_what_is_named_as_not_passing_does_not_pass(suite: str, outcomes: list[Outcome]) -> None:
    """A row that is out of date hides what it once explained."""
    passing = [o.test for o in outcomes if not o.trouble and reason(NOT_PASSED, f"{suite}.{o.test}")]
    assert not passing


def test_the_page_says_how_this_python_fared(suite: str, outcomes: list[Outcome]) -> None:
    """The page knows some releases; it cannot know all."""
    row = row_of(suite, outcomes)
    known = [other for other in rows_in(PAGE.read_text()) if other[:2] == row[:2]]
    assert known in ([], [row]), "run python -m tests.interpreter"


def test_the_page_tells_every_reason() -> None:
    text = PAGE.read_text()
    assert text == page(rows_in(text)), "run python -m tests.interpreter"


@pytest.mark.parametrize("pattern", [*NOT_APPLICABLE, *NOT_PASSED])
def test_every_reason_is_one_of_an_existing_test(pattern: str) -> None:
    suite = pattern.partition(".")[0]
    if suite not in available():
        pytest.skip(f"Python {platform.python_version()} has no {suite}")
    assert any(reason({pattern: "found"}, f"{suite}.{name_of(test)}") for test in installed(suite))


def test_a_machine_that_answers_wrongly_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The canary: with epoll's level-triggering broken, its own suite says so."""
    monkeypatch.setattr("simnet.virtual.kernel.epoll.EDGE", 0xFFFFFFFF)
    assert any(outcome.trouble for outcome in run("test_epoll", lambda test: True))
