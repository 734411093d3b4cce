"""One end of a TCP connection, as it comes to be: bind(), connect(), and the names of both ends.

As __inet_bind, inet_stream_connect and tcp_v4_connect answer, and their twins of IPv6; the order of the
questions is theirs, because a program can tell.  Which protocol a connection uses follows from its addresses
(`addresses`): a socket of AF_INET6 that is given one of IPv4 becomes one of IPv4 inside.

Owns addresses, ports and connect().  Accepting is `tcp_listener`.

Not simulated: a connection from ::1 to another host, whose answers Linux throws away; a TCP socket bound to
a multicast or broadcast address.
"""

from __future__ import annotations

import errno
import os
from abc import abstractmethod
from enum import IntEnum, auto
from typing import TYPE_CHECKING, Any, NoReturn

from ...trace import Kind
from .. import linux as std
from . import addresses
from .addresses import ANY, ANY6, WILDCARD, Inet, is_ipv6, is_loopback, is_multicast
from .tcp_states import CALLED_CONNECT, CLOSED, GOT_SYN, LISTEN, SYN_RECEIVED, SYN_SENT
from .tcp_urgent import UrgentEnd
from .tcp_window import BARRED
from .tcp_wire import RETRANSMIT, RST, SYN_ACK, UNREACHABLE, Syn

if TYPE_CHECKING:
    from ..host import Host

_CONNECT = int(Kind.CONNECT)
_AF_INET6 = int(std.AF_INET6)
_INTERFACES = ("1", "2")  # lo and eth0, by their indexes


class Calls(IntEnum):
    """What connect() was used for so far: `socket.state` of Linux (include/linux/net.h)."""

    UNCONNECTED = auto()
    CONNECTING = auto()  # until connect() has told that it is done
    CONNECTED = auto()
    DISCONNECTING = auto()


UNCONNECTED, CONNECTING, CONNECTED, DISCONNECTING = Calls


