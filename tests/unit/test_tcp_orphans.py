"""Connections whose program has closed them, a close() that waits, and limits."""

from __future__ import annotations

import errno
import socket as std
import struct
from typing import Any

import pytest

from simnet import Network
from simnet.transport import IN, OUT, RDHUP
from tests.conformance.machine import outcome

from .two_hosts import CAPACITY, World, ms

TCP = std.IPPROTO_TCP


def linger(sock: Any, seconds: int) -> None:
    sock.setsockopt(std.SOL_SOCKET, std.SO_LINGER, struct.pack("ii", 1, seconds))


def held(world: World) -> list[str]:
    """The states of the client's connections that nobody has a descriptor of."""
    return [end.state_name for fd, end in world.client.sockets() if fd is None]


def test_a_closed_end_waits_60_seconds_for_the_fin_of_its_peer() -> None:
    """tcp_fin_timeout, from when our FIN was acknowledged: 2 x 20 ms after close()."""
    world = World()
    opener, accepted = world.pair()
    opener.close()
    world.pass_time(0.040 + 60 - 0.001)
    assert held(world) == ["FIN_WAIT_2"]
    world.pass_time(0.001)
    assert held(world) == []
    assert world.mask(accepted) == IN | OUT | RDHUP  # which knows nothing of that


def test_the_fin_of_a_peer_that_comes_too_late_is_answered_by_a_reset() -> None:
    """There is no such connection any more: RFC 9293, section 3.10.7.1."""
    world = World()
    opener, accepted = world.pair()
    opener.close()
    world.pass_time(61)
    accepted.shutdown(std.SHUT_WR)
    world.pass_time(0.040)
    assert accepted.getsockopt(std.SOL_SOCKET, std.SO_ERROR) == errno.ECONNRESET


def test_a_fin_in_time_leaves_time_wait() -> None:
    world = World()
    opener, accepted = world.pair()
    opener.close()
    world.pass_time(59)
    accepted.close()
    world.pass_time(1)
    assert held(world) == []
    assert len(world.client.ports.time_waits(world.net.now_ns)) == 1


def test_an_end_with_a_descriptor_waits_for_ever() -> None:
    """tcp_rcv_state_process: only without a socket is FIN_WAIT_2 timed."""
    world = World()
    opener, _accepted = world.pair()
    opener.shutdown(std.SHUT_WR)
    world.net.run()
    assert opener._end.state_name == "FIN_WAIT_2"
    opener.close()
    start = world.net.now_ns
    world.net.run()
    assert (held(world), world.net.now_ns) == ([], start + ms(60_000))


@pytest.mark.parametrize(("seconds", "lasts_s"), [(5, 5), (1000, 120), (0, 60)])
def test_how_long_a_fin_is_awaited_may_be_set(seconds: int, lasts_s: int) -> None:
    """tcp(7), TCP_LINGER2: 0 is the system's value, and 120 s the most."""
    world = World()
    opener, _accepted = world.pair()
    opener.setsockopt(TCP, std.TCP_LINGER2, seconds)
    opener.close()
    world.net.run()
    assert world.net.now_ns == ms(3 * 20) + ms(2 * 20) + ms(lasts_s * 1000)


def test_with_a_negative_time_a_closed_end_resets_instead_of_waiting() -> None:
    """do_tcp_setsockopt: TCP_LINGER2 below 0."""
    world = World()
    opener, accepted = world.pair()
    opener.setsockopt(TCP, std.TCP_LINGER2, -1)
    opener.close()
    world.net.run()
    assert held(world) == []
    assert accepted.getsockopt(std.SOL_SOCKET, std.SO_ERROR) == errno.EPIPE  # it had the FIN


def test_an_orphan_gives_up_after_8_retries() -> None:
    """tcp_orphan_retries: 200 ms, doubling, with a round trip each; what nobody waits for takes less time."""
    world = World()
    opener, _accepted = world.pair()
    world.net.partition("client", "server")
    opener.send(b"x")
    opener.close()
    start = world.net.now_ns
    world.net.run(until=lambda: not held(world))
    assert world.net.now_ns == start + sum(ms((200 << n) + 2 * 20) for n in range(9))


# --- SO_LINGER -----------------------------------------------------------------------------------


def test_close_waits_until_everything_has_arrived() -> None:
    """socket(7), SO_LINGER: the FIN and its acknowledgement, 2 x 20 ms."""
    world = World()
    opener, accepted = world.pair()
    linger(opener, 30)
    opener.send(b"x")
    start = world.net.now_ns
    opener.close()
    assert world.net.now_ns == start + ms(2 * 20)
    assert accepted.recv(10) == b"x"


def test_close_waits_no_longer_than_it_is_told() -> None:
    """The window is full and nobody reads: 3 s.  The connection lives on, and the data arrives."""
    world = World()
    opener, accepted = world.pair()
    linger(opener, 3)
    assert opener.send(bytes(CAPACITY)) == CAPACITY
    start = world.net.now_ns
    opener.close()
    assert world.net.now_ns == start + ms(3000)
    received = 0
    while chunk := accepted.recv(1 << 20):
        received += len(chunk)
        world.pass_time(1)
    assert received == CAPACITY


def test_a_descriptor_that_is_not_the_last_does_not_linger() -> None:
    world = World()
    opener, _accepted = world.pair()
    linger(opener, 30)
    twin = opener.dup()
    start = world.net.now_ns
    opener.close()
    assert world.net.now_ns == start
    twin.close()
    assert world.net.now_ns == start + ms(2 * 20)


def test_inside_a_handler_close_does_not_wait() -> None:
    world = World()
    opener, accepted = world.pair()
    linger(opener, 30)
    opener.send(b"x")
    world.net.at(1).call(opener.close)
    world.net.run(until=2)
    assert accepted.recv(10) == b"x"


# --- limits --------------------------------------------------------------------------------------


def test_without_memory_for_one_more_a_socket_is_enobufs() -> None:
    """socket(2), ENOBUFS: of the two, a connection that nobody has accepted is one."""
    net = Network()
    host = net.host("machine")
    world = World(net=net)
    served, opener = world.listener(), world.dial()
    world.until(served, IN)
    world.server.sockets_max = 2
    assert outcome(host.socket, std.AF_INET, std.SOCK_STREAM) != "ENOBUFS"
    assert outcome(world.server.socket, std.AF_INET, std.SOCK_STREAM) == "ENOBUFS"
    world.server.sockets_max = 3
    assert outcome(world.server.socket, std.AF_INET, std.SOCK_STREAM) != "ENOBUFS"
    assert opener is not None


def test_without_room_in_the_table_of_files_a_socket_is_enfile_and_accept_too() -> None:
    """socket(2) and accept(2), ENFILE; the connection stays in the queue."""
    world = World()
    served, opener = world.listener(), world.dial()
    world.until(served, IN)
    world.server.files_max = 1
    assert outcome(world.server.socket, std.AF_INET, std.SOCK_STREAM) == "ENFILE"
    assert outcome(served.accept) == "ENFILE"
    assert world.mask(served) == IN
    world.server.files_max = None
    accepted, _ = served.accept()
    assert accepted.getpeername() == opener.getsockname()
