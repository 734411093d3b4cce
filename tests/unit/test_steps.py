"""Between the answer of poll and what a program does about it: what changes meanwhile, and what does not."""

from __future__ import annotations

import errno
import socket as std
import struct
from contextlib import suppress
from typing import Any

import pytest

from simnet import Deadlock, Network, Script, asyncore, dispatcher, parse
from simnet.fuzz.campaign import search
from simnet.fuzz.searches import mixed
from simnet.loop import ExitNow, loop
from simnet.outcomes import BEFALLS, EVERY, GENTLE
from simnet.transport import HUP, IN, RDHUP
from simnet.virtual.faults import On

from .two_hosts import World, ms


def scripted(*sentences: str, latency: str = "1ms") -> World:
    return World(latency, net=Network(Script.of(parse(sentence) for sentence in sentences)))


class Reader(dispatcher):
    """Notes what it reads, and when.  Nobody asks it whether it wants to: its class says so once."""

    def __init__(self, sock: Any, told: list[Any], name: str = "", map: dict[int, Any] | None = None) -> None:
        super().__init__(sock, map)
        self.told, self.name, self.asked, self.calls = told, name, 0, 0

    def now_ms(self) -> float:
        return self._transport.clock.monotonic_ns() / 1_000_000

    def handle_read(self) -> None:
        self.calls += 1
        data = self.recv(100)
        if data:
            self.told.append((self.name + data.decode(), self.now_ms()))

    def handle_close(self) -> None:
        self.told.append((self.name + "end", self.now_ms()))
        self.close()


class Asked(Reader):
    """Is asked in every pass, and how often that is."""

    def readable(self) -> bool:
        self.asked += 1
        return True

    def writable(self) -> bool:
        return False


def reader(*sentences: str, kind: type[Reader] = Reader) -> tuple[World, Any, list[Any], Reader]:
    """A world, the peer of a channel that reads on the server, what that is told, and the channel.

    The connection stands at 3 ms, and what the peer sends then is there at 4 ms.
    """
    world = scripted(*sentences)
    opener, accepted = world.pair()
    assert world.net.now_ns == ms(3)
    told: list[Any] = []
    with world.server:
        channel = kind(accepted, told)
    return world, opener, told, channel


# --- what goes on meanwhile ----------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Reader, Asked])
@pytest.mark.parametrize(
    ("sentences", "expected"),
    [
        ((), [("a", 4), ("b", 8)]),
        (("the 1st step of server is held up for 20ms",), [("ab", 24)]),
        (("the 2nd step of server is held up for 20ms",), [("a", 4), ("b", 28)]),
        (("every step on server is held up for 1ms",), [("a", 5), ("b", 9)]),
    ],
)
def test_data_that_comes_while_the_host_is_held_up_is_read_with_the_data_before(
    sentences: tuple[str, ...], expected: list[Any], kind: type[Reader]
) -> None:
    world, peer, told, _ = reader(*sentences, kind=kind)
    peer.send(b"a")
    world.net.at("7ms").call(peer.send, b"b")
    world.net.run(until=1)
    assert told == expected
    assert world.net.unmet() == ()


def test_poll_has_not_told_what_happened_since() -> None:
    """The event in hand says that there is something to read; poll would say by then that it is over."""
    world, peer, told, channel = reader("the 1st step of server is held up for 20ms")
    events: list[int] = []
    hand_over = channel.handle_read_event

    def handle_read_event() -> None:
        events.append(world.mask(channel.socket) & (IN | RDHUP | HUP))
        hand_over()

    channel.handle_read_event = handle_read_event  # type: ignore[method-assign]
    peer.send(b"a")
    world.net.at("7ms").call(peer.close)
    world.net.run(until=1)
    assert events[0] == IN | RDHUP  # the truth at 24 ms; and the channel was handed IN, or would have got b""
    assert told == [("a", 24), ("end", 24)]


