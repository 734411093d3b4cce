"""redis.asyncio: many commands at a time over a pool of connections, publish and subscribe, a time-out."""

import asyncio

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import ConstantBackoff

from examples.redis_server import PORT, Server

COUNTS, NEWS = 30, ("rye", "wheat", "spelt")


def client(**settings):
    pool = BlockingConnectionPool(
        host="server", port=PORT, max_connections=4, retry=Retry(ConstantBackoff(1), 3), **settings
    )
    return Redis.from_pool(pool)


async def count():
    """Each count is asked for in a task of its own; whoever is answered first, none is the other's."""
    async with client() as redis:
        await asyncio.gather(*(redis.set(f"key {number}", number) for number in range(COUNTS)))
        answers = await asyncio.gather(*(redis.get(f"key {number}") for number in range(COUNTS)))
        await asyncio.sleep(5)
        for each in NEWS:
            await redis.publish("news", each)
            await asyncio.sleep(1)
    return [int(answer) for answer in answers]


async def listen():
    heard = []
    async with client(decode_responses=True) as redis, redis.pubsub() as pubsub:
        await pubsub.subscribe("news")
        async for message in pubsub.listen():
            if message["type"] == "message":
                heard.append(message["data"])
            if len(heard) == len(NEWS):
                break
        assert await redis.blpop("nothing", timeout=2) is None
    return heard


def run(network):
    with network.host("server"):
        Server(("", PORT))
    counting = network.host("client").spawn(lambda: asyncio.run(count()))
    listening = network.host("listener").spawn(lambda: asyncio.run(listen()))
    network.run()
    assert counting.result == list(range(COUNTS))
    assert listening.result == list(NEWS)
