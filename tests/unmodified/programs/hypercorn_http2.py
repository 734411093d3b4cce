"""hypercorn and httpx speak HTTP/2 to each other: several requests at a time on one connection."""

import asyncio

import httpx
import hypercorn.asyncio
import hypercorn.config

PARTS = 5


async def application(scope, receive, send):
    """ASGI by hand: the answer is what was posted, part by part."""
    if scope["type"] != "http":
        return
    version = (b"version", scope["http_version"].encode())
    await send({"type": "http.response.start", "status": 200, "headers": [version]})
    more = True
    while more:
        message = await receive()
        more = message["more_body"]
        await send({"type": "http.response.body", "body": message["body"], "more_body": more})


def serve():
    config = hypercorn.config.Config()
    config.bind, config.errorlog = ["0.0.0.0:80"], None
    asyncio.run(hypercorn.asyncio.serve(application, config, shutdown_trigger=asyncio.Event().wait))


async def ask():
    async def dough():
        for number in range(PARTS):
            await asyncio.sleep(1)
            yield b"%d" % number * 10_000

    async with httpx.AsyncClient(
        base_url="http://server", http1=False, http2=True, trust_env=False, timeout=60
    ) as client:
        answers = await asyncio.gather(*(client.post(f"/{number}", content=dough()) for number in range(3)))
    return [(answer.http_version, answer.headers["version"], len(answer.content)) for answer in answers]


def run(network):
    network.host("server").spawn(serve, daemon=True)
    asking = network.host("client").spawn(lambda: asyncio.run(ask()))
    network.run()
    assert asking.result == [("HTTP/2", "2", PARTS * 10_000)] * 3
    assert network.now > PARTS
