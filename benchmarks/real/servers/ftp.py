"""The loop of pyftpdlib, a faster asyncore: interest that is kept, on epoll."""

from __future__ import annotations

import socket
from contextlib import suppress
from importlib import import_module
from typing import Any

from benchmarks.real.servers import RECV_BYTES


def serve(listener: socket.socket) -> None:
    ioloop = import_module("pyftpdlib.ioloop")
    retry = getattr(ioloop, "RetryError", None) or ioloop._RetryError  # as it is called since 2.1

    class Echo(ioloop.AsyncChat):  # type: ignore[misc, name-defined]
        def handle_read(self) -> None:
            with suppress(retry):
                self.send(self.recv(RECV_BYTES))

        def handle_close(self) -> None:
            self.close()

    class Acceptor(ioloop.Acceptor):  # type: ignore[misc, name-defined]
        def handle_accepted(self, sock: Any, addr: Any) -> None:
            Echo(sock)

    acceptor = Acceptor()
    acceptor.set_socket(listener)
    acceptor.accepting = True
    acceptor.ioloop.loop()
