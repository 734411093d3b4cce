"""The two addresses of a UDP socket: its own, and its peer's (udp(7), ip(7), ipv6(7)).

Sources: __inet_bind in net/ipv4/af_inet.c and __inet6_bind in net/ipv6/af_inet6.c, __ip4_datagram_connect in
net/ipv4/datagram.c, __ip6_datagram_connect in net/ipv6/datagram.c.  A socket of AF_INET6 speaks IPv4 too,
with addresses that are mapped.

Owns names, bind() and connect(), and what a destination means for this socket.  What is sent and received is
`udp.UdpEnd`, which builds on this.
"""

from __future__ import annotations

import errno
import os
from abc import abstractmethod
from typing import TYPE_CHECKING, Any

from ...trace import Kind
from ...transport import Address
from .. import linux as std
from .addresses import WILDCARD, Inet, given, is_ipv6, is_multicast, is_wildcard, shown, text
from .multicast import Groups
from .routes import LIMITED_BROADCAST, Route, is_broadcast, is_for_many, needs_scope, route
from .sock import SocketEnd

if TYPE_CHECKING:
    from ..host import Host
    from .datagrams import Datagram

_SOL, _BROADCAST = std.SOL_SOCKET, std.SO_BROADCAST
_LOOPBACK, _LOOPBACK6 = "127.0.0.1", "::1"
_CONNECT = int(Kind.CONNECT)


