"""The UDP of one host, between its sockets and the links: what leaves, what comes, what nobody takes.

A datagram goes once along a path and is never sent again: on a path that is closed, or before a queue that
is full, it is lost.  Later ones may overtake it where there is jitter.  One for the own host is there before
the call returns.  What nobody takes is answered by ICMP, which takes its time too, and is lost as easily;
what was sent to many is not.

Simplified, and what a program could notice of it: a datagram is never fragmented, so that its size decides
nothing but its time on a link with a bandwidth; refusals are not rationed (icmp_ratelimit in icmp(7)); a
sender is never told that it has to wait for a link.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from .addresses import is_multicast
from .buffers import flip
from .datagrams import Datagram, Marks, PortUnreachable
from .routes import ALL_HOSTS, Route, hosts_on
from .udp_ports import UdpPorts

if TYPE_CHECKING:
    from ..host import Host
    from .udp_addressing import AddressedEnd

Packet: TypeAlias = "Datagram | PortUnreachable"


class UdpLayer:
    """What a host has of UDP besides its sockets."""

    __slots__ = ("_asked_for", "_bursts", "_members", "_sent", "_unasked", "host", "ports")

    def __init__(self, host: Host) -> None:
        self.host = host
        self.ports = UdpPorts(host)
        self._members: dict[tuple[int, str], int] = {}  # by interface and group: how many sockets joined
        self._sent: dict[str, int] = {}  # datagrams by socket; counted on through a restart
        self._bursts: dict[str, int] = {}  # by socket: up to which one all are lost
        self._asked_for: set[int] = set()  # ports
        self._unasked = 0  # the number of the last socket that asked for no port

    def lose_power(self) -> None:
        """The host crashed: nobody holds a port any more, nobody is a member of a group."""
        self.ports = UdpPorts(self.host)
        self._members.clear()

    def number_of(self, port: int) -> int:
        """What a socket is called by that has just been bound: the port that its program asked for.

        One that asked for none, and took what the system gave, is called by its place in the order of such
        sockets on this host; numbers that are ports asked for before are left out.
        """
        if port:
            self._asked_for.add(port)
            return port
        self._unasked += 1
        while self._unasked in self._asked_for:
            self._unasked += 1
        return self._unasked

    # --- groups ----------------------------------------------------------------------------------

    def join(self, interface: int, group: str) -> None:
        """One more socket of this host has joined a group."""
        self._members[interface, group] = self._members.get((interface, group), 0) + 1

    def leave(self, interface: int, group: str) -> None:
        """A socket of this host has left a group."""
        self._members[interface, group] -= 1

    def _is_for_us(self, datagram: Datagram) -> bool:
        """Whether this host takes what was sent to many (ip_check_mc_rcu)."""
        group = datagram.target[0]
        if not is_multicast(group) or group in ALL_HOSTS:
            return True
        return bool(self._members.get((datagram.interface, group)))

    # --- what leaves -----------------------------------------------------------------------------

    def send(self, end: AddressedEnd, data: bytes, way: Route, marks: Marks) -> None:
        """Send what `end` has to say."""
        source, is_for_many = (way.source, end.local[1]), way.host is None
        for host in hosts_on(way, end):
            path = self.host.network.path(self.host, host)
            datagram = Datagram(data, source, way.target, self.host, way.interface, path, is_for_many, marks)
            self._launch(end, datagram)

    def _launch(self, end: AddressedEnd, datagram: Datagram) -> None:
        """Put a datagram of `end` on its path."""
        path, network, data = datagram.path, self.host.network, datagram.data
        sent = self._sent[end.label] = self._sent.get(end.label, 0) + 1
        delay_ns, copies = 0, 1
        if path.jitter_ns:
            effect = network.choose("jitter", end, sent, path.jitter_ns)
            delay_ns = effect[1] if effect else 0
        if self._bursts.get(end.label, 0) >= sent:
            return
        match network.choose("datagram", end, sent, len(data), data):
            case None:
                pass
            case ("burst", following):
                self._bursts[end.label] = sent + following
                return
            case ("fails", reason):
                raise end.failed("send", reason)
            case ("truncated", size):
                datagram.data = data = data[:size]
            case ("late", more_ns):
                delay_ns += more_ns
            case ("twice", _):
                copies = 2
            case ("lost", _):
                copies = 0
            case ("flipped", bit):
                datagram.data = flip(data, bit)
            case _:
                self._refuse_at_once(datagram)
                return
        for _ in range(copies):
            self._carry(datagram, len(data), delay_ns)

    def _refuse_at_once(self, datagram: Datagram) -> None:
        """It is answered as if nobody took it, whoever does; a group does not answer (RFC 1122, 3.2.2)."""
        if datagram.is_for_many:
            return
        network, path = self.host.network, datagram.path
        back = network.path(path.target, self.host)
        if not (path.is_open and back.is_open):
            return
        answer, round_trip_ns = PortUnreachable(datagram, back), path.latency_ns + back.latency_ns
        if round_trip_ns:
            network.schedule.plan(network.now_ns + round_trip_ns, self, answer)
        else:
            self.arrive(answer)

    def _carry(self, packet: Packet, size: int, delay_ns: int = 0) -> None:
        """Let a packet arrive where its path ends, if nothing is in its way."""
        path, network = packet.path, self.host.network
        target = path.target.udp
        if target is self and not delay_ns:
            target.arrive(packet)
            return
        when_ns = path.arrival_ns(network.now_ns, size) if path.is_open else None
        if when_ns is not None:
            network.schedule.plan(when_ns + delay_ns, target, packet)

    # --- what comes ------------------------------------------------------------------------------

    def arrive(self, packet: Packet) -> None:
        """A packet is at the end of its path."""
        if isinstance(packet, PortUnreachable):
            self._refused(packet.datagram)
        elif not packet.is_for_many:
            self._deliver(packet)
        elif self._is_for_us(packet):
            for end in [end for end in self.ports.everyone(packet) if end.store(packet)]:
                end.tell()

    def _deliver(self, datagram: Datagram) -> None:
        end = self.ports.find(datagram.target, datagram.source)
        if end is None:
            path = self.host.network.path(self.host, datagram.origin)
            self._carry(PortUnreachable(datagram, path), 0)
        elif end.store(datagram):
            end.tell()

    def _refused(self, datagram: Datagram) -> None:
        """A datagram of this host found nobody: whoever is now where it came from is told."""
        end = self.ports.find(datagram.source, datagram.target)
        if end is not None:
            end.refuse(datagram)
