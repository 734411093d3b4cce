"""The room that a program has for control messages, and what is put into it: cmsg(3).

Owns headers, alignment and truncation (put_cmsg in net/core/scm.c).
"""

from __future__ import annotations

import socket as std

HEADER_BYTES = 16  # struct cmsghdr
_ALIGNMENT = 8
_CTRUNC = int(std.MSG_CTRUNC)


class ControlRoom:
    """The `msg_control` of one recvmsg(2): what fits, and the flags that say what did not."""

    __slots__ = ("_room", "flags", "messages")

    def __init__(self, room: int) -> None:
        self._room = room
        self.messages: list[tuple[int, int, bytes]] = []
        self.flags = 0

    def put(self, level: int, kind: int, data: bytes) -> None:
        """Add one message: whole, the part that there is room for, or nothing but MSG_CTRUNC."""
        room = self._room - HEADER_BYTES
        if room < len(data):
            self.flags |= _CTRUNC
        if room >= 0:
            self.messages.append((level, kind, data[:room]))
            self._room -= min(self._room, HEADER_BYTES + -(-len(data) // _ALIGNMENT) * _ALIGNMENT)
