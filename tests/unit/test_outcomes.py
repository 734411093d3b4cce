"""What each kind of deviation is to a program: values, errnos, and what comes of the connection."""

from __future__ import annotations

import errno
import socket as std
from typing import Any

import pytest

from simnet import Network, Script, dispatcher, dispatcher_with_send, parse
from simnet.loop import loop_for
from simnet.outcomes import CORRUPTION, EVERY, HARSH, OUTCOMES, PLACES
from simnet.transport import ERR, HUP, IN, OUT

from .two_hosts import DEAD, World, ms, read


def scripted(*sentences: str) -> World:
    return World(net=Network(Script.of(map(parse, sentences))))


def end_of(world: World, sock: Any) -> int:
    """What SO_ERROR says when the connection is over."""
    world.until(sock, ERR | HUP)
    return int(sock.getsockopt(std.SOL_SOCKET, std.SO_ERROR))


def test_every_operation_has_a_kind_of_place() -> None:
    assert PLACES.keys() == OUTCOMES.keys()


# --- connect -------------------------------------------------------------------------------------


def test_a_connect_that_finds_no_route_fails_after_a_round_trip() -> None:
    world = scripted("the 1st connect of client:1 -> server:80 finds no route to the host")
    world.listener()
    opener = world.dial()
    assert world.until(opener, ERR) == ms(40)
    assert end_of(world, opener) == errno.EHOSTUNREACH
    assert world.net.unmet() == ()


def test_a_connect_that_is_never_answered_times_out() -> None:
    """131 s: five SYNs a second apart, then time-outs that double (tcp_syn_linear_timeouts)."""
    world = scripted("the 1st connect of client:1 -> server:80 is never answered")
    world.listener()
    opener = world.dial()
    assert end_of(world, opener) == errno.ETIMEDOUT
    assert world.net.now == pytest.approx(131)


@pytest.mark.parametrize("cut", [("client", "server"), ("server", "client")])
def test_nobody_refuses_across_a_cut(cut: tuple[str, str]) -> None:
    world = scripted("the 1st connect of client:1 -> server:80 is refused")
    world.kept.append(world.listener())
    with world.net.block(*cut):
        opener = world.dial()
        world.pass_time(5)
        assert not world.mask(opener) & ERR
    world.until(opener, OUT)
    assert opener.getsockopt(std.SOL_SOCKET, std.SO_ERROR) == 0


@pytest.mark.parametrize("cut", [("client", "server"), ("server", "client")])
def test_no_datagram_is_refused_across_a_cut(cut: tuple[str, str]) -> None:
    world = Datagrams("the 1st datagram of client:1000/udp is refused")
    with world.net.block(*cut):
        world.send(b"one")
    with pytest.raises(BlockingIOError):
        world.client.recv(100)


def test_a_connection_is_reset_after_a_time_whatever_it_does() -> None:
    world = scripted("the 1st life of client:1 -> server:80 ends by a reset after 2s")
    opener, accepted = world.pair()
    began = world.net.now
    world.until(accepted, HUP)
    assert world.net.now == pytest.approx(began + 2, abs=0.05)
    assert end_of(world, opener) == errno.ECONNRESET
    assert world.net.unmet() == ()


def test_a_connection_that_has_ended_is_not_reset() -> None:
    world = World()
    world.net.on("client", "life").reset_after("1.5s")
    opener, accepted = world.pair()
    assert str(world.net.script().deviations[0]).endswith("ends by a reset after 2s")
    for sock in (opener, accepted):
        sock.close()
    world.pass_time(100)
    assert "RST" not in str([event[4] for event in world.net.trace.events])


# --- accept --------------------------------------------------------------------------------------


def test_a_connection_may_be_reset_before_it_is_accepted() -> None:
    """On Linux it stays in the queue: accept returns it, and it has no peer."""
    world = scripted("the 1st accept of server:80 returns a connection that was reset")
    listener, opener = world.listener(), world.dial()
    world.until(listener, IN)
    accepted, address = listener.accept()
    assert address[0] == world.client.address
    with pytest.raises(OSError) as caught:
        accepted.getpeername()
    assert caught.value.errno == errno.ENOTCONN
    with pytest.raises(ConnectionResetError):
        accepted.recv(1)
    world.until(opener, HUP)
    assert world.mask(opener) & DEAD == DEAD


