"""The parts of the demonstration with small budgets: what they claim holds, what does not hold ends it."""

from __future__ import annotations

import io

import attrs
import pytest
from rich.console import Console

from examples import demo, recorded
from examples.screen import Screen
from simnet.scenario.load import load


@pytest.fixture(scope="module")
def conversations():
    return recorded.record(lambda name: None)


@pytest.fixture
def screen():
    return Screen(Console(file=io.StringIO(), width=100))


def shown(screen: Screen) -> str:
    return screen._console.file.getvalue()


def test_real_clients_are_recorded_and_named(screen):
    conversations = demo.serve_real_clients(screen)
    assert all(each.client in shown(screen) for each in conversations)


def test_every_run_is_counted_once(screen, conversations):
    small = [each for each in conversations if len(each.request) < 100]
    tally = demo.feed_again(screen, small, storms=20)
    cuts = sum(len(each.request) - 1 for each in small)
    assert (tally.cut_points, tally.byte_by_byte, tally.storms, tally.scripts) == (cuts, len(small), 20, 20)
    assert tally.runs == cuts + len(small) + 40


def test_an_answer_other_than_the_recorded_one_ends_the_demonstration(screen, conversations):
    wrong = attrs.evolve(conversations[0], answer=conversations[0].answer.replace(b"200", b"201", 1))
    with pytest.raises(demo.Untrue, match="was answered"):
        demo.feed_again(screen, [wrong], storms=1)


def test_the_bug_is_found_shrunk_kept_and_replayed(screen, tmp_path):
    rows = dict(demo.find_the_bug(screen, tmp_path, seeds=60))
    (path,) = tmp_path.glob("*.toml")
    assert len(load(path).script) <= demo.DEVIATIONS_MAX
    assert "is cut after" in shown(screen)
    assert shown(screen).count(load(path).record.digest) >= 3  # found, replayed, and elsewhere
    assert rows["replay from the file in a new interpreter"] == "same digest"


def test_a_search_that_finds_nothing_ends_the_demonstration(screen, tmp_path):
    with pytest.raises(demo.Untrue, match="no failure in 1 seeds"):
        demo.find_the_bug(screen, tmp_path, seeds=1)


def test_a_claim_that_does_not_hold_is_told_and_exits_with_1(monkeypatch, capsys):
    def untrue(screen):
        demo.claim(2 + 2 == 5, "two and two are not five")

    monkeypatch.setattr(demo, "serve_real_clients", untrue)
    assert demo.main() == 1
    assert "demo failed: Untrue: two and two are not five" in capsys.readouterr().out


def test_progress_in_a_log_is_a_line_now_and_then(monkeypatch, screen):
    monkeypatch.setattr("examples.screen.LINE_EVERY_SECONDS", 0.0)
    with screen.progress("storms", 2) as advance:
        advance(1)
        advance(2)
    assert shown(screen) == "  storms: 1 of 2\n  storms: 2 of 2\n"


def test_progress_on_a_terminal_is_a_bar_that_goes_away():
    screen = Screen(Console(file=io.StringIO(), width=100, force_terminal=True))
    with screen.progress("storms", 2) as advance:
        advance(2)
    assert "storms" in shown(screen)
    assert shown(screen).endswith("\x1b[2K")
