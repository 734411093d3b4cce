"""Networks that are left with processes which stand still: when these are killed, and what that costs."""

from __future__ import annotations

import asyncio
import gc
from contextlib import contextmanager

import pytest

from simnet import Network
from simnet.process import kept


@pytest.fixture
def few_are_kept(monkeypatch):
    monkeypatch.setattr(kept, "_kept", {})
    monkeypatch.setattr(kept, "KEPT_MAX", 4)


@contextmanager
def collections():
    """How many collections of each generation are made; nobody is told, for lines are refused then."""
    made: list[int] = []
    gc.collect()
    gc.disable()
    before = _collected()
    try:
        yield made
    finally:
        gc.enable()
    made += [now - then for now, then in zip(_collected(), before, strict=True)]


def _collected():
    return [generation["collections"] for generation in gc.get_stats()]


async def stand_still(torn):
    try:
        await asyncio.Event().wait()
    finally:
        torn.append("a line was run")


def left_waiting(torn):
    """A network with a process that waits for ever, of asyncio."""
    net = Network()
    net.host("server").spawn(lambda: asyncio.run(stand_still(torn)), name="server", daemon=True)
    net.run()
    return net


def state(net):
    (host,) = net.hosts.values()
    return [process.state for process in host.processes]


@pytest.mark.usefixtures("few_are_kept")
def test_of_too_many_networks_half_are_left_and_one_collection_ends_the_others():
    torn = []
    nets = [left_waiting(torn) for _ in range(4)]
    assert [state(net) for net in nets] == [["waits in epoll.poll"]] * 4
    with collections() as made:
        nets.append(left_waiting(torn))
    assert [bool(state(net)) for net in nets] == [False, False, False, True, True]
    assert made == [0, 0, 1]
    assert not torn


def test_a_process_that_is_killed_where_it_began_costs_a_look_at_what_is_young():
    torn = []
    with collections() as made:
        net = left_waiting(torn)
        (host,) = net.hosts.values()
        net.crash("server")
    assert not host.processes
    assert made == [0, 1, 0]
    assert not torn


def test_what_has_grown_old_since_is_looked_for_everywhere():
    torn = []
    with collections() as made:
        net = left_waiting(torn)
        gc.collect(1)
        net.crash("server")
    assert made == [0, 1, 1]
    assert not torn
