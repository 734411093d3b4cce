"""What may befall a network: each kind is noticed by programs, has a sentence, and can be taken back."""

from __future__ import annotations

import errno
import inspect
import socket
from contextlib import suppress
from typing import Any

import pytest

from simnet import Deadlock, Network, Script, UsageError, dispatcher, parse
from simnet.happenings import FOR_A_TIME, HAPPENINGS
from simnet.loop import loop_for
from simnet.transport import HUP, IN, OUT, RDHUP
from simnet.virtual.clock import EPOCH_NS
from simnet.virtual.faults import Happenings

from .two_hosts import World, ms, read

SECOND_NS = 1_000_000_000


class Sink(dispatcher):
    """Keeps what it reads, with when."""

    def __init__(self, sock: Any) -> None:
        super().__init__(sock)
        self.came: list[tuple[float, bytes]] = []
        self.closed_at: float | None = None

    def handle_read(self) -> None:
        data = self.recv(65536)
        if data:
            self.came.append((self.socket._host.network.now, data))

    def handle_close(self) -> None:
        self.closed_at = self.socket._host.network.now
        self.close()


class Server(dispatcher):
    """Keeps what comes; one on each start of its host."""

    def __init__(self) -> None:
        super().__init__()
        self.channels: list[Sink] = []
        self.create_socket()
        self.set_reuse_addr()
        self.bind(("", 80))
        self.listen(5)

    def handle_accepted(self, sock: Any, addr: Any) -> None:
        self.channels.append(Sink(sock))


def hosts(*names: str, **arguments: Any) -> Network:
    net = Network(**arguments)
    for name in names:
        net.host(name)
    return net


def sentences(net: Network) -> list[str]:
    return [str(event[4]) for event in net.trace.events if str(event[4]).startswith("at ")]


# --- every kind ----------------------------------------------------------------------------------

CALLS: dict[str, Any] = {
    "partition": lambda at: at.partition("a", ["b", "c"]),
    "block": lambda at: at.block("a", "b"),
    "isolate": lambda at: at.isolate("a"),
    "heal": lambda at: at.heal(),
    "rejoin": lambda at: at.rejoin("a", "b"),
    "flap": lambda at: at.flap("a", "b", 3, "500ms"),
    "swizzle": lambda at: at.swizzle(["a", "b", "c"], "6s"),
    "clog": lambda at: at.clog("a", "b", "2s"),
    "delay": lambda at: at.delay("a", "b", "30ms"),
    "crash": lambda at: at.crash("a"),
    "kill": lambda at: at.kill("a"),
    "terminate": lambda at: at.terminate("a"),
    "interrupt": lambda at: at.interrupt("a"),
    "restart": lambda at: at.restart("c"),
    "pause": lambda at: at.pause("a"),
    "resume": lambda at: at.resume("b"),
    "forward": lambda at: at.set_forward("a", "1h"),
    "back": lambda at: at.set_back("a", "1h"),
    "hasten": lambda at: at.hasten("a", "1s"),
    "slow": lambda at: at.slow("a", "1s"),
    "limit": lambda at: at.limit("a", 10),
    "narrow": lambda at: at.narrow("a", 4096),
    "partition_for": lambda at: at.partition("a", ["b", "c"], "4s"),
    "block_for": lambda at: at.block("a", "b", "4s"),
    "isolate_for": lambda at: at.isolate("a", "4s"),
    "delay_for": lambda at: at.delay("a", "b", "30ms", "4s"),
    "crash_for": lambda at: at.crash("a", "4s"),
    "kill_for": lambda at: at.kill("a", "4s"),
    "terminate_for": lambda at: at.terminate("a", "4s"),
    "pause_for": lambda at: at.pause("a", "4s"),
    "limit_for": lambda at: at.limit("a", 10, "4s"),
    "narrow_for": lambda at: at.narrow("a", 4096, "4s"),
}
BRIEF = [kind for kind in CALLS if kind.endswith(FOR_A_TIME)]
LASTING = {
    "partition",
    "block",
    "isolate",
    "flap",
    "delay",
    "pause",
    "forward",
    "back",
    "hasten",
    "slow",
    "limit",
    "narrow",
    *BRIEF,
}


