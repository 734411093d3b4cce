"""What UDP does over links that take time: arithmetic in virtual time, the same on every machine."""

from __future__ import annotations

import socket as std
from typing import Any

import pytest

from simnet import Network, Script, dispatcher
from simnet.script import parse
from simnet.transport import ERR, IN
from tests.conformance.machine import outcome

from .two_hosts import World, ms

PORT = 5000


def open_on(host: Any, port: int = 0, family: int = std.AF_INET) -> Any:
    """A non-blocking socket, bound to the port of every address if there is one."""
    sock = host.socket(family, std.SOCK_DGRAM)
    sock.setblocking(False)
    if port:
        sock.bind(("", port))
    return sock


def received(sock: Any) -> list[bytes]:
    """Everything that can be read now."""
    data = []
    while isinstance(got := outcome(sock.recv, 65536), bytes):
        data.append(got)
    return data


# --- latency -------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", [std.AF_INET, std.AF_INET6])
def test_a_datagram_takes_one_latency_and_its_answer_another(family: int) -> None:
    """Nothing comes before the data: 20 ms, and 20 ms back."""
    world = World()
    server, client = open_on(world.server, PORT, family), open_on(world.client, 0, family)
    place = {std.AF_INET: 0, std.AF_INET6: 1}[family]  # among the addresses of a host
    assert client.sendto(b"hello", (world.server.addresses[place], PORT)) == 5
    assert world.until(server, IN) == ms(20)
    data, address = server.recvfrom(100)
    assert data == b"hello"
    assert address[0] == world.client.addresses[place]
    server.sendto(b"answer", address)
    assert world.until(client, IN) == ms(40)


def test_a_refusal_takes_a_round_trip_and_is_told_once() -> None:
    """The datagram 20 ms, the message of ICMP 20 ms."""
    world = World()
    client = open_on(world.client)
    client.connect(("server", PORT))
    assert client.send(b"1") == 1
    assert client.send(b"2") == 1  # nobody knows yet
    assert world.until(client, ERR) == ms(40)
    world.pass_time(1)
    assert [outcome(client.recv, 1), outcome(client.recv, 1)] == ["ECONNREFUSED", "EAGAIN"]


def test_who_is_not_connected_is_not_told_of_a_refusal() -> None:
    world = World()
    client = open_on(world.client)
    client.sendto(b"x", ("server", PORT))
    world.net.run()
    assert world.mask(client) & ERR == 0


def test_who_has_connected_elsewhere_meanwhile_is_not_told_of_a_refusal() -> None:
    """__udp4_lib_err looks for the socket of both addresses."""
    world = World()
    client = open_on(world.client)
    client.connect(("server", PORT))
    client.send(b"x")
    client.connect(("server", PORT + 1))
    world.net.run()
    assert outcome(client.recv, 1) == "EAGAIN"


def test_a_name_without_an_address_leads_nowhere() -> None:
    """There is no route to an address that no host has."""
    client = open_on(World().client)
    assert outcome(client.sendto, b"x", ("10.0.7.7", PORT)) == "ENETUNREACH"
    assert outcome(client.connect, ("10.0.7.7", PORT)) == "ENETUNREACH"


def test_an_address_of_loopback_does_not_leave_the_host() -> None:
    """__mkroute_output: EINVAL for a martian source; the own address is reached from there all the same."""
    world = World()
    sock, own = world.client.socket(std.AF_INET, std.SOCK_DGRAM), open_on(world.client, PORT)
    sock.bind(("127.0.0.1", 0))
    assert outcome(sock.sendto, b"x", ("server", PORT)) == "EINVAL"
    assert sock.sendto(b"x", ("client", PORT)) == 1
    assert own.recvfrom(1) == (b"x", sock.getsockname())


# --- calls that wait -----------------------------------------------------------------------------


def test_recvfrom_waits_for_what_is_under_way() -> None:
    world = World()
    client = world.client.socket(std.AF_INET, std.SOCK_DGRAM)
    client.bind(("", PORT))
    open_on(world.server).sendto(b"hello", ("client", PORT))
    assert client.recvfrom(100)[0] == b"hello"
    assert world.net.now_ns == ms(20)


def test_a_time_out_is_a_timeout_error_at_that_moment() -> None:
    world = World()
    client = world.client.socket(std.AF_INET, std.SOCK_DGRAM)
    client.settimeout(1.5)
    with pytest.raises(TimeoutError):
        client.recv(1)
    assert world.net.now == 1.5


def test_a_socket_that_is_shut_for_reading_does_not_wait_for_ever() -> None:
    """__skb_wait_for_more_packets: without a time-out nothing is returned, with one it ends in time."""
    world = World()
    client = world.client.socket(std.AF_INET, std.SOCK_DGRAM)
    assert outcome(client.shutdown, std.SHUT_RD) == "ENOTCONN"
    assert client.recvfrom(10) == (b"", None)
    client.settimeout(0.5)
    with pytest.raises(TimeoutError):
        client.recv(10)
    assert world.net.now == 0.5


