"""AF_UNIX datagrams: reliable, in order, and a full receiver stops the sender (unix(7))."""

from __future__ import annotations

import socket as std
from typing import Any

import pytest

from .machine import Machine, outcome
from .sockets import arrived, error_of, fill_datagrams, pair, unix, unix_bound


def datagram(m: Machine) -> Any:
    """A socket without a name."""
    return unix(m, std.SOCK_DGRAM)


def bound(m: Machine) -> Any:
    return unix_bound(m, std.SOCK_DGRAM)


# --- names and peers -----------------------------------------------------------------------------


def test_a_fresh_unix_datagram_socket_is_writable_and_has_no_peer(machine: Machine) -> None:
    """unix_dgram_poll, unix_dgram_sendmsg."""
    sock = datagram(machine)
    assert machine.mask(sock) == "OUT"
    assert outcome(sock.recv, 1) == "EAGAIN"
    assert outcome(sock.send, b"x") == "ENOTCONN"
    assert outcome(sock.getpeername) == "ENOTCONN"


def test_a_datagram_brings_the_name_of_its_sender(machine: Machine) -> None:
    """recvfrom(2); unix(7)."""
    one, other = bound(machine), bound(machine)
    assert one.sendto(b"hello", other.getsockname()) == 5
    assert machine.mask(other) == "IN|OUT"
    assert other.recvfrom(10) == (b"hello", one.getsockname())


def test_a_sender_without_a_name_is_nobody(machine: Machine) -> None:
    """unix(7): no automatic name without SO_PASSCRED; the socket module tells None."""
    one, other = datagram(machine), bound(machine)
    one.sendto(b"hello", other.getsockname())
    assert other.recvfrom(10) == (b"hello", None)
    assert one.getsockname() == ""


def test_sending_to_a_name_that_is_not_there_is_enoent(machine: Machine) -> None:
    """send(2); unix_find_other."""
    assert outcome(datagram(machine).sendto, b"x", machine.path()) == "ENOENT"
    assert outcome(datagram(machine).sendto, b"x", machine.abstract()) == "ECONNREFUSED"


def test_sending_to_the_name_of_a_closed_socket_is_econnrefused(machine: Machine) -> None:
    """unix(7), ECONNREFUSED."""
    other = bound(machine)
    path = other.getsockname()
    other.close()
    assert outcome(datagram(machine).sendto, b"x", path) == "ECONNREFUSED"


def test_sending_to_a_stream_socket_is_eprototype(machine: Machine) -> None:
    """unix_find_other, EPROTOTYPE."""
    stream = unix_bound(machine)
    assert outcome(datagram(machine).sendto, b"x", stream.getsockname()) == "EPROTOTYPE"


def test_unix_datagram_sockets_may_connect_again_and_again(machine: Machine) -> None:
    """connect(2), connectionless sockets."""
    sock, first, second = datagram(machine), bound(machine), bound(machine)
    for peer in (first, second):
        assert outcome(sock.connect, peer.getsockname()) == "ok"
        assert sock.getpeername() == peer.getsockname()
    sock.send(b"x")
    assert machine.mask(first) == "OUT"
    assert second.recv(10) == b"x"


def test_a_connected_unix_datagram_socket_may_send_elsewhere(machine: Machine) -> None:
    """send(2): the destination given wins."""
    sock, peer, other = bound(machine), bound(machine), bound(machine)
    sock.connect(peer.getsockname())
    assert sock.sendto(b"aside", other.getsockname()) == 5
    assert other.recvfrom(10) == (b"aside", sock.getsockname())


def test_a_receiver_that_is_connected_to_somebody_else_is_eperm(machine: Machine) -> None:
    """unix_may_send: only the peer of a connected socket may send to it (EPERM)."""
    sock, peer, stranger = bound(machine), bound(machine), bound(machine)
    sock.connect(peer.getsockname())
    assert outcome(stranger.sendto, b"x", sock.getsockname()) == "EPERM"
    assert outcome(stranger.connect, sock.getsockname()) == "EPERM"
    assert outcome(peer.sendto, b"x", sock.getsockname()) == 1