# --- send and recv -------------------------------------------------------------------------------


def test_a_send_without_memory_leaves_the_connection_alive() -> None:
    world = scripted("the 1st send of client:1 -> server:80 fails with ENOBUFS")
    opener, accepted = world.pair()
    with pytest.raises(OSError) as caught:
        opener.send(b"hello")
    assert caught.value.errno == errno.ENOBUFS
    assert opener.send(b"hello") == 5
    assert read(world, accepted) == b"hello"


def test_a_recv_that_times_out_is_the_end_of_this_end() -> None:
    world = scripted("the 1st recv of server:80 -> client:1 fails with ETIMEDOUT")
    opener, accepted = world.pair()
    opener.send(b"hello")
    world.until(accepted, IN)
    with pytest.raises(TimeoutError):
        accepted.recv(100)
    assert accepted.recv(100) == b""
    opener.send(b"more")
    assert end_of(world, opener) == errno.ECONNRESET, "nobody knows this connection there"


# --- segments ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "parts"), [(5, 5), (64, 64), (65, 33), (1000, 63)])
def test_a_segment_that_crumbles_comes_in_parts_that_are_read_apart(size: int, parts: int) -> None:
    world = scripted("the 1st segment of client:1 -> server:80 comes in crumbs")
    opener, accepted = world.pair()
    data = bytes(n & 255 for n in range(size))
    opener.send(data)
    found = []
    while sum(map(len, found)) < size:
        found.append(read(world, accepted))
    assert b"".join(found) == data
    assert len(found) == parts


def test_after_the_last_segment_neither_end_hears_of_the_other() -> None:
    world = scripted("the 1st segment of client:1 -> server:80 is the last that arrives")
    opener, accepted = world.pair()
    opener.send(b"hello")
    assert read(world, accepted) == b"hello"
    accepted.send(b"answer")
    world.pass_time(100)
    assert world.mask(opener) == OUT
    assert end_of(world, accepted) == errno.ETIMEDOUT
    assert world.net.now > 900
    assert world.mask(opener) == OUT, "half-open"


def test_silence_is_of_one_connection() -> None:
    world = World()
    first, kept = world.pair(80)
    second, other = world.pair(81)
    world.net.on("server:80 -> client:1", "segment").silence()
    kept.send(b"x")
    read(world, first)
    first.send(b"lost")
    second.send(b"hello")
    assert read(world, other) == b"hello"
    world.pass_time(5)
    assert not world.mask(kept) & IN


def test_a_keepalive_finds_out_that_a_peer_has_fallen_silent() -> None:
    world = World()
    opener, accepted = world.pair()
    for level, option, value in ((1, std.SO_KEEPALIVE, 1), (6, std.TCP_KEEPIDLE, 5), (6, std.TCP_KEEPCNT, 2)):
        accepted.setsockopt(level, option, value)
    world.net.on("client", "segment").silence()
    opener.send(b"hello")
    began = world.net.now
    assert end_of(world, accepted) == errno.ETIMEDOUT
    assert world.net.now == pytest.approx(began + 0.02 + 5 + 2 * 75)


def test_who_waits_for_the_window_of_a_silent_peer_gives_up() -> None:
    world = World()
    opener, accepted = world.pair()
    while world.mask(opener) & OUT:
        opener.send(bytes(1 << 16))
        world.pass_time(0.1)
    world.net.on("server", "segment").silence()
    accepted.send(b"hello")
    world.until(accepted, IN)
    accepted.recv(1 << 20)
    assert end_of(world, opener) == errno.ETIMEDOUT


def test_an_end_on_the_own_host_falls_silent_as_well() -> None:
    host = Network().host("a")
    with host.socket() as listener, host.socket() as opener:
        listener.bind(("", 80))
        listener.listen(1)
        opener.connect(("127.0.0.1", 80))
        accepted, _ = listener.accept()
        host.network.on("a:1 -> a:80", "segment", nth=2).silence()
        for data in (b"one", b"two", b"three"):
            opener.send(data)
        host.network.run(until=1)
        assert accepted.recv(100) == b"onetwo"
        accepted.close()