def test_a_refusal_ends_a_wait() -> None:
    world = World()
    client = world.client.socket(std.AF_INET, std.SOCK_DGRAM)
    client.connect(("server", PORT))
    client.send(b"x")
    with pytest.raises(ConnectionRefusedError):
        client.recv(1)
    assert world.net.now_ns == ms(40)


# --- loss ----------------------------------------------------------------------------------------


def test_what_is_sent_into_a_partition_or_under_way_as_it_begins_is_lost_for_good() -> None:
    """Sent at 0, 10 and 30 ms; cut at 10 ms, before the first has arrived; healed at 40 ms."""
    world = World()
    server, client = open_on(world.server, PORT), open_on(world.client)
    world.net.at("10ms").partition({"client"}, {"server"})
    world.net.at("40ms").heal()
    for at_s, data in ((0, b"under way"), (0.010, b"into it"), (0.030, b"later"), (0.050, b"after")):
        world.net.run(until=at_s)
        assert client.sendto(data, ("server", PORT)) == len(data)
    world.pass_time(10)
    assert received(server) == [b"after"]


def test_a_refusal_can_get_lost_too() -> None:
    """The datagram arrives at 20 ms; the answer is under way when the network is cut at 30 ms."""
    world = World()
    client = open_on(world.client)
    client.connect(("server", PORT))
    client.send(b"x")
    world.net.at("30ms").partition({"client"}, {"server"})
    world.pass_time(1)
    assert outcome(client.recv, 1) == "EAGAIN"


def test_a_host_that_is_down_is_silent_and_one_that_came_back_refuses() -> None:
    """Down, nothing answers; up again without its program, the port is nobody's."""
    world = World()
    open_on(world.server, PORT)
    client = open_on(world.client)
    client.connect(("server", PORT))
    world.server.crash()
    client.send(b"1")
    world.pass_time(1)
    assert outcome(client.recv, 1) == "EAGAIN"
    world.server.restart()
    client.send(b"2")
    world.pass_time(1)
    assert outcome(client.recv, 1) == "ECONNREFUSED"


def test_what_a_host_sent_before_it_crashed_arrives() -> None:
    world = World()
    client = open_on(world.client, PORT)
    open_on(world.server).sendto(b"last words", ("client", PORT))
    world.server.crash()
    world.pass_time(1)
    assert received(client) == [b"last words"]


# --- bandwidth and order -------------------------------------------------------------------------


def test_a_datagram_takes_its_time_on_a_link_with_a_bandwidth() -> None:
    """1250 bytes are 10 000 bits: 10 ms at 1 Mbit/s, and 20 ms of latency; the second waits for the first."""
    world = World(bandwidth="1Mbit/s")
    server, client = open_on(world.server, PORT), open_on(world.client)
    for _ in "12":
        client.sendto(bytes(1250), ("server", PORT))
    assert world.until(server, IN) == ms(10 + 20)
    received(server)
    assert world.until(server, IN) == ms(20 + 20)


def test_what_finds_the_queue_of_a_link_full_is_lost() -> None:
    """The queue holds 3000 bytes, the one that is being sent among them: two of 1250 fit, and one of 100."""
    world = World(bandwidth="1Mbit/s", capacity=3000)
    server, client = open_on(world.server, PORT), open_on(world.client)
    for number in range(6):
        client.sendto(bytes([number]) * (1250 if number < 5 else 100), ("server", PORT))
    world.net.run()
    assert [data[0] for data in received(server)] == [0, 1, 5]


def jittery(script: Script | None = None, seed: int | None = None) -> tuple[Network, list[bytes]]:
    """Eight datagrams sent at once over a link with a jitter of 5 ms, in the order in which they arrive."""
    net = Network(script, seed=seed) if script is not None or seed is not None else Network()
    world = World(net=net, jitter="5ms")
    server, client = open_on(world.server, PORT), open_on(world.client, 4000)
    for number in range(8):
        client.sendto(bytes([number]), ("server", PORT))
    net.run()
    return net, received(server)


def test_jitter_lets_datagrams_overtake_one_another() -> None:
    """TCP's segments stay in order; here the first comes 3 ms late, and after all others."""
    script = Script.of([parse("the 1st jitter of client:4000/udp adds 3ms")])
    net, order = jittery(script)
    assert [data[0] for data in order] == [1, 2, 3, 4, 5, 6, 7, 0]
    assert net.unmet() == ()
    assert jittery()[1] == [bytes([number]) for number in range(8)]


