"""Blocking or not, inherited or not, closed or not: what a descriptor is set to (fcntl(2), socket(2))."""

from __future__ import annotations

import fcntl as constants
import os as system
import socket as std
import struct
from typing import Any

import pytest

from .machine import Machine, outcome
from .sockets import FIONBIO

# --- the modes of a socket -----------------------------------------------------------------------


def test_setblocking_and_settimeout_set_o_nonblock(machine: Machine) -> None:
    """socket.settimeout: with a time-out the descriptor itself does not block."""
    sock = machine.open(std.AF_INET, std.SOCK_STREAM)
    os = machine.modules.os
    for call, argument, blocking, timeout in (
        (sock.setblocking, True, True, None),
        (sock.setblocking, False, False, 0.0),
        (sock.settimeout, None, True, None),
        (sock.settimeout, 0, False, 0.0),
        (sock.settimeout, 1.5, False, 1.5),
    ):
        call(argument)
        assert os.get_blocking(sock.fileno()) == blocking
        assert sock.gettimeout() == timeout
        assert sock.timeout == timeout


def test_new_sockets_block_unless_a_default_or_a_flag_says_otherwise(machine: Machine) -> None:
    """socket(2), SOCK_NONBLOCK; socket.setdefaulttimeout."""
    socket = machine.modules.socket
    with socket.socket() as sock:
        assert sock.getblocking()
        assert sock.gettimeout() is None
    with socket.socket(std.AF_INET, std.SOCK_STREAM | std.SOCK_NONBLOCK) as sock:
        assert not sock.getblocking()
        assert sock.type == std.SOCK_STREAM


def test_the_default_timeout_is_that_of_new_sockets(machine: Machine) -> None:
    """socket.setdefaulttimeout, getdefaulttimeout."""
    socket = machine.modules.socket
    assert socket.getdefaulttimeout() is None
    socket.setdefaulttimeout(2.5)
    try:
        assert socket.getdefaulttimeout() == 2.5
        with socket.socket() as sock:
            assert sock.gettimeout() == 2.5
    finally:
        socket.setdefaulttimeout(None)


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (-1, ValueError),
        (-1e-12, ValueError),
        (float("nan"), ValueError),
        (1e10, OverflowError),
        (float("inf"), OverflowError),
        (1 << 70, OverflowError),
        ("1", TypeError),
    ],
)
def test_a_timeout_is_a_number_of_seconds_within_292_years(
    machine: Machine, value: Any, error: type[Exception]
) -> None:
    """socket.settimeout: 64 bits of nanoseconds; what is refused changes nothing."""
    sock = machine.open(std.AF_INET, std.SOCK_STREAM)
    with pytest.raises(error):
        sock.settimeout(value)
    assert sock.gettimeout() == 0
    with pytest.raises(error):
        machine.modules.socket.setdefaulttimeout(value)
    assert machine.modules.socket.getdefaulttimeout() is None


def test_a_timeout_is_kept_in_nanoseconds_and_never_too_short(machine: Machine) -> None:
    """socket_parse_timeout rounds up."""
    sock = machine.open(std.AF_INET, std.SOCK_STREAM)
    for value, kept in ((1e-10, 1e-9), (0.1, 0.1), (1.1, 1.1), (3_000_000, 3e6), (True, 1.0)):
        sock.settimeout(value)
        assert sock.gettimeout() == kept


def test_fionbio_is_o_nonblock(machine: Machine) -> None:
    """ioctl_fionbio(2): the same flag as fcntl(2) sets."""
    one, _ = machine.pair()
    one.setblocking(True)
    fcntl = machine.modules.fcntl
    for value in (1, 0, 1):
        fcntl.ioctl(one.fileno(), FIONBIO, struct.pack("i", value))
        flags = fcntl.fcntl(one.fileno(), constants.F_GETFL)
        assert bool(flags & system.O_NONBLOCK) == bool(value)
    assert outcome(one.recv, 1, std.MSG_DONTWAIT) == "EAGAIN"


def test_fcntl_sets_and_gets_the_flags_of_a_descriptor(machine: Machine) -> None:
    """fcntl(2): O_NONBLOCK of the description, FD_CLOEXEC of the descriptor; a socket is O_RDWR."""
    sock = machine.open(std.AF_INET, std.SOCK_STREAM)
    fcntl = machine.modules.fcntl.fcntl
    flags = fcntl(sock.fileno(), constants.F_GETFL)
    assert flags & system.O_ACCMODE == system.O_RDWR
    assert flags & system.O_NONBLOCK
    assert fcntl(sock.fileno(), constants.F_SETFL, flags & ~system.O_NONBLOCK) == 0
    assert machine.modules.os.get_blocking(sock.fileno())
    assert fcntl(sock.fileno(), constants.F_GETFD) == constants.FD_CLOEXEC
    fcntl(sock.fileno(), constants.F_SETFD, 0)
    assert fcntl(sock.fileno(), constants.F_GETFD) == 0


def test_descriptors_are_not_inherited_unless_asked_for(machine: Machine) -> None:
    """PEP 446: Python sets FD_CLOEXEC on every descriptor that it makes."""
    listener = machine.listener()
    machine.connected(listener)
    fcntl = machine.modules.fcntl.fcntl
    accepted = machine.accept(listener)
    copy = machine.keep(accepted.dup())
    for fd in (listener.fileno(), accepted.fileno(), copy.fileno(), *machine.pipe()):
        assert fcntl(fd, constants.F_GETFD) == constants.FD_CLOEXEC
    listener.set_inheritable(True)
    assert listener.get_inheritable()
    assert fcntl(listener.fileno(), constants.F_GETFD) == 0


