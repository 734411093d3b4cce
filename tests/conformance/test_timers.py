"""What the timers of TCP do that a program can see within a second or so (tcp(7))."""

from __future__ import annotations

import socket as std
from typing import Any

import pytest

from simnet.transport import IN, OUT

from .machine import Machine, outcome
from .sockets import arrived, error_of, not_simulated
from .states import DEAD

TCP = std.IPPROTO_TCP


def linked(m: Machine) -> tuple[Any, Any]:
    """A connection on which both ends have spoken, so that acknowledgments are no longer quick ones."""
    one, other = m.pair()
    for _ in range(20):
        one.send(b"x")
        arrived(m, other, 1)
        other.send(other.recv(1))
        arrived(m, one, 1)
        one.recv(1)
    return one, other


def test_with_nodelay_a_second_small_write_does_not_wait_for_the_first(machine: Machine, family: int) -> None:
    """tcp(7), TCP_NODELAY: write, write, read is no trap."""
    one, other = linked(machine.over(family))
    started_s = machine.now_s()
    one.send(b"a")
    one.send(b"b")
    arrived(machine, other, 2)
    assert machine.now_s() - started_s < 0.02 * machine.attempts


def test_connect_with_a_user_timeout_gives_up(machine: Machine) -> None:
    """tcp(7), TCP_USER_TIMEOUT: looked at when the SYN would be sent again, after 1 s (RFC 6298)."""
    full = machine.listener(backlog=0)
    machine.connected(full)
    sock = machine.socket()
    sock.setsockopt(TCP, std.TCP_USER_TIMEOUT, 500)
    started_s = machine.now_s()
    assert outcome(sock.connect, full.getsockname()) == "EINPROGRESS"
    assert machine.eventually(lambda: machine.poll_mask(sock) == DEAD, within_s=4)
    assert 0.4 < machine.now_s() - started_s < 4
    assert [outcome(sock.recv, 1), outcome(sock.recv, 1)] == ["ETIMEDOUT", b""]


def test_an_error_of_a_timeout_is_reported_once_like_a_refusal(machine: Machine) -> None:
    """socket(7), SO_ERROR; the next connect() says ECONNABORTED, and only the one after starts."""
    full = machine.listener(backlog=0)
    machine.connected(full)
    sock = machine.socket()
    sock.setsockopt(TCP, std.TCP_USER_TIMEOUT, 500)
    sock.connect_ex(full.getsockname())
    assert machine.eventually(lambda: machine.poll_mask(sock) == DEAD, within_s=4)
    assert [error_of(sock), error_of(sock)] == ["ETIMEDOUT", "-"]
    target = machine.listener().getsockname()
    assert [outcome(sock.connect, target) for _ in "12"] == ["ECONNABORTED", "EINPROGRESS"]


@not_simulated("TCP_DEFER_ACCEPT")
def test_with_defer_accept_a_listener_is_readable_when_data_came(machine: Machine) -> None:
    """tcp(7), TCP_DEFER_ACCEPT: awakened only when data arrives; the client believes it is connected."""
    listener = machine.listener()
    listener.setsockopt(TCP, std.TCP_DEFER_ACCEPT, 5)
    client = machine.connected(listener)
    assert machine.mask(listener) == "-"
    assert outcome(listener.accept) == "EAGAIN"
    client.send(b"x")
    machine.wait_for(listener, IN)
    assert machine.accept(listener).recv(1) == b"x"


@not_simulated("TCP_CORK")
def test_a_corked_socket_sends_no_partial_segments(machine: Machine) -> None:
    """tcp(7), TCP_CORK: queued until the option is cleared again, or 200 ms have passed."""
    one, other = machine.pair()
    one.setsockopt(TCP, std.TCP_CORK, 1)
    one.send(b"abc")
    assert machine.mask(other) == "OUT"
    one.setsockopt(TCP, std.TCP_CORK, 0)
    arrived(machine, other, 3)


@not_simulated("MSG_MORE")
def test_more_to_come_holds_a_partial_segment_back(machine: Machine) -> None:
    """send(2), MSG_MORE: the effect of TCP_CORK for one call; after 200 ms it is sent all the same."""
    one, other = machine.pair()
    one.send(b"abc", std.MSG_MORE)
    assert machine.mask(other) == "OUT"
    assert machine.eventually(lambda: machine.poll_mask(other) == IN | OUT)
    one.send(b"def", std.MSG_MORE)
    one.send(b"ghi")
    arrived(machine, other, 9)


def test_without_nodelay_a_second_small_write_waits_for_the_delayed_acknowledgment(machine: Machine) -> None:
    """RFC 896 and RFC 1122, section 4.2.3.2: write, write, read stalls, for 40 ms on Linux (TCP_ATO_MIN)."""
    if machine.name == "virtual":
        pytest.skip(
            "acknowledgments are not delayed on a virtual host, so Nagle's algorithm has nothing to wait for"
        )
    for _ in range(machine.attempts):
        one, other = linked(machine)
        one.setsockopt(TCP, std.TCP_NODELAY, 0)
        one.send(b"a")
        one.send(b"b")
        started_s = machine.now_s()
        assert machine.eventually(lambda other=other: machine.readable_bytes(other) == 2)
        if 0.02 < machine.now_s() - started_s < 0.3:
            return
    pytest.fail("the second byte never waited")
