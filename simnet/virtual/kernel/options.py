"""Socket options as a table: which there are, for whom, and what reading and setting them means.

An option that only has a value is kept by the socket that it was set on, which is told of the change; one
that does more has functions here that do it.  What Linux has and the table has not is not simulated, and
says so by name; what Linux has not either fails as there.

Owns numbers, values and their checks (socket(7), tcp(7), ip(7), ipv6(7)).
"""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs

from .. import linux as std

if TYPE_CHECKING:
    from .sock import SocketEnd

Value: TypeAlias = "int | bytes | None"

SEND_BUFFER_MIN, RECEIVE_BUFFER_MIN = 2304, 1152  # half of SOCK_MIN_SNDBUF and SOCK_MIN_RCVBUF
BUFFER_MAX = 4 << 20  # wmem_max and rmem_max in socket(7), as they are since Linux 6.18
_LOW_WATER_MAX = 16 << 20  # half of the largest tcp_rmem
_INT_MAX = 0x7FFF_FFFF

# By numbers, because not every version of Python has the names.
_SO_SNDLOWAT, _SO_PROTOCOL, _SO_DOMAIN = 19, 38, 39
_SOL_SOCKET, _IP, _IPV6, _TCP = (
    int(level) for level in (std.SOL_SOCKET, std.IPPROTO_IP, std.IPPROTO_IPV6, std.IPPROTO_TCP)
)


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


def between(least: int, most: int) -> Callable[[Value], int]:
    """A number that is EINVAL outside of its bounds."""

    def accept(value: Value) -> int:
        given = number(value)
        if not least <= given <= most:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        return given

    return accept


def small(value: Value) -> int:
    """What ip_setsockopt reads: an int, or a byte if there are fewer than four; 0 out of nothing."""
    if isinstance(value, bytes) and len(value) < 4:
        return value[0] if value else 0
    return number(value)


def always(end: SocketEnd) -> bool:
    return True


def _over_ip(end: SocketEnd) -> bool:
    return end.family in (std.AF_INET, std.AF_INET6)


def _over_ipv6(end: SocketEnd) -> bool:
    return end.family == std.AF_INET6


def _is_tcp(end: SocketEnd) -> bool:
    return end.proto == std.IPPROTO_TCP


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


# --- SOL_SOCKET ----------------------------------------------------------------------------------


def _get_linger(end: SocketEnd) -> bytes:
    return struct.pack("ii", end.linger_seconds is not None, end.kept(std.SOL_SOCKET, std.SO_LINGER, 0))


def _set_linger(end: SocketEnd, value: Value) -> None:
    if not isinstance(value, bytes) or len(value) < 8:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    on, seconds = struct.unpack("ii", value[:8])
    end.linger_seconds = seconds if on else None
    if on:  # the time of before stays, though it has no effect
        end.keep(std.SOL_SOCKET, std.SO_LINGER, seconds)


def _set_reuse_address(end: SocketEnd, value: Value) -> None:
    end.reuse_address = number(value) != 0


def _set_reuse_port(end: SocketEnd, value: Value) -> None:
    end.reuse_port = number(value) != 0


def _buffer_bytes(value: Value, least: int) -> int:
    """The kernel compares as unsigned, and doubles for its own bookkeeping (socket(7))."""
    return max(min(number(value) & 0xFFFF_FFFF, BUFFER_MAX), least)


def _set_send_buffer(end: SocketEnd, value: Value) -> None:
    size = _buffer_bytes(value, SEND_BUFFER_MIN)
    end.set_buffers(send=size)
    end.keep(std.SOL_SOCKET, std.SO_SNDBUF, 2 * size)


def _set_receive_buffer(end: SocketEnd, value: Value) -> None:
    size = _buffer_bytes(value, RECEIVE_BUFFER_MIN)
    end.set_buffers(receive=size)
    end.keep(std.SOL_SOCKET, std.SO_RCVBUF, 2 * size)


def _get_send_buffer(end: SocketEnd) -> int:
    return end.kept(std.SOL_SOCKET, std.SO_SNDBUF, min(end.send_buffer_default, 2 * end.send_buffer))


def _get_receive_buffer(end: SocketEnd) -> int:
    return end.kept(std.SOL_SOCKET, std.SO_RCVBUF, min(end.receive_buffer_default, 2 * end.receive_buffer))


def _get_low_water(end: SocketEnd) -> int:
    return end.kept(std.SOL_SOCKET, std.SO_RCVLOWAT, 1)


