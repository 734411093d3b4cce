"""Who is on a network, and how they are connected: hosts, addresses, paths, and the names of connections.

Owns topology and labels.  Does not own time (`engine`), what one machine owns (`host`), what befalls hosts
and paths, nor who decides what a network may decide (`network`).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..checks import Checks
from ..errors import UsageError
from ..fence import Fence
from ..units import duration_ns, rate_bits, size_bytes
from .engine import Engine
from .host import Host
from .kernel.tcp_segments import SegmentEnd
from .kernel.tcp_states import State
from .kernel.tcp_wire import Segment, Syn
from .link import Path
from .names import Zone
from .names.numeric import family_of, is_loopback
from .names.zone import address_of_record

if TYPE_CHECKING:
    from .kernel.udp_addressing import AddressedEnd

_PRUNE_AT = 256  # ends, before those that are over are looked for


class Topology(Engine):
    """Hosts, the paths between them, and the ends of the connections that stand.

    Attributes:
        names: what hosts learn when they look names up; tests edit it.
    """

    def __init__(self, trace: bool, fence: Fence, checks: Checks, latency_ns: int) -> None:
        super().__init__(trace, fence, checks)
        self.names = Zone()
        self.latency_ns = latency_ns
        self._by_address: dict[str, Host] = {}
        self._has_given_addresses = False
        self._ends: list[SegmentEnd] = []
        self._prune_at = _PRUNE_AT
        self._connections = self._listeners = self._datagram_sockets = 0

    @abstractmethod
    def _is_watched(self, label: str, alias: str, host: str) -> bool:
        """Whether anybody has a say in what happens at an end or listener."""

    # --- hosts and paths --------------------------------------------------------------------------

    def host(self, name: str, *, addresses: Iterable[str] = ()) -> Host:
        """The host of that name; it is made at the first call.

        Args:
            addresses: IPv4 and IPv6 addresses that it is to have besides its automatic ones.  Its name leads
                to them too.
        """
        host = self.hosts.get(name)
        if host is None:
            host = self._new_host(name, [address_of_record(address) for address in addresses])
        elif not set(addresses) <= set(host.addresses):
            raise UsageError(f"host {name} exists already, with the addresses {', '.join(host.addresses)}")
        return host

    def _new_host(self, name: str, given: list[str]) -> Host:
        number = len(self.hosts) + 1
        if number > 0xFFFF:
            raise UsageError("a network has at most 65535 hosts")
        four, six = f"10.0.{number >> 8}.{number & 0xFF}", f"fd00::{number:x}"
        if given or self._has_given_addresses:  # the automatic ones differ from each other
            self._check_addresses(name, [four, six], given)
            self._has_given_addresses = True
        addresses = (four, six) if not given else tuple(sorted((four, six, *given), key=family_of))
        host = Host(self, name, number, addresses)  # type: ignore[arg-type]
        # Not `six`: a program that tries one address after the other would begin there, and fail wherever
        # its peer listens on IPv4 alone.
        self.names.add_host(name, [four, *given], six)
        self.hosts[name] = host
        for address in host.addresses:
            self._by_address[address] = host
        return host

    def _check_addresses(self, name: str, own: list[str], given: list[str]) -> None:
        """Raise UsageError if a host cannot have an address: every one is of one host."""
        for address in own + given:
            if address in self._by_address:
                raise UsageError(f"{address} is an address of host {self._by_address[address].name} already")
        for place, address in enumerate(given):
            if is_loopback(address) or address in own or address in given[:place]:
                raise UsageError(f"host {name} cannot be given {address}: it has it already")

    def link(
        self,
        left: str,
        right: str,
        *,
        latency: str | float | None = None,
        jitter: str | float = 0,
        bandwidth: str | float = 0,
        capacity: str | int = 0,
    ) -> None:
        """Say how two hosts are connected, the same in both directions.

        Args:
            latency: one way, for the first bit of a segment.
            jitter: at most so much is added, segment by segment; 0 on a calm network.
            bandwidth: 0 is infinite; else serialising a segment takes time, and segments queue.
            capacity: how many bytes that queue holds; what comes on top is lost (and sent again).
                0 is unbounded.
        """
        for source, target in ((left, right), (right, left)):
            path = self.path(self._known(source), self._known(target))
            if latency is not None:
                self.keep_order(path)
                path.set_latency(duration_ns(latency), self.schedule)
            path.shape(duration_ns(jitter), rate_bits(bandwidth), size_bytes(capacity))
        self.refit()

    def keep_order(self, path: Path) -> None:
        """Before the latency of a path changes: what is on it already is not overtaken."""
        for end in self._ends:
            end.keep_order(path)

    def path(self, source: Host, target: Host) -> Path:
        """One direction between two hosts."""
        path = source.paths.get(target.name)
        if path is None:
            latency_ns = 0 if source is target else self.latency_ns
            path = source.paths[target.name] = Path(source, target, self.schedule, latency_ns)
            down = (not source.is_up) + (not target.is_up)
            if down:
                path.cut(down)
        return path

    def _known(self, name: str) -> Host:
        host = self.hosts.get(name)
        if host is None:
            raise UsageError(f"no host is called {name!r}; there are {', '.join(self.hosts) or 'none'}")
        return host

    def host_at(self, address: str) -> Host | None:
        """The host that has an address."""
        return self._by_address.get(address)

    # --- ends ------------------------------------------------------------------------------------

    def refit(self) -> None:
        """Paths or rules changed: every end finds out anew whether it may take the fast path."""
        self._prune()
        for end in self._ends:
            end.watched = end.watched or self._is_watched(end.label, end.alias, end.host.name)
            end.refit()
            end.path_changed()

    def _prune(self) -> None:
        """Forget the ends of connections that are over."""
        self._ends = [end for end in self._ends if not (end.orphan and end.state is State.CLOSED)]
        self._prune_at = max(2 * len(self._ends), _PRUNE_AT)

    def register_opener(self, end: SegmentEnd, target: Host) -> None:
        """Name the end that opens a connection: ``client:1 -> server:80``."""
        key = (target.name, end.remote[1])
        nth = end.host.connections[key] = end.host.connections.get(key, 0) + 1
        self._connections += 1
        self._register(end, f"{end.host.name}:{nth} -> {key[0]}:{key[1]}", f"#{self._connections} client")

    def register_acceptor(self, end: SegmentEnd, opener: SegmentEnd) -> None:
        """Name the end that a listener makes: ``server:80 -> client:1``."""
        left, _, right = opener.label.partition(" -> ")
        self._register(end, f"{right} -> {left}", opener.alias.replace("client", "server"))

    def register_listener(self, end: SegmentEnd) -> None:
        """Name a listener: ``server:80``."""
        self._listeners += 1
        self._register(end, f"{end.host.name}:{end.local[1]}", f"#{self._listeners} listener")

    def register_datagrams(self, end: AddressedEnd, number: int) -> None:
        """Name a socket of UDP, which has a port now: ``client:53/udp``.

        `number` is the port that its program asked for.  Of one that took what the system gave it, it is the
        place in their order on the host: nobody chose the port.
        """
        self._datagram_sockets += 1
        end.label, end.alias = f"{end.host.name}:{number}/udp", f"#{self._datagram_sockets} udp"
        if self.log is not None:
            end.number = self.trace.name(self.now_ns, end.label)

    def _register(self, end: SegmentEnd, label: str, alias: str) -> None:
        end.label, end.alias = label, alias
        if self.log is not None:
            end.number = self.trace.name(self.now_ns, label)
        end.watched = self._is_watched(label, alias, end.host.name)
        self._ends.append(end)
        if len(self._ends) >= self._prune_at:
            self._prune()

    def refuse(self, host: Host, syn: Syn) -> None:
        """Nobody listens: the SYN is answered by a RST."""
        path = self.path(host, syn.opener.host)
        if path.latency_ns:
            self.schedule.plan(self.now_ns + path.latency_ns, syn.opener, Segment.RST)
        else:
            syn.opener.arrive(Segment.RST)
