"""Every state of a TCP socket that a program can bring about, and how.

Owns the ways into the states.  What a socket then answers is `test_states`.
"""

from __future__ import annotations

import socket as std
import struct
from collections.abc import Callable
from typing import Any

import attrs

from simnet.transport import ERR, HUP, IN, OUT, RDHUP

from .machine import Machine, outcome

RESET = struct.pack("ii", 1, 0)
DEAD = IN | OUT | ERR | HUP | RDHUP
"""Readiness of a socket that was reset and has not been told."""


@attrs.define
class Situation:
    """A socket in a state; the socket at the other end, if there is one; who listens."""

    sock: Any
    peer: Any = None
    listener: Any = None


Builder = Callable[[Machine], Situation]
BUILDERS: dict[str, Builder] = {}


def state(build: Builder) -> Builder:
    BUILDERS[build.__name__] = build
    return build


def established(m: Machine) -> Situation:
    listener = m.listener()
    opener, accepted = m.pair(listener)
    return Situation(opener, accepted, listener)


def reset(m: Machine, situation: Situation) -> None:
    """The peer's close() sends RST (SO_LINGER with a time of 0, socket(7))."""
    situation.peer.setsockopt(std.SOL_SOCKET, std.SO_LINGER, RESET)
    close(situation)


def close(situation: Situation) -> None:
    situation.peer.close()
    situation.peer = None


def give(m: Machine, situation: Situation, data: bytes = b"hello") -> None:
    """The peer sends."""
    assert situation.peer.send(data) == len(data)
    m.eventually(lambda: m.readable_bytes(situation.sock) == len(data))


def take_unread(m: Machine, situation: Situation) -> None:
    """The peer has something to read, and does not."""
    assert situation.sock.send(b"unread") == 6
    m.eventually(lambda: m.readable_bytes(situation.peer) == 6)


@state
def fresh(m: Machine) -> Situation:
    return Situation(m.socket())


@state
def bound(m: Machine) -> Situation:
    sock = m.socket()
    sock.bind((m.address, 0))
    return Situation(sock)


@state
def listening(m: Machine) -> Situation:
    return Situation(m.listener())


@state
def listening_pending(m: Machine) -> Situation:
    listener = m.listener()
    peer = m.connected(listener)
    m.wait_for(listener, IN)
    return Situation(listener, peer)


@state
def listening_pending_peer_closed(m: Machine) -> Situation:
    situation = listening_pending(m)
    close(situation)
    return situation


@state
def listening_pending_peer_reset(m: Machine) -> Situation:
    situation = listening_pending(m)
    reset(m, situation)
    return situation


@state
def listening_backlog_full(m: Machine) -> Situation:
    listener = m.listener(backlog=0)
    m.connected(listener)
    m.connecting(listener.getsockname())
    m.wait_for(listener, IN)
    return Situation(listener)


@state
def connecting(m: Machine) -> Situation:
    listener = m.listener(backlog=0)
    m.connected(listener)
    return Situation(m.connecting(listener.getsockname()), listener=listener)


@state
def connected_unobserved(m: Machine) -> Situation:
    listener = m.listener()
    return Situation(m.connected(listener), listener=listener)


@state
def refused_unobserved(m: Machine) -> Situation:
    sock = m.connecting(m.closed_address())
    m.wait_for(sock, DEAD)
    return Situation(sock)


@state
def refused_so_error_read(m: Machine) -> Situation:
    situation = refused_unobserved(m)
    situation.sock.getsockopt(std.SOL_SOCKET, std.SO_ERROR)
    return situation


state(established)


@state
def established_passive(m: Machine) -> Situation:
    situation = established(m)
    return Situation(situation.peer, situation.sock, situation.listener)


@state
def accepted_from_reset(m: Machine) -> Situation:
    situation = listening_pending(m)
    reset(m, situation)
    return Situation(m.accept(situation.sock))


@state
def established_rcvdata(m: Machine) -> Situation:
    situation = established(m)
    give(m, situation)
    return situation


@state
def established_sndfull(m: Machine) -> Situation:
    situation = established(m)
    fill(m, situation.sock)
    return situation


def fill(m: Machine, sock: Any) -> None:
    """Send until nothing more is taken, nor would be after a delayed ACK (40 ms)."""
    while m.eventually(lambda: isinstance(outcome(sock.send, b"f" * 65536), int), 0.06):
        pass


@state
def peer_shut_wr(m: Machine) -> Situation:
    situation = established(m)
    situation.peer.shutdown(std.SHUT_WR)
    return situation


@state
def peer_shut_wr_rcvdata(m: Machine) -> Situation:
    situation = established(m)
    give(m, situation)
    situation.peer.shutdown(std.SHUT_WR)
    return situation


