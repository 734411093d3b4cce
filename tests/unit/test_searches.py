"""Every search keeps the contract of `Search`; and what each of them is for, it finds."""

import json

import pytest

from simnet import Network, UsageError, dispatcher
from simnet.errors import Diverged
from simnet.fuzz import GENTLE
from simnet.fuzz.campaign import findings, search
from simnet.fuzz.searches import (
    NAMES,
    Cuts,
    Exhaustive,
    Extent,
    Mixed,
    Novelty,
    Pct,
    Storm,
    Sweep,
    search_by_name,
)
from simnet.scenario.run import execute
from tests.unit.planted_bugs import Sink, SinkChannel, nothing_is_wrong, one_recv_is_one_line

FINITE = ("sweep", "pairs", "cuts", "exhaustive")


def orders(net, hosts="abc", times=1):
    """Hosts with a timer each that is due at the same moment, `times` times; the order in which they went."""
    told = []

    def tick(channel, name, left):
        told.append(name)
        if left > 1:
            channel.call_later(1, tick, channel, name, left - 1)

    for name in hosts:
        with net.host(name):
            channel = dispatcher()
            channel.create_socket()
            channel.bind(("", 7))
            channel.listen(1)
            channel.call_later(1, tick, channel, name, times)
    net.run()
    return "".join(told)


def runs_of(by, program, runs_max=None):
    """The scripts of the runs that a search makes, as they were recorded."""
    made = []

    def noted(net):
        try:
            program(net)
        finally:
            made.append(net.script())

    for _ in findings(noted, by=by, runs_max=runs_max, shrink=False):
        pass
    return made


# --- the contract --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_the_same_search_makes_the_same_runs(name):
    first, second = (runs_of(search_by_name(name), nothing_is_wrong, 60) for _ in range(2))
    assert first == second
    assert name in ("exhaustive", "pct", "cuts") or len(set(first)) > 10  # of one byte there is no cut


@pytest.mark.parametrize("name", FINITE)
def test_a_finite_search_ends_and_says_how_far_it_was(name):
    told = []
    assert search(nothing_is_wrong, by=search_by_name(name), runs_max=5000, on_progress=told.append) is None
    extent = told[-1].extent
    assert extent.done == extent.total
    assert extent.is_exact
    assert told[-1].runs in (extent.total, extent.total + 1)  # some make a calm run first


@pytest.mark.parametrize("name", [name for name in NAMES if name != "mixed"])
@pytest.mark.parametrize("over", [1, 2, 17])
def test_a_search_that_is_resumed_makes_the_runs_that_were_left(name, over):
    def program(net):
        orders(net)
        nothing_is_wrong(net)

    whole = runs_of(search_by_name(name), program, 40)
    by = search_by_name(name)
    for _ in range(over):
        by.learn(execute(program, Network(**by.next().supplier(), trace=by.wants_trace)))
    by.next()
    state = json.loads(json.dumps(by.state()))
    resumed = search_by_name(name)
    resumed.resume(state)
    # What it has to see again comes first: the calm run, or those of the corpus.
    again = {"storm": 0, "exhaustive": 0, "novelty": len(state[1]) if name == "novelty" else 0}.get(name, 1)
    assert runs_of(resumed, program, len(whole) - over + again)[again:] == whole[over:]
    assert len(whole) > over or name == "exhaustive"


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("storm", "pct", "happenings")])
@pytest.mark.parametrize("state", [7, "x", [1], [2, 1.5], {"storm": 1}, None])
def test_what_is_no_state_of_a_search_is_not_resumed(name, state):
    with pytest.raises(UsageError, match="cannot resume"):
        search_by_name(name).resume(state)


@pytest.mark.parametrize("name", NAMES)
def test_a_gentle_search_does_nothing_that_is_not_gentle(name):
    for script in runs_of(search_by_name(name, GENTLE), one_recv_is_one_line, 150):
        assert {(each.op, each.outcome) for each in script.deviations} <= GENTLE


# --- all orders ----------------------------------------------------------------------------------


def test_all_orders_of_three_hosts_are_six_at_each_moment():
    seen = []
    told = []
    search(lambda net: seen.append(orders(net)), by=Exhaustive(), on_progress=told.append)
    # Hosts begin, and a second later their timers are due: each time three are ready, then two.
    # 3 x 2 x 3 x 2 = 36, and each order of the timers comes in all 6 orders of the beginning.
    assert sorted(set(seen)) == ["abc", "acb", "bac", "bca", "cab", "cba"]
    assert [seen.count(order) for order in sorted(set(seen))] == [6] * 6
    assert told[-1].extent == Extent(36, 36)


