"""anyio on asyncio: listeners, task groups, cancel scopes, byte streams with a buffer, worker threads."""

import time

import anyio
from anyio.streams.buffered import BufferedByteReceiveStream

WORDS = (b"bread", b"butter", b"wine")


async def serve():
    async def shout(stream):
        async with stream:
            lines = BufferedByteReceiveStream(stream)
            try:
                while True:
                    line = await lines.receive_until(b"\n", 1000)
                    await stream.send(line.upper() + b"\n")
            except (anyio.EndOfStream, anyio.IncompleteRead):
                return

    await (await anyio.create_tcp_listener(local_port=7)).serve(shout)


async def ask():
    answers = {}

    async def one(word):
        async with await anyio.connect_tcp("server", 7) as stream:
            await stream.send(word + b"\n")
            answers[word] = await BufferedByteReceiveStream(stream).receive_until(b"\n", 1000)

    async with anyio.create_task_group() as group:
        for word in WORDS:
            group.start_soon(one, word)
    with anyio.move_on_after(5) as scope:
        async with await anyio.connect_tcp("server", 7) as stream:
            await stream.receive()  # it says nothing by itself
    await anyio.to_thread.run_sync(time.sleep, 3)
    return answers, scope.cancelled_caught, anyio.current_time()


def run(network):
    network.host("server").spawn(lambda: anyio.run(serve), daemon=True)
    asking = network.host("client").spawn(lambda: anyio.run(ask))
    network.run()
    answers, was_cancelled, ended = asking.result
    assert answers == {word: word.upper() for word in WORDS}
    assert was_cancelled
    assert ended >= 8
