"""A listener that survives every failed accept; both servers of these examples are one."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any

from simnet import Transport, dispatcher
from simnet.transport import Address

OUT_OF_RESOURCES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
"""What accept(2) fails with while the connection stays in the queue: it succeeds once there is room."""

PAUSE = "100ms"


class Listener(dispatcher):
    """Listens on `address` and makes a channel of every connection.

    After an accept that found no descriptor or no memory it does not look for a while: the connection
    still waits, so the listener would be readable again at once, and the loop would spin.

    Args:
        address: (host, port); port 0 takes a free one, which `port` tells.
        channel: called with every accepted socket.
        transport: the machine to listen on; without it, the current one.
    """

    declares_interest = True

    def __init__(
        self, address: Address, channel: Callable[[Any], object], transport: Transport | None = None
    ) -> None:
        super().__init__(transport=transport)
        self._channel = channel
        self._is_paused = False
        self.create_socket()
        self.set_reuse_addr()
        self.bind(address)
        self.listen(128)

    @property
    def port(self) -> int:
        """The port that it listens on."""
        port: int = self.socket.getsockname()[1]
        return port

    def readable(self) -> bool:
        return not self._is_paused

    def handle_accept(self) -> None:
        try:
            super().handle_accept()
        except OSError as error:
            if error.errno not in OUT_OF_RESOURCES:
                raise
            self._set_paused(True)
            self.call_later(PAUSE, self._set_paused, False)

    def handle_accepted(self, sock: Any, addr: Address) -> None:
        self._channel(sock)

    def _set_paused(self, is_paused: bool) -> None:
        self._is_paused = is_paused
        self.touch()