def test_a_bit_is_flipped_only_where_somebody_asks_for_it() -> None:
    world = World()
    opener, accepted = world.pair()
    world.net.on("client", "segment", nth=1).flip(9)
    opener.send(b"\0\0\0")
    assert read(world, accepted) == b"\0\2\0"
    assert not HARSH & CORRUPTION


def test_to_bind_to_any_address_is_no_look_up() -> None:
    """getaddrinfo(NULL, AI_PASSIVE) asks no name server."""
    world = World()
    world.net.on("*", "lookup").fail()
    world.listener()
    with pytest.raises(std.gaierror):
        world.socket(world.client).connect_ex(("server", 80))


# --- datagrams -----------------------------------------------------------------------------------


class Datagrams:
    """Two sockets of UDP, connected to each other."""

    def __init__(self, *sentences: str) -> None:
        self.world = scripted(*sentences)
        self.net = self.world.net
        self.client, self.server = (
            host.socket(std.AF_INET, std.SOCK_DGRAM) for host in (self.world.client, self.world.server)
        )
        for sock in (self.client, self.server):
            sock.setblocking(False)
        self.server.bind(("", 53))
        self.client.bind(("", 1000))
        self.client.connect(("server", 53))

    def received(self) -> list[bytes]:
        """Everything that has come by now."""
        found = []
        while self.world.mask(self.server) & IN:
            found.append(self.server.recv(100))
        return found

    def send(self, *words: bytes) -> list[bytes]:
        """Send words, and tell what has come a second later."""
        for word in words:
            self.client.send(word)
        self.world.pass_time(1)
        return self.received()


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ("is lost", [b"one", b"three"]),
        ("comes twice", [b"one", b"two", b"two", b"three"]),
        ("comes 500ms late", [b"one", b"three", b"two"]),
        ("comes 60s late", [b"one", b"three"]),
        ("has bit 0 flipped", [b"one", b"uwo", b"three"]),
        ("is truncated to 2 bytes", [b"one", b"tw", b"three"]),
        ("is lost with the 1 that follow", [b"one"]),
    ],
)
def test_what_a_network_does_to_a_datagram(what: str, expected: list[bytes]) -> None:
    world = Datagrams(f"the 2nd datagram of client:1000/udp {what}")
    assert world.send(b"one", b"two", b"three") == expected
    assert world.net.unmet() == ()


def test_a_datagram_that_is_refused_is_an_error_of_the_next_call() -> None:
    world = Datagrams("the 1st datagram of #1 udp is refused")
    # The first socket that got a port is the server's; it answers before the client is there.
    world.server.sendto(b"early", ("client", 1000))
    with pytest.raises(BlockingIOError):
        world.client.recv(1)
    world.net.on("client", "datagram", nth=1).refuse()
    assert world.send(b"one") == []
    with pytest.raises(ConnectionRefusedError):
        world.client.recv(100)
    assert world.send(b"two") == [b"two"]


def test_a_burst_of_losses_ends() -> None:
    world = Datagrams("the 2nd datagram of client:1000/udp is lost with the 3 that follow")
    assert world.send(*(b"%d" % n for n in range(1, 8))) == [b"1", b"6", b"7"]


@pytest.mark.parametrize("reason", [errno.ENOBUFS, errno.EPERM, errno.ENETUNREACH])
def test_a_datagram_that_cannot_be_sent_is_an_error_of_its_call(reason: int) -> None:
    world = Datagrams()
    world.net.on("client", "datagram", nth=1).fail(reason)
    with pytest.raises(OSError) as caught:
        world.client.send(b"one")
    assert caught.value.errno == reason
    assert world.send(b"two") == [b"two"]


def test_datagrams_are_counted_by_socket_and_a_storm_is_replayed() -> None:
    def run(net: Network) -> tuple[list[bytes], str]:
        world = Datagrams.__new__(Datagrams)
        world.world = World(net=net)
        world.net = net
        world.client, world.server = (
            host.socket(std.AF_INET, std.SOCK_DGRAM) for host in (world.world.client, world.world.server)
        )
        for sock in (world.client, world.server):
            sock.setblocking(False)
        world.server.bind(("", 53))
        world.client.connect(("server", 53))
        return world.send(*(b"%d" % n for n in range(50))), net.trace.digest()

    differing = 0
    for seed in range(10):
        storm = Network(seed=seed, only=[each for each in EVERY if each[0] == "datagram"])
        found = run(storm)
        assert run(Network(storm.script())) == found
        differing += found[0] != [b"%d" % n for n in range(50)]
    assert differing