def test_a_reset_meanwhile_is_met_by_the_handler_of_data() -> None:
    world, peer, told, _ = reader("the 1st step of server is held up for 5ms")
    peer.setsockopt(std.SOL_SOCKET, std.SO_LINGER, struct.pack("ii", 1, 0))
    peer.send(b"a")
    world.net.at("5ms").call(peer.close)
    world.net.run(until=1)
    assert told == [("a", 9), ("end", 9)]


def test_a_timer_that_falls_due_meanwhile_is_called_after_the_handlers() -> None:
    world, peer, told, channel = reader("the 1st step of server is held up for 20ms")
    channel.call_later("5ms", lambda: told.append(("timer", channel.now_ms())))  # due at 8 ms
    peer.send(b"a")
    world.net.run(until=1)
    assert told == [("a", 24), ("timer", 24)]


def test_nobody_is_asked_again_in_a_pass_that_was_held_up() -> None:
    asked = []
    for sentences in ((), ("the 1st step of server is held up for 20ms",)):
        world, peer, told, channel = reader(*sentences, kind=Asked)
        peer.send(b"a")
        world.net.run(until=1)
        assert [text for text, _ in told] == ["a"]
        asked.append(channel.asked)
    assert asked[0] == asked[1]


def test_what_is_ready_on_another_host_is_not_held_up() -> None:
    world, peer, told, channel = reader("the 1st step of server is held up for 500ms")
    answers: list[Any] = []
    with world.client:
        Reader(peer, answers)
    peer.send(b"a")
    world.net.at("9ms").call(channel.socket.send, b"b")  # as a thread would
    world.net.run(until=1)
    assert (answers, told) == ([("b", 10)], [("a", 504)])


def test_who_leaves_it_alone_a_few_times_is_told_as_often_where_the_host_is_held_up() -> None:
    """A pass that was held up is one pass: after some in vain a channel would not cause another."""
    for sentences in ((), ("every step on server is held up for 1ms",)):
        world, peer, told, channel = reader(*sentences)

        def read_at_the_fourth_time(channel: Reader = channel) -> None:
            channel.calls += 1
            if channel.calls == 4:
                channel.told.append(channel.recv(10))

        channel.handle_read = read_at_the_fourth_time  # type: ignore[method-assign]
        peer.send(b"a")
        world.net.run(until=1)
        assert (told, channel.calls) == ([b"a"], 4)


# --- between two handlers ------------------------------------------------------------------------


def two_readers(*sentences: str) -> tuple[World, list[Any], list[Any], list[Reader]]:
    """Two channels of the server, whose peers send at the same moment, so that one pass finds both ready."""
    world = scripted(*sentences)
    pairs = [world.pair(port) for port in (80, 81)]
    told: list[Any] = []
    with world.server:
        channels = [Reader(accepted, told, name) for (_, accepted), name in zip(pairs, "AB", strict=True)]
    assert world.net.now_ns == ms(6)
    return world, [opener for opener, _ in pairs], told, channels


@pytest.mark.parametrize(
    ("sentences", "expected"),
    [
        ((), [("Ax", 7), ("Bx", 7)]),
        (("the 2nd step of server is held up for 5ms",), [("Ax", 7), ("Bxy", 12)]),
        (("the 1st step of server is held up for 5ms",), [("Axy", 12), ("Bxy", 12)]),
        (
            ("the 1st step of server is held up for 1ms", "the 2nd step of server is held up for 5ms"),
            [("Ax", 8), ("Bxy", 13)],
        ),
    ],
)
def test_a_host_is_held_up_before_any_handler_of_a_pass(
    sentences: tuple[str, ...], expected: list[Any]
) -> None:
    world, peers, told, _ = two_readers(*sentences)
    for peer in peers:
        peer.send(b"x")
    world.net.run(until="7500us")
    for peer in peers:
        peer.send(b"y")
    world.net.run(until=1)
    assert told[:2] == expected
    assert (
        "".join(text for text, _ in told).count("y") == 2
    )  # nothing is lost, and later passes tell the rest
    assert world.net.unmet() == ()


