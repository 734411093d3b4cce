"""The interpreter's own tests pass in processes of virtual hosts."""

from __future__ import annotations

import platform

import pytest

from tests.interpreter.page import PAGE, count_of, counts_in, page, this_python
from tests.interpreter.reasons import (
    NOT_APPLICABLE,
    NOT_PASSED,
    NOT_RUN,
    OF_SOME_PYTHONS,
    SUITES,
    reason,
    suites_of,
)
from tests.interpreter.suites import available, installed, name_of, run, run_what_applies

pytest.importorskip("test.support", reason="the test package of the interpreter is not installed")
pytest.importorskip("greenlet", reason="processes are greenlets")

PASSED_MIN = 0.95


@pytest.mark.parametrize("suite", SUITES)
def test_what_applies_passes_but_for_what_is_named(suite: str) -> None:
    """At least 95 %; what is named does not pass, for a row that is out of date hides what it once explained.

    The page knows some releases; it cannot know all.
    """
    if suite not in available():
        pytest.skip(f"Python {platform.python_version()} has no {suite}")
    outcomes = run_what_applies(suite)
    not_passed = {**NOT_PASSED, **NOT_RUN}
    named = {o.test for o in outcomes if reason(not_passed, f"{suite}.{o.test}")}
    unexplained = [f"{o.test}\n{o.trouble}" for o in outcomes if o.trouble and o.test not in named]
    assert not unexplained, "\n\n".join(unexplained)
    passed, applies = count_of(outcomes)
    everywhere = {pattern: why for pattern, why in not_passed.items() if pattern not in OF_SOME_PYTHONS}
    assert not [o for o in outcomes if not o.trouble and reason(everywhere, f"{suite}.{o.test}")]
    assert applies
    assert passed >= PASSED_MIN * applies
    column = counts_in(PAGE.read_text()).get(this_python(), {})
    assert not column or column.get(suite) == (passed, applies), "run python -m tests.interpreter"


def test_the_page_tells_every_reason() -> None:
    text = PAGE.read_text()
    assert text == page(counts_in(text)), "run python -m tests.interpreter"


@pytest.mark.parametrize("pattern", [*NOT_APPLICABLE, *NOT_PASSED, *NOT_RUN])
def test_every_reason_is_one_of_an_existing_test(pattern: str) -> None:
    suites = [suite for suite in suites_of(pattern) if suite in available()]
    names = [f"{suite}.{name_of(test)}" for suite in suites for test in installed(suite)]
    if not suites or pattern in OF_SOME_PYTHONS:
        pytest.skip(f"Python {platform.python_version()} need not have it")
    assert any(reason({pattern: "found"}, name) for name in names)


def test_a_machine_that_answers_wrongly_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The canary: with epoll's level-triggering broken, its own suite says so."""
    monkeypatch.setattr("simnet.virtual.kernel.epoll.EDGE", 0xFFFFFFFF)
    assert any(outcome.trouble for outcome in run("test_epoll", lambda test: True))
