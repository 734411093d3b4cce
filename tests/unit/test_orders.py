"""In which order a program is told of what is ready at once: which orders there are, and that all are met."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from simnet import Network, Script, asyncore, dispatcher, parse
from simnet.choices import Noting
from simnet.fuzz.campaign import search
from simnet.fuzz.searches import Exhaustive, Extent, Pct, Storm, mixed
from simnet.outcomes import GENTLE, ORDER
from simnet.transport import IN

from .two_hosts import World


class Named(dispatcher):
    def __init__(self, sock: Any, name: str, told: list[str]) -> None:
        super().__init__(sock)
        self.name, self.told = name, told

    def handle_read(self) -> None:
        self.recv(100)
        self.told.append(self.name)


def told_at_once(net: Network, names: str = "abc") -> str:
    """In which order channels were told of what came to all of them at one moment."""
    world = World("1ms", net=net)
    pairs = [world.pair(port) for port in range(80, 80 + len(names))]
    told: list[str] = []
    with world.server:
        for (_, accepted), name in zip(pairs, names, strict=True):
            Named(accepted, name, told)
    for opener, _ in pairs:
        opener.send(b"x")
    net.run(until=net.now + 1)
    return "".join(told)


def scripted(*sentences: str) -> Network:
    return Network(Script.of(parse(sentence) for sentence in sentences))


@pytest.mark.parametrize(
    ("sentences", "expected"),
    [
        ((), "abcd"),
        (("the 1st turn of server starts with ready number 2",), "bcda"),  # the others follow, in a circle
        (("the 1st turn of server starts with ready number 4",), "dabc"),
        (("the 1st next of server goes on with ready number 2",), "acdb"),
        (("the 2nd next of server goes on with ready number 2",), "abdc"),
        (
            (
                "the 1st turn of server starts with ready number 4",
                "the 1st next of server goes on with ready number 3",
                "the 2nd next of server goes on with ready number 2",
            ),
            "dcba",
        ),
    ],
)
def test_an_order_is_who_starts_and_who_goes_on(sentences: tuple[str, ...], expected: str) -> None:
    net = scripted(*sentences)
    assert told_at_once(net, "abcd") == expected
    assert net.unmet() == ()


def test_a_rule_says_who_goes_on_as_well_and_its_record_is_replayed() -> None:
    net = Network()
    net.on("server", "next").first(2)
    assert told_at_once(net, "abcd") == "acbd"  # a; then c of bcd, which leaves db; then b
    script = net.script()
    assert {each.op for each in script.deviations} == {"next"}
    assert told_at_once(Network(script), "abcd") == "acbd"


def test_who_goes_on_is_counted_on_a_calm_network_as_well() -> None:
    """Else what a rule decides that comes later would be replayed at another moment."""
    net = Network()
    world = World("1ms", net=net)
    pairs = [world.pair(port) for port in (80, 81, 82)]
    told: list[str] = []
    with world.server:
        for (_, accepted), name in zip(pairs, "abc", strict=True):
            Named(accepted, name, told)
    for nth in range(3):
        with net.on("server", "next").first(2) if nth == 2 else net.on("server", "recv", nth=99).again():
            for opener, _ in pairs:
                opener.send(b"x")
            net.run(until=net.now + 0.1)
    assert "".join(told) == "abcabcacb"
    assert net.script().sentences() == ["the 3rd next of server goes on with ready number 2"]


@pytest.mark.parametrize("names", ["ab", "abc", "abcd"])
def test_every_order_of_the_channels_of_a_pass_is_run_once(names: str) -> None:
    seen: list[str] = []
    told: list[Any] = []
    search(lambda net: seen.append(told_at_once(net, names)), by=Exhaustive(), on_progress=told.append)
    assert sorted(seen) == sorted("".join(order) for order in permutations(names))
    assert told[-1].extent == Extent(len(seen), len(seen))


@pytest.mark.parametrize("by", [Pct(), Storm(only=ORDER)], ids=["pct", "storm"])
def test_every_order_of_three_channels_is_met_by_chance(by: Any) -> None:
    seen: list[str] = []
    search(lambda net: seen.append(told_at_once(net)), by=by, runs_max=100)
    assert set(seen) == {"".join(order) for order in permutations("abc")}


def test_every_order_of_what_became_ready_together_for_an_epoll_is_run_once() -> None:
    seen: list[str] = []

    def program(net: Network) -> None:
        world = World("1ms", net=net)
        pairs = {name: world.pair(port) for port, name in enumerate("abc", 80)}
        epoll = world.server.modules.select.epoll()
        for _, accepted in pairs.values():
            epoll.register(accepted, IN)
        for opener, _ in pairs.values():
            opener.send(b"x")
        net.run(until=net.now + 0.01)
        names = {accepted.fileno(): name for name, (_, accepted) in pairs.items()}
        seen.append("".join(names[fd] for fd, _ in epoll.poll(0)))

    search(program, by=Exhaustive())
    assert sorted(seen) == sorted("".join(order) for order in permutations("abc"))


def test_of_two_channels_nobody_is_asked_who_goes_on() -> None:
    noting = Noting()
    told_at_once(Network(choices=noting), "ab")
    assert [place.op for place in noting.places if place.op in ("turn", "next")] == ["turn"]


def test_timers_of_one_loop_that_are_due_at_once_have_one_order() -> None:
    """They go by their deadlines, and then as they were made: that is no choice of the network's."""
    seen = []

    def program(net: Network) -> None:
        told: list[str] = []
        with net.host("server"):
            channel = dispatcher()
            channel.create_socket()
            for name in "abc":
                channel.call_later(1, told.append, name)
        net.run(until=2)
        seen.append("".join(told))

    search(program, by=Exhaustive())
    assert set(seen) == {"abc"}