def test_no_order_is_run_twice_and_none_is_left_out():
    seen = []
    made = runs_of(Exhaustive(), lambda net: seen.append(orders(net, "ab", times=3)))
    assert len(made) == len(set(made))
    assert len(set(seen)) == 2**3  # of two hosts either is first, at three moments


def test_the_number_of_orders_is_estimated_on_the_way():
    by, estimates = Exhaustive(), []
    while (case := by.next()) is not None:
        by.learn(execute(lambda net: orders(net, "abc"), Network(**case.supplier())))
        estimates.append(by.extent.total)
    assert estimates == [36] * 36  # a tree whose branches are alike
    assert by.extent.is_exact


def test_all_orders_are_bounded_in_depth():
    seen = []
    search(lambda net: seen.append(orders(net, "ab", times=5)), by=Exhaustive(depth_max=2))
    assert len(seen) == 2**2


def test_an_order_that_fails_is_found_and_said_in_words():
    def program(net):
        assert orders(net) != "cba"

    found = search(program, by=Exhaustive())
    assert 1 <= len(found.script) <= 2
    assert all(str(each).startswith("the ") and each.op == "turn" for each in found.script.deviations)


def test_a_program_that_asks_other_questions_the_second_time_is_not_walked():
    by = Exhaustive()
    by.resume([1, [2]])  # the first question had three answers
    with pytest.raises(Diverged, match="question 1 of order, at network, has 2 answers"):
        search(lambda net: orders(net, "ab"), by=by)


# --- priority schedules --------------------------------------------------------------------------


def b_is_always_first(net):
    told = orders(net, "ab", times=10)
    assert told != "ba" * 10, "b was first ten times"


def test_an_order_that_has_to_hold_for_long_is_met_by_priorities():
    # With two hosts and no change every second schedule does; with a coin for each moment one in 1024.
    found = search(b_is_always_first, by=Pct(depth=1), runs_max=20)
    assert found is not None
    assert search(b_is_always_first, by=Storm(), runs_max=20) is None


def test_a_change_of_priorities_is_met_at_depth_two_and_not_at_depth_one():
    def program(net):
        told = orders(net, "ab", times=6)
        assert told != "ba" * 3 + "ab" * 3

    assert search(program, by=Pct(depth=1), runs_max=200) is None
    # At least 1 in n x k = 2 x 6 schedules.
    assert search(program, by=Pct(depth=2), runs_max=200) is not None


def test_a_depth_of_nothing_makes_no_sense():
    with pytest.raises(UsageError, match="1 or more, not 0"):
        Pct(depth=0)


# --- cuts ----------------------------------------------------------------------------------------


class SinkOf(Sink):
    """Keeps what the channels of a test read."""

    def __init__(self, address, channel):
        super().__init__(address)
        self.channel = channel

    def handle_accept(self):
        pair = self.accept()
        if pair is not None:
            self.channel(pair[0], self)


def stream(net, data=b"abcdef", channel=SinkChannel):
    """A client sends bytes with one call, and nothing comes back."""

    class Sender(dispatcher):
        def writable(self):
            return not self.connected or bool(self.left)

        def handle_write(self):
            self.left = self.left[self.send(self.left) :]
            if not self.left:
                self.close()

    with net.host("server"):
        sink = SinkOf(("", 9), channel)
    with net.host("client"):
        sender = Sender()
        sender.left = data
        sender.create_socket()
        sender.connect(("server", 9))
    net.run()
    assert sink.received == data
    return sink


def test_two_way_cuts_of_six_bytes_are_five_and_then_come_crumbs():
    made = runs_of(Cuts(random_max=0), stream)
    assert [len(script) for script in made] == [0, *[1] * 6]  # the calm run, 5 cuts, crumbs
    cuts = [script.deviations[0].amount for script in made[1:6]]
    assert cuts == [1, 5, 3, 2, 4]
    assert made[6].deviations[0].outcome == "crumbles"


def test_random_cuts_come_last_and_deliver_everything():
    made = runs_of(Cuts(random_max=50), stream)
    assert len(made) == 1 + 5 + 1 + 50
    several = [len(script) for script in made[7:]]
    assert max(several) >= 3
    told = {(each.op, each.outcome) for script in made[7:] for each in script.deviations}
    assert told == {("segment", "cut"), ("send", "takes")}


