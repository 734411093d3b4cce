"""A network lets time pass, says when nothing can happen any more, and does what a test asks of it."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from simnet import Deadlock, Happening, Livelock, Network, Script, UsageError, dispatcher, parse
from simnet.loop import loop_for
from simnet.trace import Kind
from simnet.virtual.clock import EPOCH_NS

from .two_hosts import CAPACITY, ms


class Channel(dispatcher):
    """Writes down what it reads; sends what it was given as soon as it can."""

    def __init__(self, sock: Any = None, outgoing: bytes = b"") -> None:
        super().__init__(sock)
        self.received, self.outgoing, self.closed = b"", outgoing, False

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return bool(self.outgoing) or not self.connected

    def handle_read(self) -> None:
        self.received += self.recv(65536)

    def handle_write(self) -> None:
        self.outgoing = self.outgoing[self.send(self.outgoing) :]

    def handle_close(self) -> None:
        self.closed = True
        self.close()


class Server(dispatcher):
    def __init__(self, channel: Any = Channel, **arguments: Any) -> None:
        super().__init__()
        self.channel, self.arguments, self.channels = channel, arguments, []
        self.create_socket()
        self.bind(("", 80))
        self.listen(5)

    def handle_accepted(self, sock: Any, addr: Any) -> None:
        self.channels.append(self.channel(sock, **self.arguments))


class Stubborn(Channel):
    """Never reads."""

    def readable(self) -> bool:
        return False


def conversation(net: Network, channel: Any = Channel, outgoing: bytes = b"hello") -> tuple[Any, Any]:
    """A client that says something to a server; the server, the client."""
    with net.host("server"):
        server = Server(channel)
    with net.host("client"):
        client = channel(outgoing=outgoing)
        client.create_socket()
        client.connect(("server", 80))
    return server, client


# --- letting time pass ---------------------------------------------------------------------------


def test_run_ends_when_nothing_can_happen_any_more() -> None:
    """SYN, SYN+ACK, data: 3 x 1 ms."""
    net = Network()
    server, _ = conversation(net)
    net.run()
    assert server.channels[0].received == b"hello"
    assert net.now_ns == ms(3)
    net.run()
    assert net.now_ns == ms(3)


@pytest.mark.parametrize("until", [2.5, "2.5s", "2500ms"])
def test_run_until_a_time_ends_at_that_time_whatever_happens(until: Any) -> None:
    net = Network()
    conversation(net)
    net.run(until=until)
    assert net.now_ns == ms(2500)
    net.run(until="1s")
    assert net.now_ns == ms(2500)


@pytest.fixture
def _an_eager_collector() -> Iterator[None]:
    before = gc.get_threshold()
    gc.set_threshold(1, 1, 1)
    yield
    gc.set_threshold(*before)


@pytest.mark.usefixtures("_an_eager_collector")
def test_what_the_collector_closes_after_a_run_is_closed_at_its_end() -> None:
    """It comes before `run` has returned.  The FIN was one of the last moment then, and not one of 1 s."""
    network = Network()
    server, client = network.host("server"), network.host("client")
    listening = server.modules.socket.create_server(("", 7))
    socks = [client.modules.socket.create_connection(("server", 7))]

    def drop() -> None:
        cycle: list[Any] = [socks.pop()]
        cycle.append(cycle)

    with client:
        loop_for(client).call_later(0.002, drop)
    network.run(until=1)
    network.run()
    assert network.now >= 1
    assert client.descriptors.items() == []
    listening.close()


def test_run_until_a_time_leaves_what_is_later() -> None:
    net = Network()
    server, _ = conversation(net)
    net.run(until="2.999999ms")
    assert server.channels == []
    net.run(until="3ms")
    assert server.channels[0].received == b"hello"


def test_run_until_something_is_true_ends_at_that_moment() -> None:
    net = Network()
    server, _ = conversation(net)
    net.run(until=lambda: server.channels)
    assert net.now_ns == ms(3)


def test_what_never_becomes_true_is_a_deadlock_that_shows_every_socket() -> None:
    net = Network()
    server, _ = conversation(net)

    def answered() -> bool:
        return False

    with pytest.raises(Deadlock) as caught:
        net.run(until=answered)
    text = str(caught.value)
    assert "nothing can happen any more" in text
    assert "answered" in text
    assert "test_network.py" in text
    for part in ("server:80 -> client:1", "client:1 -> server:80", "LISTEN", "ESTABLISHED", "Channel"):
        assert part in text
    assert server.channels


def test_step_by_step_is_run() -> None:
    def run(steps: bool) -> tuple[str, int]:
        net = Network()
        conversation(net)
        if steps:
            while net.step():
                pass
        else:
            net.run()
        return net.trace.digest(), net.now_ns

    assert run(steps=True) == run(steps=False)


def test_a_step_goes_to_the_next_moment_at_which_something_arrives() -> None:
    net = Network()
    conversation(net)
    times = [net.now_ns] + [net.now_ns for _ in iter(net.step, False)]
    assert times == [ms(0), ms(1), ms(2), ms(3)]


def test_two_that_only_write_are_a_deadlock() -> None:
    """Both buffers of both directions are full and nobody reads."""
    net = Network()
    conversation(net, Stubborn, bytes(CAPACITY + 1))
    with pytest.raises(Deadlock, match=r"client: .* waits for room that will never come") as caught:
        net.run()
    assert "(waits for room)" in str(caught.value)


def test_a_channel_that_is_readable_and_never_read_is_a_livelock() -> None:
    """On a real machine its loop would spin."""

    class Deaf(dispatcher):
        def handle_read(self) -> None:
            pass

        def handle_write(self) -> None:
            pass

    net = Network()
    with net.host("server"):
        server = Server(Deaf)
    with net.host("client"):
        client = Channel(outgoing=b"anybody there?")
        client.create_socket()
        client.connect(("server", 80))
    assert server.channels == []
    with pytest.raises(Livelock, match=r"server: Deaf.* is readable and is never read"):
        net.run()


def test_the_error_of_a_handler_ends_the_run_and_reaches_the_test() -> None:
    class Broken(Channel):
        def handle_read(self) -> None:
            raise LookupError("no such message")

    net = Network()
    conversation(net, Broken)
    with pytest.raises(LookupError, match="no such message"):
        net.run()
    assert net.now_ns == ms(3)


# --- timers and clocks ---------------------------------------------------------------------------


def test_timers_of_all_hosts_are_called_in_order_of_time() -> None:
    net, called = Network(), list[tuple[str, int]]()
    for name, delays in (("a", ("30ms", "10ms")), ("b", ("20ms", "10ms"))):
        loop = loop_for(net.host(name))
        for delay in delays:
            loop.call_later(delay, lambda name=name: called.append((name, net.now_ns)))
    net.run()
    assert called == [("a", ms(10)), ("b", ms(10)), ("b", ms(20)), ("a", ms(30))]


def test_a_cancelled_timer_does_not_move_the_clock() -> None:
    net, called = Network(), list[int]()
    loop = loop_for(net.host("a"))
    loop.call_later(5, called.append, 1).cancel()
    loop.call_later(1, called.append, 2)
    late = loop.call_later(9, called.append, 3)
    net.at("2s").call(late.cancel)
    net.run()
    assert called == [2]
    assert net.now == 2.0


def test_a_timer_runs_with_its_host_as_the_current_transport() -> None:
    from simnet import current

    net, found = Network(), list[Any]()
    loop_for(net.host("a")).call_later(1, lambda: found.append(current()))
    net.run()
    assert found == [net.host("a")]


def test_the_clocks_of_a_host_are_virtual() -> None:
    net = Network()
    clock = net.host("a").clock
    assert (clock.monotonic_ns(), clock.time_ns()) == (0, EPOCH_NS)
    net.run(until=1.5)
    assert (clock.monotonic_ns(), clock.time_ns()) == (ms(1500), EPOCH_NS + ms(1500))


def test_a_loop_that_would_spin_for_a_second_is_told_although_something_ends_it() -> None:
    """A real one would have used a processor for all of that time."""

    class Dead(Channel):
        def handle_read(self) -> None:
            """Leaves it as it is, and has it closed later."""

    def run(after: str) -> None:
        net = Network()
        with net.host("server"):
            server = Server(Dead)
        with net.host("client"):
            client = Channel(outgoing=b"hello")
            client.create_socket()
            client.connect(("server", 80))
        net.run(until="5ms")
        (channel,) = server.channels
        channel.call_later(after, channel.close)
        net.run()

    run("500ms")
    with pytest.raises(Livelock, match=r"server: Dead has been readable since t=0.003, and is not read"):
        run("2s")


def test_a_program_without_an_end_is_told() -> None:
    net = Network()
    net.moments_max = 1000
    host = net.host("a")

    def again() -> None:
        loop_for(host).call_later("1h", again)

    again()
    told = r"no end: 1,\d+ moments have passed until t=.*\n.*are a: .*<locals>.again\n.*moments_max"
    with pytest.raises(Livelock, match=told):
        net.run()
    net.run(until=net.now + 3600 * 5000)
    net.moments_max = 2 * net.moments_max
    with pytest.raises(Livelock, match=r"no end: 2,\d+ moments"):
        net.run(until=lambda: False)


# --- what befalls a network ----------------------------------------------------------------------


def test_a_moment_can_be_given_anything_to_do() -> None:
    net, called = Network(), list[Any]()
    net.at("2s").call(lambda *args: called.append((net.now, *args)), "x", 1)
    net.at(1).call(lambda: called.append(net.now))
    net.run()
    assert called == [1.0, (2.0, "x", 1)]


def happenings(net: Network) -> list[Any]:
    return [event[4] for event in net.trace.events if event[1] == Kind.HAPPEN]


def test_happenings_come_at_their_times_and_are_written_down() -> None:
    net = Network()
    for name in ("a", "b"):
        net.host(name)
    net.at("1s").partition({"b"}, {"a"})
    net.at("2s").heal()
    net.at("3s").crash("a")
    net.at("4s").restart("a")
    net.run()
    assert happenings(net) == ["at 1s partition b from a", "at 2s heal", "at 3s crash a", "at 4s restart a"]
    assert net.script() == Script(), "a replay runs the program, which does all this again"


def test_a_script_brings_its_happenings() -> None:
    script = Script(happenings=[parse("at 1s crash a"), parse("at 2s restart a")])
    net = Network(script)
    host = net.host("a")
    net.run(until=1.5)
    assert not host.is_up
    net.run()
    assert host.is_up
    assert net.script().happenings == (
        Happening(ms(1000), "crash", (("a",),)),
        Happening(ms(2000), "restart", (("a",),)),
    )


@pytest.mark.parametrize("order", [("a", "b", "c"), ("c", "b", "a")])
def test_the_sides_of_a_partition_are_named_in_a_fixed_order(order: tuple[str, ...]) -> None:
    """Sets have none of their own."""
    net = Network()
    for name in order:
        net.host(name)
    net.partition(set(order[:2]), [order[2]])
    assert happenings(net) == [f"at 0s partition {' and '.join(sorted(order[:2]))} from {order[2]}"]


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda net: net.link("a", "nobody"), "no host is called 'nobody'; there are a, b"),
        (lambda net: net.partition("a", "nobody"), "no host is called 'nobody'"),
        (lambda net: net.partition("a", []), "a side of a partition is host names"),
        (lambda net: net.at("-1s"), "'-1s' is no duration"),
        (lambda net: net.on("a", "sned"), "no operation 'sned'; there are connect, accept, send"),
        (lambda net: net.on("a", "send", nth=0).take(1), "nth counts from 1, not 0"),
        (
            lambda net: net.on("a", "recv").take(1),
            "a recv cannot be 'takes'; it has the outcomes again, fails, reset",
        ),
        (lambda net: net.on("a", "send").lose(), "a send cannot be 'lost'"),
        (lambda net: net.on("a", "accept").refuse(), "a accept cannot be 'refused'"),
        (lambda net: net.host("no such name"), "a host name has letters"),
        (lambda net: net.link("a", "b", latency="fast"), "'fast' is no duration"),
        (lambda net: net.link("a", "b", bandwidth="fast"), "'fast' is no rate"),
        (lambda net: net.link("a", "b", capacity="much"), "'much' is no size"),
    ],
)
def test_what_cannot_mean_anything_is_refused(ask: Any, message: str) -> None:
    net = Network()
    net.host("a"), net.host("b")
    with pytest.raises(UsageError) as caught:
        ask(net)
    assert message in str(caught.value)


def test_a_moment_that_has_passed_cannot_be_named() -> None:
    net = Network()
    net.run(until=2)
    with pytest.raises(UsageError, match="has passed"):
        net.at(1)


# --- choices ----------------------------------------------------------------------------------------


def test_the_same_seed_is_the_same_run_and_another_is_another() -> None:
    def run(seed: int) -> str:
        net = Network(seed=seed)
        net.host("server"), net.host("client")
        net.link("client", "server", jitter="5ms")
        conversation(net, outgoing=bytes(1000))
        with suppress(OSError):
            net.run(until=100)
        return net.trace.digest()

    digests = [run(seed) for seed in range(20)]
    assert digests == [run(seed) for seed in range(20)]
    assert len(set(digests)) > 10


def test_without_a_trace_there_are_no_events() -> None:
    net = Network(trace=False)
    server, _ = conversation(net)
    net.run()
    assert server.channels[0].received == b"hello"
    assert [event for event in net.trace.events if event[1] != Kind.NAME] == []
