"""The urgent byte of a TCP stream: MSG_OOB, the mark, and SIOCATMARK (tcp(7), recv(2), sockatmark(3)).

There is one at a time.  It stands in the receive queue where it was sent; a reader of the stream stops
before it, and steps over it unless SO_OOBINLINE is set.  So the queue of the end holds what comes before,
and the mark what comes from there on: while it is there, arriving data goes the slow way round.

Owns the mark: how it comes, moves and goes (tcp_check_urg, tcp_urg, tcp_recv_urg in net/ipv4/tcp*.c).

Simplified, and what a program could notice of it: the urgent pointer travels with its byte, where Linux
announces it as soon as it is sent, though a full window holds the byte back.
"""

from __future__ import annotations

import errno

import attrs

from ...trace import Kind
from .. import linux as std
from .buffers import ByteQueue
from .file import DATA
from .sock import Message
from .tcp_segments import SegmentEnd
from .tcp_states import CLOSED, SYNCHRONIZED
from .tcp_wire import Urgent

_ARRIVE = int(Kind.ARRIVE)
_SOL_SOCKET, _OOBINLINE = int(std.SOL_SOCKET), int(std.SO_OOBINLINE)
_PEEK, _TRUNC, _OOB = int(std.MSG_PEEK), int(std.MSG_TRUNC), int(std.MSG_OOB)


@attrs.define
class Mark:
    """The urgent byte, and what came after it."""

    byte: bytes
    is_read: bool = False  # by MSG_OOB; it keeps its place in the stream
    is_queued: bool = True  # False if it came when nobody could read any more
    is_ahead: bool = False  # of bytes that came with it then, so that no reader gets there
    behind: ByteQueue = attrs.Factory(ByteQueue)

    @property
    def size(self) -> int:
        return self.is_queued + self.behind.size


class UrgentEnd(SegmentEnd):
    """An end, as far as urgent bytes are concerned."""

    __slots__ = ()

    @property
    def _is_inline(self) -> bool:
        return bool(self.kept(_SOL_SOCKET, _OOBINLINE, 0))

    def is_at_mark(self) -> bool:
        """SIOCATMARK: whether the next byte of the stream is the urgent one."""
        return self.mark is not None and self.queue is None and not self.mark.is_ahead

    def _is_before_urgent_byte(self) -> bool:
        return self.mark is not None and self.queue is None and self.mark.is_queued

    def stops_reader(self) -> bool:
        return self.is_at_mark() or super().stops_reader()

    def _on_urgent(self, item: Urgent) -> None:
        if self.keepalive is not None:
            self.keepalive.heard()
        if self.state not in SYNCHRONIZED:
            self._refuse()
        elif self._is_past_reading:
            self._demote_mark()  # the pointer is looked at before the data
            self.mark = Mark(item.data[-1:], is_queued=False, is_ahead=len(item) > 1)
            self._refuse_data()
        elif self._overflow is not None:
            self._hold_back(item)
        else:
            self._store(item.data[:-1])
            if self._overflow is not None or not self.window:
                self._hold_back(Urgent(item.data[-1:]))
            else:
                self._set_mark(item.data[-1:])

    def _set_mark(self, byte: bytes) -> None:
        self._demote_mark()
        self.mark = Mark(byte)
        self.room -= 1
        self.refit()
        self.note(_ARRIVE, 1, byte)
        self.wake(DATA)

    def _demote_mark(self) -> None:
        """The last byte is the urgent one: that of before is ordinary from now on, or gone if it is next."""
        mark = self.mark
        if mark is None:
            return
        if self._is_before_urgent_byte() and not self._is_inline:
            self._skipped()
        elif mark.is_queued:
            self._append(mark.byte)
        if mark.behind.size:
            self._append(mark.behind.take(mark.behind.size))

    def _skipped(self) -> None:
        """The urgent byte leaves the receive queue, without anybody reading it there."""
        self.room += 1
        if self.peer is not None:
            self.consumed(1)

    def _pass_mark(self, peeks: bool) -> bytes | None:
        """The reader is at the mark: step over it.

        What a peeking reader sees; None if the queue is there to be read.
        """
        mark = self.mark
        assert mark is not None
        if peeks:
            return (mark.byte if self._is_inline else b"") + mark.behind.peek(mark.behind.size)
        self.mark = None
        if self._is_inline:
            self._append(mark.byte)
        else:
            self._skipped()
        if mark.behind.size:
            self._append(mark.behind.take(mark.behind.size))
        self.refit()
        return None

    def _recv_urgent(self, size: int, flags: int) -> Message:
        """recv(2) with MSG_OOB (tcp_recv_urg)."""
        mark = self.mark
        if mark is None or mark.is_read or self._is_inline:
            raise self.failed("recv", errno.EINVAL)
        if self.state is CLOSED and not self.fin_seen:
            raise self.failed("recv", errno.ENOTCONN)
        mark.is_read = mark.is_read or not flags & _PEEK
        if not size:
            return Message(b"", flags=_OOB | _TRUNC)
        return Message(b"" if flags & _TRUNC else mark.byte, flags=_OOB, length=1)
