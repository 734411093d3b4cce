"""The programs of `scenarios/`: small handlers with one idea each, right or wrong.

A program builds its handlers on the hosts of the network that it is given, lets it run and asserts what
its users rely on.  What befalls the network is not written here but in the scenario files; several of
them may run one program, with other arguments or other faults.
"""

from __future__ import annotations

import socket
from typing import Any

from simnet import Network, dispatcher, dispatcher_with_send
from simnet.transport import Address

PORT = 8000


class Server(dispatcher):
    """Makes a channel of every connection."""

    def __init__(self, channel: Any, backlog: int = 5, reuse: bool = True) -> None:
        super().__init__()
        self.channel = channel
        self.create_socket()
        if reuse:
            self.set_reuse_addr()
        self.bind(("", PORT))
        self.listen(backlog)

    def handle_accepted(self, sock: Any, address: Address) -> None:
        self.channel(sock)


class Client(dispatcher_with_send):
    """Sends something and collects what comes back."""

    def __init__(self, request: bytes = b"") -> None:
        super().__init__()
        self.request = request
        self.received = b""
        self.is_over = False
        self.create_socket()
        self.connect(("server", PORT))

    def handle_connect(self) -> None:
        if self.request:
            self.send(self.request)

    def handle_read(self) -> None:
        self.received += self.recv(65_536)

    def handle_close(self) -> None:
        self.is_over = True
        self.close()


# --- an upload is cut inside CRLF ----------------------------------------------------------------


class HeaderReader(dispatcher):
    """Collects header lines until an empty one.

    `splitlines` also ends a line at a lone CR: right for a whole text, wrong for the first part of one.
    """

    def __init__(self, sock: Any, headers: dict[bytes, bytes]) -> None:
        super().__init__(sock)
        self.headers = headers
        self.rest = b""

    def handle_read(self) -> None:
        lines = (self.rest + self.recv(1024)).splitlines(keepends=True)
        self.rest = lines.pop() if lines and not lines[-1].endswith((b"\r", b"\n")) else b""
        for line in lines:
            name, _, value = line.strip().partition(b": ")
            if not name:
                self.close()
                return
            self.headers[name] = value

    def handle_close(self) -> None:
        self.close()


def header_upload(net: Network, request: bytes) -> None:
    """Two headers are sent; the server has understood both."""
    headers: dict[bytes, bytes] = {}
    with net.host("server"):
        Server(lambda sock: HeaderReader(sock, headers))
    with net.host("client"):
        Client(request)
    net.run()
    assert len(headers) == 2, f"the server saw only {headers}"


# --- a reply is lost because the request was not read ----------------------------------------------


class Refuser(dispatcher_with_send):
    """Answers as soon as the header has come, and leaves the body unread."""

    def __init__(self, sock: Any, is_polite: bool) -> None:
        super().__init__(sock)
        self.is_polite = is_polite
        self.has_answered = False

    def handle_read(self) -> None:
        if self.has_answered:
            self.recv(65_536)  # read on until the client is done, and forget it
            return
        self.recv(16)
        self.send(b"413 too large\r\n")
        self.has_answered = True
        if self.is_polite:
            self.socket.shutdown(socket.SHUT_WR)
        else:
            self.close()

    def handle_close(self) -> None:
        self.close()


def refused_upload(net: Network, is_polite: bool = False) -> None:
    """The client learns why its upload was refused."""
    with net.host("server"):
        Server(lambda sock: Refuser(sock, is_polite))
    with net.host("client"):
        client = Client(b"PUT /large 4000\n" + bytes(4000))
    net.run()
    assert client.received == b"413 too large\r\n", f"the client was told {client.received!r}"


# --- a server restarts behind its own TIME_WAIT ----------------------------------------------------


class Farewell(dispatcher_with_send):
    """Says one line and closes first: so it is this side that keeps the port in TIME_WAIT."""

    def __init__(self, sock: Any) -> None:
        super().__init__(sock)
        self.send(b"bye\r\n")
        self.close()


def restart(net: Network, reuse: bool) -> None:
    """A server is stopped and started again five seconds later, and serves again."""
    server, client = net.host("server"), net.host("client")
    with server:
        first = Server(Farewell, reuse=reuse)
    with client:
        before = Client()
    net.run(until="5s")
    first.close()
    with server:
        Server(Farewell, reuse=reuse)
    with client:
        after = Client()
    net.run()
    assert before.received == after.received == b"bye\r\n"


# --- a send that takes less is ignored -------------------------------------------------------------


class Careless(dispatcher):
    """Hands its answer to the kernel once and believes that all of it is on its way."""

    def handle_read(self) -> None:
        request = self.recv(1024)
        if request:
            self.send(b"you said: " + request)
            self.close()

    def handle_close(self) -> None:
        self.close()


