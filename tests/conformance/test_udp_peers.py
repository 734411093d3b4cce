"""UDP with a peer and without: who is heard, who refuses, and what shutdown(2) does (udp(7), connect(2))."""

from __future__ import annotations

import errno
import socket as std
import struct
from typing import Any

from simnet.transport import ERR, HUP, IN, OUT, RDHUP

from .machine import Machine, outcome
from .sockets import (
    ANY,
    LARGEST_DATAGRAM,
    error_of,
    loopback,
    refusal,
    take,
    udp,
    udp_closed_address,
    udp_pair,
    until_refused,
)

RECVERR = {std.AF_INET: (std.IPPROTO_IP, 11), std.AF_INET6: (std.IPPROTO_IPV6, 25)}
"""IP_RECVERR and IPV6_RECVERR, as level and number."""


def refused(m: Machine, family: int) -> Any:
    """A connected socket with a pending refusal: one datagram was sent to where nobody listens."""
    sock = m.open(family, std.SOCK_DGRAM)
    sock.connect(udp_closed_address(m, family))
    refusal(m, sock)
    return sock


def told(m: Machine, sock: Any, data: bytes, nobody: Any) -> None:
    """Send to nobody, and have it in the queue of errors."""
    until_refused(m, lambda: sock.sendto(data, nobody), lambda: m.poll_mask(sock) & ERR)
    m.wait_for(sock, OUT | ERR)


def wants_errors(m: Machine, family: int) -> Any:
    """A bound socket with a queue of errors."""
    sock = udp(m, family)
    assert sock.getsockopt(*RECVERR[family]) == 0
    sock.setsockopt(*RECVERR[family], 1)
    return sock


# --- connected and not ---------------------------------------------------------------------------


def test_send_without_a_destination_is_edestaddrreq(machine: Machine, family: int) -> None:
    """send(2), EDESTADDRREQ: not connection-mode, and no peer address is set."""
    assert outcome(udp(machine, family).send, b"x") == "EDESTADDRREQ"


def test_a_connected_socket_hears_its_peer_and_what_was_queued_before(machine: Machine, family: int) -> None:
    """connect(2): the only address from which datagrams are received, from then on."""
    sock, peer, other = (udp(machine, family) for _ in "123")
    other.sendto(b"before", sock.getsockname())
    machine.wait_for(sock, IN | OUT)
    sock.connect(peer.getsockname())
    other.sendto(b"dropped", sock.getsockname())
    peer.sendto(b"heard", sock.getsockname())
    assert take(machine, sock) == (b"before", other.getsockname())
    assert take(machine, sock) == (b"heard", peer.getsockname())
    assert outcome(sock.recv, 1) == "EAGAIN"


def test_a_connected_socket_may_send_elsewhere(machine: Machine, family: int) -> None:
    """send(2): EISCONN is for connection-mode sockets; on Linux the given address wins."""
    sock, peer, other = (udp(machine, family) for _ in "123")
    sock.connect(peer.getsockname())
    assert sock.sendto(b"aside", other.getsockname()) == 5
    assert take(machine, other) == (b"aside", sock.getsockname())
    assert machine.mask(peer) == "OUT"


def test_a_datagram_socket_may_connect_again(machine: Machine, family: int) -> None:
    """connect(2): connectionless sockets may connect several times to change their association."""
    sock, first, second = (udp(machine, family) for _ in "123")
    sock.connect(first.getsockname())
    assert outcome(sock.connect, second.getsockname()) == "ok"
    assert sock.getpeername() == second.getsockname()
    sock.send(b"x")
    assert take(machine, second)[0] == b"x"


def test_a_connected_socket_is_not_there_for_strangers(machine: Machine, family: int) -> None:
    """udp_rcv: no socket matches, so the answer is port unreachable (RFC 1122, section 4.1.3.1)."""
    sock, peer, stranger = (udp(machine, family) for _ in "123")
    sock.connect(peer.getsockname())
    stranger.connect(sock.getsockname())
    refusal(machine, stranger)
    assert outcome(stranger.recv, 1) == "ECONNREFUSED"
    assert outcome(sock.recv, 1) == "EAGAIN"


