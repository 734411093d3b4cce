"""Epoll instances, and what they report: for the tests of epoll(7).  Owns no expectation."""

from __future__ import annotations

from typing import Any

from .machine import Machine, mask_name


def watching(m: Machine, sock: Any, mask: int) -> Any:
    """An epoll instance that watches one descriptor."""
    epoll = m.epoll()
    epoll.register(sock, mask)
    return epoll


def masks(epoll: Any, most: int = -1) -> list[str]:
    """The events that there are now, without the numbers."""
    return [mask_name(mask) for _, mask in epoll.poll(0, most)]


def order(epoll: Any, socks: list[Any], most: int = -1) -> list[int]:
    """Which of the sockets are reported now, in the order of the report."""
    numbers = [sock.fileno() for sock in socks]
    return [numbers.index(fd) for fd, _ in epoll.poll(0, most)]
