"""aiocoap wants to be told at which of its addresses a datagram came."""

import asyncio

import aiocoap
import aiocoap.resource


async def serve():
    await aiocoap.Context.create_server_context(aiocoap.resource.Site())


def run(network):
    network.host("server").spawn(lambda: asyncio.run(serve()))
    network.run()
