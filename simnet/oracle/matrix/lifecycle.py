"""Operations that change what a socket is: connect, listen, accept, bind, shutdown, close, dup."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from .bench import Bench, Situation
from .peers import RESET
from .registry import OPERATIONS

operation = OPERATIONS()
connected = OPERATIONS("tcp", "unix")
AMPLE = 100


# --- connect -------------------------------------------------------------------------------------


def connect_times(b: Bench, sock: Any, address: Any, times: int) -> list[str]:
    """connect(), with time for what is under way to finish."""
    answers = []
    for _ in range(times):
        answers.append(b.answer(sock.connect, address))
        b.settle()
    return answers


@operation
def connect_live_3_times(b: Bench, s: Situation) -> list[str]:
    return connect_times(b, s.sock, b.live_address(), 3)


@operation
def connect_dead_4_times(b: Bench, s: Situation) -> list[str]:
    return connect_times(b, s.sock, b.dead_address(), 4)


@operation
def connect_dead_then_live(b: Bench, s: Situation) -> list[str]:
    return connect_times(b, s.sock, b.dead_address(), 2) + connect_times(b, s.sock, b.live_address(), 2)


@operation
def connect_ex_live(b: Bench, s: Situation) -> list[str]:
    """connect_ex() returns the errno, and raises only what is not of the kernel."""
    number = b.answer(s.sock.connect_ex, b.live_address())
    return [b.errno(number)]


@operation
def connect_own_address(b: Bench, s: Situation) -> list[str] | None:
    if not s.sock.fileno() >= 0 or not s.sock.getsockname():
        return None
    return connect_times(b, s.sock, s.sock.getsockname(), 1)


@operation
def connect_then_names(b: Bench, s: Situation) -> list[str]:
    said = connect_times(b, s.sock, b.live_address(), 1)
    return [*said, b.address(s.sock.getpeername)]


@operation
def connect_then_send_recv(b: Bench, s: Situation) -> list[str]:
    said = connect_times(b, s.sock, b.live_address(), 1)
    return [*said, b.answer(s.sock.send, b"x"), b.answer(s.sock.recv, AMPLE)]


@connected
def connect_with_timeout(b: Bench, s: Situation) -> list[str]:
    """Python waits with poll() for what is under way, and asks SO_ERROR."""
    return [b.timeout_set(s.sock), b.answer(s.sock.connect, b.live_address())]


@OPERATIONS("tcp", "udp")
def connect_port_0(b: Bench, s: Situation) -> list[str]:
    return connect_times(b, s.sock, (b.kind.loopback, 0), 2)


@OPERATIONS("tcp", "udp")
def connect_any(b: Bench, s: Situation) -> list[str]:
    """The unspecified address stands for this machine."""
    said = connect_times(b, s.sock, (b.any_address, b.live_address()[1]), 1)
    return [*said, b.address(s.sock.getpeername)]


@OPERATIONS("unix", "unixdg")
def connect_nowhere(b: Bench, s: Situation) -> list[str]:
    return [b.answer(s.sock.connect, b.free_address())]


# --- listen and accept ---------------------------------------------------------------------------


@operation
def listen(b: Bench, s: Situation) -> list[str]:
    return [b.answer(s.sock.listen, 1)]


@operation
def listen_then_accept(b: Bench, s: Situation) -> list[str]:
    return [b.answer(s.sock.listen, 1), accepted(b, s)]


@operation
def accept(b: Bench, s: Situation) -> list[str]:
    return [accepted(b, s)]


@operation
def accept_twice(b: Bench, s: Situation) -> list[str]:
    return [accepted(b, s), accepted(b, s)]


@operation
def accept_with_timeout(b: Bench, s: Situation) -> list[str]:
    return [b.timeout_set(s.sock), accepted(b, s)]


@connected
def accept_then_recv_send(b: Bench, s: Situation) -> list[str]:
    """What an accepted socket answers."""
    got: list[Any] = []
    said = b.answer(lambda: got.extend(s.sock.accept()))
    if said != "ok":
        return [said]
    sock = b.keep(got[0])
    return [b.answer(sock.recv, AMPLE), b.answer(sock.recv, AMPLE), b.answer(sock.send, b"x")]


def accepted(b: Bench, s: Situation) -> str:
    """The address returned, and what the socket returned says of itself."""
    got: list[Any] = []
    said = b.answer(lambda: got.extend(s.sock.accept()))
    if said != "ok":
        return said
    sock, address = b.keep(got[0]), got[1]
    names = b.written(address), b.address(sock.getpeername), b.address(sock.getsockname)
    return f"accepted {' '.join(names)} {b.readiness(sock)}"


# --- bind ----------------------------------------------------------------------------------------


@operation
def bind_free(b: Bench, s: Situation) -> list[str]:
    return [b.answer(s.sock.bind, b.free_address())]


@operation
def bind_twice(b: Bench, s: Situation) -> list[str]:
    return [b.answer(s.sock.bind, b.free_address()) for _ in range(2)]


@operation
def bind_taken(b: Bench, s: Situation) -> list[str]:
    return [b.answer(s.sock.bind, b.live_address())]


@operation
def bind_taken_reuseaddr(b: Bench, s: Situation) -> list[str]:
    option = b.socket.SOL_SOCKET, b.socket.SO_REUSEADDR
    address = b.live_address()
    return [b.answer(s.sock.setsockopt, *option, 1), b.answer(s.sock.bind, address)]


@operation
def bind_dead(b: Bench, s: Situation) -> list[str]:
    """Where somebody was: a port is free again, a path is not until it is unlinked."""
    return [b.answer(s.sock.bind, b.dead_address())]


@OPERATIONS("tcp", "udp")
def bind_any(b: Bench, s: Situation) -> list[str]:
    said = b.answer(s.sock.bind, (b.any_address, 0))
    return [said, b.address(s.sock.getsockname)]


@OPERATIONS("tcp", "udp")
def bind_not_ours(b: Bench, s: Situation) -> list[str]:
    """An address for documentation is no machine's (RFC 5737, RFC 3849)."""
    return [b.answer(s.sock.bind, (b.foreign_address, 0))]