class OneByteIsTooMuch(SinkChannel):
    """Is wrong at one place of the stream."""

    def handle_read(self):
        before = len(self.sink.received)
        super().handle_read()
        assert len(self.sink.received) != 777 or before == 777


def test_the_one_bad_cut_in_a_thousand_is_found():
    found = search(lambda net: stream(net, b"x" * 1001, OneByteIsTooMuch), by=Cuts())
    # Told in full, a cut of one segment of 1001 bytes has 1000 places.
    assert found.progress.runs <= 1001
    assert [each.amount for each in found.script.deviations] == [777]


class DotAtTheStart(SinkChannel):
    """Is wrong where a read begins with the one dot of the stream."""

    def handle_read(self):
        before = len(self.sink.received)
        super().handle_read()
        assert self.sink.received[before : before + 1] != b"."


def in_segments(net, parts, channel=SinkChannel):
    """A client that sends one part after the other, 5 ms apart, and the sink of its server."""
    with net.host("server"):
        sink = SinkOf(("", 9), channel)
    with net.host("client"):
        sender = dispatcher()
        sender.create_socket()
        sender.connect(("server", 9))
        for number, part in enumerate(parts):
            sender.call_later(0.01 + number * 0.005, sender.send, part)
        sender.call_later(1, sender.close)
    net.run()
    assert sink.received == b"".join(parts)


def test_all_segments_are_cut_at_once_before_each_is_cut_alone():
    made = runs_of(
        Cuts(GENTLE - {("segment", "late")}, random_max=0), lambda net: in_segments(net, [b"abcd"] * 3)
    )
    assert [len(script) for script in made[:4]] == [0, 3, 3, 3]  # of four bytes there are three cuts
    at_once = [[each.amount for each in script.deviations] for script in made[1:4]]
    assert at_once == [[1] * 3, [3] * 3, [2] * 3]
    assert [len(script) for script in made[4:-1]] == [1] * 9
    assert len(made) == 1 + 3 + 9 + 1  # crumbs


def test_a_segment_that_has_fewer_places_is_cut_again_while_a_longer_one_is_not_through():
    made = runs_of(Cuts(random_max=0), lambda net: in_segments(net, [b"ab", b"abcd"]))
    assert [[each.amount for each in script.deviations] for script in made[1:4]] == [[1, 1], [1, 3], [1, 2]]


def test_one_bad_cut_in_many_segments_is_found_in_as_many_runs_as_the_longest_has_bytes():
    parts = [b"x" * 100] * 15 + [b"x" * 61 + b"." + b"x" * 38] + [b"x" * 100] * 4
    found = search(lambda net: in_segments(net, parts, DotAtTheStart), by=Cuts())
    assert found.progress.runs <= 100  # of 2000 bytes
    assert [(each.nth, each.amount) for each in found.script.deviations] == [(16, 61)]


# --- novelty -------------------------------------------------------------------------------------


def test_novelty_goes_on_from_runs_that_were_new():
    by = Novelty()
    names = []
    while len(names) < 200:
        case = by.next()
        names.append(case.name.split()[0])
        by.learn(execute(one_recv_is_one_line, Network(**case.supplier(), trace=True)))
    assert 100 <= names.count("branch") < 190


def test_novelty_sees_more_behaviours_than_storms_in_as_many_runs():
    told = {}
    for by in (Novelty(), Storm()):
        search(nothing_is_wrong, by=by, runs_max=400, on_progress=lambda each, by=by: told.update({by: each}))
    novelty, storms = (each.behaviours for each in told.values())
    assert novelty > storms


# --- in turns ------------------------------------------------------------------------------------


def test_a_search_that_is_over_leaves_its_turns_to_the_others():
    alone = len(runs_of(Sweep(), nothing_is_wrong))
    assert len(runs_of(Mixed([Sweep(), Storm(range(3))]), nothing_is_wrong)) == alone + 3
    assert len(runs_of(Mixed([Storm(range(100)), Sweep()]), nothing_is_wrong)) == 100 + alone


def test_searches_in_turns_go_on_where_each_of_them_was():
    by = Mixed([Storm(), Sweep()])
    for _ in range(20):
        case = by.next()
        by.learn(execute(nothing_is_wrong, Network(**case.supplier(), trace=by.wants_trace)))
    resumed = Mixed([Storm(), Sweep()])
    resumed.resume(json.loads(json.dumps(by.state())))
    names = [resumed.next().name for _ in range(1)]
    assert names == ["seed 9"]  # ten storms and ten of the sweep; the last of each is made again
