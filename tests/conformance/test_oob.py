"""The urgent byte of TCP (tcp(7), RFC 6093; tcp_check_urg and tcp_recv_urg)."""

from __future__ import annotations

import socket as std
from typing import Any

import pytest

from simnet.transport import HUP, IN, OUT, PRI, RDHUP

from .machine import Machine, outcome
from .sockets import SIOCATMARK, integer


@pytest.fixture(autouse=True)
def _over_both(machine: Machine, family: int) -> None:
    """Over both versions of IP: TCP is the same above."""
    machine.over(family)


URGENT = IN | PRI | OUT


def urgent(m: Machine, sender: Any, receiver: Any, data: bytes = b"!") -> None:
    """Send data whose last byte is urgent, and wait for it."""
    assert sender.send(data, std.MSG_OOB) == len(data)
    assert m.eventually(lambda: m.poll_mask(receiver) & PRI)


def test_an_urgent_byte_is_pri_and_stands_beside_the_stream(machine: Machine) -> None:
    """poll(2), POLLPRI; recv(2), MSG_OOB: recv() stops at the mark and skips it."""
    one, other = machine.pair()
    one.send(b"ab")
    urgent(machine, one, other)
    one.send(b"cd")
    machine.wait_for(other, URGENT)
    assert other.recv(10) == b"ab"
    machine.wait_for(other, URGENT)
    assert other.recv(1, std.MSG_OOB) == b"!"
    machine.wait_for(other, IN | OUT)
    assert other.recv(10) == b"cd"
    assert machine.mask(other) == "OUT"


def test_an_urgent_byte_is_read_once(machine: Machine) -> None:
    """tcp_recv_urg: EINVAL when it was read, or when there is none."""
    one, other = machine.pair()
    assert outcome(other.recv, 1, std.MSG_OOB) == "EINVAL"
    urgent(machine, one, other)
    assert [outcome(other.recv, 1, std.MSG_OOB) for _ in "12"] == [b"!", "EINVAL"]


def test_a_peeked_urgent_byte_stays(machine: Machine) -> None:
    """tcp_recv_urg with MSG_PEEK."""
    one, other = machine.pair()
    urgent(machine, one, other)
    assert other.recv(1, std.MSG_OOB | std.MSG_PEEK) == b"!"
    assert other.recv(1, std.MSG_OOB) == b"!"


def test_recv_with_only_the_urgent_byte_there_destroys_it(machine: Machine) -> None:
    """tcp_recvmsg passes over the mark, finds nothing behind it, and says EAGAIN."""
    one, other = machine.pair()
    urgent(machine, one, other)
    machine.wait_for(other, PRI | OUT)
    assert outcome(other.recv, 10) == "EAGAIN"
    machine.wait_for(other, OUT)
    assert outcome(other.recv, 1, std.MSG_OOB) == "EINVAL"


def test_an_urgent_byte_that_nobody_reads_is_skipped(machine: Machine) -> None:
    """tcp_recvmsg: the byte at the mark is not in the stream."""
    one, other = machine.pair()
    one.send(b"ab")
    urgent(machine, one, other)
    one.send(b"cd")
    one.close()
    machine.reaches(other, "IN|PRI|OUT|RDHUP")
    assert [other.recv(10) for _ in "123"] == [b"ab", b"cd", b""]


def test_a_second_urgent_byte_makes_the_first_one_ordinary(machine: Machine) -> None:
    """RFC 6093, section 2: there is one urgent pointer."""
    one, other = machine.pair()
    one.send(b"a")
    urgent(machine, one, other, b"x")
    one.send(b"y")
    assert one.send(b"z", std.MSG_OOB) == 1
    assert machine.eventually(lambda: outcome(other.recv, 1, std.MSG_OOB | std.MSG_PEEK) == b"z")
    assert other.recv(10) == b"axy"
    assert other.recv(1, std.MSG_OOB) == b"z"


