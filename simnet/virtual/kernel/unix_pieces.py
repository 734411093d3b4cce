"""What one send() of an AF_UNIX socket leaves in the queue of its peer, and what that costs the sender.

The sender's buffer is what limits (unix(7), SO_SNDBUF): each piece is charged to it with all that the kernel
allocates for it, until the receiver has read all of the piece.

Owns a piece and its price.  Who may send, and when, is the business of the kinds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from .file import File

if TYPE_CHECKING:
    from .unix import UnixEnd

_PAGE = 4096
_ALIGNMENT = 64
_SHARED_INFO_BYTES, _SK_BUFF_BYTES = 320, 256
_HEAD_MIN = 512

_STREAM_HEAD_MAX = _PAGE - _SHARED_INFO_BYTES
STREAM_PIECE_MAX = _STREAM_HEAD_MAX + 32_768
"""The most that is sent as one piece of a stream (UNIX_SKB_FRAGS_SZ and a page)."""

_DATAGRAM_HEAD_MAX = 4 * _PAGE - _SHARED_INFO_BYTES  # SKB_MAX_ALLOC
_FRAGMENTS_MAX = 17 * _PAGE


def _aligned(size: int, to: int) -> int:
    return -(-size // to) * to


def _truesize(head: int, paged: int) -> int:
    """skb->truesize: the head has one of the sizes of kmalloc(), the rest whole pages."""
    room = _aligned(head, _ALIGNMENT) + _SHARED_INFO_BYTES
    head_room = max(_HEAD_MIN, 1 << (room - 1).bit_length())
    return head_room + _SK_BUFF_BYTES + _aligned(paged, _PAGE)


def stream_truesize(size: int) -> int:
    """What a piece of a stream costs: unix_stream_sendmsg."""
    paged = min(size, _aligned(max(0, size - _STREAM_HEAD_MAX), _PAGE))
    return _truesize(size - paged, paged)


def datagram_truesize(size: int) -> int:
    """What a datagram costs: unix_dgram_sendmsg."""
    paged = _aligned(min(max(0, size - _DATAGRAM_HEAD_MAX), _FRAGMENTS_MAX), _PAGE)
    return _truesize(size - paged, paged)


@attrs.define(eq=False)
class Piece:
    """One buffer of a queue (struct sk_buff)."""

    data: bytes
    sender: UnixEnd
    truesize: int
    files: list[File]
    """What travels with it; each is held."""

    credentials: bytes | None
    """Of the sender, if somebody wants to know (SO_PASSCRED)."""

    consumed: int = 0

    @property
    def unread(self) -> int:
        return len(self.data) - self.consumed

    def free(self) -> None:
        """It has left the queue: files that nobody took are closed, and the sender has its room back."""
        for file in self.files:
            file.drop()
        self.files = []
        self.sender.take_back(self.truesize)
