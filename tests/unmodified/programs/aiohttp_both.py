"""aiohttp on both sides: JSON, a body of some size, a websocket, a GET that aiohttp makes again."""

import asyncio
from contextlib import suppress

import aiohttp
from aiohttp import web

LOAVES = b"bread" * 20_000


async def price(request):
    return web.json_response({"of": request.match_info["what"], "pence": 240})


async def weigh(request):
    total = 0
    async for chunk in request.content.iter_any():
        total += len(chunk)
    return web.Response(text=str(total))


async def haggle(request):
    socket = web.WebSocketResponse(heartbeat=30)
    await socket.prepare(request)
    async for message in socket:
        await socket.send_str(f"not {message.data}")
    return socket


def serve():
    app = web.Application()
    app.add_routes([web.get("/price/{what}", price), web.post("/weigh", weigh), web.get("/haggle", haggle)])
    web.run_app(app, port=80, print=None, access_log=None)


async def shop():
    # What aiohttp takes by itself where aiodns is installed looks names up in C.
    connector = aiohttp.TCPConnector(resolver=aiohttp.ThreadedResolver())
    async with aiohttp.ClientSession("http://server", connector=connector) as session:
        async with session.get("/price/bread") as answer:
            told = await answer.json()
        async with session.post("/weigh", data=LOAVES) as answer:
            weight = await answer.text()
        async with session.ws_connect("/haggle") as socket:
            haggled = []
            for offer in ("200", "220"):
                await socket.send_str(offer)
                haggled.append(await socket.receive_str())
            with suppress(TimeoutError):  # whoever waits to receive answers the server's heartbeats
                async with asyncio.timeout(100):
                    await socket.receive()
            assert not socket.closed
    return told, weight, haggled


def run(network):
    network.host("server").spawn(serve, daemon=True)
    shopping = network.host("client").spawn(lambda: asyncio.run(shop()))
    network.run()
    told, weight, haggled = shopping.result
    assert told == {"of": "bread", "pence": 240}
    assert weight == str(len(LOAVES))
    assert haggled == ["not 200", "not 220"]
    assert network.now > 100
