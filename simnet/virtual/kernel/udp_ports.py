"""The UDP ports of one host: who holds which, who may have one too, and whose a datagram is.

Sockets of UDP do not listen: several may hold a port, and what comes for it is for the one that fits best
(udp4_lib_lookup2 and compute_score in net/ipv4/udp.c), or for each that fits if it was sent to many.

Sockets are asked one after the other, and where they are equal the first one has it.  The order is that of
the kernel's hash chains: who comes last is asked first, but for sockets of AF_INET6 with SO_REUSEPORT, who
come last of all (sk_add_node_rcu).  There are three: by port, by port and address, and by both addresses.

Owns bindings and the search among them.  `ports` has those of TCP.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from itertools import chain
from typing import TYPE_CHECKING, TypeVar
from zlib import crc32

from .. import linux as std
from .addresses import ANY, ANY6, Inet, is_ipv6, overlap

if TYPE_CHECKING:
    from ..host import Host
    from .datagrams import Datagram
    from .udp_addressing import AddressedEnd

_Key = TypeVar("_Key")


class UdpPorts:
    """Who holds which port of a host.  Which are ephemeral is said once for TCP and UDP (ip(7))."""

    __slots__ = ("_by_name", "_by_pair", "_by_port", "_host", "_next")

    def __init__(self, host: Host) -> None:
        self._host = host
        self._next = 0
        self._by_port: dict[int, list[AddressedEnd]] = {}
        self._by_name: dict[Inet, list[AddressedEnd]] = {}
        self._by_pair: dict[tuple[Inet, Inet], list[AddressedEnd]] = {}

    # --- bindings --------------------------------------------------------------------------------

    def take(self, end: AddressedEnd, address: str, port: int) -> None:
        """Bind `end` to the port, or to an ephemeral one if `port` is 0; EADDRINUSE if it is taken."""
        if not port:
            port = self._ephemeral(end, address)
        elif self._conflicts(end, address, port):
            raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
        end.local = (address, port)
        comes_last = end.reuse_port and end.family == std.AF_INET6
        for holders in (_chain(self._by_port, port), _chain(self._by_name, _name(end.local))):
            holders.insert(len(holders) if comes_last else 0, end)

    def release(self, end: AddressedEnd) -> None:
        """`end` no longer holds its port, if it did."""
        if end.local[1]:
            _drop(self._by_port, end.local[1], end)
            _drop(self._by_name, _name(end.local), end)
        if end.pair is not None:
            _drop(self._by_pair, end.pair, end)

    def narrow(self, end: AddressedEnd, address: str) -> None:
        """A socket bound to every address is bound to one now: it comes first there (udp_lib_rehash)."""
        _drop(self._by_name, _name(end.local), end)
        end.local = (address, end.local[1])
        _chain(self._by_name, end.local).insert(0, end)

    def pair_up(self, end: AddressedEnd) -> None:
        """A socket was connected for the first time: it is found by both addresses (udp_lib_hash4)."""
        if end.pair is None:
            end.pair = (end.local, end.remote)
            _chain(self._by_pair, end.pair).insert(0, end)

    def _conflicts(self, end: AddressedEnd, address: str, port: int) -> bool:
        """Whether somebody else's binding bars this one (udp_lib_lport_inuse).

        Who overlaps first decides: if both have SO_REUSEPORT, whoever else is there is not asked.
        """
        for other in self._by_port.get(port, ()):
            shared = other.reuse_address and end.reuse_address
            if not shared and _overlap(other, end, address):
                return not (other.reuse_port and end.reuse_port)
        return False

    def _ephemeral(self, end: AddressedEnd, address: str) -> int:
        """The next port that nobody has; if there is none, the next that can be shared.

        They begin half-way, far from those of TCP: that sockets of both have one number is rare on Linux.
        """
        first, last = self._host.ports.first, self._host.ports.last
        start = self._next if first <= self._next <= last else (first + last) // 2
        ports = range(start, last + 1), range(first, start)
        free = (port for port in chain(*ports) if port not in self._by_port)
        shared = (port for port in chain(*ports) if not self._conflicts(end, address, port))
        port = next(free, 0) or next(shared, 0)
        if not port:
            raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
        self._next = port + 1
        return port

    # --- whose a datagram is ---------------------------------------------------------------------

    def find(self, target: Inet, source: Inet) -> AddressedEnd | None:
        """The socket that gets what comes from `source` for `target`, if there is one."""
        for end in self._by_pair.get((target, source), ()):
            if end.local == target and end.remote == source:
                return end
        address, port = target
        exact = self._best(self._by_name.get(target, ()), (address,), source)
        return exact or self._best(self._by_name.get((ANY, port), ()), _wildcards(address), source)

    def _best(
        self, holders: Iterable[AddressedEnd], bound: tuple[str, ...], source: Inet
    ) -> AddressedEnd | None:
        """The one that fits best; of equals, the first."""
        best, most = None, 0
        for end in holders:
            score = end.score(source) if end.local[0] in bound else 0
            if score > most:
                best, most = end, score
        if best is None or best.is_connected or not best.reuse_port:
            return best
        return self._of_group(best, source)

    def _of_group(self, end: AddressedEnd, source: Inet) -> AddressedEnd:
        """One of those that share the port by SO_REUSEPORT, always the same for a sender."""
        holders = self._by_name[_name(end.local)]
        group = [e for e in holders if e.reuse_port and e.local == end.local and not e.is_connected]
        return group[crc32(f"{source[0]} {source[1]}".encode()) % len(group)]

    def everyone(self, datagram: Datagram) -> list[AddressedEnd]:
        """The sockets that get a copy of what was sent to many (__udp4_lib_mcast_deliver)."""
        address, port = datagram.target
        bound = (address, *_wildcards(address))
        return [
            end
            for end in self._by_port.get(port, ())
            if end.local[0] in bound and end.score(datagram.source) and end.groups.hears(datagram)
        ]


def _chain(table: dict[_Key, list[AddressedEnd]], key: _Key) -> list[AddressedEnd]:
    return table.setdefault(key, [])


def _drop(table: dict[_Key, list[AddressedEnd]], key: _Key, end: AddressedEnd) -> None:
    table[key].remove(end)
    if not table[key]:
        del table[key]


def _name(local: Inet) -> Inet:
    """Where a socket is looked for: the wildcards of both versions of IP are one place."""
    return (ANY, local[1]) if local[0] == ANY6 else local


def _wildcards(address: str) -> tuple[str, ...]:
    """The bound addresses that mean any, for what is sent to `address`."""
    return (ANY6,) if is_ipv6(address) else (ANY, ANY6)


def _overlap(other: AddressedEnd, end: AddressedEnd, address: str) -> bool:
    """Whether something may be sent to both (inet_rcv_saddr_equal).

    A socket of AF_INET6 that connect() bound to an address of IPv6 keeps its port of IPv4 from the wildcard.
    """
    bound = other.local[0]
    if address == ANY and end.family == std.AF_INET and is_ipv6(bound):
        return not other.v6only
    return overlap(bound, other.v6only, address, end.v6only)
