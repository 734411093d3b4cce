"""Rules: which operations one decides, how long it stands, and what becomes of it in a script."""

from __future__ import annotations

import errno
import socket as std
from typing import Any

import pytest

from simnet import Deviation, Network, Script, UsageError, parse
from simnet.loop import loop_for
from simnet.transport import IN, OUT

from .test_network import conversation
from .two_hosts import World


def sends(world: World, opener: Any, count: int) -> list[int]:
    """How many of three bytes each of so many sends takes."""
    return [opener.send(b"abc") for _ in range(count)]


def test_a_rule_without_a_number_decides_every_operation() -> None:
    world = World()
    opener, _ = world.pair()
    world.net.on("client", "send").take(1)
    assert [opener.send(b"abc") for _ in "123"] == [1, 1, 1]


def test_a_rule_names_an_end_a_host_or_everything() -> None:
    for where in ("client", "client:1 -> server:80", "*"):
        world = World()
        opener, _ = world.pair()
        world.net.on(where, "send", nth=1).take(1)
        assert opener.send(b"abc") == 1, where
    world = World()
    opener, _ = world.pair()
    world.net.on("server", "send", nth=1).take(1)
    assert opener.send(b"abc") == 3


def test_a_rule_may_look_for_bytes() -> None:
    world = World()
    opener, _ = world.pair()
    world.net.on("client", "send", containing=b"QUIT").take(2)
    assert [opener.send(data) for data in (b"EHLO", b"x QUIT", b"QUIT")] == [4, 2, 2]


def test_accept_can_be_told_to_fail() -> None:
    """accept(2): the connection stays queued, except for ECONNABORTED."""
    world = World()
    net = world.net
    listener, opener = world.listener(), world.dial()
    world.until(listener, IN)
    net.on("server:80", "accept", nth=1).again()
    net.on("server", "accept", nth=2).fail(errno.EMFILE)
    for reason in (errno.EAGAIN, errno.EMFILE):
        with pytest.raises(OSError) as caught:
            listener.accept()
        assert caught.value.errno == reason
    assert world.mask(listener) == IN
    net.on("server", "accept", nth=1).fail(errno.ECONNABORTED)
    with pytest.raises(ConnectionAbortedError):
        listener.accept()
    assert world.mask(listener) == 0
    world.pass_time(1)
    assert world.mask(opener) & ~OUT


def test_what_rules_decided_is_a_script_that_does_without_them() -> None:
    def run(net: Network) -> str:
        server, _ = conversation(net, outgoing=b"hello world")
        net.run()
        assert server.channels[0].received == b"hello world"
        return net.trace.digest()

    ruled = Network()
    ruled.on("client", "send", nth=1).take(1)
    ruled.on("client", "segment", nth=2).lose()
    digest = run(ruled)
    script = ruled.script()
    assert script.deviations == (
        Deviation("client:1 -> server:80", "send", 1, "takes", 1),
        Deviation("client:1 -> server:80", "segment", 2, "lost"),
    )
    assert run(Network(script)) == digest


def accepts(net: Network, *, from_2nd: bool) -> str:
    world = World(net=net)
    listener = world.listener()
    for nth in (1, 2):
        if from_2nd and nth == 2:
            net.on("server:80", "accept").reset()
        world.kept.append(world.dial())
        world.until(listener, IN)
        world.kept.append(listener.accept()[0])
    net.run()
    return net.trace.digest()


def hosts_in_turn(net: Network, *, from_2nd: bool) -> str:
    """Moments at which two hosts have a timer due, and each notes it by a datagram."""
    for name in ("a", "b"):
        host = net.host(name)
        sock = host.socket(std.AF_INET, std.SOCK_DGRAM)
        for second in (1, 2, 3):
            loop_for(host).call_later(second, sock.sendto, name.encode(), ("c", 53))
    net.host("c")
    net.run(until="1.5s")
    if from_2nd:
        net.on("network", "turn").first(2)
    net.run()
    return net.trace.digest()


def epoll_in_turn(net: Network, *, from_2nd: bool) -> str:
    """Two sockets of one epoll that are ready at the same moments; who comes first answers."""
    host = net.host("a")
    socks = {}
    with host.modules.select.epoll() as poller:
        for port in (1, 2):
            sock = host.socket(std.AF_INET, std.SOCK_DGRAM)
            sock.bind(("", port))
            socks[sock.fileno()] = sock
            poller.register(sock.fileno(), IN)
        for second in (1, 2):
            if from_2nd and second == 2:
                net.on("a", "turn").first(2)
            for sock in socks.values():
                sock.sendto(b"x", ("127.0.0.1", sock.getsockname()[1]))
            for fd, _ in poller.poll():
                socks[fd].recv(10)
            assert not poller.poll(0)
            net.run(until=second)
    return net.trace.digest()


@pytest.mark.parametrize("program", [accepts, hosts_in_turn, epoll_in_turn])
def test_a_rule_that_comes_in_the_middle_of_a_run_counts_as_its_replay_does(program: Any) -> None:
    ruled = Network()
    digest = program(ruled, from_2nd=True)
    script = ruled.script()
    assert script.deviations[0].nth > 1
    assert program(Network(script), from_2nd=False) == digest


# --- how long it stands --------------------------------------------------------------------------


def test_a_rule_stands_until_it_is_lifted() -> None:
    world = World()
    opener, _ = world.pair()
    with world.net.on("client", "send").take(1):
        assert sends(world, opener, 2) == [1, 1]
    assert sends(world, opener, 2) == [3, 3]


