"""A UDP socket as a program sees it: the calls, and what they answer (udp(7), ip(7), ipv6(7)).

The order of the questions is the one in which Linux asks them: udp_sendmsg, udp_recvmsg and udp_poll in
net/ipv4/udp.c and their like in net/ipv6/udp.c, __ip4_datagram_connect in net/ipv4/datagram.c, __inet_bind
in net/ipv4/af_inet.c.  A socket of AF_INET6 speaks IPv4 too, with addresses that are mapped (ipv6(7)).

Owns calls, errors and readiness.  What becomes of a datagram between two sockets is `udp_layer`.

Simplified, and what a program could notice of it: what leaves takes no room in the send buffer, so that a
socket is always writable.
"""

from __future__ import annotations

import errno
import socket as std
from typing import TYPE_CHECKING, Any

from ...trace import Kind
from ...transport import ERR, HUP, IN, OUT, RDHUP, Address
from . import udp_control
from .addresses import ANY, ANY6, Inet, given, is_ipv6, is_wildcard, shown
from .datagrams import Datagram, DatagramQueue
from .file import SPACE
from .multicast import OPTIONS, Groups
from .routes import Route, is_broadcast, is_for_many, needs_scope, route
from .sock import Message, SocketEnd, flag_names

if TYPE_CHECKING:
    from ..host import Host

BUFFER_BYTES = 106_496  # half of net.core.rmem_default and wmem_default, which count the kernel's bookkeeping
PAYLOAD_MAX = {4: 65_507, 6: 65_527}  # 65535, less the header of UDP, and of IPv4 (RFC 768, 791, 8200)
LENGTH_MAX = 0xFFFF  # more than this over IPv4 is not looked at any further

_OOB, _PEEK, _TRUNC, _ERRQUEUE = map(int, (std.MSG_OOB, std.MSG_PEEK, std.MSG_TRUNC, std.MSG_ERRQUEUE))
_NOT_SIMULATED = int(std.MSG_MORE) | 0x10  # MSG_PROBE
_SOL, _BROADCAST = std.SOL_SOCKET, std.SO_BROADCAST
_LOOPBACK, _LOOPBACK6 = "127.0.0.1", "::1"

_SEND, _ARRIVE, _RECV, _CONNECT = map(int, (Kind.SEND, Kind.ARRIVE, Kind.RECV, Kind.CONNECT))
_SHUTDOWN, _CLOSE, _FAIL, _RESET = map(int, (Kind.SHUTDOWN, Kind.CLOSE, Kind.FAIL, Kind.RESET))