def test_ioctl_and_fcntl_of_a_closed_descriptor_are_ebadf(machine: Machine) -> None:
    """ioctl(2), fcntl(2)."""
    reader, _ = machine.pipe()
    machine.close_descriptor(reader)
    fcntl = machine.modules.fcntl
    assert outcome(fcntl.fcntl, reader, constants.F_GETFL) == "EBADF"
    assert outcome(fcntl.ioctl, reader, FIONBIO, bytes(4)) == "EBADF"


# --- closed --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("family", "kind"),
    [(f, k) for f in (std.AF_INET, std.AF_INET6, std.AF_UNIX) for k in (std.SOCK_STREAM, std.SOCK_DGRAM)],
)
def test_every_kind_of_closed_socket_is_ebadf(machine: Machine, family: int, kind: int) -> None:
    """close(2), EBADF; recv(0) asks nobody, send(b"") does."""
    sock = machine.open(family, kind)
    sock.close()
    sock.close()
    calls: list[tuple[Any, ...]] = [
        (sock.recv, 1),
        (sock.recvfrom, 1),
        (sock.recvmsg, 1),
        (sock.send, b"x"),
        (sock.send, b""),
        (sock.sendmsg, [b"x"]),
        (sock.shutdown, std.SHUT_WR),
        (sock.getsockname,),
        (sock.getpeername,),
        (sock.accept,),
        (sock.listen,),
        (sock.dup,),
        (sock.setblocking, False),
        (sock.settimeout, 1),
        (sock.getsockopt, std.SOL_SOCKET, std.SO_ERROR),
    ]
    for call, *arguments in calls:
        assert outcome(call, *arguments) == "EBADF", call
    assert sock.recv(0) == b""
    assert sock.recv_into(bytearray()) == 0
    assert (sock.fileno(), sock.detach()) == (-1, -1)


def test_a_closed_socket_has_no_readiness(machine: Machine) -> None:
    """The socket and select modules: fileno() is -1, which is no file descriptor (ValueError)."""
    sock = machine.socket()
    sock.close()
    select = machine.modules.select
    poller, epoll = select.poll(), machine.epoll()
    with pytest.raises(ValueError, match="negative"):
        poller.register(sock)
    with pytest.raises(ValueError, match="negative"):
        select.select([sock], [], [], 0)
    with pytest.raises(ValueError, match="negative"):
        epoll.register(sock)


def test_sockets_of_every_kind_are_context_managers(machine: Machine) -> None:
    """socket objects close at the end of a with statement."""
    for family in (std.AF_INET, std.AF_INET6, std.AF_UNIX):
        for kind in (std.SOCK_STREAM, std.SOCK_DGRAM):
            with machine.modules.socket.socket(family, kind) as sock:
                assert sock.fileno() >= 0
            assert sock.fileno() == -1


def test_setblocking_of_a_closed_socket_fails_and_is_remembered(machine: Machine) -> None:
    """sock_settimeout sets the object's time-out before it asks the kernel."""
    sock = machine.open(std.AF_INET, std.SOCK_STREAM)
    sock.close()
    assert outcome(sock.settimeout, 7) == "EBADF"
    assert sock.gettimeout() == 7
    assert outcome(sock.setblocking, False) == "EBADF"
    assert sock.gettimeout() == 0


# --- kinds that there are not --------------------------------------------------------------------


def test_a_socket_of_an_unknown_kind_is_refused(machine: Machine) -> None:
    """socket(2): EAFNOSUPPORT, EINVAL or EPROTONOSUPPORT, ESOCKTNOSUPPORT."""
    socket = machine.modules.socket.socket
    for family in (std.AF_UNSPEC, 45, 255):
        assert outcome(socket, family, std.SOCK_STREAM) == "EAFNOSUPPORT"
    for kind in (11, 99):
        assert outcome(socket, std.AF_INET, kind) == "EINVAL"
    assert outcome(socket, 255, 99) == "EINVAL"
    for family in (std.AF_INET, std.AF_INET6):
        assert outcome(socket, family, std.SOCK_STREAM, std.IPPROTO_UDP) == "EPROTONOSUPPORT"
        assert outcome(socket, family, std.SOCK_DGRAM, std.IPPROTO_TCP) == "EPROTONOSUPPORT"
        for kind in (0, std.SOCK_RDM, 6, 9):
            assert outcome(socket, family, kind) == "ESOCKTNOSUPPORT"


def test_a_unix_socket_of_an_unknown_kind_is_refused(machine: Machine) -> None:
    """unix_create: EPROTONOSUPPORT, ESOCKTNOSUPPORT; the protocol may be that of the family."""
    socket = machine.modules.socket.socket
    assert outcome(socket, std.AF_UNIX, std.SOCK_STREAM, std.IPPROTO_TCP) == "EPROTONOSUPPORT"
    for kind in (0, std.SOCK_RDM, 6):
        assert outcome(socket, std.AF_UNIX, kind) == "ESOCKTNOSUPPORT"
    for kind in (11, 99):
        assert outcome(socket, std.AF_UNIX, kind) == "EINVAL"
        assert outcome(machine.modules.socket.socketpair, std.AF_UNIX, kind) == "EINVAL"
    machine.keep(socket(std.AF_UNIX, std.SOCK_STREAM, std.AF_UNIX))
