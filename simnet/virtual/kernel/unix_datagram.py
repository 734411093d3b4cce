"""AF_UNIX datagrams (unix(7), SOCK_DGRAM): never lost and never reordered, because the sender waits.

A receiver takes ten datagrams and one more of senders that are not its peer; then they are told EAGAIN.  Two
that are connected to each other are limited by the sender's buffer alone.  A socket that is connected takes
nothing of others (EPERM).

Follows unix_dgram_sendmsg, __unix_dgram_recvmsg and unix_dgram_poll in net/unix/af_unix.c, as Linux 6.18 has
them; the order of the questions is theirs.

Owns sending, receiving and readiness, which sequenced packets share.
"""

from __future__ import annotations

import errno
from typing import Any

from ...transport import ERR, HUP, IN, OUT, RDHUP
from .. import linux as std
from .file import DATA, ERROR, SPACE
from .sock import Message
from .unix import UnixEnd
from .unix_control import Outgoing
from .unix_pieces import Piece, datagram_truesize

QUEUE_MAX = 10  # net.unix.max_dgram_qlen
_HEADER_BYTES = 32  # what a datagram leaves free of the buffer

_OOB, _PEEK, _TRUNC = map(int, (std.MSG_OOB, std.MSG_PEEK, std.MSG_TRUNC))


class UnixDatagramEnd(UnixEnd):
    """An AF_UNIX datagram socket below its descriptors."""

    __slots__ = ()

    kind = std.SOCK_DGRAM

    @property
    def state_name(self) -> str:
        return "UNCONN" if self.peer is None else "ESTABLISHED"

    # --- readiness -------------------------------------------------------------------------------

    def poll_mask(self) -> int:
        """What poll(2) would say, with every event asked for (unix_dgram_poll)."""
        mask = IN if self.queue else 0
        if self.so_error:
            mask |= ERR
        if self.receive_shut:
            mask |= IN | RDHUP
            if self.send_shut:
                mask |= HUP
        if self.is_writable and not self._is_held_up():
            mask |= OUT
        return mask

    def _is_held_up(self) -> bool:
        """Whether the peer has enough to read; who asks is told of a change (unix_dgram_peer_wake_me)."""
        peer = self.peer
        if peer is None or peer.peer is self or not peer.is_full or peer.is_dead:
            return False
        self.wait_for(peer)
        return True

    # --- names and peers -------------------------------------------------------------------------

    def bind(self, address: bytes) -> None:
        super().bind(address)
        if not self.label:
            self.host.unix_labels.bound(self)

    def connect(self, address: bytes) -> None:
        """unix_dgram_connect."""
        other = self.look_up("connect", address)
        if other.peer is not None and other.peer is not self:
            raise self.failed("connect", errno.EPERM)
        former, self.peer = self.peer, other
        if former is not None:
            self.wait_no_more()
            self.wake(SPACE)
            if former is not other:
                self._part_from(former)

    def _part_from(self, former: UnixEnd) -> None:
        """What a former peer sent is lost; it is told if it was connected too (unix_dgram_disconnected)."""
        if not self.purge():
            return
        self.tell_waiting(0)
        if not former.is_dead and former.peer is self:
            former.so_error = errno.ECONNRESET
            former.note_end(errno.ECONNRESET)
            former.wake(ERROR)

    # --- sending ---------------------------------------------------------------------------------

    def send(self, data: Any, flags: int = 0) -> int:
        with memoryview(data) as view:
            return self.send_message(view.tobytes(), flags, None, [])

    def send_message(
        self, data: bytes, flags: int, address: bytes | None, control: list[tuple[int, int, Any]]
    ) -> int:
        outgoing = self.outgoing(control)
        try:
            return self._send(data, flags, address, outgoing)
        finally:
            outgoing.drop()

    def _send(self, data: bytes, flags: int, address: bytes | None, outgoing: Outgoing) -> int:
        """unix_dgram_sendmsg."""
        if flags & _OOB:
            raise self.failed("send", errno.EOPNOTSUPP)
        if address == b"":
            raise self.failed("send", errno.EINVAL)
        if self.wants_credentials:
            self.host.unix_names.bind_somewhere(self)
        if len(data) > self.send_buffer_bytes - _HEADER_BYTES:
            raise self.failed("send", errno.EMSGSIZE)
        if reason := self.lacks_room(flags):
            raise self.failed("send", reason)
        try:
            receiver = self._receiver(address)
        except OSError:
            self.take_back(0)  # the buffer that was made for it (sock_wfree)
            raise
        self._touched += 1
        truesize = datagram_truesize(len(data))
        receiver.put(Piece(data, self, truesize, outgoing.take_files(), outgoing.credentials))
        receiver.wake(DATA)
        return len(data)

    def _receiver(self, address: bytes | None) -> UnixEnd:
        """Who the datagram is for, if it can have it now."""
        receiver = self.peer if address is None else self.look_up("send", address)
        if receiver is None:
            raise self.failed("send", errno.ENOTCONN)
        if receiver.peer is not None and receiver.peer is not self:
            raise self.failed("send", errno.EPERM)
        if receiver.is_dead:
            self.lose_peer(receiver)
        if receiver.receive_shut:
            raise self.failed("send", errno.EPIPE)
        if receiver is not self and receiver.peer is not self and receiver.is_full:
            self._is_held_up()
            raise self.failed("send", errno.EAGAIN)
        return receiver

    def lose_peer(self, peer: UnixEnd) -> None:
        """The peer has closed: it is told once, and then there is none."""
        self.peer = None
        self.wait_no_more()
        self.wake(SPACE)
        self._part_from(peer)
        raise self.failed("send", errno.ECONNREFUSED)

    @property
    def is_full(self) -> bool:
        """unix_recvq_full."""
        return len(self.queue) > QUEUE_MAX

    # --- receiving -------------------------------------------------------------------------------

    @property
    def is_exhausted(self) -> bool:
        return self.receive_shut

    def receive_message(self, size: int, flags: int, control_size: int) -> Message:
        """__unix_dgram_recvmsg."""
        if flags & _OOB:
            raise self.failed("recv", errno.EOPNOTSUPP)
        if self.so_error:
            raise self.failed("recv", self.take_error())
        if not self.queue:
            return self.find_nothing()
        piece = self.queue[0]
        if not flags & _PEEK:
            self.queue.popleft()
        self.tell_waiting(SPACE)
        data = piece.data[:size]
        control = self.files_of(piece, flags), self.credentials_of(piece)
        message = self.message(data, piece.sender, flags, control, control_size)
        if len(data) < len(piece.data):
            message.flags |= _TRUNC
            if flags & _TRUNC:
                message.length = len(piece.data)
        if not flags & _PEEK:
            self.took(len(data))
            piece.free()
        return message

    def find_nothing(self) -> Message:
        """What a call is told that finds no datagram."""
        raise self.failed("recv", errno.EAGAIN)

    def readable_bytes(self) -> int:
        """unix_inq_len: the size of the next one."""
        return len(self.queue[0].data) if self.queue else 0

    def is_at_mark(self) -> bool:
        """There is no mark in datagrams (unix_ioctl)."""
        raise self.failed("ioctl", errno.EOPNOTSUPP)
