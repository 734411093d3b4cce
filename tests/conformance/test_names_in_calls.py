"""Names where calls want addresses, and what needs no look-up at all (the socket module, inet(3))."""

from __future__ import annotations

import socket as std

import pytest

from .machine import Machine

LOOPBACK, LOOPBACK6 = "127.0.0.1", "::1"
STREAM, DATAGRAM = std.SOCK_STREAM, std.SOCK_DGRAM


def test_connect_and_bind_take_names(machine: Machine) -> None:
    """The socket module looks names up in the family of the socket."""
    listener = machine.open(std.AF_INET, STREAM)
    listener.bind(("localhost", 0))
    listener.listen(1)
    assert listener.getsockname()[0] == LOOPBACK
    sock = machine.open(std.AF_INET, STREAM)
    sock.connect_ex(("localhost", listener.getsockname()[1]))
    assert machine.reaches(sock, "OUT")
    sender = machine.open(std.AF_INET, DATAGRAM)
    receiver = machine.open(std.AF_INET, DATAGRAM)
    receiver.bind(("localhost", 0))
    assert sender.sendto(b"x", ("localhost", receiver.getsockname()[1])) == 1


def test_an_unknown_name_is_gaierror_wherever_an_address_is_wanted(machine: Machine) -> None:
    """socket.gaierror."""
    stream, datagram = machine.open(std.AF_INET, STREAM), machine.open(std.AF_INET, DATAGRAM)
    for call, arguments in (
        (stream.bind, (("1.2.3.4.5", 0),)),
        (stream.connect, (("1.2.3.4.5", 9),)),
        (stream.connect_ex, (("1.2.3.4.5", 9),)),
        (datagram.sendto, (b"x", ("1.2.3.4.5", 9))),
    ):
        with pytest.raises(std.gaierror):
            call(*arguments)


def test_broadcast_is_a_name_of_the_socket_module(machine: Machine) -> None:
    """The socket module: '<broadcast>' is INADDR_BROADCAST; a stream does not go there."""
    sock = machine.open(std.AF_INET, STREAM)
    with pytest.raises(OSError, match="unreachable"):
        sock.connect(("<broadcast>", 9))


def test_the_loopback_interface_is_the_first(machine: Machine) -> None:
    """if_nametoindex(3), netdevice(7): lo is made first, and has the number 1."""
    socket = machine.modules.socket
    assert socket.if_nametoindex("lo") == 1
    assert socket.if_indextoname(1) == "lo"
    assert (1, "lo") in socket.if_nameindex()
    with pytest.raises(OSError, match="no interface with this name"):
        socket.if_nametoindex("no-such-if")


def test_texts_and_addresses_are_converted_without_a_lookup(machine: Machine) -> None:
    """inet(3), inet_pton(3)."""
    socket = machine.modules.socket
    assert socket.inet_aton("127.1") == b"\x7f\0\0\1"
    assert socket.inet_ntoa(b"\x7f\0\0\1") == LOOPBACK
    assert socket.inet_pton(std.AF_INET6, "::1") == bytes(15) + b"\1"
    assert socket.inet_ntop(std.AF_INET6, bytes(15) + b"\1") == LOOPBACK6
    with pytest.raises(OSError, match="illegal IP address"):
        socket.inet_pton(std.AF_INET, "127.1")
    assert socket.ntohs(socket.htons(0x1234)) == 0x1234


def test_the_name_of_the_host_is_one_word(machine: Machine) -> None:
    """gethostname(2)."""
    name = machine.modules.socket.gethostname()
    assert name
    assert "\0" not in name
