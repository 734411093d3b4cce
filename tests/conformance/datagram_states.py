"""Every state of a datagram socket that a program can bring about, and how: of UDP, and of AF_UNIX.

Owns the ways into the states.  What a socket then answers is `test_datagram_states`.
"""

from __future__ import annotations

import socket as std
from collections.abc import Callable
from typing import Any

import attrs

from simnet.transport import ERR, IN, OUT

from .machine import Machine, outcome
from .sockets import fill_datagrams, loopback, pair, refusal, udp, udp_closed_address, unix, unix_bound


@attrs.define
class Situation:
    """A socket in a state; who it has to do with; what getpeername() may say."""

    sock: Any
    peer: Any = None
    names: dict[Any, str] = attrs.Factory(dict)


Builder = Callable[[Machine], Situation]
UDP: dict[str, Builder] = {}
UNIX: dict[str, Builder] = {}


def state(*tables: dict[str, Builder]) -> Callable[[Builder], Builder]:
    """A state of UDP, of AF_UNIX, or of both."""

    def enter(build: Builder) -> Builder:
        for table in tables:
            table[build.__name__.removeprefix("unix_")] = build
        return build

    return enter


# --- sockets of the family that the machine was told ---------------------------------------------


def unbound(m: Machine) -> Any:
    return unix(m, std.SOCK_DGRAM) if m.family == std.AF_UNIX else m.open(m.family, std.SOCK_DGRAM)


def bound_socket(m: Machine) -> Any:
    return unix_bound(m, std.SOCK_DGRAM) if m.family == std.AF_UNIX else udp(m, m.family)


def nobody(m: Machine) -> Any:
    """Where no socket is."""
    if m.family != std.AF_UNIX:
        return udp_closed_address(m, m.family)
    sock = bound_socket(m)
    name = sock.getsockname()
    sock.close()
    return name


def binding(m: Machine) -> Any:
    """What a socket may be bound to."""
    return m.path() if m.family == std.AF_UNIX else (loopback(m, m.family), 0)


# --- the states ----------------------------------------------------------------------------------


@state(UDP, UNIX)
def fresh(m: Machine) -> Situation:
    return Situation(unbound(m))


@state(UDP, UNIX)
def bound(m: Machine) -> Situation:
    return Situation(bound_socket(m))


@state(UNIX)
def connect_failed(m: Machine) -> Situation:
    sock = unbound(m)
    assert outcome(sock.connect, m.path()) == "ENOENT"
    return Situation(sock)


@state(UNIX)
def socketpair(m: Machine) -> Situation:
    return Situation(*pair(m, std.SOCK_DGRAM), {"": "<unnamed>"})


@state(UNIX)
def socketpair_peer_closed(m: Machine) -> Situation:
    situation = socketpair(m)
    close(situation)
    return situation


@state(UNIX)
def socketpair_rcvdata_peer_closed(m: Machine) -> Situation:
    situation = socketpair(m)
    situation.peer.send(b"hello")
    close(situation)
    return situation


@state(UDP, UNIX)
def closed(m: Machine) -> Situation:
    sock = unbound(m)
    sock.close()
    return Situation(sock)


@state(UDP, UNIX)
def connected(m: Machine) -> Situation:
    sock, peer = bound_socket(m), bound_socket(m)
    sock.connect(peer.getsockname())
    return Situation(sock, peer, {peer.getsockname(): "<peer>"})


@state(UDP, UNIX)
def rcvdata(m: Machine) -> Situation:
    return received(m, b"hello")


@state(UDP, UNIX)
def rcv_two(m: Machine) -> Situation:
    return received(m, b"hello", b"second")


@state(UDP, UNIX)
def rcv_empty(m: Machine) -> Situation:
    return received(m, b"")


def received(m: Machine, *datagrams: bytes) -> Situation:
    sock, peer = bound_socket(m), bound_socket(m)
    for data in datagrams:
        peer.sendto(data, sock.getsockname())
    m.wait_for(sock, IN | OUT)
    return Situation(sock, peer)


@state(UDP, UNIX)
def connected_rcvdata(m: Machine) -> Situation:
    situation = connected(m)
    situation.peer.sendto(b"hello", situation.sock.getsockname())
    m.wait_for(situation.sock, IN | OUT)
    return situation


@state(UDP, UNIX)
def data_then_connected_elsewhere(m: Machine) -> Situation:
    situation, other = received(m, b"hello"), bound_socket(m)
    situation.sock.connect(other.getsockname())
    situation.names[other.getsockname()] = "<other>"
    return situation


@state(UDP, UNIX)
def connected_stranger_sends(m: Machine) -> Situation:
    situation, stranger = connected(m), bound_socket(m)
    outcome(stranger.sendto, b"stranger", situation.sock.getsockname())
    return situation


@state(UDP)
def icmp_pending(m: Machine) -> Situation:
    sock = bound_socket(m)
    sock.connect(nobody(m))
    refusal(m, sock)
    return Situation(sock, None, {sock.getpeername(): "<dead>"})


@state(UDP)
def icmp_pending_rcvdata(m: Machine) -> Situation:
    situation = received(m, b"hello")
    situation.sock.connect(nobody(m))
    refusal(m, situation.sock, IN | OUT | ERR)
    situation.names[situation.sock.getpeername()] = "<dead>"
    return situation


@state(UDP)
def icmp_unconnected(m: Machine) -> Situation:
    sock = bound_socket(m)
    assert sock.sendto(b"x", nobody(m)) == 1
    return Situation(sock)


@state(UDP, UNIX)
def peer_closed(m: Machine) -> Situation:
    situation = connected(m)
    close(situation)
    return situation


@state(UDP, UNIX)
def shut_rd(m: Machine) -> Situation:
    return shut(m, std.SHUT_RD)


@state(UDP, UNIX)
def shut_wr(m: Machine) -> Situation:
    return shut(m, std.SHUT_WR)


@state(UDP, UNIX)
def shut_rdwr(m: Machine) -> Situation:
    return shut(m, std.SHUT_RDWR)


def shut(m: Machine, how: int) -> Situation:
    situation = connected(m)
    situation.sock.shutdown(how)
    return situation


@state(UNIX)
def peer_queue_full(m: Machine) -> Situation:
    situation = connected(m)
    fill_datagrams(situation.sock)
    return situation


def close(situation: Situation) -> None:
    situation.peer.close()
    situation.peer = None
