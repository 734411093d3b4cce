"""The test whose runs are counted: five clients send twenty messages each to an echo server.

A fresh server and fresh clients every run.  Each client waits until a message has come back whole before
it sends the next; what comes back must be what was sent, and only a client that was told of the end of
its connection may have got less than twenty.  The handlers are the same on both networks.
"""

from __future__ import annotations

from typing import Any

from simnet import Network, dispatcher_with_send, loop
from simnet.real import RealTransport
from simnet.transport import Address

CLIENTS, MESSAGES = 5, 20
MESSAGE = bytes(range(64))
PORT = 7
RECV_BYTES = 65_536


class Server(dispatcher_with_send):
    """Echoes whatever comes, to whoever comes."""

    def __init__(self, address: Address) -> None:
        super().__init__()
        self.channels: list[Channel] = []
        self.create_socket()
        self.bind(address)
        self.listen(CLIENTS)

    def handle_accepted(self, sock: Any, addr: Address) -> None:
        self.channels.append(Channel(sock))

    def close_all(self) -> None:
        for channel in (self, *self.channels):
            channel.close()


class Channel(dispatcher_with_send):
    """The server's side of one connection."""

    def handle_read(self) -> None:
        self.send(self.recv(RECV_BYTES))

    def handle_close(self) -> None:
        self.close()


class Client(dispatcher_with_send):
    """Sends a message, waits until all of it has come back, and again."""

    def __init__(self, address: Address, messages: int) -> None:
        super().__init__()
        self.wanted = self.left = messages
        self.answer = b""
        self.was_told = False  # that the connection is over, or has never been
        self.create_socket()
        self.connect(address)

    @property
    def is_over(self) -> bool:
        return self.was_told or not self.left

    def handle_connect(self) -> None:
        self.send(MESSAGE)

    def handle_connect_failed(self, error: OSError) -> None:
        self.was_told = True

    def handle_read(self) -> None:
        self.answer += self.recv(RECV_BYTES)
        if len(self.answer) < len(MESSAGE):
            return
        assert self.answer == MESSAGE, f"{self.answer!r} came back"
        self.answer = b""
        self.left -= 1
        if self.left:
            self.send(MESSAGE)
        else:
            self.close()

    def handle_close(self) -> None:
        self.was_told = True
        self.close()


def converse(net: Network, clients: int = CLIENTS, messages: int = MESSAGES) -> int:
    """The test on a virtual network; how many messages came back."""
    server, client = net.host("server"), net.host("client")
    with server:
        Server(("", PORT))
    with client:
        talkers = [Client(("server", PORT), messages) for _ in range(clients)]
    net.run()
    return came_back(talkers)


def converse_over_loopback() -> int:
    """The test over 127.0.0.1, with both ends in one loop."""
    machine = RealTransport()
    with machine:
        server = Server(("127.0.0.1", 0))
        talkers = [Client(server.socket.getsockname(), MESSAGES) for _ in range(CLIENTS)]
        while not all(each.is_over for each in talkers):
            loop(timeout=1.0, count=1)
        server.close_all()
    machine.close()
    return came_back(talkers)


class Wire:
    """A socket that is one attribute: what is sent is there at once, as the object that it was."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.data = b""
        self.peer = self

    def setblocking(self, flag: bool) -> None:
        """There is nothing to wait for."""

    def fileno(self) -> int:
        return self.number

    def getpeername(self) -> Address:
        return ("peer", PORT)

    def send(self, data: bytes) -> int:
        self.peer.data = data
        return len(data)

    def recv(self, size: int) -> bytes:
        return self.data

    def close(self) -> None:
        """There is nothing to close."""


class WiredClient(Client):
    """A client whose connection stands."""

    def __init__(self, wire: Wire) -> None:
        dispatcher_with_send.__init__(self, wire)
        self.wanted = self.left = MESSAGES
        self.answer = b""
        self.was_told = False


def converse_over_nothing() -> int:
    """The test with no network, kernel or loop: what its handlers and the dispatcher cost by themselves."""
    with Network(trace=False).host("alone"):
        talkers: list[Client] = []
        for number in range(CLIENTS):
            near, far = Wire(2 * number), Wire(2 * number + 1)
            near.peer, far.peer = far, near
            client, channel = WiredClient(near), Channel(far)
            client.handle_connect()
            while client.left:
                channel.handle_read_event()
                client.handle_read_event()
            channel.close()
            talkers.append(client)
    return came_back(talkers)


def came_back(clients: list[Client]) -> int:
    """What both end with: nobody waits for ever."""
    assert all(client.is_over for client in clients), "a client still waits"
    return sum(client.wanted - client.left for client in clients)
