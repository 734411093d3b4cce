"""How connections end: FIN and RST, half-closes, and who is told what (RFC 9293, section 3.6)."""

from __future__ import annotations

import errno
import socket as std

import pytest

from simnet.transport import ERR, HUP, IN, OUT, RDHUP

from .machine import Machine, outcome
from .states import DEAD, RESET


@pytest.fixture(autouse=True)
def _over_both(machine: Machine, family: int) -> None:
    """Over both versions of IP: TCP is the same above."""
    machine.over(family)


FIN_SEEN = IN | OUT | RDHUP
BOTH_SHUT = IN | OUT | HUP | RDHUP


def error_of(sock: std.socket) -> int:
    return sock.getsockopt(std.SOL_SOCKET, std.SO_ERROR)


def test_data_comes_before_the_fin_behind_it(machine: Machine) -> None:
    """RFC 9293, section 3.6: what was sent before close is delivered."""
    one, other = machine.pair()
    one.send(b"one")
    one.send(b"two")
    one.shutdown(std.SHUT_WR)
    machine.wait_for(other, FIN_SEEN)
    assert [other.recv(100) for _ in "123"] == [b"onetwo", b"", b""]
    assert other.send(b"back") == 4
    machine.wait_for(one, IN | OUT)
    assert one.recv(100) == b"back"


def test_data_that_came_before_a_reset_stays_readable(machine: Machine) -> None:
    """Linux keeps the receive queue; then ECONNRESET once, then EOF for ever (tcp_recvmsg)."""
    one, other = machine.pair()
    one.send(b"data")
    one.setsockopt(std.SOL_SOCKET, std.SO_LINGER, RESET)
    one.close()
    machine.wait_for(other, DEAD)
    assert [outcome(other.recv, 2) for _ in "12345"] == [b"da", b"ta", "ECONNRESET", b"", b""]
    assert outcome(other.send, b"x") == "EPIPE"
    machine.wait_for(other, BOTH_SHUT)


def test_no_flag_of_recv_brings_the_reset_before_the_data(machine: Machine) -> None:
    """tcp_recvmsg_locked looks through the queue first, whatever is asked of it."""
    one, other = machine.pair()
    one.send(b"data")
    one.setsockopt(std.SOL_SOCKET, std.SO_LINGER, RESET)
    one.close()
    machine.wait_for(other, DEAD)
    assert outcome(other.recv, 10, std.MSG_PEEK) == b"data"
    assert outcome(other.recv, 1, std.MSG_DONTWAIT) == b"d"
    assert outcome(other.recv_into, bytearray(2), 1, std.MSG_TRUNC) == 1
    assert outcome(other.recvmsg, 10) == (b"ta", [], 0, None)
    assert outcome(other.recv, 10, std.MSG_PEEK) == "ECONNRESET"
    assert outcome(other.recv, 10, std.MSG_PEEK) == b""


def reset_pair(machine: Machine) -> std.socket:
    one, other = machine.pair()
    one.setsockopt(std.SOL_SOCKET, std.SO_LINGER, RESET)
    one.close()
    machine.wait_for(other, DEAD)
    return other  # type: ignore[no-any-return]


def test_a_reset_that_send_reported_is_eof_to_recv(machine: Machine) -> None:
    """sk_err is told once: to whoever asks first."""
    sock = reset_pair(machine)
    assert [outcome(sock.send, b"x") for _ in "12"] == ["ECONNRESET", "EPIPE"]
    assert outcome(sock.recv, 1) == b""
    machine.wait_for(sock, BOTH_SHUT)


def test_a_reset_that_so_error_reported_looks_like_a_clean_close(machine: Machine) -> None:
    """socket(7), SO_ERROR: gets and clears."""
    sock = reset_pair(machine)
    assert [error_of(sock), error_of(sock)] == [errno.ECONNRESET, 0]
    assert outcome(sock.recv, 1) == b""
    assert outcome(sock.send, b"x") == "EPIPE"


def test_the_first_send_after_the_peers_close_succeeds_and_the_second_is_epipe(machine: Machine) -> None:
    """RFC 1122, section 4.2.2.13: the RST comes after the first; ECONNRESET never appears."""
    one, other = machine.pair()
    one.close()
    machine.wait_for(other, FIN_SEEN)
    assert other.send(b"x") == 1
    machine.wait_for(other, DEAD)
    assert outcome(other.recv, 1) == b""
    assert [outcome(other.send, b"x") for _ in "12"] == ["EPIPE", "EPIPE"]
    assert error_of(other) == 0


def test_of_two_sends_at_once_after_the_peers_close_the_second_is_epipe(machine: Machine) -> None:
    """On loopback the RST that answers the first is there before send() returns."""
    for _ in range(machine.attempts):
        one, other = machine.pair()
        one.close()
        machine.wait_for(other, FIN_SEEN)
        answers = [outcome(other.send, b"x") for _ in "12"]
        if answers == [1, "EPIPE"]:
            break
    assert answers == [1, "EPIPE"]


def test_close_with_unread_data_resets(machine: Machine) -> None:
    """RFC 2525, section 2.17."""
    one, other = machine.pair()
    other.send(b"unread")
    machine.wait_for(one, IN | OUT)
    one.close()
    machine.wait_for(other, DEAD)
    assert outcome(other.recv, 1) == "ECONNRESET"


