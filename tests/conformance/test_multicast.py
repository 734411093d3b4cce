"""Multicast groups on loopback: who is a member, and what members hear (ip(7), ipv6(7))."""

from __future__ import annotations

import itertools
import os
import socket as std
import struct
from typing import Any

import pytest

from simnet.transport import IN

from .machine import Machine, outcome
from .sockets import take

IP, IPV6 = std.IPPROTO_IP, std.IPPROTO_IPV6
IP_MULTICAST_ALL = 49  # <linux/in.h>
_groups = itertools.count(os.getpid())


def group() -> str:
    """A group of this test's own (RFC 2365: 239.255/16 is for one site)."""
    number = next(_groups)
    return f"239.255.{number >> 7 & 127}.{1 + (number & 127)}"


def group6() -> str:
    """A group that does not leave the machine (RFC 4291, section 2.7: scope 1)."""
    return f"ff11::{next(_groups) & 0xFFFF:x}"


def membership(address: str, interface: str = "127.0.0.1") -> bytes:
    """struct ip_mreq."""
    return std.inet_aton(address) + std.inet_aton(interface)


def membership6(address: str, interface: int = 1) -> bytes:
    """struct ipv6_mreq."""
    return std.inet_pton(std.AF_INET6, address) + struct.pack("I", interface)


def sender(m: Machine, family: int = std.AF_INET) -> Any:
    """A socket that sends to groups by the loopback interface."""
    sock = m.open(family, std.SOCK_DGRAM)
    if family == std.AF_INET:
        sock.setsockopt(IP, std.IP_MULTICAST_IF, std.inet_aton("127.0.0.1"))
    else:
        sock.setsockopt(IPV6, std.IPV6_MULTICAST_IF, 1)
    return sock


def member(m: Machine, address: str, port: int = 0, to: str = "") -> Any:
    """A socket of every address that has joined the group on loopback."""
    sock = m.open(std.AF_INET, std.SOCK_DGRAM)
    sock.setsockopt(std.SOL_SOCKET, std.SO_REUSEADDR, 1)
    sock.bind((to, port))
    sock.setsockopt(IP, std.IP_ADD_MEMBERSHIP, membership(address))
    return sock


def port_of(sock: Any) -> int:
    return sock.getsockname()[1]  # type: ignore[no-any-return]


@pytest.fixture
def over_ipv6(machine: Machine) -> Machine:
    machine.needs_ipv6()
    return machine


def test_a_member_hears_what_is_sent_to_the_group(machine: Machine) -> None:
    """ip(7), IP_ADD_MEMBERSHIP, IP_MULTICAST_IF."""
    address = group()
    sock, source = member(machine, address), sender(machine)
    assert source.sendto(b"hello", (address, port_of(sock))) == 5
    data, (host, port) = take(machine, sock)
    assert (data, host, port) == (b"hello", "127.0.0.1", port_of(source))


def test_every_member_of_a_port_gets_a_copy(machine: Machine) -> None:
    """__udp4_lib_mcast_deliver."""
    address = group()
    first = member(machine, address)
    second = member(machine, address, port_of(first))
    sender(machine).sendto(b"all", (address, port_of(first)))
    assert take(machine, first)[0] == take(machine, second)[0] == b"all"


def test_a_socket_that_is_bound_to_the_group_hears_it_alone(machine: Machine) -> None:
    """inet_rcv_saddr: what is bound to a group gets no unicast."""
    address = group()
    sock = member(machine, address, to=address)
    assert sock.getsockname()[0] == address
    source = sender(machine)
    source.sendto(b"to one", ("127.0.0.1", port_of(sock)))
    source.sendto(b"to all", (address, port_of(sock)))
    assert take(machine, sock)[0] == b"to all"
    assert outcome(sock.recv, 10) == "EAGAIN"


def test_nobody_hears_a_group_that_nobody_joined(machine: Machine) -> None:
    """RFC 1112, section 7: the datagram is dropped, and nobody refuses it."""
    address, source = group(), sender(machine)
    sock = machine.open(std.AF_INET, std.SOCK_DGRAM)
    sock.bind(("", 0))
    source.connect((address, port_of(sock)))
    assert [outcome(source.send, b"x") for _ in "123"] == [1, 1, 1]
    assert machine.poll_mask(sock) & IN == 0


def test_a_member_that_left_hears_nothing(machine: Machine) -> None:
    """ip(7), IP_DROP_MEMBERSHIP; leaving twice is EADDRNOTAVAIL."""
    address = group()
    sock = member(machine, address)
    sock.setsockopt(IP, std.IP_DROP_MEMBERSHIP, membership(address))
    sender(machine).sendto(b"x", (address, port_of(sock)))
    assert machine.mask(sock) == "OUT"
    assert outcome(sock.setsockopt, IP, std.IP_DROP_MEMBERSHIP, membership(address)) == "EADDRNOTAVAIL"


