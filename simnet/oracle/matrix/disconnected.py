"""States of sockets whose peer is gone, in each order in which it may go, and of one that is closed itself.

Owns the ways into the states, in the words of the calls that lead there.
"""

from __future__ import annotations

from .bench import Bench, Situation
from .connected import established_sndfull, peer_shut_wr, self_shut_rd, self_shut_wr
from .peers import close, give, leave_unread, reset
from .registry import STATES

tcp = STATES("tcp")
unix = STATES("unix")
either = STATES("tcp", "unix")


@either
def self_shut_wr_peer_closed(bench: Bench) -> Situation:
    situation = self_shut_wr(bench)
    bench.settle()
    return close(situation)


@either
def peer_closed(bench: Bench) -> Situation:
    return close(bench.pair())


@either
def peer_closed_rcvdata(bench: Bench) -> Situation:
    return close(give(bench, bench.pair()))


@either
def peer_closed_with_unread(bench: Bench) -> Situation:
    return close(leave_unread(bench, bench.pair()))


@either
def peer_closed_with_unread_rcvdata(bench: Bench) -> Situation:
    return close(leave_unread(bench, give(bench, bench.pair())))


@either
def peer_closed_then_sent_once(bench: Bench) -> Situation:
    situation = peer_closed(bench)
    bench.settle()
    bench.answer(situation.sock.send, b"x")
    return situation


@tcp
def peer_closed_rcvdata_then_sent_once(bench: Bench) -> Situation:
    situation = peer_closed_rcvdata(bench)
    bench.settle()
    assert situation.sock.send(b"x") == 1
    return situation


@either
def peer_reset(bench: Bench) -> Situation:
    return reset(bench, bench.pair())


@either
def peer_reset_rcvdata(bench: Bench) -> Situation:
    return reset(bench, give(bench, bench.pair()))


@tcp
def peer_reset_sndfull(bench: Bench) -> Situation:
    return reset(bench, established_sndfull(bench))


@tcp
def peer_reset_recv_seen(bench: Bench) -> Situation:
    situation = peer_reset(bench)
    bench.settle()
    bench.answer(situation.sock.recv, 1)
    return situation


@tcp
def peer_reset_so_error_read(bench: Bench) -> Situation:
    situation = peer_reset(bench)
    bench.settle()
    situation.sock.getsockopt(bench.socket.SOL_SOCKET, bench.socket.SO_ERROR)
    return situation


@tcp
def peer_fin_then_reset(bench: Bench) -> Situation:
    situation = peer_shut_wr(bench)
    bench.settle()
    return reset(bench, situation)


@tcp
def self_shut_wr_peer_reset(bench: Bench) -> Situation:
    situation = self_shut_wr(bench)
    bench.settle()
    return reset(bench, situation)


@tcp
def self_shut_rd_peer_reset(bench: Bench) -> Situation:
    return reset(bench, self_shut_rd(bench))


@unix
def socketpair_peer_closed(bench: Bench) -> Situation:
    return close(bench.socketpair())


@unix
def socketpair_rcvdata_peer_closed(bench: Bench) -> Situation:
    return close(give(bench, bench.socketpair()))


@either
def closed(bench: Bench) -> Situation:
    sock = bench.new()
    sock.close()
    return Situation(sock)