def test_a_storm_is_replayed_by_its_script() -> None:
    storms = [jittery(seed=seed) for seed in range(20)]
    assert any(order != sorted(order) for _, order in storms)
    for net, order in storms:
        again, same = jittery(net.script())
        assert same == order
        assert again.trace.digest() == net.trace.digest()


def test_the_digest_covers_what_datagrams_say() -> None:
    def digest(data: bytes) -> str:
        world = World()
        open_on(world.client, 4000).sendto(data, ("server", PORT))
        world.net.run()
        return world.net.trace.digest()

    assert digest(b"one") == digest(b"one") != digest(b"two")


# --- broadcast -----------------------------------------------------------------------------------


class Many:
    """Three hosts, 10 ms apart, with a socket each on the port of every address."""

    def __init__(self) -> None:
        self.net = Network(latency="10ms")
        self.hosts = [self.net.host(name) for name in ("a", "b", "c")]
        self.socks = [open_on(host, PORT) for host in self.hosts]

    def sender(self, host: int = 0) -> Any:
        sock = open_on(self.hosts[host])
        sock.setsockopt(std.SOL_SOCKET, std.SO_BROADCAST, 1)
        return sock

    def heard(self) -> list[list[bytes]]:
        return [received(sock) for sock in self.socks]


@pytest.mark.parametrize("address", ["255.255.255.255", "10.0.255.255", "<broadcast>"])
def test_a_broadcast_reaches_the_own_host_at_once_and_the_others_after_a_latency(address: str) -> None:
    """RFC 919; ip_mc_output loops it back."""
    many = Many()
    assert many.sender().sendto(b"all", (address, PORT)) == 3
    assert many.heard() == [[b"all"], [], []]
    many.net.run()
    assert many.heard() == [[], [b"all"], [b"all"]]
    assert many.net.now_ns == ms(10)


def test_a_broadcast_does_not_cross_a_partition_and_nobody_refuses_it() -> None:
    many = Many()
    many.net.partition({"a"}, {"b"})
    sender = many.sender()
    sender.sendto(b"all", ("255.255.255.255", PORT))
    sender.connect(("255.255.255.255", PORT + 1))
    sender.send(b"nobody there")
    many.net.run()
    assert many.heard() == [[b"all"], [], [b"all"]]
    assert outcome(sender.recv, 1) == "EAGAIN"


def test_who_is_bound_to_one_address_does_not_hear_a_broadcast() -> None:
    many = Many()
    narrow = many.hosts[1].socket(std.AF_INET, std.SOCK_DGRAM)
    narrow.setblocking(False)
    narrow.bind(("b", PORT + 1))
    exact = many.hosts[1].socket(std.AF_INET, std.SOCK_DGRAM)
    exact.setblocking(False)
    exact.bind(("10.0.255.255", PORT + 1))
    many.sender().sendto(b"all", ("10.0.255.255", PORT + 1))
    many.net.run()
    assert [received(narrow), received(exact)] == [[], [b"all"]]


# --- groups --------------------------------------------------------------------------------------

GROUP, GROUP6 = "239.1.2.3", "ff05::1:3"


def join(sock: Any) -> None:
    sock.setsockopt(std.IPPROTO_IP, std.IP_ADD_MEMBERSHIP, std.inet_aton(GROUP) + bytes(4))


def test_the_members_of_a_group_on_every_host_get_a_copy() -> None:
    """RFC 1112: b and c are members, a is not."""
    many = Many()
    for sock in many.socks[1:]:
        join(sock)
    many.sender().sendto(b"group", (GROUP, PORT))
    assert many.heard() == [[], [], []]
    many.net.run()
    assert many.heard() == [[], [b"group"], [b"group"]]
    assert many.net.now_ns == ms(10)


def test_the_own_host_hears_its_group_at_once_unless_it_does_not_loop() -> None:
    """ip(7), IP_MULTICAST_LOOP."""
    many = Many()
    join(many.socks[0])
    sender = many.sender()
    sender.sendto(b"1", (GROUP, PORT))
    assert many.heard()[0] == [b"1"]
    sender.setsockopt(std.IPPROTO_IP, std.IP_MULTICAST_LOOP, 0)
    sender.sendto(b"2", (GROUP, PORT))
    many.net.run()
    assert many.heard()[0] == []


def test_a_time_to_live_of_0_keeps_a_group_on_its_host() -> None:
    """RFC 1112, section 6.1; ip_mc_output."""
    many = Many()
    for sock in many.socks:
        join(sock)
    sender = many.sender()
    sender.setsockopt(std.IPPROTO_IP, std.IP_MULTICAST_TTL, 0)
    sender.sendto(b"x", (GROUP, PORT))
    many.net.run()
    assert many.heard() == [[b"x"], [], []]


