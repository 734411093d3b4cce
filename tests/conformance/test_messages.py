"""sendmsg(2), recvmsg(2) and the flags of send and recv, on every connected stream."""

from __future__ import annotations

import socket as std
from typing import Any

import pytest

from simnet.transport import IN, OUT

from .machine import Machine, outcome
from .sockets import STREAMS, arrived, connected, pair


@STREAMS
def test_sendmsg_gathers_and_recvmsg_into_scatters(machine: Machine, stream: str) -> None:
    """writev(2), readv(2): buffers in their order, each filled before the next."""
    one, other = connected(machine, stream)
    assert one.sendmsg([b"a", bytearray(b"abb"), memoryview(b"bc")]) == 6
    arrived(machine, other, 6)
    first, second = bytearray(1), bytearray(4)
    assert other.recvmsg_into([first, second])[:3] == (5, [], 0)
    assert (first, second) == (b"a", b"abbb")
    assert other.recv(9) == b"c"


@STREAMS
def test_recvmsg_of_a_stream_brings_no_address(machine: Machine, stream: str) -> None:
    """recvmsg(2): msg_name is not filled in for a connection; the socket module says None for IP."""
    one, other = connected(machine, stream)
    one.send(b"abc")
    arrived(machine, other, 3)
    data, ancillary, flags, address = other.recvmsg(2)
    assert (data, ancillary, flags) == (b"ab", [], 0)
    assert not address
    assert not other.recvfrom(1)[1]


@STREAMS
def test_msg_waitall_of_a_non_blocking_socket_returns_what_there_is(machine: Machine, stream: str) -> None:
    """recv(2), MSG_WAITALL has no effect where nothing waits."""
    one, other = connected(machine, stream)
    assert outcome(other.recv, 4, std.MSG_WAITALL) == "EAGAIN"
    one.send(b"ab")
    arrived(machine, other, 2)
    assert other.recv(4, std.MSG_WAITALL) == b"ab"


@STREAMS
def test_msg_dontwait_of_a_blocking_stream_is_eagain(machine: Machine, stream: str) -> None:
    """recv(2), MSG_DONTWAIT: for this call only."""
    _, other = connected(machine, stream)
    other.setblocking(True)
    assert outcome(other.recv, 1, std.MSG_DONTWAIT) == "EAGAIN"
    assert other.getblocking()


@STREAMS
def test_msg_nosignal_changes_nothing_where_sigpipe_is_ignored(machine: Machine, stream: str) -> None:
    """send(2), MSG_NOSIGNAL: EPIPE is still returned."""
    one, _ = connected(machine, stream)
    assert one.send(b"x", std.MSG_NOSIGNAL) == 1
    one.shutdown(std.SHUT_WR)
    assert outcome(one.send, b"x", std.MSG_NOSIGNAL) == "EPIPE"


@pytest.mark.parametrize("stream", ["tcp4", "tcp6"])
def test_msg_trunc_on_tcp_discards_and_writes_nothing(machine: Machine, stream: str) -> None:
    """tcp(7), MSG_TRUNC: the received bytes are thrown away."""
    one, other = connected(machine, stream)
    one.send(b"abcdef")
    arrived(machine, other, 6)
    buffer = bytearray(2)
    assert other.recv_into(buffer, 2, std.MSG_TRUNC) == 2
    assert buffer == bytes(2)
    assert other.recv(10) == b"cdef"


def test_msg_trunc_on_a_unix_stream_is_not_looked_at(machine: Machine) -> None:
    """unix_stream_read_generic reads as always."""
    one, other = pair(machine)
    one.send(b"abcdef")
    buffer = bytearray(2)
    assert other.recv_into(buffer, 2, std.MSG_TRUNC) == 2
    assert buffer == b"ab"


@STREAMS
def test_peek_and_waitall_of_a_non_blocking_stream(machine: Machine, stream: str) -> None:
    """recv(2): flags are combined."""
    one, other = connected(machine, stream)
    one.send(b"abc")
    arrived(machine, other, 3)
    assert other.recv(10, std.MSG_PEEK | std.MSG_WAITALL) == b"abc"
    assert other.recvmsg(2, 0, std.MSG_PEEK)[0] == b"ab"
    assert other.recv(10) == b"abc"


@STREAMS
def test_peek_at_the_end_is_the_end(machine: Machine, stream: str) -> None:
    """recv(2), MSG_PEEK; EOF may be read as often as one likes."""
    one, other = connected(machine, stream)
    one.send(b"x")
    arrived(machine, other, 1)
    one.shutdown(std.SHUT_WR)
    assert other.recv(1) == b"x"
    assert machine.eventually(lambda: outcome(other.recv, 1, std.MSG_PEEK) == b"")
    assert [other.recv(1) for _ in "123"] == [b"", b"", b""]


@STREAMS
def test_sendall_of_a_non_blocking_socket_sends_what_fits_and_raises(machine: Machine, stream: str) -> None:
    """socket.sendall: how much was sent is not known after an error."""
    one, other = connected(machine, stream)
    assert outcome(one.sendall, b"short") == "ok"
    arrived(machine, other, 5)
    assert outcome(one.sendall, bytes(1 << 25)) == "EAGAIN"
    assert machine.poll_mask(other) & IN


@STREAMS
def test_buffers_of_recv_into_and_their_limits(machine: Machine, stream: str) -> None:
    """socket.recv_into: nbytes of 0 is the whole buffer; more than the buffer is ValueError."""
    one, other = connected(machine, stream)
    one.send(b"abcdef")
    arrived(machine, other, 6)
    buffer = bytearray(4)
    assert other.recv_into(buffer, 0) == 4
    assert other.recv_into(memoryview(buffer)[1:3]) == 2
    assert buffer == b"aefd"
    for size, message in ((5, "buffer too small"), (-1, "negative buffersize")):
        with pytest.raises(ValueError, match=message):
            other.recv_into(buffer, size)
    with pytest.raises(TypeError):
        other.recv_into(b"read-only")


