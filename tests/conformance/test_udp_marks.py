"""What a datagram of IPv6 tells besides its data: hop limit and traffic class (RFC 3542, ipv6(7))."""

from __future__ import annotations

import socket as std
import sys
from typing import Any

import pytest

from .machine import Machine, outcome

_HOPS, _CLASS = int(std.IPV6_HOPLIMIT), int(std.IPV6_TCLASS)


@pytest.fixture
def marked(machine: Machine) -> tuple[Any, Any, Any]:
    """Who sends, who receives and wants to know of hop limit and traffic class, and where that is."""
    machine.needs_ipv6()
    sender = machine.open(std.AF_INET6, std.SOCK_DGRAM)
    receiver = machine.open(std.AF_INET6, std.SOCK_DGRAM)
    receiver.bind(("::1", 0))
    receiver.settimeout(10)
    for option in (std.IPV6_RECVHOPLIMIT, std.IPV6_RECVTCLASS):
        receiver.setsockopt(std.IPPROTO_IPV6, option, 1)
    return sender, receiver, receiver.getsockname()


def marks(message: tuple[Any, ...]) -> dict[int, int]:
    """Hop limit and traffic class of a received message."""
    return {kind: int.from_bytes(data, sys.byteorder) for _, kind, data in message[1]}


def number(value: int) -> bytes:
    return value.to_bytes(4, sys.byteorder, signed=True)


def test_hop_limit_and_traffic_class_are_told(marked: tuple[Any, Any, Any]) -> None:
    """RFC 3542, section 6: as the sender's socket has them."""
    sender, receiver, address = marked
    sender.sendto(b"x", address)
    assert marks(receiver.recvmsg(10, 100)) == {_HOPS: 64, _CLASS: 0}
    sender.setsockopt(std.IPPROTO_IPV6, std.IPV6_UNICAST_HOPS, 7)
    sender.setsockopt(std.IPPROTO_IPV6, std.IPV6_TCLASS, 0xB8)
    sender.sendto(b"x", address)
    assert marks(receiver.recvmsg(10, 100)) == {_HOPS: 7, _CLASS: 0xB8}


def test_a_message_may_have_marks_of_its_own(marked: tuple[Any, Any, Any]) -> None:
    """RFC 3542, section 6.3: -1 stands for the hop limit of the socket."""
    sender, receiver, address = marked
    for hops, told in ((3, 3), (255, 255), (-1, 64)):
        items = [(std.IPPROTO_IPV6, _HOPS, number(hops)), (std.IPPROTO_IPV6, _CLASS, number(5))]
        sender.sendmsg([b"x"], items, 0, address)
        assert marks(receiver.recvmsg(10, 100)) == {_HOPS: told, _CLASS: 5}


@pytest.mark.parametrize("kind", [_HOPS, _CLASS])
@pytest.mark.parametrize("item", [number(-2), number(256), b"\1", bytes(8)])
def test_a_mark_that_means_nothing_is_einval(marked: tuple[Any, Any, Any], kind: int, item: bytes) -> None:
    """ip6_datagram_send_ctl."""
    sender, _, address = marked
    assert outcome(sender.sendmsg, [b"x"], [(std.IPPROTO_IPV6, kind, item)], 0, address) == "EINVAL"


@pytest.mark.parametrize(
    ("room", "sizes"),
    [(0, []), (15, []), (16, [0]), (17, [1]), (20, [4]), (39, [4]), (40, [4, 0]), (43, [4, 3])],
)
def test_what_does_not_fit_is_cut_and_msg_ctrunc_says_so(
    marked: tuple[Any, Any, Any], room: int, sizes: list[int]
) -> None:
    """cmsg(3), put_cmsg: a header has 16 bytes, and the next begins at a multiple of 8."""
    sender, receiver, address = marked
    sender.sendto(b"x", address)
    data, control, flags, _ = receiver.recvmsg(10, room)
    assert (data, [len(item) for _, _, item in control]) == (b"x", sizes)
    assert flags & std.MSG_CTRUNC