def test_closing_leaves_every_group(machine: Machine) -> None:
    """ip_mc_drop_socket."""
    address = group()
    sock = member(machine, address)
    port = port_of(sock)
    sock.close()
    other = machine.open(std.AF_INET, std.SOCK_DGRAM)
    other.bind(("", port))
    sender(machine).sendto(b"x", (address, port))
    assert machine.mask(other) == "OUT"


def test_joining_twice_is_eaddrinuse(machine: Machine) -> None:
    """ip_mc_join_group."""
    address = group()
    sock = member(machine, address)
    assert outcome(sock.setsockopt, IP, std.IP_ADD_MEMBERSHIP, membership(address)) == "EADDRINUSE"
    assert outcome(sock.setsockopt, IP, std.IP_ADD_MEMBERSHIP, membership(group())) == "ok"


def test_only_groups_of_interfaces_that_are_here_can_be_joined(machine: Machine) -> None:
    """ip_mc_join_group: EINVAL for what is no group, ENODEV for an unknown interface."""
    sock = machine.open(std.AF_INET, std.SOCK_DGRAM)
    join = std.IP_ADD_MEMBERSHIP
    assert outcome(sock.setsockopt, IP, join, membership("192.0.2.1")) == "EINVAL"
    assert outcome(sock.setsockopt, IP, join, membership(group(), "192.0.2.1")) == "ENODEV"
    assert outcome(sock.setsockopt, IP, join, b"short") == "EINVAL"


def test_what_goes_out_by_loopback_comes_back_without_loop_too(machine: Machine) -> None:
    """ip(7), IP_MULTICAST_LOOP spares the sender a second copy; loopback's own way round is another one."""
    address = group()
    sock, source = member(machine, address), sender(machine)
    assert source.getsockopt(IP, std.IP_MULTICAST_LOOP) == 1
    source.setsockopt(IP, std.IP_MULTICAST_LOOP, 0)
    assert source.getsockopt(IP, std.IP_MULTICAST_LOOP) == 0
    source.sendto(b"x", (address, port_of(sock)))
    assert take(machine, sock)[0] == b"x"
    assert outcome(sock.recv, 1) == "EAGAIN"


def test_multicast_goes_one_hop_at_first(machine: Machine) -> None:
    """ip(7), IP_MULTICAST_TTL: 1; EINVAL beyond 255, and -1 is the default."""
    source = machine.open(std.AF_INET, std.SOCK_DGRAM)
    assert source.getsockopt(IP, std.IP_MULTICAST_TTL) == 1
    source.setsockopt(IP, std.IP_MULTICAST_TTL, 5)
    assert source.getsockopt(IP, std.IP_MULTICAST_TTL) == 5
    assert outcome(source.setsockopt, IP, std.IP_MULTICAST_TTL, 256) == "EINVAL"
    source.setsockopt(IP, std.IP_MULTICAST_TTL, -1)
    assert source.getsockopt(IP, std.IP_MULTICAST_TTL) == 1


def test_a_group_needs_no_permission_to_broadcast(machine: Machine) -> None:
    """ip(7): SO_BROADCAST is about broadcast addresses."""
    source = sender(machine)
    assert source.getsockopt(std.SOL_SOCKET, std.SO_BROADCAST) == 0
    assert outcome(source.sendto, b"x", (group(), 9)) == 1


def test_one_datagram_reaches_members_and_is_cut_for_each(machine: Machine) -> None:
    """recv(2): each has a copy of its own."""
    address = group()
    first = member(machine, address)
    second = member(machine, address, port_of(first))
    sender(machine).sendto(b"abcdef", (address, port_of(first)))
    assert take(machine, first, 2)[0] == b"ab"
    assert take(machine, second)[0] == b"abcdef"


def test_members_of_another_port_hear_nothing(machine: Machine) -> None:
    """udp(7): a group is an address; the port still counts."""
    address = group()
    sock, other = member(machine, address), member(machine, address)
    sender(machine).sendto(b"x", (address, port_of(sock)))
    assert take(machine, sock)[0] == b"x"
    assert machine.mask(other) == "OUT"


