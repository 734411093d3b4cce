"""What a stream may meet besides a reset: a FIN or a RST behind some bytes, no room, losses in a row."""

from __future__ import annotations

import errno
import select
import socket as std
import struct
from typing import Any

import pytest

from simnet import Network, Script, parse
from simnet.outcomes import EVERY, GENTLE, HARSH
from simnet.transport import ERR, HUP, IN, OUT, RDHUP

from .two_hosts import DEAD, World, ms, read


def scripted(*sentences: str) -> World:
    return World(net=Network(Script.of(map(parse, sentences))))


def drained(sock: Any) -> list[Any]:
    """What a socket that is over has to say, call by call."""
    told: list[Any] = []
    while not told or (isinstance(told[-1], bytes) and told[-1]):
        try:
            told.append(sock.recv(100))
        except OSError as error:
            told.append(errno.errorcode[error.errno or 0])
    return told


# --- RST behind some bytes -----------------------------------------------------------------------


@pytest.mark.parametrize(("size", "came"), [(3, b"hel"), (5, b"hello")])
def test_a_rst_behind_some_bytes_leaves_them_to_be_read(size: int, came: bytes) -> None:
    world = scripted(f"the 1st segment of client:1 -> server:80 is followed by a RST after {size} bytes")
    opener, accepted = world.pair()
    opener.send(b"hello")
    world.until(accepted, HUP)
    assert world.mask(accepted) == DEAD
    assert drained(accepted) == [came, "ECONNRESET"]
    assert opener.getsockopt(std.SOL_SOCKET, std.SO_ERROR) == errno.ECONNRESET
    assert world.net.unmet() == ()


def test_linux_leaves_what_came_before_a_rst_to_be_read_as_well() -> None:
    with std.create_server(("127.0.0.1", 0)) as listener:
        opener = std.create_connection(listener.getsockname())
        accepted, _ = listener.accept()
    opener.sendall(b"hello")
    opener.setsockopt(std.SOL_SOCKET, std.SO_LINGER, struct.pack("ii", 1, 0))
    opener.close()
    with accepted:
        assert drained(accepted) == [b"hello", "ECONNRESET"]


# --- FIN behind some bytes -----------------------------------------------------------------------


@pytest.mark.parametrize(("size", "came"), [(3, b"hel"), (5, b"hello")])
def test_a_middlebox_that_closes_is_an_end_of_stream_to_both(size: int, came: bytes) -> None:
    world = scripted(f"the 1st segment of client:1 -> server:80 is followed by a FIN after {size} bytes")
    opener, accepted = world.pair()
    opener.send(b"hello")
    world.until(accepted, RDHUP)
    world.pass_time(0.1)
    assert drained(accepted) == [came, b""]
    assert drained(opener) == [b""]
    assert world.mask(opener) == world.mask(accepted) == IN | OUT | RDHUP
    assert world.net.unmet() == ()


def test_what_is_sent_to_a_middlebox_that_has_closed_is_answered_by_a_rst() -> None:
    """EPIPE, as tcp_reset says it in CLOSE_WAIT: a round trip later."""
    world = World()
    opener, accepted = world.pair()
    world.net.on("client", "segment", nth=1).end(5)
    opener.send(b"hello")
    world.pass_time(0.1)
    began = world.net.now_ns
    for sock in (opener, accepted):
        assert sock.send(b"more") == 4
        assert not world.mask(sock) & (ERR | HUP)
    world.until(opener, HUP)
    assert world.net.now_ns == began + ms(40)
    assert [sock.getsockopt(std.SOL_SOCKET, std.SO_ERROR) for sock in (opener, accepted)] == [errno.EPIPE] * 2


def test_linux_says_the_same_of_a_peer_that_has_closed() -> None:
    with std.create_server(("127.0.0.1", 0)) as listener:
        opener = std.create_connection(listener.getsockname())
        accepted, _ = listener.accept()
    accepted.close()
    with opener:
        assert opener.recv(1) == b""
        assert opener.send(b"more") == 4
        assert opener.getsockopt(std.SOL_SOCKET, std.SO_ERROR) == errno.EPIPE


def test_both_ends_close_after_a_middlebox_and_nothing_is_left() -> None:
    world = World()
    opener, accepted = world.pair()
    world.net.on("client", "segment").end(5)
    opener.send(b"hello")
    world.pass_time(0.1)
    opener.close()
    accepted.close()
    world.net.run()
    assert world.net.now < 5
    assert not world.server.ports.holders()
    assert not world.client.ports.holders()


def test_what_was_under_way_to_the_sender_arrives_before_the_fin() -> None:
    world = World()
    opener, accepted = world.pair()
    world.net.on("client", "segment").end(1)
    accepted.send(b"answer")
    opener.send(b"x")
    world.pass_time(1)
    assert drained(opener) == [b"answer", b""]


def test_a_sender_that_waits_for_room_has_room_at_the_middlebox() -> None:
    world = World()
    opener, accepted = world.pair()
    while world.mask(opener) & OUT:
        opener.send(bytes(1 << 16))
        world.pass_time(0.1)
    world.net.on("server", "segment").end(2)
    accepted.send(b"hi")
    world.until(opener, RDHUP)
    assert drained(opener) == [b"hi", b""]
    assert world.mask(opener) & OUT