def test_a_channel_that_was_closed_by_the_one_before_is_not_told() -> None:
    world, peers, told, (first, second) = two_readers("the 2nd step of server is held up for 5ms")
    first.handle_read = lambda: (told.append(first.recv(10)), second.close())  # type: ignore[assignment]
    for peer in peers:
        peer.send(b"x")
    world.net.run(until=1)
    assert told == [b"x"]
    # Who is gone is no step: there was nobody to be held up for.
    assert [str(each) for each in world.net.unmet()] == ["the 2nd step of server is held up for 5ms"]


def test_a_number_that_the_handler_before_has_used_again_is_not_taken_for_its_former_owner() -> None:
    """The event in hand is of a socket that is closed; a new one has its number, and nothing to read."""
    world, peers, told, (first, second) = two_readers("the 2nd step of server is held up for 5ms")
    listener, opener = world.listener(82), world.dial(82)
    number = second.socket.fileno()
    made: list[Reader] = []

    def swap() -> None:
        second.close()
        accepted, _ = listener.accept()
        with world.server:
            made.append(Reader(accepted, told, "C"))

    first.handle_read_event, hand_over = lambda: (hand_over(), swap()), first.handle_read_event  # type: ignore[assignment, method-assign]
    world.net.at("9ms").call(peers[0].send, b"x")
    world.net.at("9ms").call(peers[1].send, b"x")
    world.net.run(until=1)
    assert [text for text, _ in told] == ["Ax"]
    assert (made[0].socket.fileno(), made[0].calls) == (number, 0)
    assert opener is not None


def test_who_leaves_the_loop_drops_what_was_in_hand_and_poll_tells_it_again() -> None:
    world, peers, told, (first, _) = two_readers("the 1st step of server is held up for 5ms")

    def leave() -> None:
        first.recv(10)
        raise ExitNow

    first.handle_read = leave  # type: ignore[method-assign]
    for peer in peers:
        peer.send(b"x")
    with pytest.raises(ExitNow):
        world.net.run(until=1)
    del first.handle_read
    assert world.net.now_ns == ms(12)
    for peer in peers:
        peer.close()
    world.net.run(until=1)
    assert [text for text, _ in told] == ["Bx", "Aend", "Bend"]


# --- whoever stands still ------------------------------------------------------------------------


def test_a_host_that_crashes_while_it_is_held_up_tells_nobody() -> None:
    world, peer, told, _ = reader("the 1st step of server is held up for 20ms")
    world.net.at("5ms").crash("server")
    world.net.at("6ms").restart("server")
    peer.send(b"a")
    world.net.run(until=1)
    assert told == []
    assert world.server.goes_on()


def test_a_host_that_is_killed_by_the_handler_before_is_not_held_up() -> None:
    world, peers, told, (first, _) = two_readers("the 2nd step of server is held up for 5ms")
    first.handle_read = lambda: world.server.kill()  # type: ignore[assignment, method-assign]
    for peer in peers:
        peer.send(b"x")
    world.net.run(until=1)
    assert told == []
    assert world.server.goes_on()


@pytest.mark.parametrize(("resumed", "told_at"), [("8ms", 24), ("50ms", 50)])
def test_a_pause_and_what_holds_a_host_up_end_each_by_itself(resumed: str, told_at: int) -> None:
    world, peer, told, _ = reader("the 1st step of server is held up for 20ms")
    world.net.at("5ms").pause("server")
    world.net.at(resumed).resume("server")
    peer.send(b"a")
    world.net.run(until="7ms")
    assert world.server.is_paused
    world.net.run(until=1)
    assert told == [("a", told_at)]


