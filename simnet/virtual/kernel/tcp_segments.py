"""One end of a TCP connection, as the wire sees it: what arrives, and what that does.

Owns the meaning of each segment (RFC 9293, section 3.10.7).  What leaves is `tcp_retransmit`, on which this
builds, and what a program may call and is told is `tcp`, which builds on this.
"""

from __future__ import annotations

import errno
from abc import abstractmethod
from collections import deque
from typing import Any

from ...trace import Kind
from ..link import Path
from . import tcp_states
from .buffers import ByteQueue
from .file import DATA, SPACE
from .tcp_retransmit import RTO_FIRST_NS, SendingEnd
from .tcp_states import (
    CLOSE_WAIT,
    CLOSED,
    FIN_WAIT_1,
    FIN_WAIT_2,
    GOT_ACK,
    GOT_FIN,
    GOT_SYN_ACK,
    LISTEN,
    SYN_RECEIVED,
    SYN_SENT,
    SYNCHRONIZED,
)
from .tcp_wire import (
    ACK,
    ANSWER,
    CUT_OFF,
    END_EARLY,
    FIN,
    FIN_TIMEOUT,
    KEEPALIVE,
    PROBE,
    REFILL,
    RETRANSMIT,
    ROOM,
    RST,
    SYN_ACK,
    UNREACHABLE,
    WINDOW,
    WINDOW_TIMEOUT,
    Segment,
    Urgent,
)

_FIN_WAIT = frozenset({FIN_WAIT_1, FIN_WAIT_2})
_ARRIVE, _ESTABLISHED, _FIN = int(Kind.ARRIVE), int(Kind.ESTABLISHED), int(Kind.FIN)