# --- refusals ------------------------------------------------------------------------------------


def test_a_refusal_is_pending_until_somebody_asks(machine: Machine, family: int) -> None:
    """udp(7): ICMP errors of a connected socket are passed to the next call."""
    sock = refused(machine, family)
    assert outcome(sock.recv, 1) == "ECONNREFUSED"
    assert outcome(sock.recv, 1) == "EAGAIN"
    assert machine.mask(sock) == "OUT"


def test_a_send_that_reports_a_refusal_sends_nothing(machine: Machine, family: int) -> None:
    """sock_alloc_send_skb returns the pending error first."""
    sock = refused(machine, family)
    server = machine.open(family, std.SOCK_DGRAM)
    server.bind(sock.getpeername())
    assert outcome(sock.send, b"2") == "ECONNREFUSED"
    assert sock.send(b"3") == 1
    assert take(machine, server)[0] == b"3"
    assert outcome(server.recv, 1) == "EAGAIN"


def test_every_other_send_to_nobody_is_refused(machine: Machine, family: int) -> None:
    """One call provokes the ICMP message, the next one reports it."""
    for _ in range(machine.attempts):
        sock, answers = refused(machine, family), []
        for _ in range(4):
            answers.append(outcome(sock.send, b"x"))
            machine.eventually(lambda sock=sock: machine.poll_mask(sock) & ERR, 0.05 * (answers[-1] == 1))
        if answers == ["ECONNREFUSED", 1, "ECONNREFUSED", 1]:
            break
    assert answers == ["ECONNREFUSED", 1, "ECONNREFUSED", 1]


def test_so_error_takes_a_refusal(machine: Machine, family: int) -> None:
    """socket(7), SO_ERROR."""
    sock = refused(machine, family)
    assert [error_of(sock), error_of(sock)] == ["ECONNREFUSED", "-"]
    assert machine.mask(sock) == "OUT"
    assert sock.send(b"x") == 1


def test_a_refusal_survives_connect_to_somebody_else(machine: Machine, family: int) -> None:
    """__ip4_datagram_connect does not look at sk_err."""
    sock = refused(machine, family)
    assert outcome(sock.connect, udp(machine, family).getsockname()) == "ok"
    assert outcome(sock.recv, 1) == "ECONNREFUSED"


def test_a_refusal_is_reported_before_the_data_that_came_first(machine: Machine, family: int) -> None:
    """__skb_wait_for_more_packets and sock_error: sk_err is asked before the queue."""
    sock, friend = udp(machine, family), udp(machine, family)
    friend.sendto(b"data", sock.getsockname())
    machine.wait_for(sock, IN | OUT)
    sock.connect(udp_closed_address(machine, family))
    refusal(machine, sock, IN | OUT | ERR)
    assert outcome(sock.recv, 10) == "ECONNREFUSED"
    assert outcome(sock.recv, 10) == b"data"


def test_sendto_of_a_connected_socket_reports_the_refusal_too(machine: Machine, family: int) -> None:
    """The error belongs to the socket, not to the destination."""
    sock, other = refused(machine, family), udp(machine, family)
    assert outcome(sock.sendto, b"x", other.getsockname()) == "ECONNREFUSED"
    assert outcome(sock.sendto, b"x", other.getsockname()) == 1


def test_an_unconnected_socket_is_not_told_of_refusals(machine: Machine, family: int) -> None:
    """udp(7): without IP_RECVERR, errors are passed to connected sockets only."""
    sock = udp(machine, family)
    assert sock.sendto(b"x", udp_closed_address(machine, family)) == 1
    marker = udp(machine, family)
    sock.sendto(b"marker", marker.getsockname())
    take(machine, marker)
    assert machine.mask(sock) == "OUT"
    assert outcome(sock.recv, 1) == "EAGAIN"
    assert error_of(sock) == "-"


def test_a_peer_that_closed_refuses(machine: Machine, family: int) -> None:
    """There is no end of a datagram socket to notice: only the next datagram that finds nobody."""
    one, other = udp_pair(machine, family)
    other.close()
    assert machine.mask(one) == "OUT"
    refusal(machine, one)
    assert outcome(one.send, b"x") == "ECONNREFUSED"