def ready() -> Network:
    """A network on which each kind can happen: c is down, b stands still."""
    net = hosts("a", "b", "c")
    net.crash("c")
    net.pause("b")
    return net


def test_each_kind_has_a_method_and_each_method_a_kind() -> None:
    methods = {name for name, _ in inspect.getmembers(Happenings, inspect.isfunction) if name[0] != "_"}
    assert len(methods - {"befall"}) == len(HAPPENINGS) - len(BRIEF)
    assert CALLS.keys() == HAPPENINGS.keys()


@pytest.mark.parametrize("kind", BRIEF)
def test_what_has_a_time_ends_after_it_by_itself(kind: str) -> None:
    net = ready()
    net.host("a").boot(lambda: None)
    CALLS[kind](net.at("1s"))
    net.run()
    assert net.now == 5
    assert [each.split()[2:4] for each in sentences(net)[-1:]] == [["no", "longer"]]
    assert net.path(net.host("a"), net.host("b")).is_open
    assert net.path(net.host("a"), net.host("b")).latency_ns == net.latency_ns
    assert net.host("a").runs
    assert not net.host("a").is_paused
    assert net.host("a").descriptors_max > 10


@pytest.mark.parametrize("kind", BRIEF)
def test_what_was_lifted_early_does_not_end_again(kind: str) -> None:
    net = ready()
    fault = CALLS[kind](net.at("1s"))
    net.run(until=2)
    fault.lift()
    CALLS[kind](net)
    net.run(until=5.5)
    assert len([each for each in sentences(net) if "no longer" in each]) == 1, "the second ends at 6 s"
    net.run()
    assert net.now == 6


def test_a_server_that_is_killed_for_a_time_refuses_until_it_runs_again() -> None:
    net = hosts("server", "client")
    servers: list[Server] = []
    net.host("server").boot(lambda: servers.append(Server()))
    net.at("1s").kill("server", "2s")
    found = []
    for moment in (2, 4):
        net.run(until=moment)
        found.append(net.host("client").modules.socket.socket().connect_ex(("server", 80)))
    assert found == [errno.ECONNREFUSED, 0]
    assert len(servers) == 2


@pytest.mark.parametrize("kind", CALLS)
def test_a_call_and_its_sentence_do_the_same(kind: str) -> None:
    called = ready()
    CALLS[kind](called.at("1s"))
    called.run()
    written = next(each for each in sentences(called) if each.startswith("at 1s "))
    scripted = Network(Script(happenings=[parse(written)]))
    for name in ("a", "b", "c"):
        scripted.host(name)
    scripted.crash("c")
    scripted.pause("b")
    scripted.run()
    assert scripted.trace.digest() == called.trace.digest()
    assert [str(each) for each in scripted.script().happenings] == [written]


@pytest.mark.parametrize("kind", CALLS)
def test_what_lasts_can_be_lifted_and_the_rest_says_that_it_cannot(kind: str) -> None:
    net = ready()
    fault = CALLS[kind](net)
    if kind in LASTING:
        fault.lift()
        fault.lift()
        assert sum("no longer" in each for each in sentences(net)) == 1
    else:
        with pytest.raises(UsageError, match=f"{kind} cannot be lifted"):
            fault.lift()


def test_a_fault_of_a_moment_to_come_can_be_called_off() -> None:
    net = hosts("a")
    fault = net.at("1s").crash("a")
    fault.lift()
    net.run()
    assert net.host("a").is_up


