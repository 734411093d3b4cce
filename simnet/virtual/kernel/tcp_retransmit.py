"""One end of a TCP connection: what leaves, in which order, and what is sent again because it got lost.

Owns the order of segments, and the timers of retransmission (RFC 6298).  Does not own what a link does to a
segment: that is its `Path`.

Simplified, and what a program could notice of it: a lost segment comes again after a time-out (RFC 6298:
200 ms on Linux, doubling), never by fast retransmit.
"""

from __future__ import annotations

import errno
from abc import abstractmethod
from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, cast

from ...units import SECOND_NS
from .. import linux as std
from .buffers import flip
from .tcp_states import CLOSED, SYN_RECEIVED, SYN_SENT, SYNCHRONIZED
from .tcp_window import WindowEnd
from .tcp_wire import (
    ACK,
    ANSWER,
    CRUMBS_MAX,
    CUT_PAUSE_NS,
    PROBE,
    RETRANSMIT,
    RST,
    WINDOW,
    WINDOW_TIMEOUT,
    Syn,
    Timer,
    Urgent,
)

if TYPE_CHECKING:
    from ..link import Path
    from ..schedule import Entry
    from .tcp_segments import SegmentEnd

RTO_FIRST_NS = SECOND_NS // 5  # TCP_RTO_MIN
RTO_MAX_NS = 120 * SECOND_NS  # TCP_RTO_MAX
RETRIES_MAX = 15  # tcp_retries2
SYN_RTO_NS = SECOND_NS  # TCP_TIMEOUT_INIT
SYN_RETRIES_MAX = 6  # tcp_syn_retries
SYN_LINEAR_TIMEOUTS = 4  # tcp_syn_linear_timeouts: so many more, before the time-out begins to double
SYN_ACK_RETRIES_MAX = 5  # tcp_synack_retries
ORPHAN_RETRIES_MAX = 8  # tcp_orphan_retries, for an end that its program has closed
_AS_SOON_AS_POSSIBLE_NS = _MS_NS = SECOND_NS // 1000
_TCP, _USER_TIMEOUT, _SYNCNT = int(std.IPPROTO_TCP), int(std.TCP_USER_TIMEOUT), int(std.TCP_SYNCNT)