def test_who_is_held_up_is_not_paused() -> None:
    world, peer, *_ = reader("the 1st step of server is held up for 20ms")
    peer.send(b"a")
    world.net.run(until="10ms")
    assert not world.server.goes_on()
    assert not world.server.is_paused


@pytest.mark.parametrize("own_map", [None, {}], ids=["default", "own"])
def test_a_loop_that_is_made_while_its_host_is_held_up_waits_as_the_others_do(
    own_map: dict[int, Any] | None,
) -> None:
    world, peer, told, _ = reader("the 1st step of server is held up for 20ms")
    opener, accepted = world.pair(81)
    peer.send(b"a")
    world.net.run(until="9ms")
    assert told == []
    with world.server:
        Reader(accepted, told, "other ", own_map)
    opener.send(b"b")
    world.net.run(until=1)
    assert sorted(told) == [("a", 27), ("other b", 27)]


def test_the_first_loop_of_a_host_that_stands_still_is_handed_nothing() -> None:
    world = scripted()
    opener, accepted = world.pair()
    world.net.pause("server")
    told: list[Any] = []
    with world.server:
        Reader(accepted, told)
    world.net.run(until="5ms")
    opener.send(b"a")
    world.net.run(until="10ms")
    assert told == []
    world.net.resume("server")
    world.net.run(until=1)
    assert told == [("a", 10)]


# --- rules, records and replays ------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Reader, Asked])
def test_a_rule_that_comes_later_counts_the_steps_before(kind: type[Reader]) -> None:
    """Its record is replayed without the rule: a step has the same number on either network."""
    world, peer, told, _ = reader(kind=kind)
    peer.send(b"a")
    world.net.run(until="10ms")
    with world.net.on("server", "step").hold_up("4ms"):
        peer.send(b"b")
        world.net.run(until="14ms")
    world.net.run(until=1)
    assert told == [("a", 4), ("b", 16)]  # rounded up to 5 ms
    script = world.net.script()
    assert script.sentences() == ["the 2nd step of server is held up for 5ms"]
    again, other, told, _ = reader(*script.sentences(), kind=kind)
    other.send(b"a")
    again.net.run(until="10ms")
    other.send(b"b")
    again.net.run(until="14ms")
    again.net.run(until=1)
    assert again.net.trace.digest() == world.net.trace.digest()


def test_whoever_considers_steps_and_holds_nobody_up_makes_the_calm_run() -> None:
    """An event that is alone is handed over without a pass on a calm network, and by a pass here."""
    digests = set()
    for sentences in ((), ("the 1000th step of server is held up for 5ms",)):
        world, peer, *_ = reader(*sentences)
        for _ in range(5):
            peer.send(b"a")
            world.net.run(until=world.net.now + 0.01)
        peer.close()
        world.net.run(until=1)
        digests.add(world.net.trace.digest())
    assert len(digests) == 1


def test_a_storm_that_holds_hosts_up_is_replayed_by_its_record() -> None:
    held = 0
    for seed in range(40):
        first = storm(Network(seed=seed, only=[("step", "held")]))
        again = storm(Network(first.script()))
        assert again.trace.digest() == first.trace.digest()
        held += bool(first.script())
    assert 5 <= held <= 15  # one in four


def storm(net: Network) -> Network:
    world = World("1ms", net=net)
    peers = [world.pair(port) for port in (80, 81, 82)]
    told: list[Any] = []
    with world.server:
        for opener, accepted in peers:
            Reader(accepted, told)
            opener.send(b"a")
            net.at(net.now + 0.005).call(opener.send, b"b")
            net.at(net.now + 0.007).call(opener.close)
    net.run()
    assert "".join(text for text, _ in told).replace("end", "").count("a") == 3
    return net


def test_gentle_weather_holds_hosts_up() -> None:
    assert ("step", "held") in GENTLE < EVERY
    assert isinstance(Network().on("server", "step"), On)


