"""Descriptors, closed sockets and what the socket object itself answers."""

from __future__ import annotations

import socket as std
from typing import Any

import pytest

from simnet.transport import IN

from .machine import Machine, outcome


def test_a_new_descriptor_is_the_lowest_free_number(machine: Machine) -> None:
    """open(2); POSIX.1-2017, XSH 2.6: numbers are used again at once, which is how stale events happen."""
    first, second, third = (machine.socket() for _ in "123")
    numbers = [sock.fileno() for sock in (first, second, third)]
    assert numbers == sorted(numbers)
    second.close()
    first.close()
    assert [machine.socket().fileno() for _ in "12"] == numbers[:2]


def test_every_call_on_a_closed_socket_is_ebadf(machine: Machine) -> None:
    """close(2), EBADF."""
    sock = machine.socket()
    sock.close()
    assert sock.fileno() == -1
    sock.close()
    assert sock.detach() == -1
    for call, arguments in (
        ("shutdown", (std.SHUT_WR,)),
        ("getsockname", ()),
        ("getpeername", ()),
        ("setblocking", (False,)),
        ("getsockopt", (std.SOL_SOCKET, std.SO_ERROR)),
        ("setsockopt", (std.SOL_SOCKET, std.SO_REUSEADDR, 1)),
        ("listen", (5,)),
        ("accept", ()),
        ("send", (b"x",)),
        ("recv", (1,)),
        ("bind", (("127.0.0.1", 0),)),
        ("connect", (("127.0.0.1", 1),)),
    ):
        assert outcome(getattr(sock, call), *arguments) == "EBADF", call


def test_sockets_close_when_they_are_left(machine: Machine) -> None:
    """socket objects are context managers."""
    with machine.socket() as sock:
        assert sock.fileno() >= 0
    assert sock.fileno() == -1


def test_a_detached_socket_leaves_its_descriptor_open(machine: Machine) -> None:
    """socket.detach: the object is as closed, the descriptor is not."""
    one, other = machine.pair()
    fd = one.detach()
    assert fd >= 0
    assert one.fileno() == -1
    assert outcome(one.send, b"x") == "EBADF"
    assert machine.mask(other) == "OUT"


def test_readiness_can_be_asked_of_many_sockets_at_once(machine: Machine) -> None:
    """poll(2): only what is ready is returned."""
    one, other = machine.pair()
    idle = machine.listener()
    other.send(b"x")
    poller = machine.transport.poller("poll")
    for sock in (one, idle):
        poller.watch(sock.fileno(), IN)
    ready: list[Any] = []
    machine.eventually(lambda: ready.extend(poller.poll(0)) or ready)
    assert ready == [(one.fileno(), IN)]
    poller.watch(one.fileno(), 0)
    assert poller.poll(0) == []
    poller.close()


def test_options_that_handlers_use_can_be_set_and_read(machine: Machine) -> None:
    """socket(7)."""
    sock = machine.socket()
    assert sock.getsockopt(std.SOL_SOCKET, std.SO_REUSEADDR) == 0
    sock.setsockopt(std.SOL_SOCKET, std.SO_REUSEADDR, 7)
    assert sock.getsockopt(std.SOL_SOCKET, std.SO_REUSEADDR) == 1
    assert sock.getsockopt(std.SOL_SOCKET, std.SO_TYPE) == std.SOCK_STREAM
    assert sock.getsockopt(std.SOL_SOCKET, std.SO_LINGER, 8) == bytes(8)
    assert sock.getsockopt(std.SOL_SOCKET, std.SO_ERROR) == 0
    assert (sock.family, sock.type) == (std.AF_INET, std.SOCK_STREAM)


def test_timeouts_are_those_of_the_socket_module(machine: Machine) -> None:
    """socket.settimeout: None blocks, 0 does not, negative is ValueError."""
    sock = machine.socket()
    assert sock.gettimeout() == 0.0
    assert not sock.getblocking()
    sock.settimeout(None)
    assert sock.gettimeout() is None
    assert sock.getblocking()
    with pytest.raises(ValueError, match="out of range"):
        sock.settimeout(-1)


@pytest.mark.parametrize(
    ("address", "error"),
    [
        ("127.0.0.1:80", TypeError),
        (("127.0.0.1",), TypeError),
        (("127.0.0.1", "80"), TypeError),
        (("127.0.0.1", 65536), OverflowError),
        (("127.0.0.1", -1), OverflowError),
        ((7, 80), TypeError),
    ],
)
@pytest.mark.parametrize("call", ["bind", "connect", "connect_ex"])
def test_a_wrong_address_is_refused_before_the_kernel_is_asked(
    machine: Machine, call: str, address: Any, error: type[Exception]
) -> None:
    """The socket module: TypeError, OverflowError."""
    with pytest.raises(error):
        getattr(machine.socket(), call)(address)


def test_names_are_looked_up_as_addresses(machine: Machine) -> None:
    """getaddrinfo(3)."""
    lookup = machine.transport.getaddrinfo
    expected = (std.AF_INET, std.SOCK_STREAM, std.IPPROTO_TCP, "", ("127.0.0.1", 80))
    for host in ("127.0.0.1", None):
        assert lookup(host, 80, std.AF_INET, std.SOCK_STREAM)[0] == expected
    assert lookup(None, 80, std.AF_INET, std.SOCK_STREAM, 0, std.AI_PASSIVE)[0][4] == ("0.0.0.0", 80)
    with pytest.raises(std.gaierror):
        lookup("127.0.0.1", "no-such-service", std.AF_INET, std.SOCK_STREAM)