class UdpEnd(SocketEnd):
    """A UDP socket below its descriptors."""

    __slots__ = (
        "_touched",
        "_way",
        "alias",
        "family",
        "groups",
        "is_connected",
        "label",
        "local",
        "number",
        "pair",
        "queue",
        "receive_shut",
        "remote",
        "send_shut",
    )

    kind = std.SOCK_DGRAM
    own_options = OPTIONS
    proto = std.IPPROTO_UDP

    def __init__(self, host: Host, family: int) -> None:
        super().__init__(host)
        self.family = family
        self.send_buffer = self.receive_buffer = BUFFER_BYTES
        self.label = self.alias = ""
        self.number = host.number  # in the trace, until it has a port and thereby a name
        self.local: Inet = (self._any, 0)
        self.remote: Inet = (self._any, 0)
        self._way: Route | None = None  # to the peer, as connect() found it
        self.pair: tuple[Inet, Inet] | None = None  # by which `UdpPorts` finds it
        self.is_connected = False
        self.send_shut = self.receive_shut = False
        self.queue = DatagramQueue()
        self.groups = Groups(self)
        self._touched = 0

    @property
    def _any(self) -> str:
        return ANY6 if self.family == std.AF_INET6 else ANY

    @property
    def touched(self) -> int:
        return self._touched

    @property
    def state_name(self) -> str:
        return "ESTABLISHED" if self.is_connected else "UNCONN"

    # --- readiness -------------------------------------------------------------------------------

    def poll_mask(self) -> int:
        """What poll(2) would say, with every event asked for (datagram_poll)."""
        mask = OUT
        if self.queue.waiting:
            mask |= IN
        if self.receive_shut:
            mask |= IN | RDHUP
            if self.send_shut:
                mask |= HUP
        if self.so_error:
            mask |= ERR
        return mask

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
        text = address.partition("%")[0]
        is_ours = is_wildcard(text) or is_for_many(text) or self.host.local_address(text) is not None
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
        self.net.register_datagrams(self)

    def _have_a_port(self, call: str) -> None:
        """Every call that needs a port takes one, whatever else becomes of the call (inet_autobind)."""
        if not self.local[1]:
            self._take_port(call, self._any, 0)

    # --- connections -----------------------------------------------------------------------------

    def connect(self, address: Inet) -> None:
        self._have_a_port("connect")
        if needs_scope(address[0]):
            raise self.failed("connect", errno.EINVAL)
        way = self._route("connect", self._specific(address))
        if self.local[0] == self._any:
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

    def shutdown(self, how: int) -> None:
        """As inet_shutdown: a call that fails has effects all the same."""
        if how not in (std.SHUT_RD, std.SHUT_WR, std.SHUT_RDWR):
            raise self.failed("shutdown", errno.EINVAL)
        self.note(_SHUTDOWN, how)
        self._touched += 1
        self.receive_shut |= how != std.SHUT_WR
        self.send_shut |= how != std.SHUT_RD
        self.wake()
        if not self.is_connected:
            raise self.failed("shutdown", errno.ENOTCONN)

    @property
    def is_exhausted(self) -> bool:
        return self.receive_shut

    # --- sending ---------------------------------------------------------------------------------

    def send(self, data: Any, flags: int = 0) -> int:
        with memoryview(data) as view:
            return self.send_message(view.tobytes(), flags, None, [])

    def send_message(
        self, data: bytes, flags: int, address: Inet | None, control: list[tuple[int, int, Any]]
    ) -> int:
        if flags & _NOT_SIMULATED:
            raise NotImplementedError(f"send() with {flag_names(flags & _NOT_SIMULATED)} is not simulated")
        self._have_a_port("send")
        if address is not None:
            address = self._specific(address)
        elif self.is_connected and self.family == std.AF_INET6 and not is_ipv6(self.remote[0]):
            address = self.remote  # udpv6_sendmsg hands it on as if it was given
        version = 6 if is_ipv6((address or self.remote)[0]) else 4
        reason = self._bars_ipv4(len(data), flags) if version == 4 else 0
        if not reason and address is None and not self.is_connected:
            reason = errno.EDESTADDRREQ
        if reason or (address is not None and not address[1]):
            raise self.failed("send", reason or errno.EINVAL)
        udp_control.check(control, version)
        way = self._way if address is None else self._route("send", address)
        assert way is not None
        if len(data) > PAYLOAD_MAX[version]:
            raise self.failed("send", errno.EMSGSIZE)
        if self.so_error or self.send_shut:
            raise self.failed("send", self.take_error() or errno.EPIPE)
        self._touched += 1
        self.note(_SEND, len(data), data)
        self.wake(SPACE)  # the device has taken the datagram, and given its room back (sock_def_write_space)
        self.host.udp.send(self, data, way)
        return len(data)

    def _bars_ipv4(self, size: int, flags: int) -> int:
        """What udp_sendmsg refuses and udpv6_sendmsg does not."""
        if self.v6only:
            return errno.ENETUNREACH
        if size > LENGTH_MAX:
            return errno.EMSGSIZE
        return errno.EOPNOTSUPP if flags & _OOB else 0

    def _route(self, call: str, target: Inet) -> Route:
        """The way to what a program has given as the destination."""
        local, name = self.local[0], target[0]
        if is_ipv6(name) and not is_ipv6(local):
            raise self.failed(call, errno.EAFNOSUPPORT)
        if self.v6only and not is_ipv6(name):
            raise self.failed(call, errno.ENETUNREACH)
        has_source = not is_wildcard(local) and not is_for_many(local) and is_ipv6(local) == is_ipv6(name)
        bound = local if has_source else ""
        try:
            way = route(self, target, bound)
        except OSError as error:
            raise self.failed(call, error.errno or 0) from None
        if is_broadcast(name) and not self.setting(_SOL, _BROADCAST):
            raise self.failed(call, errno.EACCES)
        return way

    def _specific(self, target: Inet) -> Inet:
        """No address means this host: over IPv4 the address that the socket is bound to, else loopback's."""
        address, local = target[0], self.local[0]
        if not is_wildcard(address):
            return target
        if is_ipv6(address):
            return (_LOOPBACK6 if is_ipv6(local) else _LOOPBACK), target[1]
        return (_LOOPBACK if is_wildcard(local) or is_ipv6(local) else local), target[1]

    # --- receiving -------------------------------------------------------------------------------

    def recv(self, size: int, flags: int = 0) -> bytes:
        return self.receive_message(size, flags, 0).data

    def receive_message(self, size: int, flags: int, control_size: int) -> Message:
        if flags & _ERRQUEUE:
            raise self.failed("recv", errno.EAGAIN)
        if self.so_error:
            raise self.failed("recv", self.take_error())
        is_peek = flags & _PEEK
        datagram = self.queue.first() if is_peek else self.queue.take(2 * self.receive_buffer)
        if datagram is None:
            raise self.failed("recv", errno.EAGAIN)
        data = datagram.data[:size]
        if not is_peek:
            self._touched += 1
            self.note(_RECV, len(data))
        return Message(
            data,
            shown(self.family, datagram.source),
            flags=_TRUNC if len(data) < len(datagram.data) else 0,
            length=len(datagram.data) if flags & _TRUNC else len(data),
        )

    def store(self, datagram: Datagram) -> bool:
        """A datagram has come for this socket; False if there is no room for it."""
        if not self.queue.put(datagram, 2 * self.receive_buffer):
            return False
        self.note(_ARRIVE, len(datagram.data), datagram.data)
        return True

    def tell(self) -> None:
        """There is something to read."""
        for watcher in self.watchers:
            if not watcher.queued:
                watcher.readable()

    def refuse(self) -> None:
        """What was sent found nobody: the next call says so."""
        self.note(_RESET, errno.ECONNREFUSED)
        self.so_error = errno.ECONNREFUSED
        self.wake()

    def readable_bytes(self) -> int:
        """The size of the next datagram (udp_ioctl, SIOCINQ)."""
        datagram = self.queue.first()
        return len(datagram.data) if datagram is not None else 0

    # --- for reports -----------------------------------------------------------------------------

    def queues(self) -> tuple[int, int]:
        """recv-q counts every datagram."""
        return sum(len(datagram.data) for datagram in self.queue.waiting), 0

    def names(self) -> tuple[str, str]:
        remote = "{}:{}".format(*self.remote) if self.is_connected else "*"
        return "{}:{}".format(*self.local), remote

    def note(self, kind: int, n: int, data: bytes | str | None = None) -> None:
        if self.net.log is not None:
            self.net.log((self.net.now_ns, kind, self.number, n, data))

    def failed(self, call: str, reason: int) -> OSError:
        self.note(_FAIL, reason, call)
        return super().failed(call, reason)

    # --- ending ----------------------------------------------------------------------------------

    def close(self) -> None:
        self.note(_CLOSE, 0)
        self.watchers = ()
        self.groups.leave_all()
        self.host.udp.ports.release(self)

    def vanish(self) -> None:
        self.watchers = ()
        self.queue = DatagramQueue()