def test_a_fault_of_a_moment_to_come_can_be_lifted_after_it() -> None:
    net = hosts("a", "b")
    fault = net.at("1s").partition("a", "b")
    net.run()
    path = net.path(net.host("a"), net.host("b"))
    assert not path.is_open
    fault.lift()
    assert path.is_open


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda net: net.resume("a"), "does not stand still"),
        (lambda net: net.pause("b"), "stands still already"),
        (lambda net: net.pause("c"), "cannot pause the programs of host c: none runs"),
        (lambda net: net.restart("a"), "cannot restart host a: it is up"),
        (lambda net: net.crash("c"), "cannot crash host c: it is down"),
        (lambda net: net.kill("c"), "cannot kill the programs of host c: none runs"),
        (lambda net: net.clog("a", "a", "1s"), "host a is on both sides"),
        (lambda net: net.flap("a", "b", 0, "1s"), "a whole number from 1 on is wanted, not 0"),
        (lambda net: net.limit("a", True), "a whole number from 1 on is wanted, not True"),
        (lambda net: net.delay("a", "b", "-1s"), "'-1s' is no duration"),
    ],
)
def test_what_makes_no_sense_is_refused(ask: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        ask(ready())


# --- ways ----------------------------------------------------------------------------------------


def test_a_partition_ends_with_its_block_and_leaves_the_others() -> None:
    net = hosts("a", "b", "c")
    a, b, c = (net.host(name) for name in "abc")
    net.partition("a", "c")
    with net.partition("a", "b"):
        assert not net.path(a, b).is_open
    assert net.path(a, b).is_open
    assert not net.path(a, c).is_open


def test_two_partitions_of_one_way_end_one_by_one() -> None:
    net = hosts("a", "b")
    path = net.path(net.host("a"), net.host("b"))
    first, second = net.partition("a", "b"), net.block("a", "b")
    first.lift()
    assert not path.is_open
    second.lift()
    assert path.is_open


def test_what_was_healed_is_not_lifted_again() -> None:
    net = hosts("a", "b")
    path = net.path(net.host("a"), net.host("b"))
    fault = net.partition("a", "b")
    net.heal()
    net.partition("a", "b")
    fault.lift()
    assert not path.is_open, "the second partition stands"


def test_a_block_stops_one_direction() -> None:
    world = World()
    opener, accepted = world.pair()
    net = world.net
    began = net.now
    with net.block("client", "server"):
        accepted.send(b"hello")
        assert read(world, opener) == b"hello"
        opener.send(b"lost")
        net.run(until=began + 0.1)
        assert not world.mask(accepted) & IN
    assert read(world, accepted) == b"lost"


def test_an_isolated_host_reaches_nobody_and_the_others_reach_each_other() -> None:
    net = hosts("a", "b", "c")
    net.isolate("b")
    found = {(x, y): net.path(net.host(x), net.host(y)).is_open for x in "abc" for y in "abc" if x != y}
    assert {pair for pair, is_open in found.items() if is_open} == {("a", "c"), ("c", "a")}


def test_to_rejoin_two_groups_leaves_the_third_apart() -> None:
    net = hosts("a", "b", "c")
    net.partition("a", ["b", "c"])
    net.rejoin("a", "b")
    assert net.path(net.host("b"), net.host("a")).is_open
    assert not net.path(net.host("a"), net.host("c")).is_open


def test_a_flapping_way_is_closed_and_open_in_turn_and_open_in_the_end() -> None:
    net = hosts("a", "b")
    path = net.path(net.host("a"), net.host("b"))
    net.at("1s").flap("a", "b", 2, "1s")
    seen = []
    for moment in (0.5, 1.5, 2.5, 3.5, 4.5):
        net.run(until=moment)
        seen.append(path.is_open)
    assert seen == [True, False, True, False, True]


def test_what_is_clogged_comes_late_whole_and_in_order() -> None:
    world = World()
    opener, accepted = world.pair()
    began = world.net.now
    world.net.clog("client", "server", "2s")
    for part in (b"one", b"two"):
        opener.send(part)
        world.pass_time(0.5)
    accepted.send(b"back")
    assert read(world, opener) == b"back"
    assert world.net.now == pytest.approx(began + 1.02)
    assert read(world, accepted) == b"onetwo"
    assert world.net.now == pytest.approx(began + 2.02)


def test_a_swizzle_lets_go_of_everything_in_the_end() -> None:
    world = World()
    opener, accepted = world.pair()
    began = world.net.now
    world.net.swizzle(["client", "server"], "4s")
    world.pass_time(0.1)
    opener.send(b"hello")
    assert read(world, accepted) == b"hello"
    assert 2 <= world.net.now - began <= 4.1


def test_a_delay_is_added_until_it_is_lifted() -> None:
    world = World()
    opener, accepted = world.pair()

    def trip() -> float:
        began = world.net.now
        opener.send(b"x")
        read(world, accepted)
        return round(world.net.now - began, 6)

    with world.net.delay("client", "server", "30ms"):
        assert trip() == 0.05
    world.pass_time(0.05)  # until then something might be on its way, and is not overtaken
    assert trip() == 0.02


def test_a_link_that_is_changed_while_it_is_delayed_is_what_it_says_in_the_end() -> None:
    net = hosts("a", "b")
    path = net.path(net.host("a"), net.host("b"))
    with net.delay("a", "b", "30ms"):
        net.link("a", "b", latency="5ms")
        assert path.latency_ns == ms(35)
        first = net.delay("a", "b", "10ms")
    assert path.latency_ns == ms(15)
    first.lift()
    assert path.latency_ns == ms(5)


# --- hosts ---------------------------------------------------------------------------------------


def test_killed_programs_leave_a_kernel_that_tells_peers() -> None:
    world = World()
    opener, accepted = world.pair()
    opener.send(b"hello")
    read(world, accepted)
    world.net.kill("server")
    world.until(opener, RDHUP)
    assert opener.recv(1) == b"", "all was read: FIN"
    second = world.dial()
    world.until(second, OUT)
    assert second.getsockopt(1, 4) == errno.ECONNREFUSED


def test_killed_programs_that_had_not_read_reset() -> None:
    world = World()
    opener, accepted = world.pair()
    opener.send(b"hello")
    world.until(accepted, IN)
    world.net.kill("server")
    world.until(opener, HUP)
    with pytest.raises(ConnectionResetError):
        opener.recv(1)


def test_no_handler_of_a_killed_program_is_called_and_boot_runs_it_again() -> None:
    net = hosts("server", "client")
    servers: list[Server] = []
    net.host("server").boot(lambda: servers.append(Server()))
    with net.host("client"):
        client = Sink(None)
        client.create_socket()
        client.connect(("server", 80))
    net.run(until=1)
    (channel,) = servers[0].channels
    net.kill("server")
    net.run(until=2)
    assert client.closed_at == pytest.approx(1.001)
    assert channel.closed_at is None
    net.restart("server")
    assert len(servers) == 2


def test_what_a_killed_program_had_closes_nothing_of_the_next_one() -> None:
    world = World()
    old = world.listener()
    world.net.kill("server")
    world.net.restart("server")
    new = world.listener()
    assert new.fileno() == 3
    assert repr(old) == "<VirtualSocket fd=3 server closed>"
    del old  # as the cyclic garbage of a program does, at a moment that nobody knows
    opener = world.dial()
    world.until(new, IN)
    assert opener.getsockopt(1, 4) == 0


def test_a_paused_host_takes_what_comes_and_handles_it_when_it_goes_on() -> None:
    net = hosts("server", "client")
    with net.host("server"):
        server = Server()
    with net.host("client"):
        client = Sink(None)
        client.create_socket()
        client.connect(("server", 80))
    net.run(until=1)
    fired: list[float] = []
    with net.host("server"):
        loop_for(net.host("server")).call_later(0.5, lambda: fired.append(net.now))
    with net.pause("server"):
        client.send(b"hello")
        net.run(until=3)
        assert server.channels[0].came == []
        assert fired == []
    net.run()
    assert server.channels[0].came == [(3.0, b"hello")]
    assert fired == [3.0]


def test_a_pause_at_the_moment_of_an_event_comes_before_its_handler() -> None:
    net = hosts("server", "client")
    with net.host("server"):
        server = Server()
    with net.host("client"):
        client = Sink(None)
        client.create_socket()
        client.connect(("server", 80))
    net.run(until=1)
    client.send(b"hello")
    net.at(1.0005).pause("server")
    net.at(2).resume("server")
    net.run()
    assert server.channels[0].came == [(2.0, b"hello")]


def test_a_call_that_waits_stands_still_with_its_host() -> None:
    net = hosts("a", "b")
    with net.host("a").socket() as opener, net.host("b").socket() as listener:
        listener.bind(("", 80))
        listener.listen(1)
        opener.connect(("b", 80))
        accepted, _ = listener.accept()
        net.at(1).pause("a")
        net.at(2).call(accepted.send, b"hello")
        net.at(5).resume("a")
        assert (opener.recv(9), net.now) == (b"hello", 5.0)
        net.at(6).pause("a")
        net.at(9).resume("a")
        net.host("a").modules.time.sleep(2)
        assert net.now == 9.0
        net.at(10).pause("a")
        with pytest.raises(Deadlock):
            net.host("a").modules.time.sleep(3)
        accepted.close()


def test_a_crash_ends_a_pause() -> None:
    net = hosts("a")
    fault = net.pause("a")
    net.crash("a")
    net.restart("a")
    assert not net.host("a").is_paused
    fault.lift()


def test_to_lift_a_pause_that_is_over_leaves_a_later_one() -> None:
    net = hosts("a")
    first = net.pause("a")
    net.resume("a")
    second = net.pause("a")
    first.lift()
    assert net.host("a").is_paused
    second.lift()
    assert not net.host("a").is_paused


class Dozer(Sink):
    """Leaves alone what comes, but for half a second."""

    def handle_read(self) -> None:
        if not self.came:
            self.came.append((0, b""))
            self.call_later(0.5, super().handle_read)


def test_who_stands_still_does_not_spin() -> None:
    world = World()
    opener, accepted = world.pair()
    with world.server:
        dozer = Dozer(accepted)
    opener.send(b"hello")
    world.pass_time(0.2)
    world.net.pause("server")
    world.pass_time(3)
    world.net.resume("server")
    world.net.run()
    assert [data for _, data in dozer.came] == [b"", b"hello"]


def test_a_wall_clock_jumps_and_the_monotonic_one_does_not() -> None:
    net = hosts("a", "b")
    clock = net.host("a").clock
    net.at("1s").set_forward("a", "1h")
    net.at("2s").set_back("a", "2h")
    net.run(until=1.5)
    assert (clock.monotonic_ns(), clock.time_ns()) == (ms(1500), EPOCH_NS + ms(1500) + 3600 * SECOND_NS)
    net.run(until=3)
    assert clock.time_ns() == EPOCH_NS + ms(3000) - 3600 * SECOND_NS
    assert net.host("b").clock.time_ns() == EPOCH_NS + ms(3000)
    assert net.host("a").modules.time.time() == EPOCH_NS / SECOND_NS + 3 - 3600


def test_a_clock_that_drifts_gains_or_loses_by_the_day() -> None:
    net = hosts("a")
    clock = net.host("a").clock
    fault = net.hasten("a", "24s")
    net.run(until="1h")
    assert clock.time_ns() == EPOCH_NS + 3601 * SECOND_NS
    fault.lift()
    net.run(until="2h")
    assert clock.time_ns() == EPOCH_NS + 7201 * SECOND_NS
    net.slow("a", "24s")
    net.run(until="3h")
    assert clock.time_ns() == EPOCH_NS + 3 * 3600 * SECOND_NS


def test_a_limit_of_descriptors_is_felt_until_it_is_lifted() -> None:
    net = hosts("a")
    host = net.host("a")
    with net.limit("a", 4):
        kept = host.socket()
        with pytest.raises(OSError) as caught:
            host.socket()
        assert caught.value.errno == errno.EMFILE
    kept.close()
    assert [host.socket().close() for _ in range(3)] == [None] * 3


def connected(net: Network, opener: str, listener: str) -> tuple[Any, Any]:
    """The sockets of a connection, non-blocking: of who opened it, and of who accepted it."""
    with net.host(listener) as host:
        listening = host.socket()
        listening.bind(("", 80))
        listening.listen()
    client = net.host(opener).socket()
    client.setblocking(False)
    client.connect_ex((listener, 80))
    net.run(until=net.now + 0.01)
    served, _ = listening.accept()
    served.setblocking(False)
    return client, served


def taken_in_all(end: Any) -> int:
    """How many bytes a socket takes until it says EAGAIN."""
    taken = 0
    with suppress(BlockingIOError):
        while True:
            taken += end.send(bytes(1000))
    return taken


@pytest.mark.parametrize("when", ["before", "while it stands"])
def test_between_two_programs_fits_what_the_buffers_hold_that_are_left_wide(when: str) -> None:
    net = hosts("a", "b")
    if when == "before":
        net.narrow("a", 4096)
    client, served = connected(net, "a", "b")
    if when != "before":
        net.narrow("a", 4096)
    # One buffer of a and one of b, which has 64 KiB, each way.
    assert [taken_in_all(each) for each in (client, served)] == [4096 + 65_536] * 2


def test_narrow_buffers_are_wide_again_when_it_is_lifted() -> None:
    net = hosts("a", "b")
    narrow = net.narrow("a", 4096)
    client, _ = connected(net, "a", "b")
    taken_in_all(client)
    assert client.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) == 8192  # twice, as ever
    narrow.lift()
    assert taken_in_all(client) == 65_536 - 4096
    assert client.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) == 16_384


