"""A native dispatcher in a map of asyncore's: asyncore's loop tells it, on both transports."""

from __future__ import annotations

import errno
import os

import pytest

import simnet
from simnet import UsageError, asyncore


class Server(simnet.dispatcher):
    def __init__(self, address, map):
        super().__init__(map=map)
        self.accepted = []
        self.create_socket()
        self.bind(address)
        self.listen(5)

    def handle_accepted(self, sock, address):
        self.accepted.append(sock)
        sock.close()


class Client(asyncore.dispatcher):
    ended = False

    def __init__(self, address, map):
        super().__init__(map=map)
        self.create_socket()
        self.connect(address)

    def handle_connect(self):
        pass

    def handle_read(self):
        self.recv(10)

    def writable(self):
        return self.connecting

    def handle_close(self):
        self.ended = True
        self.close()


@pytest.mark.parametrize("which", ["the default map", "a dict"])
@pytest.mark.parametrize("kind", ["virtual", "real"])
def test_asyncores_loop_tells_it(kind, which):
    machine = simnet.Network().host("machine") if kind == "virtual" else simnet.RealTransport()
    with machine:
        channels = asyncore.socket_map if which == "the default map" else {}
        old = asyncore.dispatcher(map=channels)
        old.create_socket()  # from here on the map is asyncore's
        server = Server(("127.0.0.1", 0), channels)
        client = Client(server.socket.getsockname(), channels)
        old.close()
        for _ in range(100):
            asyncore.loop(timeout=1, map=channels, count=1)
            if client.ended:
                break
        assert len(server.accepted) == 1
        with pytest.raises(UsageError, match="no thread can wake"):
            server.call_soon_threadsafe(print)
        server.close()
        assert not channels


@pytest.fixture(params=["virtual", "real"])
def machine(request):
    return simnet.Network().host("machine") if request.param == "virtual" else simnet.RealTransport()


by_select_and_by_poll = pytest.mark.parametrize("use_poll", [False, True], ids=["select", "poll"])


@by_select_and_by_poll
def test_its_timers_are_called_in_their_time(machine, use_poll):
    with machine:
        channels = asyncore.socket_map
        called = []
        server = Server(("127.0.0.1", 0), channels)
        server.call_later("20ms", called.append, "second")
        server.call_later("10ms", called.append, "first")
        server.call_later("15ms", called.append, "never").cancel()
        began = asyncore.time.monotonic()
        for _ in range(20):
            asyncore.loop(timeout=5, use_poll=use_poll, map=channels, count=1)
            if len(called) == 2:
                break
        assert called == ["first", "second"]
        assert 0.02 <= asyncore.time.monotonic() - began < 5  # no pass has waited for its own time-out
        server.close()


class Exhausted:
    """A listening socket for which the system has no descriptors left, twice."""

    def __init__(self, sock):
        self.sock, self.accepts = sock, 0

    def __getattr__(self, name):
        return getattr(self.sock, name)

    def accept(self):
        self.accepts += 1
        if self.accepts <= 2:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return self.sock.accept()


@by_select_and_by_poll
def test_a_listener_without_descriptors_rests_and_accepts_when_there_are_some(machine, use_poll):
    with machine:
        channels = asyncore.socket_map
        server = Server(("127.0.0.1", 0), channels)
        server.accept_pause = "10ms"
        server.ignore_log_types = {"error", "warning"}
        server.socket = Exhausted(server.socket)
        client = Client(server.socket.getsockname(), channels)
        for _ in range(100):
            asyncore.loop(timeout=1, use_poll=use_poll, map=channels, count=1)
            if client.ended:
                break
        assert len(server.accepted) == 1
        assert server.socket.accepts == 3  # the two that failed and that which did not: it has not spun
        server.close()


class OpenAtTheEnd(simnet.dispatcher):
    close_once = True

    def __init__(self, sock, map):
        super().__init__(sock, map)
        self.told = []

    def handle_read(self):
        self.told.append("read")
        self.recv(10)

    def handle_close(self):
        self.told.append("close")


def test_close_once_reads_no_more_either(machine):
    with machine:
        channels = asyncore.socket_map
        left, right = asyncore.socket.socketpair()
        channel = OpenAtTheEnd(left, channels)
        right.close()
        for _ in range(5):
            asyncore.loop(timeout=0.001, map=channels, count=1)
        assert channel.told == ["read", "close"]
        channel.close()
