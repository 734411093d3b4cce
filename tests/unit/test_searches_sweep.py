"""Sweeps: as many runs as one can count by hand, each deviation once, and an end."""

import pytest

from simnet import Network, UsageError
from simnet.choices import Noted, Noting
from simnet.fuzz import EVERY, GENTLE
from simnet.fuzz.campaign import findings, search
from simnet.fuzz.searches import Extent, Pairs, Sweep
from simnet.fuzz.searches.amounts import telling
from simnet.outcomes import OUTCOMES, outcome_of
from simnet.scenario.run import execute
from simnet.script import Script
from tests.unit.planted_bugs import nothing_is_wrong, one_recv_is_one_line, short_sends_are_ignored


def calm_places(program):
    noting = Noting()
    execute(program, Network(choices=noting))
    return noting.places


def scripts_of(by, program):
    """The scripts of a whole search, in order, and the last progress."""
    made, told = [], []

    def make_network(**supplier):
        made.append(supplier.get("script"))
        return Network(**supplier)

    list(findings(program, by=by, make_network=make_network, shrink=False, on_progress=told.append))
    return made, told[-1]


def lone_socket(net):
    """A connection that nobody serves: the one operation of it is its connect."""
    host = net.host("a")
    net.host("b")
    sock = host.modules.socket.socket()
    sock.setblocking(False)
    sock.connect_ex(("b", 7))
    net.run()


def test_the_runs_of_a_sweep_are_those_that_one_counts_by_hand():
    # One connect: 1, 2 or 3 SYNs get lost; it is refused; no route; never answered.  And no look-up: that
    # is no part of EVERY.
    made, progress = scripts_of(Sweep(), lone_socket)
    assert progress.extent == Extent(6, 6)
    assert progress.runs == 7  # the calm one before
    deviations = [script.deviations[0] for script in made[1:]]
    assert [(each.outcome, each.amount) for each in deviations] == [
        ("loses", 1),
        ("refused", 0),
        ("unreachable", 0),
        ("hangs", 0),
        ("loses", 2),
        ("loses", 3),
    ]
    assert {(each.where, each.op, each.nth) for each in deviations} == {("a:1 -> b:7", "connect", 1)}


def test_a_sweep_tries_every_legal_outcome_of_every_operation_once():
    made, progress = scripts_of(Sweep(), nothing_is_wrong)
    tried = [script.deviations for script in made[1:]]
    wanted = [
        (place.where, place.op, place.nth, outcome.name, amount)
        for place in calm_places(nothing_is_wrong)
        for outcome in OUTCOMES[place.op]
        for amount in outcome.amounts(place.size)
        if (place.op, outcome.name) in EVERY
    ]
    assert all(len(deviations) == 1 for deviations in tried)
    found = [(d.where, d.op, d.nth, d.outcome, d.amount) for (d,) in tried]
    assert sorted(found) == sorted(wanted)
    assert progress.extent == Extent(len(wanted), len(wanted))


def test_every_deviation_of_a_sweep_happens():
    made, _ = scripts_of(Sweep(), one_recv_is_one_line)
    for script in made[1:50]:
        assert execute(one_recv_is_one_line, Network(script)).network.unmet() == ()


def test_a_gentle_sweep_is_gentle():
    made, _ = scripts_of(Sweep(GENTLE), one_recv_is_one_line)
    assert {(script.deviations[0].op, script.deviations[0].outcome) for script in made[1:]} <= GENTLE


@pytest.mark.parametrize("program", [one_recv_is_one_line, short_sends_are_ignored])
def test_a_planted_mistake_that_one_deviation_shows_is_found_by_a_sweep(program):
    found = search(program, by=Sweep())
    assert len(found.script) == 1
    assert found.seed is None


def test_pairs_are_all_pairs_of_first_amounts_at_two_operations():
    made, progress = scripts_of(Pairs(), lone_socket)
    assert progress.extent == Extent(0, 0)  # one operation has no pair
    made, progress = scripts_of(Pairs(), nothing_is_wrong)
    places = calm_places(nothing_is_wrong)
    kinds = [
        sum((p.op, o.name) in EVERY and len(o.amounts(p.size)) > 0 for o in OUTCOMES[p.op]) for p in places
    ]
    pairs = (sum(kinds) ** 2 - sum(each**2 for each in kinds)) // 2
    assert progress.extent == Extent(pairs, pairs)
    assert len({frozenset(script.deviations) for script in made[1:]}) == pairs


def two_faults_are_needed(net):
    """Fails if both the connect loses a SYN and the server's first accept is told to try again."""
    nothing_is_wrong(net)
    met = {(each.op, each.outcome) for each in net.script().deviations}
    assert not {("connect", "loses"), ("accept", "again")} <= met


def test_a_mistake_that_needs_two_deviations_is_found_by_pairs_and_not_by_a_sweep():
    assert search(two_faults_are_needed, by=Sweep()) is None
    found = search(two_faults_are_needed, by=Pairs())
    assert len(found.script) == 2
    assert found.shrunk.each_needed


def test_pairs_are_bounded():
    made, progress = scripts_of(Pairs(pairs_max=5), nothing_is_wrong)
    assert progress.extent == Extent(5, 5)
    assert len(made) == 6


# --- amounts -------------------------------------------------------------------------------------


def test_of_many_cuts_those_that_people_name_are_tried():
    data = b"GET / HTTP/1.1\r\nHost: a\n" + b"x" * 1000
    cut = outcome_of("segment", "cut")
    amounts = telling(cut, Noted("a:1 -> b:7", "segment", 1, len(data), data))
    line_end = data.index(b"\r\n")
    assert amounts[:3] == (1, len(data) - 1, len(data) // 2)
    assert {line_end, line_end + 1, line_end + 2} <= set(amounts)  # before, within and behind CR LF
    assert data.index(b"\n", line_end + 2) + 1 in amounts
    assert len(amounts) <= 64


def test_of_few_amounts_all_are_tried():
    cut = outcome_of("segment", "cut")
    amounts = telling(cut, Noted("a:1 -> b:7", "segment", 1, 9, b"123456789"))
    assert sorted(amounts) == list(range(1, 9))


def test_of_a_jitter_of_a_million_nanoseconds_a_sample_is_tried():
    late = outcome_of("jitter", "late")
    assert len(telling(late, Noted("a:1 -> b:7", "jitter", 1, 1_000_000))) == 8


# --- going on ------------------------------------------------------------------------------------


def test_a_sweep_of_another_program_is_not_resumed():
    by = Sweep()
    by.resume([3, 1000])
    with pytest.raises(UsageError, match="there were 1,000 runs to make, and now there are "):
        search(nothing_is_wrong, by=by)


def test_a_case_supplies_the_same_run_twice():
    by = Sweep()
    case = by.next()
    digests = {execute(nothing_is_wrong, Network(**case.supplier())).network.trace.digest() for _ in range(2)}
    assert digests == {execute(nothing_is_wrong, Network(Script())).network.trace.digest()}
