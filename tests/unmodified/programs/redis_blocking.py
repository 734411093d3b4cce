"""redis-py, blocking: pipelines, transactions, expiry, a queue between two hosts, and retries of its own."""

import time

import redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry

from examples.redis_server import PORT, Server
from tests.unmodified.probe import happened

LOAVES = 5


def client():
    """It connects anew and asks again by itself, at most three times for each command."""
    return redis.Redis("server", PORT, retry=Retry(ConstantBackoff(1), 3), decode_responses=True)


def bake():
    with client() as oven:
        oven.set("flour", 10)
        oven.set("steam", "hot", ex=30)
        with oven.pipeline() as batch:
            for _ in range(3):
                batch.decr("flour")
            batch.get("steam")
            told = batch.execute()
        for number in range(LOAVES):
            time.sleep(10)
            oven.rpush("shelf", f"loaf {number}")
        return told, oven.get("steam")


def sell():
    with client() as shelf:
        return [shelf.blpop("shelf", timeout=60) for _ in range(LOAVES)]


def run(network):
    with network.host("server"):
        Server(("", PORT))
    baking, selling = network.host("baker").spawn(bake), network.host("shop").spawn(sell)
    network.run()
    told, steam = baking.result
    assert told == [9, 8, 7, "hot"]
    assert steam is None, "it has expired"
    assert selling.result == [("shelf", f"loaf {number}") for number in range(LOAVES)]
    assert happened(network, "recv", "reset") <= 1
