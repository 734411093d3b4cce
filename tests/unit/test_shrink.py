"""minimize: what is left of a script, and what is said of it."""

import pytest

from simnet import Diverged, Network, Script, dispatcher, parse
from simnet.fuzz.shrink import minimize
from simnet.scenario.run import execute
from tests.unit.planted_bugs import one_recv_is_one_line, short_sends_are_ignored
from tests.zoo.programs import crlf_cut, reused_descriptor

LATE_REPLY = "the 1st segment of server:80 -> client:1 comes 10s late"
NOISE = [
    "the 1st connect of client:1 -> server:80 loses 1 SYN",
    "the 1st recv of client:1 -> server:80 is told to try again",
    "the 2nd recv of client:1 -> server:80 is told to try again",
    "the 1st accept of server:80 is told to try again",
    "the 2nd segment of client:1 -> server:80 comes 20ms late",
    "the 1st turn of network starts with ready number 2",
]


def script(*sentences):
    return Script.of(map(parse, sentences))


class Attempts:
    """Runs a program on the scripts that it is asked about, and keeps them."""

    def __init__(self, program, **arguments):
        self.program, self.arguments = program, arguments
        self.scripts = []
        self.rejected = []

    def __call__(self, candidate):
        outcome = execute(self.program, Network(candidate), self.arguments)
        self.scripts.append(candidate)
        self.rejected += [candidate] if outcome.passed else []
        return outcome


def shrink(program, given, wanted="AssertionError in guilty", **bounds):
    attempts = Attempts(program)
    return minimize(given, attempts, wanted=wanted, **bounds), attempts


def fails_if(guilt):
    """A program that talks for a while and then fails if `guilt` says so of what has deviated."""

    def program(net):
        try:
            one_recv_is_one_line(net, [b"hello world\r\n"] * 3)
        except AssertionError:
            net.run()  # the short line is not the bug here
        met = {(each.op, each.outcome): each for each in net.script().deviations}

        def guilty():
            assert not guilt(met)

        guilty()

    return program


def needs_both(met):
    return {("segment", "late"), ("recv", "again")} <= met.keys()


def test_of_many_deviations_the_two_that_matter_are_left():
    given = script(*NOISE, LATE_REPLY)
    shrunk, _ = shrink(fails_if(needs_both), given)
    left = {(each.op, each.outcome) for each in shrunk.script.deviations}
    assert left == {("segment", "late"), ("recv", "again")}
    assert shrunk.each_needed
    assert shrunk.without == ("", "")
    assert shrunk.before == 7


def test_the_outcome_is_the_run_of_the_shrunk_script_and_runs_again_to_the_same_digest():
    shrunk, attempts = shrink(fails_if(needs_both), script(*NOISE, LATE_REPLY))
    assert shrunk.outcome.fingerprint == "AssertionError in guilty"
    again = attempts(shrunk.script).network
    assert again.trace.digest() == shrunk.outcome.network.trace.digest()
    assert again.script() == shrunk.script


def test_a_delay_becomes_the_smallest_that_still_fails():
    def at_least_100_ms(met):
        late = met.get(("segment", "late"))
        return late is not None and late.amount >= 100_000_000

    shrunk, _ = shrink(fails_if(at_least_100_ms), script(LATE_REPLY))
    assert shrunk.script.sentences() == ["the 1st segment of server:80 -> client:1 comes 100ms late"]


def test_a_cut_moves_to_a_place_that_people_would_name():
    def second_half(met):
        return ("segment", "cut") in met and met["segment", "cut"].amount >= 6

    # 13 bytes, CR and LF at the end: 1 is too early, after 12 it fails otherwise, and 11 is before CR.
    given = script("the 1st segment of client:1 -> server:80 is cut after 9 bytes")
    shrunk, _ = shrink(fails_if(second_half), given)
    assert shrunk.script.sentences() == ["the 1st segment of client:1 -> server:80 is cut after 11 bytes"]


LINES = b"first\r\nsecond line\r\nthird\r\n"  # with line ends at 5 and 18


def cut_at(*places):
    """A program that fails if its segment of three lines is cut at one of these places, or in crumbs."""

    def program(net):
        three_lines_in_one_segment(net)
        met = net.script().deviations

        def guilty():
            assert not any(each.amount in places or each.outcome == "crumbles" for each in met)

        guilty()

    return program


class Reader(dispatcher):
    def handle_accepted(self, sock, addr):
        Reader(sock)

    def handle_read(self):
        self.recv(1024)


class Writer(Reader):
    def handle_connect(self):
        self.send(LINES)


