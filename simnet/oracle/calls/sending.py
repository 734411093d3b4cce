"""Sending: send(2), sendto(2), sendmsg(2), write(2)."""

from __future__ import annotations

import socket as std
from functools import cache
from typing import Any

from ..draws import Draws
from ..operations import PIPE, SOCKET, Scene, any_of, operation
from .naming import a_destination, address_of

SIZES = (1, 1, 3, 3, 50, 50, 0, 700)
"""Far below every buffer; what is larger is the affair of `bulk`."""


@cache
def flags_of(text: str) -> int:
    """``"PEEK|DONTWAIT"`` as a number."""
    return sum(getattr(std, f"MSG_{name}") for name in text.split("|") if name)


FLAGS = any_of("", "", "", "", "NOSIGNAL", "DONTWAIT", "DONTWAIT|NOSIGNAL")


def _maybe_a_destination(draws: Draws, scene: Scene) -> tuple[Any, ...] | None:
    return None if draws.one_in(2) else a_destination(draws, scene)


@operation(any_of(*SIZES), FLAGS)
def send(session: Any, sock: Any, size: int, flags: str = "") -> Any:
    return sock.send(session.payload(size), flags_of(flags))


@operation(any_of(*SIZES))
def sendall(session: Any, sock: Any, size: int) -> Any:
    return sock.sendall(session.payload(size))


@operation(any_of(1, 1, 1, 2, 5, 0))
def send_urgent(session: Any, sock: Any, size: int) -> Any:
    """send(2) with MSG_OOB."""
    return sock.send(session.payload(size), std.MSG_OOB)


@operation(any_of(*SIZES, 65508, 70000), FLAGS, a_destination)
def sendto(session: Any, sock: Any, size: int, flags: str, place: tuple[Any, ...]) -> Any:
    if size > 65507 and sock.type != std.SOCK_DGRAM:
        size = 700
    return sock.sendto(session.payload(size), flags_of(flags), address_of(session, sock, place))


@operation(any_of((1,), (3, 4), (), (0,), (50, 0, 700)), FLAGS, _maybe_a_destination)
def sendmsg(session: Any, sock: Any, sizes: tuple[int, ...], flags: str, place: Any) -> Any:
    pieces = [session.payload(size) for size in sizes]
    if place is None:
        return sock.sendmsg(pieces, [], flags_of(flags))
    return sock.sendmsg(pieces, [], flags_of(flags), address_of(session, sock, place))


@operation(any_of(4096, 4097, 40_000, 65_536, 70_000), on=(PIPE,))
def write_much(session: Any, held: Any, size: int) -> Any:
    """write(2) to a pipe, whose capacity of sixteen pages is the same everywhere (pipe(7))."""
    return session.modules.os.write(held.fileno(), session.payload(size))


@operation(any_of(*SIZES), on=(SOCKET, PIPE))
def write(session: Any, held: Any, size: int) -> Any:
    return session.modules.os.write(held.fileno(), session.payload(size))