def test_with_recverr_an_unconnected_socket_is_told_of_refusals(machine: Machine, family: int) -> None:
    """ip(7), IP_RECVERR: the error is pending, and the queue of errors holds the datagram."""
    sock, nobody = wants_errors(machine, family), udp_closed_address(machine, family)
    told(machine, sock, b"x", nobody)
    assert outcome(sock.recv, 1) == "ECONNREFUSED"
    assert machine.mask(sock) == "OUT|ERR"
    assert sock.recvmsg(10, 0, std.MSG_ERRQUEUE) == (b"x", [], std.MSG_ERRQUEUE | std.MSG_CTRUNC, nobody)
    assert machine.mask(sock) == "OUT"
    assert outcome(sock.recvmsg, 10, 0, std.MSG_ERRQUEUE) == "EAGAIN"


def test_an_error_says_what_it_is_and_who_says_so(machine: Machine, family: int) -> None:
    """ip(7), struct sock_extended_err, SO_EE_OFFENDER: ICMP type 3 and code 3; ICMPv6 type 1 and code 4."""
    sock, nobody = wants_errors(machine, family), udp_closed_address(machine, family)
    told(machine, sock, b"abc", nobody)
    data, [(level, kind, item)], _, _ = sock.recvmsg(2, 200, std.MSG_ERRQUEUE)
    what = {std.AF_INET: (2, 3, 3), std.AF_INET6: (3, 1, 4)}[family]
    assert data == b"ab"
    assert (level, kind) == RECVERR[family]
    assert struct.unpack("=IBBBxII", item[:16]) == (errno.ECONNREFUSED, *what, 0, 0)
    at = {std.AF_INET: 20, std.AF_INET6: 24}[family]
    packed = std.inet_pton(family, nobody[0])
    assert item[16:18] == struct.pack("=H", family)
    assert item[at : at + len(packed)] == packed


def test_reading_one_error_makes_the_next_one_pending(machine: Machine, family: int) -> None:
    """sock_dequeue_err_skb."""
    sock, nobody = wants_errors(machine, family), udp_closed_address(machine, family)
    for data in (b"1", b"2"):
        until_refused(machine, lambda data=data: sock.sendto(data, nobody), lambda: error_of(sock) != "-")
    assert sock.recvmsg(9, 0, std.MSG_ERRQUEUE)[0] == b"1"
    assert error_of(sock) == "ECONNREFUSED"
    assert sock.recvmsg(9, 0, std.MSG_ERRQUEUE)[0] == b"2"
    assert error_of(sock) == "-"
    assert machine.mask(sock) == "OUT"


def test_what_is_too_long_is_an_error_to_be_read_too(machine: Machine, family: int) -> None:
    """ip_local_error: it is not pending, and comes from this host's kernel."""
    sock, other = wants_errors(machine, family), udp(machine, family)
    assert outcome(sock.sendto, bytes(LARGEST_DATAGRAM[family] + 1), other.getsockname()) == "EMSGSIZE"
    assert machine.mask(sock) == "OUT|ERR"
    assert error_of(sock) == "-"
    data, [(_, _, item)], _, _ = sock.recvmsg(9, 200, std.MSG_ERRQUEUE)
    assert data == b""
    assert struct.unpack("=IB", item[:5]) == (errno.EMSGSIZE, 1)


def test_who_wants_no_errors_any_more_loses_those_that_wait(machine: Machine, family: int) -> None:
    """IP_RECVERR of 0 purges the queue; the pending error stays."""
    sock, nobody = wants_errors(machine, family), udp_closed_address(machine, family)
    told(machine, sock, b"x", nobody)
    sock.setsockopt(*RECVERR[family], 0)
    assert outcome(sock.recvmsg, 9, 0, std.MSG_ERRQUEUE) == "EAGAIN"
    assert outcome(sock.recv, 1) == "ECONNREFUSED"
    assert machine.mask(sock) == "OUT"


