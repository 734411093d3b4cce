"""Servers from PyPI, unedited, asked to end by a signal while they answer: the answer still arrives."""

from __future__ import annotations

import asyncio
import gc
import http.client
import time
import warnings

import pytest

from simnet import Network

# waitress does not close its pipe, and warns of that when it is collected.
pytestmark = [
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning"),
]


@pytest.fixture(autouse=True)
def collected():
    """What a server has left behind is collected here, and not in another test."""
    yield
    gc.collect()


@pytest.fixture
def notes():
    return []


def by_uvicorn(notes):
    uvicorn = pytest.importorskip("uvicorn")

    async def application(scope, receive, send):
        if scope["type"] == "lifespan":
            for _ in range(2):
                message = await receive()
                notes.append(message["type"])
                await send({"type": f"{message['type']}.complete"})
            return
        await asyncio.sleep(2)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
        await send({"type": "http.response.body", "body": b"bread"})

    def serve():
        uvicorn.run(application, host="0.0.0.0", port=80, loop="asyncio", log_level="critical")
        notes.append("returned")

    return serve


def by_aiohttp(notes):
    web = pytest.importorskip("aiohttp.web")

    async def sell(request):
        await asyncio.sleep(2)
        return web.Response(text="bread")

    async def clean_up(application):
        notes.append("cleanup")

    def serve():
        application = web.Application()
        application.router.add_get("/", sell)
        application.on_cleanup.append(clean_up)
        web.run_app(application, port=80, print=None)
        notes.append("returned")

    return serve


def by_waitress(notes):
    waitress = pytest.importorskip("waitress")

    def sell(environ, start_response):
        time.sleep(2)
        start_response("200 OK", [("Content-Length", "5")])
        return [b"bread"]

    def serve():
        waitress.serve(sell, port=80)
        notes.append("returned")

    return serve


def buy():
    time.sleep(1)
    connection = http.client.HTTPConnection("shop", timeout=30)
    connection.request("GET", "/")
    with connection.getresponse() as response:
        bread = response.read()
    connection.close()
    return bread


UVICORN = ["lifespan.startup", "lifespan.shutdown"]


@pytest.mark.parametrize(
    ("serving", "signal", "exitcode", "told"),
    [
        (by_uvicorn, "interrupt", 0, [*UVICORN, "returned"]),
        # It hands the signal on when it has shut down.
        (by_uvicorn, "terminate", -15, UVICORN),
        (by_aiohttp, "interrupt", 0, ["cleanup", "returned"]),
        (by_aiohttp, "terminate", 0, ["cleanup", "returned"]),
        (by_waitress, "interrupt", 0, ["returned"]),
    ],
)
def test_who_is_being_served_is_served_and_then_it_ends(serving, signal, exitcode, told, notes):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        serve = serving(notes)
    network = Network()
    shop = network.host("shop").spawn(serve, daemon=True)
    buying = network.host("client").spawn(buy)
    network.at("2s").call(getattr(shop, signal))  # the request came at 1 s, and takes 2 s
    network.run()
    assert buying.result == b"bread"
    assert notes == told
    assert shop.exitcode == exitcode


def test_waitress_has_no_handler_for_sigterm(notes):
    network = Network()
    shop = network.host("shop").spawn(by_waitress(notes), daemon=True)
    buying = network.host("client").spawn(buy)
    network.at("2s").terminate("shop")
    with pytest.raises(http.client.RemoteDisconnected):
        buying.join()
    assert (shop.exitcode, notes) == (-15, [])
