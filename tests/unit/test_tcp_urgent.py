"""The urgent byte over links that take time, behind full windows and behind losses."""

from __future__ import annotations

import socket as std

import pytest

from simnet.transport import IN, OUT, PRI, RDHUP
from simnet.virtual.kernel.sock import RECEIVE_BUFFER_BYTES
from tests.conformance.machine import outcome

from .two_hosts import World, ms


def test_an_urgent_byte_arrives_a_latency_after_it_was_sent() -> None:
    """20 ms; without data before it there is nothing to read but by MSG_OOB."""
    world = World()
    opener, accepted = world.pair()
    start = world.net.now_ns
    assert opener.send(b"!", std.MSG_OOB) == 1
    assert world.until(accepted, PRI) == start + ms(20)
    assert world.mask(accepted) == PRI | OUT
    assert accepted.recv(1, std.MSG_OOB) == b"!"
    assert world.mask(accepted) == OUT


def test_the_end_of_the_stream_comes_behind_a_mark_that_nobody_passes() -> None:
    world = World()
    opener, accepted = world.pair()
    opener.send(b"ab!", std.MSG_OOB)
    opener.send(b"cd")
    opener.close()
    world.until(accepted, RDHUP)
    assert [accepted.recv(10) for _ in range(3)] == [b"ab", b"cd", b""]


def test_an_urgent_byte_waits_for_the_window_like_any_other() -> None:
    """The window is full of 64 KiB; 2 latencies after it was emptied the rest is there."""
    world = World()
    opener, accepted = world.pair()
    assert opener.send(bytes(RECEIVE_BUFFER_BYTES)) == RECEIVE_BUFFER_BYTES
    assert opener.send(b"ab!", std.MSG_OOB) == 3
    assert opener.send(b"cd") == 2
    world.pass_time(1)
    assert world.mask(accepted) == IN | OUT
    assert len(accepted.recv(1 << 20)) == RECEIVE_BUFFER_BYTES
    start = world.net.now_ns
    assert world.until(accepted, PRI) == start + ms(2 * 20)
    assert accepted.recv(1, std.MSG_OOB) == b"!"
    assert [accepted.recv(10), accepted.recv(10), outcome(accepted.recv, 10)] == [b"ab", b"cd", "EAGAIN"]


@pytest.mark.parametrize("free", [1, 2, 3])
def test_an_urgent_segment_may_be_cut_by_the_window(free: int) -> None:
    world = World()
    opener, accepted = world.pair()
    opener.send(bytes(RECEIVE_BUFFER_BYTES - free))
    opener.send(b"ab!", std.MSG_OOB)
    world.pass_time(1)
    assert bool(world.mask(accepted) & PRI) == (free == 3)
    accepted.recv(RECEIVE_BUFFER_BYTES - free)
    world.until(accepted, PRI)
    assert accepted.recv(1, std.MSG_OOB) == b"!"
    assert accepted.recv(10) == b"ab"


def test_a_lost_urgent_byte_comes_again_in_its_place() -> None:
    """RFC 6298: 200 ms and a round trip of 40 ms after the loss, then 20 ms on the way."""
    world = World()
    opener, accepted = world.pair()
    world.net.partition("client", "server")
    start = world.net.now_ns
    opener.send(b"ab!", std.MSG_OOB)
    opener.send(b"cd")
    world.net.heal()
    assert world.until(accepted, PRI) == start + ms(200 + 40 + 20)
    assert [accepted.recv(10), accepted.recv(1, std.MSG_OOB), accepted.recv(10)] == [b"ab", b"!", b"cd"]


def test_unread_urgent_data_makes_a_close_a_reset() -> None:
    """tcp_close: what was not read is lost, and the peer is to know."""
    world = World()
    opener, accepted = world.pair()
    opener.send(b"!", std.MSG_OOB)
    world.until(accepted, PRI)
    accepted.recv(1, std.MSG_OOB)  # which leaves its place in the stream
    accepted.close()
    world.pass_time(0.020)
    assert outcome(opener.recv, 1) == "ECONNRESET"


def test_what_is_counted_as_unsent_is_what_has_not_arrived() -> None:
    """tcp(7), SIOCOUTQ; in the simulation what has arrived is acknowledged at once."""
    world = World()
    opener, accepted = world.pair()
    opener.send(b"abc!", std.MSG_OOB)
    assert opener._end.unsent_bytes() == 4
    world.until(accepted, PRI)
    assert opener._end.unsent_bytes() == 0
    opener.shutdown(std.SHUT_WR)
    assert opener._end.unsent_bytes() == 1  # the FIN
    world.pass_time(0.040)
    assert opener._end.unsent_bytes() == 0
