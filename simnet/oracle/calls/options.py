"""Options: getsockopt(2), setsockopt(2), and what else a socket says of itself."""

from __future__ import annotations

import socket as std
import struct
from typing import Any

from ..draws import Draws
from ..operations import PIPE, SOCKET, Scene, any_of, operation

SIOCATMARK = 0x8905
FIONBIO = 0x5421


def linger(on: int, seconds: int) -> bytes:
    return struct.pack("ii", on, seconds)


SWITCH = (0, 1, 1, 2, -1)

OPTIONS: dict[str, tuple[int, int, tuple[Any, ...]]] = {
    "SO_ERROR": (std.SOL_SOCKET, std.SO_ERROR, (0, 1)),
    "SO_TYPE": (std.SOL_SOCKET, std.SO_TYPE, (1,)),
    "SO_DOMAIN": (std.SOL_SOCKET, 39, (1,)),
    "SO_PROTOCOL": (std.SOL_SOCKET, 38, (1,)),
    "SO_ACCEPTCONN": (std.SOL_SOCKET, std.SO_ACCEPTCONN, (1,)),
    "SO_REUSEADDR": (std.SOL_SOCKET, std.SO_REUSEADDR, SWITCH),
    "SO_REUSEPORT": (std.SOL_SOCKET, 15, SWITCH),
    "SO_BROADCAST": (std.SOL_SOCKET, std.SO_BROADCAST, SWITCH),
    "SO_KEEPALIVE": (std.SOL_SOCKET, std.SO_KEEPALIVE, SWITCH),
    "SO_OOBINLINE": (std.SOL_SOCKET, std.SO_OOBINLINE, SWITCH),
    "SO_LINGER": (std.SOL_SOCKET, std.SO_LINGER, (linger(1, 0), linger(0, 0), linger(0, 5), b"\1\0\0\0", 1)),
    "TCP_NODELAY": (std.IPPROTO_TCP, std.TCP_NODELAY, (1, 2)),
    "TCP_KEEPIDLE": (std.IPPROTO_TCP, 4, (1, 60, 32767, 32768, 0, -1)),
    "TCP_KEEPINTVL": (std.IPPROTO_TCP, 5, (1, 75, 32767, 32768, 0, -1)),
    "TCP_KEEPCNT": (std.IPPROTO_TCP, 6, (1, 9, 127, 128, 0, -1)),
    "TCP_USER_TIMEOUT": (std.IPPROTO_TCP, 18, (0, 30000, -1)),
    "IPV6_V6ONLY": (std.IPPROTO_IPV6, std.IPV6_V6ONLY, SWITCH),
    "SO_RCVLOWAT": (std.SOL_SOCKET, std.SO_RCVLOWAT, (1, 1, 3, 9, 0, -1)),
    "SO_PRIORITY": (std.SOL_SOCKET, std.SO_PRIORITY, (0, 6)),
    "SO_PASSCRED": (std.SOL_SOCKET, 16, SWITCH),
    "IP_TOS": (std.IPPROTO_IP, std.IP_TOS, (0, 0x10, 0xFF, 0x1FF, -1)),
    "IP_TTL": (std.IPPROTO_IP, std.IP_TTL, (1, 64, 255, 256, 0, -1)),
    "IP_RECVTTL": (std.IPPROTO_IP, 12, SWITCH),
    "IP_RECVTOS": (std.IPPROTO_IP, 13, SWITCH),
    "IP_RECVERR": (std.IPPROTO_IP, 11, SWITCH),
    "IPV6_RECVERR": (std.IPPROTO_IPV6, 25, SWITCH),
    "IPV6_UNICAST_HOPS": (std.IPPROTO_IPV6, std.IPV6_UNICAST_HOPS, (1, 64, 255, 256, 0, -1, -2)),
    "IPV6_TCLASS": (std.IPPROTO_IPV6, std.IPV6_TCLASS, (0, 0x10, 0xFF, 0x100, -1)),
    "IPV6_RECVHOPLIMIT": (std.IPPROTO_IPV6, std.IPV6_RECVHOPLIMIT, SWITCH),
    "IPV6_RECVTCLASS": (std.IPPROTO_IPV6, std.IPV6_RECVTCLASS, SWITCH),
    "TCP_SYNCNT": (std.IPPROTO_TCP, 7, (1, 6, 127, 128, 0)),
    "TCP_LINGER2": (std.IPPROTO_TCP, 8, (1, 60, 0, -1)),
    "no such option": (std.SOL_SOCKET, 9999, (1,)),
    "no such level": (9999, 1, (1,)),
}

