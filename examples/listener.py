"""A listener that hands every connection on; both servers of these examples are one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from simnet import Transport, dispatcher
from simnet.transport import Address


class Listener(dispatcher):
    """Listens on `address` and makes a channel of every connection.

    Args:
        address: (host, port); port 0 takes a free one, which `port` tells.
        channel: called with every accepted socket.
        transport: the machine to listen on; without it, the current one.
    """

    accept_pause = "100ms"

    def __init__(
        self, address: Address, channel: Callable[[Any], object], transport: Transport | None = None
    ) -> None:
        super().__init__(transport=transport)
        self._channel = channel
        self.create_socket()
        self.set_reuse_addr()
        self.bind(address)
        self.listen(128)

    @property
    def port(self) -> int:
        """The port that it listens on."""
        port: int = self.socket.getsockname()[1]
        return port

    def handle_accepted(self, sock: Any, addr: Address) -> None:
        self._channel(sock)
