"""Runs the calls of a program on one machine, and says of each what a program can see.

What two machines cannot have in common is normalised here, and nowhere else:

* port numbers that the kernel chose become ``e1``, ``e2``, ... in the order in which they appear; explicit
  ports and the machine's addresses become their names;
* buffer sizes are the kernel's affair: ``fill`` sends until nothing more is taken and says only that,
  ``drain`` reads all there is and says only how it ended; between the two, amounts are not compared.
"""

from __future__ import annotations

import socket as std
import struct
from collections.abc import Callable
from typing import Any

from tests.conformance.machine import Machine, mask_name, outcome

from .program import FILLING, SLOTS, Call

HOW = {"RD": std.SHUT_RD, "WR": std.SHUT_WR, "RDWR": std.SHUT_RDWR}
LINGER = {"reset": struct.pack("ii", 1, 0), "off": struct.pack("ii", 0, 0)}
OTHER_ADDRESS = "127.99.99.99"
FILL_PIECE = b"f" * 4096


class Session:
    """The sockets of one program on one machine."""

    def __init__(self, machine: Machine, ports: dict[str, int]) -> None:
        self.machine = machine
        self.ports = ports
        self.sockets: list[Any] = [None] * SLOTS
        self.filled = False  # from here on amounts are not compared
        self._names = {port: name for name, port in ports.items()} | {0: "0"}
        self._chosen = 0
        self._sent = 0

    def do(self, call: Call) -> Any:
        """Make one call; its normalised result, or ``None`` where it does not apply."""
        method = getattr(self, f"_{call.op}")
        if call.op in FILLING:
            return method(call.slot, *call.args)
        sock = self.sockets[call.slot]
        return None if sock is None else method(sock, *call.args)

    def state(self) -> list[str]:
        """What poll(2) and FIONREAD say of every open socket."""
        return [self._describe(slot, sock) for slot, sock in enumerate(self.sockets) if sock is not None]

    def _describe(self, slot: int, sock: Any) -> str:
        if sock.fileno() < 0:
            return f"{slot} closed"
        readable = self.machine.readable_bytes(sock)
        amount = ("some" if readable else "none") if self.filled else readable
        return f"{slot} {mask_name(self.machine.poll_mask(sock))} {amount}"

    # --- names -----------------------------------------------------------------------------------

    def _named(self, address: Any) -> Any:
        """An address in which nothing is left that differs between machines."""
        if not isinstance(address, tuple):
            return address
        host, port = address
        if port not in self._names:
            self._chosen += 1
            self._names[port] = f"e{self._chosen}"
        return ("own" if host == self.machine.address else host), self._names[port]

    def _port(self, port: Any) -> int:
        if isinstance(port, tuple):
            other = self.sockets[port[1]]
            name = outcome(other.getsockname) if other is not None else None
            return name[1] if isinstance(name, tuple) else 0
        return self.ports[port] if isinstance(port, str) else port

    def _address_of(self, destination: Any) -> tuple[str, int]:
        if isinstance(destination, tuple):
            other = self.sockets[destination[1]]
            name = outcome(other.getsockname) if other is not None else None
            if isinstance(name, tuple) and name[1]:
                return name
            destination = "P1"
        return (self.machine.address, self.ports[destination])

    # --- calls -----------------------------------------------------------------------------------

    def _socket(self, slot: int) -> str:
        self._put(slot, self._small_socket())
        return "ok"

    def _small_socket(self) -> Any:
        sock = self.machine.socket()
        for option in (std.SO_SNDBUF, std.SO_RCVBUF):  # set once, the kernel leaves them alone
            sock.setsockopt(std.SOL_SOCKET, option, 8192)
        return sock

    def _put(self, slot: int, sock: Any) -> None:
        if self.sockets[slot] is not None:
            self.sockets[slot].close()
        self.sockets[slot] = sock

    def _bind(self, sock: Any, where: str, port: Any) -> Any:
        host = {"own": self.machine.address, "any": "0.0.0.0", "other": OTHER_ADDRESS}[where]
        return outcome(sock.bind, (host, self._port(port)))

    def _listen(self, sock: Any, backlog: int) -> Any:
        return outcome(sock.listen, backlog)

    def _connect(self, sock: Any, destination: Any) -> Any:
        return outcome(sock.connect, self._address_of(destination))

    def _accept(self, sock: Any, slot: int) -> Any:
        result = outcome(sock.accept)
        if isinstance(result, tuple):
            accepted, address = result
            self._put(slot, self.machine.keep(accepted))
            return self._named(address)
        return result

    def _send(self, sock: Any, size: int) -> Any:
        self._sent += 1
        return outcome(sock.send, bytes((self._sent + n) & 255 for n in range(size)))

    def _recv(self, sock: Any, size: int) -> Any:
        # How much must be read before a full sender may send again is the kernel's affair too.
        return self._drain(sock) if self.filled else outcome(sock.recv, size)

    def _peek(self, sock: Any, size: int) -> Any:
        result = outcome(sock.recv, size, std.MSG_PEEK)
        return "data" if self.filled and isinstance(result, bytes) and result else result

    def _shutdown(self, sock: Any, how: str) -> Any:
        return outcome(sock.shutdown, HOW[how])

    def _finish(self, sock: Any) -> Any:
        return self._shutdown(sock, "WR")

    def _close(self, sock: Any) -> Any:
        return outcome(sock.close)

    def _error(self, sock: Any) -> Any:
        return outcome(sock.getsockopt, std.SOL_SOCKET, std.SO_ERROR)

    def _sockname(self, sock: Any) -> Any:
        return self._named(outcome(sock.getsockname))

    def _peername(self, sock: Any) -> Any:
        return self._named(outcome(sock.getpeername))

    def _reuse(self, sock: Any, on: int) -> Any:
        return outcome(sock.setsockopt, std.SOL_SOCKET, std.SO_REUSEADDR, on)

    def _linger(self, sock: Any, how: str) -> Any:
        return outcome(sock.setsockopt, std.SOL_SOCKET, std.SO_LINGER, LINGER[how])

    def _fill(self, sock: Any) -> Any:
        """Send until nothing more is taken, and nothing more would be after the peer's delayed ACK."""
        result, taken = outcome(sock.send, FILL_PIECE), False
        # A byte may be taken where a new segment is not, and after an acknowledgement, before poll says so.
        while isinstance(result, int) or (
            taken and self._within_an_ack(lambda: outcome(sock.send, b"f") == 1)
        ):
            taken = True
            result = outcome(sock.send, FILL_PIECE)
        self.filled |= taken
        return "full" if taken else result

    def _drain(self, sock: Any) -> Any:
        """Read until there is nothing more, and say how it ended."""
        while True:
            result = outcome(sock.recv, 65536)
            if result not in (b"", "EAGAIN"):
                if isinstance(result, str):
                    return result
            elif not self.filled or not self._within_an_ack(lambda: self.machine.readable_bytes(sock) > 0):
                return result

    def _within_an_ack(self, condition: Callable[[], bool]) -> bool:
        """Whether something comes true within the time of a delayed ACK (40 ms, TCP_ATO_MIN)."""
        return self.machine.eventually(condition, 0.06)

    # --- macros ----------------------------------------------------------------------------------

    def _serve(self, slot: int, backlog: int) -> Any:
        self._socket(slot)
        sock = self.sockets[slot]
        sock.bind((self.machine.address, 0))
        return self._listen(sock, backlog)

    def _dial(self, slot: int, listener: int) -> Any:
        if self.sockets[listener] is None or slot == listener:
            return None
        self._socket(slot)
        return self._connect(self.sockets[slot], ("of", listener))

    def _pair(self, slot: int, other: int) -> Any:
        """Connect two slots with each other, by a listener that is gone at once."""
        if slot == other:
            return None
        listener = self._small_socket()
        listener.bind((self.machine.address, 0))
        listener.listen(1)
        self._socket(slot)
        result = outcome(self.sockets[slot].connect, listener.getsockname())
        self._put(other, self.machine.accept(listener))
        listener.close()
        return result
