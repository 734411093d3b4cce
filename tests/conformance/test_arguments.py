"""What is said about arguments before anything is done: types, sizes, and flags that there are not."""

from __future__ import annotations

import errno
import socket as std
import sys
from typing import Any

import pytest

from simnet.transport import OUT

from .machine import Machine, outcome

COMPAT = -0x8000_0000
"""MSG_CMSG_COMPAT, which only the kernel itself may set."""


def refusal(call: Any, *arguments: Any) -> str:
    """The exception that a call raises, by name."""
    with pytest.raises(Exception) as caught:  # noqa: PT011 - which one is what the test compares
        call(*arguments)
    return caught.type.__name__


@pytest.mark.parametrize("call", ["recv", "recvfrom", "recvmsg"])
@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ((1 << 63,), "OverflowError"),
        ((-1, 1.5), "TypeError"),
        ((-1, 1 << 70), "OverflowError"),
        ((-1,), "ValueError"),
    ],
)
def test_types_are_looked_at_before_values(
    machine: Machine, call: str, arguments: tuple[Any, ...], error: str
) -> None:
    """PyArg_ParseTuple: all arguments are converted, and then they are judged."""
    sock = machine.open(std.AF_INET, std.SOCK_DGRAM)
    assert refusal(getattr(sock, call), *arguments) == error


def test_flags_of_sendall_are_a_number(machine: Machine) -> None:
    """socket.sendall: TypeError, and not what the kernel says of the socket."""
    sock = machine.socket()
    assert refusal(sock.sendall, b"abc", b"") == "TypeError"
    assert refusal(sock.send, "text", 1 << 70) == "TypeError"
    assert refusal(sock.send, b"abc", 1 << 70) == "OverflowError"


@pytest.mark.parametrize("kind", [std.SOCK_STREAM, std.SOCK_DGRAM])
def test_messages_of_32_bit_programs_are_refused_first(machine: Machine, kind: int) -> None:
    """sendmsg(2), recvmsg(2): EINVAL for MSG_CMSG_COMPAT, on a closed socket too (__sys_sendmsg)."""
    sock = machine.open(std.AF_INET, kind)
    closed = machine.open(std.AF_INET, kind)
    closed.close()
    for some in (sock, closed):
        assert outcome(some.sendmsg, [b"a"], [], COMPAT) == "EINVAL"
        assert outcome(some.recvmsg, 1, 0, COMPAT) == "EINVAL"
        assert outcome(some.recvmsg_into, [bytearray(1)], 0, COMPAT) == "EINVAL"


def test_recvmsg_returns_the_flag_of_close_on_exec(machine: Machine) -> None:
    """recvmsg(2): MSG_CMSG_CLOEXEC comes back in msg_flags (____sys_recvmsg)."""
    one, other = machine.modules.socket.socketpair()
    machine.keep(one), machine.keep(other)
    one.send(b"a")
    assert other.recvmsg(1, 0, std.MSG_CMSG_CLOEXEC)[2] == std.MSG_CMSG_CLOEXEC
    listener = machine.listener()
    client = machine.socket()
    client.connect_ex(listener.getsockname())
    machine.eventually(lambda: machine.poll_mask(client) & OUT)
    client.shutdown(std.SHUT_RD)
    assert client.recvmsg(1, 0, std.MSG_CMSG_CLOEXEC)[2] == std.MSG_CMSG_CLOEXEC


@pytest.mark.parametrize("kind", [std.SOCK_STREAM, std.SOCK_DGRAM])
def test_writing_no_buffers_asks_no_socket(machine: Machine, kind: int) -> None:
    """writev(2) of nothing is 0 wherever it goes (vfs_writev); a datagram of no bytes it is not."""
    sock = machine.open(std.AF_INET, kind)
    assert machine.modules.os.writev(sock.fileno(), []) == 0
    assert machine.modules.os.writev(sock.fileno(), [b"", b""]) == 0
    one, other = machine.modules.socket.socketpair(std.AF_UNIX, std.SOCK_DGRAM)
    machine.keep(one), machine.keep(other)
    assert machine.modules.os.writev(one.fileno(), [b""]) == 0
    assert machine.poll_mask(other) == OUT