def test_a_group_that_was_left_under_way_is_not_heard() -> None:
    """Membership counts on arrival."""
    many = Many()
    join(many.socks[1])
    many.sender().sendto(b"x", (GROUP, PORT))
    many.socks[1].setsockopt(std.IPPROTO_IP, std.IP_DROP_MEMBERSHIP, std.inet_aton(GROUP) + bytes(4))
    many.net.run()
    assert many.heard()[1] == []


def test_a_crash_ends_memberships() -> None:
    many = Many()
    join(many.socks[1])
    many.hosts[1].crash()
    many.hosts[1].restart()
    bystander = open_on(many.hosts[1], PORT)
    many.sender().sendto(b"x", (GROUP, PORT))
    many.net.run()
    assert received(bystander) == []


def test_groups_of_ipv6_reach_their_members() -> None:
    """RFC 4291, section 2.7: scope 5 is a site's, scope 1 stays on its host."""
    many = Many()
    members = [open_on(host, PORT + 1, std.AF_INET6) for host in many.hosts]
    near = "ff01::7"
    for sock in members:
        for group in (GROUP6, near):
            request = std.inet_pton(std.AF_INET6, group) + bytes(4)
            sock.setsockopt(std.IPPROTO_IPV6, std.IPV6_JOIN_GROUP, request)
    sender = open_on(many.hosts[0], 0, std.AF_INET6)
    sender.sendto(b"site", (GROUP6, PORT + 1))
    sender.sendto(b"node", (near, PORT + 1))
    many.net.run()
    data = [received(sock) for sock in members]
    assert data == [[b"site", b"node"], [b"site"], [b"site"]]


# --- programs ------------------------------------------------------------------------------------


class Echo(dispatcher):
    def __init__(self, port: int) -> None:
        super().__init__()
        self.create_socket(std.AF_INET, std.SOCK_DGRAM)
        self.bind(("", port))

    def handle_read(self) -> None:
        data, address = self.socket.recvfrom(1 << 16)
        self.socket.sendto(data.upper(), address)


class Asker(dispatcher):
    def __init__(self) -> None:
        super().__init__()
        self.create_socket(std.AF_INET, std.SOCK_DGRAM)
        self.answers: list[tuple[float, bytes]] = []
        self.socket.sendto(b"hello", ("server", PORT))

    def handle_read(self) -> None:
        self.answers.append((self._transport.network.now, self.socket.recv(1 << 16)))


def test_dispatchers_speak_udp() -> None:
    """create_socket() with SOCK_DGRAM; 2 x 20 ms."""
    world = World()
    with world.server:
        Echo(PORT)
    with world.client:
        asker = Asker()
    world.net.run()
    assert asker.answers == [(0.04, b"HELLO")]


def test_netstat_shows_the_sockets_of_udp() -> None:
    world = World()
    server, client = open_on(world.server, PORT), open_on(world.client, 4000)
    client.connect(("server", PORT))
    client.send(b"hello")
    world.net.run()
    rows = [line.split() for line in world.net.netstat().splitlines()]
    assert ["server", "3", "5", "0", f"0.0.0.0:{PORT}", "*", "UNCONN", f"server:{PORT}/udp"] in rows
    assert [
        *("client", "3", "0", "0", "10.0.0.2:4000", f"10.0.0.1:{PORT}", "ESTABLISHED", "client:4000/udp")
    ] in rows
    assert server.recv(10) == b"hello"


def test_a_socket_of_udp_says_its_name() -> None:
    assert "client:4000/udp" in repr(open_on(World().client, 4000))


def test_who_asked_for_no_port_is_called_by_the_order_in_which_a_host_gave_them() -> None:
    world = World()
    open_on(world.client, 2)
    first, second, third = (open_on(world.client) for _ in range(3))
    third.bind(("", 0))
    for sock in (first, second):
        sock.sendto(b"hello", ("server", PORT))
    other = open_on(world.server)
    other.sendto(b"hello", ("client", PORT))
    names = [repr(sock) for sock in (third, first, second, other)]
    # 2 is the port of another one.
    wanted = ["client:1/udp", "client:3/udp", "client:4/udp", "server:1/udp"]
    assert [name for name, want in zip(names, wanted, strict=True) if want not in name] == []


def test_the_name_counts_on_through_a_restart() -> None:
    world = World()
    open_on(world.client).sendto(b"hello", ("server", PORT))
    world.net.crash("client")
    world.net.restart("client")
    again = open_on(world.client)
    again.sendto(b"hello", ("server", PORT))
    assert "client:2/udp" in repr(again)


def test_a_script_names_a_socket_that_asked_for_no_port() -> None:
    net = Network(Script.of([parse("the 1st datagram of client:1/udp is lost")]))
    server = open_on(net.host("server"), PORT)
    client = open_on(net.host("client"))
    for word in (b"lost", b"here"):
        client.sendto(word, ("server", PORT))
    net.run()
    assert received(server) == [b"here"]
    assert net.unmet() == ()
