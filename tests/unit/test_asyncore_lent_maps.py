"""A map that no channel has joined, and that is only given to asyncore's poll or loop, on a virtual host.

Programs do so: ``asyncore.poll(map={self.socket: self})``, a new dict in each pass, keyed by the socket.
"""

from __future__ import annotations

import pytest

from simnet import Network, asyncore


class Listed:
    """An object with the methods of a channel, which joins no map by itself."""

    accepting = False

    def __init__(self, sock, wants_room=False):
        self.sock, self.wants_room, self.told = sock, wants_room, []

    def readable(self):
        return True

    def writable(self):
        return self.wants_room

    def handle_read_event(self):
        self.told.append(self.sock.recv(100))

    def handle_write_event(self):
        self.told.append("room")

    def handle_error(self):
        raise AssertionError(self)


@pytest.fixture
def net():
    return Network()


@pytest.fixture
def pair(net):
    with net.host("one"):
        yield asyncore.socket.socketpair()


@pytest.mark.parametrize(
    ("poll", "key"),
    [(asyncore.poll, int), (asyncore.poll2, int), (asyncore.poll, "socket")],  # poll(2) answers with numbers
)
def test_who_is_in_the_map_is_told_during_the_call_and_at_no_other_time(net, pair, poll, key):
    a, b = pair
    listed = Listed(a)

    def map():
        return {a if key == "socket" else a.fileno(): listed}

    b.send(b"one")
    poll(1, map())
    b.send(b"two")
    net.run()
    assert listed.told == [b"one"]
    poll(1, map())
    assert listed.told == [b"one", b"two"]


def test_a_channel_of_another_map_is_told_by_the_program_that_polls_it_and_not_while_that_sleeps(net, pair):
    a, b = pair

    class Channel(asyncore.dispatcher):
        got = b""

        def handle_read(self):
            self.got += self.recv(100)

    channel = Channel(a)  # it is in socket_map, which the host turns

    def poll():
        asyncore.poll(0, {channel.socket: channel})

    poll()
    b.send(b"one")
    asyncore.time.sleep(1)
    net.run()
    assert channel.got == b""
    poll()
    assert channel.got == b"one"
    asyncore.poll(0, {b: Listed(b)})  # another map is lent, and the channel is the host's again
    b.send(b" two")
    asyncore.time.sleep(1)
    assert channel.got == b"one two"


def test_what_comes_later_ends_the_wait_when_it_comes(net, pair):
    a, b = pair
    listed = Listed(a)
    net.at("3s").call(lambda: b.send(b"late"))
    asyncore.poll(10, {a: listed})
    assert (listed.told, net.now) == ([b"late"], 3)


def test_a_socket_that_was_in_such_a_map_may_be_closed(net, pair):
    a, b = pair
    asyncore.poll(0, {a: Listed(a)})
    a.close()
    net.run()
    assert b.recv(1) == b""


def test_a_machine_keeps_none_of_a_thousand_such_maps(net, pair):
    a, _ = pair
    before = len(net.host("one").loops)
    for _ in range(1000):
        asyncore.poll(0, {a: Listed(a)})
    assert len(net.host("one").loops) == before


def test_time_passes_for_who_only_finds_that_there_still_is_room(net, pair):
    a, _ = pair
    listed = Listed(a, wants_room=True)
    net.at("1s").call(lambda: None)
    passes = 0
    while net.now < 1 and passes < 100:
        asyncore.poll(0.5, {a: listed})
        passes += 1
    assert net.now >= 1


def test_a_channel_that_joins_a_lent_map_lives_there_from_then_on(net, pair):
    a, b = pair
    lent = {}

    class Joining(Listed):
        def handle_read_event(self):
            super().handle_read_event()
            Echo(b, lent)

    class Echo(asyncore.dispatcher):
        def handle_read(self):
            self.send(self.recv(100))

        def writable(self):
            return False

    listed = lent[a.fileno()] = Joining(a)
    b.send(b"come")
    asyncore.poll(1, lent)
    a.send(b"hello")
    del lent[a.fileno()]
    net.run()
    assert (listed.told, a.recv(100)) == ([b"come"], b"hello")
