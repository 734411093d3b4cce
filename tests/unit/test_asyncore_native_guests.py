"""A native dispatcher in a map of asyncore's: asyncore's loop tells it, on both transports."""

from __future__ import annotations

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
        with pytest.raises(UsageError, match="asyncore's, whose loop has no timers"):
            server.call_later("1s", print)
        with pytest.raises(UsageError, match="no thread can wake"):
            server.call_soon_threadsafe(print)
        server.close()
        assert not channels
