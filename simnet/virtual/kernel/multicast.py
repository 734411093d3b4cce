"""Groups: which a socket has joined, and how what it sends to groups leaves.

Sources: ip(7), ipv6(7), RFC 1112, RFC 3493.

A host has two interfaces: loopback, and one to the network.  A group is joined on one of them.

Owns what a socket keeps about groups, and the options that read and change it.  Who gets a copy is
`udp_layer`.
"""

from __future__ import annotations

import errno
import os
import struct
from typing import TYPE_CHECKING

import attrs

from .. import linux as std
from ..names.interfaces import INTERFACES
from ..names.numeric import is_loopback
from .addresses import ANY, is_ipv6, is_multicast
from .options import Option, Value, number

if TYPE_CHECKING:
    from ..host import Host
    from .datagrams import Datagram
    from .udp_addressing import AddressedEnd

LOOPBACK_INTERFACE, NETWORK_INTERFACE = INTERFACES["lo"], INTERFACES["eth0"]

IP_MULTICAST_ALL, IPV6_MULTICAST_ALL = 49, 29  # <linux/in.h>, <linux/in6.h>
_IP, _IPV6 = std.IPPROTO_IP, std.IPPROTO_IPV6


@attrs.define
class Egress:
    """How what a socket sends to groups leaves."""

    interface: int = 0
    """0: the one that the routes lead to."""

    source: str = ANY
    """Which of the own addresses it comes from, if the program said so."""

    hops: int = 1
    loops: bool = True
    """Whether the own host hears it."""


class Groups:
    """What a socket has to do with groups, of IPv4 and of IPv6."""

    __slots__ = ("_host", "egress", "hears_all", "joined")

    def __init__(self, host: Host, family: int) -> None:
        self._host = host
        self.egress = {4: Egress(), 6: Egress()}
        self.hears_all = {4: family == std.AF_INET, 6: True}  # inet6_create sets no IP_MULTICAST_ALL
        self.joined: dict[tuple[int, str], str] = {}  # by interface and group: the address that was given

    def hears(self, datagram: Datagram) -> bool:
        """Whether what was sent to many is for this socket (ip_mc_sf_allow).

        One that has joined no such group hears it all the same, if another socket of its host has joined it.
        """
        group = datagram.target[0]
        return (
            not is_multicast(group)
            or (datagram.interface, group) in self.joined
            or self.hears_all[datagram.version]
        )

    def join(self, interface: int, group: str, given: str) -> None:
        self.joined[interface, group] = given
        self._host.udp.join(interface, group)

    def leave(self, interface: int, group: str) -> None:
        del self.joined[interface, group]
        self._host.udp.leave(interface, group)

    def leave_all(self) -> None:
        for interface, group in list(self.joined):
            self.leave(interface, group)


def _refused(reason: int) -> OSError:
    return OSError(reason, os.strerror(reason))


def _byte(value: Value) -> int:
    """An int, or a single byte where less than an int is given (ip_setsockopt)."""
    if isinstance(value, bytes) and 0 < len(value) < 4:
        return value[0]
    return number(value)


def _hops(value: int) -> int:
    """-1 is the default."""
    if not -1 <= value <= 255:
        raise _refused(errno.EINVAL)
    return 1 if value == -1 else value


# --- IPv4 ----------------------------------------------------------------------------------------


def _mreq(value: Value) -> tuple[str, str, int]:
    """struct ip_mreq or ip_mreqn: the group, an address of the interface, its index."""
    if not isinstance(value, bytes) or len(value) < 8:
        raise _refused(errno.EINVAL)
    index = struct.unpack("i", value[8:12])[0] if len(value) >= 12 else 0
    return std.inet_ntoa(value[:4]), std.inet_ntoa(value[4:8]), index


def _interface(end: AddressedEnd, address: str, index: int) -> int:
    """The interface that is meant; 0 if there is none (ip_mc_find_dev)."""
    if index:
        return index if index in INTERFACES.values() else 0
    if address == ANY:
        return NETWORK_INTERFACE
    if is_loopback(address):
        return LOOPBACK_INTERFACE
    return NETWORK_INTERFACE if address in end.host.addresses else 0


def _join(end: AddressedEnd, value: Value) -> None:
    """ip_mc_join_group."""
    group, address, index = _mreq(value)
    if not is_multicast(group):
        raise _refused(errno.EINVAL)
    interface = _interface(end, address, index)
    if not interface:
        raise _refused(errno.ENODEV)
    if (interface, group) in end.groups.joined:
        raise _refused(errno.EADDRINUSE)
    end.groups.join(interface, group, address)


def _leave(end: AddressedEnd, value: Value) -> None:
    """ip_mc_leave_group: where the interface is not known, the address that was given counts."""
    group, address, index = _mreq(value)
    interface = _interface(end, address, index) or index
    for (joined_on, joined), given in end.groups.joined.items():
        if joined == group and (joined_on == interface if interface else given == address):
            end.groups.leave(joined_on, group)
            return
    raise _refused(errno.EADDRNOTAVAIL)