# --- shutdown, and what datagrams have not -------------------------------------------------------


def test_shutdown_needs_a_peer(machine: Machine, family: int) -> None:
    """shutdown(2), ENOTCONN."""
    for how in (std.SHUT_RD, std.SHUT_WR, std.SHUT_RDWR):
        assert outcome(udp(machine, family).shutdown, how) == "ENOTCONN"


def test_a_shutdown_that_fails_marks_the_socket_all_the_same(machine: Machine, family: int) -> None:
    """inet_shutdown: ENOTCONN, and sk_shutdown is set; it stays over connect()."""
    sock, peer = udp(machine, family), udp(machine, family)
    assert outcome(sock.shutdown, std.SHUT_RDWR) == "ENOTCONN"
    machine.wait_for(sock, IN | OUT | HUP | RDHUP)
    assert outcome(sock.sendto, b"x", peer.getsockname()) == "EPIPE"
    sock.connect(peer.getsockname())
    assert outcome(sock.send, b"x") == "EPIPE"
    peer.sendto(b"x", sock.getsockname())
    assert machine.eventually(lambda: outcome(sock.recv, 1) == b"x")


def test_shut_rd_shows_in_the_mask_and_lets_datagrams_through(machine: Machine, family: int) -> None:
    """udp_poll and __skb_recv_udp: recv() of a non-blocking socket says EAGAIN, never EOF."""
    one, other = udp_pair(machine, family)
    assert outcome(one.shutdown, std.SHUT_RD) == "ok"
    machine.wait_for(one, IN | OUT | RDHUP)
    assert outcome(one.recv, 1) == "EAGAIN"
    assert other.send(b"x") == 1
    assert machine.eventually(lambda: outcome(one.recv, 1) == b"x")


def test_shut_wr_makes_send_say_epipe(machine: Machine, family: int) -> None:
    """send(2), EPIPE: the local end has been shut down; the peer knows nothing."""
    one, other = udp_pair(machine, family)
    assert outcome(one.shutdown, std.SHUT_WR) == "ok"
    assert outcome(one.send, b"x") == "EPIPE"
    assert outcome(one.sendto, b"x", other.getsockname()) == "EPIPE"
    assert machine.mask(one) == machine.mask(other) == "OUT"
    assert outcome(one.shutdown, std.SHUT_RD) == "ok"
    machine.wait_for(one, IN | OUT | HUP | RDHUP)


def test_datagram_sockets_do_not_listen_or_accept(machine: Machine, family: int) -> None:
    """listen(2) and accept(2), EOPNOTSUPP."""
    sock = udp(machine, family)
    assert outcome(sock.listen, 5) == "ENOTSUP"
    assert outcome(sock.accept) == "ENOTSUP"


def test_port_0_is_no_destination_for_sendto(machine: Machine, family: int) -> None:
    """udp_sendmsg: EINVAL."""
    address = (loopback(machine, family), 0)
    assert outcome(udp(machine, family).sendto, b"x", address) == "EINVAL"


def test_a_socket_connected_to_port_0_sends_to_nobody_and_has_no_peer(machine: Machine, family: int) -> None:
    """__ip4_datagram_connect takes any port; inet_getname wants one; the datagram is refused."""
    sock = udp(machine, family)
    assert outcome(sock.connect, (loopback(machine, family), 0)) == "ok"
    assert outcome(sock.getpeername) == "ENOTCONN"
    refusal(machine, sock)
    assert outcome(sock.send, b"x") == "ECONNREFUSED"


def test_the_wildcard_as_a_destination_is_loopback(machine: Machine, family: int) -> None:
    """ip(7), INADDR_ANY; ip_route_output_key: no destination is loopback."""
    sock = machine.open(family, std.SOCK_DGRAM)
    sock.bind((ANY[family], 0))
    sender = machine.open(family, std.SOCK_DGRAM)
    assert sender.sendto(b"x", (ANY[family], sock.getsockname()[1])) == 1
    data, (host, *_) = take(machine, sock)
    assert (data, host) == (b"x", {std.AF_INET: "127.0.0.1", std.AF_INET6: "::1"}[family])
