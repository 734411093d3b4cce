"""search: seeds until one fails, and what is made of it."""

import itertools
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from simnet import Diverged, Network, UsageError
from simnet.fuzz.campaign import findings, search
from simnet.fuzz.searches import Storm
from simnet.properties import sometimes
from simnet.scenario.run import execute
from tests.unit.planted_bugs import nothing_is_wrong, one_recv_is_one_line, short_sends_are_ignored

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("program", [one_recv_is_one_line, short_sends_are_ignored])
def test_a_planted_bug_is_found_within_200_seeds_and_shrunk_to_at_most_two_deviations(program):
    found = search(program, runs_max=200)
    assert found is not None
    assert found.shrunk is not None
    assert len(found.script) <= 2
    assert found.shrunk.each_needed
    assert found.shrunk.outcome.fingerprint == found.outcome.fingerprint
    assert found.progress.runs <= 200


@pytest.mark.parametrize("program", [one_recv_is_one_line, short_sends_are_ignored])
def test_the_shrunk_script_replays_to_the_digest_that_was_found(program):
    found = search(program, runs_max=200)
    replayed = execute(program, Network(found.script))
    assert replayed.fingerprint == found.outcome.fingerprint
    assert replayed.network.trace.digest() == found.shrunk.outcome.network.trace.digest()


def test_the_seed_alone_brings_the_found_run_back():
    found = search(one_recv_is_one_line, seeds=itertools.count())
    again = execute(one_recv_is_one_line, Network(seed=found.seed))
    assert again.network.trace.digest() == found.outcome.network.trace.digest()


def test_a_search_and_seeds_are_not_both_given():
    with pytest.raises(UsageError, match="not both"):
        search(nothing_is_wrong, by=Storm(), seeds=[1])


def test_all_kinds_of_failure_are_found_each_once_and_the_others_are_counted():
    def program(net):
        one_recv_is_one_line(net)
        short_sends_are_ignored(net)

    told = []
    found = list(findings(program, runs_max=300, on_progress=told.append))
    prints = [each.outcome.fingerprint for each in found]
    assert sorted(prints) == ["AssertionError in handle_read", "AssertionError in short_sends_are_ignored"]
    assert told[-1].failures.keys() == set(prints)
    assert sum(told[-1].failures.values()) > 10
    assert told[-1].runs == 300


def test_two_searches_find_the_same():
    first, second = search(one_recv_is_one_line), search(one_recv_is_one_line)
    assert (first.case.name, first.script) == (second.case.name, second.script)


def test_without_shrinking_the_script_is_the_whole_weather():
    found = search(one_recv_is_one_line, shrink=False)
    assert found.shrunk is None
    assert found.script == found.outcome.network.script()


def test_seeds_are_run_in_the_order_given_and_arguments_reach_the_program():
    seen = []

    def program(net, word):
        seen.append((net.recording.inner.seed, word))

    assert search(program, arguments={"word": "hello"}, seeds=[5, 3, 9]) is None
    assert seen == [(5, "hello"), (3, "hello"), (9, "hello")]


def test_the_network_is_built_as_asked_and_runs_have_no_trace_until_one_fails():
    made = []

    def make_network(**supplier):
        made.append(supplier)
        return Network(**supplier, latency="20ms")

    found = search(one_recv_is_one_line, seeds=range(100), make_network=make_network)
    assert made[0] == {"seed": 0, "trace": False}
    assert [each["trace"] for each in made] == [False] * (found.seed + 1) + [True] * (
        len(made) - found.seed - 1
    )
    # The first line arrives after SYN, SYN+ACK and itself: 3 x 20 ms.
    assert found.shrunk.outcome.network.now >= 0.060


def test_a_program_without_a_bug_is_not_blamed_and_every_run_is_counted():
    progress = []
    assert search(nothing_is_wrong, seeds=range(200), runs_max=150, on_progress=progress.append) is None
    assert (progress[-1].runs, progress[-1].failures, progress[-1].case) == (150, {}, "seed 149")
    assert 5 < progress[-1].behaviours <= 150


