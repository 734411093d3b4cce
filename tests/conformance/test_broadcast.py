"""Broadcast on loopback: who may send it, and who hears it (ip(7), socket(7) SO_BROADCAST)."""

from __future__ import annotations

import socket as std

from .machine import Machine, outcome
from .sockets import (
    take,
)

LOOPBACK_BROADCAST = "127.255.255.255"


def test_broadcast_needs_permission(machine: Machine) -> None:
    """ip(7) and socket(7), SO_BROADCAST: EACCES without it, of sendto() and of connect()."""
    sock = machine.open(std.AF_INET, std.SOCK_DGRAM)
    assert sock.getsockopt(std.SOL_SOCKET, std.SO_BROADCAST) == 0
    assert outcome(sock.sendto, b"x", (LOOPBACK_BROADCAST, 9)) == "EACCES"
    assert outcome(sock.connect, (LOOPBACK_BROADCAST, 9)) == "EACCES"
    sock.setsockopt(std.SOL_SOCKET, std.SO_BROADCAST, 1)
    assert outcome(sock.sendto, b"x", (LOOPBACK_BROADCAST, 9)) == 1


def test_a_broadcast_reaches_every_socket_of_the_port_that_is_bound_to_all(machine: Machine) -> None:
    """__udp4_lib_mcast_deliver: a copy for each; one bound to a single address is passed over."""
    first, second, narrow = (machine.open(std.AF_INET, std.SOCK_DGRAM) for _ in "123")
    for sock in (first, second, narrow):
        sock.setsockopt(std.SOL_SOCKET, std.SO_REUSEADDR, 1)
    first.bind(("", 0))
    port = first.getsockname()[1]
    second.bind(("", port))
    narrow.bind((machine.address, port))
    sender = machine.open(std.AF_INET, std.SOCK_DGRAM)
    sender.setsockopt(std.SOL_SOCKET, std.SO_BROADCAST, 1)
    assert sender.sendto(b"all", (LOOPBACK_BROADCAST, port)) == 3
    assert take(machine, first)[0] == b"all"
    assert take(machine, second)[0] == b"all"
    assert outcome(narrow.recv, 1) == "EAGAIN"
