"""What needs a network of one's own: ports that run out, and addresses to which there is no way."""

from __future__ import annotations

import socket as std

import pytest

from .machine import Machine, outcome
from .namespace import in_private_network
from .sockets import udp


@in_private_network
def test_bind_to_port_0_is_eaddrinuse_when_the_ephemeral_ports_are_used_up(machine: Machine) -> None:
    """bind(2), EADDRINUSE: all port numbers in the ephemeral port range are currently in use (ip(7))."""
    machine.ephemeral_ports(40000, 40003)
    socks = [machine.socket() for _ in range(6)]
    assert [outcome(sock.bind, ("127.0.0.1", 0)) for sock in socks] == ["ok"] * 4 + ["EADDRINUSE"] * 2
    ports = sorted(sock.getsockname()[1] for sock in socks[:4])
    assert ports == [40000, 40001, 40002, 40003]
    socks[2].close()
    assert outcome(socks[4].bind, ("127.0.0.1", 0)) == "ok"


@in_private_network
def test_connect_is_eaddrnotavail_when_the_ephemeral_ports_are_used_up(machine: Machine) -> None:
    """connect(2), EADDRNOTAVAIL: to another listener the same ports may be used again."""
    first, second = machine.listener(backlog=10), machine.listener()
    machine.ephemeral_ports(40000, 40003)
    answers = [outcome(machine.socket().connect, first.getsockname()) for _ in range(6)]
    assert answers == ["EINPROGRESS"] * 4 + ["EADDRNOTAVAIL"] * 2
    assert outcome(machine.socket().connect, second.getsockname()) == "EINPROGRESS"


@in_private_network
def test_listen_without_a_port_is_eaddrinuse_when_there_is_none(machine: Machine) -> None:
    """listen(2), EADDRINUSE: not bound, and all ports of the ephemeral range are in use."""
    machine.ephemeral_ports(40000, 40001)
    for _ in "12":
        machine.socket().bind(("127.0.0.1", 0))
    assert outcome(machine.socket().listen, 5) == "EADDRINUSE"


@in_private_network
def test_datagram_ports_run_out_on_their_own(machine: Machine) -> None:
    """udp(7), EADDRINUSE of bind; sendto() of an unbound socket is EAGAIN (inet_autobind)."""
    machine.ephemeral_ports(40000, 40001)
    machine.socket().bind(("127.0.0.1", 0))
    receiver = udp(machine)
    udp(machine)
    assert outcome(udp, machine) == "EADDRINUSE"
    assert outcome(machine.open(std.AF_INET, std.SOCK_DGRAM).sendto, b"x", receiver.getsockname()) == "EAGAIN"
    assert outcome(machine.open(std.AF_INET, std.SOCK_DGRAM).connect, receiver.getsockname()) == "EAGAIN"
    assert outcome(machine.socket().bind, ("127.0.0.1", 0)) == "ok"


@in_private_network
def test_without_a_route_there_is_enetunreach_at_once(machine: Machine) -> None:
    """connect(2), ENETUNREACH: no EINPROGRESS, and the socket is as it was."""
    for family, address in ((std.AF_INET, "198.51.100.1"), (std.AF_INET6, "2001:db8::1")):
        stream, datagram = machine.open(family, std.SOCK_STREAM), machine.open(family, std.SOCK_DGRAM)
        assert outcome(stream.connect, (address, 9)) == "ENETUNREACH"
        assert machine.mask(stream) == "OUT|HUP"
        assert stream.getsockname()[0] in ("0.0.0.0", "::")
        assert outcome(datagram.connect, (address, 9)) == "ENETUNREACH"
        assert outcome(datagram.sendto, b"x", (address, 9)) == "ENETUNREACH"
        assert machine.mask(datagram) == "OUT"


@in_private_network
def test_a_socket_that_found_no_route_may_connect_elsewhere(machine: Machine) -> None:
    """connect(2): the failure left nothing behind."""
    sock = machine.socket()
    assert outcome(sock.connect, ("198.51.100.1", 9)) == "ENETUNREACH"
    assert outcome(sock.connect, machine.listener().getsockname()) == "EINPROGRESS"


def test_a_body_that_fails_in_its_namespace_fails(machine: Machine) -> None:
    """The canary."""
    if machine.name == "virtual":
        pytest.skip("a virtual host is alone as it is")
    with pytest.raises(AssertionError, match="the answer is not 42"):
        in_private_network(wrong.__wrapped__)(machine)


@in_private_network
def wrong(machine: Machine) -> None:
    assert outcome(machine.socket().connect, ("198.51.100.1", 9)) == 42, "the answer is not 42"
