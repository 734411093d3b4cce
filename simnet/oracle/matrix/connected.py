"""States of sockets that have a connection: idle, with data, full, half-closed, with urgent data.

Owns the ways into the states, in the words of the calls that lead there.
"""

from __future__ import annotations

from .bench import Bench, Situation
from .peers import close, give, reset
from .registry import STATES
from .unconnected import listening_pending, listening_pending_data

BUFFER_BYTES = 65536

tcp = STATES("tcp")
unix = STATES("unix")
either = STATES("tcp", "unix")


@either
def established(bench: Bench) -> Situation:
    return bench.pair()


@either
def established_passive(bench: Bench) -> Situation:
    situation = bench.pair()
    return Situation(situation.peer, situation.sock, situation.listener)


@either
def established_listener_closed(bench: Bench) -> Situation:
    situation = bench.pair()
    situation.listener.close()
    return situation


@either
def established_blocking(bench: Bench) -> Situation:
    """A socket with a time-out of a few milliseconds."""
    situation = bench.pair()
    bench.timeout_set(situation.sock)
    return situation


@either
def accepted_from_reset(bench: Bench) -> Situation:
    situation = reset(bench, listening_pending(bench))
    bench.settle()
    return Situation(bench.accepted(situation.sock), None, situation.sock)


@either
def accepted_from_closed(bench: Bench) -> Situation:
    situation = close(listening_pending_data(bench))
    bench.settle()
    return Situation(bench.accepted(situation.sock), None, situation.sock)


@either
def established_rcvdata(bench: Bench) -> Situation:
    return give(bench, bench.pair())


@either
def established_rcv_two(bench: Bench) -> Situation:
    return give(bench, give(bench, bench.pair()), b"second")


@either
def established_sndfull(bench: Bench) -> Situation:
    situation = sized_pair(bench)
    bench.fill(situation.sock)
    return situation


@either
def established_rcvfull(bench: Bench) -> Situation:
    situation = sized_pair(bench)
    bench.fill(situation.peer)
    return situation


def sized_pair(bench: Bench) -> Situation:
    """A connection whose buffers stay as they are, and hold more than one segment of loopback, 65,483 bytes:
    else a receiver that has read everything would not say so at once (RFC 9293, 3.8.6.2.2).
    """
    situation = bench.pair()
    for sock in (situation.sock, situation.peer):
        for option in (bench.socket.SO_SNDBUF, bench.socket.SO_RCVBUF):
            sock.setsockopt(bench.socket.SOL_SOCKET, option, BUFFER_BYTES)
    return situation


@unix
def socketpair(bench: Bench) -> Situation:
    return bench.socketpair()


@unix
def socketpair_rcvdata(bench: Bench) -> Situation:
    return give(bench, bench.socketpair())


@tcp
def self_connected(bench: Bench) -> Situation:
    """A socket bound to a port that calls connect() to that port: two SYNs cross (RFC 9293, 3.5)."""
    sock = bench.bound("self")
    bench.answer(sock.connect, sock.getsockname())
    bench.settle()
    return Situation(sock)


# --- half-closed ----------------------------------------------------------------------------------


@either
def peer_shut_wr(bench: Bench) -> Situation:
    situation = bench.pair()
    situation.peer.shutdown(bench.socket.SHUT_WR)
    return situation


@either
def peer_shut_wr_rcvdata(bench: Bench) -> Situation:
    situation = give(bench, bench.pair())
    situation.peer.shutdown(bench.socket.SHUT_WR)
    return situation


@either
def peer_shut_wr_eof_read(bench: Bench) -> Situation:
    situation = peer_shut_wr(bench)
    bench.settle()
    assert situation.sock.recv(1) == b""
    return situation


@either
def peer_shut_rd(bench: Bench) -> Situation:
    situation = bench.pair()
    situation.peer.shutdown(bench.socket.SHUT_RD)
    return situation


@either
def peer_shut_rdwr(bench: Bench) -> Situation:
    situation = bench.pair()
    situation.peer.shutdown(bench.socket.SHUT_RDWR)
    return situation


@either
def self_shut_wr(bench: Bench) -> Situation:
    situation = bench.pair()
    situation.sock.shutdown(bench.socket.SHUT_WR)
    return situation


@either
def self_shut_wr_rcvdata(bench: Bench) -> Situation:
    situation = give(bench, bench.pair())
    situation.sock.shutdown(bench.socket.SHUT_WR)
    return situation


@either
def self_shut_rd(bench: Bench) -> Situation:
    situation = bench.pair()
    situation.sock.shutdown(bench.socket.SHUT_RD)
    return situation


@either
def self_shut_rd_rcvdata(bench: Bench) -> Situation:
    situation = give(bench, bench.pair())
    situation.sock.shutdown(bench.socket.SHUT_RD)
    return situation


@either
def self_shut_rd_late_data(bench: Bench) -> Situation:
    """TCP takes what comes after SHUT_RD; AF_UNIX tells the sender EPIPE."""
    situation = self_shut_rd(bench)
    bench.answer(situation.peer.send, b"hello")
    return situation


@either
def self_shut_rdwr(bench: Bench) -> Situation:
    situation = bench.pair()
    situation.sock.shutdown(bench.socket.SHUT_RDWR)
    return situation


@either
def both_shut_wr_self_first(bench: Bench) -> Situation:
    situation = self_shut_wr(bench)
    bench.settle()
    situation.peer.shutdown(bench.socket.SHUT_WR)
    return situation


@either
def both_shut_wr_peer_first(bench: Bench) -> Situation:
    situation = peer_shut_wr(bench)
    bench.settle()
    situation.sock.shutdown(bench.socket.SHUT_WR)
    return situation


# --- urgent data ----------------------------------------------------------------------------------


def urge(bench: Bench, situation: Situation, data: bytes = b"!") -> Situation:
    """The peer sends, and the last byte is out of band."""
    situation.peer.send(data, bench.socket.MSG_OOB)
    bench.settle()
    return situation


@either
def oob_pending(bench: Bench) -> Situation:
    return urge(bench, give(bench, bench.pair(), b"abc"))


@either
def oob_only(bench: Bench) -> Situation:
    return urge(bench, bench.pair())


@either
def oob_then_data(bench: Bench) -> Situation:
    return give(bench, oob_pending(bench), b"def")


@either
def oob_read(bench: Bench) -> Situation:
    situation = oob_then_data(bench)
    assert situation.sock.recv(1, bench.socket.MSG_OOB) == b"!"
    return situation


@either
def oob_inline_pending(bench: Bench) -> Situation:
    situation = give(bench, bench.pair(), b"abc")
    situation.sock.setsockopt(bench.socket.SOL_SOCKET, bench.socket.SO_OOBINLINE, 1)
    return urge(bench, situation)