@state
def peer_shut_wr_eof_read(m: Machine) -> Situation:
    situation = peer_shut_wr(m)
    m.eventually(lambda: outcome(situation.sock.recv, 1) == b"")
    return situation


@state
def peer_shut_rd(m: Machine) -> Situation:
    situation = established(m)
    situation.peer.shutdown(std.SHUT_RD)
    return situation


@state
def peer_shut_rdwr(m: Machine) -> Situation:
    situation = established(m)
    situation.peer.shutdown(std.SHUT_RDWR)
    return situation


@state
def self_shut_wr(m: Machine) -> Situation:
    situation = established(m)
    situation.sock.shutdown(std.SHUT_WR)
    return situation


@state
def self_shut_rd(m: Machine) -> Situation:
    situation = established(m)
    situation.sock.shutdown(std.SHUT_RD)
    return situation


@state
def self_shut_rd_rcvdata(m: Machine) -> Situation:
    situation = established_rcvdata(m)
    situation.sock.shutdown(std.SHUT_RD)
    return situation


@state
def self_shut_rdwr(m: Machine) -> Situation:
    situation = established(m)
    situation.sock.shutdown(std.SHUT_RDWR)
    return situation


@state
def both_shut_wr_self_first(m: Machine) -> Situation:
    situation = self_shut_wr(m)
    m.wait_for(situation.peer, IN | OUT | RDHUP)
    situation.peer.shutdown(std.SHUT_WR)
    return situation


@state
def both_shut_wr_peer_first(m: Machine) -> Situation:
    situation = peer_shut_wr(m)
    m.wait_for(situation.sock, IN | OUT | RDHUP)
    situation.sock.shutdown(std.SHUT_WR)
    return situation


@state
def self_shut_wr_peer_closed(m: Machine) -> Situation:
    situation = self_shut_wr(m)
    m.wait_for(situation.peer, IN | OUT | RDHUP)
    close(situation)
    return situation


@state
def peer_closed(m: Machine) -> Situation:
    situation = established(m)
    close(situation)
    return situation


@state
def peer_closed_rcvdata(m: Machine) -> Situation:
    situation = established_rcvdata(m)
    close(situation)
    return situation


@state
def peer_closed_with_unread(m: Machine) -> Situation:
    situation = established(m)
    take_unread(m, situation)
    close(situation)
    return situation


@state
def peer_closed_with_unread_rcvdata(m: Machine) -> Situation:
    situation = established_rcvdata(m)
    take_unread(m, situation)
    close(situation)
    return situation


@state
def peer_closed_then_sent_once(m: Machine) -> Situation:
    situation = peer_closed(m)
    m.wait_for(situation.sock, IN | OUT | RDHUP)
    assert situation.sock.send(b"x") == 1
    return situation


@state
def peer_closed_rcvdata_then_sent_once(m: Machine) -> Situation:
    situation = peer_closed_rcvdata(m)
    m.wait_for(situation.sock, IN | OUT | RDHUP)
    assert situation.sock.send(b"x") == 1
    return situation


@state
def peer_reset(m: Machine) -> Situation:
    situation = established(m)
    reset(m, situation)
    return situation


@state
def peer_reset_rcvdata(m: Machine) -> Situation:
    situation = established_rcvdata(m)
    reset(m, situation)
    return situation


@state
def peer_reset_sndfull(m: Machine) -> Situation:
    situation = established_sndfull(m)
    reset(m, situation)
    return situation


@state
def peer_reset_recv_seen(m: Machine) -> Situation:
    situation = peer_reset(m)
    m.wait_for(situation.sock, DEAD)
    assert outcome(situation.sock.recv, 1) == "ECONNRESET"
    return situation


@state
def peer_reset_so_error_read(m: Machine) -> Situation:
    situation = peer_reset(m)
    m.wait_for(situation.sock, DEAD)
    situation.sock.getsockopt(std.SOL_SOCKET, std.SO_ERROR)
    return situation


@state
def peer_fin_then_reset(m: Machine) -> Situation:
    situation = established(m)
    take_unread(m, situation)
    situation.peer.shutdown(std.SHUT_WR)
    m.wait_for(situation.sock, IN | OUT | RDHUP)
    close(situation)
    return situation


@state
def self_shut_wr_peer_reset(m: Machine) -> Situation:
    situation = self_shut_wr(m)
    m.wait_for(situation.peer, IN | OUT | RDHUP)
    reset(m, situation)
    return situation


@state
def self_connected(m: Machine) -> Situation:
    sock = m.socket()
    sock.bind((m.address, 0))
    assert outcome(sock.connect, sock.getsockname()) == "EINPROGRESS"
    return Situation(sock)


@state
def closed(m: Machine) -> Situation:
    sock = m.socket()
    sock.close()
    return Situation(sock)
