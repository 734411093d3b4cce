"""Which sockets there are: family, type and protocol, as socket(2) is given them.

Owns the choice and its errors.  What a socket does is the business of its kind.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from .. import linux as std
from .sock import SocketEnd
from .tcp import TcpEnd

if TYPE_CHECKING:
    from ..host import Host
    from .unix import UnixEnd


# Most programs speak TCP and nothing else: the rooms of the other kinds are entered when they are asked for.


def _udp(host: Host, family: int) -> SocketEnd:
    from .udp import UdpEnd

    return UdpEnd(host, family)


def _unix_stream(host: Host) -> UnixEnd:
    from .unix_stream import UnixStreamEnd

    return UnixStreamEnd(host)


def _unix_datagram(host: Host) -> UnixEnd:
    from .unix_datagram import UnixDatagramEnd

    return UnixDatagramEnd(host)


def _unix_seqpacket(host: Host) -> UnixEnd:
    from .unix_seqpacket import UnixSeqpacketEnd

    return UnixSeqpacketEnd(host)


_FLAGS = std.SOCK_NONBLOCK | std.SOCK_CLOEXEC
"""What may be given together with a type (socket(2))."""

_TYPE_MASK, _TYPES_MAX = 0xF, 11
"""Where the flags begin, and SOCK_MAX, in include/linux/net.h."""

_OF_IP = (std.SOCK_STREAM, std.SOCK_DGRAM, std.SOCK_RAW)
"""The types that IP has on Linux."""

_OVER_IP: dict[tuple[int, int], tuple[Callable[[Host, int], SocketEnd], int]] = {
    (std.AF_INET, std.SOCK_STREAM): (TcpEnd, std.IPPROTO_TCP),
    (std.AF_INET6, std.SOCK_STREAM): (TcpEnd, std.IPPROTO_TCP),
    (std.AF_INET, std.SOCK_DGRAM): (_udp, std.IPPROTO_UDP),
    (std.AF_INET6, std.SOCK_DGRAM): (_udp, std.IPPROTO_UDP),
}
"""The sockets that speak a protocol over IP, and which it is."""

_UNIX: dict[int, Callable[[Host], UnixEnd]] = {
    std.SOCK_STREAM: _unix_stream,
    std.SOCK_DGRAM: _unix_datagram,
    std.SOCK_RAW: _unix_datagram,  # another word for it (unix_create)
    std.SOCK_SEQPACKET: _unix_seqpacket,
}


def make_end(host: Host, family: int, kind: int, proto: int) -> SocketEnd:
    """A new socket of a host, before it has a descriptor.

    Raises OSError as socket(2) does, EMFILE and ENFILE included; NotImplementedError for what Linux has and
    simnet does not simulate.
    """
    kind = _type_in(kind)
    if family == std.AF_UNIX:
        return _make_unix_end(host, kind, proto)
    if (family, kind) not in _OVER_IP:
        raise _refused(family, kind)
    make, only = _OVER_IP[family, kind]
    if proto not in (0, only):
        raise OSError(errno.EPROTONOSUPPORT, os.strerror(errno.EPROTONOSUPPORT))
    host.check_memory()
    host.descriptors.check()
    return make(host, family)


def _type_in(kind: int) -> int:
    """The type without its flags; EINVAL for flags that there are not (__sys_socket)."""
    if kind & ~(_FLAGS | _TYPE_MASK):
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    return kind & ~_FLAGS


def _refused(family: int, kind: int) -> Exception:
    """What socket(2) says of a kind that does not exist (__sock_create, inet_create) or is not simulated."""
    family_name, kind_name = _name_of("AF_", family), _name_of("SOCK_", kind)
    if family == std.AF_UNSPEC or family_name.isdigit():
        reason = errno.EAFNOSUPPORT
    elif kind >= _TYPES_MAX:
        reason = errno.EINVAL
    elif family in (std.AF_INET, std.AF_INET6) and kind not in _OF_IP:
        reason = errno.ESOCKTNOSUPPORT
    else:
        return NotImplementedError(f"sockets of family {family_name} and type {kind_name} are not simulated")
    return OSError(reason, os.strerror(reason))


def make_pair(host: Host, family: int, kind: int, proto: int) -> tuple[SocketEnd, SocketEnd]:
    """Two sockets that are connected with each other (socketpair(2))."""
    kind = _type_in(kind)
    if family in (std.AF_INET, std.AF_INET6):
        make_end(host, family, kind, proto)  # its errors come first
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
    if family != std.AF_UNIX:
        raise _refused(family, kind)
    first, second = (_make_unix_end(host, kind, proto) for _ in range(2))
    first.pair_with(second)
    return first, second


def _make_unix_end(host: Host, kind: int, proto: int) -> UnixEnd:
    """__sock_create, unix_create."""
    if kind >= _TYPES_MAX:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    if proto not in (0, std.AF_UNIX):
        raise OSError(errno.EPROTONOSUPPORT, os.strerror(errno.EPROTONOSUPPORT))
    if kind not in _UNIX:
        raise OSError(errno.ESOCKTNOSUPPORT, os.strerror(errno.ESOCKTNOSUPPORT))
    host.check_memory(errno.ENOMEM)
    host.descriptors.check()
    return _UNIX[kind](host)


def _name_of(prefix: str, number: int) -> str:
    names = [name for name in dir(std) if name.startswith(prefix) and getattr(std, name) == number]
    return names[0] if names else str(int(number))