# --- descriptors that are used again at once ----------------------------------------------------


def evicts_the_eldest(net: Network) -> None:
    """A server of asyncore's kind for one guest at a time: it closes the one it has, and takes the next one.

    The number of the former guest's socket is free just then, and the next one gets it.  If something had
    come from the former guest at the same moment, the event in hand is taken for one of the new guest.
    """
    guests: list[Any] = []
    mistaken: list[str] = []

    class Guest(asyncore.dispatcher):
        def writable(self) -> bool:
            return False

        def handle_read(self) -> None:
            try:
                self.recv(100)
            except BlockingIOError:
                mistaken.append(repr(self))

        def handle_close(self) -> None:
            self.close()

    class House(asyncore.dispatcher):
        def writable(self) -> bool:
            return False

        def handle_accept(self) -> None:
            if guests:
                guests[-1].close()
            pair = self.accept()
            if pair is not None:
                guests.append(Guest(pair[0]))

    class Visitor(dispatcher):
        def handle_connect(self) -> None:
            for moment in range(1, 8):
                self.call_later(moment / 200, self.send, b"hello")

        def handle_read(self) -> None:
            self.recv(100)

        def handle_connect_failed(self, error: OSError) -> None:
            self.close()

        def handle_close(self) -> None:
            self.close()

    with net.host("server"):
        house = House()
        house.create_socket()
        house.bind(("", 7))
        house.listen(5)

    def come() -> None:
        with net.host("client"):
            visitor = Visitor()
            visitor.create_socket()
            visitor.connect(("server", 7))

    for moment in (0, 0.012, 0.031):
        net.at(moment).call(come)
    net.run(until=10)
    assert not mistaken, "a guest was told of what the one before it had sent"


def test_a_descriptor_that_is_closed_and_used_again_within_a_pass_is_found_in_gentle_weather() -> None:
    found = search(evicts_the_eldest, by=mixed(only=GENTLE - {("recv", "again")}), runs_max=500)
    assert found is not None
    assert len(found.script) <= 2
    assert "a guest was told" in str(found.outcome.error)
