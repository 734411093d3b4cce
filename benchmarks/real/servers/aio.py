"""asyncio's protocols, with its receive buffer and with a smaller one, and on uvloop.

asyncio receives into 256 KiB (`_SelectorTransport.max_size`).  malloc asks the kernel for every buffer of
more than 128 KiB anew (mallopt(3), M_MMAP_THRESHOLD), and that is most of what a small request costs.  With
64 KiB it is measured without this.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from importlib import import_module
from typing import Any

from benchmarks.real.servers import BACKLOG, RECV_BYTES


class Echo(asyncio.Protocol):
    transport: Any

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)


class EchoOf64KiB(Echo):
    def connection_made(self, transport: Any) -> None:
        transport.max_size = RECV_BYTES
        self.transport = transport


def serve(listener: socket.socket, protocol: Callable[[], Echo] = Echo, loop_factory: Any = None) -> None:
    async def forever() -> None:
        server = await asyncio.get_running_loop().create_server(protocol, sock=listener, backlog=BACKLOG)
        await server.serve_forever()

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(forever())


def serve_64_kib(listener: socket.socket) -> None:
    serve(listener, EchoOf64KiB)


def serve_uvloop(listener: socket.socket) -> None:
    serve(listener, loop_factory=import_module("uvloop").new_event_loop)
