"""AF_UNIX streams: connected at once, and ending otherwise than TCP's (unix(7), net/unix/af_unix.c)."""

from __future__ import annotations

import socket as std

import pytest

from simnet.transport import ERR, HUP, IN, OUT, RDHUP

from .machine import Machine, outcome
from .sockets import (
    SIOCOUTQ,
    arrived,
    drain,
    error_of,
    fill,
    integer,
    pair,
    unix,
    unix_connected,
    unix_listener,
    unix_pair,
)

ENDED = "IN|OUT|HUP|RDHUP"


# --- connecting ----------------------------------------------------------------------------------


def test_a_fresh_unix_stream_says_other_errors_than_tcp(machine: Machine) -> None:
    """unix_stream_read_generic: EINVAL where TCP says ENOTCONN; unix_stream_sendmsg: ENOTCONN for EPIPE."""
    sock = unix(machine)
    assert machine.mask(sock) == "OUT|HUP"
    assert outcome(sock.recv, 1) == "EINVAL"
    assert outcome(sock.send, b"x") == "ENOTCONN"


def test_connect_is_complete_when_it_returns(machine: Machine) -> None:
    """unix_stream_connect: there is no EINPROGRESS; accept() is not waited for."""
    listener, sock = unix_listener(machine), unix(machine)
    assert outcome(sock.connect, listener.getsockname()) == "ok"
    assert machine.mask(sock) == "OUT"
    assert outcome(sock.connect, listener.getsockname()) == "EISCONN"
    assert sock.getpeername() == listener.getsockname()


def test_connect_ex_returns_0_at_once(machine: Machine) -> None:
    """The socket module."""
    assert unix(machine).connect_ex(unix_listener(machine).getsockname()) == 0


def test_a_full_backlog_is_eagain_at_once_and_nothing_to_wait_for(machine: Machine) -> None:
    """connect(2), EAGAIN; the queue admits backlog + 1, and poll() says OUT|HUP of who was turned away."""
    listener = unix_listener(machine, backlog=1)
    sockets = [unix(machine) for _ in range(4)]
    answers = [outcome(sock.connect, listener.getsockname()) for sock in sockets]
    assert answers == ["ok", "ok", "EAGAIN", "EAGAIN"]
    assert machine.mask(sockets[2]) == "OUT|HUP"
    machine.keep(listener.accept()[0])
    assert outcome(sockets[2].connect, listener.getsockname()) == "ok"


def test_listen_again_makes_room(machine: Machine) -> None:
    """unix_listen sets sk_max_ack_backlog."""
    listener, sock = unix_listener(machine, backlog=0), unix(machine)
    unix_connected(machine, listener)
    assert outcome(sock.connect, listener.getsockname()) == "EAGAIN"
    listener.listen(1)
    assert outcome(sock.connect, listener.getsockname()) == "ok"


def test_data_sent_before_accept_waits_for_it(machine: Machine) -> None:
    """The connection exists from connect() on."""
    listener = unix_listener(machine)
    opener = unix_connected(machine, listener)
    assert opener.send(b"early") == 5
    opener.close()
    assert machine.mask(listener) == "IN"
    accepted = machine.keep(listener.accept()[0])
    assert [accepted.recv(10), accepted.recv(10)] == [b"early", b""]


def test_accept_gives_connections_in_their_order_and_then_eagain(machine: Machine) -> None:
    """accept(2)."""
    listener = unix_listener(machine)
    for letter in (b"a", b"b", b"c"):
        unix_connected(machine, listener).send(letter)
    assert [machine.keep(listener.accept()[0]).recv(1) for _ in "123"] == [b"a", b"b", b"c"]
    assert outcome(listener.accept) == "EAGAIN"
    assert machine.mask(listener) == "-"


def test_closing_a_unix_listener_resets_who_waits(machine: Machine) -> None:
    """unix_release_sock: every embryo is released, and its peer gets ECONNRESET."""
    listener = unix_listener(machine)
    waiting = unix_connected(machine, listener)
    listener.close()
    assert machine.mask(waiting) == "IN|OUT|ERR|HUP|RDHUP"
    assert [outcome(waiting.recv, 1), outcome(waiting.recv, 1)] == ["ECONNRESET", b""]


def test_closing_a_unix_listener_disturbs_no_accepted_connection(machine: Machine) -> None:
    """They are sockets of their own."""
    listener = unix_listener(machine)
    one, other = unix_pair(machine, listener)
    listener.close()
    assert one.send(b"x") == 1
    assert other.recv(1) == b"x"
    assert machine.mask(one) == "OUT"


def test_listen_wants_a_name(machine: Machine) -> None:
    """unix_listen: EINVAL for an unnamed socket; TCP would bind it."""
    assert outcome(unix(machine).listen, 5) == "EINVAL"


