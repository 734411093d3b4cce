"""Two hosts and sockets on them: the world of the tests of TCP over links."""

from __future__ import annotations

import errno
import socket as std
from typing import Any

from simnet import Network
from simnet.transport import ERR, HUP, IN, OUT, RDHUP
from simnet.virtual.kernel.sock import RECEIVE_BUFFER_BYTES, SEND_BUFFER_BYTES
from tests.conformance.machine import EVERYTHING

CAPACITY = SEND_BUFFER_BYTES + RECEIVE_BUFFER_BYTES
"""Bytes between two programs: what one may send before the other reads."""

DEAD = IN | OUT | ERR | HUP | RDHUP
RESET = b"\1\0\0\0\0\0\0\0"


class World:
    """Two hosts, 20 ms apart unless said otherwise, and sockets on them."""

    def __init__(self, latency: str = "20ms", net: Network | None = None, **link: Any) -> None:
        self.net = net or Network()
        self.server, self.client = self.net.host("server"), self.net.host("client")
        self.net.link("client", "server", latency=latency, **link)
        self.kept: list[Any] = []  # sockets that no test holds, and that are to stay open

    def socket(self, host: Any) -> Any:
        sock = host.socket(std.AF_INET, std.SOCK_STREAM)
        sock.setblocking(False)
        return sock

    def listener(self, port: int = 80, backlog: int = 5) -> Any:
        sock = self.socket(self.server)
        sock.bind(("", port))
        sock.listen(backlog)
        return sock

    def dial(self, port: int = 80) -> Any:
        sock = self.socket(self.client)
        assert sock.connect_ex(("server", port)) == errno.EINPROGRESS
        return sock

    def pair(self, port: int = 80) -> tuple[Any, Any]:
        """The ends of a connection of client and server, at a moment when nothing is under way."""
        listener, opener = self.listener(port), self.dial(port)
        self.net.run(until=lambda: self.mask(listener) & IN)
        accepted, _ = listener.accept()
        accepted.setblocking(False)
        listener.close()
        return opener, accepted

    def mask(self, sock: Any) -> int:
        host = sock._host
        poller = host.poller("poll")
        poller.watch(sock.fileno(), EVERYTHING)
        ready = poller.poll(0)
        poller.close()
        return ready[0][1] if ready else 0

    def pass_time(self, seconds: float) -> None:
        self.net.run(until=self.net.now + seconds)

    def until(self, sock: Any, events: int) -> int:
        """Let time pass until one of `events` is there; nanoseconds since the start of the network."""
        self.net.run(until=lambda: self.mask(sock) & events)
        return self.net.now_ns


def ms(count: float) -> int:
    return round(count * 1_000_000)


def read(world: World, sock: Any) -> bytes:
    world.until(sock, IN)
    return sock.recv(1 << 20)  # type: ignore[no-any-return]
