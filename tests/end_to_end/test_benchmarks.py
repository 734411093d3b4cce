"""The benchmarks measure what they say: every contestant moves every message, and ratios are of one round."""

from __future__ import annotations

import pytest

from benchmarks import blocking, five_clients, peers, searches, streams
from benchmarks.__main__ import main, table
from benchmarks.measure import Row, compare
from benchmarks.virtual import on_simnet
from simnet import Network, Script, parse

pytestmark = pytest.mark.once


@pytest.mark.parametrize("connections", [1, 3])
def test_every_message_comes_back_on_both_networks(connections):
    on_simnet(connections, 4, b"ping", trace=True)
    peers.over_loopback(connections, 4, b"ping")


@pytest.mark.skipif(peers.why_no_simloop() is not None, reason=peers.why_no_simloop() or "")
def test_every_message_comes_back_on_simloop():
    peers.on_simloop(3, 4, b"ping")


@pytest.mark.parametrize("connections", [1, 3])
@pytest.mark.parametrize(
    "place", [streams.between_hosts, streams.within_a_process, streams.over_loopback, streams.between_threads]
)
def test_every_message_comes_back_by_streams(place, connections):
    place(streams.serve, streams.talk, connections, 4)


@pytest.mark.skipif(streams.why_no_aiohttp() is not None, reason=streams.why_no_aiohttp() or "")
@pytest.mark.parametrize("place", [streams.between_hosts, streams.within_a_process, streams.over_loopback])
def test_every_request_is_answered_by_aiohttp(place):
    place(streams.serve_http, streams.talk_http, 1, 4)


@pytest.mark.parametrize("place", [blocking.between_hosts, blocking.within_a_process, blocking.over_loopback])
def test_every_message_comes_back_to_blocking_code(place):
    place(4, b"ping")


@pytest.mark.parametrize("switches", [blocking.between_processes, blocking.between_threads])
def test_the_benchmark_of_switches_lets_each_go_on(switches, monkeypatch):
    times = []
    monkeypatch.setattr(blocking, "yield_often", times.append)
    switches(10)
    assert times == [5, 5]


def test_the_test_of_the_searches_passes_on_both_networks():
    assert five_clients.converse(Network()) == five_clients.converse_over_loopback() == 5 * 20
    assert five_clients.converse_over_nothing() == 5 * 20


def test_a_client_that_waits_for_ever_fails_the_test_of_the_searches():
    with pytest.raises(AssertionError, match="a client still waits"):
        five_clients.converse(
            Network(Script.of([parse("1st segment of client:1 -> server:7 is the last that arrives")]))
        )


def test_the_sample_of_a_sweep_is_spread_over_all_its_runs_and_can_begin_again():
    spread = searches.Spread(400)
    drawn = [[spread.next().script for _ in range(400)], spread.next()]
    operations = {script.deviations[0].op for script in drawn[0]}
    assert drawn[1] is None
    assert {"send", "recv", "segment"} <= operations
    assert spread.rewind().next().script == drawn[0][0]


def test_contestants_take_turns_and_the_warm_up_is_not_counted():
    turns = []
    contestants = {name: lambda name=name: turns.append(name) for name in ("ours", "theirs")}
    rows = compare("nothing", contestants, 1, 2, lambda text: None)
    assert turns == ["ours", "theirs"] * 3
    assert [len(row.seconds) for row in rows] == [2, 2]


def test_a_ratio_is_taken_within_a_round():
    row = Row("echo", "theirs", (2.0, 9.0, 4.0), (1.0, 1.0, 2.0), operations=8, ratios=(2.0, 3.0, 2.0))
    assert (row.per_second, row.microseconds, row.cpu_microseconds) == (2.0, 500_000.0, 125_000.0)
    assert table([row])[-1].split()[-3:] == ["2.00x", "2.00x", "3.00x"]


def test_an_unknown_workload_is_one_clear_line(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["nonsense"])
    assert ended.value.code == 2
    assert (
        "no workload is called 'nonsense'; there are echo, worlds, searches, examples"
        in capsys.readouterr().err
    )
