"""Ending: shutdown(2), close(2), and descriptors that have more than one name: dup(2), detach()."""

from __future__ import annotations

import socket as std
from typing import Any

from ..operations import ANYTHING, PIPE, SOCKET, a_slot, any_of, operation

HOW = {"RD": std.SHUT_RD, "WR": std.SHUT_WR, "RDWR": std.SHUT_RDWR, "3": 3, "-1": -1}


@operation(any_of("RD", "RD", "WR", "WR", "WR", "WR", "RDWR", "RDWR", "3", "-1"))
def shutdown(session: Any, sock: Any, how: str) -> Any:
    return sock.shutdown(HOW[how])


@operation(on=ANYTHING)
def close(session: Any, held: Any) -> Any:
    return session.close(held)


@operation(on=(SOCKET, PIPE))
def close_descriptor(session: Any, held: Any) -> Any:
    """close(2) behind the back of the object, which keeps the number; it may be another's soon."""
    session.strayed = True
    return session.modules.os.close(held.fileno())


@operation(a_slot)
def dup(session: Any, sock: Any, slot: int) -> Any:
    other = sock.dup()
    session.put_socket(slot, other)
    return session.names.descriptor(other.fileno())


@operation(a_slot)
def detach(session: Any, sock: Any, slot: int) -> Any:
    """detach(), and a new object around the descriptor, which finds out what it is."""
    number = sock.detach()
    if number < 0:
        return number
    other = session.modules.socket.socket(fileno=number)
    session.put_socket(slot, other)
    return session.names.descriptor(number), int(other.family), int(other.type), other.proto


@operation(on=ANYTHING)
def fileno(session: Any, held: Any) -> Any:
    return session.names.descriptor(held.fileno())
