"""Operations of which the peer does the first half: it sends, reads, shuts down, closes; the socket answers.

Owns what is done and what is asked then.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from .bench import Bench, Situation, Words
from .peers import RESET
from .registry import OPERATIONS

operation = OPERATIONS()
connected = OPERATIONS("tcp", "unix")
AMPLE = 100
READS_MAX, ROOM = 64, 1 << 17


def the_peer(method: Callable[[Bench, Any], str]) -> Callable[[Bench, Situation], list[str] | None]:
    """What the peer does, what that returns, and what the socket answers then."""

    def operate(b: Bench, s: Situation) -> list[str] | None:
        if s.peer is None:
            return None
        said = method(b, s.peer)
        b.settle()
        return [said, b.answer(s.sock.recv, AMPLE), b.answer(s.sock.send, b"x")]

    operate.__name__ = method.__name__
    return operation(operate)


@the_peer
def peer_sends(b: Bench, peer: Any) -> str:
    return b.answer(peer.send, b"late")


@the_peer
def peer_recvs(b: Bench, peer: Any) -> str:
    """Until there is nothing more; how much a full buffer holds is the kernel's affair."""
    size, ended = 0, ""
    for _ in range(READS_MAX):
        room = bytearray(ROOM)
        ended = b.answer(peer.recv_into, room)
        if not ended.isdigit() or ended == "0":
            break
        size += int(ended)
        b.settle()
    return f"{'much' if size > AMPLE else size} {ended}"


@the_peer
def peer_shuts_rd(b: Bench, peer: Any) -> str:
    return b.answer(peer.shutdown, b.socket.SHUT_RD)


@the_peer
def peer_shuts_wr(b: Bench, peer: Any) -> str:
    return b.answer(peer.shutdown, b.socket.SHUT_WR)


@the_peer
def peer_closes(b: Bench, peer: Any) -> str:
    return b.answer(peer.close)


@the_peer
def peer_resets(b: Bench, peer: Any) -> str:
    peer.setsockopt(b.socket.SOL_SOCKET, b.socket.SO_LINGER, RESET)
    return b.answer(peer.close)


@the_peer
def peer_connects_here(b: Bench, peer: Any) -> str:
    return b.answer(peer.connect, b.live_address())


@operation
def peer_sends_a_descriptor(b: Bench, s: Situation) -> list[str] | None:
    """SCM_RIGHTS (unix(7)): a message that has room for it, and one that has not."""
    if s.peer is None:
        return None
    return [*(passed(b, s, room) for room in (b.socket.CMSG_SPACE(4), 0))]


def passed(b: Bench, s: Situation, room: int) -> str:
    """Send the peer's own descriptor, and receive with `room` bytes for it; close what came."""
    rights = b.socket.SOL_SOCKET, b.socket.SCM_RIGHTS, struct.pack("i", s.peer.fileno())
    sent = b.answer(s.peer.sendmsg, [b"fd"], [rights])
    b.settle()

    def receive() -> Words:
        data, control, flags, _ = s.sock.recvmsg(AMPLE, room)
        for _, _, body in control:
            b.modules.os.close(struct.unpack("i", body)[0])
        cut = " MSG_CTRUNC" if flags & b.socket.MSG_CTRUNC else ""
        return Words(f"{b.value(data)} with {len(control)}{cut}")

    return f"{sent} {b.answer(receive)}"


@connected
def listener_closes(b: Bench, s: Situation) -> list[str] | None:
    """A connection under way is refused, one that is established goes on."""
    if s.listener is None:
        return None
    s.listener.close()
    b.settle()
    return [b.answer(s.sock.recv, AMPLE), b.answer(s.sock.send, b"x")]
