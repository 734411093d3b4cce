"""simnet's own dispatchers, on the poller that it chooses."""

from __future__ import annotations

import socket
from typing import Any

from benchmarks.real.servers import RECV_BYTES
from simnet import RealTransport, dispatcher, dispatcher_with_send, loop
from simnet.transport import Address


class Echo(dispatcher):
    """What the kernel takes at once; the rest would be lost, if there were one."""

    def handle_read(self) -> None:
        self.send(self.recv(RECV_BYTES))

    def handle_close(self) -> None:
        self.close()


class EchoWithSend(dispatcher_with_send):
    """Everything comes back, however little the kernel takes."""

    def handle_read(self) -> None:
        self.send(self.recv(RECV_BYTES))

    def handle_close(self) -> None:
        self.close()


class Acceptor(dispatcher):
    """Makes a channel of a class for each connection."""

    def __init__(self, listener: socket.socket, kind: type[dispatcher], map: Any) -> None:
        super().__init__(map=map)
        self.kind = kind
        self.accepting = True
        self.set_socket(listener, map)

    def handle_accepted(self, sock: Any, addr: Address) -> None:
        self.kind(sock, self._map)


def serve(listener: socket.socket, kind: type[dispatcher] = Echo, map: Any = None) -> None:
    with RealTransport("epoll"):
        acceptor = Acceptor(listener, kind, map)
        loop(timeout=None, map=acceptor._map)


def serve_with_send(listener: socket.socket) -> None:
    serve(listener, EchoWithSend)


def serve_plain_map(listener: socket.socket) -> None:
    serve(listener, map={})
