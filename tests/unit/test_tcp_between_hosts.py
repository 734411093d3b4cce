"""What TCP does over links that take time: arithmetic in virtual time, the same on every machine."""

from __future__ import annotations

import errno
import socket as std

import pytest

from simnet import Network
from simnet.transport import ERR, IN, OUT, RDHUP
from simnet.virtual.kernel.sock import RECEIVE_BUFFER_BYTES
from tests.conformance.machine import mask_name, outcome

from .two_hosts import CAPACITY, DEAD, RESET, World, ms, read

# --- latency -------------------------------------------------------------------------------------


def test_a_connection_takes_a_round_trip_and_an_echo_another() -> None:
    """SYN, SYN+ACK, data, echo: 4 x 20 ms."""
    world = World()
    listener, opener = world.listener(), world.dial()
    assert world.until(opener, OUT) == ms(2 * 20)
    opener.send(b"hello")
    assert world.until(listener, IN) == ms(3 * 20)
    accepted, _ = listener.accept()
    accepted.setblocking(False)
    assert world.until(accepted, IN) == ms(3 * 20)
    accepted.send(accepted.recv(100))
    assert world.until(opener, IN) == ms(4 * 20)
    assert opener.recv(100) == b"hello"


def test_a_refusal_takes_a_round_trip() -> None:
    """SYN, RST: 2 x 20 ms."""
    world = World()
    opener = world.dial()
    assert world.until(opener, ERR) == ms(2 * 20)
    assert outcome(opener.recv, 1) == "ECONNREFUSED"


def test_a_fin_takes_one_latency_and_finds_the_data_before_it() -> None:
    world = World()
    opener, accepted = world.pair()
    start = world.net.now_ns
    opener.send(b"last words")
    opener.close()
    assert world.until(accepted, RDHUP) == start + ms(20)
    assert [accepted.recv(100), accepted.recv(100)] == [b"last words", b""]


def test_a_segment_that_meets_a_closed_end_is_answered_by_a_reset_after_a_round_trip() -> None:
    """FIN 20 ms, then data 20 ms and RST 20 ms: the second send, 40 ms after the first, is EPIPE."""
    world = World()
    opener, accepted = world.pair()
    accepted.close()
    world.pass_time(0.020)
    assert opener.send(b"1") == 1
    world.pass_time(0.039)
    assert opener.send(b"2") == 1  # the RST is still under way
    world.pass_time(0.001)
    assert mask_name(world.mask(opener)) == mask_name(DEAD)
    assert outcome(opener.send, b"3") == "EPIPE"


def test_links_differ_by_pair_and_hosts_without_one_have_the_default() -> None:
    net = Network(latency="5ms")
    for name in ("a", "b", "c"):
        net.host(name)
    net.link("a", "b", latency="30ms")
    times = {}
    for name in ("b", "c"):
        listener = net.host(name).socket()
        listener.bind(("", 1))
        listener.listen()
        sock = net.host("a").socket()
        sock.setblocking(False)
        sock.connect_ex((name, 1))
        start = net.now_ns
        poller = net.host("a").poller("poll")
        poller.watch(sock.fileno(), OUT)
        net.run(until=lambda poller=poller: poller.poll(0))
        times[name] = net.now_ns - start
    assert times == {"b": ms(60), "c": ms(10)}


def test_inside_one_host_nothing_takes_time() -> None:
    world = World()
    listener = world.listener()
    sock = world.socket(world.server)
    sock.connect_ex(("server", 80))
    assert mask_name(world.mask(sock)) == "OUT"
    sock.send(b"x")
    accepted, _ = listener.accept()
    accepted.setblocking(False)
    assert accepted.recv(1) == b"x"
    assert world.net.now_ns == 0


def test_a_shorter_latency_lets_nothing_overtake() -> None:
    """The link becomes faster while data is under way: the stream stays in order."""
    world = World(latency="100ms")
    opener, accepted = world.pair()
    opener.send(b"first ")
    world.net.link("client", "server", latency="1ms")
    opener.send(b"second ")
    world.pass_time(0.050)
    opener.send(b"third")
    world.pass_time(0.2)
    assert accepted.recv(100) == b"first second third"


# --- bandwidth -----------------------------------------------------------------------------------


def test_bandwidth_makes_serialisation_take_time() -> None:
    """1460 bytes at 1.168 Mbit/s take 10 ms: the first comes after 10 + 20 ms, the tenth after 100 + 20."""
    world = World(bandwidth=1_168_000)
    opener, accepted = world.pair()
    start = world.net.now_ns
    assert opener.send(bytes(14_600)) == 14_600
    assert world.until(accepted, IN) == start + ms(10 + 20)
    assert len(accepted.recv(100_000)) == 1460
    received = 1460
    while received < 14_600:
        world.until(accepted, IN)
        received += len(accepted.recv(100_000))
    assert world.net.now_ns == start + ms(100 + 20)


