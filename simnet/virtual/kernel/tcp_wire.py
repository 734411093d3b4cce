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
    PROBE = 6  # of a keepalive, or of a window that is closed: are you there?
    ANSWER = 7  # to a probe
    UNREACHABLE = 8  # of ICMP, from a router: nobody can be reached there


class Timer(IntEnum):
    """What an end plans for itself; no number is that of a Segment."""

    RETRANSMIT = 11
    REFILL = 12  # bytes that waited for the window may come in
    KEEPALIVE = 13
    WINDOW_TIMEOUT = 14  # TCP_USER_TIMEOUT, where the peer's window is closed
    FIN_TIMEOUT = 15  # of an end that its program has closed
    CUT_OFF = 16  # what a script has planned for a connection: a reset
    END_EARLY = 17  # and a FIN
    ROOM = 18  # for who was told that there is none


SYN_ACK, ACK, FIN, RST, WINDOW, PROBE, ANSWER, UNREACHABLE = Segment
RETRANSMIT, REFILL, KEEPALIVE, WINDOW_TIMEOUT, FIN_TIMEOUT, CUT_OFF, END_EARLY, ROOM = Timer


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
"""How much later each further part of a segment comes that a script has cut."""

CRUMBS_MAX = 64
"""A segment that crumbles comes byte by byte, or in so many parts if it has more bytes."""
