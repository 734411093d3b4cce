"""What real clients say to the HTTP example: the byte streams of real connections, kept as they were.

`serving` runs the server of `http_server` on this computer's loopback; its accepted sockets are wrapped,
so that what the kernel delivered and took is noted, call by call.  The server knows nothing of it.  The
clients are the standard library's, curl where it is installed, and plain sockets for what neither does:
pipelining and a half-closed connection.  Each of them checks the answers that it gets.
"""

from __future__ import annotations

import http.client
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import attrs

from examples.http_server import Server
from simnet import RealTransport, loop
from simnet.transport import Address

TIMEOUT_SECONDS = 10
POSTED = bytes(range(256))


@attrs.define(eq=False)
class Conversation:
    """One connection as two streams: what the client sent, and what it was answered."""

    client: str
    request: bytes = b""
    answer: bytes = b""


class RecordedSocket:
    """An accepted socket that notes what passes."""

    def __init__(self, sock: Any, conversation: Conversation) -> None:
        self._sock = sock
        self._conversation = conversation

    def recv(self, size: int) -> bytes:
        data: bytes = self._sock.recv(size)
        self._conversation.request += data
        return data

    def send(self, data: bytes) -> int:
        taken: int = self._sock.send(data)
        self._conversation.answer += data[:taken]
        return taken

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


class RecordedServer(Server):
    """The example's server, on which every connection is recorded."""

    def __init__(self, address: Address, transport: RealTransport) -> None:
        super().__init__(address, transport=transport)
        self.client = ""
        self.conversations: list[Conversation] = []

    def handle_accepted(self, sock: Any, addr: Address) -> None:
        conversation = Conversation(self.client)
        self.conversations.append(conversation)
        super().handle_accepted(RecordedSocket(sock, conversation), addr)


@contextmanager
def serving() -> Iterator[RecordedServer]:
    """A server on a free port of 127.0.0.1, with its loop in a thread until the end of the block."""
    transport = RealTransport()
    server = RecordedServer(("127.0.0.1", 0), transport)
    ended = threading.Event()

    def serve() -> None:
        with transport:
            while not ended.is_set():
                loop(timeout=0.05, count=1)

    thread = threading.Thread(target=serve, name="http server")
    thread.start()
    try:
        yield server
    finally:
        ended.set()
        thread.join()
        for running in transport.loops:
            for channel in list(running.map.values()):
                channel.close()
        transport.close()


def record(on_client: Callable[[str], object] = print) -> list[Conversation]:
    """Let every client talk to a real server; `on_client` hears the name of each before it starts.

    Raises AssertionError if a client is not answered as it should be.
    """
    with serving() as server:
        for name, client in clients().items():
            on_client(name)
            server.client = name
            client(server.port)
    return server.conversations


def clients() -> dict[str, Callable[[int], None]]:
    """The clients of this computer by name; each takes the port."""
    known: dict[str, Callable[[int], None]] = {
        "http.client": standard_library,
        "pipelined socket": pipelined,
        "half-closed socket": half_closed,
        "malformed request": malformed,
    }
    if shutil.which("curl"):
        known["curl"] = curl
    return known


def standard_library(port: int) -> None:
    """Six requests on one connection: bodies with a length, in chunks and without."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)

    def ask(method: str, target: str, body: Any = None, **options: Any) -> tuple[int, bytes]:
        connection.request(method, target, body, **options)
        response = connection.getresponse()
        return response.status, response.read()

    try:
        status, page = ask("GET", "/")
        assert (status, b"hello, network" in page) == (200, True), (status, page)
        kept = connection.sock
        assert ask("HEAD", "/") == (200, b"")
        assert ask("POST", "/echo", POSTED) == (200, POSTED)
        chunks = iter([b"in ", b"three ", b"chunks"])
        assert ask("POST", "/echo", chunks, encode_chunked=True) == (200, b"in three chunks")
        assert ask("GET", "/missing") == (404, b"not found\n")
        assert ask("PUT", "/") == (405, b"method not allowed\n")
        assert connection.sock is kept, "the server did not keep the connection"
    finally:
        connection.close()


def curl(port: int) -> None:
    """Two transfers on one connection, of which one waits for 100-continue before it sends its body."""
    url = f"http://127.0.0.1:{port}"
    quietly = ["curl", "--silent", "--show-error", "--noproxy", "*", "--max-time", str(TIMEOUT_SECONDS)]
    transfers = [f"{url}/", "--next", *quietly[1:], "--header", "Expect: 100-continue"]
    done = subprocess.run(
        [*quietly, *transfers, "--data-binary", "@-", f"{url}/echo"],
        input=POSTED,
        capture_output=True,
        timeout=2 * TIMEOUT_SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"curl: {done.stderr.decode()}"
    assert done.stdout.endswith(b"hello, network\n" + POSTED), done.stdout


def pipelined(port: int) -> None:
    """Four requests with one send, before the first answer."""
    kept = b"GET / HTTP/1.1\r\nHost: simnet\r\n\r\n"
    posted = b"POST /echo HTTP/1.1\r\nHost: simnet\r\nContent-Length: 9\r\n\r\npipelined"
    last = b"GET /last HTTP/1.1\r\nHost: simnet\r\nConnection: close\r\n\r\n"
    answer = _exchange(port, kept + posted + kept + last)
    assert answer.count(b"HTTP/1.1 ") == 4, answer
    assert answer.endswith(b"not found\n"), answer


def half_closed(port: int) -> None:
    """A client that has sent its FIN behind a request still gets the answer."""
    answer = _exchange(port, b"GET / HTTP/1.1\r\nHost: simnet\r\n\r\n", half_close=True)
    assert answer.endswith(b"hello, network\n"), answer


def malformed(port: int) -> None:
    """What is no HTTP at all is answered with 400, and the connection ends."""
    answer = _exchange(port, b"GET / HTTP/1.1\r\nHost: simnet\r\n\r\nHELO simnet\r\n\r\n")
    assert answer.count(b"HTTP/1.1 ") == 2, answer
    assert b"HTTP/1.1 400 Bad Request" in answer, answer


def _exchange(port: int, request: bytes, half_close: bool = False) -> bytes:
    """Send all of `request` and read until the server has closed its side."""
    with socket.create_connection(("127.0.0.1", port), TIMEOUT_SECONDS) as sock:
        sock.sendall(request)
        if half_close:
            sock.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: sock.recv(65_536), b""))
