"""Two threads of a server that race: the search lets one go first where the other has only looked."""

from __future__ import annotations

import socket
import socketserver
import threading

import pytest

from simnet import Network, Script
from simnet.fuzz.campaign import search
from simnet.fuzz.searches import Storm, Sweep
from simnet.outcomes import GENTLE, PLACES
from simnet.scenario.anchors import wrong_place
from simnet.scenario.run import execute
from simnet.script import parse

SERVER = "shop/serve"
FIRST, SECOND = f"{SERVER}/Thread-1-process_request_thread", f"{SERVER}/Thread-2-process_request_thread"


class Till(socketserver.StreamRequestHandler):
    """Looks whether there is a loaf, writes that down under a lock, and takes what another may have taken."""

    def handle(self) -> None:
        for _ in self.rfile:
            if self.server.loaves > 0:
                with self.server.lock:
                    self.server.sold.append(self.client_address)
                self.server.loaves -= 1
                self.wfile.write(b"here you are\n")


class CarefulTill(Till):
    """The same, with the look and the taking under the lock."""

    def handle(self) -> None:
        for _ in self.rfile:
            with self.server.lock:
                is_sold = self.server.loaves > 0
                self.server.loaves -= is_sold
            if is_sold:
                self.wfile.write(b"here you are\n")


class Shop(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def __init__(self, till: type, loaves: int) -> None:
        super().__init__(("", 7), till)
        self.loaves, self.lock, self.sold = loaves, threading.Lock(), []

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is none of the shop's business."""


def buy() -> None:
    try:
        with socket.create_connection(("shop", 7), timeout=5) as sock:
            sock.sendall(b"a loaf, please\n")
            sock.recv(100)
    except OSError:
        """No bread today."""


def one_loaf_for_two(network: Network, till: type = Till) -> None:
    shops = []

    def serve() -> None:
        with Shop(till, loaves=1) as shop:
            shops.append(shop)
            shop.serve_forever()

    network.host("shop").spawn(serve, daemon=True)
    for name in ("ann", "bob"):
        network.host(name).spawn(buy)
    network.run()
    assert all(shop.loaves >= 0 for shop in shops), "more is sold than there was"


def careful(network: Network) -> None:
    one_loaf_for_two(network, CarefulTill)


def test_it_does_not_happen_on_a_calm_network():
    one_loaf_for_two(Network())


def test_the_default_search_finds_it_shrinks_it_and_replays_it():
    found = search(one_loaf_for_two, runs_max=500)
    assert found is not None
    assert isinstance(found.outcome.error, AssertionError)
    (deviation,) = found.script.deviations
    assert (deviation.op, deviation.where in (FIRST, SECOND)) == ("switch", True)
    again = Script.of([parse(str(deviation))])
    with pytest.raises(AssertionError, match="more is sold"):
        one_loaf_for_two(Network(again))


@pytest.mark.parametrize("where", [FIRST, "#4 thread"])  # the shop and two buyers are before it
def test_a_sentence_says_it(where):
    sentence = f"the 2nd switch of {where} is held up for 1ms"
    network = Network(Script.of([parse(sentence)]))
    with pytest.raises(AssertionError, match="more is sold"):
        one_loaf_for_two(network)
    assert network.unmet() == ()
    assert wrong_place(parse(sentence)) is None
    assert wrong_place(parse("the 2nd switch of shop lets others go first")) is not None


def test_a_thread_that_yields_goes_on_when_the_others_have_had_their_turn():
    order: list[str] = []

    def program() -> None:
        lock = threading.Lock()
        threads = [
            threading.Thread(
                target=lambda name=name: (
                    order.append(name),
                    lock.acquire(),
                    lock.release(),
                    order.append(name),
                ),
                name=name,
            )
            for name in "ab"
        ]
        for thread in threads:
            thread.start()

    for sentences, expected in (
        ([], "aabb"),
        (["the 1st switch of host/program/a lets others go first"], "abba"),
    ):
        order.clear()
        network = Network(Script.of(map(parse, sentences)))
        network.host("host").spawn(program)
        network.run()
        assert "".join(order) == expected
        assert network.unmet() == ()


def yields(network: Network) -> object:
    return network.on(FIRST, "switch", nth=2).give_way()


def holds_up(network: Network) -> object:
    return network.on("shop", "switch").hold_up("5ms")


@pytest.mark.parametrize("rule", [yields, holds_up])
def test_a_rule_says_it_of_a_thread_or_of_a_whole_host_and_is_replayed(rule):
    network = Network()
    rule(network)
    with pytest.raises(AssertionError, match="more is sold"):
        one_loaf_for_two(network)
    replay = Network(network.script())
    with pytest.raises(AssertionError, match="more is sold"):
        one_loaf_for_two(replay)
    assert replay.trace.digest() == network.trace.digest()


def test_a_sweep_of_switches_finds_nothing_in_a_shop_that_is_careful():
    switches = [each for each in GENTLE if each[0] == "switch"]
    assert search(careful, by=Sweep(only=switches)) is None
    assert search(careful, by=Storm(only=GENTLE), runs_max=60) is None


def test_a_storm_is_replayed_to_the_byte():
    digests = []
    for _ in range(2):
        network = Network(seed=5, only=GENTLE)
        execute(one_loaf_for_two, network)
        digests.append(network.trace.digest())
    replay = Network(network.script())
    execute(one_loaf_for_two, replay)
    assert [replay.trace.digest(), *digests] == [digests[0]] * 3


def test_a_process_without_threads_is_not_asked():
    network = Network()
    network.on("*", "switch").hold_up("2s")
    network.host("shop").spawn(lambda: [threading.Lock().acquire() for _ in range(3)])
    network.run()
    assert (network.now, PLACES["switch"]) == (0.0, "thread")
