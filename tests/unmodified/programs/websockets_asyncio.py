"""websockets with asyncio: fragments, pings of either side, and a client that connects anew."""

import asyncio
import logging

import websockets
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve

from tests.unmodified.probe import happened

WORDS = ("bread", "butter" * 15_000, "wine")


async def reverse(connection):
    async for message in connection:
        backwards = message[::-1]
        await connection.send(iter((backwards[:1], backwards[1:])))  # two fragments


async def keep_serving():
    quiet = logging.getLogger("tests.unmodified.websockets")
    quiet.disabled = True
    async with serve(reverse, "", 80, logger=quiet) as server:
        await server.serve_forever()


async def ask():
    """The words as they come back, and on how many connections."""
    answers, connections = [], 0
    async for connection in connect("ws://server/", max_size=None):
        connections += 1
        try:
            while len(answers) < len(WORDS):
                await connection.send(WORDS[len(answers)])
                answers.append(await connection.recv())
            await asyncio.sleep(50)  # two pings that keep it alive
            await connection.close()
            return answers, connections
        except websockets.ConnectionClosed:
            continue


def run(network):
    network.host("server").spawn(lambda: asyncio.run(keep_serving()), daemon=True)
    asking = network.host("client").spawn(lambda: asyncio.run(ask()))
    network.run()
    answers, connections = asking.result
    assert answers == [word[::-1] for word in WORDS]
    assert connections == 1 + happened(network, "segment", "reset")
    assert network.now > 50