GETTABLE = tuple(OPTIONS)
SIZED = ("SO_SNDBUF", "SO_RCVBUF")


def _an_option(draws: Draws, scene: Scene) -> str:
    return draws.pick(GETTABLE)


@operation(_an_option)
def getsockopt(session: Any, sock: Any, name: str) -> Any:
    level, number, _ = OPTIONS[name]
    if name == "SO_LINGER":
        return sock.getsockopt(level, number, 8)
    return sock.getsockopt(level, number)


@operation(_an_option, any_of(1, 2, 4, 8, 0, -1, 2000))
def getsockopt_bytes(session: Any, sock: Any, name: str, size: int) -> Any:
    level, number, _ = OPTIONS[name]
    return sock.getsockopt(level, number, size)


def _a_setting(draws: Draws, scene: Scene) -> tuple[str, Any]:
    name = draws.pick(GETTABLE)
    return name, draws.pick(OPTIONS[name][2])


@operation(_a_setting)
def setsockopt(session: Any, sock: Any, setting: tuple[str, Any]) -> Any:
    name, value = setting
    level, number, _ = OPTIONS[name]
    return sock.setsockopt(level, number, value)


@operation(any_of(*SIZED), any_of(8192, 4096, 65536, 1, 0, 100_000))
def buffer(session: Any, sock: Any, name: str, size: int) -> Any:
    """Set a buffer size and read it back, in one call: the default depends on the machine."""
    number = getattr(std, name)
    sock.setsockopt(std.SOL_SOCKET, number, size)
    return sock.getsockopt(std.SOL_SOCKET, number)


@operation(any_of(1, 1, 2, 3, 9))
def lowat(session: Any, sock: Any, size: int) -> Any:
    """Set SO_RCVLOWAT: how much must be there before a socket is readable."""
    return sock.setsockopt(std.SOL_SOCKET, std.SO_RCVLOWAT, size)


@operation(
    any_of("IP_RECVERR", "IPV6_RECVERR", "IP_RECVTTL", "IPV6_RECVHOPLIMIT", "IP_RECVTOS", "SO_PASSCRED")
)
def control(session: Any, sock: Any, name: str) -> Any:
    """Ask for control messages."""
    level, number, _ = OPTIONS[name]
    return sock.setsockopt(level, number, 1)


@operation()
def take_error(session: Any, sock: Any) -> Any:
    """Read SO_ERROR, which clears it."""
    return sock.getsockopt(std.SOL_SOCKET, std.SO_ERROR)


@operation(any_of(0, 1, 1))
def reuse(session: Any, sock: Any, on: int) -> Any:
    return sock.setsockopt(std.SOL_SOCKET, std.SO_REUSEADDR, on)


@operation(any_of("reset", "reset", "off"))
def set_linger(session: Any, sock: Any, how: str) -> Any:
    return sock.setsockopt(std.SOL_SOCKET, std.SO_LINGER, linger(int(how == "reset"), 0))


@operation(any_of(0, 1, 1))
def inline(session: Any, sock: Any, on: int) -> Any:
    """Set SO_OOBINLINE."""
    return sock.setsockopt(std.SOL_SOCKET, std.SO_OOBINLINE, on)


@operation()
def at_mark(session: Any, sock: Any) -> Any:
    """ioctl SIOCATMARK."""
    return int.from_bytes(session.modules.fcntl.ioctl(sock.fileno(), SIOCATMARK, b"\0\0\0\0"), "little")


@operation(on=(SOCKET, PIPE))
def set_nonblocking(session: Any, held: Any) -> Any:
    """ioctl FIONBIO; only on: a program never waits."""
    return session.modules.fcntl.ioctl(held.fileno(), FIONBIO, b"\1\0\0\0")


@operation(on=(SOCKET, PIPE))
def is_blocking(session: Any, held: Any) -> Any:
    return session.modules.os.get_blocking(held.fileno())


@operation()
def about(session: Any, sock: Any) -> Any:
    """What the object says of itself."""
    return int(sock.family), int(sock.type), sock.proto, sock.gettimeout(), sock.getblocking()
