"""Tasks that race: in which order a loop hears of sockets and of time-outs is the network's choice."""

from __future__ import annotations

import asyncio
import select
import socket
import threading
import time
from contextlib import suppress

import pytest

from simnet import Network, Script
from simnet.fuzz.campaign import search
from simnet.fuzz.searches import Sweep
from simnet.outcomes import HARSH, WAKES
from simnet.script import parse

# --- a time-out and what it waits for, at one moment --------------------------------------------------


def answer_after_8_ms() -> None:
    with socket.create_server(("", 7)) as listening:
        sock, _ = listening.accept()
        with sock, suppress(ConnectionResetError):  # who has lost patience closes without a look
            while sock.recv(100):
                time.sleep(0.008)
                sock.sendall(b"answer")


def connected() -> socket.socket:
    sock = socket.create_connection(("server", 7))
    sock.sendall(b"ask")  # the answer is there 1 + 8 + 1 ms later
    return sock


def by_recv() -> bool:
    with connected() as sock:
        sock.settimeout(0.01)
        try:
            return bool(sock.recv(100))
        except TimeoutError:
            return False


def by_select() -> bool:
    with connected() as sock:
        return bool(select.select([sock], [], [], 0.01)[0])


def by_poll() -> bool:
    with connected() as sock:
        poll = select.poll()
        poll.register(sock, select.POLLIN)
        return bool(poll.poll(10))


def by_epoll() -> bool:
    with connected() as sock, select.epoll() as epoll:
        epoll.register(sock, select.EPOLLIN)
        return bool(epoll.poll(0.01))


def by_event() -> bool:
    event = threading.Event()
    threading.Timer(0.01, event.set).start()
    return event.wait(0.01)


def by_asyncio() -> bool:
    """`asyncio.wait`: `wait_for` of Python 3.12 and later gives up in either order."""

    async def ask() -> bool:
        reader, writer = await asyncio.open_connection("server", 7)
        writer.write(b"ask")
        done, pending = await asyncio.wait([asyncio.create_task(reader.read(100))], timeout=0.01)
        for each in pending:
            each.cancel()
        writer.close()
        return bool(done)

    return asyncio.run(ask())


WAYS = [by_recv, by_select, by_poll, by_epoll, by_event, by_asyncio]


def told_in_time(way, network: Network) -> bool:
    network.host("server").spawn(answer_after_8_ms, daemon=True)
    asking = network.host("client").spawn(way)
    network.run()
    return asking.result


@pytest.mark.parametrize("way", WAYS)
def test_what_comes_when_the_time_out_is_over_comes_in_time_or_too_late(way):
    assert told_in_time(way, Network())
    network = Network(Script.of([parse("the 1st timer of client comes before what is ready")]))
    assert not told_in_time(way, network)
    assert network.unmet() == ()


@pytest.mark.parametrize("way", WAYS)
def test_storms_try_both(way):
    assert {told_in_time(way, Network(seed=seed, only=[("timer", "first")])) for seed in range(20)} == {
        True,
        False,
    }


def test_a_time_out_that_is_over_is_no_end_of_what_comes(network, server, client):
    """What came too late for one call is there for the next."""
    network.on("client", "timer", nth=1).first()

    def ask() -> object:
        with connected() as sock:
            first = select.select([sock], [], [], 0.01)[0]
            return first, sock.recv(100), network.now

    server.spawn(answer_after_8_ms, daemon=True)
    asking = client.spawn(ask)
    network.run()
    assert asking.result == ([], b"answer", 0.012)  # the handshake takes 2 ms, the rest 10 ms


# --- which socket is served first ---------------------------------------------------------------------


def who_is_served_first(network: Network) -> str:
    served: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.append(await reader.readline())
        writer.close()

    async def listen() -> None:
        async with await asyncio.start_server(serve, "", 7) as server:
            await server.serve_forever()

    def greet(name: bytes) -> None:
        with socket.create_connection(("server", 7)) as sock:
            time.sleep(0.01)
            sock.sendall(name + b"\n")
            sock.recv(1)

    network.host("server").spawn(lambda: asyncio.run(listen()), daemon=True)
    for name in ("ann", "bob"):
        network.host(name).spawn(greet, name.encode())
    network.run()
    return b"".join(served).decode()


def test_of_two_sockets_that_become_ready_at_one_moment_either_is_served_first():
    assert who_is_served_first(Network()) == "ann\nbob\n"
    network = Network(Script.of([parse("the 1st turn of server starts with ready number 2")]))
    assert who_is_served_first(network) == "bob\nann\n"
    assert network.unmet() == ()


# --- a race ------------------------------------------------------------------------------------------


