"""select(2): the three sets, their order, time-outs and wrong arguments."""

from __future__ import annotations

import socket as std
from typing import Any

import pytest

from simnet.transport import RDHUP

from .machine import Machine, outcome
from .sockets import STREAMS, connected, udp


@STREAMS
def test_the_three_sets_follow_from_the_mask(machine: Machine, stream: str) -> None:
    """select(2), NOTES: readable is IN, HUP or ERR; writable OUT or ERR; exceptional PRI."""
    one, other = connected(machine, stream)
    select = machine.modules.select.select

    def sets(sock: Any) -> str:
        answer = select([sock], [sock], [sock], 0)
        return "".join(letter for letter, ready in zip("rwx", answer, strict=True) if ready)

    assert sets(other) == "w"
    one.send(b"x")
    assert machine.eventually(lambda: sets(other) == "rw")
    one.send(b"!", std.MSG_OOB)
    assert machine.eventually(lambda: sets(other) == "rwx")
    other.recv(1, std.MSG_OOB)
    one.close()
    assert machine.eventually(lambda: machine.poll_mask(other) & RDHUP)
    assert sets(other) == "rw"


def test_select_of_a_fresh_socket_and_of_a_listener(machine: Machine) -> None:
    """tcp_poll: HUP makes a fresh TCP socket readable and writable; a listener is neither."""
    select = machine.modules.select.select
    fresh, listener = machine.socket(), machine.listener()
    assert select([fresh], [fresh], [fresh], 0) == ([fresh], [fresh], [])
    assert select([listener], [listener], [listener], 0) == ([], [], [])


def test_select_gives_back_what_it_was_given_in_its_order(machine: Machine) -> None:
    """select.select: the same objects, in the order of the arguments, repeated if they were."""
    socks = [udp(machine) for _ in range(4)]
    wanted: list[Any] = [socks[3], socks[0].fileno(), socks[2], socks[3]]
    assert machine.modules.select.select([], wanted, [], 0) == ([], wanted, [])


def test_select_of_a_number_that_is_not_open_is_ebadf(machine: Machine) -> None:
    """select(2), EBADF."""
    sock, other = udp(machine), udp(machine)
    number = sock.fileno()
    sock.close()
    select = machine.modules.select.select
    assert outcome(select, [number], [], [], 0) == "EBADF"
    assert outcome(select, [], [other, number], [], 0) == "EBADF"


def test_select_looks_at_its_arguments(machine: Machine) -> None:
    """select.select: TypeError for what is no descriptor, ValueError for a negative number or time-out."""
    select = machine.modules.select.select
    sock = udp(machine)
    for wrong in (["1"], [None], [1.5], 7):
        with pytest.raises(TypeError):
            select(wrong, [], [], 0)
    with pytest.raises(ValueError, match="negative"):
        select([-1], [], [], 0)
    with pytest.raises(ValueError, match="non-negative"):
        select([sock], [], [], -1)
    with pytest.raises(TypeError):
        select([sock], [], [], "soon")
    with pytest.raises(ValueError, match="out of range"):
        select([1 << 14], [], [], 0)


def test_select_with_nothing_to_watch_waits_for_its_timeout(machine: Machine) -> None:
    """select(2): the portable sleep."""
    started_s = machine.modules.time.monotonic()
    assert machine.modules.select.select([], [], [], 0.02) == ([], [], [])
    assert 0.019 < machine.modules.time.monotonic() - started_s < 2


def test_select_returns_as_soon_as_something_is_ready(machine: Machine) -> None:
    """select(2)."""
    sock = udp(machine)
    for timeout in (None, 30, 0):
        assert machine.modules.select.select([], [sock], [], timeout) == ([], [sock], [])


def test_select_takes_any_iterable(machine: Machine) -> None:
    """select.select: iterables of waitable objects."""
    sock = udp(machine)
    assert machine.modules.select.select((), {sock}, iter([]), 0) == ([], [sock], [])