def test_two_connections_share_a_link() -> None:
    """Two senders of 1460 bytes, 10 ms each: the second one's arrive 10 ms after the first one's."""
    world = World(bandwidth=1_168_000)
    one, one_accepted = world.pair()
    two, two_accepted = world.pair(port=81)
    start = world.net.now_ns
    one.send(bytes(1460))
    two.send(bytes(1460))
    assert world.until(one_accepted, IN) == start + ms(10 + 20)
    assert world.until(two_accepted, IN) == start + ms(20 + 20)


def test_what_does_not_fit_into_the_queue_of_a_link_is_lost_and_sent_again() -> None:
    """Nothing is missing at the end, and a time-out of 200 ms + 2 x 20 ms was waited for at least once."""
    world = World(bandwidth=1_168_000, capacity=3000)
    opener, accepted = world.pair()
    start, sent = world.net.now_ns, bytes(range(256)) * 200
    assert opener.send(sent) == len(sent)
    opener.close()
    received = b""
    while piece := read(world, accepted):
        received += piece
    assert received == sent
    assert world.net.now_ns - start > ms(240)


# --- the window ----------------------------------------------------------------------------------


def test_a_full_window_gives_a_short_send_then_eagain_then_room_after_the_peer_read() -> None:
    """Both buffers are full; the peer reads all; its window update takes 20 ms."""
    world = World()
    opener, accepted = world.pair()
    assert opener.send(bytes(CAPACITY + 1000)) == CAPACITY
    assert outcome(opener.send, b"x") == "EAGAIN"
    assert world.mask(opener) == 0
    world.pass_time(1)
    assert world.mask(opener) == 0
    start = world.net.now_ns
    assert len(accepted.recv(1 << 20)) == RECEIVE_BUFFER_BYTES
    assert world.until(opener, OUT) == start + ms(20)
    assert opener.send(bytes(CAPACITY)) == RECEIVE_BUFFER_BYTES