def test_progress_is_told_at_most_five_times_a_second():
    told = []
    search(nothing_is_wrong, seconds_max=0.5, on_progress=told.append)
    assert 1 <= len(told) <= 4  # at 0.2 s, at 0.4 s, and at the end
    assert all(later.seconds - earlier.seconds > 0.199 for earlier, later in itertools.pairwise(told[:-1]))


COUNTED = """
import weakref
from simnet.fuzz.campaign import search
from tests.unit.planted_bugs import nothing_is_wrong

alive, most = weakref.WeakSet(), 0

def program(net):
    global most
    alive.add(net)
    most = max(most, len(alive))
    nothing_is_wrong(net)

search(program, runs_max=600)
print(most)
"""


def test_networks_of_runs_that_passed_are_not_kept():
    # A network is a cycle, so some wait for the collector: as many as one generation of it holds.
    ended = subprocess.run(
        [sys.executable, "-c", COUNTED], cwd=ROOT, timeout=60, capture_output=True, check=True
    )
    assert int(ended.stdout) < 200


def test_a_failure_that_does_not_come_again_is_no_finding():
    runs = itertools.count()

    def program(net):
        if next(runs) == 3:
            raise LookupError

    with pytest.raises(Diverged) as raised:
        search(program, seeds=range(100))
    message = str(raised.value)
    assert "seed 3" in message
    assert "failed with 'LookupError in program'" in message
    assert "passed" in message


def test_a_failure_of_another_kind_the_second_time_names_both():
    errors = itertools.cycle([KeyError, IndexError])

    def program(net):
        raise next(errors)

    with pytest.raises(Diverged) as raised:
        search(program, seeds=range(100))
    assert "KeyError" in str(raised.value)
    assert "IndexError" in str(raised.value)


def test_a_failure_that_its_script_does_not_bring_back_names_the_seed():
    def program(net):
        if "seed=" in repr(net):
            raise LookupError

    with pytest.raises(Diverged, match="seed 7: not deterministic"):
        search(program, seeds=[7])


def test_a_run_that_leaves_another_trace_each_time_is_no_finding():
    runs = itertools.count(1)

    def program(net):
        one_recv_is_one_line(net, [b"x" * next(runs) + b"\r\n"])
        raise LookupError

    with pytest.raises(Diverged, match="two runs of the same script part: event"):
        search(program, seeds=[0])


KILLED = """
import os, signal, sys
from simnet.fuzz.campaign import search

def program(net):
    if net.recording.inner.seed == 100:
        os.kill(os.getpid(), signal.SIGKILL)

search(program, seeds=[123456, *range(99, 200)], state_file=sys.argv[1])
"""


def test_the_state_file_names_the_run_that_killed_the_interpreter(tmp_path):
    path = tmp_path / "state"
    path.write_text("left over from before, and longer than any state of a storm will ever be\n")
    ended = subprocess.run([sys.executable, "-c", KILLED, path], cwd=ROOT, timeout=60)
    assert ended.returncode == -signal.SIGKILL
    assert json.loads(path.read_text()) == {"search": "storm", "at": 100}


def test_an_interrupt_passes_through_and_leaves_its_place_behind(tmp_path):
    path = tmp_path / "state"

    def program(net):
        if net.recording.inner.seed == 11:
            raise KeyboardInterrupt

    descriptors = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    with pytest.raises(KeyboardInterrupt):
        search(program, seeds=range(100), state_file=path)
    assert json.loads(path.read_text())["at"] == 11
    assert not descriptors or len(os.listdir("/proc/self/fd")) == descriptors


def test_a_state_file_that_cannot_be_written_is_said_before_any_run(tmp_path):
    def program(net):
        raise AssertionError("ran")

    with pytest.raises(UsageError, match="cannot be written"):
        search(program, state_file=tmp_path)


def test_what_no_run_has_seen_is_told_at_the_end():
    def program(net):
        sometimes(net, "a calm run", not net.script().deviations)
        sometimes(net, "the other day", net.now_ns > 0)
        sometimes(net, "a run", True)

    told = []
    search(program, seeds=range(3), on_progress=told.append)
    assert told[-1].never == ("the other day",)
