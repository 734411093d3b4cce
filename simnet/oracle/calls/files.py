"""Descriptors as files: dup2(2), readv(2), writev(2); of fcntl(2) flags, duplicates and sizes of pipes."""

from __future__ import annotations

import fcntl
from typing import Any

from ..operations import PIPE, SOCKET, a_slot, another, any_of, operation

BARE = (SOCKET, PIPE)
F_SETPIPE_SZ, F_GETPIPE_SZ = 1031, 1032


@operation(another, on=BARE)
def dup2(session: Any, held: Any, slot: int) -> Any:
    """The descriptor of another slot is that of this one from now on."""
    target = session.held[slot]
    session.strayed = True
    number = -1 if target is None else target.fileno()
    return session.names.descriptor(session.modules.os.dup2(held.fileno(), number))


@operation(a_slot, any_of(0, 0, 2, 5), on=BARE)
def dup_from(session: Any, held: Any, slot: int, lowest: int) -> Any:
    """fcntl(2) with F_DUPFD: a number from `lowest` on."""
    lowest += session.names.first_descriptor
    number = session.modules.fcntl.fcntl(held.fileno(), fcntl.F_DUPFD, lowest)
    session.put(slot, session.raw(number), PIPE)
    return session.names.descriptor(number)


@operation(any_of("F_GETFL", "F_GETFD"), on=BARE)
def file_flags(session: Any, held: Any, command: str) -> Any:
    return session.modules.fcntl.fcntl(held.fileno(), getattr(fcntl, command))


@operation(any_of(0, 1, 4096, 5000, 8192, 65_536, 131_072), on=BARE)
def resize(session: Any, held: Any, size: int) -> Any:
    """The size of a pipe, set and read back."""
    made = session.modules.fcntl.fcntl(held.fileno(), F_SETPIPE_SZ, size)
    return made, session.modules.fcntl.fcntl(held.fileno(), F_GETPIPE_SZ)


@operation(any_of((1,), (3, 50), (0, 4), (4096, 1)), on=BARE)
def writev(session: Any, held: Any, sizes: tuple[int, ...]) -> Any:
    return session.modules.os.writev(held.fileno(), [session.payload(size) for size in sizes])


@operation(any_of((1,), (3, 50), (0, 4), (4096, 1)), on=BARE)
def readv(session: Any, held: Any, rooms: tuple[int, ...]) -> Any:
    if session.filled:
        return None
    buffers = [bytearray(room) for room in rooms]
    count = session.modules.os.readv(held.fileno(), buffers)
    return count, b"".join(buffers)[:count]
