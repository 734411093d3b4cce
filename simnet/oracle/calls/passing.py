"""Descriptors in messages (unix(7), SCM_RIGHTS), and the names of AF_UNIX sockets as files."""

from __future__ import annotations

import array
import socket as std
from typing import Any

from ..operations import PIPE, a_slot, another, any_of, operation
from .naming import NAMES, path_of

ROOM = std.CMSG_SPACE(8)


@operation(another, any_of(1, 1, 0))
def send_rights(session: Any, sock: Any, slot: int, size: int) -> Any:
    """sendmsg(2) with the descriptor of another slot.

    Not of an AF_UNIX socket: a ring of them that nobody can reach is freed whenever the kernel comes to it.
    """
    held = session.held[slot]
    if getattr(held, "family", None) == std.AF_UNIX:
        return None
    descriptors = array.array("i", [-1 if held is None else held.fileno()])
    message = (std.SOL_SOCKET, std.SCM_RIGHTS, descriptors)
    return sock.sendmsg([session.payload(size)], [message])


@operation(a_slot, any_of(4, 1))
def recv_rights(session: Any, sock: Any, slot: int, size: int) -> Any:
    """recvmsg(2) with room for descriptors; the first one, if it is a socket's or pipe's, into a slot."""
    data, messages, flags, _ = sock.recvmsg(size, ROOM)
    numbers = descriptors_in(messages)
    if numbers:
        session.put(slot, session.raw(numbers[0]), PIPE)
    return data, [session.names.descriptor(number) for number in numbers], flags


def descriptors_in(messages: Any) -> list[int]:
    """The descriptors that came with a message."""
    numbers = array.array("i")
    for level, kind, content in messages:
        if (level, kind) == (std.SOL_SOCKET, std.SCM_RIGHTS):
            numbers.frombytes(content[: len(content) - len(content) % numbers.itemsize])
    return list(numbers)


@operation(any_of(*NAMES), makes=True)
def unlink(session: Any, slot: int, number: int) -> Any:
    """Remove the name of an AF_UNIX socket; the slot plays no part."""
    return session.modules.os.unlink(path_of(number))


@operation(any_of(*NAMES), makes=True)
def exists(session: Any, slot: int, number: int) -> Any:
    return session.modules.os.path.exists(path_of(number))
