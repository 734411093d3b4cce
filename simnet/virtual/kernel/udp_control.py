"""Control messages of datagrams: what sendmsg(2) may say besides the data (cmsg(3), ip(7), ipv6(7)).

Owns which are known, and what is wrong with others (ip_cmsg_send, ip6_datagram_send_ctl, __sock_cmsg_send).
"""

from __future__ import annotations

import errno
import os
import socket as std
import struct
from typing import Any

from .options import not_simulated

_SCM_CREDENTIALS = 2
_IP_TOS, _IP_TTL = std.IP_TOS, std.IP_TTL

# What Linux knows and a virtual host does not.
_SOCKET_LEVEL = (12, 36, 37, 61)  # SO_PRIORITY, SO_MARK, SO_TIMESTAMPING, SO_TXTIME
_IP_LEVEL = (7, 8)  # IP_RETOPTS, IP_PKTINFO
_IPV6_LEVEL = (2, 3, 4, 5, 6, 8, 11, 50, 52, 54, 55, 57, 59, 62, 67)  # IPV6_PKTINFO and others
_UDP_SEGMENT = 103


def check(control: list[tuple[int, int, Any]], version: int) -> None:
    """Raise OSError(EINVAL) for a message that makes no sense, NotImplementedError for one that would."""
    for level, kind, item in control:
        data = bytes(item)
        if level == std.SOL_SOCKET and kind not in (std.SCM_RIGHTS, _SCM_CREDENTIALS):
            _refuse(level, kind, _SOCKET_LEVEL)
        elif level == std.IPPROTO_UDP:
            _refuse(level, kind, (_UDP_SEGMENT,))
        elif level == std.IPPROTO_IPV6 and version == 6:
            _refuse(level, kind, _IPV6_LEVEL)
        elif level == std.IPPROTO_IP and version == 4 and not _is_sound(kind, data):
            _refuse(level, kind, _IP_LEVEL)


def _is_sound(kind: int, data: bytes) -> bool:
    """A time to live or a type of service, as they must be; neither makes a difference on one network."""
    if kind == _IP_TTL:
        return len(data) == 4 and 1 <= struct.unpack("i", data)[0] <= 255
    return kind == _IP_TOS and len(data) in (1, 4)


def _refuse(level: int, kind: int, known: tuple[int, ...]) -> None:
    if kind in known:
        raise not_simulated(level, kind)
    raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
