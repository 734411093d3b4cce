"""The difference to the nearest run that passes: which run that is, where the two part, how it is told."""

import pytest

from simnet import Network, Script, parse
from simnet.fuzz.nearest import nearest_passing
from simnet.fuzz.shrink import minimize
from simnet.report.difference import LINES_MIN, Nearest, difference
from simnet.report.failure import failure_report
from simnet.scenario.run import execute
from tests.unit.planted_bugs import one_recv_is_one_line
from tests.zoo.programs import crlf_cut, leaving_in_a_broadcast, order_placed_twice

CLIENT, SERVER = "client:1 -> server:80", "server:80 -> client:1"
CUT = f"the 1st segment of {CLIENT} is cut after 4 bytes"
SHORT = f"the 2nd send of {CLIENT} takes 5 bytes"
LATE = f"the 1st segment of {SERVER} comes 5ms late"


def script(*sentences):
    return Script.of(map(parse, sentences))


def nearest(program, *sentences):
    given = script(*sentences)
    failed = execute(program, Network(given))
    return failed, nearest_passing(failed, given, lambda each: execute(program, Network(each)))


def told(program, *sentences, lines_max=10, width=100):
    failed, found = nearest(program, *sentences)
    return difference(failed, found, 1, lines_max, width)


def test_both_runs_stand_side_by_side_from_the_step_at_which_they_part():
    assert told(one_recv_is_one_line, SHORT) == [
        "the nearest passing run is the same until t=0.003  server  connected, accept, recv 10, send 13",
        "  with 1                          │ without 1",
        '  t=0.004  client  send 5 "GET /" │ t=0.004  client  send 10 "GET /two\\r\\n"',
        '  t=0.005  server  recv 5 "GET /" │ t=0.005  server  recv 10 "GET /two\\r\\n", send …',
        '                                  │ t=0.006  client  recv 13 "ok GET /two…", close',
        "                                  │ t=0.007  server  end of stream, close",
        "                                  │ t=0.008  client  end of stream",
        "  t=0.005  ✗ AssertionError       │ t=60.008  passes",
    ]


def test_bytes_are_shown_around_the_place_where_they_differ():
    """The two texts of 61 and 62 bytes differ in the last: what matters is that it is a LF."""
    cut = "the 1st segment of client:1 -> server:7000 is cut after 61 bytes"
    text = "\n".join(told(crlf_cut.bad, cut))
    assert 'recv 61 "…Ada\\r"' in text
    assert 'recv 62 "…Ada\\r\\n"' in text


def test_a_step_that_both_take_is_not_told_again():
    """Without the reset, the server sends to client1 as well; to client2 it sends in both runs."""
    reset = "the 3rd send of server:7000 -> client0:1 is reset"
    lines = told(leaving_in_a_broadcast.bad, reset, lines_max=8)
    missed = [
        line for line in lines if line.split("│")[-1].startswith(" t=0.003  server -> client1  send 14")
    ]
    assert len(missed) == 1
    assert missed[0].split("│")[0].strip() == ""
    assert not [line for line in lines if "server -> client2  send" in line]


def test_of_several_items_the_last_that_is_needed_is_taken():
    failed, found = nearest(one_recv_is_one_line, LATE, SHORT)
    assert (found.item, found.instead) == (parse(SHORT), None)
    assert found.outcome.passed
    assert found.outcome.network.script() == script(LATE)
    assert not failed.passed


def test_a_smaller_delay_that_passes_is_nearer_than_none():
    late = "the 1st segment of server:7000 -> client:1 comes 2s late"
    _, found = nearest(order_placed_twice.bad, late)
    assert str(found.instead) == "the 1st segment of server:7000 -> client:1 comes 500ms late"
    text = "\n".join(told(order_placed_twice.bad, late))
    assert "  1 comes 2s late" in text
    assert "│ 1 comes 500ms late" in text


def test_a_program_that_always_fails_has_no_nearest_passing_run():
    def program(net):
        one_recv_is_one_line(net)

    always = nearest(lambda net: program(net) or 1 / 0, LATE)[1]
    assert always is None
    assert nearest(program)[1] is None


def test_a_run_in_which_nothing_else_happens_is_not_compared():
    failed = execute(lambda net: 1 / 0, Network())
    other = Nearest(execute(lambda net: None, Network()), parse(LATE))
    assert difference(failed, other, 1, 10, 100) == []


@pytest.mark.parametrize("lines_max", range(3, 11))
@pytest.mark.parametrize("width", [80, 100])
def test_it_has_at_most_the_lines_and_columns_that_it_may_have(lines_max, width):
    for program, sentence in (
        (one_recv_is_one_line, SHORT),
        (order_placed_twice.bad, "the 1st segment of server:7000 -> client:1 comes 2s late"),
        (leaving_in_a_broadcast.bad, "the 3rd send of server:7000 -> client0:1 is reset"),
    ):
        lines = told(program, sentence, lines_max=lines_max, width=width)
        assert len(lines) <= lines_max
        assert bool(lines) is (lines_max >= LINES_MIN)
        assert all(len(line) <= width for line in lines)


def test_what_shrinking_ends_in_comes_with_its_nearest_passing_run():
    given = script(CUT, LATE)

    def attempt(candidate):
        return execute(one_recv_is_one_line, Network(candidate))

    shrunk = minimize(given, attempt, wanted="AssertionError in handle_read")
    assert shrunk.nearest is not None
    assert shrunk.nearest.outcome.network.script() == Script()
    text = failure_report(shrunk.outcome, shrunk=shrunk, nearest=shrunk.nearest, width=100, encoding="utf-8")
    assert "the nearest passing run is the same until t=0.002  client  connected, send 10" in text
    assert len(text.split("\n")) <= 40


@pytest.mark.parametrize("lines_max", [12, 20, 25, 30, 40])
def test_a_report_with_it_is_no_longer_than_one_without(lines_max):
    failed, found = nearest(one_recv_is_one_line, LATE, SHORT)
    for width in (80, 100):
        text = failure_report(failed, nearest=found, lines_max=lines_max, width=width, encoding="utf-8")
        assert len(text.split("\n")) <= lines_max
        assert max(map(len, text.split("\n"))) <= max(width, 80)
