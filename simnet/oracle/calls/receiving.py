"""Receiving: recv(2), recvfrom(2), recvmsg(2) and their forms with a buffer; read(2)."""

from __future__ import annotations

import socket as std
from typing import Any

from ..operations import PIPE, SOCKET, any_of, operation
from .bulk import drain
from .passing import descriptors_in
from .sending import flags_of

SIZES = (1, 2, 4, 4, 60, 1000, 1000, 1000, 0, -1)
FLAGS = any_of(
    "", "", "", "", "", "", "PEEK", "PEEK", "DONTWAIT", "TRUNC", "PEEK|TRUNC", "WAITALL", "PEEK|WAITALL",
    "NOSIGNAL", "PEEK|DONTWAIT", "ERRQUEUE",
)  # fmt: skip


_NUMBER = 4
"""A control message of so many bytes is a number; a longer one may have ports or processes in it."""


def _takes(flags: str) -> bool:
    return "PEEK" not in flags


@operation(any_of(*SIZES), FLAGS)
def recv(session: Any, sock: Any, size: int, flags: str = "") -> Any:
    if session.filled:
        return _after_filling(session, sock, flags)
    return _written(sock, size, flags, sock.recv(size, flags_of(flags)))


def _written(sock: Any, size: int, flags: str, data: bytes) -> Any:
    """Data without the bytes that nobody has written.

    With MSG_TRUNC a datagram's true length is returned, though no more than the buffer's was written, and TCP
    writes nothing at all; the interpreter makes that many bytes of whatever the memory held.
    """
    if "TRUNC" not in flags:
        return data
    stream = sock.type == std.SOCK_STREAM and sock.family != std.AF_UNIX
    return len(data), b"" if stream else data[:size]


def _control(session: Any, messages: Any) -> list[Any]:
    """What came with a message; descriptors are closed at once."""
    for number in descriptors_in(messages):
        session.modules.os.close(number)
    return [
        (level, kind, content if len(content) <= _NUMBER else len(content))
        for level, kind, content in messages
    ]


def _after_filling(session: Any, sock: Any, flags: str) -> Any:
    if _takes(flags):
        return drain(session, sock)
    return "data" if sock.recv(1, std.MSG_PEEK) else b""


@operation(any_of(1, 1, 1, 3, 0))
def recv_urgent(session: Any, sock: Any, size: int) -> Any:
    """recv(2) with MSG_OOB."""
    return sock.recv(size, std.MSG_OOB)


@operation(any_of(0, 1, 4, 60, 1000), any_of(0, 0, 0, 2, 70, -1, 2000), FLAGS)
def recv_into(session: Any, sock: Any, room: int, size: int, flags: str) -> Any:
    if session.filled:
        return _after_filling(session, sock, flags)
    buffer = bytearray(room)
    count = sock.recv_into(buffer, size, flags_of(flags))
    return count, bytes(buffer[:count])


@operation(any_of(*SIZES), FLAGS)
def recvfrom(session: Any, sock: Any, size: int, flags: str) -> Any:
    if session.filled:
        return _after_filling(session, sock, flags)
    data, address = sock.recvfrom(size, flags_of(flags))
    return _written(sock, size, flags, data), session.names.address(address)


@operation(any_of(1, 4, 60, 1000), any_of(0, 0, 2, 2000), FLAGS)
def recvfrom_into(session: Any, sock: Any, room: int, size: int, flags: str) -> Any:
    if session.filled:
        return _after_filling(session, sock, flags)
    buffer = bytearray(room)
    count, address = sock.recvfrom_into(buffer, size, flags_of(flags))
    return count, bytes(buffer[:count]), session.names.address(address)


@operation(any_of(*SIZES), any_of(0, 0, 64, -1), FLAGS)
def recvmsg(session: Any, sock: Any, size: int, ancillary: int, flags: str) -> Any:
    if session.filled:
        return _after_filling(session, sock, flags)
    data, messages, seen, address = sock.recvmsg(size, ancillary, flags_of(flags))
    return (
        _written(sock, size, flags, data),
        _control(session, messages),
        seen,
        session.names.address(address),
    )


@operation(any_of((4,), (1, 3), (60, 1000), (0,), ()), FLAGS)
def recvmsg_into(session: Any, sock: Any, rooms: tuple[int, ...], flags: str) -> Any:
    if session.filled:
        return _after_filling(session, sock, flags)
    buffers = [bytearray(room) for room in rooms]
    count, messages, seen, address = sock.recvmsg_into(buffers, 0, flags_of(flags))
    data = b"".join(buffers)[:count]
    return count, data, _control(session, messages), seen, session.names.address(address)


@operation(any_of(1, 4, 60, 1000, 1000, 5000, 0), on=(SOCKET, PIPE))
def read(session: Any, held: Any, size: int) -> Any:
    if session.filled:
        return drain(session, held)
    return session.modules.os.read(held.fileno(), size)
