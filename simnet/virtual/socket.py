"""The socket object that a program on a virtual host holds: the surface of `socket.socket`.

Owns descriptors, time-outs and the translation of arguments.  What a call does is the business of the
end behind it (`tcp.TcpEnd`), which several descriptors may share.
"""

from __future__ import annotations

import errno
import operator
import os
import socket as std
import struct
from typing import TYPE_CHECKING, Any, NoReturn

from ..transport import Address

if TYPE_CHECKING:
    from .host import Host
    from .kernel.tcp import TcpEnd


class _Closed:
    """What stands behind a closed socket: every call fails with EBADF."""

    def __getattr__(self, name: str) -> Any:
        def fail(*args: object) -> NoReturn:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))

        return fail


_CLOSED: Any = _Closed()

SOL_SOCKET = std.SOL_SOCKET
SO_ERROR, SO_TYPE, SO_ACCEPTCONN = std.SO_ERROR, std.SO_TYPE, std.SO_ACCEPTCONN
SO_REUSEADDR, SO_LINGER = std.SO_REUSEADDR, std.SO_LINGER
SO_SNDBUF, SO_RCVBUF = std.SO_SNDBUF, std.SO_RCVBUF
SEND_BUFFER_MIN, RECEIVE_BUFFER_MIN = 2304, 1152  # half of SOCK_MIN_SNDBUF and SOCK_MIN_RCVBUF


