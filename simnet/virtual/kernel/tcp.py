"""One end of a TCP connection, or a listener, as a program sees it: the calls, and what they answer.

Every method is a system call on a socket that does not block: it returns what Linux returns, or raises
the OSError that Linux would.  The order of the questions in `recv` and `send` is the order in which
Linux asks them (tcp_recvmsg_locked and tcp_sendmsg_locked in net/ipv4/tcp.c; inet_shutdown in
net/ipv4/af_inet.c); a program can tell.

Owns readiness, data and endings.  How a connection comes to be is `tcp_opening` and `tcp_listener`, on which
this builds; buffers, segments and timers are further below (`tcp_segments`, `tcp_retransmit`, `tcp_window`).

Simplified, and what a program could notice of it: SO_LINGER with a time does not make close() wait; what
is queued is sent all the same.
"""

from __future__ import annotations

import errno
import socket
from typing import Any

from ...trace import Kind
from ...transport import ERR, HUP, IN, OUT, RDHUP
from . import tcp_states
from .buffers import ByteQueue
from .sock import Message, flag_names
from .tcp_listener import ListeningEnd
from .tcp_opening import CONNECTED, CONNECTING, DISCONNECTING, UNCONNECTED
from .tcp_states import (
    ABORTED,
    CAN_SEND,
    CLOSED,
    LISTEN,
    SENT_FIN,
    STATE_NUMBERS,
    SYN_RECEIVED,
    SYN_SENT,
    State,
)
from .tcp_wire import FIN, RST

# As plain integers: arithmetic on enumerations of flags costs microseconds.
MSG_IGNORED = int(socket.MSG_DONTWAIT) | int(getattr(socket, "MSG_NOSIGNAL", 0))
MSG_PEEK = int(socket.MSG_PEEK)

_LOSS = 4  # TCP_CA_Loss

_SEND, _RECV, _SHUTDOWN, _CLOSE = map(int, (Kind.SEND, Kind.RECV, Kind.SHUTDOWN, Kind.CLOSE))


