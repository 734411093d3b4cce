"""One end of a TCP connection, or a listener, as a program sees it: the calls, and what they answer.

Every method is a system call on a socket that does not block: it returns what Linux returns, or raises
the OSError that Linux would.  The order of the questions in `recv` and `send` is the order in which
Linux asks them (tcp_recvmsg_locked and tcp_sendmsg_locked in net/ipv4/tcp.c; inet_stream_connect and
inet_shutdown in net/ipv4/af_inet.c); a program can tell.

Owns calls, errors and readiness.  Buffers, segments and timers are `tcp_segments`.

Simplified, and what a program could notice of it: SO_LINGER with a time does not make close() wait; what
is queued is sent all the same.
"""

from __future__ import annotations

import errno
import os
import socket
from collections import deque
from enum import IntEnum, auto
from typing import TYPE_CHECKING, Any

from ...trace import Kind
from ...transport import ERR, HUP, IN, OUT, RDHUP
from . import tcp_states
from .buffers import ByteQueue
from .file import DATA
from .ports import ANY
from .sock import Message, flag_names
from .tcp_segments import FIN, RETRANSMIT, RST, SYN_ACK, SYN_RTO_NS, SegmentEnd, Syn
from .tcp_states import (
    ABORTED,
    CALLED_CONNECT,
    CALLED_LISTEN,
    CAN_SEND,
    CLOSED,
    GOT_SYN,
    LISTEN,
    SENT_FIN,
    SYN_RECEIVED,
    SYN_SENT,
    State,
)

if TYPE_CHECKING:
    from ..host import Host

# As plain integers: arithmetic on enumerations of flags costs microseconds.
MSG_IGNORED = int(socket.MSG_DONTWAIT) | int(getattr(socket, "MSG_NOSIGNAL", 0))
MSG_PEEK = int(socket.MSG_PEEK)

_SEND, _RECV, _SHUTDOWN, _CLOSE = map(int, (Kind.SEND, Kind.RECV, Kind.SHUTDOWN, Kind.CLOSE))
_LISTEN, _CONNECT, _ACCEPT, _FAIL = map(int, (Kind.LISTEN, Kind.CONNECT, Kind.ACCEPT, Kind.FAIL))


class Calls(IntEnum):
    """What connect() was used for so far: `socket.state` of Linux (include/linux/net.h)."""

    UNCONNECTED = auto()
    CONNECTING = auto()  # until connect() has told that it is done
    CONNECTED = auto()
    DISCONNECTING = auto()


UNCONNECTED, CONNECTING, CONNECTED, DISCONNECTING = Calls


