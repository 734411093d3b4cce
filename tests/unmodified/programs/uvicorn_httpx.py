"""uvicorn serves an application of starlette by h11 to both clients of httpx, one in a thread of its own."""

import asyncio
import threading

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse, StreamingResponse
from starlette.routing import Route

from tests.unmodified.probe import happened

BODY = b"x" * 100_000


async def hello(request):
    return JSONResponse({"hello": request.path_params["name"]})


async def size(request):
    return PlainTextResponse(str(len(await request.body())))


def threaded(request):
    """Starlette calls what is no coroutine in a thread."""
    return PlainTextResponse(threading.current_thread().name.partition(" ")[0])


async def drip(request):
    async def drops():
        for number in range(5):
            await asyncio.sleep(1)
            yield f"drop {number}\n"

    return StreamingResponse(drops())


ROUTES = [
    Route("/hello/{name}", hello),
    Route("/size", size, methods=["POST"]),
    Route("/drip", drip),
    Route("/threaded", threaded),
]


def serve():
    app = Starlette(routes=ROUTES)
    uvicorn.run(app, host="0.0.0.0", port=80, http="h11", ws="none", loop="asyncio", log_config=None)


def ask():
    transport = httpx.HTTPTransport(retries=3)
    with httpx.Client(base_url="http://server", trust_env=False, transport=transport, timeout=60) as client:
        answers = [client.get(f"/hello/{name}").json()["hello"] for name in ("ada", "bob")]
        answers.append(client.get("/threaded").text)
        answers.append(client.post("/size", content=BODY).text)
    return answers


async def ask_asynchronously():
    tries = 0
    async with httpx.AsyncClient(base_url="http://server", trust_env=False, timeout=60) as client:
        answers = await asyncio.gather(*(client.get(f"/hello/{name}") for name in ("eve", "joe", "sue")))
        while True:
            tries += 1
            try:
                async with client.stream("GET", "/drip") as response:
                    drops = [line async for line in response.aiter_lines()]
                return [answer.json()["hello"] for answer in answers], drops, tries
            except httpx.ReadError:
                assert tries < 3


def run(network):
    network.host("server").spawn(serve, daemon=True)
    blocking = network.host("client").spawn(ask)
    other = network.host("other").spawn(lambda: asyncio.run(ask_asynchronously()))
    network.run()
    assert blocking.result == ["ada", "bob", "AnyIO", str(len(BODY))]
    answers, drops, tries = other.result
    assert answers == ["eve", "joe", "sue"]
    assert drops == [f"drop {number}" for number in range(5)]
    assert tries == 1 + happened(network, "recv", "reset")
    assert network.now > 5