def test_who_is_no_member_hears_a_group_that_another_has_joined(machine: Machine) -> None:
    """ip(7), IP_MULTICAST_ALL: 1 at first."""
    address = group()
    sock = member(machine, address)
    others = [machine.open(std.AF_INET, std.SOCK_DGRAM) for _ in "12"]
    for other, hears in zip(others, (1, 0), strict=True):
        other.setsockopt(std.SOL_SOCKET, std.SO_REUSEADDR, 1)
        other.bind(("", port_of(sock)))
        assert other.getsockopt(IP, IP_MULTICAST_ALL) == 1
        other.setsockopt(IP, IP_MULTICAST_ALL, hears)
    sender(machine).sendto(b"x", (address, port_of(sock)))
    assert take(machine, others[0])[0] == take(machine, sock)[0] == b"x"
    assert machine.mask(others[1]) == "OUT"


def test_a_socket_of_ipv6_hears_groups_of_ipv4_that_it_has_joined(over_ipv6: Machine) -> None:
    """IP_ADD_MEMBERSHIP on a socket of AF_INET6; inet6_create leaves IP_MULTICAST_ALL at 0."""
    address = group()
    first, second = (over_ipv6.open(std.AF_INET6, std.SOCK_DGRAM) for _ in "12")
    for sock in (first, second):
        sock.setsockopt(std.SOL_SOCKET, std.SO_REUSEADDR, 1)
        sock.bind(("::", 0) if sock is first else ("::", port_of(first)))
        assert sock.getsockopt(IP, IP_MULTICAST_ALL) == 0
    first.setsockopt(IP, std.IP_ADD_MEMBERSHIP, membership(address))
    sender(over_ipv6).sendto(b"x", (address, port_of(first)))
    data, (host, *_) = take(over_ipv6, first)
    assert (data, host) == (b"x", "::ffff:127.0.0.1")
    assert over_ipv6.mask(second) == "OUT"


def test_from_a_mapped_group_nothing_can_be_sent(over_ipv6: Machine) -> None:
    """__inet6_bind keeps it as the source address; ip_route_output_key refuses that: EINVAL."""
    sock = over_ipv6.open(std.AF_INET6, std.SOCK_DGRAM)
    assert outcome(sock.bind, (f"::ffff:{group()}", 0)) == "ok"
    assert outcome(sock.sendto, b"x", ("::ffff:127.0.0.1", 9)) == "EINVAL"
    four = over_ipv6.open(std.AF_INET, std.SOCK_DGRAM)
    assert outcome(four.bind, (group(), 0)) == "ok"
    assert outcome(four.sendto, b"x", ("127.0.0.1", 9)) == 1


def test_loopback_has_no_way_to_a_group_of_ipv6(over_ipv6: Machine) -> None:
    """netdevice(7), IFF_MULTICAST: lo has it not, so there is no route to ff00::/8; IPv4 does not ask."""
    source = sender(over_ipv6, std.AF_INET6)
    assert outcome(source.sendto, b"x", (group6(), 9)) == "ENETUNREACH"


def test_memberships_of_ipv6_have_their_errors(over_ipv6: Machine) -> None:
    """ipv6_sock_mc_join: EADDRINUSE, EINVAL, ENODEV; ipv6_sock_mc_drop: EADDRNOTAVAIL."""
    address = group6()
    sock = over_ipv6.open(std.AF_INET6, std.SOCK_DGRAM)
    join, leave = std.IPV6_JOIN_GROUP, std.IPV6_LEAVE_GROUP
    assert outcome(sock.setsockopt, IPV6, join, membership6(address)) == "ok"
    assert outcome(sock.setsockopt, IPV6, join, membership6(address)) == "EADDRINUSE"
    assert outcome(sock.setsockopt, IPV6, join, membership6("2001:db8::1")) == "EINVAL"
    assert outcome(sock.setsockopt, IPV6, join, membership6(group6(), 9999)) == "ENODEV"
    assert outcome(sock.setsockopt, IPV6, leave, membership6(address)) == "ok"
    assert outcome(sock.setsockopt, IPV6, leave, membership6(address)) == "EADDRNOTAVAIL"


def test_multicast_options_of_ipv6_at_first(over_ipv6: Machine) -> None:
    """ipv6(7), RFC 3493, section 5.2: hops 1, loop 1."""
    sock = over_ipv6.open(std.AF_INET6, std.SOCK_DGRAM)
    assert sock.getsockopt(IPV6, std.IPV6_MULTICAST_HOPS) == 1
    assert sock.getsockopt(IPV6, std.IPV6_MULTICAST_LOOP) == 1
    sock.setsockopt(IPV6, std.IPV6_MULTICAST_HOPS, 3)
    assert sock.getsockopt(IPV6, std.IPV6_MULTICAST_HOPS) == 3