class TcpEnd(ListeningEnd):
    """A TCP socket below its descriptors."""

    __slots__ = ()

    kind = socket.SOCK_STREAM
    proto = socket.IPPROTO_TCP
    send_buffer_default, receive_buffer_default = 16_384, 131_072  # tcp_wmem and tcp_rmem

    @property
    def touched(self) -> int:
        return self.sends + self.recvs + self.accepts

    # --- readiness -------------------------------------------------------------------------------

    def poll_mask(self) -> int:
        """What poll(2) would say, with every event asked for (tcp_poll)."""
        if self.ordinary:
            if self.queue is None:
                return 0 if self.waiting else OUT
            return IN if self.waiting else IN | OUT
        state = self.state
        if state is LISTEN:
            return IN if self.pending else 0
        mask = IN if self.queue is not None and self._held_bytes() >= self.least_readable else 0
        if state is not SYN_SENT and state is not SYN_RECEIVED and (self.send_shut or not self.waiting):
            mask |= OUT
        if self.receive_shut:
            mask |= IN | RDHUP
            if self.send_shut:
                mask |= HUP
        if state is CLOSED:
            mask |= HUP
        if self.so_error:
            mask |= ERR
        return mask

    # --- data ------------------------------------------------------------------------------------

    def send(self, data: Any, flags: int = 0) -> int:
        size = len(data)
        if 0 < size < self.free and data.__class__ is bytes and not flags:
            self.free -= size
            self.sends += 1
            now_ns = self.net.now_ns
            if self.log is not None:
                self.log((now_ns, _SEND, self.number, size, data))
            self.lane.append((now_ns + self.latency_ns, self.sequence(), self.peer, data))
            return size
        return self._send_slowly(data, flags)

    def _send_slowly(self, data: Any, flags: int) -> int:
        if flags & ~MSG_IGNORED:
            raise _not_simulated("send", flags & ~MSG_IGNORED)
        with memoryview(data) as view:
            size = view.nbytes
        if self.state not in CAN_SEND and not self.so_error:
            waits = self.state in (SYN_SENT, SYN_RECEIVED)
            raise self.failed("send", errno.EAGAIN if waits else errno.EPIPE)
        if self.so_error or self.send_shut:
            raise self.failed("send", self.take_error() or errno.EPIPE)
        if not size:
            return 0
        taken = min(size, self.credit)
        if not taken:
            self.waiting = True
            raise self.failed("send", errno.EAGAIN)
        self.sends += 1
        self.beyond -= 1  # its segments are counted as they are made
        if self.watched:
            taken = self._choose_send(data, taken)
        if taken == self.credit:
            self.waiting = True
        piece = bytes(memoryview(data).cast("B")[:taken])
        self.free -= taken
        self.note(_SEND, taken, piece)
        self.transmit(piece)
        self.refit()
        return taken

    def _choose_send(self, data: Any, size: int) -> int:
        match self.net.choose("send", self, self.sends, size, data):
            case None:
                return size
            case ("takes", count):
                return int(count)
            case ("again", _):
                raise self.failed("send", errno.EAGAIN)
            case _:
                self.cut_off()
                raise self.failed("send", self.take_error())

    def recv(self, size: int, flags: int = 0) -> bytes:
        queue = self.queue
        if queue is None or flags or self.watched:
            return self._recv_slowly(size, flags)
        if queue.__class__ is bytes and len(queue) <= size:
            self.queue = None
            data = queue
        else:
            data = self._take(size)
        taken = len(data)
        self.recvs += 1
        self.room += taken
        peer = self.peer
        if peer.waiting or self._overflow is not None:  # type: ignore[union-attr]
            self.consumed(taken)
        else:
            peer.free += taken  # type: ignore[union-attr]
        if self.log is not None:
            self.log((self.net.now_ns, _RECV, self.number, taken, None))
        return data

    def _take(self, size: int) -> bytes:
        queue = self.queue
        if not isinstance(queue, ByteQueue):
            assert queue is not None
            queue = self.queue = ByteQueue(queue)
        data = queue.take(size)
        if not queue.size:
            self.queue = None
        return data

    def _recv_slowly(self, size: int, flags: int) -> bytes:
        known = MSG_IGNORED | MSG_PEEK
        if flags & ~known:
            raise _not_simulated("recv", flags & ~known)
        if self.state is LISTEN:
            raise self.failed("recv", errno.ENOTCONN)
        if self.queue is not None:
            return self._recv_queued(size, flags)
        if self.fin_seen:
            return b""
        if self.so_error:
            raise self.failed("recv", self.take_error())
        if self.receive_shut:
            return b""
        if self.state is CLOSED:
            raise self.failed("recv", errno.ENOTCONN)
        raise self.failed("recv", errno.EAGAIN)

    def _recv_queued(self, size: int, flags: int) -> bytes:
        queue = self.queue if isinstance(self.queue, ByteQueue) else ByteQueue(self.queue or b"")
        if flags & MSG_PEEK:
            return queue.peek(size)
        self.recvs += 1
        # What is left over of a connection that has ended on both sides cannot be reset any more.
        if self.watched and self.state is not State.CLOSED:
            match self.net.choose("recv", self, self.recvs, min(size, queue.size), queue):
                case None:
                    pass
                case ("again", _):
                    raise self.failed("recv", errno.EAGAIN)
                case _:
                    self.queue = None
                    self.cut_off()
                    raise self.failed("recv", self.take_error())
        data = self._take(size)
        self.room += len(data)
        if self.peer is not None:
            self.consumed(len(data))
        self.note(_RECV, len(data))
        return data

    def send_message(self, data: bytes, flags: int, address: Any, control: list[tuple[int, int, Any]]) -> int:
        """tcp_sendmsg does not look at the address; control messages of other levels mean nothing to it."""
        return self.send(data, flags)

    def receive_message(self, size: int, flags: int, control_size: int) -> Message:
        return Message(self.recv(size, flags))

    def readable_bytes(self) -> int:
        """tcp_ioctl, SIOCINQ: EINVAL for a listener."""
        if self.state is LISTEN:
            raise self.failed("ioctl", errno.EINVAL)
        return self._held_bytes()

    def _held_bytes(self) -> int:
        queue = self.queue
        return 0 if queue is None else queue.size if isinstance(queue, ByteQueue) else len(queue)

    def unsent_bytes(self) -> int:
        """tcp_ioctl, SIOCOUTQ: what has not arrived at the peer; EINVAL for a listener."""
        if self.state is LISTEN:
            raise self.failed("ioctl", errno.EINVAL)
        if self.peer is None or self.state is CLOSED:
            return 0
        return max(0, self.queues()[1] - self.peer.readable_bytes())

    def info(self) -> bytes:
        """The first four bytes of `struct tcp_info`: the state, and what is sent again."""
        attempts = min(self._attempts, 0xFF) if self._unsent else 0
        return bytes([STATE_NUMBERS[self.state], _LOSS if attempts else 0, attempts, 0])

    def queues(self) -> tuple[int, int]:
        """Of a listener: who waits to be accepted, and its backlog; else what waits here, and at the peer."""
        if self.state is LISTEN:
            return len(self.pending), self.backlog
        unread = 0
        if self.peer is not None and self.state is not CLOSED:
            unread = self.capacity - self.credit - self.owed
        return self.readable_bytes(), unread

    # --- ending ----------------------------------------------------------------------------------

    def shutdown(self, how: int) -> None:
        """As inet_shutdown: a call that fails has effects all the same."""
        if how not in (socket.SHUT_RD, socket.SHUT_WR, socket.SHUT_RDWR):
            raise self.failed("shutdown", errno.EINVAL)
        reading, writing = how != socket.SHUT_WR, how != socket.SHUT_RD
        was = self.state
        if self.calls is CONNECTING:
            early = was in (SYN_SENT, SYN_RECEIVED, CLOSED)
            self.calls = DISCONNECTING if early else CONNECTED
        self.note(_SHUTDOWN, how)
        if was is SYN_SENT or (was is LISTEN and reading):
            self._disconnect()
        elif was is not LISTEN:
            self.receive_shut |= reading
            if writing:
                self.send_shut = True
                self._finish()
            self.refit()
            self.wake()
        if was is CLOSED:
            raise self.failed("shutdown", errno.ENOTCONN)

    def _finish(self) -> None:
        """Our FIN leaves, behind whatever was sent."""
        if tcp_states.allows(self.state, SENT_FIN):
            self._change(SENT_FIN)
            self.transmit(FIN)

    def close(self) -> None:
        """The last descriptor is gone; the connection may live on until its data is delivered."""
        self.orphan = True
        self.watchers = ()
        self.note(_CLOSE, 0)
        unread = self.queue is not None or self._overflow is not None
        self.queue = None
        if self.state is LISTEN:
            self._stop_listening()
        elif self.state in (SYN_SENT, CLOSED):
            self._change(ABORTED)
        elif unread or self.linger_seconds == 0 or self.state is SYN_RECEIVED:
            self._launch(RST, 0)
            self.abort(errno.ECONNRESET)
        else:
            self.send_shut = self.receive_shut = True
            self._finish()
            self.refit()
        if self.state is CLOSED:
            self._release_port()

    def _disconnect(self) -> None:
        """Back to a socket as new (tcp_disconnect), with the error that the program will be told."""
        if self.state is LISTEN:
            self._stop_listening()
        elif self.state is not CLOSED:
            if self.state is not SYN_SENT:
                self._launch(RST, 0)
            self.abort(errno.ECONNRESET)
        self.queue = None
        self._forget_address()
        self.send_shut = self.receive_shut = self.fin_seen = False
        self.calls = UNCONNECTED
        self.refit()
        self.wake()

    def _fell(self, was: State, lingers: bool) -> None:
        if lingers:
            self.host.ports.linger(self, self.net.now_ns)
        if not self._port_given or self.orphan:
            self._release_port()
        if was is SYN_RECEIVED and self.listener is not None:
            self.listener.half_open -= 1


def _not_simulated(call: str, flags: int) -> NotImplementedError:
    return NotImplementedError(f"{call}() with {flag_names(flags)} is not simulated")
