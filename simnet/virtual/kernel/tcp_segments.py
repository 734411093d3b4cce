"""One end of a TCP connection, as the wire sees it: what leaves, what arrives, what is sent again.

Owns buffers, windows, the order of segments and the timers of retransmission.  Does not own what a
program may call and what it is told: that is `tcp.TcpEnd`, which builds on this.

How bytes flow.  `send` hands bytes to `transmit`; the path says when they arrive; `arrive` puts them
into the receive queue of the peer.  There are no acknowledgement events.  A sender's `free` counts what
its own buffer and the peer's may still hold; whoever reads gives it back.  Only a sender that was told
EAGAIN waits for a window update, which travels like everything else.

Two numbers carry the fast path.  `free` is what `send` may take without asking anybody, `room` is what
`arrive` may store without asking anybody.  In every other situation (not connected, shut, faulty,
behind a lost segment, watched by a script) they are lowered by `BARRED`, so that one comparison
leaves the fast path, and arithmetic on them stays right.

Simplified, and what a program could notice of it: a sender that is not blocked gets its space back the
moment the peer reads, one latency early; who shut down reading still announces its window, where on
Linux the sender has to probe for it, after 200 ms; bytes beyond the peer's window travel and wait there;
a lost segment comes again after a time-out (RFC 6298: 200 ms on Linux, doubling), never by fast
retransmit; an end that its program has closed waits for the peer's FIN as long as that takes, where Linux
gives up after 60 s (tcp_fin_timeout).
"""

from __future__ import annotations

import errno
from collections import deque
from enum import IntEnum
from typing import TYPE_CHECKING, Any

import attrs

from ...trace import Kind
from ...units import SECOND_NS
from . import tcp_states
from .buffers import ByteQueue
from .file import DATA, SPACE
from .sock import SocketEnd
from .tcp_states import (
    ABORTED,
    CAN_SEND,
    CLOSE_WAIT,
    CLOSED,
    ESTABLISHED,
    GOT_ACK,
    GOT_FIN,
    GOT_SYN_ACK,
    LISTEN,
    SYN_RECEIVED,
    SYN_SENT,
    SYNCHRONIZED,
    Event,
    State,
)

if TYPE_CHECKING:
    from ..host import Host
    from ..link import Path
    from ..schedule import Entry

BARRED = 1 << 62
_HALF_BARRED = -(BARRED >> 1)  # room may fall below 0 when a buffer is made smaller
RTO_FIRST_NS = SECOND_NS // 5  # TCP_RTO_MIN
RTO_MAX_NS = 120 * SECOND_NS  # TCP_RTO_MAX
RETRIES_MAX = 15  # tcp_retries2
SYN_RTO_NS = SECOND_NS  # TCP_TIMEOUT_INIT
SYN_RETRIES_MAX = 6  # tcp_syn_retries
SYN_ACK_RETRIES_MAX = 5  # tcp_synack_retries

_ARRIVE, _ESTABLISHED = int(Kind.ARRIVE), int(Kind.ESTABLISHED)
_FIN, _RESET = int(Kind.FIN), int(Kind.RESET)


class Segment(IntEnum):
    """What travels besides data."""

    SYN_ACK = 1
    ACK = 2  # of a SYN+ACK or of a FIN; data is not acknowledged by events
    FIN = 3
    RST = 4
    WINDOW = 5  # the peer has read: there is room again


class Timer(IntEnum):
    """What an end plans for itself; no number is that of a Segment."""

    RETRANSMIT = 11
    REFILL = 12  # bytes that waited for the window may come in


SYN_ACK, ACK, FIN, RST, WINDOW = Segment
RETRANSMIT, REFILL = Timer


@attrs.define(eq=False)
class Syn:
    """A wish to connect, on its way to the host that has the address."""

    opener: SegmentEnd
    address: str
    port: int

    def __repr__(self) -> str:
        return "Segment.SYN"