# --- names ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("what", "reason"), [("is told to try again", std.EAI_AGAIN), ("finds no such name", std.EAI_NONAME)]
)
def test_a_look_up_fails_however_it_is_made(what: str, reason: int) -> None:
    world = scripted(f"the 1st lookup of client {what}", f"the 2nd lookup of client {what}")
    world.listener()
    opener = world.socket(world.client)
    for look_up in (
        lambda: opener.connect_ex(("server", 80)),
        lambda: world.client.modules.socket.getaddrinfo("server", 80),
    ):
        with pytest.raises(std.gaierror) as caught:
            look_up()
        assert caught.value.errno == reason
    assert opener.connect_ex(("server", 80)) == errno.EINPROGRESS
    assert world.net.unmet() == ()


# --- order ---------------------------------------------------------------------------------------


class Late(dispatcher):
    """Waits for an answer until a timer that is due at the moment at which it comes."""

    def __init__(self, sock: Any, events: list[str]) -> None:
        super().__init__(sock)
        self.events = events
        loop_for(sock._host).call_later(0.02, lambda: events.append("timer"))

    def handle_read(self) -> None:
        self.recv(100)
        self.events.append("data")


@pytest.mark.parametrize(("sentences", "expected"), [((), ["data", "timer"]), (("x",), ["timer", "data"])])
def test_timers_and_data_of_one_moment_come_in_either_order(sentences: Any, expected: list[str]) -> None:
    world = scripted(*(["the 1st timer of client comes before what is ready"] if sentences else []))
    opener, accepted = world.pair()
    events: list[str] = []
    with world.client:
        Late(opener, events)
    accepted.send(b"hello")
    world.net.run(until=1)
    assert events == expected
    assert world.net.unmet() == ()


def test_storms_try_both_orders() -> None:
    found = set()
    for seed in range(20):
        world = World(net=Network(seed=seed, only=[("timer", "first")]))
        opener, accepted = world.pair()
        events: list[str] = []
        with world.client:
            Late(opener, events)
        accepted.send(b"hello")
        world.net.run(until=1)
        found.add(tuple(events))
    assert found == {("data", "timer"), ("timer", "data")}


def test_a_send_on_a_connection_that_was_lost_before_it_was_accepted_is_told_by_handle_close() -> None:
    """The data and the FIN of the client are there already: what send says of the reset is EPIPE."""
    net = Network()
    net.on("server", "accept", nth=1).reset()
    told: list[bool] = []

    class Greeter(dispatcher_with_send):
        def __init__(self, sock: Any) -> None:
            super().__init__(sock)
            self.send(b"hello")

        def readable(self) -> bool:
            return False  # it only talks

        def handle_close(self) -> None:
            told.append(self.connected)
            self.close()

    class Door(dispatcher):
        def handle_accepted(self, sock: Any, address: Any) -> None:
            Greeter(sock)

    with net.host("server"):
        door = Door()
        door.create_socket()
        door.bind(("", 80))
        door.listen(1)
    client = net.host("client").modules.socket.create_connection(("server", 80))
    client.send(b"hello")
    client.shutdown(std.SHUT_WR)
    net.run()
    assert told == [False]


# --- calls that wait -----------------------------------------------------------------------------


@pytest.mark.parametrize("timeout", [None, 5.0])
def test_a_recv_that_waits_looks_again_where_readiness_was_spurious(timeout: float | None) -> None:
    """SYN, SYN+ACK, ACK, data: 4 x 20 ms, also where the kernel says EAGAIN twice."""
    world = scripted(
        "the 1st recv of client:1 -> server:80 is told to try again",
        "the 2nd recv of client:1 -> server:80 is told to try again",
    )
    listener = world.listener()
    listener.setblocking(True)
    opener = world.client.socket()
    opener.settimeout(timeout)
    opener.connect(("server", 80))
    accepted, _ = listener.accept()
    accepted.send(b"data")
    assert opener.recv(100) == b"data"
    assert world.net.now_ns == ms(80)
    assert world.net.unmet() == ()
