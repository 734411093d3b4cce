"""Where a datagram goes: by which interface, from which address, to whom (ip_route_output_key).

A host has loopback and one interface to the network, on which all other hosts are.  An address is one
host's, or it is for many: that of a broadcast (ip(7), RFC 919) or of a group.

Owns addresses for many and the choice of a way.  How long the way takes is a `Path`'s business.

Simplified, and what a program could notice of it: there are no link-local addresses, so that what goes to a
group of one link comes from another address of its host; every host is told what is sent to a group, as if
all switches forwarded it; there is no network but 10.0.0.0/16 and fd00::/64, whatever addresses a host has.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import attrs

from ..names.numeric import LOOPBACK, family_of, is_link_local, is_loopback
from .addresses import ANY, Inet, is_ipv6, is_multicast
from .multicast import LOOPBACK_INTERFACE, NETWORK_INTERFACE, Egress

if TYPE_CHECKING:
    from ..host import Host
    from .udp_addressing import AddressedEnd

LIMITED_BROADCAST, NETWORK_BROADCAST = "255.255.255.255", "10.0.255.255"
LOOPBACK_BROADCAST = "127.255.255.255"
BROADCASTS = (LIMITED_BROADCAST, NETWORK_BROADCAST, LOOPBACK_BROADCAST)

MTU = {LOOPBACK_INTERFACE: 65_536, NETWORK_INTERFACE: 1500}

ALL_HOSTS = ("224.0.0.1", "ff01::1", "ff02::1")
"""The groups of which every host is a member (RFC 1112, section 4; RFC 4291, section 2.7.1)."""

_OF_ONE_NODE = tuple(f"ff{flags:x}1:" for flags in range(16))
"""Groups of scope 1 do not leave the host (RFC 4291, section 2.7)."""


@attrs.frozen
class Route:
    """The way to an address."""

    source: str
    target: Inet
    interface: int
    host: Host | None
    """Who has the address; None if it is for many."""


def is_broadcast(address: str) -> bool:
    return address in BROADCASTS


def is_for_many(address: str) -> bool:
    return is_broadcast(address) or is_multicast(address)


def needs_scope(address: str) -> bool:
    """Whether an address says nothing without an interface, and has none (__ipv6_addr_needs_scope_id)."""
    if "%" in address or not is_ipv6(address):
        return False
    return is_link_local(address) or address.startswith(_OF_ONE_NODE)


def route(end: AddressedEnd, target: Inet, bound: str) -> Route:
    """The way from a socket to `target`; `bound` is the address to which the socket is bound, if it is.

    Raises OSError: ENETUNREACH if there is none, EINVAL if an address of loopback would leave the host.
    """
    address, _, scope = target[0].partition("%")
    host = None
    if is_for_many(address):
        interface = int(scope) if scope else _interface_for_many(end, address, bound)
    else:
        host = _holder(end.host, address)
        interface = LOOPBACK_INTERFACE if host is end.host else NETWORK_INTERFACE
        if host is None:
            raise OSError(errno.ENETUNREACH, os.strerror(errno.ENETUNREACH))
    if interface == NETWORK_INTERFACE and bound.startswith("127."):
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))  # a martian source
    if interface == LOOPBACK_INTERFACE and is_ipv6(address) and is_multicast(address):
        raise OSError(errno.ENETUNREACH, os.strerror(errno.ENETUNREACH))  # lo has no IFF_MULTICAST
    source = bound or (_source_for_many(end, address, interface) if host is None else "")
    return Route(source or end.host.source_address(address), (address, target[1]), interface, host)


def _holder(host: Host, address: str) -> Host | None:
    if is_loopback(address) or address in host.addresses:
        return host
    return host.network.host_at(address)


def _interface_for_many(end: AddressedEnd, address: str, bound: str) -> int:
    if address == NETWORK_BROADCAST:
        return NETWORK_INTERFACE
    if address == LOOPBACK_BROADCAST:
        return LOOPBACK_INTERFACE
    by_default = LOOPBACK_INTERFACE if bound.startswith("127.") else NETWORK_INTERFACE
    return _egress(end, address).interface or by_default if is_multicast(address) else by_default


def _source_for_many(end: AddressedEnd, address: str, interface: int) -> str:
    """Of the interface by which it leaves, unless the program has chosen."""
    if is_multicast(address) and _egress(end, address).source != ANY:
        return _egress(end, address).source
    if interface == LOOPBACK_INTERFACE:
        return LOOPBACK[family_of(address)]
    return next(own for own in end.host.addresses if family_of(own) == family_of(address))


def _egress(end: AddressedEnd, address: str) -> Egress:
    return end.groups.egress[6 if is_ipv6(address) else 4]


def hosts_on(way: Route, end: AddressedEnd) -> Iterator[Host]:
    """Whom a datagram reaches: of what is sent to many, the own host comes first (ip_mc_output)."""
    if way.host is not None:
        yield way.host
        return
    address, network = way.target[0], end.host.network
    stays, loops = way.interface == LOOPBACK_INTERFACE, True
    if is_multicast(address) and not stays:
        egress = _egress(end, address)
        stays, loops = not egress.hops or address.startswith(_OF_ONE_NODE), egress.loops
    if loops:
        yield end.host
    if not stays:
        yield from (host for host in network.hosts.values() if host is not end.host)