class SegmentEnd(SocketEnd):
    """An end of a connection, below the calls of a program."""

    __slots__ = (
        "_asked_ns",
        "_attempts",
        "_held_fin",
        "_in_order_ns",
        "_overflow",
        "_retransmitting",
        "_unsent",
        "alias",
        "beyond",
        "fin_seen",
        "free",
        "jitters",
        "label",
        "lane",
        "latency_ns",
        "local",
        "log",
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

    def __init__(self, host: Host) -> None:
        super().__init__(host)
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
        self.local = self.remote = ("0.0.0.0", 0)
        self.queue: bytes | ByteQueue | None = None
        self._overflow: ByteQueue | None = None  # has arrived, but the window is full
        self._held_fin = False  # a FIN behind the overflow
        self.free = self.room = -BARRED
        self.owed = 0  # what the peer has read since this sender was told EAGAIN
        self.waiting = False  # has no room left, and waits for a window update
        self._unsent: deque[Any] = deque()  # lost, or behind something lost
        self._retransmitting = False
        self._attempts = 0
        self._asked_ns = 0  # when the last segment without data left
        self._in_order_ns = 0  # nothing may arrive before what was sent earlier
        self.sends = self.recvs = self.jitters = 0  # for anchors: operations so far
        self.beyond = 0  # how many more segments than sends there were: the fast path makes one of each

    @property
    def touched(self) -> int:
        return self.sends + self.recvs

    @property
    def state_name(self) -> str:
        return self.state.name

    @property
    def is_blocked(self) -> bool:
        return self.waiting

    # --- what leaves -----------------------------------------------------------------------------

    def transmit(self, item: Any) -> None:
        """Send one segment: bytes, a Segment or a Syn."""
        if item.__class__ is not bytes:
            if self._unsent:
                self._unsent.append(item)
            else:
                self._launch(item, 0)
        else:
            assert self.path is not None
            for piece in self.path.pieces(item):
                self._transmit_data(piece)

    def _transmit_data(self, data: bytes) -> None:
        if self._unsent:
            self._unsent.append(data)
            return
        self.beyond += 1
        effect = None
        if self.watched:
            effect = self.net.choose("segment", self, self.sends + self.beyond, len(data), data)
        match effect:
            case None:
                self._launch(data, 0)
            case ("late", delay_ns):
                self._launch(data, delay_ns)
            case ("cut", size):
                self._launch(data[:size], 0)
                if self._unsent:  # the first part found no room in the queue of the link
                    self._unsent.append(data[size:])
                else:
                    self._launch(data[size:], CUT_PAUSE_NS)
            case ("lost", _):
                self._lose(data)
            case ("reset", _):
                self.cut_off()
            case _:
                raise AssertionError(effect)

    def _launch(self, item: Any, delay_ns: int) -> None:
        """Put a segment on the path, or into the queue for retransmission."""
        path, net = self.path, self.net
        assert path is not None
        target = path.target if item.__class__ is Syn else self.peer
        assert target is not None
        if path.source is path.target and not delay_ns and self._in_order_ns <= net.now_ns:
            target.arrive(item)
            return
        if path.jitter_ns:
            self.jitters += 1
            jitter = net.choose("jitter", self, self.jitters, path.jitter_ns) if self.watched else None
            delay_ns += jitter[1] if jitter else 0
        if item.__class__ is bytes:
            size = len(item)
        else:
            size = 0
            self._asked_ns = net.now_ns
        when_ns = path.arrival_ns(net.now_ns, size) if path.is_open else None
        if when_ns is None:
            self._lose(item)
            return
        self._in_order_ns = max(self._in_order_ns, when_ns + delay_ns)
        net.schedule.plan(self._in_order_ns, target, item)

    def _lose(self, item: Any) -> None:
        """A segment got lost: it, and whatever comes after it, waits for a retransmission."""
        if item is RST:
            self._leave_unheard()
            return
        self._unsent.append(item)
        self.refit()
        if not self._retransmitting:
            self._plan_retransmission()

    def keep_order(self, path: Path) -> None:
        """The latency of `path` will change: nothing may overtake what is on it already."""
        if self.path is path:
            self._in_order_ns = max(self._in_order_ns, self.net.now_ns + path.latency_ns)

    def lose_in_flight(self, items: list[Any]) -> None:
        """These segments of ours were on a path that was cut; they precede what is still unsent."""
        for item in reversed(items):
            if item is RST:
                self._leave_unheard()
            else:
                self._unsent.appendleft(item)
        if self._unsent and not self._retransmitting:
            self._lose(self._unsent.pop())

    def _plan_retransmission(self) -> None:
        assert self.path is not None
        if self.state in OPENING:
            # Counted from when the SYN left, not from when it got lost.
            when_ns = self._asked_ns + (SYN_RTO_NS << self._attempts)
            while when_ns <= self.net.now_ns:  # those that were sent meanwhile met the same fate
                self._attempts += 1
                when_ns += SYN_RTO_NS << self._attempts
        else:
            wait_ns = min(RTO_FIRST_NS << self._attempts, RTO_MAX_NS) + 2 * self.path.latency_ns
            when_ns = self.net.now_ns + wait_ns
        self._attempts += 1
        self._retransmitting = True
        self.net.schedule.plan(when_ns, self, RETRANSMIT)

    def _on_retransmit(self) -> None:
        self._retransmitting = False
        if not self._unsent:
            return
        assert self.path is not None
        if self._attempts > _RETRIES_MAX.get(self.state, RETRIES_MAX):
            self._give_up()
        elif not self.path.is_open:
            self._asked_ns = self.net.now_ns
            self._plan_retransmission()
        else:
            waiting, self._unsent = self._unsent, deque()
            for item in waiting:
                if self._unsent:
                    self._unsent.append(item)
                    continue
                self._launch(item, 0)
                if not self._unsent and self.state not in OPENING:
                    self._attempts = 0
            self.refit()

    def _give_up(self) -> None:
        """Nothing came through for too long.  Who only has something to acknowledge never knows that."""
        if all(item is ACK or item is WINDOW for item in self._unsent):
            self._unsent.clear()
            self._attempts = 0
        else:
            self.abort(errno.ETIMEDOUT)

    def syn_dropped(self, syn: Syn) -> None:
        """The listener's queue was full: the SYN is ignored, and will be sent again (listen(2))."""
        if self.state is SYN_SENT and syn.opener is self and not self._unsent:
            self._lose(syn)

    def _leave_unheard(self) -> None:
        """This end is gone, and its peer does not know: if it waits for an answer, it will ask again."""
        peer = self.peer
        if peer is not None and peer.peer is self and peer.state is SYN_SENT:
            peer.syn_dropped(Syn(peer, *peer.remote))

    def count_on(self, former: SegmentEnd) -> None:
        """This end stands in for one of the same name that vanished: anchors do not begin anew."""
        self.sends, self.recvs = former.sends, former.recvs
        self.beyond, self.jitters = former.beyond, former.jitters

    def cut_off(self) -> None:
        """The connection is reset from outside: both ends learn it by a RST."""
        peer = self.peer
        if peer is not None:
            self._launch(RST, 0)
        self._on_rst()

    # --- what arrives ----------------------------------------------------------------------------

    def arrive(self, item: Any) -> None:
        """A segment has arrived, or a timer of this end is due."""
        if item.__class__ is bytes:
            size = len(item)
            if size > self.room:
                self._on_data(item)
                return
            self.room -= size
            if self.queue is None:
                self.queue = item
            elif self.queue.__class__ is ByteQueue:
                self.queue.append(item)
            else:
                self.queue = ByteQueue(self.queue, item)  # type: ignore[arg-type]
            if self.log is not None:
                self.log((self.net.now_ns, _ARRIVE, self.number, size, item))
            for watcher in self.watchers:
                if not watcher.queued and watcher.readable():
                    break
        else:
            _ON[item](self)

    def _on_data(self, data: bytes) -> None:
        if self.state not in SYNCHRONIZED:
            self._refuse()
        elif self.receive_shut and (self.orphan or self.send_shut):
            # Nobody will ever read this (tcp_rcv_state_process: data after a full shutdown).
            self._refuse()
            self.abort(errno.EPIPE if self.fin_seen else errno.ECONNRESET)
        elif self._overflow is not None:
            self._overflow.append(data)
        else:
            self._store(data)

    def _store(self, data: bytes) -> None:
        """Take what the window has room for; the rest waits, as it would at the sender."""
        window = self.window
        if len(data) > window:
            self._overflow = ByteQueue(data[window:])
            data = data[:window]
            self.refit()
        if not data:
            return
        self.room -= len(data)
        if self.queue is None:
            self.queue = data
        elif isinstance(self.queue, ByteQueue):
            self.queue.append(data)
        else:
            self.queue = ByteQueue(self.queue, data)
        self.note(_ARRIVE, len(data), data)
        self.wake(DATA)

    def _on_refill(self) -> None:
        """The program has read, and what waited for the window comes in."""
        peer = self.peer
        assert peer is not None
        assert peer.path is not None
        if not peer.path.is_open:
            self._later(RTO_FIRST_NS, self, REFILL)
            return
        overflow, self._overflow = self._overflow, None
        if overflow is not None and self.state in SYNCHRONIZED:
            self._store(overflow.take(overflow.size))
        if self._held_fin and self._overflow is None:
            self._held_fin = False
            self._on_fin()
        self.refit()

    def _on_syn_ack(self) -> None:
        if not tcp_states.allows(self.state, GOT_SYN_ACK):
            self._refuse()
            return
        was = self.state
        if was is SYN_SENT:
            self._unsent.clear()  # the SYN, which would have been sent again
            self._attempts = 0
        self._change(GOT_SYN_ACK)
        self.note(_ESTABLISHED, 0)
        self.transmit(ACK)
        if was is SYN_RECEIVED:
            self._make_good()
        self.wake()

    def _on_ack(self) -> None:
        if self.state is SYN_RECEIVED:
            self._attempts = 0
            self._change(GOT_ACK)
            self.note(_ESTABLISHED, 0)
            self._became_ready()
            self._make_good()
        elif tcp_states.allows(self.state, GOT_ACK):
            self._change(GOT_ACK)

    def _make_good(self) -> None:
        """For a shutdown() that came too early, as tcp_rcv_state_process does in SYN_RECEIVED."""
        if self.send_shut:
            self._finish()

    def _finish(self) -> None:
        """Our FIN leaves, behind whatever was sent."""
        raise NotImplementedError

    def _became_ready(self) -> None:
        """The handshake of an end that a listener made is over."""
        raise NotImplementedError

    def _on_fin(self) -> None:
        if self._overflow is not None:
            self._held_fin = True
        elif not tcp_states.allows(self.state, GOT_FIN):
            if self.state not in SYNCHRONIZED:
                self._refuse()
        else:
            self.receive_shut = self.fin_seen = True
            self.note(_FIN, 0)
            self.transmit(ACK)
            self._change(GOT_FIN)
            self.wake()

    def _on_rst(self) -> None:
        if self.state in (CLOSED, LISTEN):
            return
        reason = {SYN_SENT: errno.ECONNREFUSED, CLOSE_WAIT: errno.EPIPE}
        self.abort(reason.get(self.state, errno.ECONNRESET))

    def _on_window(self) -> None:
        self.free += self.owed
        self.owed = 0
        if self.waiting and 3 * self.credit >= self.capacity:
            self.waiting = False
            self.wake(SPACE)

    def _refuse(self) -> None:
        """Answer with a RST: there is no such connection here (RFC 9293, section 3.10.7.1)."""
        if self.peer is not None and self.path is not None and self.path.is_open:
            self._launch(RST, 0)

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

    def fill_window(self) -> None:
        """The peer is known: so is how much fits between the two programs."""
        self.free += self.capacity
        self.room += self.receive_buffer
        self.refit()

    def consumed(self, size: int) -> None:
        """The program has read `size` bytes of a connection on which somebody waits for that."""
        peer, path = self.peer, self.path
        assert peer is not None
        if self._overflow is not None and path is not None:
            self._later(2 * path.latency_ns, self, REFILL)
        if peer.waiting:
            before = peer.owed
            peer.owed += size
            enough = peer.capacity // 3
            if before < enough <= peer.owed or peer.credit + before < enough <= peer.credit + peer.owed:
                self.transmit(WINDOW)
        else:
            peer.free += size

    def _later(self, delay_ns: int, target: SegmentEnd, item: Any) -> None:
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
        if self.peer is not None:
            self.free = max(self.credit + more_send, 0)
            self.room = self.window + more_receive
            self.peer.free = max(self.peer.credit + more_receive, 0)
            self.refit()
            self.peer.refit()

    def vanish(self) -> None:
        """The host crashed: the end is gone, and nobody is told."""
        self.orphan = True
        self.watchers = ()
        self.queue = self._overflow = None
        self._unsent.clear()
        self._leave_unheard()
        self.state = CLOSED
        self.refit()

    def _leave_ghost(self) -> None:
        """Before this end connects anew: what is under way to its last connection finds nobody there."""
        ghost = type(self)(self.host)
        ghost.orphan, ghost.label, ghost.alias, ghost.number = True, self.label, self.alias, self.number
        ghost.local, ghost.remote, ghost.path, ghost.peer = self.local, self.remote, self.path, self.peer
        if self.peer is not None and self.peer.peer is self:
            self.peer.peer = ghost
        self.peer = None
        self._retransmitting, self._attempts, self._in_order_ns, self.owed = False, 0, 0, 0
        for time_ns, _, target, item in self.net.schedule.extract(self._is_under_way):
            if item.__class__ is Syn:
                self.net.schedule.plan(time_ns, target, Syn(ghost, item.address, item.port))
            elif item.__class__ is not Timer:
                self.net.schedule.plan(time_ns, ghost, item)

    def _is_under_way(self, entry: Entry) -> bool:
        """Whether an entry of the schedule is for this end, or a SYN from it."""
        _, _, target, item = entry
        return target is self or (item.__class__ is Syn and item.opener is self)

    # --- state -----------------------------------------------------------------------------------

    def _change(self, event: Event) -> None:
        """Take one step of the table, and what follows from it."""
        was = self.state
        self.state = tcp_states.advance(was, event)
        if self.state is CLOSED:
            self.send_shut = self.receive_shut = True
            self._fell(was, tcp_states.lingers(was, event))
        self.refit()

    def _fell(self, was: State, lingers: bool) -> None:
        """The end fell to CLOSED; whether it leaves TIME_WAIT behind."""
        raise NotImplementedError

    def abort(self, reason: int) -> None:
        """The connection is dead: nothing more leaves or arrives, and `reason` waits to be told."""
        self.note(_RESET, reason)
        self.so_error = 0 if self.orphan else reason
        self._unsent.clear()
        self._overflow, self._held_fin, self.waiting = None, False, False
        self._change(ABORTED)
        self.wake()

    def refit(self) -> None:
        """Bar or open the fast path for `send` and `arrive`, after anything changed that they ask."""
        state, path, free, room = self.state, self.path, self.free, self.room
        self.ordinary = state is ESTABLISHED and not (self.send_shut or self.receive_shut or self.so_error)
        if free < 0:
            free += BARRED
        if (
            state in CAN_SEND
            and not (self.send_shut or self.so_error or self.watched or self._unsent)
            and path is not None
            and path.is_plain
            and self._in_order_ns <= self.net.now_ns + path.latency_ns
        ):
            self.lane, self.latency_ns = path.lane, path.latency_ns
            self.free = free
        else:
            self.free = free - BARRED
        if room < _HALF_BARRED:
            room += BARRED
        may_store = state in SYNCHRONIZED and not self.receive_shut and self._overflow is None
        self.room = room if may_store else room - BARRED

    def note(self, kind: int, n: int, data: bytes | str | None = None) -> None:
        """Leave an event in the trace."""
        if self.log is not None:
            self.log((self.net.now_ns, kind, self.number, n, data))


CUT_PAUSE_NS = SECOND_NS // 1000
"""How much later the second part of a segment comes that a script has cut in two."""

OPENING = frozenset({SYN_SENT, SYN_RECEIVED})
"""The states in which what is sent again is a SYN."""

_RETRIES_MAX = {SYN_SENT: SYN_RETRIES_MAX, SYN_RECEIVED: SYN_ACK_RETRIES_MAX}

_ON: dict[Any, Any] = {
    SYN_ACK: SegmentEnd._on_syn_ack,
    ACK: SegmentEnd._on_ack,
    FIN: SegmentEnd._on_fin,
    RST: SegmentEnd._on_rst,
    WINDOW: SegmentEnd._on_window,
    RETRANSMIT: SegmentEnd._on_retransmit,
    REFILL: SegmentEnd._on_refill,
}
