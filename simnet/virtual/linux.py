"""The constants of the socket module, all of them: where this Python lacks one, Linux's number stands in.

A virtual host is a Linux machine on whatever machine it runs.  A constant that this Python has is this
Python's, because that is what a program will pass.

Owns the numbers that only Linux has.  What they mean is the business of who uses them.
"""

from __future__ import annotations

import _socket as _in_c
import socket as _socket
from typing import TYPE_CHECKING

ONLY_ON_LINUX = {
    "AF_NETLINK": 16,
    "EAI_ADDRFAMILY": -9,
    "EAI_NODATA": -5,
    "IPV6_HOPLIMIT": 52,
    "IPV6_RECVHOPLIMIT": 51,
    "IPV6_RECVTCLASS": 66,
    "IPV6_TCLASS": 67,
    "MSG_CMSG_CLOEXEC": 0x4000_0000,
    "MSG_CONFIRM": 0x800,
    "MSG_ERRQUEUE": 0x2000,
    "MSG_FASTOPEN": 0x2000_0000,
    "MSG_MORE": 0x8000,
    "MSG_NOSIGNAL": 0x4000,
    "SCM_CREDENTIALS": 2,
    "SOCK_CLOEXEC": 0o2000000,
    "SOCK_NONBLOCK": 0o4000,
    "SO_BINDTODEVICE": 25,
    "SO_DOMAIN": 39,
    "SO_PASSCRED": 16,
    "SO_PEERCRED": 17,
    "SO_PRIORITY": 12,
    "SO_PROTOCOL": 38,
    "TCP_INFO": 11,
    "TCP_KEEPIDLE": 4,
    "TCP_LINGER2": 8,
    "TCP_QUICKACK": 12,
    "TCP_SYNCNT": 7,
    "TCP_USER_TIMEOUT": 18,
}
"""What other systems, or older versions of Python, may lack; as include/uapi numbers it."""

if TYPE_CHECKING:
    from socket import *  # noqa: F403
else:
    globals().update(ONLY_ON_LINUX)
    globals().update({name: value for name, value in vars(_socket).items() if not name.startswith("__")})
    # A program that was imported before may have put others in their places, as PySyncObj does.
    for _name in ("inet_aton", "inet_ntoa", "inet_ntop", "inet_pton"):
        globals()[_name] = getattr(_in_c, _name)