def test_who_clears_up_holds_nobody_up_any_more() -> None:
    world, peer, told, _ = reader("the 2nd step of server is held up for 20ms")
    peer.send(b"a")
    world.net.run(until="5ms")
    world.net.clear_up()
    peer.send(b"b")
    world.net.run(until=1)
    assert told == [("a", 4), ("b", 6)]


# --- asyncore's passes ---------------------------------------------------------------------------


class OldReader(asyncore.dispatcher):
    def __init__(self, sock: Any, map: dict[int, Any], told: list[Any], world: World) -> None:
        super().__init__(sock, map)
        self.told, self.world = told, world

    def writable(self) -> bool:
        return False

    def handle_read(self) -> None:
        self.told.append((self.recv(100), self.world.net.now))

    def handle_close(self) -> None:
        self.close()


@pytest.mark.parametrize("use_poll", [False, True])
@pytest.mark.parametrize(
    ("step", "expected"),
    [
        ("1st", [(b"xy", 0.012), (b"xy", 0.012)]),
        ("2nd", [(b"x", 0.007), (b"xy", 0.012)]),
        ("9th", [(b"x", 0.007), (b"x", 0.007)]),
    ],
)
def test_a_pass_of_asyncore_is_held_up_before_any_handler(
    use_poll: bool, step: str, expected: list[Any]
) -> None:
    world = scripted(f"the {step} step of server is held up for 5ms")
    pairs = [world.pair(port) for port in (80, 81)]
    told: list[Any] = []
    channels: dict[int, Any] = {}
    with world.server:
        for opener, accepted in pairs:
            OldReader(accepted, channels, told, world)
            opener.send(b"x")
            world.net.at("8ms").call(opener.send, b"y")
            world.net.at("100ms").call(opener.close)
        asyncore.loop(timeout=0.002, use_poll=use_poll, map=channels)
    assert told[:2] == expected
    assert channels == {}


@pytest.mark.parametrize("old", [False, True])
def test_a_pass_is_over_after_it_was_held_up_also_if_its_time_was_over_before(old: bool) -> None:
    world = scripted("the 1st step of server is held up for 500ms")
    opener, accepted = world.pair()
    told: list[Any] = []
    opener.send(b"x")
    with world.server:
        if old:
            channels: dict[int, Any] = {}
            OldReader(accepted, channels, told, world)
            asyncore.loop(timeout=0.1, map=channels, count=1)
        else:
            Reader(accepted, told)
            loop(timeout=0.1, count=1)
    assert len(told) == 1
    assert world.net.now_ns == ms(504)


# --- programs that ask by themselves -------------------------------------------------------------


@pytest.mark.parametrize("call", ["select", "poll", "epoll"])
@pytest.mark.parametrize("waits", [False, True])
def test_a_program_is_held_up_after_it_has_found_something(call: str, waits: bool) -> None:
    world = scripted("the 1st step of server is held up for 20ms")
    opener, accepted = world.pair()
    find = finder(world.server.modules.select, call, accepted)
    opener.send(b"a")
    world.net.at("5ms").call(opener.send, b"b")
    if not waits:
        world.net.run(until="4500us")
    assert find(1)
    assert world.net.now_ns == ms(24 if waits else 24.5)
    assert accepted.recv(10) == b"ab"
    assert world.net.unmet() == ()


def finder(select: Any, call: str, sock: Any) -> Any:
    if call == "select":
        return lambda seconds: select.select([sock], [], [], seconds)[0]
    made = getattr(select, call)()
    made.register(sock.fileno(), IN)
    return lambda seconds: made.poll(seconds * (1000 if call == "poll" else 1))


