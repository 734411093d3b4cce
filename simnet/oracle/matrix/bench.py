"""What a cell is made with: the modules of one machine, sockets of one kind, and names for addresses.

Owns how a state is brought about (`Bench`), what is in a state (`Situation`), and how a result is
written so that two machines can write the same.  Does not own any state or operation.

An address is written by whose it is, because ports and paths differ from run to run: ``<lo:listener>``,
``<any:0>``, ``<unnamed>``.  An error is written as its errno.  All else is written as it is.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from typing import Any

import attrs

from ...transport import ERR, HUP, IN, NVAL, OUT, PRI, RDHUP
from .kinds import Kind

MASKS = {"IN": IN, "PRI": PRI, "OUT": OUT, "ERR": ERR, "HUP": HUP, "NVAL": NVAL, "RDHUP": RDHUP}
PIECE = b"f" * 4096
PIECES_MAX = 4096


@attrs.define
class Situation:
    """A socket in a state, and the sockets around it."""

    sock: Any
    peer: Any = None
    listener: Any = None


class Bench:
    """Makes sockets of one kind on one machine, and forgets none.

    Args:
        modules: a machine in the shape of the standard modules: `socket`, `select`, `os`, `fcntl`.
        kind: which sockets it makes.
        paths: names for sockets in the file system, none used before.
        settle: returns when all that was sent on this machine has arrived, and has been acknowledged.
    """

    patience_s = 0.002
    """The time-out of sockets that have one; nothing here takes longer to arrive."""

    def __init__(self, modules: Any, kind: Kind, paths: Iterator[str], settle: Callable[[], None]) -> None:
        self.modules = modules
        self.socket = modules.socket
        self.select = modules.select
        self.kind = kind
        self.settle = settle
        self._paths = paths
        self._kept: list[Any] = []
        self._names: dict[Any, str] = {}

    # --- sockets ---------------------------------------------------------------------------------

    def new(self) -> Any:
        """A fresh socket, non-blocking and without Nagle's algorithm."""
        sock = self.keep(self.socket.socket(*self._family_and_type()))
        if self.kind.is_tcp:
            sock.setsockopt(self.socket.IPPROTO_TCP, self.socket.TCP_NODELAY, 1)
        return sock

    def keep(self, sock: Any) -> Any:
        sock.setblocking(False)
        self._kept.append(sock)
        return sock

    def _family_and_type(self) -> tuple[int, int]:
        return getattr(self.socket, self.kind.family), getattr(self.socket, self.kind.type)

    def clear(self) -> None:
        """Close everything, so that nothing waits for the next cell."""
        for sock in self._kept:
            sock.close()
        self._kept.clear()

    def socketpair(self) -> Situation:
        sock, peer = self.socket.socketpair(*self._family_and_type())
        return Situation(self.keep(sock), self.keep(peer))

    def bound(self, role: str) -> Any:
        sock = self.new()
        sock.bind(self.free_address())
        self.name(sock, role)
        return sock

    def listener(self, backlog: int = 8, role: str = "listener") -> Any:
        sock = self.bound(role)
        sock.listen(backlog)
        return sock

    def connecting(self, address: Any) -> Any:
        """A socket whose connect() was called, whatever it said."""
        sock = self.new()
        self.answer(sock.connect, address)
        return sock

    def connected(self, listener: Any) -> Any:
        sock = self.connecting(listener.getsockname())
        self.settle()
        return sock

    def accepted(self, listener: Any) -> Any:
        sock, _ = listener.accept()
        return self.keep(sock)

    def pair(self) -> Situation:
        """Two ends of a connection: one that called connect(), which has been told, and one accepted."""
        listener = self.listener()
        opener = self.connected(listener)
        peer = self.accepted(listener)
        return Situation(opener, peer, listener)

    # --- addresses -------------------------------------------------------------------------------

    def free_address(self) -> Any:
        """Where bind() finds room."""
        return (self.kind.loopback, 0) if self.kind.is_inet else next(self._paths)

    def live_address(self) -> Any:
        """Where somebody listens, or receives datagrams."""
        sock = self.listener(role="live") if self.kind.connects else self.bound("live")
        return sock.getsockname()

    def dead_address(self) -> Any:
        """Where somebody was."""
        sock = self.bound("dead")
        address = sock.getsockname()
        sock.close()
        return address

    def name(self, sock: Any, role: str) -> None:
        """Write the address of `sock` as that of `role`, unless it has a name."""
        address = sock.getsockname()
        if not self._is_blank(address):
            self._names.setdefault(self._key(address), role)

    @property
    def any_address(self) -> str:
        return "::" if self.kind.family == "AF_INET6" else "0.0.0.0"

    @property
    def foreign_address(self) -> str:
        return "2001:db8::1" if self.kind.family == "AF_INET6" else "192.0.2.1"

    def _is_blank(self, address: Any) -> bool:
        return not address or (self.kind.is_inet and address[1] == 0)

    def _key(self, address: Any) -> Any:
        return address[1] if self.kind.is_inet else address

    def written(self, address: Any) -> str:
        if not self.kind.is_inet:
            return f"<{self._names.get(address, 'path')}>" if address else "<unnamed>"
        host, port = address[:2]
        place = {self.kind.loopback: "lo", "0.0.0.0": "any", "::": "any"}.get(host, host)
        rest = "" if tuple(address[2:]) in ((), (0, 0)) else f" {tuple(address[2:])}"
        return f"<{place}:{self._names.get(port, 'port') if port else 0}{rest}>"

    # --- answers ---------------------------------------------------------------------------------

    def answer(self, call: Callable[..., Any], *args: Any) -> str:
        """What a call returned or raised.  What is not simulated is not an answer, and is let through."""
        try:
            return self.value(call(*args))
        except OSError as error:
            return errno_name(error)
        except (ValueError, TypeError) as error:
            return type(error).__name__

    def value(self, result: Any) -> str:
        if result is None:
            return "ok"
        if isinstance(result, (memoryview, bytearray)):
            result = bytes(result)
        if isinstance(result, bytes) and len(result) > 20 and len(set(result)) == 1:
            return f"{result[:1]!r}*{len(result)}"
        return repr(result)

    def address(self, call: Callable[..., Any], *args: Any) -> str:
        """What a call that returns an address returned or raised."""
        found: list[str] = []
        outcome = self.answer(lambda: found.append(self.written(call(*args))))
        return found[0] if outcome == "ok" else outcome

    def errno(self, said: str) -> str:
        """An answer that is a number of an error, by name."""
        return errno.errorcode.get(int(said), said) if said.isdigit() else said

    def timeout_set(self, sock: Any) -> str:
        """Have calls on `sock` wait, for as long as anything here takes to arrive."""
        return self.answer(sock.settimeout, self.patience_s)

    # --- readiness -------------------------------------------------------------------------------

    def readiness(self, sock: Any) -> str:
        """What poll() and select() say: ``IN|OUT;rw``; and epoll, if it should say otherwise."""
        try:
            polled, selected, waited = self._polled(sock), self._selected(sock), self._epolled(sock)
        except ValueError:  # a closed socket has the descriptor -1
            return "ValueError"
        extra = "" if waited == polled else f" epoll={mask_name(waited)}"
        return f"{mask_name(polled)};{selected}{extra}"

    def _polled(self, sock: Any) -> int:
        poller = self.select.poll()
        poller.register(sock, IN | PRI | OUT | RDHUP)
        return mask_of(poller.poll(0))

    def _selected(self, sock: Any) -> str:
        sets = self.select.select([sock], [sock], [sock], 0)
        return "".join(letter for letter, ready in zip("rwx", sets, strict=True) if ready) or "-"

    def _epolled(self, sock: Any) -> int:
        with self.select.epoll() as epoll:
            epoll.register(sock, IN | PRI | OUT | RDHUP)
            return mask_of(epoll.poll(0))

    # --- buffers ---------------------------------------------------------------------------------

    def fill(self, sock: Any) -> None:
        """Send until nothing more is taken, even when all that was sent has arrived."""
        for _ in range(PIECES_MAX):
            if self.answer(sock.send, PIECE) == "EAGAIN":
                self.settle()
                if not self._polled(sock) & OUT:
                    return
        raise AssertionError(f"{self.kind.name}: {PIECES_MAX} sends did not fill a socket")


class Words(str):
    """An answer that is written already."""

    def __repr__(self) -> str:
        return str(self)


def errno_name(error: OSError) -> str:
    """Its errno by name; a time-out that Python itself ran has none."""
    if error.errno is None:
        return type(error).__name__
    return {errno.EAGAIN: "EAGAIN", errno.EOPNOTSUPP: "EOPNOTSUPP"}.get(
        error.errno, errno.errorcode.get(error.errno, str(error.errno))
    )


def mask_of(events: list[tuple[int, int]]) -> int:
    """What a poller that watches one socket found."""
    return events[0][1] if events else 0


def mask_name(mask: int) -> str:
    return "|".join(name for name, bit in MASKS.items() if mask & bit) or "-"
