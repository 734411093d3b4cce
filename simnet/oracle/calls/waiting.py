"""Calls that may wait: on sockets with a time-out or without one, in poll(2), select(2) and epoll_wait(2).

The time-out is short. Whoever waits in vain costs the live kernel that long, and a virtual one nothing.
Without a time-out a call is made only if the socket is ready for it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...transport import IN, OUT
from ..operations import ANYTHING, EPOLL, a_slot, any_of, operation
from .naming import a_destination, address_of
from .readiness import INTEREST, mask_of, of_program
from .sending import SIZES

TIMEOUT_S = 0.01
TIMEOUT_MS = 10


def _patiently(sock: Any, call: Callable[..., Any], *arguments: Any) -> Any:
    sock.settimeout(TIMEOUT_S)
    try:
        return call(*arguments)
    finally:
        sock.settimeout(0.0)


@operation(a_destination)
def await_connect(session: Any, sock: Any, place: tuple[Any, ...]) -> Any:
    return _patiently(sock, sock.connect, address_of(session, sock, place))


@operation(a_slot)
def await_accept(session: Any, sock: Any, slot: int) -> Any:
    accepted, address = _patiently(sock, sock.accept)
    session.put_socket(slot, accepted)
    return session.names.address(address)


@operation(any_of(1, 4, 1000, 1000, 0))
def await_recv(session: Any, sock: Any, size: int) -> Any:
    return _patiently(sock, sock.recv, size)


@operation(any_of(*SIZES))
def await_send(session: Any, sock: Any, size: int) -> Any:
    return _patiently(sock, sock.send, session.payload(size))


@operation(any_of(*SIZES))
def await_sendall(session: Any, sock: Any, size: int) -> Any:
    return _patiently(sock, sock.sendall, session.payload(size))


def _at_once(session: Any, sock: Any, events: int, call: Callable[..., Any], *arguments: Any) -> Any:
    """A call on a blocking socket that need not wait; nothing where it might."""
    poller = session.modules.select.poll()
    poller.register(sock, events)
    if not any(mask & events for _, mask in poller.poll(0)):
        return None
    sock.settimeout(None)
    try:
        return call(*arguments)
    finally:
        sock.settimeout(0.0)


@operation(any_of(1, 4, 1000, 1000))
def blocking_recv(session: Any, sock: Any, size: int) -> Any:
    return _at_once(session, sock, IN, sock.recv, size)


@operation(any_of(1, 4, 1000, 1000))
def blocking_recvfrom(session: Any, sock: Any, size: int) -> Any:
    result = _at_once(session, sock, IN, sock.recvfrom, size)
    return result and (result[0], session.names.address(result[1]))


@operation(any_of(*SIZES))
def blocking_send(session: Any, sock: Any, size: int) -> Any:
    return _at_once(session, sock, OUT, sock.send, session.payload(size))


@operation(any_of(*SIZES))
def blocking_sendall(session: Any, sock: Any, size: int) -> Any:
    return _at_once(session, sock, OUT, sock.sendall, session.payload(size))


@operation(a_slot)
def blocking_accept(session: Any, sock: Any, slot: int) -> Any:
    result = _at_once(session, sock, IN, sock.accept)
    if result is None:
        return None
    session.put_socket(slot, result[0])
    return session.names.address(result[1])


@operation(any_of(*INTEREST), on=ANYTHING)
def await_poll(session: Any, held: Any, events: str) -> Any:
    poller = session.modules.select.poll()
    poller.register(held, mask_of(events))
    return of_program(session, poller.poll(TIMEOUT_MS))


@operation(on=ANYTHING)
def await_select(session: Any, held: Any) -> Any:
    """select(2) for reading only."""
    ready, _, _ = session.modules.select.select([held], [], [], TIMEOUT_S)
    return len(ready)


@operation(any_of(-1, 1, 2), on=(EPOLL,))
def await_events(session: Any, epoll: Any, maxevents: int) -> Any:
    return of_program(session, epoll.poll(TIMEOUT_S, maxevents))
