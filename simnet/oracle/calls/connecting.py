"""Connections: listen(2), connect(2), accept(2)."""

from __future__ import annotations

from typing import Any

from ..normal import ERRNO_NAMES
from ..operations import a_slot, any_of, operation
from .naming import a_destination, address_of

BACKLOGS = (0, 0, 1, 1, 2, 5, -1, -(2**31), 2**31 - 1, 2**31)


@operation(any_of(*BACKLOGS))
def listen(session: Any, sock: Any, backlog: int) -> Any:
    return sock.listen(backlog)


@operation(a_destination)
def connect(session: Any, sock: Any, place: tuple[Any, ...]) -> Any:
    return sock.connect(address_of(session, sock, place))


@operation(a_destination)
def connect_ex(session: Any, sock: Any, place: tuple[Any, ...]) -> Any:
    number = sock.connect_ex(address_of(session, sock, place))
    return ERRNO_NAMES.get(number, number)


@operation(a_slot)
def accept(session: Any, sock: Any, slot: int) -> Any:
    accepted, address = sock.accept()
    session.put_socket(slot, accepted)
    return session.names.address(address)