def test_listen_and_accept_are_for_the_right_unix_sockets_only(machine: Machine) -> None:
    """listen(2), accept(2), EINVAL."""
    listener = unix_listener(machine)
    one, other = unix_pair(machine, listener)
    assert outcome(unix(machine).accept) == "EINVAL"
    assert outcome(one.accept) == "EINVAL"
    assert outcome(one.listen, 5) == "EINVAL"
    assert outcome(other.listen, 5) == "EINVAL"
    assert outcome(listener.connect, listener.getsockname()) == "EINVAL"
    assert outcome(listener.recv, 1) == "EINVAL"
    assert outcome(listener.send, b"x") == "ENOTCONN"
    assert outcome(listener.getpeername) == "ENOTCONN"


def test_shutdown_of_a_unix_listener_refuses_who_comes(machine: Machine) -> None:
    """unix_stream_connect looks at RCV_SHUTDOWN of the listener."""
    listener = unix_listener(machine)
    waiting = unix_connected(machine, listener)
    assert outcome(listener.shutdown, std.SHUT_RD) == "ok"
    assert outcome(unix(machine).connect, listener.getsockname()) == "ECONNREFUSED"
    assert machine.poll_mask(listener) & IN
    assert machine.mask(waiting) == "OUT"
    machine.keep(listener.accept()[0])
    assert outcome(listener.accept) == "EAGAIN"


def test_so_acceptconn_and_so_domain_of_unix_sockets(machine: Machine) -> None:
    """socket(7)."""
    listener = unix_listener(machine)
    assert listener.getsockopt(std.SOL_SOCKET, std.SO_ACCEPTCONN) == 1
    one, _ = unix_pair(machine, listener)
    assert one.getsockopt(std.SOL_SOCKET, std.SO_ACCEPTCONN) == 0
    assert one.getsockopt(std.SOL_SOCKET, std.SO_DOMAIN) == std.AF_UNIX
    assert one.getsockopt(std.SOL_SOCKET, std.SO_TYPE) == std.SOCK_STREAM


# --- data ----------------------------------------------------------------------------------------


def test_unix_streams_keep_no_boundaries(machine: Machine) -> None:
    """unix(7), SOCK_STREAM: a byte stream."""
    one, other = unix_pair(machine)
    for piece in (b"000", b"111", b"222"):
        assert one.send(piece) == 3
    arrived(machine, other, 9)
    assert other.recv(4) == b"0001"
    assert other.recv(100) == b"11222"
    assert outcome(other.recv, 1) == "EAGAIN"


def test_sendto_with_an_address_on_a_connected_stream_is_eisconn(machine: Machine) -> None:
    """unix_stream_sendmsg: EISCONN, or EOPNOTSUPP without a connection (send(2))."""
    listener = unix_listener(machine)
    one, _ = unix_pair(machine, listener)
    assert outcome(one.sendto, b"x", listener.getsockname()) == "EISCONN"
    assert outcome(unix(machine).sendto, b"x", listener.getsockname()) == "ENOTSUP"


def test_a_full_unix_stream_takes_a_part_then_nothing(machine: Machine) -> None:
    """sock_alloc_send_pskb: the sender's buffer is what limits (unix(7), SO_SNDBUF)."""
    one, other = pair(machine)
    size = 1 << 24
    taken = one.send(bytes(size))
    assert 0 < taken < size
    fill(machine, one)
    assert outcome(one.send, b"x") == "EAGAIN"
    assert machine.mask(one) == "-"
    drain(machine, other)
    assert machine.mask(one) == "OUT"


def test_siocoutq_counts_what_the_peer_has_not_read(machine: Machine) -> None:
    """unix_outq_len: 0 again as soon as the peer has taken everything."""
    one, other = pair(machine)
    assert integer(machine, one, SIOCOUTQ) == 0
    one.send(b"abc")
    assert integer(machine, one, SIOCOUTQ) > 0
    other.recv(10)
    assert integer(machine, one, SIOCOUTQ) == 0


def test_the_urgent_byte_of_a_unix_stream_stands_beside_the_data(machine: Machine) -> None:
    """unix(7): MSG_OOB since Linux 5.15; recv() stops at the mark."""
    one, other = pair(machine)
    assert one.send(b"ab") == 2
    assert one.send(b"!", std.MSG_OOB) == 1
    assert machine.mask(other) == "IN|PRI|OUT"
    assert other.recv(10) == b"ab"
    assert other.recv(1, std.MSG_OOB) == b"!"
    assert outcome(other.recv, 1, std.MSG_OOB) == "EINVAL"


