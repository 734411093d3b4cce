"""Calls that wait: until something comes, or the time-out passes (socket.settimeout)."""

from __future__ import annotations

import socket as std
from typing import Any

import pytest

from .machine import Machine, outcome
from .sockets import STREAMS, connected, fill, fill_datagrams, pair, udp, unix_connected, unix_listener

SHORT_S = 0.02


def times_out(m: Machine, call: Any, *arguments: Any) -> None:
    """Assert that the call gives up after `SHORT_S`."""
    time = m.modules.time
    started_s = time.monotonic()
    with pytest.raises(TimeoutError, match="timed out"):
        call(*arguments)
    assert SHORT_S - 0.001 < time.monotonic() - started_s < 2


@STREAMS
def test_recv_with_a_timeout_gives_up(machine: Machine, stream: str) -> None:
    """socket.settimeout: TimeoutError, which is socket.timeout."""
    one, other = connected(machine, stream)
    other.settimeout(SHORT_S)
    times_out(machine, other.recv, 1)
    times_out(machine, other.recv_into, bytearray(1))
    one.send(b"x")
    assert other.recv(1) == b"x"


@STREAMS
def test_a_blocking_recv_returns_what_comes_first(machine: Machine, stream: str) -> None:
    """recv(2): normally any data available, up to the requested amount."""
    one, other = connected(machine, stream)
    one.send(b"abc")
    other.setblocking(True)
    assert other.recv(100) == b"abc"
    one.shutdown(std.SHUT_WR)
    assert other.recv(100) == b""


@STREAMS
def test_msg_waitall_waits_for_everything_or_the_end(machine: Machine, stream: str) -> None:
    """recv(2), MSG_WAITALL: may return less if the other end closes."""
    one, other = connected(machine, stream)
    one.send(b"abcdef")
    other.setblocking(True)
    assert other.recv(4, std.MSG_WAITALL) == b"abcd"
    one.shutdown(std.SHUT_WR)
    assert other.recv(4, std.MSG_WAITALL) == b"ef"


@STREAMS
def test_send_into_a_full_buffer_gives_up(machine: Machine, stream: str) -> None:
    """socket.settimeout."""
    one, _ = connected(machine, stream)
    fill(machine, one)
    one.settimeout(SHORT_S)
    times_out(machine, one.send, b"x")
    times_out(machine, one.sendall, b"x")


@STREAMS
def test_sendall_of_what_fits_returns_at_once(machine: Machine, stream: str) -> None:
    """socket.sendall: None."""
    one, other = connected(machine, stream)
    one.settimeout(30)
    other.settimeout(30)
    assert one.sendall(b"x" * 1000) is None
    assert other.recv(1000, std.MSG_WAITALL) == b"x" * 1000


def test_accept_with_a_timeout_gives_up(machine: Machine, family: int) -> None:
    """accept(2)."""
    listener = machine.over(family).listener()
    listener.settimeout(SHORT_S)
    times_out(machine, listener.accept)
    opener = machine.connected(listener)
    sock, address = listener.accept()
    machine.keep(sock)
    assert address == opener.getsockname()


def test_accept_on_a_unix_socket_with_a_timeout_gives_up(machine: Machine) -> None:
    """accept(2)."""
    listener = unix_listener(machine)
    listener.settimeout(SHORT_S)
    times_out(machine, listener.accept)
    unix_connected(machine, listener)
    machine.keep(listener.accept()[0])


def test_accepted_sockets_have_the_default_timeout_not_the_listeners(machine: Machine) -> None:
    """socket.accept: the new socket is blocking if no default time-out is set."""
    listener = machine.listener()
    listener.settimeout(30)
    machine.connected(listener)
    sock, _ = listener.accept()
    assert sock.gettimeout() is None
    machine.keep(sock)


@pytest.mark.parametrize(("timeout", "then"), [(None, "EISCONN"), (30, "ok")])
def test_a_connect_that_waits_returns_when_it_is_connected(
    machine: Machine, family: int, timeout: float | None, then: str
) -> None:
    """connect(2).  With a time-out CPython polls and reads SO_ERROR; so connect() has still to say 0 once."""
    listener, sock = machine.over(family).listener(), machine.socket()
    sock.settimeout(timeout)
    assert outcome(sock.connect, listener.getsockname()) == "ok"
    assert sock.getpeername() == listener.getsockname()
    assert outcome(sock.connect, listener.getsockname()) == then
    assert outcome(sock.connect, listener.getsockname()) == "EISCONN"


@pytest.mark.parametrize(("timeout", "then"), [(None, "ECONNREFUSED"), (30, "ECONNABORTED")])
def test_a_connect_that_waits_raises_the_refusal(
    machine: Machine, family: int, timeout: float | None, then: str
) -> None:
    """connect(2), ECONNREFUSED.  With a time-out SO_ERROR took it, and connect() says ECONNABORTED once."""
    sock = machine.over(family).socket()
    sock.settimeout(timeout)
    with pytest.raises(ConnectionRefusedError):
        sock.connect(machine.closed_address())
    assert outcome(sock.connect, machine.closed_address()) == then
    assert outcome(sock.connect, machine.listener().getsockname()) == "ok"


def test_connect_with_a_timeout_gives_up_and_goes_on_in_the_kernel(machine: Machine) -> None:
    """socket.settimeout: the attempt is not taken back; the next connect() says EALREADY."""
    full = machine.listener(backlog=0)
    machine.connected(full)
    sock = machine.socket()
    sock.settimeout(SHORT_S)
    times_out(machine, sock.connect, full.getsockname())
    sock.setblocking(False)
    assert outcome(sock.connect, full.getsockname()) == "EALREADY"