@pytest.mark.parametrize("narrowed", ["a", "b"])
def test_who_waits_for_room_goes_on_when_the_buffers_get_wide(narrowed: str) -> None:
    net = hosts("a", "b")
    client, _ = connected(net, "a", "b")
    narrow = net.narrow(narrowed, 1200)
    taken_in_all(client)
    net.run(until=net.now + 1)
    select = net.host("a").modules.select.select
    assert select([], [client], [], 0) == ([], [], [])
    narrow.lift()
    net.run(until=net.now + 0.01)
    assert select([], [client], [], 0) == ([], [client], [])


def test_a_buffer_that_a_program_has_set_is_not_narrowed_and_none_gets_smaller_than_linux_makes_it() -> None:
    net = hosts("a", "b")
    client, served = connected(net, "a", "b")
    client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 20_000)
    net.narrow("a", 1)
    assert [taken_in_all(each) for each in (client, served)] == [20_000 + 65_536, 1152 + 65_536]


def test_what_a_buffer_holds_when_it_is_narrowed_arrives() -> None:
    net = hosts("a", "b")
    client, served = connected(net, "a", "b")
    client.send(bytes(60_000))
    net.narrow("b", 4096)
    received = 0
    for _ in range(100):
        net.run(until=net.now + 1)
        with suppress(BlockingIOError):
            received += len(served.recv(1000))
    assert received == 60_000


