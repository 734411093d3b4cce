"""Operations that ask or set: names, options, ioctl, fcntl and readiness.

Owns which.  Options that a program sets are read back.
"""

from __future__ import annotations

import struct
from typing import Any

from .bench import Bench, Situation, mask_name, mask_of
from .registry import OPERATIONS

operation = OPERATIONS()
AMPLE = 100
TCP_STATES = (
    *("", "ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT", "CLOSE"),
    *("CLOSE_WAIT", "LAST_ACK", "LISTEN", "CLOSING"),
)

# --- readiness -----------------------------------------------------------------------------------


@operation
def readiness(b: Bench, s: Situation) -> list[str]:
    """poll(), select() and epoll; their answers stand beside every cell."""
    return [b.readiness(s.sock)]


@operation
def epoll_edge(b: Bench, s: Situation) -> list[str]:
    """An edge-triggered epoll says what is ready once."""
    return epoll_thrice(b, s, b.select.EPOLLET)


@operation
def epoll_oneshot(b: Bench, s: Situation) -> list[str]:
    return epoll_thrice(b, s, b.select.EPOLLONESHOT)


def epoll_thrice(b: Bench, s: Situation, mode: int) -> list[str]:
    """Twice in a row, and once more after something has changed: a byte was sent."""
    with b.select.epoll() as epoll:
        wanted = b.select.EPOLLIN | b.select.EPOLLOUT | b.select.EPOLLRDHUP | b.select.EPOLLPRI
        said = b.answer(epoll.register, s.sock, wanted | mode)
        if said != "ok":
            return [said]
        answers = [mask_name(mask_of(epoll.poll(0))) for _ in range(2)]
        b.answer(s.sock.send, b"x")
        b.settle()
        return [*answers, mask_name(mask_of(epoll.poll(0)))]


@operation
def poll_for_nothing(b: Bench, s: Situation) -> list[str]:
    """ERR and HUP come unasked."""
    poller = b.select.poll()
    said = b.answer(poller.register, s.sock, 0)
    return [mask_name(mask_of(poller.poll(0)))] if said == "ok" else [said]


@operation
def default_selector(b: Bench, s: Situation) -> list[str]:
    with b.modules.selectors.DefaultSelector() as selector:
        said = b.answer(lambda: selector.register(s.sock, 3) and None)
        return [str([events for _, events in selector.select(0)])] if said == "ok" else [said]


# --- names ---------------------------------------------------------------------------------------


@operation
def getsockname(b: Bench, s: Situation) -> list[str]:
    return [b.address(s.sock.getsockname)]


@operation
def getpeername(b: Bench, s: Situation) -> list[str]:
    return [b.address(s.sock.getpeername)]


@operation
def attributes(b: Bench, s: Situation) -> list[str]:
    """What Python knows without asking the kernel."""
    sock = s.sock
    return [
        sock.family.name,
        sock.type.name,
        str(sock.proto),
        str(sock.gettimeout()),
        str(sock.getblocking()),
    ]


# --- options -------------------------------------------------------------------------------------


@operation
def so_error_twice(b: Bench, s: Situation) -> list[str]:
    return [so_error(b, s) for _ in range(2)]


@operation
def so_error_then_recv_send(b: Bench, s: Situation) -> list[str]:
    return [so_error(b, s), b.answer(s.sock.recv, AMPLE), b.answer(s.sock.send, b"x")]


def so_error(b: Bench, s: Situation) -> str:
    return b.errno(b.answer(s.sock.getsockopt, b.socket.SOL_SOCKET, b.socket.SO_ERROR))


def ask(name: str, *options: str) -> None:
    """Enter an operation that reads options of SOL_SOCKET."""

    def operate(b: Bench, s: Situation) -> list[str]:
        level = b.socket.SOL_SOCKET
        return [b.answer(s.sock.getsockopt, level, getattr(b.socket, option)) for option in options]

    operate.__name__ = name
    operation(operate)


ask("so_type", "SO_TYPE")
ask("so_domain", "SO_DOMAIN")
ask("so_protocol", "SO_PROTOCOL")
ask("so_acceptconn", "SO_ACCEPTCONN")


def put(level: str, option: str, value: Any, *groups: str) -> None:
    """Enter an operation that reads an option, sets it, and reads it again."""

    def operate(b: Bench, s: Situation) -> list[str]:
        place = getattr(b.socket, level), getattr(b.socket, option)
        size = (len(value),) if isinstance(value, bytes) else ()
        read = (s.sock.getsockopt, *place, *size)
        return [b.answer(*read), b.answer(s.sock.setsockopt, *place, value), b.answer(*read)]

    operate.__name__ = option.lower()
    OPERATIONS(*groups)(operate)


for option in ("REUSEADDR", "REUSEPORT", "KEEPALIVE", "OOBINLINE", "BROADCAST", "RCVLOWAT"):
    put("SOL_SOCKET", f"SO_{option}", 1)
for option in ("DONTROUTE", "PRIORITY"):
    put("SOL_SOCKET", f"SO_{option}", 1)
put("SOL_SOCKET", "SO_PASSCRED", 1, "unix", "unixdg")
put("SOL_SOCKET", "SO_LINGER", struct.pack("ii", 1, 0))
put("SOL_SOCKET", "SO_SNDTIMEO", struct.pack("ll", 1, 0))
put("SOL_SOCKET", "SO_RCVTIMEO", struct.pack("ll", 0, 8000))
for option in ("NODELAY", "USER_TIMEOUT", "KEEPIDLE", "KEEPINTVL", "KEEPCNT", "SYNCNT", "LINGER2"):
    put("IPPROTO_TCP", f"TCP_{option}", 1)