def _set_interface(end: AddressedEnd, value: Value) -> None:
    """IP_MULTICAST_IF: an address, or struct ip_mreq or ip_mreqn."""
    if isinstance(value, int):
        value = struct.pack("i", value)
    if value is None or len(value) < 4:
        raise _refused(errno.EINVAL)
    _, address, index = _mreq(value) if len(value) >= 8 else ("", std.inet_ntoa(value[:4]), 0)
    egress = end.groups.egress[4]
    if not index and address == ANY:
        egress.interface, egress.source = 0, ANY
        return
    interface = _interface(end, address, index)
    if not interface:
        raise _refused(errno.EADDRNOTAVAIL)
    egress.interface, egress.source = interface, address


def _get_interface(end: AddressedEnd) -> bytes:
    return std.inet_aton(end.groups.egress[4].source)


# --- IPv6 ----------------------------------------------------------------------------------------


def _mreq6(value: Value) -> tuple[str, int]:
    """struct ipv6_mreq: the group, and the index of the interface."""
    if not isinstance(value, bytes) or len(value) < 20:
        raise _refused(errno.EINVAL)
    group = std.inet_ntop(std.AF_INET6, value[:16])
    if not (is_ipv6(group) and is_multicast(group)):
        raise _refused(errno.EINVAL)
    return group, struct.unpack("I", value[16:20])[0]


def _is_on(interface: int, wanted: int) -> bool:
    """0 is any."""
    return wanted in (0, interface)


def _join6(end: AddressedEnd, value: Value) -> None:
    """ipv6_sock_mc_join."""
    group, index = _mreq6(value)
    if any(joined == group and _is_on(on, index) for on, joined in end.groups.joined):
        raise _refused(errno.EADDRINUSE)
    interface = index or NETWORK_INTERFACE
    if interface not in INTERFACES.values():
        raise _refused(errno.ENODEV)
    end.groups.join(interface, group, "")


def _leave6(end: AddressedEnd, value: Value) -> None:
    """ipv6_sock_mc_drop."""
    group, index = _mreq6(value)
    for on, joined in end.groups.joined:
        if joined == group and _is_on(on, index):
            end.groups.leave(on, group)
            return
    raise _refused(errno.EADDRNOTAVAIL)


def _set_interface6(end: AddressedEnd, value: Value) -> None:
    index = number(value)
    if index not in (0, *INTERFACES.values()):
        raise _refused(errno.ENODEV)
    end.groups.egress[6].interface = index


def _truth(value: Value) -> bool:
    """0 or 1, and nothing else."""
    if number(value) not in (0, 1):
        raise _refused(errno.EINVAL)
    return bool(number(value))


# --- the table -----------------------------------------------------------------------------------


def _set_hops(end: AddressedEnd, value: Value) -> None:
    end.groups.egress[4].hops = _hops(_byte(value))


def _set_hops6(end: AddressedEnd, value: Value) -> None:
    end.groups.egress[6].hops = _hops(number(value))


def _set_loop(end: AddressedEnd, value: Value) -> None:
    end.groups.egress[4].loops = _byte(value) != 0


def _set_loop6(end: AddressedEnd, value: Value) -> None:
    end.groups.egress[6].loops = _truth(value)


def _set_all(end: AddressedEnd, value: Value) -> None:
    given = _byte(value)
    if given not in (0, 1):
        raise _refused(errno.EINVAL)
    end.groups.hears_all[4] = bool(given)


def _set_all6(end: AddressedEnd, value: Value) -> None:
    end.groups.hears_all[6] = _truth(value)


OPTIONS: dict[tuple[int, int], Option] = {
    (_IP, std.IP_ADD_MEMBERSHIP): Option(set=_join),
    (_IP, std.IP_DROP_MEMBERSHIP): Option(set=_leave),
    (_IP, std.IP_MULTICAST_IF): Option(get=_get_interface, set=_set_interface),
    (_IP, std.IP_MULTICAST_TTL): Option(get=lambda end: end.groups.egress[4].hops, set=_set_hops),
    (_IP, std.IP_MULTICAST_LOOP): Option(get=lambda end: int(end.groups.egress[4].loops), set=_set_loop),
    (_IP, IP_MULTICAST_ALL): Option(get=lambda end: int(end.groups.hears_all[4]), set=_set_all),
    (_IPV6, std.IPV6_JOIN_GROUP): Option(set=_join6),
    (_IPV6, std.IPV6_LEAVE_GROUP): Option(set=_leave6),
    (_IPV6, std.IPV6_MULTICAST_IF): Option(
        get=lambda end: end.groups.egress[6].interface, set=_set_interface6
    ),
    (_IPV6, std.IPV6_MULTICAST_HOPS): Option(get=lambda end: end.groups.egress[6].hops, set=_set_hops6),
    (_IPV6, std.IPV6_MULTICAST_LOOP): Option(get=lambda end: int(end.groups.egress[6].loops), set=_set_loop6),
    (_IPV6, IPV6_MULTICAST_ALL): Option(get=lambda end: int(end.groups.hears_all[6]), set=_set_all6),
}
"""The options of a socket of UDP that are about groups; those of IPv6 only a socket of IPv6 has."""
