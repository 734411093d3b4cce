"""The UDP ports of one host: who holds which, who may have one too, and whose a datagram is.

Sockets of UDP do not listen: several may hold a port, and what comes for it is for the one that fits best
(udp4_lib_lookup2 and compute_score in net/ipv4/udp.c), or for each that fits if it is sent to many.

Owns bindings and the search among them.  `ports` has those of TCP.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING
from zlib import crc32

from .addresses import ANY
from .datagrams import Endpoint

if TYPE_CHECKING:
    from .udp import UdpEnd


class UdpPorts:
    """Who holds which port.  `first` and `last` bound the ephemeral ones (ip_local_port_range)."""

    __slots__ = ("_held", "_next", "_pairs", "first", "last")

    def __init__(self, first: int = 32768, last: int = 60999) -> None:
        self.first, self.last = first, last
        self._next = first
        self._held: dict[int, dict[UdpEnd, None]] = {}  # in the order of binding: the last is asked first
        self._pairs: dict[tuple[Endpoint, Endpoint], dict[UdpEnd, None]] = {}

    # --- bindings --------------------------------------------------------------------------------

    def take(self, end: UdpEnd, address: str, port: int) -> None:
        """Bind `end` to the port, or to an ephemeral one if `port` is 0; EADDRINUSE if it is taken."""
        if not port:
            port = self._ephemeral()
        elif self._conflicts(end, address, port):
            raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
        end.local = (address, port)
        self._held.setdefault(port, {})[end] = None

    def release(self, end: UdpEnd) -> None:
        """`end` no longer holds its port."""
        holders = self._held.get(end.local[1], {})
        holders.pop(end, None)
        if not holders:
            self._held.pop(end.local[1], None)
        if end.pair is not None:
            pairs = self._pairs[end.pair]
            del pairs[end]
            if not pairs:
                del self._pairs[end.pair]

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
        """Whether somebody else's binding bars this one (udp_lib_lport_inuse)."""
        for other in self._newest(port):
            if (other.reuse_address and end.reuse_address) or not _overlap(other.local[0], address):
                continue
            return not (other.reuse_port and end.reuse_port)
        return False

    def _ephemeral(self) -> int:
        for _ in range(self.first, self.last + 1):
            port = self._next
            self._next = port + 1 if port < self.last else self.first
            if port not in self._held:
                return port
        raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))

    def _newest(self, port: int) -> Iterator[UdpEnd]:
        return reversed(self._held.get(port, {}))

    # --- whose a datagram is ---------------------------------------------------------------------

    def find(self, target: Endpoint, source: Endpoint) -> UdpEnd | None:
        """The socket that gets what comes from `source` for `target`, if there is one."""
        for end in reversed(self._pairs.get((target, source), {})):
            if end.local == target and end.remote == source:
                return end
        return self._best(target[0], target, source) or self._best(ANY, target, source)

    def _best(self, bound: str, target: Endpoint, source: Endpoint) -> UdpEnd | None:
        """Among those bound to one address: the one that fits best, of equals the last one bound."""
        best, most = None, 0
        for end in self._newest(target[1]):
            score = end.score(source) if end.local[0] == bound else 0
            if score > most:
                best, most = end, score
        if best is None or best.is_connected or not best.reuse_port:
            return best
        return self._of_group(best, source)

    def _of_group(self, end: UdpEnd, source: Endpoint) -> UdpEnd:
        """One of those that share the port by SO_REUSEPORT, always the same for a sender."""
        group = [
            other
            for other in self._held[end.local[1]]
            if other.reuse_port and other.local == end.local and not other.is_connected
        ]
        return group[crc32(f"{source[0]} {source[1]}".encode()) % len(group)]


def _overlap(one: str, other: str) -> bool:
    return one == other or ANY in (one, other)