class AddressedEnd(SocketEnd):
    """A UDP socket, as far as addresses go."""

    __slots__ = (
        "_way",
        "alias",
        "family",
        "groups",
        "is_connected",
        "label",
        "local",
        "number",
        "pair",
        "remote",
    )

    kind = std.SOCK_DGRAM
    proto = std.IPPROTO_UDP

    def __init__(self, host: Host, family: int) -> None:
        super().__init__(host)
        self.family = family
        self.label = self.alias = ""
        self.number = host.number  # in the trace, until it has a port and thereby a name
        self.local: Inet = (WILDCARD[self.family], 0)
        self.remote: Inet = (WILDCARD[self.family], 0)
        self._way: Route | None = None  # to the peer, as connect() found it
        self.pair: tuple[Inet, Inet] | None = None  # by which `UdpPorts` finds it
        self.is_connected = False
        self.groups = Groups(host, family)

    @property
    def state_name(self) -> str:
        return "ESTABLISHED" if self.is_connected else "UNCONN"

    # --- names -----------------------------------------------------------------------------------

    def given(self, call: str, address: Any) -> Inet:
        return given(call, self.family, address, self.host.resolve)

    def getsockname(self) -> Address:
        return shown(self.family, self.local)

    def getpeername(self) -> Address:
        """inet_getname: a peer without a port is none."""
        if not self.is_connected or not self.remote[1]:
            raise self.failed("getpeername", errno.ENOTCONN)
        return shown(self.family, self.remote)

    @property
    def is_bound(self) -> bool:
        return bool(self.local[1])

    def bind(self, address: Inet) -> None:
        reason = self._bars(*address)
        if reason:
            raise self.failed("bind", reason)
        self._take_port("bind", *address)
        if is_ipv6(address[0]) and not is_wildcard(address[0]):
            self.v6only = True  # __inet6_bind: it cannot speak IPv4 any more

    def _bars(self, address: str, port: int) -> int:
        """Why the socket cannot be bound there, whoever else is; 0 if it can.

        __inet_bind asks for the address first, __inet6_bind for the socket.
        """
        bare = address.partition("%")[0]
        is_ours = is_wildcard(bare) or is_for_many(bare) or self.host.local_address(bare) is not None
        if self.family == std.AF_INET:
            return errno.EADDRNOTAVAIL if not is_ours else errno.EINVAL if self.local[1] else 0
        if self.local[1] or needs_scope(address) or (self.v6only and not is_ipv6(address)):
            return errno.EINVAL
        return 0 if is_ours else errno.EADDRNOTAVAIL

    def _take_port(self, call: str, address: str, port: int) -> None:
        try:
            self.host.udp.ports.take(self, address, port)
        except OSError:
            raise self.failed(call, errno.EADDRINUSE if call == "bind" else errno.EAGAIN) from None
        self.net.register_datagrams(self, self.host.udp.number_of(port))

    def _have_a_port(self, call: str) -> None:
        """Every call that needs a port takes one, whatever else becomes of the call (inet_autobind)."""
        if not self.local[1]:
            self._take_port(call, WILDCARD[self.family], 0)

    # --- connections -----------------------------------------------------------------------------

    def connect(self, address: Inet) -> None:
        self._have_a_port("connect")
        if needs_scope(address[0]) and not (is_multicast(address[0]) and self.groups.egress[6].interface):
            raise self.failed("connect", errno.EINVAL)
        way = self._route("connect", self._specific(address))
        if self.local[0] == WILDCARD[self.family]:
            self.host.udp.ports.narrow(self, way.source)
        self._way, self.remote = way, way.target
        self.is_connected = True
        self.host.udp.ports.pair_up(self)
        self.note(_CONNECT, way.target[1])

    def score(self, source: Inet) -> int:
        """How well this socket fits what comes from `source`: 0 not at all (compute_score)."""
        own = 2 if self.family == std.AF_INET else 1
        if not is_ipv6(source[0]) and self.v6only:
            return 0
        if not self.is_connected:
            return own
        address, port = self.remote
        if address != source[0] or port not in (0, source[1]):
            return 0
        return own + (8 if port else 4)

    # --- destinations ------------------------------------------------------------------------------

    def _route(self, call: str, target: Inet) -> Route:
        """The way to what a program has given as the destination."""
        name = target[0]
        try:
            way = route(self, target, self._source_for(name))
        except OSError as error:
            raise self.failed(call, error.errno or 0) from None
        if is_ipv6(name) and not is_ipv6(self.local[0]):
            raise self.failed(call, errno.EAFNOSUPPORT)
        if is_broadcast(name) and not self.setting(_SOL, _BROADCAST):
            raise self.failed(call, errno.EACCES)
        return way

    def _source_for(self, name: str) -> str:
        """The address that something to `name` has to come from; "" if the routes may choose.

        Raises OSError if nothing can: __inet6_bind takes a mapped group or broadcast for an address to send
        from, which ip_route_output_key refuses.
        """
        local = self.local[0]
        if self.v6only and not is_ipv6(name):
            raise OSError(errno.ENETUNREACH, os.strerror(errno.ENETUNREACH))
        if is_wildcard(local) or is_ipv6(local) != is_ipv6(name):
            return ""
        if not is_for_many(local):
            return local
        if self.family == std.AF_INET or is_ipv6(local):
            return ""
        is_of_a_net = is_broadcast(local) and local != LIMITED_BROADCAST
        reason = errno.ENETUNREACH if is_of_a_net else errno.EINVAL
        raise OSError(reason, os.strerror(reason))

    def _specific(self, target: Inet) -> Inet:
        """No address means this host: over IPv4 the address that the socket is bound to, else loopback's."""
        address, local = target[0], self.local[0]
        if not is_wildcard(address):
            return target
        if is_ipv6(address):
            return (_LOOPBACK6 if is_ipv6(local) else _LOOPBACK), target[1]
        return (_LOOPBACK if is_wildcard(local) or is_ipv6(local) else local), target[1]

    # --- what comes ------------------------------------------------------------------------------

    @abstractmethod
    def store(self, datagram: Datagram) -> bool:
        """A datagram has come for this socket; False if there is no room for it."""

    @abstractmethod
    def tell(self) -> None:
        """There is something to read."""

    @abstractmethod
    def refuse(self, datagram: Datagram) -> None:
        """What was sent from here found nobody."""

    # --- for reports -------------------------------------------------------------------------------

    def names(self) -> tuple[str, str]:
        return text(self.local), text(self.remote) if self.is_connected else "*"