class Catalogue:
    """A client whose tasks share a connection: whoever gives up leaves an answer in it, for the next."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer, self.lock = reader, writer, asyncio.Lock()

    async def price(self, thing: str) -> str:
        async with self.lock:
            self.writer.write(f"{thing}\n".encode())
            return (await self.reader.readline()).decode().strip()


class CarefulCatalogue(Catalogue):
    """The same; who gives up does not hand the connection on."""

    async def price(self, thing: str) -> str:
        async with self.lock:
            if self.writer.is_closing():
                raise ConnectionError
            self.writer.write(f"{thing}\n".encode())
            try:
                return (await self.reader.readline()).decode().strip()
            except asyncio.CancelledError:
                self.writer.close()
                raise


def ask_for_two(network: Network, catalogue: type[Catalogue] = Catalogue) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while line := await reader.readline():
                await asyncio.sleep(0.01)
                writer.write(b"price of " + line)
        writer.close()

    async def serve() -> None:
        async with await asyncio.start_server(answer, "", 7) as server:
            await server.serve_forever()

    async def ask(prices: Catalogue, thing: str, patience: float) -> str:
        with suppress(TimeoutError, OSError):
            return await asyncio.wait_for(prices.price(thing), patience)
        return ""

    async def buy() -> list[str]:
        try:
            reader, writer = await asyncio.open_connection("server", 7)
        except OSError:
            return []
        try:
            prices = catalogue(reader, writer)
            return await asyncio.gather(ask(prices, "bread", 0.1), ask(prices, "wine", 5))
        finally:
            writer.transport.abort()

    network.host("server").spawn(lambda: asyncio.run(serve()), daemon=True)
    buyer = network.host("client").spawn(lambda: asyncio.run(buy()))
    network.run()
    for thing, told in zip(("bread", "wine"), buyer.result, strict=False):
        assert told in ("", f"price of {thing}"), f"who asked for {thing} was told the {told}"


def ask_carefully(network: Network) -> None:
    ask_for_two(network, CarefulCatalogue)


def test_the_default_search_finds_a_race_of_two_tasks_shrinks_it_and_replays_it():
    ask_for_two(Network())
    found = search(ask_for_two, runs_max=200)
    assert found is not None
    (deviation,) = found.script.deviations
    digests = set()
    for _ in range(2):
        network = Network(Script.of([parse(str(deviation))]))
        with pytest.raises(AssertionError, match="who asked for wine was told the price of bread"):
            ask_for_two(network)
        digests.add(network.trace.digest())
    assert len(digests) == 1


def test_whoever_closes_what_he_leaves_is_not_blamed():
    assert search(ask_carefully, runs_max=100) is None


# --- which task goes on first -------------------------------------------------------------------------


def who_goes_first(network: Network) -> str:
    """Three tasks that wait for one event, and a callback behind them."""
    said: list[str] = []

    async def wait(event: asyncio.Event, name: str) -> None:
        await event.wait()
        said.append(name)

    async def main() -> None:
        event = asyncio.Event()
        tasks = [asyncio.create_task(wait(event, name)) for name in "abc"]
        await asyncio.sleep(1)
        event.set()
        asyncio.get_running_loop().call_soon(said.append, "-")
        await asyncio.gather(*tasks)

    network.host("server").spawn(lambda: asyncio.run(main()), name="main")
    network.run()
    return "".join(said)


def test_tasks_go_on_in_order_by_default():
    assert who_goes_first(Network()) == "abc-"
    assert {who_goes_first(Network(seed=seed, only=HARSH)) for seed in range(30)} == {"abc-"}


def test_who_asks_lets_another_task_go_first_and_callbacks_stay_where_they_are():
    found = {}
    for seed in range(40):
        network = Network(seed=seed, only=WAKES)
        order = who_goes_first(network)
        found[order] = network.script()
    assert len(found) > 3
    assert all(order.endswith("-") and set(order) == set("abc-") for order in found)
    for order, script in found.items():
        assert who_goes_first(Network(script)) == order


def test_a_rule_and_a_sentence_say_that_a_task_goes_first():
    network = Network()
    network.on("server/main", "wake", start="500ms").first(3)
    assert who_goes_first(network) == "cab-"
    sentence = str(network.recording.deviations[-1])
    assert sentence.endswith("wake of server/main goes on with task number 3")
    network = Network(Script.of([parse(sentence)]))
    assert who_goes_first(network) == "cab-"
    assert network.unmet() == ()


def ann_before_bob(network: Network) -> None:
    """Two tasks wait for one event, and the program counts on the first to be served first."""
    served: list[str] = []

    async def wait(event: asyncio.Event, name: str) -> None:
        await event.wait()
        served.append(name)

    async def serve() -> None:
        event = asyncio.Event()
        async with asyncio.TaskGroup() as buyers:
            for name in ("ann", "bob"):
                buyers.create_task(wait(event, name))
            await asyncio.sleep(1)
            event.set()

    network.host("shop").spawn(lambda: asyncio.run(serve()), name="serve")
    network.run()
    assert served[0] == "ann", "bob was served before ann"


def test_the_search_finds_who_relies_on_the_order_if_it_is_asked_to():
    assert search(ann_before_bob, runs_max=50) is None
    found = search(ann_before_bob, by=Sweep(WAKES), runs_max=50)
    assert found is not None
    (deviation,) = found.script.deviations
    assert (deviation.where, deviation.op, deviation.amount) == ("shop/serve", "wake", 2)
    with pytest.raises(AssertionError, match="bob was served"):
        ann_before_bob(Network(Script.of([parse(str(deviation))])))