def test_a_rule_stands_from_one_moment_to_another() -> None:
    world = World()
    opener, _ = world.pair()
    now = world.net.now
    world.net.on("client", "send", start=now + 1, end=now + 2).take(1)
    found = []
    for _step in range(4):
        found += sends(world, opener, 1)
        world.pass_time(0.5)
    assert found == [3, 3, 1, 1]
    assert sends(world, opener, 1) == [3]


def test_a_rule_stands_while_something_holds() -> None:
    world = World()
    opener, accepted = world.pair()
    world.net.on("client", "send", when=lambda: world.mask(accepted) & IN).take(1)
    first = sends(world, opener, 1)
    world.until(accepted, IN)
    assert first + sends(world, opener, 1) == [3, 1]


def test_a_rule_is_over_after_so_many_times() -> None:
    world = World()
    opener, _ = world.pair()
    world.net.on("client", "send", times=2).take(1)
    assert sends(world, opener, 4) == [1, 1, 3, 3]


def test_an_operation_that_cannot_deviate_so_does_not_count_as_one_that_did() -> None:
    world = World()
    opener, _ = world.pair()
    world.net.on("client", "send", times=1).take(3)
    assert [opener.send(b"abc"), opener.send(b"abcd"), opener.send(b"abcd")] == [3, 3, 4]


# --- chance --------------------------------------------------------------------------------------


def chances(count: int = 400, **arguments: Any) -> list[int]:
    net = Network(**arguments)
    world = World(net=net)
    opener, _ = world.pair()
    net.on("client", "send", chance=0.25).take(1)
    return sends(world, opener, count)


def test_a_chance_is_kept_and_is_the_same_in_every_run() -> None:
    found = chances()
    assert 0.15 < found.count(1) / len(found) < 0.35
    assert found == chances()


def test_a_storms_seed_decides_which() -> None:
    def run(seed: int) -> list[int]:
        return chances(seed=seed, only=[("turn", "first")])

    assert run(1) == run(1)
    assert len({tuple(run(seed)) for seed in range(5)}) == 5


def test_two_rules_of_one_chance_decide_apart() -> None:
    world = World()
    opener, accepted = world.pair()
    world.net.on("client", "send", chance=0.5).take(1)
    world.net.on("server", "send", chance=0.5).take(1)
    assert sends(world, opener, 50) != sends(world, accepted, 50)


# --- scripts -------------------------------------------------------------------------------------

SENTENCE = "every send on client takes 1 byte, at most 2 times"


def test_a_rule_in_a_script_does_what_the_call_does() -> None:
    def run(net: Network) -> Network:
        conversation(net, outgoing=b"hello")
        net.run()
        return net

    called = Network()
    called.on("client", "send", times=2).take(1)
    scripted = run(Network(Script.of([parse(SENTENCE)])))
    assert scripted.trace.digest() == run(called).trace.digest()
    assert scripted.script().rules == ()
    assert len(scripted.script().deviations) == 2
    assert scripted.unmet() == ()
    assert run(Network(scripted.script())).trace.digest() == scripted.trace.digest()


def test_a_rule_that_decided_nothing_is_unmet() -> None:
    rule = parse("every send on nobody takes 1 byte")
    net = Network(Script.of([rule]))
    conversation(net, outgoing=b"hello")
    net.run()
    assert net.unmet() == (rule,)


def test_a_rule_says_which_host_is_next_on_a_network_that_is_calm() -> None:
    def run(*sentences: str) -> str:
        net = Network(Script.of(map(parse, sentences)))
        conversation(net, outgoing=b"hello")
        net.run()
        return net.trace.digest()

    assert run("every turn on network starts with ready number 2") == run(
        "every turn on network starts with ready number 2"
    )


@pytest.mark.parametrize(
    ("conditions", "message"),
    [
        ({"chance": 0}, "more than 0% and at most 100%"),
        ({"chance": 1.5}, "more than 0% and at most 100% of the time, not 150%"),
        ({"times": 0}, "times counts from 1, not 0"),
        ({"when": True}, "`when` is a function without arguments, not True"),
        ({"start": "soon"}, "'soon' is no duration"),
    ],
)
def test_a_condition_that_makes_no_sense_is_refused(conditions: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Network().on("client", "send", **conditions).take(1)


@pytest.mark.parametrize(
    ("sentence", "message"),
    [
        ("every send on client takes 0 bytes", "not possible for a send: takes 0 bytes"),
        ("the 1st send of client:1 -> server:80 takes 0 bytes", "not possible for a send: takes 0 bytes"),
        ("every turn on network starts with ready number 1", "not possible for a turn"),
        ("the 0th send of client:1 -> server:80 is reset", "nth counts from 1, not 0"),
        ("every send on client is reset, 1..2% of the time", "is not understood"),
        ("every turn on client containing 'x' starts with ready number 2", "a turn has no bytes to look for"),
        ("at 1s flap a from b 0 times for 1s", "0 is no count"),
        ("at 1s limit a to 0 descriptors", "0 is no count"),
    ],
)
def test_a_sentence_that_could_never_hold_is_refused(sentence: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse(sentence)


def test_a_drawn_amount_is_wrapped_and_may_be_0() -> None:
    sentence = "the 1st send of #1 client takes 0 bytes"
    assert str(parse(sentence)) == sentence


@pytest.mark.parametrize("groups", [(("a", "b"),), ((),)])
def test_what_befalls_one_host_names_one(groups: Any) -> None:
    net = Network()
    net.host("a")
    net.host("b")
    with pytest.raises(UsageError, match="is no host"):
        net.befall("crash", groups)


@pytest.mark.parametrize("times", [1, 2])
def test_a_rule_that_is_over_after_some_times_is_read_back(times: int) -> None:
    sentence = f"every send on client is reset, at most {times} time{'s' * (times > 1)}"
    assert str(parse(sentence)) == sentence
