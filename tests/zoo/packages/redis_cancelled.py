"""redis-py 4.5.3 takes the reply to a command that was given up for that to the next one; 4.5.4 does not.

CVE-2023-28859: whoever is cancelled while the reply is under way gives the connection back to the pool as it
is.  4.5.3 mended pipelines (`redis_pipeline`) and commands to a cluster, 4.5.4 single commands; both shield
the exchange from being cancelled.  4.5.5 closes the connection instead.
"""

import asyncio

from simnet import dispatcher_with_send
from tests.zoo.common import PORT, Listener, unlogged
from tests.zoo.releases import release

NAMES = {b"user:1": b"Ann", b"user:2": b"Bob", b"user:3": b"Eve"}
PATIENCE_SECONDS = 1


class Store(dispatcher_with_send):
    """GET in RESP 2: an array of two bulk strings, which a bulk string answers."""

    buffer = b""

    def handle_read(self):
        self.buffer += self.recv(4096)
        while self.buffer.count(b"\r\n") >= 5:
            _, _, command, _, key, self.buffer = self.buffer.split(b"\r\n", 5)
            assert command == b"GET", command
            self.send(b"$%d\r\n%s\r\n" % (len(NAMES[key]), NAMES[key]))

    def handle_close(self):
        self.close()


async def greet(client, errors):
    """Everybody by name, if the store says in time what it is."""
    for key, name in NAMES.items():
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                found = await client.get(key)
        except (TimeoutError, errors):
            continue
        assert found == name, f"{key} is called {found}"


def run(net, version, work=greet):
    package = release("redis", version, "redis.asyncio")

    async def serve():
        redis = package.load("redis.asyncio")
        async with redis.Redis(host="server", port=PORT) as client:
            await asyncio.gather(work(client, redis.RedisError), work(client, redis.RedisError))

    with package.on(), unlogged():
        with net.host("server"):
            Listener(Store)
        net.host("web").spawn(lambda: asyncio.run(serve()), name="serve")
        net.run()


def bad(net):
    run(net, "4.5.3")


def good(net):
    run(net, "4.5.4")