def test_the_place_of_an_urgent_byte_that_was_read_looks_readable_once(machine: Machine) -> None:
    """manage_oob: the empty buffer stays in the queue until recv() finds nothing in it."""
    one, other = pair(machine)
    one.send(b"!", std.MSG_OOB)
    assert other.recv(1, std.MSG_OOB) == b"!"
    assert machine.mask(other) == "IN|OUT"
    assert outcome(other.recv, 10) == "EAGAIN"
    assert machine.mask(other) == "OUT"


def test_an_urgent_byte_of_a_unix_stream_that_nobody_read_is_passed_over(machine: Machine) -> None:
    """manage_oob: recv() stops before the mark, and goes on behind it."""
    one, other = pair(machine)
    one.send(b"ab")
    one.send(b"!", std.MSG_OOB)
    one.send(b"cd")
    assert [outcome(other.recv, 10) for _ in "123"] == [b"ab", b"cd", "EAGAIN"]
    assert machine.mask(other) == "OUT"


def test_with_oobinline_the_urgent_byte_of_a_unix_stream_is_data(machine: Machine) -> None:
    """socket(7), SO_OOBINLINE: recv() still stops at the mark."""
    one, other = pair(machine)
    other.setsockopt(std.SOL_SOCKET, std.SO_OOBINLINE, 1)
    one.send(b"ab")
    one.send(b"!", std.MSG_OOB)
    one.send(b"cd")
    assert [outcome(other.recv, 10) for _ in "123"] == [b"ab", b"!cd", "EAGAIN"]


def test_without_an_urgent_byte_msg_oob_is_einval(machine: Machine) -> None:
    """unix_stream_recv_urg."""
    one, other = pair(machine)
    one.send(b"x")
    assert outcome(other.recv, 1, std.MSG_OOB) == "EINVAL"
    assert other.recv(1) == b"x"


# --- ending --------------------------------------------------------------------------------------


def test_a_unix_peer_that_closes_is_gone_in_both_directions(machine: Machine) -> None:
    """unix_release_sock: HUP at once, where TCP shows RDHUP only; send() says EPIPE at once."""
    one, other = unix_pair(machine)
    one.send(b"x")
    one.close()
    assert machine.mask(other) == ENDED
    assert [other.recv(10), other.recv(10)] == [b"x", b""]
    assert [outcome(other.send, b"y") for _ in "12"] == ["EPIPE", "EPIPE"]
    assert error_of(other) == "-"


def test_a_unix_close_with_unread_data_is_econnreset_once(machine: Machine) -> None:
    """unix_release_sock: unread input sets the peer's sk_err, reported after the data."""
    one, other = unix_pair(machine)
    one.send(b"data")
    other.send(b"unread")
    one.close()
    assert machine.mask(other) == "IN|OUT|ERR|HUP|RDHUP"
    assert [outcome(other.recv, 10) for _ in "123"] == [b"data", "ECONNRESET", b""]
    assert machine.mask(other) == ENDED


def test_send_says_epipe_and_leaves_the_pending_econnreset(machine: Machine) -> None:
    """unix_stream_sendmsg looks at the shutdown and at the peer, not at sk_err."""
    one, other = pair(machine)
    other.send(b"unread")
    one.close()
    assert outcome(other.send, b"x") == "EPIPE"
    assert [outcome(other.recv, 1), outcome(other.recv, 1)] == ["ECONNRESET", b""]


def test_so_error_takes_the_econnreset_of_a_unix_stream(machine: Machine) -> None:
    """socket(7), SO_ERROR."""
    one, other = pair(machine)
    other.send(b"unread")
    one.close()
    assert [error_of(other), error_of(other)] == ["ECONNRESET", "-"]
    assert other.recv(1) == b""


def test_data_that_was_only_peeked_at_is_unread_for_close(machine: Machine) -> None:
    """recv(2), MSG_PEEK."""
    one, other = pair(machine)
    other.send(b"x")
    assert one.recv(1, std.MSG_PEEK) == b"x"
    one.close()
    assert outcome(other.recv, 1) == "ECONNRESET"


def test_a_unix_half_close_lets_the_other_direction_go_on(machine: Machine) -> None:
    """shutdown(2)."""
    one, other = unix_pair(machine)
    one.shutdown(std.SHUT_WR)
    assert machine.mask(one) == "OUT"
    assert machine.mask(other) == "IN|OUT|RDHUP"
    assert other.recv(1) == b""
    assert outcome(one.send, b"x") == "EPIPE"
    assert other.send(b"still") == 5
    assert one.recv(10) == b"still"


def test_when_both_ends_shut_writing_both_have_hung_up(machine: Machine) -> None:
    """unix_poll: SHUTDOWN_MASK is HUP."""
    one, other = pair(machine)
    one.shutdown(std.SHUT_WR)
    other.shutdown(std.SHUT_WR)
    assert machine.mask(one) == machine.mask(other) == ENDED
    assert one.getpeername() == ""
    assert outcome(one.shutdown, std.SHUT_WR) == "ok"


