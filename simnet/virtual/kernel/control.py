"""The room that a program has for control messages, and what is put into it: cmsg(3).

Owns headers, alignment and truncation (put_cmsg in net/core/scm.c); which messages of SOL_SOCKET may be sent.
"""

from __future__ import annotations

import errno
import os

from .. import linux as std
from .options import not_simulated

_HEADER_BYTES = 16  # struct cmsghdr
_ALIGNMENT = 8
_CTRUNC = int(std.MSG_CTRUNC)

_MEANT_FOR_UNIX = (std.SCM_RIGHTS, 2)  # the other is SCM_CREDENTIALS
_SOCKET_LEVEL = (12, 36, 37, 61)  # SO_PRIORITY, SO_MARK, SO_TIMESTAMPING, SO_TXTIME
"""What Linux knows and a virtual host does not."""


def check_socket_level(kind: int) -> None:
    """__sock_cmsg_send: what is meant for AF_UNIX is passed over, what is unknown is EINVAL."""
    if kind not in _MEANT_FOR_UNIX:
        refuse(int(std.SOL_SOCKET), kind, _SOCKET_LEVEL)


def refuse(level: int, kind: int, known: tuple[int, ...]) -> None:
    """Raise what a control message is answered by: EINVAL, or that it is not simulated."""
    if kind in known:
        raise not_simulated(level, kind)
    raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))


class ControlRoom:
    """The `msg_control` of one recvmsg(2): what fits, and the flags that say what did not."""

    __slots__ = ("_room", "flags", "messages")

    def __init__(self, room: int) -> None:
        self._room = room
        self.messages: list[tuple[int, int, bytes]] = []
        self.flags = 0

    @property
    def data_bytes(self) -> int:
        """How many bytes the data of one more message may have."""
        return max(self._room - _HEADER_BYTES, 0)

    def put(self, level: int, kind: int, data: bytes) -> None:
        """Add one message: whole, the part that there is room for, or nothing but MSG_CTRUNC."""
        room = self._room - _HEADER_BYTES
        if room < len(data):
            self.flags |= _CTRUNC
        if room >= 0:
            self.messages.append((level, kind, data[:room]))
            self._room -= min(self._room, _HEADER_BYTES + -(-len(data) // _ALIGNMENT) * _ALIGNMENT)