class SegmentEnd(SendingEnd):
    """An end of a connection, below the calls of a program."""

    __slots__ = ()

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
        elif item.__class__ is Urgent:
            self._on_urgent(item)
        else:
            if self.keepalive is not None and item.__class__ is Segment:
                self.keepalive.heard()
            _ON[item](self)

    def _on_data(self, data: bytes) -> None:
        if self.keepalive is not None:
            self.keepalive.heard()
        if self.state not in SYNCHRONIZED:
            self._refuse()
        elif self._is_past_reading:
            self._refuse_data()
        elif self._overflow is not None:
            self._hold_back(data)
        else:
            self._store(data)

    @property
    def _is_past_reading(self) -> bool:
        """Whether nobody will ever read what comes now (tcp_rcv_state_process)."""
        return self.receive_shut and self.state in _FIN_WAIT

    def _refuse_data(self) -> None:
        self._refuse()
        self.abort(errno.EPIPE if self.fin_seen else errno.ECONNRESET)

    def _store(self, data: bytes) -> None:
        """Take what the window has room for; the rest waits, as it would at the sender."""
        window = self.window
        if len(data) > window:
            self._hold_back(data[window:])
            data = data[:window]
        if not data:
            return
        self.room -= len(data)
        if self.mark is not None:
            self.mark.behind.append(data)
        elif self.queue is None:
            self.queue = data
        else:
            self._append(data)
        self.note(_ARRIVE, len(data), data)
        if self._held_bytes() >= self.least_readable:  # tcp_data_ready
            self.wake(DATA)

    def _hold_back(self, item: Any) -> None:
        """The window is full: what comes from now on waits."""
        if self._overflow is not None:
            self._overflow.append(item)
            return
        self._overflow, self._overflow_since_ns = deque([item]), self.net.now_ns
        self.refit()
        if self.peer is not None:
            self.peer.window_closed()

    def _append(self, data: bytes) -> None:
        if not isinstance(self.queue, ByteQueue):
            self.queue = ByteQueue() if self.queue is None else ByteQueue(self.queue)
        self.queue.append(data)

    @abstractmethod
    def _on_urgent(self, item: Urgent) -> None:
        """A byte that is marked as urgent has arrived."""

    def _on_refill(self) -> None:
        """The program has read, and what waited for the window comes in."""
        peer = self.peer
        assert peer is not None
        assert peer.path is not None
        if not peer.path.is_open:
            self._later(RTO_FIRST_NS, self, REFILL)
            return
        overflow, self._overflow = self._overflow, None
        while overflow:
            item = overflow.popleft()
            if item.__class__ is bytes:
                self._on_data(item)
            elif self.state in SYNCHRONIZED:
                self.arrive(item)
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
        if self.watched:
            effect = self.net.choose("life", self, 1, 0)
            if effect is not None:
                self._later(effect[1], self, CUT_OFF if effect[0] == "reset" else END_EARLY)

    def _on_ack(self) -> None:
        if self.state is SYN_RECEIVED:
            self._attempts = 0
            self._change(GOT_ACK)
            self.note(_ESTABLISHED, 0)
            self._became_ready()
            self._make_good()
        elif tcp_states.allows(self.state, GOT_ACK):
            self._change(GOT_ACK)
            if self.orphan:
                self.wake()  # whoever waits in close(), by SO_LINGER

    def _make_good(self) -> None:
        """For a shutdown() that came too early, as tcp_rcv_state_process does in SYN_RECEIVED."""
        if self.send_shut:
            self._finish()

    @abstractmethod
    def _finish(self) -> None:
        """Our FIN leaves, behind whatever was sent."""

    @abstractmethod
    def _became_ready(self) -> None:
        """The handshake of an end that a listener made is over."""

    def _on_fin(self) -> None:
        if self._overflow is not None:
            self._hold_back(FIN)
        elif not tcp_states.allows(self.state, GOT_FIN):
            if self.state not in SYNCHRONIZED:
                self._refuse()
        else:
            self.receive_shut = self.fin_seen = True
            self.note(_FIN, 0)
            self._change(GOT_FIN)  # before the ACK, which a peer that has lost interest answers by a RST
            self.transmit(ACK)
            self.wake()

    def _on_rst(self) -> None:
        if self.state in (CLOSED, LISTEN):
            return
        reason = {SYN_SENT: errno.ECONNREFUSED, CLOSE_WAIT: errno.EPIPE}
        self.abort(reason.get(self.state, errno.ECONNRESET))

    def _on_unreachable(self) -> None:
        """A router has no way to the peer: the end of whoever has no connection yet (tcp_v4_err)."""
        if self.state is SYN_SENT:
            self.abort(errno.EHOSTUNREACH)

    def _on_window(self) -> None:
        self._give_room(self.owed)
        self.owed = 0
        if self.net.now_ns < self._no_room_until_ns:
            return
        if self.waiting and 3 * self.credit >= self.capacity:
            self.waiting = False
            self.wake(SPACE)

    def _on_room(self) -> None:
        """The time is over for which a script had left no room."""
        if self.state is not CLOSED and self.net.now_ns >= self._no_room_until_ns:
            self._on_window()

    def _on_probe(self) -> None:
        """The peer asks whether this end is still there."""
        if self.state not in SYNCHRONIZED:
            self._refuse()
        else:
            self.send_once(ANSWER)

    def _on_answer(self) -> None:
        """The peer is there, and a keepalive has heard it."""

    def _on_keepalive(self) -> None:
        if self.keepalive is not None:
            self.keepalive.fire()

    @abstractmethod
    def _on_fin_timeout(self) -> None:
        """The peer's FIN has not come in time, and the program has closed this end."""

    def _refuse(self) -> None:
        """Answer with a RST: there is no such connection here (RFC 9293, section 3.10.7.1)."""
        if self.peer is not None and self.path is not None and self.path.is_open:
            self._launch(RST, 0)

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

    def _on_cut_off(self) -> None:
        if self.state is not CLOSED:
            self.cut_off()

    def _on_end_early(self) -> None:
        if self.state in SYNCHRONIZED:
            self.end_early()

    def meet_middlebox(self, box: SegmentEnd) -> None:
        """`box` is the peer from now on: what was sent is there, and nothing is sent again."""
        self.peer = box
        self._unsent.clear()
        self._attempts = 0
        self.owed = 0
        self._give_room(self.capacity - self.credit + self._excess_bytes)
        self.refit()
        if self.waiting:
            self.waiting = False
            self.wake(SPACE)

    def fall_silent(self) -> None:
        """From now on nothing gets through between the two ends, and neither is told: a half-open connection.

        They get a path of their own that is cut, and that nobody heals.
        """
        ends = [end for end in (self, self.peer) if end is not None]
        for end in ends:
            if (shared := end.path) is not None:
                end.path = Path(shared.source, shared.target, end.net.schedule, shared.latency_ns)
                end.path.cut(1)
                end.refit()
        for end in ends:
            end.path_changed()


_ON: dict[Any, Any] = {
    SYN_ACK: SegmentEnd._on_syn_ack,
    ACK: SegmentEnd._on_ack,
    FIN: SegmentEnd._on_fin,
    RST: SegmentEnd._on_rst,
    UNREACHABLE: SegmentEnd._on_unreachable,
    WINDOW: SegmentEnd._on_window,
    RETRANSMIT: SegmentEnd._on_retransmit,
    PROBE: SegmentEnd._on_probe,
    ANSWER: SegmentEnd._on_answer,
    REFILL: SegmentEnd._on_refill,
    KEEPALIVE: SegmentEnd._on_keepalive,
    WINDOW_TIMEOUT: SegmentEnd._on_window_timeout,
    CUT_OFF: SegmentEnd._on_cut_off,
    END_EARLY: SegmentEnd._on_end_early,
    ROOM: SegmentEnd._on_room,
    FIN_TIMEOUT: lambda end: end._on_fin_timeout(),
}
