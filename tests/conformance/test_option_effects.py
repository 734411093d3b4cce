"""What options do: SO_RCVLOWAT, SO_LINGER, TCP_NODELAY, SO_REUSEPORT (socket(7), tcp(7))."""

from __future__ import annotations

import socket as std
import struct
from typing import Any

import pytest

from simnet.transport import IN, OUT, RDHUP

from .machine import Machine, outcome
from .sockets import SIOCOUTQ, arrived, integer, pair, udp, unix

SOL, TCP = std.SOL_SOCKET, std.IPPROTO_TCP


def fresh(m: Machine, family: int = std.AF_INET) -> Any:
    """A TCP socket on which nothing was set, Nagle's algorithm included."""
    sock = m.open(family, std.SOCK_STREAM)
    sock.setsockopt(TCP, std.TCP_NODELAY, 0)
    return sock


# --- SO_RCVLOWAT ---------------------------------------------------------------------------------


def test_rcvlowat_delays_readability_and_recv_ignores_it(machine: Machine) -> None:
    """socket(7), SO_RCVLOWAT: since Linux 2.6.28 select() and poll() indicate it; recv() may return less."""
    one, other = machine.pair()
    other.setsockopt(SOL, std.SO_RCVLOWAT, 5)
    one.send(b"abc")
    arrived(machine, other, 3)
    assert machine.mask(other) == "OUT"
    assert machine.modules.select.select([other], [], [], 0) == ([], [], [])
    assert other.recv(1) == b"a"
    one.send(b"defg")
    arrived(machine, other, 6)
    assert machine.mask(other) == "IN|OUT"
    assert other.recv(10) == b"bcdefg"


def test_the_end_overrides_rcvlowat(machine: Machine) -> None:
    """tcp_stream_is_readable, or RCV_SHUTDOWN."""
    one, other = machine.pair()
    other.setsockopt(SOL, std.SO_RCVLOWAT, 5)
    one.send(b"a")
    arrived(machine, other, 1)
    assert machine.mask(other) == "OUT"
    one.shutdown(std.SHUT_WR)
    machine.wait_for(other, IN | OUT | RDHUP)


def test_rcvlowat_of_0_is_1_and_of_less_is_the_most(machine: Machine) -> None:
    """sk_setsockopt: 0 becomes 1; a negative value the largest int, which tcp_set_rcvlowat cuts down."""
    sock = fresh(machine)
    for value, least, most in ((0, 1, 1), (3, 3, 3), (-1, 1 << 16, (1 << 31) - 1)):
        sock.setsockopt(SOL, std.SO_RCVLOWAT, value)
        assert least <= sock.getsockopt(SOL, std.SO_RCVLOWAT) <= most


def test_a_datagram_is_readable_whatever_rcvlowat_says(machine: Machine) -> None:
    """udp_poll knows datagrams, not bytes."""
    one, other = udp(machine), udp(machine)
    other.setsockopt(SOL, std.SO_RCVLOWAT, 100)
    one.sendto(b"x", other.getsockname())
    machine.wait_for(other, IN | OUT)


def test_there_is_no_setting_of_sndlowat(machine: Machine) -> None:
    """socket(7), SO_SNDLOWAT: not changeable on Linux, always 1."""
    sock = fresh(machine)
    so_sndlowat = 19
    assert sock.getsockopt(SOL, so_sndlowat) == 1
    assert outcome(sock.setsockopt, SOL, so_sndlowat, 2) == "ENOPROTOOPT"


# --- SO_LINGER -----------------------------------------------------------------------------------


def linger(on: int, seconds: int) -> bytes:
    return struct.pack("ii", on, seconds)


def test_linger_is_off_at_first_and_takes_two_ints(machine: Machine, family: int) -> None:
    """socket(7), SO_LINGER: l_onoff and l_linger; a shorter buffer is EINVAL."""
    sock = fresh(machine, family)
    assert sock.getsockopt(SOL, std.SO_LINGER, 8) == linger(0, 0)
    sock.setsockopt(SOL, std.SO_LINGER, linger(7, 5))
    assert sock.getsockopt(SOL, std.SO_LINGER, 8) == linger(1, 5)
    sock.setsockopt(SOL, std.SO_LINGER, linger(0, 9))
    assert sock.getsockopt(SOL, std.SO_LINGER, 8)[:4] == struct.pack("i", 0)
    assert outcome(sock.setsockopt, SOL, std.SO_LINGER, 1) == "EINVAL"


def test_close_lingers_until_the_peer_has_taken_the_data(machine: Machine) -> None:
    """socket(7), SO_LINGER: with nothing queued close() returns at once, whatever the time."""
    one, other = machine.pair()
    one.setsockopt(SOL, std.SO_LINGER, linger(1, 30))
    started_s = machine.now_s()
    one.close()
    assert machine.now_s() - started_s < 5
    machine.wait_for(other, IN | OUT | RDHUP)


def test_close_of_a_non_blocking_socket_lingers_too(machine: Machine) -> None:
    """inet_release and tcp_close: O_NONBLOCK is not asked; unsent data is waited for, for 1 s here."""
    one, other = machine.pair()
    while isinstance(outcome(one.send, bytes(1 << 20)), int):
        pass
    one.setsockopt(SOL, std.SO_LINGER, linger(1, 1))
    started_s = machine.now_s()
    one.close()
    assert 0.9 < machine.now_s() - started_s < 3
    assert machine.poll_mask(other) & IN