def test_connect_ex_with_a_timeout_returns_eagain(machine: Machine) -> None:
    """socket.connect_ex: a time-out is EAGAIN."""
    full = machine.listener(backlog=0)
    machine.connected(full)
    sock = machine.socket()
    sock.settimeout(SHORT_S)
    assert sock.connect_ex(full.getsockname()) == 11


def test_recvfrom_of_a_datagram_socket_with_a_timeout_gives_up(machine: Machine, family: int) -> None:
    """udp(7)."""
    sock, sender = udp(machine, family), udp(machine, family)
    sock.settimeout(SHORT_S)
    times_out(machine, sock.recvfrom, 1)
    times_out(machine, sock.recvmsg, 1)
    sender.sendto(b"x", sock.getsockname())
    sock.settimeout(30)
    assert sock.recvfrom(1) == (b"x", sender.getsockname())


def test_a_datagram_socket_whose_reading_was_shut_does_not_wait(machine: Machine) -> None:
    """__skb_wait_for_more_packets: RCV_SHUTDOWN ends the wait with 0."""
    sock = udp(machine)
    sock.connect(udp(machine).getsockname())
    sock.shutdown(std.SHUT_RD)
    sock.setblocking(True)
    assert sock.recv(1) == b""


@pytest.mark.parametrize("kind", [std.SOCK_STREAM, std.SOCK_DGRAM])
def test_a_unix_pair_with_a_timeout_gives_up(machine: Machine, kind: int) -> None:
    """unix(7)."""
    one, other = pair(machine, kind)
    other.settimeout(SHORT_S)
    times_out(machine, other.recv, 1)
    one.send(b"x")
    assert other.recv(1) == b"x"


def test_a_full_unix_datagram_receiver_makes_the_sender_wait(machine: Machine) -> None:
    """unix(7): reliable."""
    one, _ = pair(machine, std.SOCK_DGRAM)
    fill_datagrams(one)
    one.settimeout(SHORT_S)
    times_out(machine, one.send, b"x")


def test_a_blocking_pipe_reads_what_is_there_and_the_end(machine: Machine) -> None:
    """pipe(7)."""
    reader, writer = machine.pipe()
    os = machine.modules.os
    os.set_blocking(reader, True)
    os.write(writer, b"x")
    assert os.read(reader, 10) == b"x"
    machine.close_descriptor(writer)
    assert os.read(reader, 10) == b""


def test_sleep_lets_time_pass(machine: Machine) -> None:
    """time.sleep."""
    time = machine.modules.time
    started_s, started_ns = time.monotonic(), time.monotonic_ns()
    time.sleep(SHORT_S)
    assert SHORT_S - 0.001 < time.monotonic() - started_s < 2
    assert time.monotonic_ns() - started_ns >= 19_000_000
    time.sleep(0)
    with pytest.raises(ValueError, match="non-negative"):
        time.sleep(-1)


def test_a_reset_ends_a_blocking_recv(machine: Machine) -> None:
    """recv(2), ECONNRESET: after what had come."""
    one, other = machine.pair()
    one.send(b"x")
    one.setsockopt(std.SOL_SOCKET, std.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    one.close()
    other.settimeout(30)
    assert other.recv(10) == b"x"
    with pytest.raises(ConnectionResetError):
        other.recv(10)
    assert other.recv(10) == b""


def test_close_lets_a_queue_that_nobody_waits_for_be_delivered(machine: Machine) -> None:
    """close(2) does not wait without SO_LINGER, on a blocking socket either."""
    one, other = machine.pair()
    one.setblocking(True)
    one.send(b"x" * 100_000)
    one.close()
    other.settimeout(30)
    pieces = []
    while data := other.recv(65536):
        pieces.append(data)
    assert b"".join(pieces) == b"x" * 100_000


def test_create_connection_and_create_server_make_a_connection(machine: Machine) -> None:
    """socket.create_server, socket.create_connection."""
    socket = machine.modules.socket
    server = machine.keep(socket.create_server((machine.address, 0)))
    client = machine.keep(socket.create_connection(server.getsockname(), timeout=30))
    accepted = machine.accept(server)
    assert accepted.getpeername() == client.getsockname()
    assert server.getsockopt(std.SOL_SOCKET, std.SO_REUSEADDR) == 1


def test_create_connection_raises_the_last_error(machine: Machine) -> None:
    """socket.create_connection: the last one, when all addresses failed."""
    with pytest.raises(ConnectionRefusedError):
        machine.modules.socket.create_connection(machine.closed_address(), timeout=30)


# --- a time-out polls first ----------------------------------------------------------------------


def test_with_a_timeout_calls_that_can_only_fail_time_out(machine: Machine) -> None:
    """sock_call_ex: CPython polls before it calls; what is not ready never gets to say why not."""
    listener = machine.listener()
    one, other = machine.pair(listener)
    for sock in (listener, one, other):
        sock.settimeout(SHORT_S)
    times_out(machine, other.accept)
    times_out(machine, listener.send, b"x")
    times_out(machine, listener.recv, 1)


def test_with_a_timeout_calls_on_a_ready_socket_fail_at_once(machine: Machine) -> None:
    """sock_call_ex: HUP makes a fresh socket ready for everything."""
    fresh = machine.socket()
    fresh.settimeout(30)
    assert outcome(fresh.recv, 1) == "ENOTCONN"
    assert outcome(fresh.send, b"x") == "EPIPE"
    assert outcome(fresh.accept) == "EINVAL"


def test_msg_dontwait_does_not_shorten_a_timeout(machine: Machine) -> None:
    """sock_call_ex: the flag reaches the kernel only when there is something to read."""
    _, other = machine.pair()
    other.settimeout(SHORT_S)
    times_out(machine, other.recv, 1, std.MSG_DONTWAIT)
