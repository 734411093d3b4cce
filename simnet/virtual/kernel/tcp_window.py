"""One end of a TCP connection: its state, its buffers, and how much may be under way.

How bytes flow.  `send` hands bytes to `transmit`; the path says when they arrive; `arrive` puts them
into the receive queue of the peer.  There are no acknowledgement events.  A sender's `free` counts what
its own buffer and the peer's may still hold; whoever reads gives it back.  Only a sender that was told
EAGAIN waits for a window update, which travels like everything else.

Two numbers carry the fast path.  `free` is what `send` may take without asking anybody, `room` is what
`arrive` may store without asking anybody.  In every other situation (not connected, shut, faulty,
behind a lost segment, watched by a script) they are lowered by `BARRED`, so that one comparison
leaves the fast path, and arithmetic on them stays right.

Owns what an end remembers, its step from state to state, and the window.  What leaves is `tcp_retransmit`,
what arrives is `tcp_segments`, and what a program may call is `tcp`.

Simplified, and what a program could notice of it: a sender that is not blocked gets its space back the
moment the peer reads, one latency early; who shut down reading still announces its window, where on
Linux the sender has to probe for it, after 200 ms; bytes beyond the peer's window travel and wait there.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import deque
from typing import TYPE_CHECKING, Any

from ...trace import Kind
from .. import linux as std
from . import tcp_states
from .addresses import WILDCARD
from .buffers import ByteQueue
from .options import RECEIVE_BUFFER_MIN, SEND_BUFFER_MIN
from .sock import RECEIVE_BUFFER_BYTES, SEND_BUFFER_BYTES, SocketEnd
from .tcp_states import (
    ABORTED,
    CAN_SEND,
    CLOSED,
    CLOSING,
    ESTABLISHED,
    FIN_WAIT_1,
    FIN_WAIT_2,
    LAST_ACK,
    SYN_SENT,
    SYNCHRONIZED,
    Event,
    State,
)
from .tcp_wire import REFILL, WINDOW

if TYPE_CHECKING:
    from ..host import Host
    from ..link import Path
    from .tcp_keepalive import Keepalive
    from .tcp_segments import SegmentEnd
    from .tcp_urgent import Mark

BARRED = 1 << 62
_HALF_BARRED = -(BARRED >> 1)  # room may fall below 0 when a buffer is made smaller

FIN_UNDER_WAY = frozenset({FIN_WAIT_1, CLOSING, LAST_ACK})
_RESET = int(Kind.RESET)


class WindowEnd(SocketEnd):
    """What an end of a connection remembers."""

    __slots__ = (
        "_asked_ns",
        "_attempts",
        "_excess_bytes",
        "_first_retry_ns",
        "_in_order_ns",
        "_no_room_until_ns",
        "_overflow",
        "_overflow_since_ns",
        "_retransmitting",
        "_undelivered_bytes",
        "_unsent",
        "alias",
        "beyond",
        "family",
        "fin_seen",
        "free",
        "jitters",
        "keepalive",
        "label",
        "lane",
        "latency_ns",
        "least_readable",
        "local",
        "log",
        "mark",
        "number",
        "ordinary",
        "orphan",
        "owed",
        "path",
        "peer",
        "queue",
        "receive_shut",
        "recvs",
        "remote",
        "room",
        "send_shut",
        "sends",
        "sequence",
        "state",
        "waiting",
        "watched",
    )

    def __init__(self, host: Host, family: int) -> None:
        super().__init__(host)
        self.family = family
        net = self.net
        self.log = net.log
        self.sequence = net.schedule.sequence
        self.label = self.alias = ""
        self.number = 0  # in the trace
        self.state = CLOSED
        self.send_shut = self.receive_shut = self.fin_seen = False
        self.orphan = False  # no descriptor refers to this end any more
        self.ordinary = False  # established, nothing shut, no error: the fast path of readiness
        self.watched = False  # a script, a storm or a rule may have a say
        self.peer: SegmentEnd | None = None
        self.path: Path | None = None
        self.lane: Any = None
        self.latency_ns = 0
        self.local = self.remote = (WILDCARD[family], 0)
        self.queue: bytes | ByteQueue | None = None
        self.mark: Mark | None = None  # where the stream has an urgent byte, and what is behind it
        self._overflow: deque[Any] | None = None  # has arrived, but the window is full
        self.free = self.room = -BARRED
        self.least_readable = 1  # SO_RCVLOWAT
        self._overflow_since_ns = 0
        self.keepalive: Keepalive | None = None  # SO_KEEPALIVE
        self._undelivered_bytes = 0  # at the end of a connection that was cut short
        self._excess_bytes = 0  # sent, though the buffers have become smaller than that since
        self.owed = 0  # what the peer has read since this sender was told EAGAIN
        self.waiting = False  # has no room left, and waits for a window update
        self._no_room_until_ns = 0  # what a script says of the room, whatever there is
        self._unsent: deque[Any] = deque()  # lost, or behind something lost
        self._retransmitting = False
        self._attempts = 0
        self._first_retry_ns = 0  # since when TCP_USER_TIMEOUT counts; of a SYN, when it left (retrans_stamp)
        self._asked_ns = 0  # when the last SYN left, or its answer
        self._in_order_ns = 0  # nothing may arrive before what was sent earlier
        self.sends = self.recvs = self.jitters = 0  # for anchors: operations so far
        self.beyond = 0  # how many more segments than sends there were: the fast path makes one of each
        if host.buffers_max is not None:
            self.fit_buffers()

    @property
    def touched(self) -> int:
        return self.sends + self.recvs

    @property
    def state_name(self) -> str:
        return self.state.name

    @property
    def is_blocked(self) -> bool:
        return self.waiting

    @abstractmethod
    def transmit(self, item: Any) -> None:
        """Send one segment: bytes, a Segment or a Syn."""

    @abstractmethod
    def arrive(self, item: Any) -> None:
        """A segment has arrived, or a timer of this end is due."""

    @abstractmethod
    def _await_fin(self) -> None:
        """Our FIN is acknowledged, and no program has a descriptor of this end any more."""

    @abstractmethod
    def _fell(self, was: State, lingers: bool) -> None:
        """The end fell to CLOSED; whether it leaves TIME_WAIT behind."""

    # --- the window ------------------------------------------------------------------------------

    @property
    def capacity(self) -> int:
        """Bytes that fit between the two programs: our buffer, and the peer's."""
        return self.send_buffer + (self.peer.receive_buffer if self.peer is not None else 0)

    @property
    def credit(self) -> int:
        """Bytes that `send` would take now, whatever bars the fast path."""
        return self.free + BARRED if self.free < 0 else self.free

    @property
    def window(self) -> int:
        """Bytes that fit into the receive buffer."""
        return max(self.room + BARRED if self.room < _HALF_BARRED else self.room, 0)

    def _held_bytes(self) -> int:
        """What waits in the receive queue, an urgent byte and what is behind it included."""
        queue = self.queue
        size = 0 if queue is None else queue.size if isinstance(queue, ByteQueue) else len(queue)
        return size if self.mark is None else size + self.mark.size

    def _unacknowledged_bytes(self) -> int:
        """What has left, or waits to leave, and is not in the peer's receive queue; a SYN and a FIN count."""
        peer, state = self.peer, self.state
        if state is CLOSED:
            return self._undelivered_bytes
        if peer is None:
            return 1
        return self._unread_bytes() - peer._held_bytes() + (state in FIN_UNDER_WAY)

    def _unread_bytes(self) -> int:
        """What was sent, and the peer's program has not read."""
        return self.capacity - self.credit + self._excess_bytes - self.owed

    def fill_window(self) -> None:
        """The peer is known: so is how much fits between the two programs, once the connection stands."""
        self.free += self.capacity
        self.room += self.receive_buffer

    def _meet(self, peer: SegmentEnd) -> None:
        """A SYN tells who the peer is."""
        if self.peer is not peer:
            self.peer = peer
            self.fill_window()

    def consumed(self, size: int) -> None:
        """The program has read `size` bytes of a connection on which somebody waits for that."""
        peer, path = self.peer, self.path
        assert peer is not None
        if self._overflow is not None and path is not None and self._window_opens():
            self._later(2 * path.latency_ns, self, REFILL)
        if peer.waiting:
            before = peer.owed
            peer.owed += size
            enough, credit = peer.capacity // 3, peer.credit - peer._excess_bytes
            if before < enough <= peer.owed or credit + before < enough <= credit + peer.owed:
                self.transmit(WINDOW)
        else:
            peer.free += size

    def _later(self, delay_ns: int, target: WindowEnd, item: Any) -> None:
        if delay_ns:
            self.net.schedule.plan(self.net.now_ns + delay_ns, target, item)
        else:
            target.arrive(item)

    def set_buffers(self, send: int | None = None, receive: int | None = None) -> None:
        """Change the size of a buffer, of a connection or of one to come."""
        more_send = 0 if send is None else send - self.send_buffer
        more_receive = 0 if receive is None else receive - self.receive_buffer
        self.send_buffer += more_send
        self.receive_buffer += more_receive
        if self.peer is not None and self.state is not CLOSED:
            self._give_room(more_send)
            self.room = self.window + more_receive
            self.peer._give_room(more_receive)
            self.refit()
            self.peer.refit()

    def fit_buffers(self) -> None:
        """Take the sizes that the host has for whoever sets none.

        SO_SNDBUF and SO_RCVBUF lock a buffer (SOCK_SNDBUF_LOCK): sk_stream_moderate_sndbuf leaves it alone.
        """
        most = self.host.buffers_max
        send, receive = SEND_BUFFER_BYTES, RECEIVE_BUFFER_BYTES
        if most is not None:
            send, receive = max(min(most, send), SEND_BUFFER_MIN), max(min(most, receive), RECEIVE_BUFFER_MIN)
        self.set_buffers(
            None if self.kept(std.SOL_SOCKET, std.SO_SNDBUF, 0) else send,
            None if self.kept(std.SOL_SOCKET, std.SO_RCVBUF, 0) else receive,
        )

    def _give_room(self, size: int) -> None:
        """There is room for so many bytes more, or fewer; what is sent already may be more than that."""
        barred, room = BARRED if self.free < 0 else 0, self.credit - self._excess_bytes + size
        self.free, self._excess_bytes = max(room, 0) - barred, max(-room, 0)
        if self._excess_bytes:
            self.waiting = True

    def _window_opens(self) -> bool:
        """Whether there is so much room again that the peer is told (__tcp_select_window).

        That is half of the buffer, or a segment, which over loopback is larger than most buffers.
        """
        assert self.path is not None
        return self.path.source is not self.path.target or 2 * self.window >= self.receive_buffer

    # --- state -----------------------------------------------------------------------------------

    def _change(self, event: Event) -> None:
        """Take one step of the table, and what follows from it."""
        was = self.state
        if was is SYN_SENT:
            self.host.ports.asks_no_more(self)  # type: ignore[arg-type]
        self.state = tcp_states.advance(was, event)
        if self.state is CLOSED:
            self.send_shut = self.receive_shut = True
            self._fell(was, tcp_states.lingers(was, event))
        elif self.state is FIN_WAIT_2 and self.orphan:
            self._await_fin()
        if was in SYNCHRONIZED or self.state in SYNCHRONIZED:  # else the fast path was barred, and stays so
            self.refit()

    def abort(self, reason: int) -> None:
        """The connection is dead: nothing more leaves or arrives, and `reason` waits to be told."""
        self.note(_RESET, reason)
        self.so_error = 0 if self.orphan else reason
        self._undelivered_bytes = self._unacknowledged_bytes()
        self._unsent.clear()
        self._overflow, self.waiting = None, False
        self._change(ABORTED)
        self.wake()

    def refit(self) -> None:
        """Bar or open the fast path for `send` and `arrive`, after anything changed that they ask."""
        state, path = self.state, self.path
        if state not in SYNCHRONIZED or (self.send_shut and self.receive_shut):
            self.ordinary = False
            if self.free >= 0:
                self.free -= BARRED
            if self.room >= _HALF_BARRED:
                self.room -= BARRED
            return
        free = self.free + BARRED if self.free < 0 else self.free  # `credit`, without the call
        room = self.room + BARRED if self.room < _HALF_BARRED else self.room
        is_plain = self.least_readable == 1 and self.mark is None
        is_shut = self.send_shut or self.receive_shut
        self.ordinary = is_plain and state is ESTABLISHED and not (is_shut or self.so_error)
        if (
            state in CAN_SEND
            and not (self.send_shut or self.so_error or self.watched or self._unsent)
            and self.keepalive is None
            and path is not None
            and path.is_plain
            and self._in_order_ns <= self.net.now_ns + path.latency_ns
        ):
            self.lane, self.latency_ns = path.lane, path.latency_ns
            self.free = free
        else:
            self.free = free - BARRED
        may_store = is_plain and not self.receive_shut and self._overflow is None and self.keepalive is None
        self.room = room if may_store else room - BARRED
