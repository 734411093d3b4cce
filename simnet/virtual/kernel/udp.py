"""A UDP socket as a program sees it: the calls, and what they answer (udp(7), ip(7)).

The order of the questions is the one in which Linux asks them: udp_sendmsg, udp_recvmsg and udp_poll in
net/ipv4/udp.c, __ip4_datagram_connect in net/ipv4/datagram.c, __inet_bind in net/ipv4/af_inet.c.

Owns calls, errors and readiness.  What becomes of a datagram between two sockets is `udp_layer`.

Simplified, and what a program could notice of it: what leaves takes no room in the send buffer, so that a
socket is always writable.
"""

from __future__ import annotations

import errno
import socket as std
from typing import TYPE_CHECKING, Any

from ...trace import Kind
from ...transport import ERR, HUP, IN, OUT, RDHUP
from . import addresses
from .addresses import ANY
from .datagrams import Datagram, DatagramQueue, Endpoint
from .sock import Message, SocketEnd, flag_names

if TYPE_CHECKING:
    from ..host import Host

BUFFER_BYTES = 106_496  # half of net.core.rmem_default and wmem_default, which count the kernel's bookkeeping
PAYLOAD_MAX = 65_507  # 65535, less the headers of IP and UDP
LENGTH_MAX = 0xFFFF  # more is not looked at any further

_OOB, _PEEK, _TRUNC, _ERRQUEUE = map(int, (std.MSG_OOB, std.MSG_PEEK, std.MSG_TRUNC, std.MSG_ERRQUEUE))
_NOT_SIMULATED = int(std.MSG_MORE) | 0x10  # MSG_PROBE
_SOL, _BROADCAST = std.SOL_SOCKET, std.SO_BROADCAST

_SEND, _ARRIVE, _RECV, _CONNECT = map(int, (Kind.SEND, Kind.ARRIVE, Kind.RECV, Kind.CONNECT))
_SHUTDOWN, _CLOSE, _FAIL, _RESET = map(int, (Kind.SHUTDOWN, Kind.CLOSE, Kind.FAIL, Kind.RESET))


class UdpEnd(SocketEnd):
    """A UDP socket below its descriptors."""

    __slots__ = (
        "_touched",
        "alias",
        "family",
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
    proto = std.IPPROTO_UDP

    def __init__(self, host: Host, family: int) -> None:
        super().__init__(host)
        self.family = family
        self.send_buffer = self.receive_buffer = BUFFER_BYTES
        self.label = self.alias = ""
        self.number = host.number  # in the trace, until it has a port and thereby a name
        self.local: Endpoint = (ANY, 0)
        self.remote: Endpoint = (ANY, 0)
        self.is_connected = False
        self.pair: tuple[Endpoint, Endpoint] | None = None  # by which `UdpPorts` finds it
        self.send_shut = self.receive_shut = False
        self.queue = DatagramQueue()
        self._touched = 0

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

    def given(self, call: str, address: Any) -> Endpoint:
        return addresses.given(call, self.family, address, self.host.resolve)

    def getsockname(self) -> Endpoint:
        return self.local

    def getpeername(self) -> Endpoint:
        """inet_getname: a peer without a port is none."""
        if not self.is_connected or not self.remote[1]:
            raise self.failed("getpeername", errno.ENOTCONN)
        return self.remote

    def bind(self, address: Endpoint) -> None:
        name, port = address
        local = self.host.local_address(name)
        if local is None:
            raise self.failed("bind", errno.EADDRNOTAVAIL)
        if self.local[1]:
            raise self.failed("bind", errno.EINVAL)
        self._take_port("bind", local, port)

    def _take_port(self, call: str, address: str, port: int) -> None:
        try:
            self.host.udp.ports.take(self, address, port)
        except OSError:
            raise self.failed(call, errno.EADDRINUSE if call == "bind" else errno.EAGAIN) from None
        self.net.register_datagrams(self)

    def _have_a_port(self, call: str) -> None:
        """Every call that needs a port takes one, whatever else becomes of the call (inet_autobind)."""
        if not self.local[1]:
            self._take_port(call, ANY, 0)

    # --- connections -----------------------------------------------------------------------------

    def connect(self, address: Endpoint) -> None:
        self._have_a_port("connect")
        source, remote = self._route("connect", address)
        if self.local[0] == ANY:
            self.host.udp.ports.narrow(self, source)
        self.remote = remote
        self.is_connected = True
        self.host.udp.ports.pair_up(self)
        self.note(_CONNECT, remote[1])

    def score(self, source: Endpoint) -> int:
        """How well this socket fits what comes from `source`: 0 not at all (compute_score)."""
        if not self.is_connected:
            return 1
        address, port = self.remote
        if address != source[0] or port not in (0, source[1]):
            return 0
        return 3 if port else 2

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
        self, data: bytes, flags: int, address: Endpoint | None, control: list[tuple[int, int, Any]]
    ) -> int:
        self._have_a_port("send")
        if len(data) > LENGTH_MAX:
            raise self.failed("send", errno.EMSGSIZE)
        if flags & _NOT_SIMULATED:
            raise NotImplementedError(f"send() with {flag_names(flags & _NOT_SIMULATED)} is not simulated")
        if flags & _OOB:
            raise self.failed("send", errno.EOPNOTSUPP)
        if address is not None:
            if not address[1]:
                raise self.failed("send", errno.EINVAL)
        elif not self.is_connected:
            raise self.failed("send", errno.EDESTADDRREQ)
        source, target = self._route("send", address or self.remote)
        if len(data) > PAYLOAD_MAX:
            raise self.failed("send", errno.EMSGSIZE)
        if self.so_error or self.send_shut:
            raise self.failed("send", self.take_error() or errno.EPIPE)
        self._touched += 1
        self.note(_SEND, len(data), data)
        self.host.udp.send(self, data, (source, self.local[1]), target)
        return len(data)

    def _route(self, call: str, address: Endpoint) -> tuple[str, Endpoint]:
        """The own address for what goes to `address`, and where it goes (ip_route_output_key)."""
        bound = self.local[0]
        target, remote = self.host.route(address, bound)
        if target is None:
            raise self.failed(call, errno.ENETUNREACH)
        if target is not self.host and bound.startswith("127."):
            raise self.failed(call, errno.EINVAL)  # a martian source
        return bound if bound != ANY else self.host.source_address(remote[0]), remote

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
            datagram.source,
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
        self.host.udp.ports.release(self)

    def vanish(self) -> None:
        self.watchers = ()
        self.queue = DatagramQueue()
