"""A replay repeats its record event by event, or says at which event it left it."""

import os

import attrs
import pytest

from simnet import Network, dispatcher_with_send
from simnet.errors import Diverged
from simnet.scenario import Outcome, Scenario, execute, make_network, record_of, replay
from simnet.scenario.replay import LOG_LINES, compare, log_of
from simnet.trace import Kind, Trace

HERE = f"{__file__}::"


class Talker(dispatcher_with_send):
    def __init__(self, data):
        super().__init__()
        self.create_socket()
        self.connect(("server", 7))
        self.data = data

    def handle_connect(self):
        self.send(self.data)

    def handle_read(self):
        self.recv(1024)


def talk(net: Network) -> None:
    server = net.host("server")
    with server:
        listener = dispatcher_with_send()
        listener.create_socket()
        listener.bind(("", 7))
        listener.listen(5)
        listener.handle_accepted = lambda sock, address: None
    with net.host("client"):
        Talker(os.environ.get("MESSAGE", "hello").encode())  # so that a test can make it diverge
    net.run()


def recorded():
    scenario = Scenario("t", call=f"{HERE}talk")
    return attrs.evolve(scenario, record=record_of(execute(talk, make_network(scenario))))


def test_a_replay_of_an_unchanged_program_repeats_its_record():
    scenario = recorded()
    assert replay(scenario).digest == scenario.record.digest


def test_the_environment_is_recorded_and_not_compared():
    scenario = recorded()
    assert scenario.record.python.startswith("3.")
    replay(attrs.evolve(scenario, record=attrs.evolve(scenario.record, python="2.7", simnet="99")))


def test_a_scenario_without_a_record_is_only_run():
    assert replay(Scenario("t", call=f"{HERE}talk")).as_expected


def test_a_replay_that_diverges_says_at_which_event_and_how(monkeypatch):
    scenario = recorded()
    monkeypatch.setenv("MESSAGE", "hallo")
    with pytest.raises(Diverged) as caught:
        replay(scenario)
    head, expected, got_mark, got = str(caught.value).split("\n")
    number = next(n for n, line in enumerate(scenario.record.log, 1) if "send 5" in line)
    assert head == f"t: diverged at event {number}: expected"
    assert expected == "  0.002 client:1 -> server:7 send 5 b'hello'"
    assert (got_mark, got) == ("got", "  0.002 client:1 -> server:7 send 5 b'hallo'")


def run_of(count, changed=None, data=b"x" * 99):
    """A run with so many events, made by hand; event number `changed` is another."""
    network = Network()
    network.trace = Trace()
    for number in range(count):
        if number == 0:
            network.trace.name(0, "a")
        else:
            event = (number, int(Kind.SEND), 0, number, data)
            other = (number, int(Kind.RECV), 0, 0, None)
            network.trace.events.append(other if number + 1 == changed else event)
    return Outcome(network, None)


def divergence(record, outcome):
    with pytest.raises(Diverged) as caught:
        compare(Scenario("t", call="m:f", record=record), outcome)
    return str(caught.value).removeprefix("t: diverged ")


@pytest.mark.parametrize("changed", range(2, 11))
def test_the_first_event_that_differs_is_found_wherever_it_is(changed):
    found = divergence(record_of(run_of(10)), run_of(10, changed))
    assert found.startswith(f"at event {changed}: expected\n  ")
    assert f"got\n  0.000000{changed - 1:03d} a recv 0" in found


def test_a_run_that_ends_too_early_or_too_late_is_told():
    ten, twelve = run_of(10), run_of(12)
    assert divergence(record_of(twelve), ten).startswith("at event 11: expected\n  0.00000001 a send")
    assert divergence(record_of(twelve), ten).endswith("got\n  the end of the run")
    assert divergence(record_of(ten), twelve).startswith("at event 11: expected the end of the run, got\n")


def test_bytes_that_are_not_shown_make_a_difference():
    found = divergence(record_of(run_of(3)), run_of(3, data=b"x" * 98 + b"y"))
    assert found.startswith("at event 2")
    assert found.endswith("with other bytes, which are not shown")


def test_a_long_run_has_a_short_log_that_narrows_the_place_down():
    events = 10 * LOG_LINES + 5
    record = record_of(run_of(events))
    assert len(record.log) <= LOG_LINES
    assert record.events == events
    stride = 11  # ceil(1005 / 100)
    found = divergence(record, run_of(events, changed=500))
    first = 499 // stride * stride + 1
    assert found.startswith(f"between event {first} and event {first + stride - 1}: expected event")
    assert len(found.split("\n")) == 3 + stride


def test_the_last_line_of_a_log_carries_the_digest_of_the_run():
    for events in (1, 2, LOG_LINES, LOG_LINES + 1, 3 * LOG_LINES):
        outcome = run_of(events)
        record = record_of(outcome)
        assert log_of(outcome.network.trace)[-1].check == record.digest[:8]
        compare(Scenario("t", call="m:f", record=record), outcome)


def test_without_a_log_the_digest_is_still_compared():
    record = attrs.evolve(record_of(run_of(10)), log=())
    found = divergence(record, run_of(11))
    assert found.startswith(f"somewhere: expected 10 events, digest {record.digest}, got 11 events, ")


def test_a_log_that_was_tampered_with_is_found_out():
    record = attrs.evolve(record_of(run_of(10)), digest="0" * 32)
    assert "does not belong to its digest" in divergence(record, run_of(10))
