"""The conversations of `peers` on the virtual network of simnet, with dispatchers."""

from __future__ import annotations

from typing import Any

from benchmarks.peers import PORT, RECV_BYTES
from simnet import Network, dispatcher
from simnet.transport import Address


class EchoServer(dispatcher):
    """Echoes whatever comes."""

    def __init__(self, address: Address) -> None:
        super().__init__()
        self.create_socket()
        self.bind(address)
        self.listen(1024)

    def handle_accepted(self, sock: Any, addr: Address) -> None:
        EchoChannel(sock)


class EchoChannel(dispatcher):
    """The server's side."""

    def handle_read(self) -> None:
        self.send(self.recv(RECV_BYTES))

    def handle_close(self) -> None:
        self.close()


class Talker(dispatcher):
    """Sends a message, waits until all of it has come back, and again."""

    def __init__(self, address: Address, message: bytes, messages: int) -> None:
        super().__init__()
        self.message, self.left = message, messages
        self.missing = 0
        self.create_socket()
        self.connect(address)

    def handle_connect(self) -> None:
        self.say()

    def say(self) -> None:
        self.missing = len(self.message)
        self.send(self.message)

    def handle_read(self) -> None:
        self.missing -= len(self.recv(RECV_BYTES))
        if self.missing:
            return
        self.left -= 1
        if self.left:
            self.say()
        else:
            self.close()


def on_simnet(connections: int, messages: int, message: bytes, trace: bool) -> None:
    """Both ends on hosts of one Network, 1 ms apart."""
    net = Network(trace=trace)
    server, client = net.host("server"), net.host("client")
    with server:
        EchoServer(("", PORT))
    with client:
        talkers = [Talker(("server", PORT), message, messages) for _ in range(connections)]
    net.run()
    assert not any(talker.left for talker in talkers), "not every message came back"