def _set_low_water(end: SocketEnd, value: Value) -> None:
    """sk_setsockopt and, for TCP, tcp_set_rcvlowat: at most half of the buffer, as far as that is fixed."""
    wanted = number(value)
    wanted = _INT_MAX if wanted < 0 else wanted
    if _is_tcp(end):
        wanted = min(wanted, end.kept(std.SOL_SOCKET, std.SO_RCVBUF, 2 * _LOW_WATER_MAX) // 2)
    end.keep(std.SOL_SOCKET, std.SO_RCVLOWAT, wanted or 1)


# --- IP and IPV6 ---------------------------------------------------------------------------------

_PRIORITIES = (0, 2, 6, 4)
"""What a type of service makes of SO_PRIORITY (rt_tos2priority), by the bits of RFC 1349."""


def _set_type_of_service(end: SocketEnd, value: Value) -> None:
    wanted, before = small(value) & 0xFF, end.kept(_IP, std.IP_TOS, 0)
    if _is_tcp(end):
        wanted = (wanted & ~3) | (before & 3)  # the two bits are those of ECN (RFC 3168)
    if wanted != before:
        end.keep(_IP, std.IP_TOS, wanted)
        end.keep(std.SOL_SOCKET, std.SO_PRIORITY, _PRIORITIES[(wanted & 0x1E) >> 3])


def _time_to_live(value: Value) -> int:
    if value == b"":
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    wanted = small(value)
    return 64 if wanted == -1 else between(1, 255)(wanted)


def _hop_limit(value: Value) -> int:
    wanted = between(-1, 255)(value)
    return 64 if wanted == -1 else wanted


def _set_traffic_class(end: SocketEnd, value: Value) -> None:
    wanted = max(between(-1, 255)(value), 0)
    end.keep(_IPV6, std.IPV6_TCLASS, wanted & ~3 if _is_tcp(end) else wanted)


def _set_v6only(end: SocketEnd, value: Value) -> None:
    wanted = number(value) != 0
    if end.is_bound:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    end.v6only = wanted


# --- TCP -----------------------------------------------------------------------------------------


def _linger_2(value: Value) -> int:
    """How long FIN_WAIT_2 may last: 0 is what the system has, and there is a most (TCP_FIN_TIMEOUT_MAX)."""
    wanted = number(value)
    return -1 if wanted < 0 else min(wanted or 60, 120)


def _set_quick_ack(end: SocketEnd, value: Value) -> None:
    number(value)  # acknowledgements are not simulated, so there is nothing to hurry


def _get_quick_ack(end: SocketEnd) -> int:
    raise not_simulated(std.IPPROTO_TCP, std.TCP_QUICKACK)


TABLE: dict[tuple[int, int], Option] = {
    (std.SOL_SOCKET, std.SO_ERROR): Option(get=lambda end: end.take_error()),
    (std.SOL_SOCKET, std.SO_TYPE): Option(get=lambda end: int(end.kind)),
    (std.SOL_SOCKET, _SO_DOMAIN): Option(get=lambda end: int(end.family)),
    (std.SOL_SOCKET, _SO_PROTOCOL): Option(get=lambda end: int(end.proto)),
    (std.SOL_SOCKET, std.SO_ACCEPTCONN): Option(get=lambda end: int(end.is_listening)),
    (std.SOL_SOCKET, _SO_SNDLOWAT): Option(get=lambda end: 1),
    (std.SOL_SOCKET, std.SO_REUSEADDR): Option(
        get=lambda end: int(end.reuse_address), set=_set_reuse_address
    ),
    (std.SOL_SOCKET, std.SO_REUSEPORT): Option(
        get=lambda end: int(end.reuse_port), set=_set_reuse_port, applies=_over_ip
    ),
    (std.SOL_SOCKET, std.SO_LINGER): Option(get=_get_linger, set=_set_linger),
    (std.SOL_SOCKET, std.SO_SNDBUF): Option(get=_get_send_buffer, set=_set_send_buffer),
    (std.SOL_SOCKET, std.SO_RCVBUF): Option(get=_get_receive_buffer, set=_set_receive_buffer),
    (std.SOL_SOCKET, std.SO_RCVLOWAT): Option(get=_get_low_water, set=_set_low_water),
    (std.SOL_SOCKET, std.SO_KEEPALIVE): Option(),
    (std.SOL_SOCKET, std.SO_OOBINLINE): Option(),
    (std.SOL_SOCKET, std.SO_BROADCAST): Option(),
    (std.SOL_SOCKET, std.SO_PRIORITY): Option(accept=number),
    # There are no gateways, which it would not go through.
    (std.SOL_SOCKET, std.SO_DONTROUTE): Option(),
    (_IP, std.IP_TOS): Option(
        get=lambda end: end.kept(_IP, std.IP_TOS, 0), set=_set_type_of_service, applies=_over_ip
    ),
    (_IP, std.IP_TTL): Option(default=64, accept=_time_to_live, applies=_over_ip),
    (_IPV6, std.IPV6_V6ONLY): Option(get=lambda end: int(end.v6only), set=_set_v6only, applies=_over_ipv6),
    (_IPV6, std.IPV6_UNICAST_HOPS): Option(default=64, accept=_hop_limit, applies=_over_ipv6),
    (_IPV6, std.IPV6_TCLASS): Option(
        get=lambda end: end.kept(_IPV6, std.IPV6_TCLASS, 0), set=_set_traffic_class, applies=_over_ipv6
    ),
    (_IPV6, std.IPV6_RECVHOPLIMIT): Option(applies=_over_ipv6),
    (_IPV6, std.IPV6_RECVTCLASS): Option(applies=_over_ipv6),
    # Without Nagle's algorithm in the simulation, TCP_NODELAY changes nothing.
    (_TCP, std.TCP_NODELAY): Option(applies=_is_tcp),
    (_TCP, std.TCP_KEEPIDLE): Option(default=7200, accept=between(1, 32767), applies=_is_tcp),
    (_TCP, std.TCP_KEEPINTVL): Option(default=75, accept=between(1, 32767), applies=_is_tcp),
    (_TCP, std.TCP_KEEPCNT): Option(default=9, accept=between(1, 127), applies=_is_tcp),
    (_TCP, std.TCP_USER_TIMEOUT): Option(accept=between(0, _INT_MAX), applies=_is_tcp),
    (_TCP, std.TCP_SYNCNT): Option(default=6, accept=between(1, 127), applies=_is_tcp),
    (_TCP, std.TCP_LINGER2): Option(default=60, accept=_linger_2, applies=_is_tcp),
    (_TCP, std.TCP_INFO): Option(get=lambda end: end.info(), applies=_is_tcp),
    (_TCP, std.TCP_QUICKACK): Option(get=_get_quick_ack, set=_set_quick_ack, applies=_is_tcp),
}

_ON_LINUX = {_SOL_SOCKET: range(1, 84), _IP: range(1, 53), _IPV6: range(1, 81), _TCP: range(1, 47)}
"""The numbers that Linux 6.18 has, some of them for other kinds of socket only."""


def by_number(end: SocketEnd, level: int, number: int) -> Option | None:
    """The option of that number, if it is simulated for this kind of socket."""
    option = end.own_options.get((level, number)) or TABLE.get((level, number))
    if option is None or not option.applies(end) or (level == _IPV6 and not _over_ipv6(end)):
        return None
    return option


def missing(end: SocketEnd, level: int, number: int, is_read: bool) -> Exception:
    """What is raised for an option that is not in the table: it is not simulated, or is none."""
    levels = {_SOL_SOCKET}
    if _over_ip(end):
        levels |= {int(end.proto), _IP, _IPV6} if _over_ipv6(end) else {int(end.proto), _IP}
    if level in levels and (level not in _ON_LINUX or number in _ON_LINUX[level]):
        return not_simulated(level, number)
    # The functions of IPv4 and of AF_UNIX answer a level that they do not know so.
    is_unknown = level not in levels and ((end.family == std.AF_INET and is_read) or not _over_ip(end))
    reason = errno.EOPNOTSUPP if is_unknown else errno.ENOPROTOOPT
    return OSError(reason, os.strerror(reason))


_PREFIXES = {_SOL_SOCKET: "SO_", _IP: "IP_", _IPV6: "IPV6_", _TCP: "TCP_"}


def not_simulated(level: int, number: int) -> NotImplementedError:
    """What is raised for an option that Linux has and simnet has not."""
    prefix = _PREFIXES.get(level, "\0")
    names = [name for name in dir(std) if name.startswith(prefix) and getattr(std, name) == number]
    return NotImplementedError(
        f"socket option {' or '.join(names) or number} (number {number}, level {level}) is not simulated"
    )
