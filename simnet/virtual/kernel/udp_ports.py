"""The UDP ports of one host: who holds which, who may have one too, and whose a datagram is.

Sockets of UDP do not listen: several may hold a port, and what comes for it is for the one that fits best
(udp4_lib_lookup2 and compute_score in net/ipv4/udp.c), or for each that fits if it was sent to many.

Owns bindings and the search among them.  `ports` has those of TCP.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING, TypeVar
from zlib import crc32

from .addresses import ANY, ANY6, Inet, is_ipv6, overlap

if TYPE_CHECKING:
    from ..host import Host
    from .datagrams import Datagram
    from .udp import UdpEnd

_Key = TypeVar("_Key")


class UdpPorts:
    """Who holds which port of a host.  Which are ephemeral is said once for TCP and UDP (ip(7))."""

    __slots__ = ("_held", "_host", "_next", "_pairs")

    def __init__(self, host: Host) -> None:
        self._host = host
        self._next = 0
        self._held: dict[int, dict[UdpEnd, None]] = {}  # in the order of binding: the last is asked first
        self._pairs: dict[tuple[Inet, Inet], dict[UdpEnd, None]] = {}

    # --- bindings --------------------------------------------------------------------------------

    def take(self, end: UdpEnd, address: str, port: int) -> None:
        """Bind `end` to the port, or to an ephemeral one if `port` is 0; EADDRINUSE if it is taken."""
        if not port:
            port = self._ephemeral(end, address)
        elif self._conflicts(end, address, port):
            raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
        end.local = (address, port)
        self._held.setdefault(port, {})[end] = None

    def release(self, end: UdpEnd) -> None:
        """`end` no longer holds its port."""
        _drop(self._held, end.local[1], end)
        if end.pair is not None:
            _drop(self._pairs, end.pair, end)

    def narrow(self, end: UdpEnd, address: str) -> None:
        """A socket bound to every address is bound to one now: it comes first there (udp_lib_rehash)."""
        end.local = (address, end.local[1])
        holders = self._held[end.local[1]]
        del holders[end]
        holders[end] = None

    def pair_up(self, end: UdpEnd) -> None:
        """A socket was connected for the first time: it is found by both addresses (udp_lib_hash4)."""
        if end.pair is None:
            end.pair = (end.local, end.remote)
            self._pairs.setdefault(end.pair, {})[end] = None

    def _conflicts(self, end: UdpEnd, address: str, port: int) -> bool:
        """Whether somebody else's binding bars this one (udp_lib_lport_inuse).

        The first that could decides alone if both have SO_REUSEPORT, whoever else is there.
        """
        for other in self._newest(port):
            shared = other.reuse_address and end.reuse_address
            if not shared and overlap(other.local[0], other.v6only, address, end.v6only):
                return not (other.reuse_port and end.reuse_port)
        return False

    def _ephemeral(self, end: UdpEnd, address: str) -> int:
        """The next port that nobody has; if there is none, the next that can be shared."""
        first, last = self._host.ports.first, self._host.ports.last
        start = self._next if first <= self._next <= last else first
        ports = range(start, last + 1), range(first, start)
        free = (port for port in chain(*ports) if port not in self._held)
        shared = (port for port in chain(*ports) if not self._conflicts(end, address, port))
        port = next(free, 0) or next(shared, 0)
        if not port:
            raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
        self._next = port + 1
        return port

    def _newest(self, port: int) -> Iterator[UdpEnd]:
        return reversed(self._held.get(port, {}))

    # --- whose a datagram is ---------------------------------------------------------------------

    def find(self, target: Inet, source: Inet) -> UdpEnd | None:
        """The socket that gets what comes from `source` for `target`, if there is one."""
        for end in reversed(self._pairs.get((target, source), {})):
            if end.local == target and end.remote == source:
                return end
        address = target[0]
        return self._best((address,), target, source) or self._best(_wildcards(address), target, source)

    def _best(self, bound: tuple[str, ...], target: Inet, source: Inet) -> UdpEnd | None:
        """Among those bound to one address: the one that fits best, of equals the last one bound."""
        best, most = None, 0
        for end in self._newest(target[1]):
            score = end.score(source) if end.local[0] in bound else 0
            if score > most:
                best, most = end, score
        if best is None or best.is_connected or not best.reuse_port:
            return best
        return self._of_group(best, source)

    def _of_group(self, end: UdpEnd, source: Inet) -> UdpEnd:
        """One of those that share the port by SO_REUSEPORT, always the same for a sender."""
        group = [
            other
            for other in self._held[end.local[1]]
            if other.reuse_port and other.local == end.local and not other.is_connected
        ]
        return group[crc32(f"{source[0]} {source[1]}".encode()) % len(group)]

    def everyone(self, datagram: Datagram) -> list[UdpEnd]:
        """The sockets that get a copy of what was sent to many (__udp4_lib_mcast_deliver)."""
        address, port = datagram.target
        bound = (address, *_wildcards(address))
        return [
            end
            for end in self._newest(port)
            if end.local[0] in bound and end.score(datagram.source) and end.groups.hears(datagram)
        ]


def _drop(table: dict[_Key, dict[UdpEnd, None]], key: _Key, end: UdpEnd) -> None:
    holders = table.get(key, {})
    holders.pop(end, None)
    if not holders:
        table.pop(key, None)


def _wildcards(address: str) -> tuple[str, ...]:
    """The bound addresses that mean any, for what is sent to `address`."""
    return (ANY6,) if is_ipv6(address) else (ANY, ANY6)