for option in ("TTL", "TOS"):
    put("IPPROTO_IP", f"IP_{option}", 8)
for option in ("V6ONLY", "UNICAST_HOPS", "TCLASS"):
    put("IPPROTO_IPV6", f"IPV6_{option}", 1)
for option in ("TTL", "LOOP"):
    put("IPPROTO_IP", f"IP_MULTICAST_{option}", 8, "udp")
for option in ("HOPS", "LOOP"):
    put("IPPROTO_IPV6", f"IPV6_MULTICAST_{option}", 1, "udp")


@operation
def buffer_sizes(b: Bench, s: Situation) -> list[str]:
    """The kernel doubles what is asked for, and has least sizes (socket(7))."""
    answers = []
    for option in (b.socket.SO_SNDBUF, b.socket.SO_RCVBUF):
        for size in (1, 10_000):
            answers.append(b.answer(s.sock.setsockopt, b.socket.SOL_SOCKET, option, size))
            answers.append(b.answer(s.sock.getsockopt, b.socket.SOL_SOCKET, option))
    return answers


@operation
def rcvlowat_9(b: Bench, s: Situation) -> list[str]:
    """A socket is readable when SO_RCVLOWAT bytes are there."""
    return [b.answer(s.sock.setsockopt, b.socket.SOL_SOCKET, b.socket.SO_RCVLOWAT, 9)]


@operation
def oobinline_then_recv(b: Bench, s: Situation) -> list[str]:
    said = b.answer(s.sock.setsockopt, b.socket.SOL_SOCKET, b.socket.SO_OOBINLINE, 1)
    return [said, b.answer(s.sock.recv, AMPLE), b.answer(s.sock.recv, AMPLE)]


@operation
def unknown_option(b: Bench, s: Situation) -> list[str]:
    level = b.socket.SOL_SOCKET
    return [b.answer(s.sock.getsockopt, level, 999), b.answer(s.sock.setsockopt, level, 999, 1)]


@operation
def read_only_options(b: Bench, s: Situation) -> list[str]:
    level = b.socket.SOL_SOCKET
    options = b.socket.SO_TYPE, b.socket.SO_ERROR, b.socket.SO_ACCEPTCONN, b.socket.SO_PROTOCOL
    return [b.answer(s.sock.setsockopt, level, option, 1) for option in options]


@operation
def short_values(b: Bench, s: Situation) -> list[str]:
    """Two bytes of an int are enough to read, and too few to set."""
    place = b.socket.SOL_SOCKET, b.socket.SO_KEEPALIVE
    read = b.answer(s.sock.getsockopt, *place, 2), b.answer(s.sock.getsockopt, *place, 8)
    return [
        *read,
        b.answer(s.sock.setsockopt, *place, b"\1\0"),
        b.answer(s.sock.setsockopt, *place, bytes(8)),
    ]


@operation
def tcp_state(b: Bench, s: Situation) -> list[str]:
    """The state that TCP_INFO begins with."""
    got: list[bytes] = []
    said = b.answer(lambda: got.append(s.sock.getsockopt(b.socket.IPPROTO_TCP, b.socket.TCP_INFO, 8)))
    return [TCP_STATES[got[0][0]] if said == "ok" else said]


# --- ioctl and fcntl -----------------------------------------------------------------------------

FIONREAD, FIONBIO, SIOCOUTQ, SIOCATMARK = 0x541B, 0x5421, 0x5411, 0x8905
"""Numbers of <asm-generic/ioctls.h> and <asm-generic/sockios.h>; SIOCINQ is FIONREAD."""


def ioctl(b: Bench, s: Situation, request: int) -> str:
    got: list[int] = []

    def call() -> None:
        got.append(struct.unpack("i", b.modules.fcntl.ioctl(s.sock, request, bytes(4)))[0])

    said = b.answer(call)
    return str(got[0]) if said == "ok" else said


@operation
def fionread(b: Bench, s: Situation) -> list[str]:
    said = ioctl(b, s, FIONREAD)
    return ["many" if said.isdigit() and int(said) > AMPLE else said]


@operation
def siocoutq(b: Bench, s: Situation) -> list[str]:
    """Whether anything is unacknowledged or unread; how much is the kernel's affair."""
    said = ioctl(b, s, SIOCOUTQ)
    return [">0" if said.isdigit() and int(said) else said]


@operation
def siocatmark(b: Bench, s: Situation) -> list[str]:
    answers = [ioctl(b, s, SIOCATMARK)]
    b.answer(s.sock.recv, 3)
    return [*answers, ioctl(b, s, SIOCATMARK)]


@operation
def fionbio(b: Bench, s: Situation) -> list[str]:
    said = b.answer(lambda: b.modules.fcntl.ioctl(s.sock, FIONBIO, struct.pack("i", 1)) and None)
    return [said, flags(b, s)]


@operation
def fcntl_flags(b: Bench, s: Situation) -> list[str]:
    return [flags(b, s), b.answer(b.modules.fcntl.fcntl, s.sock, b.modules.fcntl.F_GETFD)]


def flags(b: Bench, s: Situation) -> str:
    """F_GETFL without O_LARGEFILE, which a libc may add."""
    said = b.answer(b.modules.fcntl.fcntl, s.sock, b.modules.fcntl.F_GETFL)
    return f"{int(said) & ~0o100000:o}" if said.isdigit() else said


@operation
def setblocking_true_then_flags(b: Bench, s: Situation) -> list[str]:
    said = b.answer(s.sock.setblocking, True)
    answers = [said, flags(b, s), str(s.sock.gettimeout())]
    answers.append(b.answer(s.sock.recv, AMPLE, b.socket.MSG_DONTWAIT))
    b.answer(s.sock.setblocking, False)
    return answers
