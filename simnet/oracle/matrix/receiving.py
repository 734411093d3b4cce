"""Operations that take bytes from a socket: recv in all its forms.

Owns what each is called with.  `hello` is what waits in most states where something waits, so sizes are
chosen around 5.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .bench import Bench, Situation, Words
from .registry import OPERATIONS

operation = OPERATIONS()
AMPLE = 100
SHORT = 2


@operation
def recv(b: Bench, s: Situation) -> list[str]:
    return [b.answer(s.sock.recv, AMPLE)]


@operation
def recv_3_times(b: Bench, s: Situation) -> list[str]:
    return [b.answer(s.sock.recv, AMPLE) for _ in range(3)]


@operation
def recv_short_3_times(b: Bench, s: Situation) -> list[str]:
    return [b.answer(s.sock.recv, SHORT) for _ in range(3)]


@operation
def recv_nothing(b: Bench, s: Situation) -> list[str]:
    """recv(0) does not reach the kernel: Python answers."""
    return [b.answer(s.sock.recv, 0)]


@operation
def recv_negative(b: Bench, s: Situation) -> list[str]:
    return [b.answer(s.sock.recv, -1)]


def flagged(name: str) -> Callable[[Bench, Situation], list[str]]:
    """recv() with a flag, and again without: what the flag left."""

    def recv_flagged(b: Bench, s: Situation) -> list[str]:
        return [b.answer(s.sock.recv, AMPLE, getattr(b.socket, name)), b.answer(s.sock.recv, AMPLE)]

    recv_flagged.__name__ = f"recv_{name.removeprefix('MSG_').lower()}_recv"
    return recv_flagged


for flag in ("MSG_PEEK", "MSG_WAITALL", "MSG_DONTWAIT", "MSG_OOB"):
    operation(flagged(flag))


@operation
def recv_short_peek_twice(b: Bench, s: Situation) -> list[str]:
    return [b.answer(s.sock.recv, SHORT, b.socket.MSG_PEEK) for _ in range(2)]


@operation
def recv_trunc_recv(b: Bench, s: Situation) -> list[str]:
    return [*truncated(b, s, AMPLE), b.answer(s.sock.recv, AMPLE)]


@operation
def recv_short_trunc_recv(b: Bench, s: Situation) -> list[str]:
    return [*truncated(b, s, SHORT), b.answer(s.sock.recv, AMPLE)]


def truncated(b: Bench, s: Situation, size: int) -> list[str]:
    """A datagram's whole length, whatever fits; TCP drops bytes and writes none, so recv() would return
    whatever was in memory.
    """
    room = bytearray(AMPLE)
    return [b.answer(s.sock.recv_into, room, size, b.socket.MSG_TRUNC), b.value(room.rstrip(b"\0"))]


@operation
def recv_oob(b: Bench, s: Situation) -> list[str]:
    return [b.answer(s.sock.recv, AMPLE, b.socket.MSG_OOB)]


@operation
def recv_oob_twice(b: Bench, s: Situation) -> list[str]:
    return [b.answer(s.sock.recv, AMPLE, b.socket.MSG_OOB) for _ in range(2)]


@operation
def recv_oob_peek_twice(b: Bench, s: Situation) -> list[str]:
    return [b.answer(s.sock.recv, AMPLE, b.socket.MSG_OOB | b.socket.MSG_PEEK) for _ in range(2)]


@operation
def recv_into(b: Bench, s: Situation) -> list[str]:
    room = bytearray(AMPLE)
    return [b.answer(s.sock.recv_into, room), b.value(room.rstrip(b"\0"))]


@operation
def recv_into_short(b: Bench, s: Situation) -> list[str]:
    room = bytearray(AMPLE)
    return [b.answer(s.sock.recv_into, room, SHORT), b.value(room.rstrip(b"\0"))]


@operation
def recv_into_nothing(b: Bench, s: Situation) -> list[str]:
    return [b.answer(s.sock.recv_into, bytearray())]


@operation
def recvfrom(b: Bench, s: Situation) -> list[str]:
    return [received(b, s.sock.recvfrom, AMPLE)]


@operation
def recvfrom_twice(b: Bench, s: Situation) -> list[str]:
    return [received(b, s.sock.recvfrom, AMPLE) for _ in range(2)]


@operation
def recvfrom_nothing(b: Bench, s: Situation) -> list[str]:
    """recvfrom(0) reaches the kernel: it takes a datagram, and looks at a stream."""
    return [received(b, s.sock.recvfrom, 0), b.answer(s.sock.recv, AMPLE)]


@operation
def recvfrom_peek(b: Bench, s: Situation) -> list[str]:
    return [received(b, s.sock.recvfrom, SHORT, b.socket.MSG_PEEK)]


@operation
def recvfrom_into(b: Bench, s: Situation) -> list[str]:
    return [received(b, s.sock.recvfrom_into, bytearray(AMPLE))]


def received(b: Bench, call: Callable[..., tuple[Any, Any]], *args: Any) -> str:
    """Data and the address that it came from, if the kernel says one."""

    def say() -> Words:
        data, address = call(*args)
        return Words(f"{b.value(data)} from {sender(b, address)}")

    return b.answer(say)


def sender(b: Bench, address: Any) -> str:
    """None where the kernel says no address, which Python itself turns into several things."""
    return b.written(address) if address else repr(address)


@operation
def recvmsg(b: Bench, s: Situation) -> list[str]:
    return [message(b, s, AMPLE)]


@operation
def recvmsg_short_twice(b: Bench, s: Situation) -> list[str]:
    """What does not fit of a datagram is lost, and the flags say so."""
    return [message(b, s, SHORT) for _ in range(2)]


@operation
def recvmsg_peek(b: Bench, s: Situation) -> list[str]:
    return [message(b, s, SHORT, b.socket.MSG_PEEK)]


@operation
def recvmsg_nothing(b: Bench, s: Situation) -> list[str]:
    return [message(b, s, 0), b.answer(s.sock.recv, AMPLE)]


def message(b: Bench, s: Situation, size: int, flags: int = 0) -> str:
    def say() -> Words:
        data, ancillary, given, address = s.sock.recvmsg(size, 0, flags)
        assert ancillary == []
        names = [
            name
            for name in ("MSG_TRUNC", "MSG_CTRUNC", "MSG_OOB", "MSG_EOR")
            if given & getattr(b.socket, name)
        ]
        return Words(f"{b.value(data)} {'|'.join(names) or 'no flags'} from {sender(b, address)}")

    return b.answer(say)


@operation
def recvmsg_into(b: Bench, s: Situation) -> list[str]:
    rooms = [bytearray(SHORT), bytearray(AMPLE)]

    def say() -> Words:
        return Words(f"{s.sock.recvmsg_into(rooms)[0]}")

    return [b.answer(say), *(b.value(room.rstrip(b"\0")) for room in rooms)]


@operation
def recv_with_timeout(b: Bench, s: Situation) -> list[str]:
    """Python waits with poll() until the socket is readable, and says TimeoutError if it never is."""
    return [b.timeout_set(s.sock), b.answer(s.sock.recv, AMPLE)]


@operation
def os_read(b: Bench, s: Situation) -> list[str]:
    return [b.answer(b.modules.os.read, s.sock.fileno(), AMPLE)]


@operation
def makefile_read(b: Bench, s: Situation) -> list[str]:
    """A raw file on a non-blocking socket reads None where recv() says EAGAIN."""

    def read() -> Any:
        with s.sock.makefile("rb", buffering=0) as file:
            return Words(repr(file.read(AMPLE)))

    return [b.answer(read)]