@pytest.mark.parametrize("call", ["select", "poll", "epoll"])
def test_a_process_is_held_up_after_it_has_found_something_and_others_on_its_host_with_it(call: str) -> None:
    world = scripted("the 1st step of server is held up for 20ms")
    opener, accepted = world.pair()
    told: list[Any] = []

    def program() -> None:
        assert finder(world.server.modules.select, call, accepted)(1)
        told.append((accepted.recv(10), world.net.now))

    def other() -> None:
        world.server.modules.time.sleep(0.01)
        told.append(("slept", world.net.now))

    world.server.spawn(program)
    world.server.spawn(other)
    opener.send(b"a")  # there at 4 ms
    world.net.at("5ms").call(opener.send, b"b")
    world.net.run()
    assert sorted(told, key=repr) == [("slept", 0.024), (b"ab", 0.024)]


def test_a_program_that_finds_nothing_is_not_held_up() -> None:
    world = scripted("the 1st step of server is held up for 20ms")
    _, accepted = world.pair()
    assert world.server.modules.select.select([accepted], [], [], 0.01) == ([], [], [])
    assert world.net.now_ns == ms(13)
    assert len(world.net.unmet()) == 1


def test_a_socket_that_was_writable_may_be_reset_when_it_is_written_to() -> None:
    world = scripted("the 1st step of client is held up for 5ms")
    listener, opener = world.listener(), world.dial()
    select = world.client.modules.select
    world.net.at("3ms").kill("server")
    assert select.select([], [opener], [], 1)[1] == [opener]
    assert world.net.now_ns == ms(7)
    with pytest.raises(OSError, match="reset") as caught:
        opener.send(b"hello")
    assert caught.value.errno == errno.ECONNRESET
    assert listener is not None


# --- bugs that only this shows -------------------------------------------------------------------


def trusts_fionread(net: Network) -> None:
    """Asks how much there is to read before it polls, and takes that for a whole message after."""
    world = World("1ms", net=net)
    fcntl, fionread = world.server.modules.fcntl, 0x541B

    class Sized(dispatcher):
        size = 0

        def readable(self) -> bool:
            (self.size,) = struct.unpack("i", fcntl.ioctl(self.socket.fileno(), fionread, bytes(4)))
            return True

        def writable(self) -> bool:
            return False

        def handle_read(self) -> None:
            data = self.recv(4096)
            assert len(data) in (0, self.size), f"{self.size} bytes were there, and {len(data)} are"

    with suppress(OSError, Deadlock):
        opener, accepted = world.pair()
        with world.server:
            Sized(accepted)
        for moment in range(20):
            net.at(net.now + 0.001 + moment / 2000).call(_try_to_send, opener, b"message")
    net.run()


def waits_for_what_is_left(net: Network) -> None:
    """Reads what comes within a second: what is left of that may be less than nothing."""
    world = World("1ms", net=net)
    clock, select = world.client.modules.time, world.client.modules.select
    with suppress(OSError, Deadlock):
        opener, accepted = world.pair()
        for moment in (0.5, 0.9, 2):
            net.at(net.now + moment).call(_try_to_send, accepted, b"part")
        deadline, answer = clock.monotonic() + 1, b""
        while len(answer) < 12:
            readable, _, _ = select.select([opener], [], [], deadline - clock.monotonic())
            if not readable:
                return
            answer += opener.recv(100)


def _try_to_send(sock: Any, data: bytes) -> None:
    with suppress(OSError):
        sock.send(data)


@pytest.mark.parametrize(
    ("program", "error"),
    [(trusts_fionread, "bytes were there"), (waits_for_what_is_left, "timeout must be non-negative")],
)
def test_the_default_search_finds_what_only_a_held_up_host_shows(program: Any, error: str) -> None:
    others = EVERY - {("step", "held"), (BEFALLS, "pause_for")}
    assert search(program, by=mixed(only=others), runs_max=400) is None
    found = search(program, runs_max=400)
    assert found is not None
    assert error in str(found.outcome.error)
    script = found.shrunk.script if found.shrunk is not None else found.outcome.network.script()
    assert {each.op for each in script.deviations} == {"step"}
    assert len(script) == 1