class VirtualSocket:
    """A stream socket on a virtual host.  Methods and errors are those of `socket.socket` on Linux.

    Calls that would have to wait are made on non-blocking sockets; on a blocking one they raise
    NotImplementedError.  So do options, flags and families that are not simulated, by name.
    """

    __slots__ = ("__weakref__", "_end", "_fd", "_host", "_timeout")

    family = std.AF_INET
    type = std.SOCK_STREAM
    proto = 0

    def __init__(self, host: Host, end: TcpEnd) -> None:
        self._host = host
        self._end = end
        self._timeout: float | None = None
        self._fd = host.open_descriptor(end)

    # Life

    def __enter__(self) -> VirtualSocket:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __del__(self) -> None:
        # As for a real socket: whoever drops the last reference closes the descriptor.
        if getattr(self, "_fd", -1) >= 0:
            self.close()

    def __repr__(self) -> str:
        state = f"{self._end.state.name} {self._end.label}" if self._fd >= 0 else "closed"
        return f"<VirtualSocket fd={self._fd} {self._host.name} {state.rstrip()}>"

    def fileno(self) -> int:
        return self._fd

    def close(self) -> None:
        (fd, self._fd), (end, self._end) = (self._fd, -1), (self._end, _CLOSED)
        if fd >= 0:
            self._host.close_descriptor(fd, end)

    def detach(self) -> int:
        fd, self._fd = self._fd, -1
        self._end = _CLOSED
        return fd

    # Modes

    def setblocking(self, flag: bool, /) -> None:
        self.settimeout(None if flag else 0.0)

    def settimeout(self, value: float | None, /) -> None:
        if self._fd < 0:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        if value is not None and value < 0:
            raise ValueError("Timeout value out of range")
        self._timeout = None if value is None else float(value)

    def gettimeout(self) -> float | None:
        return self._timeout

    def getblocking(self) -> bool:
        return self._timeout != 0.0

    def _check_need_not_wait(self, call: str) -> None:
        """For use where the kernel said EAGAIN.

        It does not take the error: a frame that holds the exception that holds the frame is a cycle, and
        keeps this socket open until the garbage collector comes by.
        """
        if self._timeout != 0.0:
            raise NotImplementedError(
                f"{call}() that has to wait is not simulated: make the socket non-blocking"
            )

    # Names

    def bind(self, address: Address, /) -> None:
        self._end.bind(self._address("bind", address))

    def getsockname(self) -> Address:
        return self._end.getsockname()

    def getpeername(self) -> Address:
        return self._end.getpeername()

    def _address(self, call: str, address: Address) -> tuple[str, int]:
        if not isinstance(address, tuple):
            raise TypeError(f"{call}(): AF_INET address must be tuple, not {address.__class__.__name__}")
        if len(address) != 2:
            raise TypeError("AF_INET address must be a pair (host, port)")
        host, port = address
        port = operator.index(port)
        if not 0 <= port <= 0xFFFF:
            raise OverflowError(f"{call}(): port must be 0-65535.")
        return self._host.resolve(host), port

    # Connections

    def listen(self, backlog: int = 128, /) -> None:
        self._end.listen(operator.index(backlog))

    def accept(self) -> tuple[VirtualSocket, Address]:
        try:
            end = self._end.accept()
        except BlockingIOError:
            self._check_need_not_wait("accept")
            raise
        return VirtualSocket(self._host, end), end.remote

    def connect(self, address: Address, /) -> None:
        try:
            self._end.connect(self._address("connect", address))
        except BlockingIOError:
            self._check_need_not_wait("connect")
            raise

    def connect_ex(self, address: Address, /) -> int:
        try:
            self.connect(address)
        except OSError as error:
            if isinstance(error, std.gaierror) or error.errno is None:
                raise
            return error.errno
        return 0

    def shutdown(self, how: int, /) -> None:
        self._end.shutdown(operator.index(how))

    # Data

    def send(self, data: Any, flags: int = 0, /) -> int:
        try:
            return self._end.send(data, flags)
        except BlockingIOError:
            self._check_need_not_wait("send")
            raise

    def sendall(self, data: Any, flags: int = 0, /) -> None:
        view = memoryview(data).cast("B")
        while view:
            view = view[self.send(bytes(view), flags) :]

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        if size <= 0:
            if size < 0:
                raise ValueError("negative buffersize in recv")
            return b""
        try:
            return self._end.recv(size, flags)
        except BlockingIOError:
            self._check_need_not_wait("recv")
            raise

    def recv_into(self, buffer: Any, size: int = 0, flags: int = 0, /) -> int:
        view = memoryview(buffer).cast("B")
        if size < 0:
            raise ValueError("negative buffersize in recv_into")
        if size > len(view):
            raise ValueError("buffer too small for requested bytes")
        data = self.recv(size or len(view), flags)
        view[: len(data)] = data
        return len(data)

    # Options

    def getsockopt(self, level: int, option: int, size: int = 0, /) -> Any:
        end = self._end
        if end is _CLOSED:
            end.fail()
        if level == SOL_SOCKET:
            if option == SO_ERROR:
                return end.take_error()
            if option == SO_REUSEADDR:
                return int(end.reuse_address)
            if option == SO_LINGER:
                linger = end.linger_seconds
                return struct.pack("ii", linger is not None, linger or 0)[: size or 8]
            if option == SO_TYPE:
                return int(self.type)
            if option == SO_ACCEPTCONN:
                return int(end.is_listening)
            # The kernel doubles what it is told, for its own bookkeeping (socket(7)).
            if option == SO_SNDBUF:
                return 2 * end.send_buffer
            if option == SO_RCVBUF:
                return 2 * end.receive_buffer
        raise self._unknown_option(level, option)

    def setsockopt(self, level: int, option: int, value: Any, size: int | None = None, /) -> None:
        end = self._end
        if end is _CLOSED:
            end.fail()
        if (level, option) == (SOL_SOCKET, SO_REUSEADDR):
            end.reuse_address = bool(value)
        elif (level, option) == (SOL_SOCKET, SO_LINGER):
            on, linger = struct.unpack("ii", value)
            end.linger_seconds = linger if on else None
        elif (level, option) == (SOL_SOCKET, SO_SNDBUF):
            end.set_buffers(send=max(int(value), SEND_BUFFER_MIN))
        elif (level, option) == (SOL_SOCKET, SO_RCVBUF):
            end.set_buffers(receive=max(int(value), RECEIVE_BUFFER_MIN))
        elif (level, option) != (std.IPPROTO_TCP, std.TCP_NODELAY):
            # Without Nagle's algorithm in the simulation, TCP_NODELAY is always on.
            raise self._unknown_option(level, option)

    @staticmethod
    def _unknown_option(level: int, option: int) -> NotImplementedError:
        names = [
            name
            for name in dir(std)
            if name.startswith(("SO_", "TCP_", "IP_")) and getattr(std, name) == option
        ]
        return NotImplementedError(
            f"socket option {' or '.join(names) or option} (number {option}, level {level}) is not simulated"
        )

    def __getattr__(self, name: str) -> NoReturn:
        if name in _NOT_SIMULATED:
            raise NotImplementedError(f"socket.{name} is not simulated")
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")


_NOT_SIMULATED = frozenset(name for name in dir(std.socket) if not name.startswith("_")) - frozenset(
    dir(VirtualSocket)
)
"""Methods that a socket has and a virtual socket has not."""
