"""aioftp on both sides: a file of some size is stored, listed, fetched from its middle on, and removed."""

import asyncio

import aioftp

LOAVES = b"bread" * 20_000


async def serve():
    user = aioftp.User("ada", "enchantress", base_path="/")
    await aioftp.Server([user], path_io_factory=aioftp.MemoryPathIO).run("0.0.0.0", 21)


async def work():
    async with aioftp.Client.context("server", 21, "ada", "enchantress") as client:
        await client.make_directory("oven")
        async with client.upload_stream("oven/loaves") as stream:
            for start in range(0, len(LOAVES), 10_000):
                await stream.write(LOAVES[start : start + 10_000])
        listed = [(str(path), info["size"]) for path, info in await client.list("oven")]
        async with client.download_stream("oven/loaves", offset=50_000) as stream:
            rest = await stream.read()
        await client.remove("oven")
        return listed, rest, await client.list()


def run(network):
    network.host("server").spawn(lambda: asyncio.run(serve()), daemon=True)
    working = network.host("client").spawn(lambda: asyncio.run(work()))
    network.run()
    listed, rest, left = working.result
    assert listed == [("oven/loaves", str(len(LOAVES)))]
    assert rest == LOAVES[50_000:]
    assert left == []