def test_connect_keeps_what_was_queued_of_others(machine: Machine) -> None:
    """unix_dgram_connect: the queue is purged when the peer changes, not when there was none."""
    sock, peer, other = bound(machine), bound(machine), bound(machine)
    other.sendto(b"before", sock.getsockname())
    sock.connect(peer.getsockname())
    assert sock.recv(10) == b"before"


def test_a_changed_peer_resets_the_old_one(machine: Machine) -> None:
    """unix_dgram_disconnected: ECONNRESET for the old peer if it was connected back."""
    sock, old, new = bound(machine), bound(machine), bound(machine)
    sock.connect(old.getsockname())
    old.connect(sock.getsockname())
    old.send(b"queued")
    sock.connect(new.getsockname())
    assert outcome(sock.recv, 10) == "EAGAIN"
    assert error_of(old) == "ECONNRESET"


def test_a_peer_that_closed_refuses_once_and_then_is_no_peer(machine: Machine) -> None:
    """unix_dgram_sendmsg: ECONNREFUSED, and the connection is dissolved (ENOTCONN)."""
    sock, peer = datagram(machine), bound(machine)
    sock.connect(peer.getsockname())
    peer.close()
    assert machine.mask(sock) == "OUT"
    assert [outcome(sock.send, b"x") for _ in "123"] == ["ECONNREFUSED", "ENOTCONN", "ENOTCONN"]
    assert outcome(sock.recv, 1) == "EAGAIN"


def test_closing_an_end_of_a_datagram_pair_is_no_end_of_file(machine: Machine) -> None:
    """There is no connection to end: what is queued can be read, then EAGAIN."""
    one, other = pair(machine, std.SOCK_DGRAM)
    one.send(b"last")
    one.close()
    assert machine.mask(other) == "IN|OUT"
    assert [outcome(other.recv, 10), outcome(other.recv, 10)] == [b"last", "EAGAIN"]
    assert outcome(other.send, b"x") == "ECONNREFUSED"


def test_close_with_unread_datagrams_resets_the_peer(machine: Machine) -> None:
    """unix_release_sock sets the peer's sk_err for connected streams only; datagrams show nothing."""
    one, other = pair(machine, std.SOCK_DGRAM)
    other.send(b"unread")
    one.close()
    assert error_of(other) == "-"
    assert outcome(other.recv, 1) == "EAGAIN"


def test_a_name_that_was_bound_anew_is_not_the_peer(machine: Machine) -> None:
    """A connection is to the socket, not to its path."""
    sock, old = datagram(machine), bound(machine)
    path = old.getsockname()
    sock.connect(path)
    old.close()
    machine.modules.os.unlink(path)
    new = unix_bound(machine, std.SOCK_DGRAM, path)
    assert outcome(sock.send, b"x") == "ECONNREFUSED"
    assert outcome(sock.sendto, b"x", path) == 1
    assert new.recv(1) == b"x"


def test_a_socket_may_be_connected_to_itself(machine: Machine) -> None:
    """unix_may_send: its own peer."""
    sock = bound(machine)
    assert outcome(sock.connect, sock.getsockname()) == "ok"
    assert sock.send(b"me") == 2
    assert sock.recvfrom(10) == (b"me", sock.getsockname())


# --- datagrams -----------------------------------------------------------------------------------


def test_unix_datagrams_keep_boundaries_and_order(machine: Machine) -> None:
    """unix(7), SOCK_DGRAM: always reliable, and not reordered."""
    one, other = pair(machine, std.SOCK_DGRAM)
    for data in (b"one", b"two", b""):
        assert one.send(data) == len(data)
    assert [other.recv(10) for _ in "123"] == [b"one", b"two", b""]
    assert outcome(other.recv, 10) == "EAGAIN"


def test_a_cut_unix_datagram_loses_its_rest(machine: Machine) -> None:
    """recv(2), SOCK_DGRAM; MSG_TRUNC in msg_flags."""
    one, other = pair(machine, std.SOCK_DGRAM)
    one.send(b"abcdef")
    one.send(b"ghi")
    one.send(b"next")
    assert other.recv(2) == b"ab"
    data, _, flags, _ = other.recvmsg(2)
    assert (data, flags & std.MSG_TRUNC) == (b"gh", std.MSG_TRUNC)
    assert other.recv(10) == b"next"


