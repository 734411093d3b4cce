"""anyio on its asyncio backend, in processes of two hosts."""

from __future__ import annotations

import socket
import time

import pytest

from simnet import Network
from simnet.outcomes import GENTLE

anyio = pytest.importorskip("anyio")
sniffio = pytest.importorskip("sniffio")
to_thread, from_thread = pytest.importorskip("anyio.to_thread"), pytest.importorskip("anyio.from_thread")


async def serve() -> None:
    async def answer(stream) -> None:
        async with stream:
            async for data in stream:
                await stream.send(data.upper())

    await (await anyio.create_tcp_listener(local_port=7)).serve(answer)


@pytest.fixture
def run(network, server, client):
    def run_on_client(function):
        server.spawn(anyio.run, serve, daemon=True)
        process = client.spawn(anyio.run, function)
        network.run(until=lambda: not process.is_alive)
        return process.result

    return run_on_client


def test_streams_talk(run):
    async def ask() -> object:
        async with await anyio.connect_tcp("server", 7) as stream:
            await stream.send(b"hello")
            return await stream.receive(), sniffio.current_async_library()

    assert run(ask) == (b"HELLO", "asyncio")


def test_datagrams_come_and_names_are_those_of_the_network(run):
    async def send() -> object:
        async with await anyio.create_udp_socket(
            family=socket.AF_INET, local_host="0.0.0.0", local_port=9
        ) as sock:
            await sock.sendto(b"x", "client", 9)
            ((_, _, _, _, address), *_) = await anyio.getaddrinfo("server", 80, type=socket.SOCK_STREAM)
            return await sock.receive(), address

    assert run(send) == ((b"x", ("10.0.0.2", 9)), ("10.0.0.1", 80))


def test_time_is_that_of_the_network(run, network):
    async def lose_patience() -> object:
        with anyio.move_on_after(5) as scope:
            await anyio.sleep(3600)
        with pytest.raises(TimeoutError), anyio.fail_after(10):
            await anyio.sleep_forever()
        return scope.cancelled_caught, anyio.current_time()

    assert run(lose_patience) == (True, 15)


def test_threads_are_those_of_the_process(run):
    def work() -> object:
        time.sleep(3)
        from_thread.run(anyio.sleep, 4)
        return from_thread.run_sync(anyio.current_time)

    async def hand_over() -> object:
        return await to_thread.run_sync(work)

    assert run(hand_over) == 7


def test_a_group_cancels_its_tasks_in_the_order_in_which_they_began(run):
    async def cancel() -> object:
        ended = []

        async def sleep(n: int) -> None:
            try:
                await anyio.sleep_forever()
            finally:
                ended.append(n)

        async with anyio.create_task_group() as group:
            for n in range(40):
                group.start_soon(sleep, n)
            await anyio.sleep(1)
            group.cancel_scope.cancel()
        return ended

    assert run(cancel) == list(range(40))


def test_a_storm_repeats():
    def digest(seed: int) -> str:
        async def ask() -> None:
            async with await anyio.connect_tcp("server", 7) as stream:
                for _ in range(5):
                    await stream.send(b"hello")
                    with anyio.move_on_after(1):
                        await stream.receive()

        network = Network(seed=seed, only=GENTLE)
        network.host("server").spawn(anyio.run, serve, daemon=True)
        network.host("client").spawn(anyio.run, ask)
        network.run()
        return network.trace.digest()

    assert [digest(seed) for seed in range(12)] == [digest(seed) for seed in range(12)]
