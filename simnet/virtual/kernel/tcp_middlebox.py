"""A middlebox that ends a connection: a proxy or load balancer whose patience, or whose life, is over.

It has a connection with each of the two ends, and closes both.  So each end gets a FIN behind what is under
way to it, as if its peer had nothing more to say; and whatever it sends from then on is answered by a RST,
for nobody is there who would read it (RFC 9293, section 3.10.7.1; RFC 2525, section 2.17).

Owns what stands for the peers from then on.
"""

from __future__ import annotations

from typing import Any

from .tcp import TcpEnd
from .tcp_states import CLOSED, FIN_WAIT_2, State
from .tcp_wire import ACK, FIN, PROBE, RST, Segment, Urgent


class Middlebox(TcpEnd):
    """What stands for the peer of an end, and has closed its connection."""

    __slots__ = ()

    @classmethod
    def instead_of(cls, peer: TcpEnd, end: TcpEnd) -> Middlebox:
        """In the place of the `peer` of an `end`, with whatever was under way between the two."""
        box = cls(peer.host, peer.family)
        box.label, box.alias, box.number = peer.label, peer.alias, peer.number
        box.local, box.remote, box.path, box.peer = peer.local, peer.remote, peer.path, end
        box.send_buffer, box.receive_buffer = peer.send_buffer, peer.receive_buffer
        box.state, box.orphan = FIN_WAIT_2, True
        box.send_shut = box.receive_shut = True
        box.follow(peer)
        return box

    def follow(self, peer: TcpEnd) -> None:
        """Nothing of this arrives before what the peer has sent."""
        self._in_order_ns = peer._in_order_ns

    def arrive(self, item: Any) -> None:
        """A segment of the end has arrived, or a retransmission is due."""
        if item.__class__ is bytes or item.__class__ is Urgent:
            self._send_last(RST)
        elif item is FIN or item is PROBE:
            self._send_last(ACK)
        elif item is RST:
            self.state = CLOSED
        elif item.__class__ is not Segment:
            super().arrive(item)

    def _send_last(self, answer: Segment) -> None:
        if self.state is not CLOSED:
            self._launch(answer, 0)
            self.state = CLOSED if answer is RST else self.state

    def _fell(self, was: State, lingers: bool) -> None:
        """It has no port on any host."""


def part(end: TcpEnd) -> None:
    """Both ends of a connection get a FIN; there is a middlebox between them from now on."""
    peer = end.peer
    assert isinstance(peer, TcpEnd)
    boxes = [Middlebox.instead_of(peer, end), Middlebox.instead_of(end, peer)]
    for box, told in zip(boxes, (end, peer), strict=True):
        told.meet_middlebox(box)
    for box in boxes:
        box._launch(FIN, 0)