def test_msg_trunc_tells_the_length_of_a_unix_datagram(machine: Machine) -> None:
    """recv(2), MSG_TRUNC: since Linux 3.4 for AF_UNIX datagrams."""
    one, other = pair(machine, std.SOCK_DGRAM)
    one.send(b"abcdef")
    buffer = bytearray(2)
    assert other.recv_into(buffer, 2, std.MSG_TRUNC) == 6


def test_a_peeked_unix_datagram_stays(machine: Machine) -> None:
    """recv(2), MSG_PEEK."""
    one, other = pair(machine, std.SOCK_DGRAM)
    one.send(b"abc")
    assert [other.recv(size, std.MSG_PEEK) for size in (2, 9)] == [b"ab", b"abc"]
    assert other.recv(9) == b"abc"


def test_fionread_of_unix_datagrams_is_the_next_ones_size(machine: Machine) -> None:
    """unix_inq_len: of the first datagram, for datagram sockets."""
    one, other = pair(machine, std.SOCK_DGRAM)
    one.send(b"abc")
    one.send(b"defgh")
    arrived(machine, other, 3)


def test_a_datagram_larger_than_the_senders_buffer_is_emsgsize(machine: Machine) -> None:
    """unix(7), SO_SNDBUF: an upper limit on the size of outgoing datagrams; EMSGSIZE."""
    one, other = pair(machine, std.SOCK_DGRAM)
    one.setsockopt(std.SOL_SOCKET, std.SO_SNDBUF, 8192)
    limit = one.getsockopt(std.SOL_SOCKET, std.SO_SNDBUF) - 32
    assert limit == 2 * 8192 - 32
    assert outcome(one.send, bytes(limit + 1)) == "EMSGSIZE"
    assert outcome(one.send, bytes(limit)) == limit
    assert len(other.recv(1 << 16)) == limit


# --- a full receiver -----------------------------------------------------------------------------


def test_a_receiver_takes_11_datagrams_of_senders_that_are_not_its_peer(machine: Machine) -> None:
    """unix_recvq_full: more than net.unix.max_dgram_qlen (10) is full, and the sender waits (EAGAIN)."""
    sock, other = datagram(machine), bound(machine)
    count = fill_datagrams(sock, other.getsockname())
    limit = 10 if machine.name == "virtual" else _max_dgram_qlen()
    assert count == limit + 1
    assert machine.mask(sock) == "OUT"


def _max_dgram_qlen() -> int:
    with open("/proc/sys/net/unix/max_dgram_qlen") as file:
        return int(file.read())


def test_only_a_connected_sender_can_wait_for_room(machine: Machine) -> None:
    """unix_dgram_poll: OUT is taken from who is connected to a full receiver."""
    sock, other = datagram(machine), bound(machine)
    sock.connect(other.getsockname())
    fill_datagrams(sock)
    assert machine.mask(sock) == "-"
    other.recv(1)
    assert machine.mask(sock) == "OUT"
    assert sock.send(b"x") == 1
    assert machine.mask(sock) == "-"


def test_a_peer_that_is_connected_back_is_limited_by_the_senders_buffer_only(machine: Machine) -> None:
    """unix_dgram_sendmsg: the queue limit is not asked if the receiver's peer is the sender."""
    one, other = pair(machine, std.SOCK_DGRAM)
    count = fill_datagrams(one)
    assert count > 11
    assert machine.mask(one) == "-"
    for _ in range(count):
        assert other.recv(1) == b"x"
    assert machine.mask(one) == "OUT"


def test_a_full_receiver_that_closes_sets_its_senders_free(machine: Machine) -> None:
    """unix_release_sock wakes who waits on the peer."""
    sock, other = datagram(machine), bound(machine)
    sock.connect(other.getsockname())
    fill_datagrams(sock)
    other.close()
    assert machine.mask(sock) == "OUT"
    assert outcome(sock.send, b"x") == "ECONNREFUSED"


