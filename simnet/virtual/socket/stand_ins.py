"""What stands behind a socket object that has lost its end: by close(), or because somebody else closed it.

Owns these two.  Who has lost what is known by `descriptor`.
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any, NoReturn

from ..kernel.sock import SocketEnd
from .arguments import bytes_of

if TYPE_CHECKING:
    from ..kernel.descriptors import Descriptors


class Closed:
    """What stands behind a closed socket: every call fails with EBADF, once its arguments were looked at.

    `left_ns` is when the program closed a connection that was alive, if somebody wants to know.
    """

    __slots__ = ("given", "left_ns")

    def __init__(self, end: SocketEnd) -> None:
        self.given = end.given
        # Not if somebody else has closed the number: then `end` is whatever has it now, or nothing.
        witness = end.host.witness if isinstance(end, SocketEnd) else None
        self.left_ns = witness.leaves(end) if witness is not None else None

    def send(self, data: Any, flags: int) -> NoReturn:
        size = len(bytes_of(data))
        if self.left_ns is not None and size:
            end = self.given.__self__  # type: ignore[attr-defined]  # a method of it
            end.host.witness.used_closed(end, self.left_ns, size)
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))

    def __getattr__(self, name: str) -> Any:
        def fail(*args: object) -> NoReturn:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))

        return fail


class ByNumber:
    """What stands behind a socket whose descriptor somebody else has closed: whatever has the number now."""

    __slots__ = ("_descriptors", "_fd", "_former")

    def __init__(self, descriptors: Descriptors, fd: int, former: SocketEnd) -> None:
        self._descriptors, self._fd, self._former = descriptors, fd, former

    def __getattr__(self, name: str) -> Any:
        file = self._descriptors.get(self._fd)
        if isinstance(file, SocketEnd):
            return self._foreign if name == "given" and self._is_foreign(file) else getattr(file, name)
        if name == "given":
            return self._former.given

        def fail(*args: object) -> NoReturn:
            if name == "send":
                bytes_of(args[0])
            reason = errno.EBADF if file is None else errno.ENOTSOCK
            raise OSError(reason, os.strerror(reason))

        return fail

    def _is_foreign(self, file: SocketEnd) -> bool:
        return file.family != self._former.family

    def _foreign(self, call: str, address: Any) -> NoReturn:
        """The object reads the address in its own family; what another makes of those bytes is not known."""
        self._former.given(call, address)
        raise NotImplementedError(f"{call}() of a family that is not the descriptor's is not simulated")
