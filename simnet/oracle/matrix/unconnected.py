"""States of sockets that may have connections, and have none: fresh, bound, listening, on their way, refused.

Owns the ways into the states, in the words of the calls that lead there.
"""

from __future__ import annotations

from .bench import Bench, Situation
from .peers import close, reset
from .registry import STATES

tcp = STATES("tcp")
unix = STATES("unix")
either = STATES("tcp", "unix")


@either
def fresh(bench: Bench) -> Situation:
    return Situation(bench.new())


@either
def bound(bench: Bench) -> Situation:
    return Situation(bench.bound("self"))


@either
def listening(bench: Bench) -> Situation:
    return Situation(bench.listener(role="self"))


@either
def listening_pending(bench: Bench) -> Situation:
    listener = bench.listener(role="self")
    return Situation(listener, bench.connected(listener))


@either
def listening_pending_data(bench: Bench) -> Situation:
    situation = listening_pending(bench)
    assert situation.peer.send(b"hello") == 5
    return situation


@either
def listening_pending_peer_closed(bench: Bench) -> Situation:
    return close(listening_pending(bench))


@either
def listening_pending_peer_reset(bench: Bench) -> Situation:
    return reset(bench, listening_pending(bench))


@either
def listening_backlog_full(bench: Bench) -> Situation:
    listener = bench.listener(backlog=0, role="self")
    bench.connected(listener)
    bench.connected(listener)
    return Situation(listener)


@tcp
def listening_no_more(bench: Bench) -> Situation:
    """shutdown(SHUT_RD) of a listener undoes listen() (inet_shutdown)."""
    situation = listening(bench)
    situation.sock.shutdown(bench.socket.SHUT_RD)
    return situation


@tcp
def connecting(bench: Bench) -> Situation:
    """A SYN finds no room in the queue of a listener, and is dropped."""
    listener = bench.listener(backlog=0)
    bench.connected(listener)
    return Situation(bench.connecting(listener.getsockname()), None, listener)


@tcp
def connecting_shut(bench: Bench) -> Situation:
    situation = connecting(bench)
    situation.sock.shutdown(bench.socket.SHUT_WR)
    return situation


@tcp
def connected_unobserved(bench: Bench) -> Situation:
    listener = bench.listener()
    return Situation(bench.connected(listener), None, listener)


@tcp
def refused_unobserved(bench: Bench) -> Situation:
    sock = bench.connecting(bench.dead_address())
    bench.settle()
    return Situation(sock)


@tcp
def refused_so_error_read(bench: Bench) -> Situation:
    situation = refused_unobserved(bench)
    situation.sock.getsockopt(bench.socket.SOL_SOCKET, bench.socket.SO_ERROR)
    return situation


@tcp
def refused_told(bench: Bench) -> Situation:
    """The second connect() fetches the refusal."""
    situation = refused_unobserved(bench)
    bench.answer(situation.sock.connect, bench.dead_address())
    return situation


@tcp
def unconnected_shut(bench: Bench) -> Situation:
    """shutdown() of a fresh socket fails, and has an effect all the same."""
    situation = fresh(bench)
    bench.answer(situation.sock.shutdown, bench.socket.SHUT_RDWR)
    return situation


@unix
def connect_failed(bench: Bench) -> Situation:
    return Situation(bench.connecting(bench.dead_address()))


@unix
def fresh_shut_rdwr(bench: Bench) -> Situation:
    situation = fresh(bench)
    situation.sock.shutdown(bench.socket.SHUT_RDWR)
    return situation