def three_lines_in_one_segment(net):
    with net.host("server"):
        reader = Reader()
        reader.create_socket()
        reader.bind(("", 80))
        reader.listen(5)
    with net.host("client"):
        writer = Writer()
        writer.create_socket()
        writer.connect(("server", 80))
    net.run()


@pytest.mark.parametrize("begins", ["comes in crumbs", "is cut after 17 bytes"])
@pytest.mark.parametrize(
    ("place", "why"), [(7, "behind a line end"), (19, "between CR and LF"), (18, "before a line end")]
)
def test_of_cuts_the_one_at_a_line_end_is_preferred(begins, place, why):
    given = script(f"the 1st segment of client:1 -> server:80 {begins}")
    shrunk, _ = shrink(cut_at(place, 17, 11), given)
    assert [(each.outcome, each.amount) for each in shrunk.script.deviations] == [("cut", place)]


def test_crumbs_become_a_cut_that_nobody_would_name_rather_than_stay():
    given = script("the 1st segment of client:1 -> server:80 comes in crumbs")
    shrunk, _ = shrink(cut_at(9), given)
    assert shrunk.script.sentences() == ["the 1st segment of client:1 -> server:80 is cut after 9 bytes"]


def test_crumbs_that_no_one_cut_stands_for_stay_and_cost_a_bounded_number_of_runs():
    given = script("the 1st segment of client:1 -> server:80 comes in crumbs")
    shrunk, attempts = shrink(cut_at(), given)
    assert shrunk.script.sentences() == given.sentences()
    assert len(attempts.scripts) < 50


def test_a_milder_outcome_is_preferred_if_it_fails_in_the_same_way():
    given = script("the 1st segment of client:1 -> server:80 is lost")
    shrunk, _ = shrink(fails_if(lambda met: any(op == "segment" for op, _ in met)), given)
    assert shrunk.script.sentences() == ["the 1st segment of client:1 -> server:80 comes 1ms late"]


def test_an_earlier_operation_is_preferred_if_it_fails_in_the_same_way():
    given = script("the 3rd send of client:1 -> server:80 takes 12 bytes")
    shrunk, _ = shrink(one_recv_is_one_line_of_three, given, wanted="AssertionError in handle_read")
    assert shrunk.script.sentences() == ["the 1st send of client:1 -> server:80 takes 1 byte"]


def one_recv_is_one_line_of_three(net):
    one_recv_is_one_line(net, [b"hello world\r\n"] * 3)


def test_an_operation_more_is_left_out_and_what_comes_after_it_is_counted_anew():
    """Two sends that are tried again make the 1st send the 3rd, and each is needed then."""
    again = [f"the {nth} send of client:1 -> server:7000 is told to try again" for nth in ("1st", "2nd")]
    last = "send of client:1 -> server:7000 finds no room for 1ms"
    given = script(*again, "the 3rd send of client:1 -> server:7000 takes 61 bytes", f"the 4th {last}")
    shrunk, _ = shrink(crlf_cut.bad, given, wanted="AssertionError in run")
    assert shrunk.script.sentences() == [
        "the 1st send of client:1 -> server:7000 takes 61 bytes",
        f"the 2nd {last}",
    ]


def test_one_of_several_is_tried_alone_at_an_earlier_operation():
    """An order is a client's 1st or 2nd segment; three short sends make it the 5th, each of them needed."""
    short = [f"the {nth} send of client:2 -> server:7000 takes 1 byte" for nth in ("1st", "2nd", "3rd")]
    given = script(*short, "the 5th segment of client:2 -> server:7000 is reset")
    shrunk, attempts = shrink(reused_descriptor.bad, given, wanted="AssertionError in run")
    assert shrunk.script.sentences() == ["the 2nd segment of client:2 -> server:7000 is reset"]
    assert len(attempts.scripts) < 40


def test_an_alias_is_replaced_by_the_name_that_was_recorded():
    given = script("the 1st send of #1 client takes 100 bytes")
    shrunk, _ = shrink(short_sends_are_ignored, given, wanted="AssertionError in short_sends_are_ignored")
    assert shrunk.script.sentences() == ["the 1st send of client:1 -> server:9 takes 1 byte"]


def test_what_the_program_itself_lets_happen_does_not_enter_the_script():
    def program(net):
        net.host("server"), net.host("client")
        net.at("1ms").crash("server")
        short_sends_are_ignored(net)
        net.host("server").restart()
        raise LookupError

    given = script("the 1st send of client:1 -> server:9 takes 1 byte")
    shrunk, _ = shrink(program, given, "LookupError in program")
    assert shrunk.script == Script()


