"""Every state of an AF_UNIX stream socket that a program can bring about, and how.

Owns the ways into the states.  What a socket then answers is `test_unix_states`.
"""

from __future__ import annotations

import socket as std
from collections.abc import Callable

from .machine import Machine, outcome
from .sockets import fill, pair, unix, unix_bound, unix_connected, unix_listener, unix_pair
from .states import Situation, close

Builder = Callable[[Machine], Situation]
BUILDERS: dict[str, Builder] = {}


def state(build: Builder) -> Builder:
    BUILDERS[build.__name__] = build
    return build


@state
def fresh(m: Machine) -> Situation:
    return Situation(unix(m))


@state
def bound(m: Machine) -> Situation:
    return Situation(unix_bound(m))


@state
def listening(m: Machine) -> Situation:
    return Situation(unix_listener(m))


@state
def listening_pending(m: Machine) -> Situation:
    listener = unix_listener(m)
    return Situation(listener, unix_connected(m, listener))


@state
def listening_pending_peer_closed(m: Machine) -> Situation:
    situation = listening_pending(m)
    close(situation)
    return situation


@state
def listening_backlog_full(m: Machine) -> Situation:
    listener = unix_listener(m, backlog=0)
    unix_connected(m, listener)
    return Situation(listener)


@state
def connect_failed(m: Machine) -> Situation:
    sock = unix(m)
    assert outcome(sock.connect, m.path()) == "ENOENT"
    return Situation(sock)


@state
def established(m: Machine) -> Situation:
    listener = unix_listener(m)
    opener, accepted = unix_pair(m, listener)
    return Situation(opener, accepted, listener)


@state
def accepted_from_reset(m: Machine) -> Situation:
    situation = listening_pending(m)
    close(situation)
    return Situation(m.keep(situation.sock.accept()[0]))


@state
def established_rcvdata(m: Machine) -> Situation:
    situation = established(m)
    situation.peer.send(b"hello")
    return situation


@state
def established_sndfull(m: Machine) -> Situation:
    situation = established(m)
    fill(m, situation.sock)
    return situation


@state
def peer_shut_wr(m: Machine) -> Situation:
    situation = established(m)
    situation.peer.shutdown(std.SHUT_WR)
    return situation


@state
def peer_shut_wr_rcvdata(m: Machine) -> Situation:
    situation = established_rcvdata(m)
    situation.peer.shutdown(std.SHUT_WR)
    return situation


@state
def peer_shut_wr_eof_read(m: Machine) -> Situation:
    situation = peer_shut_wr(m)
    assert situation.sock.recv(1) == b""
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
    situation.peer.shutdown(std.SHUT_WR)
    return situation


@state
def both_shut_wr_peer_first(m: Machine) -> Situation:
    situation = peer_shut_wr(m)
    situation.sock.shutdown(std.SHUT_WR)
    return situation


@state
def self_shut_wr_peer_closed(m: Machine) -> Situation:
    situation = self_shut_wr(m)
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
    situation.sock.send(b"unread")
    close(situation)
    return situation


@state
def peer_closed_with_unread_rcvdata(m: Machine) -> Situation:
    situation = established_rcvdata(m)
    situation.sock.send(b"unread")
    close(situation)
    return situation


@state
def peer_closed_then_sent_once(m: Machine) -> Situation:
    situation = peer_closed(m)
    assert outcome(situation.sock.send, b"x") == "EPIPE"
    return situation


@state
def socketpair(m: Machine) -> Situation:
    return Situation(*pair(m))


@state
def socketpair_peer_closed(m: Machine) -> Situation:
    situation = socketpair(m)
    close(situation)
    return situation


@state
def socketpair_rcvdata_peer_closed(m: Machine) -> Situation:
    situation = socketpair(m)
    situation.peer.send(b"hello")
    close(situation)
    return situation


@state
def closed(m: Machine) -> Situation:
    sock = unix(m)
    sock.close()
    return Situation(sock)
