"""Who polls, finds something ready, does nothing with it and polls again takes a whole processor."""

from __future__ import annotations

import selectors
import socket
import threading
import time

import pytest

from simnet import Livelock

POLLING = pytest.mark.parametrize("selector", ["SelectSelector", "PollSelector", "EpollSelector"])


def hello():
    with socket.create_connection(("server", 7)) as sock:
        sock.sendall(b"hello")
        sock.recv(1)


def accepted():
    with socket.create_server(("", 7)) as listener:
        return listener.accept()[0]


@POLLING
def test_who_does_nothing_with_what_is_ready_for_a_second_spins(network, server, client, selector):
    def serve():
        with accepted() as sock, getattr(selectors, selector)() as poll:
            poll.register(sock, selectors.EVENT_READ)
            while True:
                poll.select()
                time.monotonic()  # of which a thousand let time pass as well

    server.spawn(serve, daemon=True)
    client.spawn(hello, daemon=True)
    with pytest.raises(Livelock, match=r"server/serve spins: since t=0\.003.* finds ready"):
        network.run()
    assert 1 < network.now < 1.1


@POLLING
def test_who_waits_for_room_where_nobody_is_left_spins(network, server, client, selector):
    def serve():
        with accepted() as sock, getattr(selectors, selector)() as poll:
            sock.sendall(b"hello")
            time.sleep(1)
            poll.register(sock, selectors.EVENT_WRITE)
            while True:
                poll.select()

    def leave():
        with socket.create_connection(("server", 7)):
            time.sleep(0.5)  # what came is not read: that resets the connection
        time.sleep(2)

    server.spawn(serve, daemon=True)
    client.spawn(leave)
    with pytest.raises(Livelock, match=r"server/serve spins: since t=1\.003"):
        network.run()


@POLLING
def test_a_healthy_connection_that_always_has_room_does_no_harm(network, server, client, selector):
    def serve():
        with accepted() as sock, getattr(selectors, selector)() as poll:
            assert sock.recv(100) == b"hello"
            poll.register(sock, selectors.EVENT_WRITE)
            while time.monotonic() < 5:
                assert poll.select()
            return time.monotonic()

    serving = server.spawn(serve)
    client.spawn(hello)
    network.run()
    assert 5 <= serving.result < 5.02  # a pause is 10 ms at most


@POLLING
def test_who_sleeps_between_two_looks_does_not_spin(network, server, client, selector):
    def serve():
        with accepted() as sock, getattr(selectors, selector)() as poll:
            poll.register(sock, selectors.EVENT_READ)
            for _ in range(1000):
                poll.select()
                time.sleep(0.01)
            return sock.recv(100)

    serving = server.spawn(serve)
    client.spawn(hello)
    network.run()
    assert serving.result == b"hello"


@POLLING
def test_another_thread_may_be_who_does_something_with_it(network, server, client, selector):
    def serve():
        said = []
        with accepted() as sock, getattr(selectors, selector)() as poll:
            poll.register(sock, selectors.EVENT_READ)
            poll.select()
            threading.Thread(target=lambda: (time.sleep(0.5), said.append(sock.recv(100)))).start()
            while not said:
                poll.select(0)
        return said, time.monotonic()

    serving = server.spawn(serve)
    client.spawn(hello)
    network.run()
    said, when = serving.result
    assert said == [b"hello"]
    assert 0.5 < when < 0.52  # a pause is 10 ms at most


@POLLING
def test_who_is_held_up_does_not_spin_meanwhile(network, server, client, selector):
    def serve():
        with accepted() as sock, getattr(selectors, selector)() as poll:
            poll.register(sock, selectors.EVENT_READ)
            for _ in range(20):
                poll.select()
            return sock.recv(100)

    serving = server.spawn(serve)
    client.spawn(hello)
    for nth in range(1, 21):
        network.on("server", "step", nth=nth).hold_up("2s")
    network.run()
    assert serving.result == b"hello"
