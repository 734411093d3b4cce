"""Socket options as a table: which there are, for whom, and what reading and setting them means.

An option that only has a value is kept by the socket that it was set on; one that does something has
functions here that do it.  What is not in the table is not simulated, and says so by name.

Owns numbers, values and their checks (socket(7), tcp(7), ip(7), ipv6(7)).
"""

from __future__ import annotations

import errno
import os
import socket as std
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs

if TYPE_CHECKING:
    from .sock import SocketEnd

Value: TypeAlias = "int | bytes | None"

INT_MAX = 0x7FFF_FFFF
SOL_SOCKET_LAST = 84
"""The last option of SOL_SOCKET in Linux 6.18 (<asm-generic/socket.h>, SO_INQ)."""

SEND_BUFFER_MIN, RECEIVE_BUFFER_MIN = 2304, 1152  # half of SOCK_MIN_SNDBUF and SOCK_MIN_RCVBUF


def number(value: Value) -> int:
    """What the kernel reads: an int, also out of bytes; EINVAL if these are too few."""
    if isinstance(value, int):
        return value
    if value is None or len(value) < 4:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    return int(struct.unpack("i", value[:4])[0])


def flag(value: Value) -> int:
    """Anything but 0 is 1."""
    return int(number(value) != 0)


def low_water(value: Value) -> int:
    """At least one byte; a negative number stands for as many as there can be (sk_setsockopt)."""
    wanted = number(value)
    return INT_MAX if wanted < 0 else wanted or 1


def always(end: SocketEnd) -> bool:
    return True


@attrs.frozen
class Option:
    """One option: `default` and `accept` are for one that only has a value, `get` and `set` for others.

    Without `set`, one with `get` can only be read.
    """

    default: int = 0
    accept: Callable[[Value], int] = flag
    get: Callable[[Any], int | bytes] | None = None
    set: Callable[[Any, Value], None] | None = None
    applies: Callable[[SocketEnd], bool] = always


def _get_linger(end: SocketEnd) -> bytes:
    return struct.pack("ii", end.linger_seconds is not None, end.linger_seconds or 0)


def _set_linger(end: SocketEnd, value: Value) -> None:
    if not isinstance(value, bytes) or len(value) < 8:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    on, seconds = struct.unpack("ii", value[:8])
    end.linger_seconds = seconds if on else None


def _set_reuse_address(end: SocketEnd, value: Value) -> None:
    end.reuse_address = number(value) != 0


def _set_reuse_port(end: SocketEnd, value: Value) -> None:
    end.reuse_port = number(value) != 0


def _set_v6only(end: Any, value: Value) -> None:
    """EINVAL once the socket has a port (do_ipv6_setsockopt)."""
    is_on = number(value) != 0
    if end.local[1]:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    end.v6only = is_on


# The kernel doubles what it is told, for its own bookkeeping (socket(7)).
def _set_send_buffer(end: SocketEnd, value: Value) -> None:
    end.set_buffers(send=max(number(value), SEND_BUFFER_MIN))


def _set_receive_buffer(end: SocketEnd, value: Value) -> None:
    end.set_buffers(receive=max(number(value), RECEIVE_BUFFER_MIN))


def _is_tcp(end: SocketEnd) -> bool:
    return end.proto == std.IPPROTO_TCP


def _is_udp(end: SocketEnd) -> bool:
    return end.proto == std.IPPROTO_UDP


def _is_not_tcp(end: SocketEnd) -> bool:
    return end.proto != std.IPPROTO_TCP


TABLE: dict[tuple[int, int], Option] = {
    (std.SOL_SOCKET, std.SO_ERROR): Option(get=lambda end: end.take_error()),
    (std.SOL_SOCKET, std.SO_TYPE): Option(get=lambda end: int(end.kind)),
    (std.SOL_SOCKET, std.SO_DOMAIN): Option(get=lambda end: int(end.family)),
    (std.SOL_SOCKET, std.SO_PROTOCOL): Option(get=lambda end: int(end.proto)),
    (std.SOL_SOCKET, std.SO_ACCEPTCONN): Option(get=lambda end: int(end.is_listening)),
    (std.SOL_SOCKET, std.SO_REUSEADDR): Option(
        get=lambda end: int(end.reuse_address), set=_set_reuse_address
    ),
    (std.SOL_SOCKET, std.SO_LINGER): Option(get=_get_linger, set=_set_linger),
    (std.SOL_SOCKET, std.SO_SNDBUF): Option(get=lambda end: 2 * end.send_buffer, set=_set_send_buffer),
    (std.SOL_SOCKET, std.SO_RCVBUF): Option(get=lambda end: 2 * end.receive_buffer, set=_set_receive_buffer),
    (std.SOL_SOCKET, std.SO_BROADCAST): Option(),
    (std.IPPROTO_IPV6, std.IPV6_V6ONLY): Option(
        get=lambda end: int(end.v6only), set=_set_v6only, applies=lambda end: end.family == std.AF_INET6
    ),
    (std.SOL_SOCKET, std.SO_REUSEPORT): Option(
        get=lambda end: int(end.reuse_port), set=_set_reuse_port, applies=_is_udp
    ),
    # Any socket keeps these; only TCP does something with them.
    (std.SOL_SOCKET, std.SO_KEEPALIVE): Option(applies=_is_not_tcp),
    (std.SOL_SOCKET, std.SO_OOBINLINE): Option(applies=_is_not_tcp),
    (std.SOL_SOCKET, std.SO_RCVLOWAT): Option(default=1, accept=low_water, applies=_is_not_tcp),
    # Without Nagle's algorithm in the simulation, TCP_NODELAY changes nothing.
    (std.IPPROTO_TCP, std.TCP_NODELAY): Option(applies=_is_tcp),
}


def by_number(end: SocketEnd, level: int, number: int) -> Option | None:
    """The option of that number, if it is simulated for this kind of socket."""
    option = end.own_options.get((level, number)) or TABLE.get((level, number))
    if (
        option is None
        or not option.applies(end)
        or (level == std.IPPROTO_IPV6 and end.family != std.AF_INET6)
    ):
        return None
    return option


def refusal(end: SocketEnd, level: int, number: int) -> tuple[int, int] | None:
    """What getsockopt() and setsockopt() say of an option that Linux has not for such a socket; or None.

    A level goes down to the protocol family, which knows its own and no other (tcp_getsockopt,
    udp_getsockopt, do_ip_getsockopt, do_ipv6_getsockopt); AF_UNIX has none (sock_no_getsockopt).
    """
    if level == std.SOL_SOCKET:
        return (errno.ENOPROTOOPT, errno.ENOPROTOOPT) if number > SOL_SOCKET_LAST else None
    if end.family == std.AF_UNIX:
        return errno.EOPNOTSUPP, errno.EOPNOTSUPP
    if level in (end.proto, std.IPPROTO_IP):
        return None
    if end.family == std.AF_INET6:
        return None if level == std.IPPROTO_IPV6 else (errno.ENOPROTOOPT, errno.ENOPROTOOPT)
    return errno.EOPNOTSUPP, errno.ENOPROTOOPT


def not_simulated(level: int, number: int) -> NotImplementedError:
    """What is raised for an option that is not in the table."""
    names = [
        name
        for name in dir(std)
        if name.startswith(("SO_", "TCP_", "IP_", "IPV6_")) and getattr(std, name) == number
    ]
    return NotImplementedError(
        f"socket option {' or '.join(names) or number} (number {number}, level {level}) is not simulated"
    )