def test_buffers_of_readv_and_writev(machine: Machine) -> None:
    """os.readv, os.writev: sequences of buffers, of which there may be 1024."""
    os = machine.modules.os
    sock = machine.open(std.AF_INET, std.SOCK_DGRAM)
    fd = sock.fileno()
    assert refusal(os.readv, fd, 5) == refusal(os.writev, fd, (b"" for _ in range(2))) == "TypeError"
    assert refusal(os.readv, fd, [b"x"]) == "BufferError"
    assert outcome(os.readv, fd, [bytearray(1)] * 1025) == "EINVAL"
    assert outcome(os.writev, fd, [b""] * 1025) == "EINVAL"
    sock.close()
    assert (
        refusal(os.readv, fd, [5]) == refusal(os.writev, fd, [5]) == refusal(os.read, fd, "x") == "TypeError"
    )
    assert refusal(os.dup2, fd, "x") == "TypeError"


def test_inheritable_is_a_number(machine: Machine) -> None:
    """socket.set_inheritable, os.set_inheritable: an int, which bool is."""
    sock = machine.socket()
    for wrong, error in (("x", "TypeError"), (0.5, "TypeError"), (1 << 31, "OverflowError")):
        assert refusal(sock.set_inheritable, wrong) == error
        assert refusal(machine.modules.os.set_inheritable, sock.fileno(), wrong) == error


def test_blocking_is_a_number_or_true_or_false(machine: Machine) -> None:
    """socket.setblocking, os.set_blocking: since Python 3.12 whatever is true or false will do."""
    sock = machine.socket()
    if sys.version_info < (3, 12):
        assert refusal(sock.setblocking, 0.5) == "TypeError"
        assert refusal(machine.modules.os.set_blocking, sock.fileno(), "x") == "TypeError"
    else:
        sock.setblocking("x")
        assert sock.getblocking() is True
    sock.setblocking(2)
    assert sock.getblocking() is True


def test_short_values_of_options_that_the_kind_has_not(machine: Machine) -> None:
    """setsockopt(2): a level that a socket does not have comes before the length of the value."""
    udp = machine.open(std.AF_INET, std.SOCK_DGRAM)
    assert outcome(udp.setsockopt, std.IPPROTO_TCP, std.TCP_NODELAY, b"\1") == "ENOPROTOOPT"
    unix = machine.open(std.AF_UNIX, std.SOCK_STREAM)
    assert (
        outcome(unix.setsockopt, std.IPPROTO_TCP, std.TCP_NODELAY, b"\1") == errno.errorcode[errno.EOPNOTSUPP]
    )
    tcp = machine.socket()
    assert outcome(tcp.setsockopt, std.IPPROTO_TCP, std.TCP_NODELAY, b"\1") == "EINVAL"
    assert outcome(tcp.setsockopt, std.SOL_SOCKET, std.SO_KEEPALIVE, b"\1") == "EINVAL"


def test_any_descriptor_may_be_duplicated(machine: Machine) -> None:
    """socket.dup is dup(2); fromfd() says ENOTSOCK, and the duplicate stays (CPython's Lib/socket.py)."""
    socket = machine.modules.socket
    reader, _ = machine.pipe()
    twin = machine.keep_descriptor(socket.dup(reader))
    assert twin != reader
    assert outcome(socket.dup, -1) == outcome(socket.fromfd, -1, std.AF_INET, std.SOCK_STREAM) == "EBADF"
    lowest = socket.dup(reader)
    machine.modules.os.close(lowest)
    assert outcome(socket.fromfd, reader, std.AF_INET, std.SOCK_STREAM) == "ENOTSOCK"
    machine.modules.os.close(lowest)  # or EBADF


