"""Sockets of every kind, in the states from which the tests start.

TCP's are made by the `Machine` itself.  Owns no expectation.
"""

from __future__ import annotations

import errno
import functools
import socket as std
import struct
from collections.abc import Callable
from typing import Any

import pytest

from simnet.transport import ERR, IN, OUT

from .machine import FIONREAD, Machine, outcome

ANY = {std.AF_INET: "0.0.0.0", std.AF_INET6: "::"}
SIOCOUTQ = 0x5411
SIOCATMARK = 0x8905
FIONBIO = 0x5421


# --- what the program asks of any descriptor -----------------------------------------------------


def error_of(sock: Any) -> str:
    """The pending error that SO_ERROR gives and clears (socket(7)); ``-`` if there is none."""
    number = sock.getsockopt(std.SOL_SOCKET, std.SO_ERROR)
    return errno.errorcode[number] if number else "-"


def integer(m: Machine, fd: Any, request: int) -> int:
    """What ioctl(2) stores for a request that gives an int."""
    answer = m.modules.fcntl.ioctl(fd if isinstance(fd, int) else fd.fileno(), request, bytes(4))
    return int(struct.unpack("i", answer)[0])


def arrived(m: Machine, fd: Any, size: int) -> None:
    """Assert that exactly this many bytes can be read, now or soon."""
    m.eventually(lambda: integer(m, fd, FIONREAD) >= size)
    assert integer(m, fd, FIONREAD) == size


def events(ready: list[tuple[int, int]], *watched: Any) -> dict[int, int]:
    """What poll() or epoll returned: for each of the sockets, by its position."""
    by_number = {sock if isinstance(sock, int) else sock.fileno(): n for n, sock in enumerate(watched)}
    return {by_number[fd]: mask for fd, mask in ready}


# --- UDP -----------------------------------------------------------------------------------------


LARGEST_DATAGRAM = {std.AF_INET: 65507, std.AF_INET6: 65527}
"""What fits behind the headers: 65535 - 20 - 8 (RFC 791 counts its header), 65535 - 8 (RFC 8200 does not)."""


def loopback(m: Machine, family: int) -> str:
    """An address of this machine that no other can reach."""
    return m.address if family == m.family else "::1"


def udp(m: Machine, family: int = std.AF_INET) -> Any:
    """A UDP socket bound to a port that the kernel chose."""
    sock = m.open(family, std.SOCK_DGRAM)
    sock.bind((loopback(m, family), 0))
    return sock


def udp_pair(m: Machine, family: int = std.AF_INET) -> tuple[Any, Any]:
    """Two UDP sockets that are connected to each other."""
    one, other = udp(m, family), udp(m, family)
    one.connect(other.getsockname())
    other.connect(one.getsockname())
    return one, other


def udp_closed_address(m: Machine, family: int = std.AF_INET) -> Any:
    """Where nobody listens for datagrams."""
    sock = udp(m, family)
    name = sock.getsockname()
    sock.close()
    return name


def until_refused(m: Machine, send: Callable[[], object], is_known: Callable[[], object]) -> None:
    """Send to nobody until it is known: of ICMP messages Linux sends 1000 a second and no more (icmp(7))."""
    for _ in range(20):
        send()
        if m.eventually(is_known, 0.05):
            return
    raise AssertionError("nobody refuses")


def refusal(m: Machine, sock: Any, mask: int = OUT | ERR) -> None:
    """Have the pending error of a connected socket whose peer is nobody."""
    until_refused(m, lambda: sock.send(b"x"), lambda: m.poll_mask(sock) & ERR)
    m.wait_for(sock, mask)


def take(m: Machine, sock: Any, size: int = 100) -> Any:
    """The datagram that is there or comes soon, and its sender's address."""
    m.eventually(lambda: m.poll_mask(sock) & IN)
    return sock.recvfrom(size)


# --- AF_UNIX -------------------------------------------------------------------------------------


def unix(m: Machine, kind: int = std.SOCK_STREAM) -> Any:
    return m.open(std.AF_UNIX, kind)


def unix_bound(m: Machine, kind: int = std.SOCK_STREAM, name: Any = None) -> Any:
    """A socket bound to a name: a fresh path, if none is given."""
    sock = unix(m, kind)
    sock.bind(m.path() if name is None else name)
    return sock


def unix_listener(m: Machine, backlog: int = 5, name: Any = None) -> Any:
    sock = unix_bound(m, name=name)
    sock.listen(backlog)
    return sock


def unix_connected(m: Machine, listener: Any) -> Any:
    """A socket whose connect() succeeded, as it does at once (unix(7))."""
    sock = unix(m)
    sock.connect(listener.getsockname())
    return sock


def unix_pair(m: Machine, listener: Any = None) -> tuple[Any, Any]:
    """Both ends of a connection: the one that opened it, the accepted one."""
    listener = unix_listener(m) if listener is None else listener
    opener = unix_connected(m, listener)
    return opener, m.keep(listener.accept()[0])


def pair(m: Machine, kind: int = std.SOCK_STREAM) -> tuple[Any, Any]:
    """socketpair(2)."""
    one, other = m.modules.socket.socketpair(std.AF_UNIX, kind)
    return m.keep(one), m.keep(other)


def fill_datagrams(sender: Any, *destination: Any) -> int:
    """How many datagrams an AF_UNIX receiver takes before EAGAIN."""
    send = sender.sendto if destination else sender.send
    for count in range(100_000):
        answer = outcome(send, b"x", *destination)
        if answer == "EAGAIN":
            return count
        assert answer == 1
    raise AssertionError("the receiver is never full")


# --- streams of every kind -----------------------------------------------------------------------

STREAMS = pytest.mark.parametrize("stream", ["tcp4", "tcp6", "unix", "socketpair"])
"""For what every connected stream does."""


def connected(m: Machine, stream: str) -> tuple[Any, Any]:
    """The two ends of a stream of this kind."""
    if stream == "unix":
        return unix_pair(m)
    if stream == "socketpair":
        return pair(m)
    return m.over(std.AF_INET6 if stream == "tcp6" else std.AF_INET).pair()


def fill(m: Machine, sock: Any, size: int = 65536) -> None:
    """Send until nothing more is taken, nor would be after a delayed ACK (40 ms)."""
    while m.eventually(lambda: _sends(sock, size), 0.06):
        pass


def _sends(sock: Any, size: int) -> bool:
    try:
        return bool(sock.send(bytes(size)))
    except BlockingIOError:
        return False


def drain(m: Machine, sock: Any) -> bytes:
    """Everything that can be read now or soon."""
    pieces = []
    while m.eventually(lambda: m.poll_mask(sock) & IN, 0.06):
        try:
            pieces.append(sock.recv(65536))
        except BlockingIOError:
            continue
        if not pieces[-1]:
            break
    return b"".join(pieces)


# --- what is not simulated -----------------------------------------------------------------------


def not_simulated(missing: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Linux does it; a virtual host says by name that it does not."""

    def wrap(body: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(body)
        def test(machine: Machine, **arguments: Any) -> None:
            if machine.name == "real":
                body(machine=machine, **arguments)
                return
            with pytest.raises(NotImplementedError, match=missing):
                body(machine=machine, **arguments)

        return test

    return wrap