@STREAMS
def test_recv_into_an_empty_buffer_asks_nobody(machine: Machine, stream: str) -> None:
    """CPython returns 0 without a call of the kernel, as for recv(0)."""
    _, other = connected(machine, stream)
    assert other.recv_into(bytearray()) == 0
    assert other.recv(0) == b""
    assert machine.mask(other) == "OUT"


@STREAMS
def test_recvfrom_of_0_at_the_end_is_empty(machine: Machine, stream: str) -> None:
    """recvfrom(0) does reach the kernel."""
    one, other = connected(machine, stream)
    one.close()
    assert machine.eventually(lambda: outcome(other.recvfrom, 0) != "EAGAIN")
    assert other.recvfrom(0)[0] == b""


@STREAMS
def test_more_buffers_than_1024_are_emsgsize(machine: Machine, stream: str) -> None:
    """readv(2), IOV_MAX: UIO_MAXIOV is 1024; the kernel looks at the number before anything else."""
    one, other = connected(machine, stream)
    assert outcome(one.sendmsg, [b"x"] * 1025) == "EMSGSIZE"
    assert one.sendmsg([b"x"] * 1024) == 1024
    arrived(machine, other, 1024)
    assert outcome(other.recvmsg_into, [bytearray(1)] * 1025) == "EMSGSIZE"
    assert other.recvmsg_into([bytearray(1)] * 1024)[0] == 1024
    one.close()
    assert outcome(one.sendmsg, [b"x"] * 1025) == "EBADF"


@STREAMS
def test_a_control_message_that_nobody_knows_is_einval(machine: Machine, stream: str) -> None:
    """__sock_cmsg_send, __scm_send: of SOL_SOCKET; those of other levels are passed over."""
    one, other = connected(machine, stream)
    assert outcome(one.sendmsg, [b"x"], [(std.SOL_SOCKET, 99, b"data")]) == "EINVAL"
    assert outcome(other.recv, 1) == "EAGAIN"
    assert outcome(one.sendmsg, [b"x"], [(std.IPPROTO_IP, 99, b"data")]) == 1


def test_without_a_connection_control_messages_are_not_looked_at(machine: Machine) -> None:
    """tcp_sendmsg_locked: the state comes first."""
    unknown = [(std.SOL_SOCKET, 99, b"data")]
    assert outcome(machine.socket().sendmsg, [b"x"], unknown) == "EPIPE"
    one, _ = machine.pair()
    one.shutdown(std.SHUT_WR)
    assert outcome(one.sendmsg, [b"x"], unknown) == "EPIPE"


def test_send_of_nothing_reports_a_pending_error(machine: Machine) -> None:
    """CPython asks the kernel for send(b""); tcp_sendmsg runs its checks first."""
    one, other = machine.pair()
    one.close()
    machine.reaches(other, "IN|OUT|RDHUP")
    assert other.send(b"") == 0
    other.send(b"x")
    assert machine.eventually(lambda: outcome(other.send, b"") == "EPIPE")


@STREAMS
def test_arguments_are_looked_at_before_the_kernel_is_asked(machine: Machine, stream: str) -> None:
    """The socket module: TypeError, ValueError."""
    one, _ = connected(machine, stream)
    calls: list[tuple[str, tuple[Any, ...], type[Exception]]] = [
        ("send", ("text",), TypeError),
        ("send", (), TypeError),
        ("sendall", ("text",), TypeError),
        ("sendto", (b"x",), TypeError),
        ("recv", ("1",), TypeError),
        ("recv", (1.0,), TypeError),
        ("recvfrom", (1.0,), TypeError),
        ("recvmsg", (1.0,), TypeError),
        ("recv_into", (bytearray(1), 1.0), TypeError),
        ("recv", (-1,), ValueError),
        ("recvmsg", (-1,), ValueError),
        ("sendmsg", (b"x",), TypeError),
        ("sendmsg", (["text"],), TypeError),
        ("setblocking", (), TypeError),
    ]
    for call, arguments, error in calls:
        with pytest.raises(error):
            getattr(one, call)(*arguments)
    assert machine.mask(one) == "OUT"


@pytest.mark.parametrize("stream", ["tcp4", "tcp6"])
def test_sendto_ignores_the_address_on_a_tcp_connection(machine: Machine, stream: str) -> None:
    """tcp_sendmsg does not look at msg_name (send(2) allows EISCONN)."""
    one, other = connected(machine, stream)
    assert one.sendto(b"abc", ("127.0.0.1", 9) if stream == "tcp4" else ("::1", 9)) == 3
    arrived(machine, other, 3)


@STREAMS
def test_bytes_that_were_read_leave_room_for_fionread(machine: Machine, stream: str) -> None:
    """ioctl FIONREAD: what recv() could return at once."""
    one, other = connected(machine, stream)
    arrived(machine, other, 0)
    one.send(b"abcdef")
    arrived(machine, other, 6)
    other.recv(2)
    arrived(machine, other, 4)
    other.recv(3, std.MSG_PEEK)
    arrived(machine, other, 4)


@STREAMS
def test_memory_may_be_reused_at_once(machine: Machine, stream: str) -> None:
    """send(2): the kernel has its own copy."""
    one, other = connected(machine, stream)
    buffer = bytearray(b"before")
    one.sendmsg([buffer])
    buffer[:] = b"after!"
    arrived(machine, other, 6)
    assert other.recv(10) == b"before"
    assert machine.poll_mask(other) == OUT
