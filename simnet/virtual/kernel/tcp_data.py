"""Data of a TCP connection, as a program sends and receives it.

The order of the questions in `recv` and `send` is the order in which Linux asks them (tcp_recvmsg_locked and
tcp_sendmsg_locked in net/ipv4/tcp.c); a program can tell.  Flags that mean nothing to TCP are not looked at.

Owns the two calls, and the choices that a script may make of them.
"""

from __future__ import annotations

import errno
from typing import Any

from ...trace import Kind
from .. import linux as std
from .buffers import ByteQueue
from .control import check_socket_level
from .file import DATA, SPACE
from .sock import Message, flag_names
from .tcp_listener import ListeningEnd
from .tcp_states import CAN_SEND, CLOSED, LISTEN, SYN_RECEIVED, SYN_SENT
from .tcp_wire import ROOM, Urgent

# As plain integers: arithmetic on enumerations of flags costs microseconds.
_OOB, _PEEK, _TRUNC, _ERRQUEUE = map(int, (std.MSG_OOB, std.MSG_PEEK, std.MSG_TRUNC, std.MSG_ERRQUEUE))
_NOT_SIMULATED = int(std.MSG_MORE) | int(std.MSG_FASTOPEN)

_SEND, _RECV = int(Kind.SEND), int(Kind.RECV)


class DataEnd(ListeningEnd):
    """A TCP socket that sends and receives."""

    __slots__ = ()

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
        if flags & _NOT_SIMULATED:
            raise NotImplementedError(f"send() with {flag_names(flags & _NOT_SIMULATED)} is not simulated")
        size = len(data) if data.__class__ is bytes else memoryview(data).nbytes
        if self.state not in CAN_SEND and not self.so_error:
            waits = self.state in (SYN_SENT, SYN_RECEIVED)
            raise self.failed("send", errno.EAGAIN if waits else errno.EPIPE)
        if self.so_error or self.send_shut:
            raise self.failed("send", self.take_error() or errno.EPIPE)
        if not size:
            return 0
        taken = min(size, self.credit) if self.net.now_ns >= self._no_room_until_ns else 0
        if not taken:
            self.waiting = True
            raise self.failed("send", errno.EAGAIN)
        self.sends += 1
        self.beyond -= 1  # its segments are counted as they are made
        if self.watched:
            taken = self._choose_send(data, taken)
        if taken == self.credit:
            self.waiting = True
        piece = data[:taken] if data.__class__ is bytes else bytes(memoryview(data).cast("B")[:taken])
        self.free -= taken
        self.note(_SEND, taken, piece)
        if self.keepalive is not None:
            self.keepalive.sent()
        self.transmit(Urgent(piece) if flags & _OOB else piece)
        if not self.watched:  # else nothing that has passed meanwhile would open the fast path
            self.refit()
        return taken

    def _choose_send(self, data: Any, size: int) -> int:
        match self.net.choose("send", self, self.sends, size, data):
            case None:
                return size
            case ("takes", count):
                return int(count)
            case ("again", _):
                self.wake(SPACE)  # there is room, and no event to come would tell it (EPOLLET)
                raise self.failed("send", errno.EAGAIN)
            case ("blocks", time_ns):
                self.waiting = True
                self._no_room_until_ns = self.net.now_ns + time_ns
                self._later(time_ns, self, ROOM)
                raise self.failed("send", errno.EAGAIN)
            case ("fails", reason):
                raise self.failed("send", reason)
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
        assert queue is not None
        if not isinstance(queue, ByteQueue):
            if len(queue) <= size:
                self.queue = None
                return queue
            queue = self.queue = ByteQueue(queue)
        data = queue.take(size)
        if not queue.size:
            self.queue = None
        return data

    def _recv_slowly(self, size: int, flags: int) -> bytes:
        if flags & _ERRQUEUE:
            raise self.failed("recv", errno.EAGAIN)  # nothing of TCP goes there, but time stamps
        if self.state is LISTEN:
            raise self.failed("recv", errno.ENOTCONN)
        if flags & _OOB:
            return self._recv_urgent(size, flags).data
        if self._is_before_urgent_byte():
            if not size:
                return b""
            seen = self._pass_mark(bool(flags & _PEEK))
            if seen:
                return seen[:size]
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
        queue = self.queue
        assert queue is not None
        if flags & _PEEK:
            return queue.peek(size) if isinstance(queue, ByteQueue) else queue[:size]
        self.recvs += 1
        # What is left over of a connection that has ended on both sides cannot be reset any more.
        if self.watched and self.state is not CLOSED:
            match self.net.choose("recv", self, self.recvs, min(size, len(queue)), queue):
                case None:
                    pass
                case ("again", _):
                    self.wake(
                        DATA
                    )  # there is something to read, and no event to come would tell it (EPOLLET)
                    raise self.failed("recv", errno.EAGAIN)
                case ("fails", reason):
                    self.queue = None
                    self.abort(reason)
                    raise self.failed("recv", self.take_error())
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
        if control and self.state in CAN_SEND:
            for level, kind, _ in control:
                if level == std.SOL_SOCKET:
                    check_socket_level(kind)
        return self.send(data, flags)

    def receive_message(self, size: int, flags: int, control_size: int) -> Message:
        """MSG_TRUNC drops what is read, and says how much that was (tcp(7))."""
        if flags & _OOB and not flags & _ERRQUEUE and self.state is not LISTEN:
            return self._recv_urgent(size, flags)
        data = self.recv(size, flags)
        return Message(b"", length=len(data)) if flags & _TRUNC else Message(data)
