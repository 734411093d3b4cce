"""send(2) and recv(2) on a stream: what is cut, what is kept together, and what a full buffer does."""

from __future__ import annotations

import socket as std
from typing import Any

import pytest

from simnet.transport import IN, OUT, RDHUP

from .machine import Machine, outcome
from .states import DEAD, fill


@pytest.fixture(autouse=True)
def _over_both(machine: Machine, family: int) -> None:
    """Over both versions of IP: TCP is the same above."""
    machine.over(family)


def arrived(machine: Machine, sock: Any, size: int) -> None:
    machine.eventually(lambda: machine.readable_bytes(sock) >= size)
    assert machine.readable_bytes(sock) == size


def read_all(machine: Machine, sock: Any) -> tuple[int, Any]:
    """How many bytes come, and what comes after them."""
    total = 0
    while True:
        machine.eventually(lambda: machine.poll_mask(sock) & IN, 0.1)
        result = outcome(sock.recv, 65536)
        if not isinstance(result, bytes) or not result:
            return total, result
        total += len(result)


def test_a_stream_keeps_no_boundaries(machine: Machine) -> None:
    """tcp(7): a byte-stream; sends coalesce, and recv cuts where its buffer ends."""
    one, other = machine.pair()
    for piece in (b"000", b"111", b"222", b"333", b"444"):
        assert one.send(piece) == 3
    arrived(machine, other, 15)
    assert other.recv(4) == b"0001"
    assert other.recv(100) == b"11222333444"
    assert outcome(other.recv, 100) == "EAGAIN"


def test_peek_leaves_the_bytes_where_they_are(machine: Machine) -> None:
    """recv(2), MSG_PEEK."""
    one, other = machine.pair()
    one.send(b"abc")
    one.send(b"def")
    arrived(machine, other, 6)
    assert other.recv(3, std.MSG_PEEK) == b"abc"
    assert other.recv(10, std.MSG_PEEK) == b"abcdef"
    assert other.recv(10) == b"abcdef"
    assert outcome(other.recv, 10, std.MSG_PEEK) == "EAGAIN"
    one.close()
    machine.wait_for(other, IN | OUT | RDHUP)
    assert other.recv(10, std.MSG_PEEK) == b""


def test_recv_into_fills_a_buffer(machine: Machine) -> None:
    """socket.recv_into: reads into a buffer and returns how much."""
    one, other = machine.pair()
    one.send(b"abcdef")
    arrived(machine, other, 6)
    buffer = bytearray(4)
    assert other.recv_into(buffer) == 4
    assert buffer == b"abcd"
    assert other.recv_into(buffer, 1) == 1
    assert buffer == b"ebcd"
    with pytest.raises(ValueError, match="buffer too small"):
        other.recv_into(buffer, 5)


def test_any_contiguous_buffer_can_be_sent(machine: Machine) -> None:
    """socket.send takes bytes-like objects, and counts bytes."""
    one, other = machine.pair()
    assert one.send(bytearray(b"ab")) == 2
    assert one.send(memoryview(b"xcdx")[1:3]) == 2
    assert one.send(memoryview(b"\0" * 8).cast("I")) == 8
    arrived(machine, other, 12)
    assert other.recv(100) == b"abcd" + b"\0" * 8
    with pytest.raises(TypeError):
        one.send("text")


def test_what_was_sent_does_not_change_with_its_buffer(machine: Machine) -> None:
    """send(2): the message is copied."""
    one, other = machine.pair()
    buffer = bytearray(b"before")
    one.send(buffer)
    buffer[:] = b"after!"
    arrived(machine, other, 6)
    assert other.recv(10) == b"before"