class OpeningEnd(UrgentEnd):
    """A TCP socket that may be bound and connected."""

    __slots__ = (
        "_address_given",
        "_has_spoken_ipv4",
        "_port_given",
        "_port_held",
        "calls",
        "connects",
        "shares_port",
    )

    def __init__(self, host: Host, family: int) -> None:
        super().__init__(host, family)
        self.calls = UNCONNECTED
        self._address_given = False  # by bind(), and not the wildcard
        self._port_given = False  # by bind() to an explicit port: kept until close()
        self._port_held = False
        self._has_spoken_ipv4 = False  # of AF_INET6
        self.shares_port = False  # connect() has chosen the port
        self.connects = 0  # for anchors

    @property
    def is_connection(self) -> bool:
        return self.state is not LISTEN and self.state is not CLOSED

    # --- names -----------------------------------------------------------------------------------

    def given(self, call: str, address: Any) -> Inet:
        return addresses.given(call, self.family, address, self.host.resolve)

    def getsockname(self) -> Any:
        return addresses.shown(self.family, self.local)

    def getpeername(self) -> Any:
        if self.state in (CLOSED, LISTEN, SYN_SENT):
            raise OSError(errno.ENOTCONN, os.strerror(errno.ENOTCONN))
        return addresses.shown(self.family, self.remote)

    def names(self) -> tuple[str, str]:
        remote = "*" if self.state in (LISTEN, CLOSED) else addresses.text(self.remote)
        return addresses.text(self.local), remote

    # --- ports -----------------------------------------------------------------------------------

    def bind(self, address: Inet) -> None:
        name, port = address
        was_v6only = self.v6only
        if self.family == _AF_INET6:
            self._check_local_v6(name)
        else:
            self._check_local(name)
            self._check_unbound()
        try:
            self.host.ports.take(self, name, port, self.net.now_ns)
        except OSError:
            self.local = (WILDCARD[self.family], self.local[1])
            self.v6only = was_v6only
            raise self.failed("bind", errno.EADDRINUSE) from None
        self._port_held, self._port_given, self.shares_port = True, port != 0, False
        self._address_given |= not addresses.is_wildcard(name)

    def _check_unbound(self) -> None:
        if self.state is not CLOSED or self._port_held:
            raise self.failed("bind", errno.EINVAL)

    def _check_local(self, name: str) -> None:
        if not is_ipv6(name) and (is_multicast(name) or name == "255.255.255.255"):
            raise NotImplementedError(f"a TCP socket bound to {name} is not simulated")
        if self.host.local_address(name) is None:
            raise self.failed("bind", errno.EADDRNOTAVAIL)

    def _check_local_v6(self, name: str) -> None:
        """The questions of __inet6_bind; an address of IPv6 proper makes the socket one of IPv6 only."""
        if is_ipv6(name) and is_multicast(name):
            raise self.failed("bind", errno.EINVAL)
        self._check_unbound()
        if not is_ipv6(name):
            if self.v6only:
                raise self.failed("bind", errno.EINVAL)
        elif addresses.lacks_scope(name):
            raise self.failed("bind", errno.EINVAL)
        elif "%" in name and name.partition("%")[2] not in _INTERFACES:
            raise self.failed("bind", errno.ENODEV)
        self._check_local(name)
        if is_ipv6(name) and name != ANY6:
            self.v6only = True

    def _hold_shared_port(self) -> None:
        self.host.ports.share(self)
        self._port_held = True

    def _release_port(self) -> None:
        if self._port_held:
            self._port_held = False
            self.host.ports.release(self)

    def _forget_address(self) -> None:
        """The address that connect() gave goes with the connection (inet_bhash2_reset_saddr)."""
        if not self._address_given:
            self.local = (WILDCARD[self.family], self.local[1])

    @property
    def is_bound(self) -> bool:
        return self._port_held

    # --- connecting ------------------------------------------------------------------------------

    def connect(self, address: Inet) -> None:
        if self.calls is DISCONNECTING:
            raise self.failed("connect", errno.EINVAL)
        if self.state is LISTEN or self.calls is CONNECTED:
            raise self.failed("connect", errno.EISCONN)
        if self.calls is CONNECTING:
            self._connect_again()
            return
        name = self._destination(address[0])
        target, remote = self.host.route((name, address[1]), self.local[0])
        if target is None:
            raise self.failed("connect", errno.ENETUNREACH)
        if target is not self.host and is_loopback(self.local[0]):
            self._refuse_martian_source()
        self._take_source(remote)
        self._start(target, remote)
        raise OSError(errno.EINPROGRESS, os.strerror(errno.EINPROGRESS))

    def _destination(self, name: str) -> str:
        """The address that is meant (ip_route_connect, tcp_v6_connect)."""
        local = self.local[0]
        if self.family == _AF_INET6 and name == ANY6 and not is_ipv6(local):
            name = "127.0.0.1"
        if self.family != _AF_INET6 or not is_ipv6(name):
            if self.v6only:
                raise self.failed("connect", errno.ENETUNREACH)
            if name != ANY:
                return name
            return "127.0.0.1" if addresses.is_wildcard(local) else local
        if name == ANY6:
            return "::1"
        if is_multicast(name):
            raise self.failed("connect", errno.ENETUNREACH)
        if addresses.lacks_scope(name):
            raise self.failed("connect", errno.EINVAL)
        if not is_ipv6(local):
            raise self.failed("connect", errno.EAFNOSUPPORT)
        return name

    def _refuse_martian_source(self) -> NoReturn:
        """ip_route_output_key refuses a source of 127/8 for another host."""
        if is_ipv6(self.local[0]):
            raise NotImplementedError("a connection from ::1 to another host is not simulated")
        raise self.failed("connect", errno.EINVAL)

    def _take_source(self, remote: Inet) -> None:
        """The own address and port of a connection to `remote`."""
        local, ports = self.local[0], self.host.ports
        source = self.host.source_address(remote[0]) if addresses.is_wildcard(local) else local
        if not self._port_held:
            try:
                ports.take_to_connect(self, source, remote, self.net.now_ns)
            except OSError:
                raise self.failed("connect", errno.EADDRNOTAVAIL) from None
            self._port_held = self.shares_port = True
            return
        self.local = (source, self.local[1])
        if ports.has_pair(self, remote):
            self._forget_address()
            raise self.failed("connect", errno.EADDRNOTAVAIL)

    def _start(self, target: Host, remote: Inet) -> None:
        """Send the SYN."""
        if self.path is not None:
            self._leave_ghost()
        self.remote = remote
        self.path = self.net.path(self.host, target)
        self.so_error = 0
        self.calls = CONNECTING
        self.free = self.room = -BARRED
        self._first_retry_ns = self.net.now_ns
        self._change(CALLED_CONNECT)
        self.net.register_opener(self, target)  # anew: what is anchored on a name happens once
        self.sends = self.recvs = self.beyond = self.jitters = self.connects = 0
        self.note(_CONNECT, remote[1])
        syn = Syn(self, remote[0], remote[1])
        self.connects += 1
        if self._is_stuck_in_ipv4(remote[0]):
            self._lose_syn(syn, self._retries_max() + 1)
            return
        self.host.ports.asks(self)
        effect = self.net.choose("connect", self, self.connects, 0) if self.watched else None
        match effect:
            case None:
                self.transmit(syn)
            case ("loses", times):
                self._lose_syn(syn, times)
            case ("refused", _) if self._would_be_answered():
                self._later(2 * self.path.latency_ns, self, RST)
            case ("refused", _):
                self.transmit(syn)  # which gets lost, or its answer does
            case ("unreachable", _):
                self._later(2 * self.path.latency_ns, self, UNREACHABLE)
            case ("hangs", _):
                self._lose_syn(syn, self._retries_max() + 1)
            case ("fails", reason):
                self._disconnect()
                self.so_error = 0
                raise self.failed("connect", reason)
            case _:
                raise AssertionError(effect)

    def _would_be_answered(self) -> bool:
        """Whether nothing stands in the way, there and back."""
        path = self.path
        return path is not None and path.is_open and self.net.path(path.target, path.source).is_open

    def _is_stuck_in_ipv4(self, name: str) -> bool:
        """Once it has begun to connect by IPv4, a socket of AF_INET6 reaches nobody by IPv6 any more.

        Measured on Linux 6.18: tcp_v6_connect leaves the operations of IPv4 behind (ipv6_mapped).
        """
        if self.family != _AF_INET6:
            return False
        if not is_ipv6(name):
            self._has_spoken_ipv4 = True
            return False
        return self._has_spoken_ipv4

    def _lose_syn(self, syn: Syn, times: int) -> None:
        self._attempts = times
        self._unsent.append(syn)
        self._retransmitting = True
        wait_ns = sum(map(self._syn_wait_ns, range(times)))
        self.net.schedule.plan(self.net.now_ns + wait_ns, self, RETRANSMIT)

    def conclude_connect(self, address: Inet) -> None:
        if self.calls is UNCONNECTED:  # somebody has called shutdown() meanwhile
            self.calls = CONNECTING
        self._connect_again()

    def _connect_again(self) -> None:
        """connect() on a socket whose connect() is under way, or is over and not yet asked about."""
        if self.state in (SYN_SENT, SYN_RECEIVED):
            raise self.failed("connect", errno.EALREADY)
        if self.state is CLOSED:
            reason = self.so_error or errno.ECONNABORTED
            self._disconnect()
            self.so_error = 0
            self.calls = UNCONNECTED
            raise self.failed("connect", reason)
        self.calls = CONNECTED

    @abstractmethod
    def _disconnect(self) -> None:
        """Back to a socket as new (tcp_disconnect), with the error that the program will be told."""

    def on_crossing_syn(self, syn: Syn) -> None:
        """A SYN arrived from where ours went (RFC 9293, section 3.5): simultaneous open."""
        self._meet(syn.opener)
        syn.opener._meet(self)  # whose own SYN may have got lost
        self._change(GOT_SYN)
        self._unsent.clear()  # our SYN, which would have been sent again
        self._attempts = 0
        self.transmit(SYN_ACK)
