"""Buffers to the brim: send until nothing more is taken, read all there is."""

from __future__ import annotations

import socket as std
from collections.abc import Callable
from typing import Any

from ..normal import outcome
from ..operations import PIPE, SOCKET, operation

PIECE = b"f" * 4096
DELAYED_ACK_S = 0.06
"""More than a receiver may withhold an acknowledgement (40 ms, TCP_ATO_MIN)."""


@operation(on=(SOCKET, PIPE))
def fill(session: Any, held: Any) -> Any:
    """Send until nothing more is taken, and nothing more would be after the peer's delayed ACK."""
    put = _writer(session, held)
    result, taken = outcome(put, PIECE), False
    # A byte may be taken where a new segment is not, and after an acknowledgement, before poll says so.
    while isinstance(result, int) or (
        taken and _within_an_ack(session, held, lambda: outcome(put, b"f") == 1)
    ):
        taken = True
        result = outcome(put, PIECE)
    session.filled |= taken
    return "full" if taken else result


@operation(on=(SOCKET, PIPE))
def drain(session: Any, held: Any) -> Any:
    """Read until there is nothing more, and say how it ended."""
    take = _reader(session, held)
    dgram = _is_datagram(held)
    for _ in range(10_000):
        result = outcome(take, 65536)
        if result == "EAGAIN" or (result == b"" and not dgram):
            if not session.filled or not _within_an_ack(session, held, lambda: _is_readable(session, held)):
                return result
        elif isinstance(result, str):
            return result
    return "never empty"


def _is_datagram(held: Any) -> bool:
    return getattr(held, "type", None) == std.SOCK_DGRAM


def _is_readable(session: Any, held: Any) -> bool:
    amount = session.readable(held.fileno())
    return isinstance(amount, int) and amount > 0


def _writer(session: Any, held: Any) -> Callable[[bytes], Any]:
    if hasattr(held, "send"):
        return held.send  # type: ignore[no-any-return]
    return lambda data: session.modules.os.write(held.fileno(), data)


def _reader(session: Any, held: Any) -> Callable[[int], Any]:
    if hasattr(held, "recv"):
        return held.recv  # type: ignore[no-any-return]
    return lambda size: session.modules.os.read(held.fileno(), size)


def _within_an_ack(session: Any, held: Any, condition: Callable[[], bool]) -> bool:
    """Whether something comes true within the time of a delayed ACK; at once if there are none."""
    if getattr(held, "family", std.AF_UNIX) == std.AF_UNIX:
        return condition()
    return session.eventually(condition, DELAYED_ACK_S)  # type: ignore[no-any-return]
