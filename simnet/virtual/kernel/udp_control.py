"""Control messages of datagrams: what sendmsg(2) may say and recvmsg(2) tell besides data (ip(7), ipv6(7)).

Owns which are known, and what is wrong with others (ip_cmsg_send, ip6_datagram_send_ctl, __sock_cmsg_send);
what is told of a datagram that came (ip6_datagram_recv_specific_ctl).
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

from .. import linux as std
from .addresses import is_ipv6, is_multicast
from .control import ControlRoom, check_socket_level, refuse
from .datagrams import PLAIN, Datagram, Marks

if TYPE_CHECKING:
    from .udp_addressing import AddressedEnd

_IPV6 = int(std.IPPROTO_IPV6)
_IP_TOS, _IP_TTL = std.IP_TOS, std.IP_TTL

# What Linux knows and a virtual host does not.
_IP_LEVEL = (7, 8)  # IP_RETOPTS, IP_PKTINFO
_IPV6_LEVEL = (2, 3, 4, 5, 6, 8, 11, 50, 54, 55, 57, 59, 62)  # IPV6_PKTINFO and others
_UDP_SEGMENT = 103


def marks(end: AddressedEnd, control: list[tuple[int, int, Any]], target: str) -> Marks:
    """Read the control messages of a datagram to `target`: how it is to be marked.

    Raises OSError(EINVAL) for a message that makes no sense, NotImplementedError for one that would.
    """
    version = 6 if is_ipv6(target) else 4
    if control:
        _check(control, version)
    if version == 4 or (not control and end.settings is None and not is_multicast(target)):
        return PLAIN
    said = {kind: struct.unpack("i", bytes(item))[0] for level, kind, item in control if level == _IPV6}
    hops = said.get(std.IPV6_HOPLIMIT, -1)
    if hops < 0:
        hops = end.setting(_IPV6, std.IPV6_MULTICAST_HOPS if is_multicast(target) else std.IPV6_UNICAST_HOPS)
    return Marks(hops, said.get(std.IPV6_TCLASS, end.kept(_IPV6, std.IPV6_TCLASS, 0)) & 0xFF)


def tell(end: AddressedEnd, datagram: Datagram, room: ControlRoom) -> None:
    """What a program wants to know of a datagram besides its data."""
    if end.family == std.AF_INET6 and datagram.version == 6:
        if end.kept(_IPV6, std.IPV6_RECVHOPLIMIT, 0):
            room.put(_IPV6, int(std.IPV6_HOPLIMIT), struct.pack("i", datagram.marks.hop_limit))
        if end.kept(_IPV6, std.IPV6_RECVTCLASS, 0):
            room.put(_IPV6, int(std.IPV6_TCLASS), struct.pack("i", datagram.marks.traffic_class))


def _check(control: list[tuple[int, int, Any]], version: int) -> None:
    for level, kind, item in control:
        data = bytes(item)
        if level == std.SOL_SOCKET:
            check_socket_level(kind)
        elif level == std.IPPROTO_UDP:
            refuse(level, kind, (_UDP_SEGMENT,))
        elif level == _IPV6 and version == 6 and not _is_mark(kind, data):
            refuse(level, kind, _IPV6_LEVEL)
        elif level == std.IPPROTO_IP and version == 4 and not _is_sound(kind, data):
            refuse(level, kind, _IP_LEVEL)


def _is_sound(kind: int, data: bytes) -> bool:
    """A time to live or a type of service, as they must be; neither makes a difference on one network."""
    if kind == _IP_TTL:
        return len(data) == 4 and 1 <= struct.unpack("i", data)[0] <= 255
    return kind == _IP_TOS and len(data) in (1, 4)


def _is_mark(kind: int, data: bytes) -> bool:
    """A hop limit or a traffic class, as they must be; -1 stands for the socket's own."""
    is_known = kind in (std.IPV6_HOPLIMIT, std.IPV6_TCLASS)
    return is_known and len(data) == 4 and -1 <= struct.unpack("i", data)[0] <= 255