@OPERATIONS("unix", "unixdg")
def bind_abstract(b: Bench, s: Situation) -> list[str]:
    return [b.answer(s.sock.bind, "\0" + b.free_address())]


@OPERATIONS("unix", "unixdg")
def bind_nameless(b: Bench, s: Situation) -> list[str]:
    """Autobind: the kernel chooses an abstract name, of NUL and five digits (unix(7))."""
    said = b.answer(s.sock.bind, "")
    if said != "ok":
        return [said]
    name = s.sock.getsockname()
    chosen = isinstance(name, bytes) and re.fullmatch(rb"\0[0-9a-f]{5}", name)
    return [said, "<autobound>" if chosen else b.written(name)]


# --- shutdown ------------------------------------------------------------------------------------


def shutdown_as(how: str) -> Callable[[Bench, Situation], list[str]]:
    def shutdown(b: Bench, s: Situation) -> list[str]:
        return [b.answer(s.sock.shutdown, getattr(b.socket, how))]

    shutdown.__name__ = f"shutdown_{how.removeprefix('SHUT_').lower()}"
    return shutdown


def shutdown_then_recv_send(how: str) -> Callable[[Bench, Situation], list[str]]:
    def shutdown(b: Bench, s: Situation) -> list[str]:
        said = b.answer(s.sock.shutdown, getattr(b.socket, how))
        return [said, b.answer(s.sock.recv, AMPLE), b.answer(s.sock.send, b"x")]

    shutdown.__name__ = f"shutdown_{how.removeprefix('SHUT_').lower()}_recv_send"
    return shutdown


for how in ("SHUT_RD", "SHUT_WR", "SHUT_RDWR"):
    operation(shutdown_as(how))
    operation(shutdown_then_recv_send(how))


@operation
def shutdown_wr_twice(b: Bench, s: Situation) -> list[str]:
    return [b.answer(s.sock.shutdown, b.socket.SHUT_WR) for _ in range(2)]


@operation
def shutdown_wr_then_rd(b: Bench, s: Situation) -> list[str]:
    return [b.answer(s.sock.shutdown, how) for how in (b.socket.SHUT_WR, b.socket.SHUT_RD)]


@operation
def shutdown_nonsense(b: Bench, s: Situation) -> list[str]:
    return [b.answer(s.sock.shutdown, 3)]


# --- close, dup, detach --------------------------------------------------------------------------


@operation
def close(b: Bench, s: Situation) -> list[str]:
    return [b.answer(s.sock.close), b.answer(s.sock.recv, AMPLE)]


@operation
def close_with_linger_0(b: Bench, s: Situation) -> list[str]:
    option = b.socket.SOL_SOCKET, b.socket.SO_LINGER
    return [b.answer(s.sock.setsockopt, *option, RESET), b.answer(s.sock.close)]


@operation
def close_then_the_peer_recv_send(b: Bench, s: Situation) -> list[str] | None:
    if s.peer is None:
        return None
    said = b.answer(s.sock.close)
    b.settle()
    answers = [b.answer(s.peer.recv, AMPLE), b.answer(s.peer.send, b"x")]
    b.settle()
    return [said, *answers, b.answer(s.peer.recv, AMPLE), b.answer(s.peer.send, b"x")]


@operation
def dup_then_close(b: Bench, s: Situation) -> list[str]:
    """The open file is there until its last descriptor is closed."""
    got: list[Any] = []
    said = b.answer(lambda: got.append(b.keep(s.sock.dup())))
    if said != "ok":
        return [said]
    s.sock.close()
    b.settle()
    return [b.readiness(got[0]), b.answer(got[0].recv, AMPLE), b.answer(got[0].send, b"x")]


@operation
def detach(b: Bench, s: Situation) -> list[str]:
    fd = s.sock.detach()
    closed = b.answer(b.modules.os.close, fd)
    return ["descriptor" if fd >= 0 else str(fd), str(s.sock.fileno()), closed]


@operation
def enter_and_exit(b: Bench, s: Situation) -> list[str]:
    def enter() -> None:
        with s.sock:
            pass

    return [b.answer(enter), str(s.sock.fileno())]
