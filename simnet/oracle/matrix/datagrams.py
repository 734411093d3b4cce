"""States of sockets that send datagrams: UDP and AF_UNIX datagram.

Owns the ways into the states, in the words of the calls that lead there.
"""

from __future__ import annotations

from .bench import Bench, Situation
from .registry import STATES

udp = STATES("udp")
unix = STATES("unixdg")
datagram = STATES("udp", "unixdg")


def pair(bench: Bench) -> Situation:
    """Two sockets with addresses; neither is connected."""
    return Situation(bench.bound("self"), bench.bound("peer"))


def connected_pair(bench: Bench) -> Situation:
    """The one is connected to the other."""
    situation = pair(bench)
    situation.sock.connect(situation.peer.getsockname())
    return situation


def give(bench: Bench, situation: Situation, data: bytes = b"hello") -> Situation:
    """The peer sends."""
    assert situation.peer.sendto(data, situation.sock.getsockname()) == len(data)
    bench.settle()
    return situation


def close(situation: Situation) -> Situation:
    """The peer closes."""
    situation.peer.close()
    return Situation(situation.sock)


@datagram
def fresh(bench: Bench) -> Situation:
    return Situation(bench.new())


@datagram
def bound(bench: Bench) -> Situation:
    return Situation(bench.bound("self"))


@unix
def connect_failed(bench: Bench) -> Situation:
    return Situation(bench.connecting(bench.dead_address()))


@datagram
def connected_unbound(bench: Bench) -> Situation:
    """UDP chooses a port for it; AF_UNIX leaves it without a name."""
    peer = bench.bound("peer")
    return Situation(bench.connecting(peer.getsockname()), peer)


@datagram
def connected(bench: Bench) -> Situation:
    return connected_pair(bench)


@datagram
def connected_both(bench: Bench) -> Situation:
    situation = connected_pair(bench)
    situation.peer.connect(situation.sock.getsockname())
    return situation


@datagram
def connected_blocking(bench: Bench) -> Situation:
    """A socket with a time-out of a few milliseconds."""
    situation = connected_pair(bench)
    bench.timeout_set(situation.sock)
    return situation


@datagram
def rcvdata(bench: Bench) -> Situation:
    return give(bench, pair(bench))


@datagram
def rcv_two(bench: Bench) -> Situation:
    return give(bench, rcvdata(bench), b"second")


@datagram
def rcv_empty(bench: Bench) -> Situation:
    return give(bench, pair(bench), b"")


@datagram
def rcv_empty_then_data(bench: Bench) -> Situation:
    return give(bench, rcv_empty(bench))


@datagram
def connected_rcvdata(bench: Bench) -> Situation:
    return give(bench, connected_pair(bench))


@datagram
def data_then_connected_elsewhere(bench: Bench) -> Situation:
    situation = rcvdata(bench)
    situation.sock.connect(bench.bound("other").getsockname())
    return situation


@datagram
def connected_then_elsewhere(bench: Bench) -> Situation:
    situation = connected_rcvdata(bench)
    situation.sock.connect(bench.bound("other").getsockname())
    return situation


@datagram
def connected_stranger_sends(bench: Bench) -> Situation:
    situation = connected_pair(bench)
    bench.answer(bench.bound("other").sendto, b"stranger", situation.sock.getsockname())
    bench.settle()
    return situation


@udp
def icmp_pending(bench: Bench) -> Situation:
    """A datagram to a port that nobody has is answered by ICMP (udp(7))."""
    sock = bench.bound("self")
    sock.connect(bench.dead_address())
    assert sock.send(b"x") == 1
    bench.settle()
    return Situation(sock)


@udp
def icmp_pending_rcvdata(bench: Bench) -> Situation:
    situation = rcvdata(bench)
    situation.sock.connect(bench.dead_address())
    assert situation.sock.send(b"x") == 1
    bench.settle()
    return situation


@udp
def icmp_unconnected(bench: Bench) -> Situation:
    sock = bench.bound("self")
    sock.sendto(b"x", bench.dead_address())
    bench.settle()
    return Situation(sock)


@datagram
def peer_closed(bench: Bench) -> Situation:
    return close(connected_pair(bench))


@datagram
def peer_closed_rcvdata(bench: Bench) -> Situation:
    return close(give(bench, connected_pair(bench)))


@datagram
def peer_shut_rd(bench: Bench) -> Situation:
    situation = connected_both(bench)
    situation.peer.shutdown(bench.socket.SHUT_RD)
    return situation


@datagram
def peer_shut_wr(bench: Bench) -> Situation:
    situation = connected_both(bench)
    situation.peer.shutdown(bench.socket.SHUT_WR)
    return situation


@datagram
def shut_rd(bench: Bench) -> Situation:
    situation = connected_pair(bench)
    situation.sock.shutdown(bench.socket.SHUT_RD)
    return situation


@datagram
def shut_rd_rcvdata(bench: Bench) -> Situation:
    situation = connected_rcvdata(bench)
    situation.sock.shutdown(bench.socket.SHUT_RD)
    return situation


@datagram
def shut_wr(bench: Bench) -> Situation:
    situation = connected_pair(bench)
    situation.sock.shutdown(bench.socket.SHUT_WR)
    return situation


@datagram
def shut_rdwr(bench: Bench) -> Situation:
    situation = connected_pair(bench)
    situation.sock.shutdown(bench.socket.SHUT_RDWR)
    return situation


@unix
def peer_queue_full(bench: Bench) -> Situation:
    """The peer has net.unix.max_dgram_qlen datagrams to read, and one more (unix_recvq_full)."""
    situation = connected_pair(bench)
    bench.fill(situation.sock)
    return situation


@unix
def socketpair(bench: Bench) -> Situation:
    return bench.socketpair()


@unix
def socketpair_rcvdata(bench: Bench) -> Situation:
    situation = bench.socketpair()
    situation.peer.send(b"hello")
    return situation


@unix
def socketpair_peer_closed(bench: Bench) -> Situation:
    return close(bench.socketpair())


@unix
def socketpair_rcvdata_peer_closed(bench: Bench) -> Situation:
    return close(socketpair_rcvdata(bench))


@datagram
def closed(bench: Bench) -> Situation:
    sock = bench.new()
    sock.close()
    return Situation(sock)
