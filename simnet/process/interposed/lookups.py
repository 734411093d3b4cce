"""The look-ups of asyncio's loops: it makes them in a thread; a process makes them itself.

While the name server has not answered, the whole process waits.

Owns the two methods.
"""

from __future__ import annotations

import sys
from typing import Any

from ..process import running

_before: dict[str, Any] = {}


async def _getaddrinfo(
    self: Any, host: Any, port: Any, *, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0
) -> Any:
    if running() is None:
        return await _before["getaddrinfo"](
            self, host, port, family=family, type=type, proto=proto, flags=flags
        )
    return _asyncio_socket().getaddrinfo(host, port, family, type, proto, flags)


async def _getnameinfo(self: Any, sockaddr: Any, flags: int = 0) -> Any:
    if running() is None:
        return await _before["getnameinfo"](self, sockaddr, flags)
    return _asyncio_socket().getnameinfo(sockaddr, flags)


def _asyncio_socket() -> Any:
    """What asyncio finds under the name: its users put other resolvers in place there."""
    return sys.modules["asyncio.base_events"].socket


def change() -> None:
    """Let loops look names up in processes; if asyncio is there, and it has not been done."""
    asyncio: Any = sys.modules.get("asyncio.base_events")
    cls = getattr(asyncio, "BaseEventLoop", None)
    if cls is not None and not _before:
        _before.update(getaddrinfo=cls.getaddrinfo, getnameinfo=cls.getnameinfo)
        cls.getaddrinfo, cls.getnameinfo = _getaddrinfo, _getnameinfo


def change_back() -> None:
    """Give asyncio its methods back."""
    if _before:
        cls = sys.modules["asyncio.base_events"].BaseEventLoop
        for name, method in _before.items():
            setattr(cls, name, method)
        _before.clear()
