"""Keepalive: is a peer still there that has been silent for long? (tcp(7), SO_KEEPALIVE; RFC 9293, 3.8.4)

While all is well, probes are sent and answered and no program can tell.  So none are planned then.  Once a
path is cut or a host has crashed, an end with SO_KEEPALIVE asks when Linux would have asked next, counted
from when it last heard of its peer, and then goes on as tcp_keepalive_timer does: TCP_KEEPINTVL apart, until
TCP_KEEPCNT probes have found no answer, or until TCP_USER_TIMEOUT has passed since it heard of its peer.

Owns the timer and its arithmetic.  Probes travel like other segments, but what is lost of them is not sent
again.  An end with a keepalive notes when it hears of its peer, and so is off the fast path.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from ...units import SECOND_NS
from .. import linux as std
from .tcp_states import SYN_RECEIVED, SYNCHRONIZED
from .tcp_wire import KEEPALIVE, PROBE, RST

if TYPE_CHECKING:
    from .tcp_segments import SegmentEnd

_TCP = int(std.IPPROTO_TCP)
_IDLE, _INTERVAL, _COUNT = int(std.TCP_KEEPIDLE), int(std.TCP_KEEPINTVL), int(std.TCP_KEEPCNT)
_USER_TIMEOUT = int(std.TCP_USER_TIMEOUT)
_MS_NS = SECOND_NS // 1000


class Keepalive:
    """The keepalive of one end."""

    __slots__ = ("_due_ns", "_end", "_heard_ns", "_unanswered")

    def __init__(self, end: SegmentEnd) -> None:
        self._end = end
        self._heard_ns = end.net.now_ns
        self._unanswered = 0
        self._due_ns = -1  # when the timer that counts fires; others were planned before and mean nothing

    def heard(self) -> None:
        """Something of the peer has arrived."""
        self._heard_ns = self._end.net.now_ns
        self._unanswered = 0

    def sent(self) -> None:
        """Data leaves, and where a path is open its acknowledgement will be heard."""
        path = self._end.path
        if path is not None and path.is_open:
            self._heard_ns = self._end.net.now_ns + 2 * path.latency_ns
            self._unanswered = 0

    def suspect(self) -> None:
        """Paths, times or the option changed: plan the next probe, if it could find out anything."""
        end = self._end
        if end.state not in SYNCHRONIZED or end.is_reachable():
            return
        assert end.path is not None
        if self._opens():
            self._plan(end.net.now_ns + 2 * end.path.latency_ns)
            return
        if not self._unanswered:
            # Those that would have been sent until now were answered, each after a round trip.
            round_ns = self._idle_ns + 2 * end.path.latency_ns
            late_ns = end.net.now_ns - (self._heard_ns + self._idle_ns)
            self._heard_ns += max(-(-late_ns // round_ns), 0) * round_ns
        self._plan(self._heard_ns + self._idle_ns)

    def _opens(self) -> bool:
        """Whether the last ACK of the handshake is still under way, so that soon nothing is suspect."""
        peer, path = self._end.peer, self._end.path
        return peer is not None and path is not None and peer.state is SYN_RECEIVED and path.is_open

    def fire(self) -> None:
        """The timer is due (tcp_keepalive_timer)."""
        end, now_ns = self._end, self._end.net.now_ns
        if now_ns != self._due_ns or end.state not in SYNCHRONIZED:
            return
        elapsed_ns = now_ns - self._heard_ns
        if end.has_unsent:  # retransmission finds out
            self._plan(now_ns + self._idle_ns)
        elif elapsed_ns < self._idle_ns:
            if not end.is_reachable():
                self._plan(self._heard_ns + self._idle_ns)
        elif self._is_too_long(elapsed_ns):
            end.send_once(RST)
            end.abort(errno.ETIMEDOUT)
        else:
            self._unanswered += 1
            end.send_once(PROBE)
            self._plan(now_ns + end.kept(_TCP, _INTERVAL, 75) * SECOND_NS)

    @property
    def _idle_ns(self) -> int:
        return self._end.kept(_TCP, _IDLE, 7200) * SECOND_NS

    def _is_too_long(self, elapsed_ns: int) -> bool:
        timeout_ns = self._end.kept(_TCP, _USER_TIMEOUT, 0) * _MS_NS
        if timeout_ns:
            return elapsed_ns >= timeout_ns and self._unanswered > 0
        return self._unanswered >= self._end.kept(_TCP, _COUNT, 9)

    def _plan(self, when_ns: int) -> None:
        end = self._end
        self._due_ns = max(when_ns, end.net.now_ns)
        end.net.schedule.plan(self._due_ns, end, KEEPALIVE)
