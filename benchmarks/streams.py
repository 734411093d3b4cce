"""Echo by asyncio's streams, and by HTTP of aiohttp: unmodified code on virtual hosts, beside itself.

An operation is one message, there and back; by aiohttp it is the body of a POST and of its answer.  In *a
world* it is everything that one message needs, and its end: what a search pays for every run.

The same coroutines run everywhere.  *simnet* is the usual way of a test: two hosts, 1 ms apart, and a process
with a loop of its own on each.  Over loopback both ends share one loop, which is the fastest way there is; so
they do in *one process* of one virtual host, and on the loop of simloop.  Two loops over loopback are in two
threads.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import Any, TypeAlias

from benchmarks.echo import MESSAGE
from benchmarks.measure import Contestant, Row, compare
from benchmarks.peers import PORT, RECV_BYTES, why_no_simloop
from benchmarks.worlds import many
from simnet import Network

Serve: TypeAlias = Callable[[str, int], Awaitable[tuple[int, Callable[[], Awaitable[object]]]]]
"""A server that listens at an address: its port, and what ends it."""

Talk: TypeAlias = Callable[[str, int, int, bytes], Awaitable[None]]
"""A client: so many messages to a server."""

CONNECTIONS = (1, 100)


def run(quick: bool, said: Callable[[str], None]) -> list[Row]:
    """The rows for streams with one connection and with a hundred, for a world of them, and for aiohttp."""
    total, worlds, rounds = (1_000, 10, 3) if quick else (10_000, 50, 7)
    rows = []
    for connections in CONNECTIONS:
        contestants = _contestants(serve, talk, connections, total // connections)
        plural = "s" if connections > 1 else ""
        rows += compare(f"streams, {connections} connection{plural}", contestants, total, rounds, said)
    contestants = {
        name: partial(many, worlds, world) for name, world in _contestants(serve, talk, 1, 1).items()
    }
    rows += compare("a world with one echo by streams", contestants, worlds, rounds, said)
    if why_no_aiohttp() is None:
        requests = total // 10
        contestants = _contestants(serve_http, talk_http, 1, requests)
        rows += compare("aiohttp, 1 connection", contestants, requests, rounds, said)
    return rows


def _contestants(serve: Serve, talk: Talk, connections: int, messages: int) -> dict[str, Contestant]:
    sizes = (serve, talk, connections, messages)
    contestants: dict[str, Contestant] = {
        "simnet": partial(between_hosts, *sizes),
        "simnet, no trace": partial(between_hosts, *sizes, trace=False),
        "simnet, one process": partial(within_a_process, *sizes),
        "asyncio over loopback": partial(over_loopback, *sizes),
        "asyncio over loopback, two loops": partial(between_threads, *sizes),
    }
    if why_no_simloop() is None:
        contestants["simloop"] = partial(on_simloop, *sizes)
    return contestants


# --- streams -----------------------------------------------------------------------------------------


async def serve(address: str, port: int) -> tuple[int, Callable[[], Awaitable[object]]]:
    server = await asyncio.start_server(echo, address, port, backlog=1024)

    async def end() -> None:
        server.close()
        await server.wait_closed()

    return port or server.sockets[0].getsockname()[1], end


async def echo(reader: Any, writer: Any) -> None:
    writer.transport.max_size = RECV_BYTES
    while data := await reader.read(RECV_BYTES):
        writer.write(data)
        await writer.drain()
    writer.close()


async def talk(address: str, port: int, messages: int, message: bytes) -> None:
    reader: Any
    writer: Any
    reader, writer = await asyncio.open_connection(address, port)
    writer.transport.max_size = RECV_BYTES
    for _ in range(messages):
        writer.write(message)
        await writer.drain()
        await reader.readexactly(len(message))
    writer.close()
    await writer.wait_closed()


# --- aiohttp -----------------------------------------------------------------------------------------


async def serve_http(address: str, port: int) -> tuple[int, Callable[[], Awaitable[object]]]:
    web = import_module("aiohttp.web")

    async def answer(request: Any) -> Any:
        return web.Response(body=await request.read())

    application = web.Application()
    application.router.add_post("/", answer)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, address or None, port)
    await site.start()
    return port or runner.addresses[0][1], runner.cleanup


async def talk_http(address: str, port: int, messages: int, message: bytes) -> None:
    async with import_module("aiohttp").ClientSession(f"http://{address}:{port}") as session:
        for _ in range(messages):
            async with session.post("/", data=message) as answer:
                assert await answer.read() == message


def why_no_aiohttp() -> str | None:
    """Why aiohttp cannot be measured here; None if it can."""
    return None if find_spec("aiohttp") else "aiohttp is not installed: it is in the extra 'bench'."


# --- where they run ----------------------------------------------------------------------------------


async def converse(talk: Talk, address: str, port: int, connections: int, messages: int) -> None:
    await asyncio.gather(*(talk(address, port, messages, MESSAGE) for _ in range(connections)))


def over_loopback(serve: Serve, talk: Talk, connections: int, messages: int) -> None:
    """Both ends on one asyncio loop, over 127.0.0.1."""

    async def main() -> None:
        port, end = await serve("127.0.0.1", 0)
        await converse(talk, "127.0.0.1", port, connections, messages)
        await end()

    asyncio.run(main())


def between_threads(serve: Serve, talk: Talk, connections: int, messages: int) -> None:
    """A loop for each end, in a thread of its own."""
    listening: Future[tuple[int, Callable[[], object]]] = Future()

    async def main() -> None:
        port, end = await serve("127.0.0.1", 0)
        is_over = asyncio.Event()
        stop = partial(asyncio.get_running_loop().call_soon_threadsafe, is_over.set)
        listening.set_result((port, stop))
        await is_over.wait()
        await end()

    with ThreadPoolExecutor() as pool:
        serving = pool.submit(asyncio.run, main())
        port, stop = listening.result()
        asyncio.run(converse(talk, "127.0.0.1", port, connections, messages))
        stop()
        serving.result()


def within_a_process(serve: Serve, talk: Talk, connections: int, messages: int) -> None:
    """The same, whose loop and whose loopback are a virtual host's."""
    net = Network()
    net.host("client").spawn(over_loopback, serve, talk, connections, messages)
    net.run()


def between_hosts(serve: Serve, talk: Talk, connections: int, messages: int, trace: bool = True) -> None:
    """A process on each of two hosts, with a loop of its own."""

    async def main() -> None:
        await serve("", PORT)
        await asyncio.Event().wait()

    net = Network(trace=trace)
    server, client = net.host("server"), net.host("client")
    serving = server.spawn(asyncio.run, main(), daemon=True)
    client.spawn(asyncio.run, converse(talk, "server", PORT, connections, messages))
    net.run()
    serving.kill()


def on_simloop(serve: Serve, talk: Talk, connections: int, messages: int) -> None:
    """Both ends on hosts of one SimLoop, 1 ms apart."""
    loop = import_module("simloop").SimLoop(0)
    loop.net.set_defaults(latency=(0.001, 0.001))

    async def main() -> None:
        await loop.net.host("server").create_task(serve("server", PORT))
        await loop.net.host("client").create_task(converse(talk, "server", PORT, connections, messages))
        await asyncio.sleep(1)  # until the server has seen them go

    loop.run_until_complete(main())
    loop.close()
