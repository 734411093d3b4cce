"""Operations that give bytes to a socket: send in all its forms.

Owns what each is called with.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .bench import Bench, Situation, Words
from .registry import OPERATIONS

operation = OPERATIONS()
AMPLE = 100


@operation
def send(b: Bench, s: Situation) -> list[str]:
    return [b.answer(s.sock.send, b"x")]


@operation
def send_3_times(b: Bench, s: Situation) -> list[str]:
    return [b.answer(s.sock.send, b"x") for _ in range(3)]


@operation
def send_nothing(b: Bench, s: Situation) -> list[str]:
    return [b.answer(s.sock.send, b"")]


@operation
def sendall(b: Bench, s: Situation) -> list[str]:
    return [b.answer(s.sock.sendall, b"all")]


@operation
def sendall_nothing(b: Bench, s: Situation) -> list[str]:
    return [b.answer(s.sock.sendall, b"")]


def send_flagged(name: str) -> Callable[[Bench, Situation], list[str]]:
    def send_with(b: Bench, s: Situation) -> list[str]:
        return [b.answer(s.sock.send, b"xyz", getattr(b.socket, name))]

    send_with.__name__ = f"send_{name.removeprefix('MSG_').lower()}"
    return send_with


for flag in ("MSG_DONTWAIT", "MSG_NOSIGNAL", "MSG_OOB"):
    operation(send_flagged(flag))


@operation
def send_oob_1(b: Bench, s: Situation) -> list[str]:
    return [b.answer(s.sock.send, b"!", b.socket.MSG_OOB)]


@operation
def send_with_timeout(b: Bench, s: Situation) -> list[str]:
    return [b.timeout_set(s.sock), b.answer(s.sock.send, b"x")]


@operation
def send_then_the_peer_reads(b: Bench, s: Situation) -> list[str] | None:
    if s.peer is None:
        return None
    said = b.answer(s.sock.send, b"ping")
    b.settle()
    return [said, b.answer(s.peer.recv, AMPLE)]


@OPERATIONS("udp", "unixdg")
def send_too_much(b: Bench, s: Situation) -> list[str]:
    return [b.answer(s.sock.send, bytes(300_000))]


@OPERATIONS("udp", "unixdg")
def sendto_too_much(b: Bench, s: Situation) -> list[str]:
    return [b.answer(s.sock.sendto, bytes(300_000), b.live_address())]


@operation
def sendto_live(b: Bench, s: Situation) -> list[str]:
    return [b.answer(s.sock.sendto, b"x", b.live_address())]


@operation
def sendto_dead_twice(b: Bench, s: Situation) -> list[str]:
    address = b.dead_address()
    answers = []
    for _ in range(2):
        answers.append(b.answer(s.sock.sendto, b"x", address))
        b.settle()
    return answers


@operation
def sendto_peer(b: Bench, s: Situation) -> list[str] | None:
    if s.peer is None or not s.peer.getsockname():
        return None
    return [b.answer(s.sock.sendto, b"x", s.peer.getsockname())]


@operation
def sendto_self(b: Bench, s: Situation) -> list[str] | None:
    """To its own address, if it has one."""
    if not s.sock.fileno() >= 0 or not s.sock.getsockname():
        return None
    said = b.answer(s.sock.sendto, b"me", s.sock.getsockname())
    b.settle()
    return [said, b.answer(s.sock.recv, AMPLE)]


@operation
def sendmsg(b: Bench, s: Situation) -> list[str]:
    return [b.answer(s.sock.sendmsg, [b"x", b"yz"])]


@operation
def sendmsg_nothing(b: Bench, s: Situation) -> list[str]:
    return [b.answer(s.sock.sendmsg, [])]


@operation
def sendmsg_live(b: Bench, s: Situation) -> list[str]:
    return [b.answer(s.sock.sendmsg, [b"x"], [], 0, b.live_address())]


@operation
def os_write(b: Bench, s: Situation) -> list[str]:
    return [b.answer(b.modules.os.write, s.sock.fileno(), b"x")]


@operation
def makefile_write(b: Bench, s: Situation) -> list[str]:
    def write() -> Any:
        with s.sock.makefile("wb", buffering=0) as file:
            return Words(repr(file.write(b"xyz")))

    return [b.answer(write)]