def test_a_happening_that_matters_is_kept_and_moved_to_a_round_time():
    def program(net):
        one_recv_is_one_line(net)
        assert not any(each.what == "partition" and each.at_ns > 1_000_000 for each in net.happened)

    given = script("at 1234567ns partition client from server", "at 5s heal", *NOISE[:3])
    shrunk, _ = shrink(program, given, "AssertionError in program")
    # 1 ms is too early, 1.234 ms is the next rounder time.
    assert shrunk.script.sentences() == ["at 1234us partition client from server"]


@pytest.mark.parametrize(
    ("given", "least"),
    [
        ("at 1s pause server for 9s", "at 1s pause server for 2s"),
        ("at 3s pause server for 20s", "at 3s pause server for 2s"),
        ("at 1s clog server and client to other for 60s", "at 1s clog server to other for 1ms"),
        (
            "at 1s flap server and other from client 9 times for 9s",
            "at 1s flap server from client 2 times for 1ms",
        ),
    ],
)
def test_a_happening_gets_shorter_and_rarer_and_befalls_fewer_hosts(given, least):
    def program(net):
        for name in ("server", "client", "other"):
            net.host(name)
        net.run()
        for each in net.happened:
            hosts = [name for group in each.groups for name in group]
            is_guilty = {
                "pause_for": each.amounts[-1:] > (1_000_000_000,),
                "clog": "server" in hosts,
                "flap": "server" in hosts and each.amounts[0] > 1,
            }
            assert not is_guilty[each.what]

    shrunk, _ = shrink(program, script(given), "AssertionError in program")
    assert shrunk.script.sentences() == [least]


def test_a_program_that_fails_on_the_calm_network_needs_no_deviation():
    def program(net):
        one_recv_is_one_line(net)
        raise KeyError("always")

    shrunk, attempts = shrink(program, script(*NOISE), wanted="KeyError in program")
    assert shrunk.script == Script()
    assert shrunk.each_needed
    assert len(attempts.scripts) <= 3


def test_a_script_that_does_not_fail_as_wanted_is_reported_as_diverged():
    with pytest.raises(Diverged) as raised:
        shrink(one_recv_is_one_line, script(LATE_REPLY), wanted="KeyError in handle_read")
    assert "'KeyError in handle_read'" in str(raised.value)
    assert "ended without an error" in str(raised.value)


def test_the_bounds_hold_and_nothing_unmeasured_is_claimed():
    for runs_max in range(1, 8):
        shrunk, attempts = shrink(fails_if(needs_both), script(*NOISE, LATE_REPLY), runs_max=runs_max)
        assert shrunk.runs == len(attempts.scripts) <= runs_max
        assert shrunk.outcome.fingerprint == "AssertionError in guilty"
        assert not shrunk.each_needed
        assert shrunk.without == ()


def test_no_time_still_means_one_run():
    shrunk, _ = shrink(fails_if(needs_both), script(*NOISE, LATE_REPLY), seconds_max=0)
    assert (shrunk.runs, shrunk.each_needed) == (1, False)


def test_what_was_rejected_once_is_not_run_again_but_the_nearest_to_be_looked_at():
    shrunk, attempts = shrink(fails_if(needs_both), script(*NOISE, LATE_REPLY))
    *rejected, last = attempts.rejected
    assert last == shrunk.nearest.outcome.network.script()
    assert len(rejected) > 2
    assert len(rejected) == len(set(rejected))


def test_the_search_takes_the_same_way_every_time():
    first, one = shrink(fails_if(needs_both), script(*NOISE, LATE_REPLY))
    second, other = shrink(fails_if(needs_both), script(*NOISE, LATE_REPLY))
    assert one.scripts == other.scripts
    assert first.script == second.script


def test_what_fails_otherwise_without_an_item_is_told():
    def program(net):
        one_recv_is_one_line(net, [b"x" * 9 + b"\r\n"])
        met = {each.op for each in net.script().deviations}
        if "recv" in met:
            raise (LookupError if "segment" in met else KeyError)

    given = script(LATE_REPLY, "the 1st recv of client:1 -> server:80 is told to try again")
    shrunk, _ = shrink(program, given, wanted="LookupError in program")
    assert shrunk.each_needed
    ended = dict(zip((each.op for each in shrunk.script.deviations), shrunk.without, strict=True))
    assert ended == {"recv": "", "segment": "KeyError in program"}


def test_progress_tells_of_each_better_script():
    lengths = []
    given = script(*NOISE, LATE_REPLY)
    shrink(fails_if(needs_both), given, on_progress=lambda best, runs: lengths.append(len(best)))
    assert lengths[-1] == 2
    assert lengths == sorted(lengths, reverse=True)
