"""What the other end of a connection does on the way into a state.

Owns these few steps.  The states are in `unconnected`, `connected` and `disconnected`.
"""

from __future__ import annotations

import struct

from .bench import Bench, Situation

RESET = struct.pack("ii", 1, 0)
"""struct linger: on, for no time; close() then sends RST (socket(7))."""


def close(situation: Situation) -> Situation:
    """The peer closes."""
    situation.peer.close()
    return Situation(situation.sock, None, situation.listener)


def reset(bench: Bench, situation: Situation) -> Situation:
    """The peer closes, and TCP resets the connection."""
    situation.peer.setsockopt(bench.socket.SOL_SOCKET, bench.socket.SO_LINGER, RESET)
    return close(situation)


def give(bench: Bench, situation: Situation, data: bytes = b"hello") -> Situation:
    """The peer sends."""
    assert situation.peer.send(data) == len(data)
    bench.settle()
    return situation


def leave_unread(bench: Bench, situation: Situation) -> Situation:
    """The peer has something to read, and does not."""
    assert situation.sock.send(b"unread") == 6
    bench.settle()
    return situation