class Careful(dispatcher_with_send):
    """Keeps what the kernel did not take, and closes when all of it is gone."""

    def handle_read(self) -> None:
        request = self.recv(1024)
        if request:
            self.send(b"you said: " + request)
            self.close_when_sent()

    def handle_write(self) -> None:
        self.initiate_send()
        self.close_when_sent()

    def close_when_sent(self) -> None:
        if not self.out_buffer:
            self.close()

    def handle_close(self) -> None:
        self.close()


def answer(net: Network, is_careful: bool = False) -> None:
    """A question is answered in full."""
    with net.host("server"):
        Server(Careful if is_careful else Careless)
    with net.host("client"):
        client = Client(b"hello")
    net.run()
    assert client.received == b"you said: hello", f"answered {client.received!r}"


# --- a peer that is gone without a word -----------------------------------------------------------


class Silent(dispatcher):
    """Accepts what it is told."""

    def handle_read(self) -> None:
        self.recv(1024)

    def handle_close(self) -> None:
        self.close()


class Subscriber(Client):
    """Waits for news; with a heartbeat it says something from time to time."""

    def __init__(self, heartbeat: str | None) -> None:
        self.heartbeat = heartbeat
        super().__init__(b"subscribe\n")

    def handle_connect(self) -> None:
        super().handle_connect()
        self.beat()

    def beat(self) -> None:
        if self.heartbeat and not self.is_over:
            self.send(b"\n")
            self.call_later(self.heartbeat, self.beat)


def subscription(net: Network, heartbeat: str | None = None) -> None:
    """After 10 seconds, a subscriber that still waits for news is one that the server knows of."""
    known: list[Silent] = []

    def serve() -> None:
        known.clear()
        Server(lambda sock: known.append(Silent(sock)))

    net.host("server").boot(serve)
    with net.host("client"):
        subscriber = Subscriber(heartbeat)
    net.run(until="10s")
    assert subscriber.is_over or known, (
        "the subscriber still waits for news, and the server knows nothing of it"
    )


# --- more clients than the backlog holds -----------------------------------------------------------


class Punctual(Client):
    """Notes when it was connected."""

    connected_at = -1.0

    def __init__(self, net: Network) -> None:
        self.net = net
        super().__init__()

    def handle_connect(self) -> None:
        self.connected_at = self.net.now


def stampede(net: Network, clients: int, backlog: int, waits: list[int]) -> None:
    """Clients that connect at the same moment are all served, after so many whole seconds."""
    with net.host("server"):
        Server(Silent, backlog=backlog)
    with net.host("client"):
        crowd = [Punctual(net) for _ in range(clients)]
    net.run()
    found = [int(client.connected_at) for client in crowd]
    assert found == waits, f"connected after {found} seconds"


# --- a transfer through a partition ----------------------------------------------------------------


class Store(dispatcher):
    """Keeps everything, and closes when the sender does."""

    def __init__(self, sock: Any, chunks: list[bytes]) -> None:
        super().__init__(sock)
        self.chunks = chunks

    def handle_read(self) -> None:
        self.chunks.append(self.recv(65_536))

    def handle_close(self) -> None:
        self.close()


class Sender(Client):
    """Closes when all is sent."""

    def handle_write(self) -> None:
        super().handle_write()
        if self.connected and not self.out_buffer:
            self.close()


def transfer(net: Network, size: int) -> None:
    """A file arrives whole."""
    file = bytes(number % 251 for number in range(size))
    chunks: list[bytes] = []
    with net.host("server"):
        Server(lambda sock: Store(sock, chunks))
    with net.host("client"):
        Sender(file)
    net.run()
    assert b"".join(chunks) == file, f"{sum(map(len, chunks))} of {size} bytes arrived"


# --- a client that tries again --------------------------------------------------------------------


class Persistent(dispatcher):
    """Connects; when that fails, again after a pause that doubles each time."""

    def __init__(self, pause_seconds: float) -> None:
        super().__init__()
        self.pause_seconds = pause_seconds
        self.attempts = 0
        self.is_connected = False
        self.attempt()

    def attempt(self) -> None:
        self.attempts += 1
        self.create_socket()
        self.connect(("server", PORT))

    def handle_connect(self) -> None:
        self.is_connected = True

    def handle_read(self) -> None:
        self.recv(1024)

    def handle_close(self) -> None:
        self.close()
        if not self.is_connected:
            self.call_later(self.pause_seconds, self.attempt)
            self.pause_seconds *= 2


def patience(net: Network, attempts: int) -> None:
    """The client is connected in the end, and has not tried more often than it should."""
    with net.host("server"):
        Server(Silent)
    with net.host("client"):
        client = Persistent(pause_seconds=0.1)
    net.run()
    assert client.is_connected
    assert client.attempts == attempts, f"it took {client.attempts} attempts"
