"""tornado on both sides: requests, a body of some size, a websocket, a timer of its own."""

import asyncio

import tornado.httpclient
import tornado.ioloop
import tornado.web
import tornado.websocket

BODY = b"bread" * 20_000


class Weigh(tornado.web.RequestHandler):
    def get(self, what):
        self.write({"of": what, "pence": 240})

    async def post(self, what):
        await asyncio.sleep(1)
        self.write(f"{len(self.request.body)} of {what}")


class Haggle(tornado.websocket.WebSocketHandler):
    def open(self):
        self.ticking = tornado.ioloop.PeriodicCallback(lambda: self.write_message("well?"), 10_000)
        self.ticking.start()

    def on_message(self, message):
        self.write_message(f"not {message}")

    def on_close(self):
        self.ticking.stop()


async def serve():
    app = tornado.web.Application([("/weigh/(.*)", Weigh), ("/haggle", Haggle)], log_function=say_nothing)
    app.listen(80)
    await asyncio.Event().wait()


def say_nothing(handler):
    """Requests are not logged."""


async def shop():
    client = tornado.httpclient.AsyncHTTPClient()
    told = await client.fetch("http://server/weigh/bread")
    weighed = await client.fetch("http://server/weigh/dough", method="POST", body=BODY)
    socket = await tornado.websocket.websocket_connect("ws://server/haggle")
    await socket.write_message("200")
    heard = [await socket.read_message() for _ in range(3)]
    socket.close()
    return told.body, weighed.body, heard


def run(network):
    network.host("server").spawn(lambda: asyncio.run(serve()), daemon=True)
    shopping = network.host("client").spawn(lambda: asyncio.run(shop()))
    network.run()
    told, weighed, heard = shopping.result
    assert told == b'{"of": "bread", "pence": 240}'
    assert weighed == b"%d of dough" % len(BODY)
    assert heard == ["not 200", "well?", "well?"]
    assert network.now > 20
