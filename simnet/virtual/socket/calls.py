"""The calls of a socket object that are not about data: names, connections, options, file objects.

Owns the class that programs hold.
"""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NoReturn, Self

from ...transport import IN, OUT, Address
from .. import linux as std
from ..kernel.sock import SocketEnd
from .arguments import bytes_of, c_int
from .data import DataSocket

_SO_ERROR = (std.SOL_SOCKET, std.SO_ERROR)


class VirtualSocket(DataSocket):
    """A socket on a virtual host.  Methods and errors are those of `socket.socket` on Linux.

    A call that has to wait lets time pass on the network until it need not.  Inside a handler time passes
    already, and there such a call raises NotImplementedError: make the socket non-blocking.
    """

    __slots__ = ()

    # --- names -----------------------------------------------------------------------------------

    def bind(self, address: Address, /) -> None:
        end = self._end
        given = end.given("bind", address)
        self._begin("bind")
        end.bind(given)

    def getsockname(self) -> Address:
        self._begin("getsockname")
        return self._end.getsockname()

    def getpeername(self) -> Address:
        self._begin("getpeername")
        return self._end.getpeername()

    def _begin(self, call: str) -> None:
        """A call that a script may let fail; a socket that is closed says so itself."""
        if self._fd >= 0:
            self._host.begin_call(call)

    # --- connections -----------------------------------------------------------------------------

    def listen(self, backlog: int = 128, /) -> None:
        backlog = max(c_int(backlog), 0)
        self._begin("listen")
        self._end.listen(backlog)

    def _accept(self) -> tuple[int, Address]:
        end = None
        if not self._timeout:
            with suppress(BlockingIOError):
                end, address = self._take()
        if end is None:
            end, address = self._patiently("accept", IN, 0, self._take)
        return self._descriptors.open(end), address

    def _take(self) -> tuple[SocketEnd, Address]:
        """A connection that waits; the kernel has a descriptor for it before it looks (do_accept)."""
        witness = self._host.witness
        try:
            taken = self._take_first()
        except OSError as error:
            if witness is not None:
                witness.accept_failed(self._end, error.errno)
            raise
        if witness is not None:
            witness.accepted(self._end)
        return taken

    def _take_first(self) -> tuple[SocketEnd, Address]:
        end = self._end
        self._descriptors.check()
        return end.accept()

    def accept(self) -> tuple[Self, Address]:
        fd, address = self._accept()
        return self._sibling(fd), address

    def connect(self, address: Address, /) -> None:
        end = self._end
        reason = self._connect(end, end.given("connect", address))
        if reason:
            raise OSError(reason, os.strerror(reason))

    def connect_ex(self, address: Address, /) -> int:
        end = self._end
        given = end.given("connect_ex", address)
        try:
            return self._connect(end, given)
        except TimeoutError:  # of the object's own time-out: CPython returns SOCK_TIMEOUT_ERR
            return errno.EAGAIN

    def _connect(self, end: SocketEnd, address: Any) -> int:
        """The errno of an attempt, 0 if it succeeded; it may wait."""
        reason = _attempt(end.connect, address)
        kernel_waits = not end.is_nonblocking  # a time-out of the object is nothing to the kernel
        if kernel_waits and reason == errno.EAGAIN:  # unix(7): a full backlog is waited for
            return self._connect_when_there_is_room(end, address)
        waits = kernel_waits or (self._timeout and reason == errno.EINPROGRESS)
        if not waits or reason not in (errno.EINPROGRESS, errno.EALREADY):
            return reason
        self._wait("connect", OUT, None if kernel_waits else self._host.deadline_ns(self._timeout))
        if kernel_waits:  # the kernel waited, and has told of the outcome itself
            return _attempt(end.conclude_connect, address)
        return int(end.getsockopt(*_SO_ERROR))

    def _connect_when_there_is_room(self, end: SocketEnd, address: Any) -> int:
        outcome = errno.EAGAIN

        def is_settled() -> bool:
            nonlocal outcome
            outcome = _attempt(end.connect, address)
            return outcome != errno.EAGAIN

        self._host.wait("connect", is_settled, None, (end,))
        return outcome

    def shutdown(self, how: int, /) -> None:
        how = c_int(how)
        self._begin("shutdown")
        self._end.shutdown(how)

    # --- file objects ----------------------------------------------------------------------------

    # Whatever has recv_into and send can be a file object of the socket module.
    makefile = std.socket.makefile
    _decref_socketios = std.socket._decref_socketios  # type: ignore[attr-defined]

    # --- options ---------------------------------------------------------------------------------

    def getsockopt(self, level: int, option: int, buflen: int = 0, /) -> Any:
        level, option, buflen = c_int(level), c_int(option), c_int(buflen)
        if not 0 <= buflen <= 1024:
            raise OSError("getsockopt buflen out of range")
        self._begin("getsockopt")
        value = self._end.getsockopt(level, option)
        if not buflen:
            return value if isinstance(value, int) else struct.unpack("i", value[:4])[0]
        if level == std.IPPROTO_IP and buflen < 4 and isinstance(value, int) and 0 <= value <= 0xFF:
            return bytes([value])  # do_ip_getsockopt: a byte, where there is no room for an int
        return (value if isinstance(value, bytes) else struct.pack("i", value))[:buflen]

    def setsockopt(self, level: int, option: int, value: Any, optlen: int | None = None, /) -> None:
        level, option = c_int(level), c_int(option)
        # As the C function tries: an int; then None with a length; then bytes.
        if isinstance(value, int) and optlen is None and -0x8000_0000 <= value <= 0x7FFF_FFFF:
            value = int(value)
        elif optlen is None:
            value = bytes_of(value)
        elif value is not None:
            raise TypeError("setsockopt() takes a length only with None")
        elif not 0 <= optlen <= 0x7FFF_FFFF:  # an int for the kernel (do_sock_setsockopt)
            raise self._open("setsockopt").failed("setsockopt", errno.EINVAL)
        elif optlen < 4:
            value = b""
        self._begin("setsockopt")
        self._end.setsockopt(level, option, value)

    def __getattr__(self, name: str) -> NoReturn:
        if name in _NOT_SIMULATED:
            raise NotImplementedError(f"socket.{name} is not simulated")
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")


def _attempt(connect: Callable[[Any], None], address: Any) -> int:
    """One connect() as the kernel answers it: 0 or an errno."""
    try:
        connect(address)
    except OSError as error:
        return error.errno or 0
    return 0


_NOT_SIMULATED = frozenset(name for name in dir(std.socket) if not name.startswith("_")) - frozenset(
    dir(VirtualSocket)
)
"""Methods that a socket has and a virtual socket has not."""
