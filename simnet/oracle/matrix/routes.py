"""Routes of loopback on which TCP acknowledges at once.

A delayed ACK (40 ms) decides whether a socket is in FIN_WAIT1 or FIN_WAIT2, and whether SIOCOUTQ has
something to say.  The route metric `quickack` takes the delay out, also where TCP_QUICKACK is forgotten
again, which is on FIN (tcp_in_quickack_mode).

Owns the rtnetlink(7) messages for it, and nothing else of routing.
"""

from __future__ import annotations

import os
import socket
import struct

NETLINK_ROUTE = 0
RTM_NEWROUTE, RTM_DELROUTE = 24, 25
NLM_F_REQUEST, NLM_F_ACK, NLM_F_REPLACE, NLM_F_CREATE = 0x1, 0x4, 0x100, 0x400
RT_TABLE_LOCAL, RTPROT_KERNEL, RT_SCOPE_UNIVERSE, RT_SCOPE_HOST, RTN_LOCAL = 255, 2, 0, 254, 2
RTA_DST, RTA_OIF, RTA_PREFSRC, RTA_METRICS = 1, 4, 7, 8
RTAX_QUICKACK = 15

HEADER = struct.Struct("IHHII")  # struct nlmsghdr
ROUTE = struct.Struct("8BI")  # struct rtmsg


def acknowledge_at_once() -> None:
    """Replace the routes to 127.0.0.1 and ::1 of the network namespace of this process."""
    quick = attribute(RTA_METRICS, attribute(RTAX_QUICKACK, struct.pack("I", 1)))
    own = socket.inet_aton("127.0.0.1")
    body = route(socket.AF_INET, own, RT_SCOPE_HOST) + attribute(RTA_PREFSRC, own) + quick
    ask(RTM_NEWROUTE, NLM_F_REPLACE | NLM_F_CREATE, body)
    # IPv6 keeps routes of another metric beside each other, so the old one goes first.
    body = route(socket.AF_INET6, socket.inet_pton(socket.AF_INET6, "::1"), RT_SCOPE_UNIVERSE)
    ask(RTM_DELROUTE, 0, body)
    ask(RTM_NEWROUTE, NLM_F_CREATE, body + quick)


def route(family: int, address: bytes, scope: int) -> bytes:
    """What says which route is meant: the local one to an address, through loopback."""
    bits = 8 * len(address)
    head = ROUTE.pack(family, bits, 0, 0, RT_TABLE_LOCAL, RTPROT_KERNEL, scope, RTN_LOCAL, 0)
    device = struct.pack("I", socket.if_nametoindex("lo"))
    return head + attribute(RTA_DST, address) + attribute(RTA_OIF, device)


def attribute(kind: int, body: bytes) -> bytes:
    """A struct rtattr and what it is of; lengths here are multiples of four."""
    return struct.pack("HH", 4 + len(body), kind) + body


def ask(kind: int, flags: int, body: bytes) -> None:
    """Send a request, and raise the OSError that the kernel answers."""
    head = HEADER.pack(HEADER.size + len(body), kind, NLM_F_REQUEST | NLM_F_ACK | flags, 1, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_ROUTE) as sock:
        sock.send(head + body)
        (number,) = struct.unpack_from("i", sock.recv(4096), HEADER.size)
    if number:
        raise OSError(-number, os.strerror(-number))