# --- shutdown, and what datagrams have not -------------------------------------------------------


def test_shut_wr_of_a_unix_datagram_socket_is_epipe(machine: Machine) -> None:
    """unix_dgram_sendmsg: SEND_SHUTDOWN."""
    one, other = pair(machine, std.SOCK_DGRAM)
    assert outcome(one.shutdown, std.SHUT_WR) == "ok"
    assert outcome(one.send, b"x") == "EPIPE"
    assert machine.mask(other) == "OUT"
    assert outcome(other.send, b"x") == 1


def test_shut_rd_of_a_unix_datagram_socket_makes_senders_fail(machine: Machine) -> None:
    """unix_dgram_sendmsg: RCV_SHUTDOWN of the receiver is EPIPE; queued datagrams stay."""
    sock, other = bound(machine), bound(machine)
    other.sendto(b"q", sock.getsockname())
    assert outcome(sock.shutdown, std.SHUT_RD) == "ok"
    assert machine.mask(sock) == "IN|OUT|RDHUP"
    assert outcome(other.sendto, b"x", sock.getsockname()) == "EPIPE"
    assert outcome(sock.recv, 10) == b"q"
    assert outcome(sock.recv, 10) == "EAGAIN"


def test_both_directions_shut_is_a_hang_up(machine: Machine) -> None:
    """unix_dgram_poll."""
    one, other = pair(machine, std.SOCK_DGRAM)
    one.shutdown(std.SHUT_RDWR)
    assert machine.mask(one) == "IN|OUT|HUP|RDHUP"
    assert machine.mask(other) == "OUT"


@pytest.mark.parametrize("how", [std.SHUT_RD, std.SHUT_WR, std.SHUT_RDWR])
def test_shutdown_of_a_unix_datagram_socket_needs_no_peer(machine: Machine, how: int) -> None:
    """unix_shutdown."""
    assert outcome(datagram(machine).shutdown, how) == "ok"


def test_unix_datagram_sockets_do_not_listen_accept_or_hurry(machine: Machine) -> None:
    """unix_dgram_ops: listen and accept are EOPNOTSUPP, and so is MSG_OOB."""
    one, other = pair(machine, std.SOCK_DGRAM)
    assert outcome(one.listen, 1) == "ENOTSUP"
    assert outcome(one.accept) == "ENOTSUP"
    assert outcome(one.send, b"!", std.MSG_OOB) == "ENOTSUP"
    assert outcome(other.recv, 1, std.MSG_OOB) == "ENOTSUP"


# --- which error comes first ---------------------------------------------------------------------


def test_the_own_shutdown_is_noticed_before_the_missing_peer(machine: Machine) -> None:
    """unix_dgram_sendmsg allocates first, which asks SEND_SHUTDOWN; then it looks for the peer."""
    sock = datagram(machine)
    sock.shutdown(std.SHUT_WR)
    assert outcome(sock.send, b"x") == "EPIPE"


def test_the_size_is_noticed_before_the_missing_peer(machine: Machine) -> None:
    """unix_dgram_sendmsg: EMSGSIZE, EPIPE, ENOTCONN."""
    sock = datagram(machine)
    too_large = bytes(sock.getsockopt(std.SOL_SOCKET, std.SO_SNDBUF))
    assert outcome(sock.send, too_large) == "EMSGSIZE"
    sock.shutdown(std.SHUT_WR)
    assert outcome(sock.send, too_large) == "EMSGSIZE"
    assert outcome(sock.send, b"x") == "EPIPE"


def test_recvmsg_with_msg_trunc_returns_what_fits(machine: Machine) -> None:
    """CPython only ever shortens the buffer of recvmsg(); recv() would grow it to the length."""
    one, other = pair(machine, std.SOCK_DGRAM)
    one.send(b"abcdef")
    data, _, flags, _ = other.recvmsg(2, 0, std.MSG_TRUNC)
    assert (data, flags & std.MSG_TRUNC) == (b"ab", std.MSG_TRUNC)
