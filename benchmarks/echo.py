"""Echo: every connection sends a message, waits until it is back, and sends the next.

An operation is one message, there and back.  Connecting and closing are part of the time.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from benchmarks.measure import Contestant, Row, compare
from benchmarks.peers import on_simloop, over_loopback, why_no_simloop
from benchmarks.virtual import on_simnet

MESSAGE = bytes(range(64))
CONNECTIONS = (1, 100)


def run(quick: bool, said: Callable[[str], None]) -> list[Row]:
    """The rows for one connection and for a hundred."""
    total, rounds = (4_000, 3) if quick else (10_000, 7)
    rows = []
    for connections in CONNECTIONS:
        sizes = (connections, total // connections, MESSAGE)
        contestants: dict[str, Contestant] = {
            "simnet": partial(on_simnet, *sizes, trace=True),
            "simnet, no trace": partial(on_simnet, *sizes, trace=False),
            "asyncio over loopback": partial(over_loopback, *sizes),
        }
        if why_no_simloop() is None:
            contestants["simloop"] = partial(on_simloop, *sizes)
        plural = "s" if connections > 1 else ""
        rows += compare(f"echo, {connections} connection{plural}", contestants, total, rounds, said)
    return rows