def test_flags_beside_the_type_that_there_are_not(machine: Machine) -> None:
    """socket(2), socketpair(2): EINVAL for bits that are neither type nor SOCK_NONBLOCK nor SOCK_CLOEXEC."""
    socket = machine.modules.socket
    for family in (std.AF_INET, std.AF_UNIX):
        for make in (socket.socket, socket.socketpair):
            assert outcome(make, family, std.SOCK_STREAM | 1 << 20) == "EINVAL"
            assert outcome(make, family, -0x8000_0000) == "EINVAL"
    assert outcome(socket.socketpair, 99, std.SOCK_STREAM) == "EAFNOSUPPORT"


def test_waiting_for_all_asks_the_socket_first(machine: Machine) -> None:
    """recv(2), MSG_WAITALL: what does not come from waiting is said at once."""
    sock = machine.listener()
    sock.setblocking(True)
    assert outcome(sock.recv, 1, std.MSG_WAITALL) == "ENOTCONN"


def test_a_kind_of_socket_is_read_before_the_descriptor(machine: Machine) -> None:
    """socket.socket: family, type and protocol are ints, whatever fileno is."""
    assert refusal(machine.modules.socket.socket, "x", 1, 0, 9999) == "TypeError"
    assert refusal(machine.modules.socket.socket, 2, 1.5, 0, -1) == "TypeError"


def test_a_socket_that_lost_its_descriptor_looks_at_the_data_first(machine: Machine) -> None:
    """socket.send: a bytes-like object is wanted before EBADF is said."""
    sock = machine.modules.socket.socket()
    machine.modules.os.close(sock.fileno())
    assert refusal(sock.send, 3) == "TypeError"
    assert outcome(sock.send, b"3") == "EBADF"
    sock.detach()


def test_multicast_all_is_0_or_1(machine: Machine) -> None:
    """do_ip_setsockopt, IP_MULTICAST_ALL: EINVAL for anything else, also in a single byte."""
    sock = machine.open(std.AF_INET, std.SOCK_DGRAM)
    ip_multicast_all = 49
    for value in (0, 1, b"\1", b"\0\0\1"):
        assert outcome(sock.setsockopt, std.IPPROTO_IP, ip_multicast_all, value) == "ok"
    for value in (2, 256, -1, b"\2"):
        assert outcome(sock.setsockopt, std.IPPROTO_IP, ip_multicast_all, value) == "EINVAL"
    assert sock.getsockopt(std.IPPROTO_IP, ip_multicast_all) == 0


@pytest.mark.parametrize("family", [std.AF_INET, std.AF_UNIX])
def test_the_length_of_an_option_is_not_negative(machine: Machine, family: int) -> None:
    """setsockopt(2), EINVAL: before level and option are looked at."""
    sock = machine.open(family, std.SOCK_STREAM)
    assert outcome(sock.setsockopt, std.IPPROTO_IPV6, 50, None, (1 << 32) - 1) == "EINVAL"
    sock.close()
    assert outcome(sock.setsockopt, std.IPPROTO_IPV6, 50, None, (1 << 32) - 1) == "EBADF"


def test_kinds_of_a_look_up_are_numbers(machine: Machine) -> None:
    """socket.getaddrinfo: TypeError for a family that is none, whatever host and port are."""
    assert refusal(machine.modules.socket.getaddrinfo, "127.0.0.1", (1, 2), (3, 4)) == "TypeError"


def test_a_connect_that_waits_in_the_kernel_tells_the_outcome_there(machine: Machine) -> None:
    """O_NONBLOCK decides, and not the time-out of the object: connect(2) returns the refusal, and is over."""
    sock = machine.socket()
    sock.settimeout(5)
    machine.modules.os.set_blocking(sock.fileno(), True)
    assert sock.connect_ex((machine.address, 0)) == errno.ECONNREFUSED
    assert machine.mask(sock) == "OUT|HUP"


def test_a_read_that_would_wait_in_vain_ends(machine: Machine) -> None:
    """read(2) of a datagram socket whose reading is shut returns nothing, where recv() does."""
    sock = machine.open(std.AF_UNIX, std.SOCK_DGRAM)
    sock.setblocking(True)
    sock.shutdown(std.SHUT_RD)
    assert machine.modules.os.read(sock.fileno(), 10) == b""
