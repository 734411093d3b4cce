"""Programs that walk sets of tasks, futures, connections and threads: what they say, and the digest.

    python sets.py GARBAGE

runs all of them, and writes a line for each.  The order in which such a set is walked is that of addresses on
a real machine.  GARBAGE moves them: so many objects are made, and some of them dropped again, before the run.
SETS_BY_ADDRESS=1 in the environment leaves objects the hashes that they have.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import random
import socket
import sys
import threading
from collections.abc import Callable
from functools import partial
from inspect import iscoroutinefunction

from simnet import Network
from simnet.process.interposed import hashes

MANY = 40
said: list[object] = []


async def say_at_the_end(name: object) -> None:
    try:
        await asyncio.sleep(3600)
    finally:
        said.append(name)


async def shutdown() -> None:
    """What is left is cancelled when the loop ends."""
    kept = [asyncio.create_task(say_at_the_end(n)) for n in range(MANY)]
    await asyncio.sleep(0)
    said.append([task.get_name() for task in kept])


async def shutdown_after_others() -> None:
    """As above; the registry of the interpreter has had many others before."""
    for _ in range(3):
        await asyncio.gather(*(asyncio.sleep(0) for _ in range(7 * MANY)))
    await shutdown()


async def wait() -> None:
    """`asyncio.wait` returns sets."""
    tasks = [asyncio.create_task(asyncio.sleep(n % 3, n)) for n in range(MANY)]
    done, pending = await asyncio.wait(tasks, timeout=0.5)
    said.append([task.result() for task in done])
    for task in pending:
        task.add_done_callback(lambda task: said.append(task.get_name()))
        task.cancel()


async def as_completed() -> None:
    """Coroutines are begun in the order of a set."""

    async def begin(n: int) -> int:
        said.append(n)
        await asyncio.sleep(n % 5)
        return n

    for each in asyncio.as_completed([begin(n) for n in range(MANY)]):
        said.append(await each)


async def group() -> None:
    """A group cancels its tasks when one fails."""

    async def fail() -> None:
        raise ValueError

    try:
        async with asyncio.TaskGroup() as tasks:
            for n in range(MANY):
                tasks.create_task(say_at_the_end(n))
            await asyncio.sleep(0)
            tasks.create_task(fail())
    except* ValueError:
        said.append("failed")


async def generators() -> None:
    """Asynchronous generators that are left are closed when the loop ends."""

    async def generate(n: int):
        try:
            yield n
        finally:
            said.append(n)

    kept = [generate(n) for n in range(MANY)]
    for each in kept:
        await anext(each)
    globals()["kept_generators"] = kept


async def futures() -> None:
    """A set of futures, and one of coroutines, that a program keeps."""

    async def say(n: int) -> None:
        said.append(n)
        await asyncio.sleep(n % 3)

    loop = asyncio.get_running_loop()
    made = [loop.create_future() for _ in range(MANY)]
    for n, each in enumerate(made):
        each.add_done_callback(lambda _, n=n: said.append(n))
    for each in set(made):
        each.set_result(None)
    await asyncio.gather(*{say(n) for n in range(MANY)})


class Greeting(asyncio.Protocol):
    """One of a set of connections: each says its number when it is told to."""

    everybody: set[Greeting]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.everybody.add(self)

    def data_received(self, data: bytes) -> None:
        self.said = data

    def connection_lost(self, error: Exception | None) -> None:
        said.append(self.said)


async def connections() -> None:
    """A server closes a set of connections, clients keep a set of writers."""
    loop = asyncio.get_running_loop()
    Greeting.everybody = set()
    server = await loop.create_server(Greeting, "", 7)
    writers = set()
    for n in range(MANY):
        _, writer = await asyncio.open_connection("here", 7)
        writer.write(b"%d" % n)
        writers.add(writer)
    await asyncio.sleep(1)
    for writer in writers:
        said.append(writer.get_extra_info("sockname"))
        writer.write(b"!")
    for each in Greeting.everybody:
        each.transport.close()
    server.close()
    await asyncio.sleep(1)
    for writer in writers:
        writer.close()


async def addresses() -> None:
    """A server listens at the addresses of a set."""
    server = await asyncio.start_server(
        lambda reader, writer: None, ["10.0.0.1", "127.0.0.1", "127.0.0.2"], 7
    )
    said.append([each.getsockname() for each in server.sockets])
    server.close()
    await asyncio.sleep(0)


def pool() -> None:
    """What a pool has done is told as a set."""
    with concurrent.futures.ThreadPoolExecutor(1) as executor:
        done, _ = concurrent.futures.wait([executor.submit(abs, n) for n in range(MANY)])
        said.extend(each.result() for each in done)


def threads() -> None:
    """A set of threads, and one of sockets."""
    waiting = {threading.Thread(target=said.append, args=(n,)) for n in range(MANY)}
    for thread in waiting:
        thread.start()
    for thread in waiting:
        thread.join()
        said.append(thread.name)
    for each in {socket.socket() for _ in range(MANY)}:
        said.append(each.fileno())
        each.close()


PROGRAMS: dict[str, Callable[[], object]] = {
    each.__name__: each
    for each in (
        *(shutdown, shutdown_after_others, wait, as_completed, group, generators, futures, connections),
        *(addresses, pool, threads),
    )
}


def run(name: str, seed: int | None = None) -> str:
    """What a program says, and the digest of its run."""
    said.clear()
    program = PROGRAMS[name]
    network = Network(seed=seed)
    network.host("here").spawn(partial(asyncio.run, program()) if iscoroutinefunction(program) else program)
    network.run()
    return f"{said} {network.trace.digest()}"


def litter(count: int) -> list[object]:
    """Objects of many sizes, with gaps between them."""
    chance = random.Random(count)
    made = [bytearray(chance.randrange(600)) for _ in range(count)]
    return [each for each in made if chance.random() < 0.5]


if __name__ == "__main__":
    if os.environ.get("SETS_BY_ADDRESS"):
        hashes._OF_THE_LIBRARY = ()
    kept = litter(int(sys.argv[1]))
    for name in PROGRAMS:
        print(name, run(name))