@pytest.mark.parametrize(
    ("order", "limits"), [((0, 1, 2), [5, 5, 1024]), ((2, 0, 1), [7, 7, 1024]), ((1, 2, 0), [5, 9, 1024])]
)
def test_limits_that_are_lifted_in_any_order_leave_nothing_behind(
    order: tuple[int, ...], limits: list[int]
) -> None:
    net = hosts("a", "b")
    faults = [net.limit("a", count) for count in (9, 7, 5)]
    net.limit("b", 20)
    found = []
    for place in order:
        faults[place].lift()
        found.append(net.host("a").descriptors_max)
    assert found == limits
    assert net.host("b").descriptors_max == 20


# --- the weather clears up -----------------------------------------------------------------------


def test_whatever_ends_by_itself_ends_when_the_weather_clears_up() -> None:
    net = hosts("a", "b", "c")
    booted: list[float] = []
    net.host("a").boot(lambda: booted.append(net.now))
    path = net.path(net.host("b"), net.host("c"))
    net.at("1s").kill("a", "1h")
    net.at("1s").flap("b", "c", 5, "1h")
    net.at("1s").clog("c", "b", "1h")
    net.at("1s").delay("b", "c", "30ms", "1h")
    net.run(until=2)
    net.clear_up()
    assert booted == [0.0, 2.0]
    assert path.is_open
    assert path.latency_ns == net.latency_ns
    net.run(until="3h")
    assert path.is_open, "it does not flap any more"
    assert booted == [0.0, 2.0]


def test_a_way_that_was_clogged_is_free_when_the_weather_clears_up() -> None:
    world = World()
    opener, accepted = world.pair()
    world.net.clog("client", "server", "1h")
    world.net.clear_up()
    began = world.net.now
    opener.send(b"x")
    assert read(world, accepted) == b"x"
    assert world.net.now == pytest.approx(began + 0.02)