def test_a_connection_ends_after_a_time_whatever_it_does() -> None:
    world = World()
    world.net.on("client", "life").end_after("2s")
    opener, accepted = world.pair()
    began = world.net.now
    world.until(accepted, RDHUP)
    assert world.net.now == pytest.approx(began + 2, abs=0.05)
    assert drained(opener) == [b""]


# --- no room -------------------------------------------------------------------------------------


def test_who_finds_no_room_is_told_when_there_is_some() -> None:
    world = World()
    opener, accepted = world.pair()
    world.net.on("client", "send", nth=1).block("500ms")
    began = world.net.now_ns
    for _ in range(3):
        with pytest.raises(BlockingIOError):
            opener.send(b"hello")
        assert not world.mask(opener) & OUT
        world.pass_time(0.1)
    world.until(opener, OUT)
    assert world.net.now_ns == began + ms(500)
    assert opener.send(b"hello") == 5
    assert read(world, accepted) == b"hello"


def test_linux_says_the_same_before_a_reader_that_is_slow() -> None:
    with std.create_server(("127.0.0.1", 0)) as listener:
        listener.setsockopt(std.SOL_SOCKET, std.SO_RCVBUF, 4096)
        opener = std.socket()
        opener.setsockopt(std.SOL_SOCKET, std.SO_SNDBUF, 4096)
        opener.connect(listener.getsockname())
        accepted, _ = listener.accept()
    opener.setblocking(False)
    poll = select.poll()
    poll.register(opener, OUT)
    with opener, accepted:
        sent = 0
        while poll.poll(200):  # the window closes, and stays so
            sent += opener.send(bytes(4096))
        with pytest.raises(BlockingIOError):
            opener.send(b"x")
        assert poll.poll(0) == []
        while sent > 0:
            sent -= len(accepted.recv(1 << 16))
        assert poll.poll(5000) == [(opener.fileno(), OUT)]


# --- losses in a row -----------------------------------------------------------------------------


def test_a_segment_that_is_lost_three_times_comes_after_three_time_outs() -> None:
    """RFC 6298: 200 + 400 + 800 ms, each longer by the round trip of 40 ms; then 20 ms on the way."""
    world = scripted("the 1st segment of client:1 -> server:80 is lost 3 times")
    opener, accepted = world.pair()
    began = world.net.now_ns
    opener.send(b"hello")
    opener.send(b" again")
    assert read(world, accepted) == b"hello again"
    assert world.net.now_ns == began + ms(200 + 400 + 800 + 3 * 40 + 20)
    assert world.net.unmet() == ()


# --- calls that fail -----------------------------------------------------------------------------


@pytest.mark.parametrize("reason", [errno.EADDRNOTAVAIL, errno.ENETUNREACH, errno.EPERM])
def test_a_connect_that_fails_at_once_leaves_a_socket_that_may_try_again(reason: int) -> None:
    world = World()
    listener = world.listener()
    world.net.on("client", "connect", nth=1).fail(reason)
    opener = world.socket(world.client)
    assert opener.connect_ex(("server", 80)) == reason
    assert opener.connect_ex(("server", 80)) == errno.EINPROGRESS
    world.until(opener, OUT)
    assert opener.getsockopt(std.SOL_SOCKET, std.SO_ERROR) == 0
    listener.close()


# --- storms --------------------------------------------------------------------------------------


def test_what_is_seldom_is_drawn_by_some_storms_and_leaves_the_others_as_they_were() -> None:
    without = [each for each in HARSH if each not in SELDOM]

    def met(seed: int, only: Any) -> tuple[set[tuple[str, str]], str]:
        world = World(net=Network(seed=seed, only=only))
        opener, accepted = world.socket(world.client), None
        listener = world.listener()
        opener.connect_ex((world.server.address, 80))
        world.pass_time(200)
        for _ in range(20):
            for sock in (opener, accepted):
                try:
                    if sock is not None:
                        sock.send(b"hello")
                        sock.recv(100)
                    else:
                        accepted, _ = listener.accept()
                        accepted.setblocking(False)
                except OSError:
                    pass
            world.pass_time(100)
        return {(each.op, each.outcome) for each in world.net.script().deviations}, world.net.trace.digest()

    drawn, same = set(), 0
    for seed in range(120):
        kinds, digest = met(seed, HARSH)
        drawn |= kinds & SELDOM
        same += digest == met(seed, without)[1]
    assert drawn == SELDOM
    assert same > 10


SELDOM = {
    ("segment", "ended"),
    ("segment", "torn"),
    ("segment", "burst"),
    ("life", "ended"),
    ("send", "blocks"),
    ("connect", "fails"),
}


def test_weather() -> None:
    assert {("segment", "burst"), ("send", "blocks")} <= GENTLE
    assert SELDOM - EVERY == {("connect", "fails"), ("segment", "ended"), ("life", "ended")}  # noqa: SIM300
