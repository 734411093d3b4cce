"""redis-py 4.5.2 takes the replies to a pipeline that was given up for those to the next; 4.5.3 does not.

CVE-2023-28858, the half of `redis_cancelled` that was mended first.
"""

import asyncio

from tests.zoo.packages.redis_cancelled import NAMES, PATIENCE_SECONDS, run


async def greet(client, errors):
    """Everybody by name, two at a time."""
    for first, second in zip(NAMES, list(NAMES)[1:], strict=False):
        pipeline = client.pipeline(transaction=False).get(first).get(second)
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                found = await pipeline.execute()
        except (TimeoutError, errors):
            continue
        assert found == [NAMES[first], NAMES[second]], f"{first}, {second} are called {found}"


def bad(net):
    run(net, "4.5.2", greet)


def good(net):
    run(net, "4.5.3", greet)
