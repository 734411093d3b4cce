"""What travels between the ends of TCP connections, and what an end plans for itself.

Data travels as `bytes`.  Owns the names; what each means to an end is `tcp_segments`.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

import attrs

from ...units import SECOND_NS

if TYPE_CHECKING:
    from .tcp_segments import SegmentEnd


class Segment(IntEnum):
    """What travels besides data."""

    SYN_ACK = 1
    ACK = 2  # of a SYN+ACK or of a FIN; data is not acknowledged by events
    FIN = 3
    RST = 4
    WINDOW = 5  # the peer has read: there is room again


class Timer(IntEnum):
    """What an end plans for itself; no number is that of a Segment."""

    RETRANSMIT = 11
    REFILL = 12  # bytes that waited for the window may come in


SYN_ACK, ACK, FIN, RST, WINDOW = Segment
RETRANSMIT, REFILL = Timer


@attrs.define(eq=False)
class Syn:
    """A wish to connect, on its way to the host that has the address."""

    opener: SegmentEnd
    address: str
    port: int

    def __repr__(self) -> str:
        return "Segment.SYN"


@attrs.define(eq=False)
class Urgent:
    """Data with the urgent pointer at its last byte (RFC 9293, section 3.8.5; RFC 6093)."""

    data: bytes

    def __repr__(self) -> str:
        return "Segment.URG"

    def __len__(self) -> int:
        return len(self.data)


CUT_PAUSE_NS = SECOND_NS // 1000
"""How much later the second part of a segment comes that a script has cut in two."""
