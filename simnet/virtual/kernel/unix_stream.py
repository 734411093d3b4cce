"""AF_UNIX streams (unix(7), SOCK_STREAM): a byte stream that shows its pieces in a few places.

recv() joins what several send() left, but not over descriptors, not over other credentials and not over an
urgent byte.  An urgent byte (MSG_OOB, since Linux 5.15) is a piece of its own in the queue: read by itself it
leaves its place behind, at which recv() stops.

Follows unix_stream_sendmsg, unix_stream_read_generic and manage_oob in net/unix/af_unix.c, as Linux 6.18
has them; the order of the questions is theirs.

Owns sending, receiving and readiness of a stream.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any

import attrs

from ...transport import ERR, HUP, IN, OUT, PRI, RDHUP
from .. import linux as std
from . import unix_control
from .file import DATA, File
from .sock import Message
from .unix import UnixEnd
from .unix_connection import State, UnixConnectionEnd
from .unix_control import Outgoing
from .unix_pieces import STREAM_PIECE_MAX, Piece, stream_truesize

if TYPE_CHECKING:
    from ..host import Host

_OOB, _PEEK, _WAITALL, _DONTWAIT = map(int, (std.MSG_OOB, std.MSG_PEEK, std.MSG_WAITALL, std.MSG_DONTWAIT))
_OOBINLINE = (int(std.SOL_SOCKET), int(std.SO_OOBINLINE))
_RCVLOWAT = (int(std.SOL_SOCKET), int(std.SO_RCVLOWAT))


@attrs.define(eq=False)
class _Took:
    """What a call has taken of the queue so far."""

    data: bytearray
    sender: UnixEnd | None = None
    credentials: bytes | None = None
    files: list[File] = attrs.Factory(list)


class UnixStreamEnd(UnixConnectionEnd):
    """An AF_UNIX stream socket below its descriptors."""

    __slots__ = ("_gathered", "_passed_over", "urgent")

    kind = std.SOCK_STREAM

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        self.urgent: Piece | None = None  # the last urgent byte, if it was not read
        self._passed_over = 0  # urgent bytes that were thrown away
        self._gathered = b""  # of a call that waits for more than there is

    # --- readiness -------------------------------------------------------------------------------

    def poll_mask(self) -> int:
        """What poll(2) would say, with every event asked for (unix_poll)."""
        mask = IN if self.queue or self.pending else 0
        if self.so_error:
            mask |= ERR
        if self.receive_shut:
            mask |= IN | RDHUP
            if self.send_shut:
                mask |= HUP
        if self.urgent is not None:
            mask |= PRI
        if self.state is State.CLOSED:
            mask |= HUP
        if self.state is not State.LISTEN and self.is_writable:
            mask |= OUT
        return mask

    # --- sending ---------------------------------------------------------------------------------

    def send(self, data: Any, flags: int = 0) -> int:
        with memoryview(data) as view:
            return self._send(view.cast("B"), flags, Outgoing())

    def send_message(
        self, data: bytes, flags: int, address: bytes | None, control: list[tuple[int, int, Any]]
    ) -> int:
        outgoing = self.outgoing(control)
        try:
            if flags & _OOB and not data:
                raise self.failed("send", errno.EOPNOTSUPP)
            if address is not None:
                is_connected = self.state is State.ESTABLISHED
                raise self.failed("send", errno.EISCONN if is_connected else errno.EOPNOTSUPP)
            return self._send(memoryview(data), flags, outgoing)
        finally:
            outgoing.drop()

    def _send(self, data: memoryview, flags: int, outgoing: Outgoing) -> int:
        """unix_stream_sendmsg: an error is told only where nothing was sent before."""
        if self.waits_for_room and (reason := self.lacks_room(flags)):
            raise self.failed("send", reason)
        peer, sent = self._addressee(data, flags), 0
        ordinary = len(data) - 1 if flags & _OOB else len(data)
        self._touched += 1
        while sent < len(data):
            if reason := self.lacks_room(flags):
                if not sent:
                    raise self.failed("send", reason)
                break
            most = min((self.send_buffer_bytes >> 1) - 64, STREAM_PIECE_MAX)
            end = min(sent + most, ordinary) if sent < ordinary else len(data)
            piece = self._deliver(peer, bytes(data[sent:end]), outgoing)
            if end > ordinary:
                peer.urgent = piece
            sent = end
        return sent

    def _addressee(self, data: memoryview, flags: int) -> UnixStreamEnd:
        """The peer, if there is one to send to."""
        if flags & _OOB and not data:
            raise self.failed("send", errno.EOPNOTSUPP)
        if self.peer is None:
            raise self.failed("send", errno.ENOTCONN)
        if self.send_shut:
            raise self.failed("send", errno.EPIPE)
        assert isinstance(self.peer, UnixStreamEnd)
        return self.peer

    def _deliver(self, peer: UnixStreamEnd, data: bytes, outgoing: Outgoing) -> Piece:
        """Put a piece into the queue of the peer; the first one takes the files along."""
        if peer.is_dead or peer.receive_shut:
            raise self.failed("send", errno.EPIPE)
        piece = Piece(data, self, stream_truesize(len(data)), outgoing.take_files(), outgoing.credentials)
        peer.put(piece)
        peer.wake(DATA)
        return piece

    # --- receiving -------------------------------------------------------------------------------

    def receive_message(self, size: int, flags: int, control_size: int) -> Message:
        """unix_stream_recvmsg."""
        if self.state is not State.ESTABLISHED:
            raise self.failed("recv", errno.EINVAL)
        if flags & _OOB:
            return self._receive_urgent(flags)
        return self._receive(size, flags, control_size)

    def _receive_urgent(self, flags: int) -> Message:
        """unix_stream_recv_urg: its place stays, and recv() finds it empty; of two such, one stays."""
        piece = self.urgent
        if piece is None or self._is_inline:
            raise self.failed("recv", errno.EINVAL)
        if not flags & _PEEK:
            self.urgent = None
            before = self.queue.index(piece) - 1
            if before >= 0 and not self.queue[before].unread:
                self._pass(before, 0)
            piece.consumed = 1
            self.took(1)
        return Message(piece.data, flags=_OOB)

    def _receive(self, size: int, flags: int, room: int) -> Message:
        """unix_stream_read_generic."""
        took = _Took(bytearray(self._gathered[:size]))
        self._gathered = self._gathered[size:]
        if self.wants_credentials:
            took.credentials = unix_control.NOBODY
        place: int | None = 0  # in the queue, of the next piece to look at
        while place is not None:
            place = self._take_of(place, size, flags, took)
        if took.data and not flags & _PEEK:
            self.took(len(took.data))
        control = took.files, took.credentials
        return self.message(bytes(took.data), took.sender, flags, control, room)

    def _take_of(self, place: int, size: int, flags: int, took: _Took) -> int | None:
        """Take of the piece at `place`; where to go on, or None if the call is over."""
        if place >= len(self.queue):
            self._find_nothing(took.data, size, flags)
            return None
        piece, place = self._next_piece(place, flags, bool(took.data))
        if piece is None:
            if not took.data:
                self._find_nothing(took.data, size, flags)
            return None
        credentials = self.credentials_of(piece)
        if took.sender is not None and credentials != took.credentials:
            return None  # never glue messages of different writers
        took.sender, took.credentials = piece.sender, credentials
        chunk = piece.data[piece.consumed : piece.consumed + size - len(took.data)]
        took.data += chunk
        took.files = self.files_of(piece, flags)
        if flags & _PEEK:
            return None if took.files or place + 1 >= len(self.queue) else place + 1
        piece.consumed += len(chunk)
        if piece.unread:
            return None
        self.queue.remove(piece)
        piece.free()
        return None if took.files or len(took.data) >= size else place

    def _find_nothing(self, took: bytearray, size: int, flags: int) -> None:
        """The queue is at its end: return if what was taken is enough, or all that will come; else raise.

        A call that may wait for more leaves what it took here, for when it is made again.
        """
        least = size if flags & _WAITALL else min(self.setting(*_RCVLOWAT), size)
        if len(took) >= max(least, 1):
            return
        reason = self.take_error()
        if not reason and not self.receive_shut:
            if not flags & _DONTWAIT and not self.is_nonblocking:
                self._gathered = bytes(took)
            elif took:
                return
            raise self.failed("recv", errno.EAGAIN)
        if reason and not took:
            raise self.failed("recv", reason)

    # --- the urgent byte -------------------------------------------------------------------------

    @property
    def _is_inline(self) -> bool:
        """SO_OOBINLINE."""
        return bool(self.setting(*_OOBINLINE))

    def _next_piece(self, place: int, flags: int, has_some: bool) -> tuple[Piece | None, int]:
        """The piece to read at `place`, or behind it where an urgent byte is passed over (manage_oob)."""
        queue, urgent = self.queue, self.urgent
        piece = queue[place]
        if piece.unread and piece is not urgent:
            return piece, place
        if not piece.unread:  # the place of an urgent byte that was read
            if has_some and urgent is None:
                return None, place
            place = self._pass(place, flags)
            if place >= len(queue) or queue[place] is not urgent:
                return (queue[place] if place < len(queue) else None), place
        if has_some:
            return None, place
        if not flags & _PEEK:
            self.urgent = None
            self._passed_over += not self._is_inline
        if not self._is_inline:
            place = self._pass(place, flags)
        return (queue[place] if place < len(queue) else None), place

    def _pass(self, place: int, flags: int) -> int:
        """Leave a piece behind: it is gone, unless the program only peeks."""
        if flags & _PEEK:
            return place + 1
        piece = self.queue[place]
        del self.queue[place]
        piece.free()
        return place

    def readable_bytes(self) -> int:
        """Linux 6.18 goes on counting an urgent byte that recv() has passed over (u->inq_len)."""
        return super().readable_bytes() + self._passed_over

    def is_at_mark(self) -> bool:
        """unix_ioctl, SIOCATMARK; who waits to be accepted is an empty piece in a listener's queue."""
        if not self.queue:
            return bool(self.pending)
        first, second = self.queue[0], self.queue[1] if len(self.queue) > 1 else None
        return first is self.urgent or (not first.unread and self.urgent in (None, second))

    # --- ending ----------------------------------------------------------------------------------

    def close(self) -> None:
        self.urgent = None
        super().close()
