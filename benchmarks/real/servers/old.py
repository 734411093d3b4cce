"""The compatible asyncore asks every channel in every pass, and select(2) or poll(2) looks at all of them."""

from __future__ import annotations

import socket
from importlib import import_module
from typing import Any

from benchmarks.real.servers import RECV_BYTES

MODULE = "simnet.asyncore"


def serve(listener: socket.socket, use_poll: bool = False) -> None:
    asyncore = import_module(MODULE)

    class Echo(asyncore.dispatcher):  # type: ignore[misc, name-defined]
        def writable(self) -> bool:
            return False  # asyncore's own answer, yes, would let the loop spin

        def handle_read(self) -> None:
            self.send(self.recv(RECV_BYTES))

        def handle_close(self) -> None:
            self.close()

    class Acceptor(asyncore.dispatcher):  # type: ignore[misc, name-defined]
        def handle_accepted(self, sock: Any, addr: Any) -> None:
            Echo(sock)

    acceptor = Acceptor()
    acceptor.set_socket(listener)
    acceptor.accepting = True
    asyncore.loop(use_poll=use_poll)


def serve_poll(listener: socket.socket) -> None:
    serve(listener, use_poll=True)
