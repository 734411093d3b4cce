"""Making descriptors: socket(2), socketpair(2), pipe(2), epoll_create(2)."""

from __future__ import annotations

import socket as std
from typing import Any

from ..operations import EPOLL, PIPE, a_slot, any_of, operation

FAMILY = {"inet": std.AF_INET, "inet6": std.AF_INET6, "unix": std.AF_UNIX}
TYPE = {"stream": std.SOCK_STREAM, "dgram": std.SOCK_DGRAM, "seqpacket": std.SOCK_SEQPACKET}
PROTO = {"": 0, "tcp": std.IPPROTO_TCP, "udp": std.IPPROTO_UDP}


@operation(any_of("inet"), any_of("stream"), any_of(""), makes=True)
def socket(session: Any, slot: int, family: str, type_: str, proto: str = "") -> str:
    """A non-blocking socket. Nagle's algorithm is off: it would make arrival depend on a delayed ACK."""
    sock = session.modules.socket.socket(FAMILY[family], TYPE[type_], PROTO[proto])
    if type_ == "stream" and family != "unix":
        sock.setsockopt(std.IPPROTO_TCP, std.TCP_NODELAY, 1)
    session.put_socket(slot, sock)
    return "ok"


@operation(any_of(*FAMILY, "netlink"), any_of(*TYPE), any_of("", "", "tcp", "udp"), makes=True)
def odd_socket(session: Any, slot: int, family: str, type_: str, proto: str) -> Any:
    """Any family with any type and protocol; what comes of it is closed at once."""
    families = FAMILY | {"netlink": std.AF_NETLINK}
    sock = session.modules.socket.socket(families[family], TYPE[type_], PROTO[proto])
    about = int(sock.family), int(sock.type), sock.proto
    sock.close()
    return about


@operation(a_slot, any_of(*TYPE), makes=True)
def socketpair(session: Any, slot: int, other: int, type_: str) -> Any:
    if slot == other:
        return None
    one, two = session.modules.socket.socketpair(std.AF_UNIX, TYPE[type_])
    session.put_socket(slot, one)
    session.put_socket(other, two)
    return "ok"


@operation(a_slot, makes=True)
def pipe(session: Any, slot: int, other: int) -> Any:
    """The reading end into the slot, the writing end into the other."""
    if slot == other:
        return None
    ends = session.modules.os.pipe()
    for place, fd in zip((slot, other), ends, strict=True):
        session.modules.os.set_blocking(fd, False)
        session.put(place, session.raw(fd), PIPE)
    return "ok"


@operation(makes=True)
def epoll(session: Any, slot: int) -> str:
    session.put(slot, session.modules.select.epoll(), EPOLL)
    return "ok"