def test_shut_rd_makes_the_peers_send_fail(machine: Machine) -> None:
    """unix_shutdown tells the peer, unlike TCP; what was queued goes on being readable."""
    one, other = pair(machine)
    other.send(b"q")
    assert outcome(one.shutdown, std.SHUT_RD) == "ok"
    assert machine.mask(one) == "IN|OUT|RDHUP"
    assert machine.mask(other) == "OUT"
    assert outcome(other.send, b"x") == "EPIPE"
    assert [one.recv(10), one.recv(10)] == [b"q", b""]
    assert one.send(b"x") == 1
    assert other.recv(1) == b"x"


def test_shutdown_of_both_directions_reaches_the_peer(machine: Machine) -> None:
    """unix_shutdown: SHUT_RDWR is mirrored."""
    one, other = pair(machine)
    one.shutdown(std.SHUT_RDWR)
    assert machine.mask(one) == machine.mask(other) == ENDED
    assert outcome(other.send, b"x") == "EPIPE"
    assert other.recv(1) == b""


@pytest.mark.parametrize("how", [std.SHUT_RD, std.SHUT_WR, std.SHUT_RDWR])
def test_shutdown_of_an_unconnected_unix_socket_succeeds(machine: Machine, how: int) -> None:
    """unix_shutdown does not ask for a peer; TCP says ENOTCONN."""
    assert outcome(unix(machine).shutdown, how) == "ok"


def test_shutdown_of_an_unknown_direction_of_a_unix_socket_is_einval(machine: Machine) -> None:
    """unix_shutdown."""
    assert outcome(pair(machine)[0].shutdown, 3) == "EINVAL"


def test_a_connection_whose_opener_closed_before_accept_can_be_accepted(machine: Machine) -> None:
    """unix_accept takes what is queued; the end is behind it."""
    listener = unix_listener(machine)
    unix_connected(machine, listener).close()
    assert machine.mask(listener) == "IN"
    accepted = machine.keep(listener.accept()[0])
    assert machine.mask(accepted) == ENDED
    assert accepted.recv(1) == b""
    assert outcome(accepted.send, b"x") == "EPIPE"


def test_err_and_hup_in_every_order_of_reading(machine: Machine) -> None:
    """poll(2): ERR goes with the error, HUP stays with the state."""
    one, other = pair(machine)
    other.send(b"unread")
    one.close()
    assert machine.poll_mask(other) == IN | OUT | ERR | HUP | RDHUP
    error_of(other)
    assert machine.poll_mask(other) == IN | OUT | HUP | RDHUP


# --- records -------------------------------------------------------------------------------------


def test_seqpacket_keeps_boundaries_and_ends(machine: Machine) -> None:
    """unix(7), SOCK_SEQPACKET: a record is cut like a datagram; the end looks like an empty one."""
    one, other = pair(machine, std.SOCK_SEQPACKET)
    for record in (b"one", b"two", b""):
        assert one.send(record) == len(record)
    assert [other.recv(2), other.recv(10), other.recv(10)] == [b"on", b"two", b""]
    assert outcome(other.recv, 10) == "EAGAIN"
    one.close()
    assert other.recv(10) == b""


@pytest.mark.parametrize(
    ("records", "error"),
    [([b""], "-"), ([b"", b""], "ECONNRESET"), ([b"", b"x"], "ECONNRESET"), ([b"x", b""], "ECONNRESET")],
)
def test_one_empty_record_may_be_left_unread(machine: Machine, records: list[bytes], error: str) -> None:
    """unix_release_sock passes over a first buffer without bytes: it may be an urgent byte's place."""
    one, other = pair(machine, std.SOCK_SEQPACKET)
    for record in records:
        one.send(record)
    other.close()
    assert error_of(one) == error


@pytest.mark.parametrize("kind", [std.SOCK_STREAM, std.SOCK_SEQPACKET], ids=["stream", "seqpacket"])
def test_an_empty_message_is_nothing_unread(machine: Machine, kind: int) -> None:
    """unix_release_sock: what counts is whether a buffer with data waits; an empty one is no data."""
    one, other = pair(machine, kind)
    assert one.send(b"") == 0
    other.close()
    assert machine.mask(one) == ENDED
    assert one.recv(1) == b""


def test_an_empty_record_hides_no_record_behind_it(machine: Machine) -> None:
    """unix_release_sock looks beyond the first."""
    one, other = pair(machine, std.SOCK_SEQPACKET)
    one.send(b"")
    one.send(b"unread")
    other.close()
    assert machine.mask(one) == "IN|OUT|ERR|HUP|RDHUP"
    assert outcome(one.recv, 1) == "ECONNRESET"
