"""One direction between two hosts: when does what leaves here arrive there?

A `Path` owns latency, jitter, bandwidth and the queue before it, and whether it is open at all.  It does
not own what is carried, nor what becomes of what is lost: a sender of TCP sends it again.

Simplified, and what a program could notice of it: headers take no time on a link with a bandwidth;
the sharing of a link is first come, first served; there is no congestion control, so a sender fills
the link at once.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from ..units import SECOND_NS

if TYPE_CHECKING:
    from .host import Host
    from .schedule import Entry, Schedule

SEGMENT_BYTES = 1460
"""What one segment carries over a link with a bandwidth: an Ethernet frame less IP and TCP headers."""


class Path:
    """The way from one host to another."""

    __slots__ = (
        "_busy_until_ns",
        "_clogged_until_ns",
        "_cuts",
        "_delays_ns",
        "_link_ns",
        "bits_per_second",
        "capacity_bytes",
        "is_open",
        "is_plain",
        "jitter_ns",
        "lane",
        "latency_ns",
        "source",
        "target",
    )

    def __init__(self, source: Host, target: Host, schedule: Schedule, latency_ns: int) -> None:
        self.source, self.target = source, target
        self.jitter_ns = 0
        self.bits_per_second = 0
        self.capacity_bytes = 0
        self._delays_ns = 0  # what is added to the latency of the link
        self._cuts = 0  # how many partitions and crashes stand in the way
        self._busy_until_ns = 0
        self._clogged_until_ns = 0
        self.is_open = True
        self.set_latency(latency_ns, schedule)

    def __repr__(self) -> str:
        return f"<path {self.source.name} to {self.target.name}{'' if self.is_open else ', cut'}>"

    def set_latency(self, latency_ns: int, schedule: Schedule) -> None:
        """Say how long the link takes, without what delays it besides."""
        self._link_ns = latency_ns
        self.stretch(0, schedule)

    def stretch(self, more_ns: int, schedule: Schedule) -> None:
        """From now on everything takes so much longer than before, or (negative) less long."""
        self._delays_ns += more_ns
        self.latency_ns = self._link_ns + self._delays_ns
        self.lane: deque[Entry] = schedule.lane(self.latency_ns)
        self._refit()

    def shape(self, jitter_ns: int, bits_per_second: int, capacity_bytes: int) -> None:
        """Say what a segment meets on its way besides latency; 0 is none, or unbounded."""
        self.jitter_ns = jitter_ns
        self.bits_per_second = bits_per_second
        self.capacity_bytes = capacity_bytes
        self._refit()

    def cut(self, more: int) -> None:
        """One more partition or crash stands in the way, or (-1) one less."""
        self._cuts += more
        self.is_open = not self._cuts
        self._refit()

    def clog(self, until_ns: int) -> None:
        """What leaves from now on waits until then."""
        self._clogged_until_ns = max(self._clogged_until_ns, until_ns)
        self._refit()

    def unclog(self) -> None:
        """What leaves from now on need not wait."""
        self._clogged_until_ns = min(self._clogged_until_ns, 1)
        self._refit()

    def _refit(self) -> None:
        # Whether everything arrives after one constant latency, with nothing to decide or compute.  A path
        # that was clogged once computes for ever: nobody would tell it when that is over.
        is_shaped = self._cuts or self.jitter_ns or self.bits_per_second or self._clogged_until_ns
        self.is_plain = not is_shaped and self.latency_ns > 0

    def pieces(self, data: bytes) -> list[bytes]:
        """The segments that carry `data`: more than one only where serialising them takes time."""
        if not self.bits_per_second or len(data) <= SEGMENT_BYTES:
            return [data]
        return [data[at : at + SEGMENT_BYTES] for at in range(0, len(data), SEGMENT_BYTES)]

    def arrival_ns(self, now_ns: int, size_bytes: int) -> int | None:
        """When something that leaves now arrives; None if the queue before the link is full."""
        leaves_ns = now_ns = max(now_ns, self._clogged_until_ns)
        if self.bits_per_second:
            starts_ns = max(now_ns, self._busy_until_ns)
            queued_bytes = (starts_ns - now_ns) * self.bits_per_second // (8 * SECOND_NS)
            # Into an empty queue every segment fits, or one larger than the queue would never arrive.
            if self.capacity_bytes and queued_bytes > max(self.capacity_bytes - size_bytes, 0):
                return None
            leaves_ns = starts_ns + size_bytes * 8 * SECOND_NS // self.bits_per_second
            self._busy_until_ns = leaves_ns
        return leaves_ns + self.latency_ns
