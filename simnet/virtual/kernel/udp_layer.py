"""The UDP of one host, between its sockets and the links: what leaves, what comes, what nobody takes.

A datagram goes once along a path and is never sent again: on a path that is closed, or before a queue that
is full, it is lost.  Later ones may overtake it where there is jitter.  One for the own host is there before
the call returns.  What nobody takes is answered by ICMP, which takes its time too, and is lost as easily.

Simplified, and what a program could notice of it: a datagram is never fragmented, so that its size decides
nothing but its time on a link with a bandwidth; refusals are not rationed (icmp_ratelimit in icmp(7)); a
sender is never told that it has to wait for a link.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from .datagrams import Datagram, Endpoint, PortUnreachable
from .udp_ports import UdpPorts

if TYPE_CHECKING:
    from ..host import Host
    from .udp import UdpEnd

Packet: TypeAlias = "Datagram | PortUnreachable"


class UdpLayer:
    """What a host has of UDP besides its sockets."""

    __slots__ = ("_jitters", "host", "ports")

    def __init__(self, host: Host) -> None:
        self.host = host
        self.ports = UdpPorts()
        self._jitters: dict[str, int] = {}  # by socket; counted on through a restart

    def lose_power(self) -> None:
        """The host crashed: nobody holds a port any more."""
        self.ports = UdpPorts(self.ports.first, self.ports.last)

    # --- what leaves -----------------------------------------------------------------------------

    def send(self, end: UdpEnd, data: bytes, source: Endpoint, target: Endpoint) -> None:
        """Send what `end` has to say to wherever `target` is."""
        host, _ = self.host.route(target, source[0])
        if host is not None:
            path = self.host.network.path(self.host, host)
            self.launch(end, Datagram(data, source, target, self.host, 1, path))

    def launch(self, end: UdpEnd, datagram: Datagram) -> None:
        """Put a datagram of `end` on its path."""
        path, net = datagram.path, self.host.network
        delay_ns = 0
        if path.jitter_ns:
            nth = self._jitters[end.label] = self._jitters.get(end.label, 0) + 1
            effect = net.choose("jitter", end, nth, path.jitter_ns)
            delay_ns = effect[1] if effect else 0
        self._carry(datagram, len(datagram.data), delay_ns)

    def _carry(self, packet: Packet, size: int, delay_ns: int = 0) -> None:
        """Let a packet arrive where its path ends, if nothing is in its way."""
        path, net = packet.path, self.host.network
        target = path.target.udp
        if target is self and not delay_ns:
            target.arrive(packet)
            return
        when_ns = path.arrival_ns(net.now_ns, size) if path.is_open else None
        if when_ns is not None:
            net.schedule.plan(when_ns + delay_ns, target, packet)

    # --- what comes ------------------------------------------------------------------------------

    def arrive(self, packet: Packet) -> None:
        if isinstance(packet, PortUnreachable):
            self._refused(packet.datagram)
        else:
            self._deliver(packet)

    def _deliver(self, datagram: Datagram) -> None:
        end = self.ports.find(datagram.target, datagram.source)
        if end is not None:
            if end.store(datagram):
                end.tell()
        else:
            path = self.host.network.path(self.host, datagram.origin)
            self._carry(PortUnreachable(datagram, path), 0)

    def _refused(self, datagram: Datagram) -> None:
        """A datagram of this host found nobody: who sent it is told if it is connected (__udp4_lib_err)."""
        end = self.ports.find(datagram.source, datagram.target)
        if end is not None and end.is_connected:
            end.refuse()