def test_a_second_urgent_byte_drops_the_first_one_if_it_is_the_next_to_read(machine: Machine) -> None:
    """tcp_check_urg: at the mark, the old urgent byte is passed over, as BSD did."""
    one, other = machine.pair()
    urgent(machine, one, other, b"x")
    one.send(b"y")
    assert one.send(b"z", std.MSG_OOB) == 1
    assert machine.eventually(lambda: outcome(other.recv, 1, std.MSG_OOB | std.MSG_PEEK) == b"z")
    assert other.recv(10) == b"y"


def test_of_several_bytes_the_last_is_urgent(machine: Machine) -> None:
    """tcp_mark_urg: the urgent pointer stands behind the last byte sent with MSG_OOB."""
    one, other = machine.pair()
    urgent(machine, one, other, b"xyz")
    assert other.recv(10) == b"xy"
    assert other.recv(1, std.MSG_OOB) == b"z"


def test_with_oobinline_the_urgent_byte_is_in_the_stream(machine: Machine) -> None:
    """socket(7), SO_OOBINLINE: recv() stops before it, MSG_OOB is EINVAL."""
    one, other = machine.pair()
    other.setsockopt(std.SOL_SOCKET, std.SO_OOBINLINE, 1)
    one.send(b"ab")
    urgent(machine, one, other)
    one.send(b"cd")
    assert outcome(other.recv, 1, std.MSG_OOB) == "EINVAL"
    assert other.recv(10) == b"ab"
    assert machine.eventually(lambda: machine.readable_bytes(other) >= 3)
    assert other.recv(10) == b"!cd"


def test_siocatmark_says_whether_the_next_byte_is_urgent(machine: Machine) -> None:
    """tcp(7), SIOCATMARK; sockatmark(3)."""
    one, other = machine.pair()
    assert integer(machine, other, SIOCATMARK) == 0
    one.send(b"ab")
    urgent(machine, one, other)
    assert integer(machine, other, SIOCATMARK) == 0
    other.recv(10)
    assert integer(machine, other, SIOCATMARK) == 1


def test_fionread_does_not_count_beyond_the_mark(machine: Machine) -> None:
    """tcp_inq: the bytes before the urgent one, while it waits."""
    one, other = machine.pair()
    one.send(b"ab")
    urgent(machine, one, other)
    assert machine.readable_bytes(other) == 2


def test_select_has_the_urgent_byte_in_its_third_set(machine: Machine) -> None:
    """select(2), exceptfds: only urgent data; a refusal is readable and writable."""
    one, other = machine.pair()
    select = machine.modules.select.select
    assert select([other], [other], [other], 0) == ([], [other], [])
    urgent(machine, one, other)
    assert select([other], [other], [other], 0) == ([], [other], [other])
    refused = machine.connecting(machine.closed_address())
    machine.reaches(refused, "IN|OUT|ERR|HUP|RDHUP")
    assert select([refused], [refused], [refused], 0) == ([refused], [refused], [])


def test_an_urgent_byte_goes_with_a_half_closed_connection(machine: Machine) -> None:
    """shutdown(2): what was sent before counts, the urgent byte too."""
    one, other = machine.pair()
    urgent(machine, one, other)
    one.shutdown(std.SHUT_WR)
    machine.wait_for(other, IN | PRI | OUT | RDHUP)
    assert other.recv(1, std.MSG_OOB) == b"!"
    assert other.recv(1) == b""
    other.shutdown(std.SHUT_WR)
    machine.wait_for(other, IN | OUT | HUP | RDHUP)


def test_there_is_no_urgent_byte_to_send_without_a_connection(machine: Machine) -> None:
    """send(2), EPIPE as for every other byte."""
    assert outcome(machine.socket().send, b"!", std.MSG_OOB) == "EPIPE"
    one, _ = machine.pair()
    one.shutdown(std.SHUT_WR)
    assert outcome(one.send, b"!", std.MSG_OOB) == "EPIPE"


def test_recv_of_an_urgent_byte_without_a_connection(machine: Machine) -> None:
    """tcp_recvmsg_locked: ENOTCONN of a listener; tcp_recv_urg: otherwise EINVAL, as there is none."""
    assert outcome(machine.socket().recv, 1, std.MSG_OOB) == "EINVAL"
    assert outcome(machine.listener().recv, 1, std.MSG_OOB) == "ENOTCONN"
