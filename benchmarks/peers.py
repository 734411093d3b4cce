"""The same conversations on asyncio: over this computer's loopback, and on the loop of simloop.

Both run the same protocol classes.  asyncio receives with 64 KiB buffers instead of its default of
256 KiB: that is above the size from which malloc asks the kernel for every buffer anew, and would cost
asyncio most of its speed for a reason that has nothing to do with its design.
"""

from __future__ import annotations

import asyncio
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import Any

RECV_BYTES = 65_536
PORT = 7


class EchoProtocol(asyncio.Protocol):
    """The server's side."""

    transport: Any

    def connection_made(self, transport: Any) -> None:
        transport.max_size = RECV_BYTES
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)


class TalkProtocol(asyncio.Protocol):
    """Sends a message, waits until all of it has come back, and again."""

    transport: Any

    def __init__(self, message: bytes, messages: int, done: asyncio.Future[None]) -> None:
        self.message, self.left, self.done = message, messages, done
        self.missing = 0

    def connection_made(self, transport: Any) -> None:
        transport.max_size = RECV_BYTES
        self.transport = transport
        self.say()

    def say(self) -> None:
        self.missing = len(self.message)
        self.transport.write(self.message)

    def data_received(self, data: bytes) -> None:
        self.missing -= len(data)
        if self.missing:
            return
        self.left -= 1
        if self.left:
            self.say()
        else:
            self.transport.close()
            self.done.set_result(None)


async def converse(target: str, port: int, connections: int, messages: int, message: bytes) -> None:
    """Open the connections and let each send its messages."""
    loop = asyncio.get_running_loop()
    futures = [loop.create_future() for _ in range(connections)]
    for done in futures:
        await loop.create_connection(partial(TalkProtocol, message, messages, done), target, port)
    await asyncio.gather(*futures)


def over_loopback(connections: int, messages: int, message: bytes) -> None:
    """Both ends on one asyncio loop, over 127.0.0.1."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(EchoProtocol, "127.0.0.1", 0, backlog=connections)
        async with server:
            await converse("127.0.0.1", server.sockets[0].getsockname()[1], connections, messages, message)

    asyncio.run(main())


def on_simloop(connections: int, messages: int, message: bytes, seed: int = 0) -> None:
    """Both ends on hosts of one SimLoop, 1 ms apart."""
    SimLoop = import_module("simloop").SimLoop

    loop = SimLoop(seed)
    loop.net.set_defaults(latency=(0.001, 0.001))

    async def serve() -> None:
        await loop.create_server(EchoProtocol, "server", PORT)

    async def main() -> None:
        await loop.net.host("server").create_task(serve())
        talk = converse("server", PORT, connections, messages, message)
        await loop.net.host("client").create_task(talk)

    loop.run_until_complete(main())
    loop.close()


def why_no_simloop() -> str | None:
    """Why simloop cannot be measured here; None if it can."""
    return (
        None
        if find_spec("simloop")
        else "simloop is not installed: it needs Python 3.12 and the extra 'bench'."
    )
