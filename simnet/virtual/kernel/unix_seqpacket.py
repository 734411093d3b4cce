"""AF_UNIX sequenced packets (unix(7), SOCK_SEQPACKET): connected like a stream, sent like datagrams.

A record that is longer than what recv() asks for is cut, and its rest is lost.  The end of the connection
looks like an empty record.

Owns where the two halves differ from what they are made of.
"""

from __future__ import annotations

import errno
from typing import Any

from ...transport import HUP, IN
from .. import linux as std
from .sock import Message
from .unix import UnixEnd
from .unix_connection import State, UnixConnectionEnd
from .unix_datagram import UnixDatagramEnd


class UnixSeqpacketEnd(UnixConnectionEnd, UnixDatagramEnd):
    """An AF_UNIX socket for sequenced packets below its descriptors."""

    __slots__ = ()

    kind = std.SOCK_SEQPACKET

    bind = UnixEnd.bind

    def poll_mask(self) -> int:
        """What poll(2) would say, with every event asked for (unix_dgram_poll)."""
        mask = UnixDatagramEnd.poll_mask(self)
        if self.pending:
            mask |= IN
        if self.state is State.CLOSED:
            mask |= HUP
        return mask

    @property
    def is_writable(self) -> bool:
        return self.state is not State.LISTEN and super().is_writable

    def send_message(
        self, data: bytes, flags: int, address: bytes | None, control: list[tuple[int, int, Any]]
    ) -> int:
        """unix_seqpacket_sendmsg: an address means nothing."""
        if self.so_error:
            raise self.failed("send", self.take_error())
        if self.state is not State.ESTABLISHED:
            raise self.failed("send", errno.ENOTCONN)
        return super().send_message(data, flags, None, control)

    def lose_peer(self, peer: UnixEnd) -> None:
        raise self.failed("send", errno.EPIPE)

    def receive_message(self, size: int, flags: int, control_size: int) -> Message:
        """unix_seqpacket_recvmsg."""
        if self.state is not State.ESTABLISHED:
            raise self.failed("recv", errno.ENOTCONN)
        return super().receive_message(size, flags, control_size)

    def find_nothing(self) -> Message:
        """The end of the connection is told as an empty record."""
        if self.receive_shut:
            return Message(b"")
        return super().find_nothing()