def test_zero_linger_of_a_listener_does_nothing(machine: Machine) -> None:
    """tcp_close in LISTEN."""
    listener = machine.listener()
    listener.setsockopt(SOL, std.SO_LINGER, linger(1, 0))
    name = listener.getsockname()
    listener.close()
    assert outcome(machine.socket().connect, name) == "EINPROGRESS"


def test_unix_sockets_do_not_linger(machine: Machine) -> None:
    """unix_release_sock: the option is kept, and a time of 0 resets nothing."""
    one, other = pair(machine)
    one.setsockopt(SOL, std.SO_LINGER, linger(1, 0))
    one.send(b"x")
    one.close()
    assert [outcome(other.recv, 10), outcome(other.recv, 10)] == [b"x", b""]


# --- Nagle ---------------------------------------------------------------------------------------


def test_nodelay_sends_small_pieces_at_once(machine: Machine) -> None:
    """tcp(7), TCP_NODELAY: segments are sent as soon as possible, even with little data."""
    one, other = machine.pair()
    for number in range(5):
        one.send(b"x")
        arrived(machine, other, number + 1)


def test_sending_an_empty_queue_is_not_delayed(machine: Machine, family: int) -> None:
    """RFC 896: Nagle's algorithm holds back only while something is unacknowledged."""
    one, other = machine.over(family).pair()
    one.setsockopt(TCP, std.TCP_NODELAY, 0)
    one.send(b"x")
    assert machine.eventually(lambda: machine.poll_mask(other) == IN | OUT)


def test_siocoutq_is_what_the_peer_has_not_acknowledged(machine: Machine) -> None:
    """tcp(7), SIOCOUTQ: with the delayed ACK it goes back to 0 (RFC 1122, section 4.2.3.2)."""
    one, _ = machine.pair()
    assert integer(machine, one, SIOCOUTQ) == 0
    one.send(b"abc")
    assert machine.eventually(lambda: integer(machine, one, SIOCOUTQ) == 0)


# --- SO_ACCEPTCONN, SO_REUSEPORT -----------------------------------------------------------------


def test_so_acceptconn_is_1_while_a_socket_listens(machine: Machine, family: int) -> None:
    """socket(7), SO_ACCEPTCONN."""
    listener = machine.over(family).listener()
    assert listener.getsockopt(SOL, std.SO_ACCEPTCONN) == 1
    listener.shutdown(std.SHUT_RD)
    assert listener.getsockopt(SOL, std.SO_ACCEPTCONN) == 0


def test_listeners_with_reuseport_share_the_connections(machine: Machine, family: int) -> None:
    """socket(7), SO_REUSEPORT: which gets which is a hash; together they get all."""
    machine.over(family)
    first, second = fresh(machine, family), fresh(machine, family)
    for sock in (first, second):
        sock.setsockopt(SOL, std.SO_REUSEPORT, 1)
        sock.bind(first.getsockname() if sock is second else (machine.address, 0))
    for sock in (first, second):
        assert outcome(sock.listen, 50) == "ok"
    clients = [machine.connecting(first.getsockname()) for _ in range(16)]
    for client in clients:
        machine.wait_for(client, OUT)
    names = []
    for listener in (first, second):
        while machine.poll_mask(listener) & IN:
            names.append(machine.accept(listener).getpeername())
    assert sorted(names) == sorted(client.getsockname() for client in clients)


def test_reuseport_must_be_set_by_both(machine: Machine, family: int) -> None:
    """socket(7), SO_REUSEPORT: each must set it before bind()."""
    machine.over(family)
    first, second = fresh(machine, family), fresh(machine, family)
    first.setsockopt(SOL, std.SO_REUSEPORT, 1)
    first.bind((machine.address, 0))
    assert outcome(second.bind, first.getsockname()) == "EADDRINUSE"
    second.setsockopt(SOL, std.SO_REUSEADDR, 1)
    assert outcome(second.bind, first.getsockname()) == "EADDRINUSE"
    second.setsockopt(SOL, std.SO_REUSEPORT, 1)
    assert outcome(second.bind, first.getsockname()) == "ok"


def test_unix_sockets_do_not_share_a_port(machine: Machine) -> None:
    """sk_setsockopt: SO_REUSEPORT is EOPNOTSUPP where there are no ports."""
    assert outcome(unix(machine).setsockopt, SOL, std.SO_REUSEPORT, 1) == "ENOTSUP"


@pytest.mark.parametrize("kind", [std.SOCK_STREAM, std.SOCK_DGRAM])
def test_flags_of_unix_sockets_are_kept(machine: Machine, kind: int) -> None:
    """sk_setsockopt is the same for every family."""
    sock = unix(machine, kind)
    for option in (std.SO_REUSEADDR, std.SO_KEEPALIVE, std.SO_BROADCAST, std.SO_OOBINLINE):
        assert sock.getsockopt(SOL, option) == 0
        sock.setsockopt(SOL, option, 1)
        assert sock.getsockopt(SOL, option) == 1


def test_reuse_of_a_port_may_be_taken_back_where_there_are_no_ports(machine: Machine) -> None:
    """sk_setsockopt: only a value that is not 0 is EOPNOTSUPP."""
    assert outcome(unix(machine).setsockopt, SOL, std.SO_REUSEPORT, 0) == "ok"