def test_nothing_can_be_sent_and_received(machine: Machine) -> None:
    """CPython asks the kernel for send(b"") and not for recv(0)."""
    one, other = machine.pair()
    assert one.send(b"") == 0
    assert one.recv(0) == b""
    other.close()
    machine.wait_for(one, IN | OUT | RDHUP)
    assert one.recv(0) == b""
    one.send(b"x")
    machine.wait_for(one, DEAD)
    assert outcome(one.send, b"") == "EPIPE"
    one.close()
    assert one.recv(0) == b""
    assert outcome(one.send, b"") == "EBADF"
    with pytest.raises(ValueError, match="negative buffersize"):
        one.recv(-1)


def test_a_full_buffer_takes_a_part_then_nothing(machine: Machine) -> None:
    """send(2), EAGAIN; writability is gone, and comes back when the peer has read everything."""
    one, other = machine.pair()
    size = 1 << 26
    taken = one.send(bytes(size))
    assert 0 < taken < size
    fill(machine, one)
    assert outcome(one.send, b"x") == "EAGAIN"
    assert outcome(one.send, b"") == 0
    machine.wait_for(one, 0)
    assert len(other.recv(1)) == 1
    assert machine.mask(one) == "-"
    read_all(machine, other)
    machine.wait_for(one, OUT)
    assert one.send(b"x") == 1


def test_close_with_queued_data_still_delivers_all_of_it(machine: Machine) -> None:
    """close(2); tcp_close: without unread input the queue is sent, then FIN."""
    one, other = machine.pair()
    sent = one.send(bytes(1 << 22))
    one.close()
    assert read_all(machine, other) == (sent, b"")


def test_a_fin_is_seen_only_behind_the_data_before_it(machine: Machine) -> None:
    """RFC 9293, section 3.10.7.4: FIN is processed in order."""
    one, other = machine.pair()
    fill(machine, one)
    one.shutdown(std.SHUT_WR)
    assert not machine.poll_mask(other) & RDHUP
    _, ending = read_all(machine, other)
    assert ending == b""
    machine.wait_for(other, IN | OUT | RDHUP)


def test_a_reset_destroys_what_the_peer_had_no_room_for(machine: Machine) -> None:
    """RFC 2525, section 2.17; tcp_close with unread input sends RST and drops the queue."""
    one, other = machine.pair()
    assert other.send(b"unread") == 6
    arrived(machine, one, 6)
    sent = 0
    while machine.eventually(lambda: machine.poll_mask(one) & OUT, 0.06):
        taken = outcome(one.send, bytes(65536))
        sent += taken if isinstance(taken, int) else 0
    one.close()
    machine.wait_for(other, DEAD)
    received, ending = read_all(machine, other)
    assert 0 < received < sent
    assert ending == "ECONNRESET"


def test_zero_linger_drops_the_own_queue(machine: Machine) -> None:
    """socket(7), SO_LINGER with a time of 0: what was not sent is lost."""
    one, other = machine.pair()
    sent = one.send(bytes(1 << 26))
    one.setsockopt(std.SOL_SOCKET, std.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    one.close()
    machine.wait_for(other, DEAD)
    received, ending = read_all(machine, other)
    assert received < sent
    assert ending == "ECONNRESET"


def test_buffer_sizes_are_doubled_and_have_a_minimum(machine: Machine) -> None:
    """socket(7), SO_SNDBUF and SO_RCVBUF: the kernel doubles the value and has a minimum."""
    sock = machine.socket()
    for option, minimum in ((std.SO_SNDBUF, 4608), (std.SO_RCVBUF, 2304)):
        for value, expected in ((0, minimum), (1000, minimum), (5000, 10000), (100_000, 200_000)):
            sock.setsockopt(std.SOL_SOCKET, option, value)
            assert sock.getsockopt(std.SOL_SOCKET, option) == expected


def test_a_full_socket_that_was_shut_is_writable_as_send_only_fails(machine: Machine) -> None:
    """tcp_poll: SEND_SHUTDOWN is OUT, whatever the room; send() says EPIPE at once."""
    one, _ = machine.pair()
    fill(machine, one)
    machine.wait_for(one, 0)
    one.shutdown(std.SHUT_WR)
    machine.wait_for(one, OUT)
    assert outcome(one.send, b"x") == "EPIPE"