def test_peeked_data_counts_as_unread(machine: Machine) -> None:
    """MSG_PEEK takes nothing from the queue."""
    one, other = machine.pair()
    other.send(b"x")
    machine.wait_for(one, IN | OUT)
    assert one.recv(1, std.MSG_PEEK) == b"x"
    one.close()
    machine.wait_for(other, DEAD)
    assert outcome(other.recv, 1) == "ECONNRESET"


def test_a_reset_behind_a_fin_is_epipe_and_never_econnreset(machine: Machine) -> None:
    """tcp_reset in CLOSE_WAIT."""
    one, other = machine.pair()
    other.send(b"unread")
    machine.wait_for(one, IN | OUT)
    one.shutdown(std.SHUT_WR)
    machine.wait_for(other, FIN_SEEN)
    one.close()
    machine.wait_for(other, DEAD)
    assert outcome(other.recv, 1) == b""
    assert error_of(other) == errno.EPIPE
    assert outcome(other.send, b"x") == "EPIPE"


def test_both_ends_may_close_at_the_same_time(machine: Machine) -> None:
    """RFC 9293, figure 12: simultaneous close."""
    one, other = machine.pair()
    one.shutdown(std.SHUT_WR)
    other.shutdown(std.SHUT_WR)
    for sock in (one, other):
        machine.wait_for(sock, BOTH_SHUT)
        assert sock.recv(1) == b""
        assert outcome(sock.getpeername) == "ENOTCONN"


def test_a_half_closed_connection_still_carries_the_other_direction(machine: Machine) -> None:
    """shutdown(2); RFC 9293, section 3.6, case 1."""
    one, other = machine.pair()
    one.shutdown(std.SHUT_WR)
    machine.wait_for(other, FIN_SEEN)
    assert other.recv(1) == b""
    assert other.send(b"still") == 5
    machine.wait_for(one, IN | OUT)
    assert one.recv(10) == b"still"
    assert outcome(one.send, b"x") == "EPIPE"
    assert outcome(one.shutdown, std.SHUT_WR) == "ok"
    other.close()
    machine.wait_for(one, BOTH_SHUT)
    assert one.recv(1) == b""
    assert outcome(one.shutdown, std.SHUT_WR) == "ENOTCONN"


def test_shut_rd_is_local_and_leaky(machine: Machine) -> None:
    """shutdown(2) with SHUT_RD: the peer is not told, and what it sends can still be read."""
    one, other = machine.pair()
    one.shutdown(std.SHUT_RD)
    assert machine.mask(other) == "OUT"
    assert one.recv(10) == b""
    assert other.send(b"leak") == 4
    machine.eventually(lambda: machine.readable_bytes(one) == 4)
    assert one.recv(10) == b"leak"
    assert one.recv(10) == b""


def test_close_resets_if_data_came_after_shut_rd(machine: Machine) -> None:
    """tcp_close: unread is unread."""
    one, other = machine.pair()
    one.shutdown(std.SHUT_RD)
    other.send(b"x")
    machine.eventually(lambda: machine.readable_bytes(one) == 1)
    one.close()
    machine.wait_for(other, DEAD)
    assert outcome(other.recv, 1) == "ECONNRESET"


def test_data_after_a_full_shutdown_kills_both_ends(machine: Machine) -> None:
    """tcp_rcv_state_process: data after SHUT_RDWR is answered by RST."""
    one, other = machine.pair()
    one.shutdown(std.SHUT_RDWR)
    machine.wait_for(other, FIN_SEEN)
    assert other.send(b"x") == 1
    machine.wait_for(other, DEAD)
    machine.wait_for(one, DEAD)
    assert error_of(other) == errno.EPIPE
    assert error_of(one) == errno.ECONNRESET
    assert one.recv(1) == b""


def test_shutdown_of_an_unknown_direction_is_einval(machine: Machine) -> None:
    """shutdown(2), EINVAL."""
    one, _ = machine.pair()
    assert outcome(one.shutdown, 3) == "EINVAL"
    assert machine.mask(one) == "OUT"


def test_err_goes_and_hup_stays_when_the_error_was_read(machine: Machine) -> None:
    """poll(2): ERR is the pending error, HUP the state."""
    sock = reset_pair(machine)
    assert machine.poll_mask(sock) & (ERR | HUP) == ERR | HUP
    error_of(sock)
    assert machine.poll_mask(sock) & (ERR | HUP) == HUP


def test_data_for_a_socket_that_was_shut_before_it_connected_is_no_crime(machine: Machine) -> None:
    """tcp_rcv_state_process answers by RST where a FIN was sent; in ESTABLISHED nobody asks."""
    listener, sock = machine.listener(), machine.socket()
    assert outcome(sock.shutdown, std.SHUT_RDWR) == "ENOTCONN"
    assert outcome(sock.connect, listener.getsockname()) == "EINPROGRESS"
    machine.wait_for(sock, BOTH_SHUT)
    peer = machine.accept(listener)
    assert peer.send(b"x") == 1
    assert machine.eventually(lambda: machine.readable_bytes(sock) == 1)
    assert machine.mask(peer) == "OUT"
    machine.wait_for(sock, BOTH_SHUT)
    assert [sock.recv(10), sock.recv(10)] == [b"x", b""]
    assert outcome(sock.send, b"x") == "EPIPE"