class SendingEnd(WindowEnd):
    """An end, as what it sends goes."""

    __slots__ = ()

    # --- what leaves -----------------------------------------------------------------------------

    def transmit(self, item: Any) -> None:
        """Send one segment: bytes, a Segment or a Syn."""
        if item.__class__ is not bytes:
            if self._unsent:
                self._unsent.append(item)
            else:
                self._launch(item, 0)
        elif self.path is None or not self.path.bits_per_second:
            self._transmit_data(item)
        else:
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
                self._launch_apart((data[:size], data[size:]))
            case ("crumbles", _):
                step = -(-len(data) // CRUMBS_MAX)
                self._launch_apart([data[at : at + step] for at in range(0, len(data), step)])
            case ("lost", _):
                self._lose(data)
            case ("burst", times):
                self._lose_often(data, times)
            case ("reset", _):
                self.cut_off()
            case ("ended", size):
                self._launch(data[:size], 0)
                self.end_early()
            case ("torn", size):
                self._launch(data[:size], 0)
                self.cut_off()
            case ("last", _):
                self._launch(data, 0)
                self.fall_silent()
            case ("flipped", bit):
                self._launch(flip(data, bit), 0)
            case _:
                raise AssertionError(effect)

    def _launch_apart(self, parts: Iterable[bytes]) -> None:
        """Parts of one segment that arrive one after the other, with time to read each."""
        for place, part in enumerate(parts):
            if self._unsent:  # one before it found no room in the queue of the link
                self._unsent.append(part)
            else:
                self._launch(part, place * CUT_PAUSE_NS)

    def _launch(self, item: Any, delay_ns: int) -> None:
        """Put a segment on the path, or into the queue for retransmission."""
        path: Any = self.path
        target: Any = path.target if item.__class__ is Syn else self.peer
        now_ns = self.net.now_ns
        if path.is_plain:
            when_ns = now_ns + path.latency_ns
        else:
            is_prompt = path.source is path.target and path.is_open
            if is_prompt and not delay_ns and self._in_order_ns <= now_ns:
                target.arrive(item)
                return
            when_ns = self._arrival_ns(path, item)
        if self.state in OPENING:
            self._asked_ns = now_ns
        if when_ns is None:
            self._lose(item)
            return
        when_ns += delay_ns
        if when_ns > self._in_order_ns:
            self._in_order_ns = when_ns
        self.net.schedule.plan(self._in_order_ns, target, item)

    def _arrival_ns(self, path: Path, item: Any) -> int | None:
        """When a segment arrives on a path that decides or computes something; None if it gets lost."""
        jitter_ns = 0
        if path.jitter_ns:
            self.jitters += 1
            effect = self.net.choose("jitter", self, self.jitters, path.jitter_ns) if self.watched else None
            jitter_ns = effect[1] if effect else 0
        if not path.is_open:
            return None
        size = len(item) if item.__class__ is bytes or item.__class__ is Urgent else 0
        when_ns = path.arrival_ns(self.net.now_ns, size)
        return None if when_ns is None else when_ns + jitter_ns

    def _lose(self, item: Any) -> None:
        """A segment got lost: it, and whatever comes after it, waits for a retransmission."""
        if item is RST:
            self._leave_unheard()
            return
        self._unsent.append(item)
        self.refit()
        if not self._retransmitting:
            self._plan_retransmission()

    def _lose_often(self, data: bytes, times: int) -> None:
        """A segment is lost, and so is whatever repeats it, so many times in all."""
        assert self.path is not None
        self._unsent.append(data)
        self.refit()
        self._attempts, self._retransmitting = times, True
        self._first_retry_ns = self.net.now_ns
        wait_ns = sum(
            min(RTO_FIRST_NS << retry, RTO_MAX_NS) + 2 * self.path.latency_ns for retry in range(times)
        )
        self.net.schedule.plan(self.net.now_ns + wait_ns, self, RETRANSMIT)

    def send_once(self, item: Any) -> None:
        """Send a segment that is not sent again if it gets lost."""
        path, peer = self.path, self.peer
        if path is not None and peer is not None and path.is_open:
            self._launch(item, 0)

    @property
    def has_unsent(self) -> bool:
        """Whether something waits to be sent again."""
        return bool(self._unsent)

    def is_reachable(self) -> bool:
        """Whether a question would be answered: both ways are open, and the peer knows this connection."""
        peer, path = self.peer, self.path
        if peer is None or path is None or peer.path is None:
            return False
        return peer.peer is self and peer.state in SYNCHRONIZED and path.is_open and peer.path.is_open

    def keep_order(self, path: Path) -> None:
        """The latency of `path` will change: nothing may overtake what is on it already."""
        if self.path is path:
            self._in_order_ns = max(self._in_order_ns, self.net.now_ns + path.latency_ns)

    def lose_in_flight(self, items: list[Any]) -> None:
        """These segments of ours were on a path that was cut; they precede what is still unsent.

        An end that is gone sends nothing again but an ACK, for which TIME_WAIT would be asked.
        """
        is_gone = self.state is CLOSED
        for item in reversed(items):
            if item is RST or (is_gone and item is not ACK):
                self._leave_unheard()
            elif item is not PROBE and item is not ANSWER:
                self._unsent.appendleft(item)
        if self._unsent and not self._retransmitting:
            self._lose(self._unsent.pop())

    @abstractmethod
    def fall_silent(self) -> None:
        """Nothing gets through any more, in either direction, and nobody is told."""

    # --- what is sent again ----------------------------------------------------------------------

    def _plan_retransmission(self) -> None:
        assert self.path is not None
        now_ns = self.net.now_ns
        if self.state in OPENING:
            # Counted from when the SYN left, not from when it got lost.
            when_ns = self._asked_ns + self._syn_wait_ns(self._attempts)
            while when_ns <= now_ns:  # those that were sent meanwhile met the same fate
                self._attempts += 1
                when_ns += self._syn_wait_ns(self._attempts)
        else:
            wait_ns = min(RTO_FIRST_NS << self._attempts, RTO_MAX_NS) + 2 * self.path.latency_ns
            when_ns = now_ns + wait_ns
        timeout_ns = self._user_timeout_ns
        if timeout_ns and self._attempts:  # tcp_clamp_rto_to_user_timeout
            when_ns = min(when_ns, max(self._first_retry_ns + timeout_ns, now_ns + _AS_SOON_AS_POSSIBLE_NS))
        self._attempts += 1
        self._retransmitting = True
        self.net.schedule.plan(when_ns, self, RETRANSMIT)

    def _syn_wait_ns(self, retry: int) -> int:
        """How long a SYN that was sent again `retry` times waits for its answer."""
        return SYN_RTO_NS << (max(retry - SYN_LINEAR_TIMEOUTS, 0) if self.state is SYN_SENT else retry)

    def _on_retransmit(self) -> None:
        self._retransmitting = False
        if not self._unsent:
            return
        assert self.path is not None
        if self._attempts == 1 and self.state not in OPENING:
            self._first_retry_ns = self.net.now_ns
        if self._attempts > self._retries_max() or self._has_timed_out():
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

    @property
    def _user_timeout_ns(self) -> int:
        return 0 if self.state is SYN_RECEIVED else self.kept(_TCP, _USER_TIMEOUT, 0) * _MS_NS

    def _has_timed_out(self) -> bool:
        """TCP_USER_TIMEOUT, asked from the second time-out on (retransmits_timed_out)."""
        timeout_ns = self._user_timeout_ns
        return (
            bool(timeout_ns) and self._attempts > 1 and self.net.now_ns - self._first_retry_ns >= timeout_ns
        )

    def _retries_max(self) -> int:
        if self.state is SYN_SENT:
            return self.kept(_TCP, _SYNCNT, SYN_RETRIES_MAX) + SYN_LINEAR_TIMEOUTS
        if self.state is SYN_RECEIVED:
            return SYN_ACK_RETRIES_MAX
        return ORPHAN_RETRIES_MAX if self.orphan else RETRIES_MAX

    # --- a window that is closed -----------------------------------------------------------------

    def window_closed(self) -> None:
        """The peer has no room for what arrives there.  It is asked for ever, but for TCP_USER_TIMEOUT.

        tcp_probe_timer counts from the first probe, which is sent after a time-out.
        """
        timeout_ns = self._user_timeout_ns
        if timeout_ns:
            self.net.schedule.plan(self.net.now_ns + RTO_FIRST_NS + timeout_ns, self, WINDOW_TIMEOUT)

    def _on_window_timeout(self) -> None:
        peer, timeout_ns = self.peer, self._user_timeout_ns
        if peer is None or peer._overflow is None or not timeout_ns or self.state is CLOSED:
            return
        if self.net.now_ns - peer._overflow_since_ns >= RTO_FIRST_NS + timeout_ns:
            self._time_out()

    def path_changed(self) -> None:
        """A path was cut or is open again.  Who waits for a window then asks for it, until it is answered."""
        if self.keepalive is not None:
            self.keepalive.suspect()
        peer = self.peer
        if peer is not None and peer._overflow is not None and not self._unsent and not self.is_reachable():
            self._lose(PROBE)

    def _give_up(self) -> None:
        """Nothing came through for too long.  Who only has something to acknowledge never knows that."""
        if all(item is ACK or item is WINDOW for item in self._unsent):
            self._unsent.clear()
            self._attempts = 0
        else:
            self._time_out()

    def _time_out(self) -> None:
        if self.peer is not None and self.peer.peer is self:
            self.peer.drop_overflow()
        is_unanswered = self.state is SYN_RECEIVED
        self.abort(errno.ETIMEDOUT)
        if is_unanswered:
            self._leave_unheard()

    def drop_overflow(self) -> None:
        """What waited for the window here was still at the sender, who has given up."""
        self._overflow = None
        self.refit()

    def syn_dropped(self, syn: Syn) -> None:
        """The listener's queue was full: the SYN is ignored, and will be sent again (listen(2))."""
        if self.state is SYN_SENT and syn.opener is self and not self._unsent:
            self._lose(syn)

    def _leave_unheard(self) -> None:
        """This end is gone, and its peer does not know: if it waits for an answer, it will ask again."""
        peer = self.peer
        if peer is not None and peer.peer is self and peer.state is SYN_SENT:
            peer.syn_dropped(Syn(peer, *peer.remote))

    # --- endings without words -------------------------------------------------------------------

    def vanish(self) -> None:
        """The host crashed: the end is gone, and nobody is told."""
        self.orphan = True
        self.watchers = ()
        if self._overflow is not None and self.peer is not None and not self.peer.has_unsent:
            self.peer._lose(PROBE)  # who waits for a window finds out what has become of it
        self.queue = self._overflow = self.mark = None
        self._unsent.clear()
        self._leave_unheard()
        self.state = CLOSED
        self.refit()

    def _leave_ghost(self) -> None:
        """Before this end connects anew: what is under way to its last connection finds nobody there."""
        ghost = cast("SegmentEnd", type(self)(self.host, self.family))
        ghost.orphan, ghost.label, ghost.alias, ghost.number = True, self.label, self.alias, self.number
        ghost.local, ghost.remote, ghost.path, ghost.peer = self.local, self.remote, self.path, self.peer
        if self.peer is not None and self.peer.peer is self:
            self.peer.peer = ghost
        self.peer = None
        self._retransmitting, self._attempts, self._in_order_ns = False, 0, 0
        self.owed = self._excess_bytes = 0
        for time_ns, _, target, item in self.net.schedule.extract(self._is_under_way):
            if item.__class__ is Syn:
                self.net.schedule.plan(time_ns, target, Syn(ghost, item.address, item.port))
            elif item.__class__ is not Timer:
                self.net.schedule.plan(time_ns, ghost, item)

    def _is_under_way(self, entry: Entry) -> bool:
        """Whether an entry of the schedule is for this end, or a SYN from it."""
        _, _, target, item = entry
        return target is self or (item.__class__ is Syn and item.opener is self)

    @abstractmethod
    def cut_off(self) -> None:
        """The connection is reset from outside: both ends learn it by a RST."""

    @abstractmethod
    def end_early(self) -> None:
        """A middlebox ends the connection: both ends learn it by a FIN."""


OPENING = frozenset({SYN_SENT, SYN_RECEIVED})
"""The states in which what is sent again is a SYN."""
