"""How long the kernel can be told to wait."""

from __future__ import annotations

import math

_SECONDS_MAX = (
    1_000_000.0  # the kernel counts milliseconds in an int; a wait that ends early has found nothing
)


def bounded(timeout: float | None) -> float | None:
    """Seconds, as select, epoll and kqueue take them."""
    return timeout if timeout is None or timeout < _SECONDS_MAX else _SECONDS_MAX


def milliseconds(timeout: float | None) -> float | None:
    """Milliseconds, as poll takes them; rounded up, or a timer that is due in half of one would spin."""
    return None if timeout is None else math.ceil(min(timeout, _SECONDS_MAX) * 1000)
