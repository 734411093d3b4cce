"""Datagrams, the queue in which a socket keeps them, and the message that says there is no such port.

Owns what a datagram carries and how many a receive buffer holds.  Who gets one is `udp_layer`.
"""

from __future__ import annotations

from collections import deque
from functools import lru_cache
from typing import TYPE_CHECKING

import attrs

from .addresses import Inet, is_ipv6

if TYPE_CHECKING:
    from ..host import Host
    from ..link import Path

_HEAD_MIN, _HEAD_MAX = 576, 16_384
_SK_BUFF_BYTES = 256
_OVERHEAD_BYTES = {4: 379, 6: 392}  # headers, alignment and struct skb_shared_info


@lru_cache(maxsize=1024)
def truesize(size: int, version: int) -> int:
    """What a datagram of `size` bytes costs in a receive buffer: skb->truesize, measured on Linux 6.18.

    Its head is of one of the sizes that kmalloc() has; what does not fit one is kept in pages.
    """
    head = size + _OVERHEAD_BYTES[version]
    if head >= _HEAD_MAX:
        return size + _HEAD_MIN + _SK_BUFF_BYTES
    room = _HEAD_MIN if head <= _HEAD_MIN else 1 << (head - 1).bit_length()
    return room + _SK_BUFF_BYTES


@attrs.frozen
class Marks:
    """What a header of IPv6 says that a program may set and see (RFC 3542, section 6)."""

    hop_limit: int = 64
    traffic_class: int = 0


PLAIN = Marks()


@attrs.define(eq=False)
class Datagram:
    """What one send() made: on its way, and then in the queue of a socket."""

    data: bytes
    source: Inet
    target: Inet
    origin: Host
    """Who sent it: what an answer of ICMP goes back to."""

    interface: int
    """The index of the interface by which it leaves and comes."""

    path: Path
    is_for_many: bool = False
    """Whether it was sent to a broadcast address or to a group."""

    marks: Marks = PLAIN

    @property
    def version(self) -> int:
        """Of IP."""
        return 6 if is_ipv6(self.target[0]) else 4

    @property
    def truesize(self) -> int:
        return truesize(len(self.data), self.version)


@attrs.define(eq=False)
class PortUnreachable:
    """The answer of ICMP to a datagram that nobody took (RFC 792; RFC 4443, section 3.1)."""

    datagram: Datagram
    path: Path


class DatagramQueue:
    """What has come for a socket and was not read.  A full one keeps what it has (udp(7)).

    Memory is given back in portions, as udp_rmem_release does: who reads takes the whole queue over as a
    batch, and what is read of it counts as used until it is a quarter of the buffer, or all.
    """

    __slots__ = ("_batch", "_owed", "_used", "waiting")

    def __init__(self) -> None:
        self.waiting: deque[Datagram] = deque()
        self._used = 0
        self._owed = 0  # read, and still counted as used
        self._batch = 0  # how many of the first are the reader's

    def put(self, datagram: Datagram, limit: int) -> bool:
        """Add a datagram; False if it was dropped (__udp_enqueue_schedule_skb)."""
        size = datagram.truesize
        if self._used and self._used + size > limit:
            return False
        self._used += size
        self.waiting.append(datagram)
        return True

    def first(self) -> Datagram | None:
        """The next datagram, which stays."""
        if not self.waiting:
            return None
        self._batch = self._batch or len(self.waiting)
        return self.waiting[0]

    def take(self, limit: int) -> Datagram | None:
        """Remove and return the next datagram."""
        datagram = self.first()
        if datagram is not None:
            self.waiting.popleft()
            self._batch -= 1
            self._owed += datagram.truesize
            if not self._batch or self._owed >= limit >> 2:
                self._used -= self._owed
                self._owed = 0
        return datagram