def test_reading_a_little_makes_no_room_worth_telling() -> None:
    """sk_stream_is_writeable: writable again when a third is free."""
    world = World()
    opener, accepted = world.pair()
    opener.send(bytes(CAPACITY))
    world.pass_time(1)
    accepted.recv(CAPACITY // 3 - 1)
    world.pass_time(1)
    assert world.mask(opener) == 0
    accepted.recv(2)
    world.pass_time(0.020)
    assert world.mask(opener) == OUT


def test_bytes_beyond_the_window_come_a_round_trip_after_room_was_made() -> None:
    world = World()
    opener, accepted = world.pair()
    opener.send(bytes(RECEIVE_BUFFER_BYTES) + b"beyond")
    world.pass_time(1)
    assert len(accepted.recv(1 << 20)) == RECEIVE_BUFFER_BYTES
    start = world.net.now_ns
    assert world.until(accepted, IN) == start + ms(2 * 20)
    assert accepted.recv(100) == b"beyond"


def test_a_fin_waits_behind_bytes_beyond_the_window() -> None:
    world = World()
    opener, accepted = world.pair()
    opener.send(bytes(RECEIVE_BUFFER_BYTES) + b"beyond")
    opener.close()
    world.pass_time(1)
    assert mask_name(world.mask(accepted)) == "IN|OUT"
    accepted.recv(1 << 20)
    world.pass_time(0.040)
    assert mask_name(world.mask(accepted)) == "IN|OUT|RDHUP"
    assert [accepted.recv(100), accepted.recv(100)] == [b"beyond", b""]


def test_a_reset_destroys_bytes_beyond_the_window() -> None:
    world = World()
    opener, accepted = world.pair()
    opener.send(bytes(RECEIVE_BUFFER_BYTES) + b"beyond")
    world.pass_time(1)
    opener.setsockopt(std.SOL_SOCKET, std.SO_LINGER, RESET)
    opener.close()
    world.pass_time(0.020)
    assert len(accepted.recv(1 << 20)) == RECEIVE_BUFFER_BYTES
    assert [outcome(accepted.recv, 100) for _ in "12"] == ["ECONNRESET", b""]


def test_smaller_buffers_hold_less() -> None:
    """socket(7): SO_SNDBUF of the sender, SO_RCVBUF of the receiver's listener."""
    world = World()
    listener = world.listener()
    listener.setsockopt(std.SOL_SOCKET, std.SO_RCVBUF, 5000)
    opener = world.dial()
    opener.setsockopt(std.SOL_SOCKET, std.SO_SNDBUF, 3000)
    world.until(opener, OUT)
    assert opener.send(bytes(100_000)) == 3000 + 5000


# --- names, ports, identity ----------------------------------------------------------------------


def test_hosts_know_each_other_by_name_and_address() -> None:
    world = World()
    listener = world.listener()
    for name in ("server", world.server.address, b"server"):
        sock = world.socket(world.client)
        assert sock.connect_ex((name, 80)) == errno.EINPROGRESS
        world.until(sock, OUT)
        assert sock.getpeername() == (world.server.address, 80)
        world.until(listener, IN)
        accepted, address = listener.accept()
        assert address == sock.getsockname()
        assert address[0] == world.client.address
        assert accepted.getsockname() == (world.server.address, 80)


def test_two_hosts_have_ports_of_their_own() -> None:
    world = World()
    one, other = world.socket(world.client), world.socket(world.server)
    one.bind(("", 80))
    other.bind(("", 80))
    assert one.getsockname() == other.getsockname() == ("0.0.0.0", 80)


def test_localhost_is_each_hosts_own() -> None:
    world = World()
    world.listener()
    sock = world.socket(world.client)
    sock.connect_ex(("localhost", 80))
    assert outcome(sock.recv, 1) == "ECONNREFUSED"


def test_an_address_that_no_host_has_is_unreachable() -> None:
    """connect(2), ENETUNREACH: at once, and the socket stays as it was."""
    world = World()
    sock = world.socket(world.client)
    for address in ("10.0.0.99", "192.0.2.1", "224.0.0.1"):
        assert outcome(sock.connect, (address, 80)) == "ENETUNREACH"
    assert mask_name(world.mask(sock)) == "OUT|HUP"


def test_a_name_that_no_host_has_is_not_known() -> None:
    world = World()
    sock = world.socket(world.client)
    for call in (sock.connect, sock.bind):
        with pytest.raises(std.gaierror) as caught:
            call(("nobody", 80))
        assert caught.value.errno == std.EAI_NONAME
    with pytest.raises(std.gaierror):
        world.client.getaddrinfo("nobody", 80)


def test_a_loopback_source_reaches_no_other_host() -> None:
    """ip_route_output_key: a martian source is EINVAL."""
    world = World()
    sock = world.socket(world.client)
    sock.bind(("127.0.0.1", 0))
    assert outcome(sock.connect, ("server", 80)) == "EINVAL"


def test_a_host_cannot_bind_to_the_address_of_another() -> None:
    world = World()
    assert outcome(world.socket(world.client).bind, ("server", 0)) == "EADDRNOTAVAIL"


def test_two_syns_that_cross_make_one_connection() -> None:
    """RFC 9293, figure 8: each SYN 20 ms, each SYN+ACK 20 ms; nobody listens."""
    world = World()
    one, other = world.socket(world.client), world.socket(world.server)
    one.bind(("", 1))
    other.bind(("", 2))
    assert one.connect_ex(("server", 2)) == other.connect_ex(("client", 1)) == errno.EINPROGRESS
    assert world.until(one, OUT) == ms(2 * 20)
    assert mask_name(world.mask(other)) == "OUT"
    one.send(b"crossed")
    world.pass_time(0.020)
    assert other.recv(100) == b"crossed"
    other.close()
    world.pass_time(0.020)
    assert one.recv(1) == b""


def test_a_port_is_free_again_when_time_wait_is_over() -> None:
    """tcp(7): 60 s; the side that closed first waits, here since the other's FIN came (2 x 20 ms later)."""
    world = World()
    opener, accepted = world.pair()
    port = opener.getsockname()[1]
    opener.close()
    world.pass_time(0.020)
    accepted.close()
    world.pass_time(0.020)
    assert outcome(world.socket(world.client).bind, ("", port)) == "EADDRINUSE"
    world.pass_time(59.999)
    assert outcome(world.socket(world.client).bind, ("", port)) == "EADDRINUSE"
    world.pass_time(0.001)
    assert outcome(world.socket(world.client).bind, ("", port)) == "ok"


# --- a socket that is used again -----------------------------------------------------------------


def test_what_was_sent_to_a_former_connection_of_a_socket_does_not_reach_the_next() -> None:
    """The peer's bytes are under way when the socket is reset and connects anew."""
    world = World()
    net = world.net
    opener, accepted = world.pair()
    listener = world.listener(81)
    accepted.send(b"old")
    net.on("client", "send", nth=1).reset()
    assert outcome(opener.send, b"x") == "ECONNRESET"
    assert [outcome(opener.connect, ("server", 81)) for _ in "12"] == ["ECONNABORTED", "EINPROGRESS"]
    world.until(opener, OUT)
    world.until(listener, IN)
    fresh, _ = listener.accept()
    fresh.send(b"new")
    world.pass_time(1)
    assert opener.recv(100) == b"new"
    assert outcome(accepted.recv, 100) == "ECONNRESET"


def test_an_answer_to_a_former_attempt_does_not_connect_the_next() -> None:
    """shutdown() while the SYN is under way; the next attempt goes where nobody listens."""
    world = World()
    listener = world.listener()
    sock = world.dial()
    world.pass_time(0.010)
    sock.shutdown(std.SHUT_RDWR)
    assert sock.connect_ex(("server", 9)) == errno.EINPROGRESS
    world.pass_time(0.035)
    assert world.mask(sock) == 0  # the SYN+ACK of the first attempt came at 40 ms
    world.pass_time(0.005)
    assert outcome(sock.recv, 1) == "ECONNREFUSED"
    world.pass_time(1)
    assert world.mask(listener) == 0


def test_a_socket_that_connects_elsewhere_is_called_by_its_new_name() -> None:
    world = World()
    sock = world.dial(port=1)
    world.pass_time(1)
    assert outcome(sock.recv, 1) == "ECONNREFUSED"
    assert [outcome(sock.connect, ("server", 2)) for _ in "12"] == ["ECONNABORTED", "EINPROGRESS"]
    assert "client:1 -> server:2" in world.net.netstat()
