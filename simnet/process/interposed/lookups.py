"""The look-ups of asyncio's loops: it makes them in a thread, for they may take time.

Where the name server answers at once, as it does unless a test wants it otherwise, a process needs no thread
for them: that would be eight of a pool, and their turns, for nothing.  Where it does not, the look-up is made
in a thread of the process, as asyncio has it: other tasks go on meanwhile, and a time-out ends it.

Owns the two methods.
"""

from __future__ import annotations

from asyncio import base_events
from collections.abc import Callable
from typing import Any

from ..process import running

_names: Any = base_events
"""Where asyncio finds `socket`: its users put other resolvers in place there."""

_before: dict[str, Any] = {}


async def _getaddrinfo(
    self: Any, host: Any, port: Any, *, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0
) -> Any:
    if not _is_answered_at_once():
        return await _before["getaddrinfo"](
            self, host, port, family=family, type=type, proto=proto, flags=flags
        )
    return _names.socket.getaddrinfo(host, port, family, type, proto, flags)


async def _getnameinfo(self: Any, sockaddr: Any, flags: int = 0) -> Any:
    if not _is_answered_at_once():
        return await _before["getnameinfo"](self, sockaddr, flags)
    return _names.socket.getnameinfo(sockaddr, flags)


def _is_answered_at_once() -> bool:
    process = running()
    return process is not None and process.host.network.names.is_prompt


def change() -> Callable[[], None]:
    """Let loops look names up in processes; returns what undoes it."""
    cls: Any = base_events.BaseEventLoop
    _before.update(getaddrinfo=cls.getaddrinfo, getnameinfo=cls.getnameinfo)
    cls.getaddrinfo, cls.getnameinfo = _getaddrinfo, _getnameinfo

    def undo() -> None:
        for name, method in _before.items():
            setattr(cls, name, method)

    return undo
