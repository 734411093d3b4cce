"""A UDP socket as a program sees it: what it sends, receives and is told (udp(7)).

The order of the questions is the one in which Linux asks them: udp_sendmsg, udp_recvmsg and udp_poll in
net/ipv4/udp.c, and their like in net/ipv6/udp.c.

Owns these calls, errors and readiness.  Addresses are `udp_addressing`; what becomes of a datagram between
two sockets is `udp_layer`.

Simplified, and what a program could notice of it: what leaves takes no room in the send buffer, so that a
socket is always writable.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any, ClassVar

from ...trace import Kind
from ...transport import ERR, HUP, IN, OUT, RDHUP
from .. import linux as std
from . import error_queue, multicast, udp_control
from .addresses import Inet, is_ipv6, shown
from .control import ControlRoom
from .datagrams import Datagram, DatagramQueue
from .error_queue import ErrorQueue, port_unreachable, too_long
from .file import ERROR, SPACE
from .routes import MTU, Route
from .sock import Message, flag_names
from .udp_addressing import AddressedEnd

if TYPE_CHECKING:
    from ..host import Host

BUFFER_BYTES = 106_496  # half of net.core.rmem_default and wmem_default, which count the kernel's bookkeeping
PAYLOAD_MAX = {4: 65_507, 6: 65_527}  # 65535, less the header of UDP, and of IPv4 (RFC 768, 791, 8200)
LENGTH_MAX = 0xFFFF  # more than this over IPv4 is not looked at any further

_OOB, _PEEK, _TRUNC = map(int, (std.MSG_OOB, std.MSG_PEEK, std.MSG_TRUNC))
_ERRQUEUE = int(std.MSG_ERRQUEUE)
_NOT_SIMULATED = int(std.MSG_MORE) | 0x10  # MSG_PROBE

_SEND, _ARRIVE, _RECV = map(int, (Kind.SEND, Kind.ARRIVE, Kind.RECV))
_SHUTDOWN, _CLOSE, _RESET = map(int, (Kind.SHUTDOWN, Kind.CLOSE, Kind.RESET))


class UdpEnd(AddressedEnd):
    """A UDP socket below its descriptors."""

    __slots__ = ("_touched", "errors", "queue", "receive_shut", "send_shut")

    own_options: ClassVar = {**multicast.OPTIONS, **error_queue.OPTIONS}
    has_write_band = True

    def __init__(self, host: Host, family: int) -> None:
        super().__init__(host, family)
        self.send_buffer = self.receive_buffer = BUFFER_BYTES
        self.send_shut = self.receive_shut = False
        self.queue = DatagramQueue()
        self.errors = ErrorQueue()
        self._touched = 0

    @property
    def touched(self) -> int:
        return self._touched

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
        if self.so_error or self.errors.waiting:
            mask |= ERR
        return mask

    # --- shutting down ---------------------------------------------------------------------------

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
        marks = udp_control.marks(self, control, (address or self.remote)[0])
        way = self._way if address is None else self._route("send", address)
        assert way is not None
        if len(data) > PAYLOAD_MAX[version]:
            self._note_too_long(way, version)
            raise self.failed("send", errno.EMSGSIZE)
        if self.so_error or self.send_shut:
            raise self.failed("send", self.take_error() or errno.EPIPE)
        self._touched += 1
        self.note(_SEND, len(data), data)
        self.wake(SPACE)  # the device has taken the datagram, and given its room back (sock_def_write_space)
        self.host.udp.send(self, data, way, marks)
        return len(data)

    def _bars_ipv4(self, size: int, flags: int) -> int:
        """What udp_sendmsg refuses and udpv6_sendmsg does not."""
        if self.v6only:
            return errno.ENETUNREACH
        if size > LENGTH_MAX:
            return errno.EMSGSIZE
        return errno.EOPNOTSUPP if flags & _OOB else 0

    # --- receiving -------------------------------------------------------------------------------

    def recv(self, size: int, flags: int = 0) -> bytes:
        return self.receive_message(size, flags, 0).data

    def receive_message(self, size: int, flags: int, control_size: int) -> Message:
        if flags & _ERRQUEUE:
            return self._receive_error(size, control_size)
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
        room = ControlRoom(control_size)
        if self.settings is not None:
            udp_control.tell(self, datagram, room)
        return Message(
            data,
            shown(self.family, datagram.source),
            room.flags | (_TRUNC if len(data) < len(datagram.data) else 0),
            room.messages,
            length=len(datagram.data) if flags & _TRUNC else len(data),
        )

    def store(self, datagram: Datagram) -> bool:
        if not self.queue.put(datagram, 2 * self.receive_buffer):
            return False
        self.note(_ARRIVE, len(datagram.data), datagram.data)
        return True

    def tell(self) -> None:
        for watcher in self.watchers:
            if not watcher.queued:
                watcher.readable()

    def refuse(self, datagram: Datagram) -> None:
        """The next call says so, if anybody wants to know (__udp4_lib_err)."""
        if self.errors.wanted[datagram.version]:
            self.errors.put(port_unreachable(datagram), 2 * self.receive_buffer)
        elif not self.is_connected:
            return
        self.note(_RESET, errno.ECONNREFUSED)
        self.so_error = errno.ECONNREFUSED
        self.wake(ERROR)

    def _note_too_long(self, way: Route, version: int) -> None:
        """ip_local_error names the port of the peer, if there is one, ipv6_local_error the one asked for."""
        if self.errors.wanted[version]:
            about = way.target if version == 6 else (way.target[0], self.remote[1])
            mtu = MTU[way.interface] if version == 6 else min(MTU[way.interface], LENGTH_MAX)
            self.errors.put(too_long(about, mtu), 2 * self.receive_buffer)
            self.wake(ERROR)

    def _receive_error(self, size: int, control_size: int) -> Message:
        """ip_recv_error: the datagram that an error is about; what comes next is pending from now on."""
        error = self.errors.take()
        if error is None:
            raise self.failed("recv", errno.EAGAIN)
        if self.errors.waiting and self.errors.waiting[0].is_of_icmp:
            self.so_error = self.errors.waiting[0].reason
        elif error.is_of_icmp:
            self.so_error = 0
        self._touched += 1
        data = error.data[:size]
        flags = _ERRQUEUE | (_TRUNC if len(data) < len(error.data) else 0)
        level, kind, item = error.control(self.family)
        room = ControlRoom(control_size)
        room.put(level, kind, item)
        return Message(data, shown(self.family, error.about), flags | room.flags, room.messages)

    def is_at_mark(self) -> bool:
        """udp_ioctl knows no SIOCATMARK."""
        raise self.failed("ioctl", errno.ENOTTY)

    def readable_bytes(self) -> int:
        """The size of the next datagram (udp_ioctl, SIOCINQ)."""
        datagram = self.queue.first()
        return len(datagram.data) if datagram is not None else 0

    # --- for reports -----------------------------------------------------------------------------

    def queues(self) -> tuple[int, int]:
        """recv-q counts every datagram."""
        return sum(len(datagram.data) for datagram in self.queue.waiting), 0

    # --- ending ----------------------------------------------------------------------------------

    def close(self) -> None:
        self.note(_CLOSE, 0)
        self.watchers = ()
        self.groups.leave_all()
        self.host.udp.ports.release(self)

    def vanish(self) -> None:
        self.watchers = ()
        self.queue = DatagramQueue()