class TcpEnd(SegmentEnd):
    """A TCP socket below its descriptors."""

    __slots__ = (
        "_address_given",
        "_port_given",
        "_port_held",
        "accepts",
        "backlog",
        "calls",
        "connects",
        "half_open",
        "listener",
        "pending",
    )

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        self.calls = UNCONNECTED
        self._address_given = False  # by bind(), and not 0.0.0.0
        self._port_given = False  # by bind() to an explicit port: kept until close()
        self._port_held = False
        self.listener: TcpEnd | None = None  # who made this end, until it is accepted
        self.pending: deque[TcpEnd] = deque()  # a listener's: established, not accepted
        self.half_open = 0  # a listener's: handshakes under way
        self.backlog = 0
        self.connects = self.accepts = 0  # for anchors

    family = socket.AF_INET
    kind = socket.SOCK_STREAM
    proto = socket.IPPROTO_TCP

    @property
    def touched(self) -> int:
        return self.sends + self.recvs + self.accepts

    @property
    def is_listening(self) -> bool:
        return self.state is LISTEN

    @property
    def is_connection(self) -> bool:
        return self.state is not LISTEN and self.state is not CLOSED

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
        mask = IN if self.queue is not None else 0
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

    # --- names -----------------------------------------------------------------------------------

    def given(self, call: str, address: Any) -> tuple[str, int]:
        return self.host.given_address(call, address)

    def getsockname(self) -> tuple[str, int]:
        return self.local

    def getpeername(self) -> tuple[str, int]:
        if self.state in (CLOSED, LISTEN, SYN_SENT):
            raise OSError(errno.ENOTCONN, os.strerror(errno.ENOTCONN))
        return self.remote

    def bind(self, address: tuple[str, int]) -> None:
        host_name, port = address
        if self.state is not CLOSED or self._port_held:
            raise self.failed("bind", errno.EINVAL)
        local = self.host.local_address(host_name)
        if local is None:
            raise self.failed("bind", errno.EADDRNOTAVAIL)
        try:
            self.host.ports.take(self, local, port, self.net.now_ns)
        except OSError:
            self.local = (ANY, self.local[1])
            raise self.failed("bind", errno.EADDRINUSE) from None
        self._port_held, self._port_given = True, port != 0
        self._address_given |= local != ANY

    # --- listening -------------------------------------------------------------------------------

    def listen(self, backlog: int) -> None:
        if self.calls is not UNCONNECTED or self.state not in (CLOSED, LISTEN):
            raise self.failed("listen", errno.EINVAL)
        if self.state is CLOSED:
            if not self._port_held:
                self.host.ports.take(self, self.local[0], 0, self.net.now_ns)
                self._port_held = True
            elif self.host.ports.conflicts(self, *self.local, self.net.now_ns):
                raise self.failed("listen", errno.EADDRINUSE)
            self.net.register_listener(self)
        self.backlog = max(backlog, 0)
        self._change(CALLED_LISTEN)
        self.host.ports.listening(self)
        self.note(_LISTEN, self.backlog)

    def on_syn(self, syn: Syn) -> None:
        """A SYN arrived: make an end for it, unless the queue is full.  The queue holds backlog + 1."""
        if len(self.pending) + self.half_open > self.backlog:
            syn.opener.syn_dropped(syn)
            return
        opener = syn.opener
        child = TcpEnd(self.host)
        child.peer, child.listener = opener, self
        child.local, child.remote = (syn.address, syn.port), opener.local
        child.path = self.net.path(self.host, opener.host)
        child.reuse_address, child.linger_seconds = self.reuse_address, self.linger_seconds
        child.send_buffer, child.receive_buffer = self.send_buffer, self.receive_buffer
        child.send_shut, child.receive_shut = self.send_shut, self.receive_shut
        child.calls = CONNECTED
        child._hold_shared_port()
        self.half_open += 1
        child._change(GOT_SYN)
        former, opener.peer = opener.peer, child
        child.fill_window()
        opener.fill_window()
        self.net.register_acceptor(child, opener)
        if former is not None and former.label == child.label:
            child.count_on(former)
        child.transmit(SYN_ACK)

    def _hold_shared_port(self) -> None:
        self.host.ports.share(self)
        self._port_held = True

    def awaits(self, local: tuple[str, int], remote: tuple[str, int]) -> bool:
        """Whether this end's SYN is on its way from `local` to `remote`."""
        return self.state is SYN_SENT and self.local == local and self.remote == remote

    def on_crossing_syn(self, syn: Syn) -> None:
        """A SYN arrived from where ours went (RFC 9293, section 3.5): simultaneous open."""
        self.peer = syn.opener
        self._change(GOT_SYN)
        self.fill_window()
        self.transmit(SYN_ACK)

    def _became_ready(self) -> None:
        listener = self.listener
        if listener is None:  # a crossing SYN made this connection
            self.wake()
            return
        listener.half_open -= 1
        if listener.state is LISTEN:
            listener.pending.append(self)
            listener.wake(DATA)
        else:
            self._reject()

    def _reject(self) -> None:
        """Nobody will ever accept this connection: its opener gets a RST."""
        self.linger_seconds = 0
        self.close()

    def accept(self) -> tuple[TcpEnd, tuple[str, int]]:
        """The first connection of the queue; ECONNABORTED never comes of itself on Linux."""
        if self.state is not LISTEN:
            raise self.failed("accept", errno.EINVAL)
        if not self.pending:
            raise self.failed("accept", errno.EAGAIN)
        self.accepts += 1
        if self.watched:
            effect = self.net.choose("accept", self, self.host.count_accept(self.label), 0)
            if effect is not None:
                if effect == ("fails", errno.ECONNABORTED):
                    self.pending.popleft()._reject()
                raise self.failed("accept", effect[1] or errno.EAGAIN)
        self.host.descriptors.check()
        child = self.pending.popleft()
        child.listener = None
        child.note(_ACCEPT, child.remote[1])
        return child, child.remote

    # --- connecting ------------------------------------------------------------------------------

    def connect(self, address: tuple[str, int]) -> None:
        if self.calls is DISCONNECTING:
            raise self.failed("connect", errno.EINVAL)
        if self.state is LISTEN or self.calls is CONNECTED:
            raise self.failed("connect", errno.EISCONN)
        if self.calls is CONNECTING:
            self._connect_again()
            return
        target, remote = self.host.route(address, self.local[0])
        if target is None:
            raise self.failed("connect", errno.ENETUNREACH)
        if target is not self.host and self.local[0].startswith("127."):
            raise self.failed("connect", errno.EINVAL)  # a martian source: ip_route_output_key
        if not self._port_held:
            source = self.local[0] if self.local[0] != ANY else self.host.source_address(remote[0])
            try:
                self.host.ports.take(self, source, 0, self.net.now_ns)
            except OSError:
                raise self.failed("connect", errno.EADDRNOTAVAIL) from None
            self._port_held = True
        else:
            if self.local[0] == ANY:
                self.local = (self.host.source_address(remote[0]), self.local[1])
            if self.host.ports.has_pair(self, remote):
                self._forget_address()
                raise self.failed("connect", errno.EADDRNOTAVAIL)
        self._start(target, remote)
        raise OSError(errno.EINPROGRESS, os.strerror(errno.EINPROGRESS))

    def _start(self, target: Host, remote: tuple[str, int]) -> None:
        """Send the SYN."""
        if self.path is not None:
            self._leave_ghost()
        self.remote = remote
        self.path = self.net.path(self.host, target)
        self.so_error = 0
        self.calls = CONNECTING
        self.free = self.room = 0
        self._change(CALLED_CONNECT)
        self.net.register_opener(self, target)  # anew: what is anchored on a name happens once
        self.sends = self.recvs = self.beyond = self.jitters = self.connects = 0
        self.note(_CONNECT, remote[1])
        syn = Syn(self, remote[0], remote[1])
        self.connects += 1
        effect = self.net.choose("connect", self, self.connects, 0) if self.watched else None
        match effect:
            case None:
                self.transmit(syn)
            case ("loses", times):
                self._lose_syn(syn, times)
            case ("refused", _):
                self._later(2 * self.path.latency_ns, self, RST)
            case _:
                raise AssertionError(effect)

    def _lose_syn(self, syn: Syn, times: int) -> None:
        self._attempts = times
        self._unsent.append(syn)
        self._retransmitting = True
        wait_ns = SYN_RTO_NS * ((1 << times) - 1)  # 1 s, and 2 s more, and 4 s more
        self.net.schedule.plan(self.net.now_ns + wait_ns, self, RETRANSMIT)

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

    def _forget_address(self) -> None:
        """The address that connect() gave goes with the connection (inet_bhash2_reset_saddr)."""
        if not self._address_given:
            self.local = (ANY, self.local[1])

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
        queue = self.queue
        return 0 if queue is None else queue.size if isinstance(queue, ByteQueue) else len(queue)

    def unsent_bytes(self) -> int:
        """tcp_ioctl, SIOCOUTQ: what has not arrived at the peer; EINVAL for a listener."""
        if self.state is LISTEN:
            raise self.failed("ioctl", errno.EINVAL)
        if self.peer is None or self.state is CLOSED:
            return 0
        return max(0, self.queues()[1] - self.peer.readable_bytes())

    def queues(self) -> tuple[int, int]:
        """Of a listener: who waits to be accepted, and its backlog; else what waits here, and at the peer."""
        if self.state is LISTEN:
            return len(self.pending), self.backlog
        unread = 0
        if self.peer is not None and self.state is not CLOSED:
            unread = self.capacity - self.credit - self.owed
        return self.readable_bytes(), unread

    def names(self) -> tuple[str, str]:
        remote = "*" if self.state in (LISTEN, CLOSED) else "{}:{}".format(*self.remote)
        return "{}:{}".format(*self.local), remote

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

    def _stop_listening(self) -> None:
        self.host.ports.not_listening(self)
        pending, self.pending = self.pending, deque()
        for child in pending:
            child._reject()
        self._change(ABORTED)
        self.send_shut = self.receive_shut = False

    def _fell(self, was: State, lingers: bool) -> None:
        if lingers:
            self.host.ports.linger(self, self.net.now_ns)
        if not self._port_given or self.orphan:
            self._release_port()
        if was is SYN_RECEIVED and self.listener is not None:
            self.listener.half_open -= 1

    def _release_port(self) -> None:
        if self._port_held:
            self._port_held = False
            self.host.ports.release(self)

    def failed(self, call: str, reason: int) -> OSError:
        self.note(_FAIL, reason, call)
        return super().failed(call, reason)


def _not_simulated(call: str, flags: int) -> NotImplementedError:
    return NotImplementedError(f"{call}() with {flag_names(flags)} is not simulated")
