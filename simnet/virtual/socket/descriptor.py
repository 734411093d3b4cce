"""A socket object and its descriptor: how it is made, duplicated and closed, and how it waits.

Owns the life of the object, its time-out, and waiting.  What the calls are is said by the classes on top.
"""

from __future__ import annotations

import errno
import operator
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NoReturn, Self

from ...transport import ERR, HUP
from .. import linux as std
from ..kernel.sock import SocketEnd
from .arguments import c_int, timeout_s
from .stand_ins import ByNumber, Closed

if TYPE_CHECKING:
    from ..host import Host
    from ..kernel.descriptors import Descriptors

_DONTWAIT = int(std.MSG_DONTWAIT)
_NOT_WAITING = _DONTWAIT | int(std.MSG_ERRQUEUE)

_ANY_TRUTH = sys.version_info >= (3, 12)
"""Whether setblocking() takes whatever is true or false; before it was a number."""


class DescriptorHolder:
    """A socket object, as far as it is a descriptor with a time-out."""

    __slots__ = (
        "__weakref__",
        "_closed",
        "_descriptors",
        "_end",
        "_fd",
        "_host",
        "_io_refs",
        "_timeout",
        "family",
        "proto",
        "type",
    )

    def __init__(self, host: Host, end: SocketEnd, fd: int | None = None, proto: int = 0) -> None:
        """Of `end`, under a new descriptor, or under one that the program has already."""
        self._host = host
        self._descriptors: Descriptors = host.descriptors
        self._end = end
        self._timeout: float | None = None
        self._io_refs = 0  # file objects that use this socket
        self._closed = False
        self.family, self.type, self.proto = end.family, end.kind, proto
        self._fd = self._descriptors.open(end) if fd is None else fd
        self._descriptors.hold(self._fd, self)

    # --- life ------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __del__(self, is_finalizing: Callable[[], bool] = sys.is_finalizing) -> None:
        # As for a real socket: whoever drops the last reference closes the descriptor.
        # At the end of the interpreter nobody sees it, rooms that were never entered are shut, and the
        # names of this module may be gone: what is asked for is kept here.  What a process drops that is
        # killed, it has not closed.
        if getattr(self, "_fd", -1) >= 0 and not is_finalizing() and not self._host.is_ending:
            with suppress(OSError):  # somebody else may have closed it
                self._real_close(waits=False)

    def __repr__(self) -> str:
        end: Any = self._end
        is_ours = self._fd >= 0 and isinstance(end.state_name, str)  # else somebody has closed it
        state = f"{end.state_name} {end.label}" if is_ours else "closed"
        return f"<{type(self).__name__} fd={self._fd} {self._host.name} {state.rstrip()}>"

    def __getstate__(self) -> NoReturn:
        raise TypeError(f"cannot pickle {type(self).__name__!r} object")

    def fileno(self) -> int:
        return self._fd

    def close(self) -> None:
        """Give the descriptor back, once no file object made of this socket uses it."""
        self._closed = True
        if self._io_refs <= 0:
            self._real_close()

    def _real_close(self, waits: bool = True) -> None:
        fd = self._fd
        if fd >= 0:
            self._fd, self._end = -1, Closed(self._end)  # type: ignore[assignment]
            if not self._descriptors.is_gone:
                close = self._host.close if waits else self._descriptors.close
                close(fd, self)

    def outlive_process(self, fd: int) -> None:
        """The process that had the descriptor has ended; the number may be another's from now on."""
        if fd == self._fd:
            self._fd, self._end, self._closed = -1, Closed(self._end), True  # type: ignore[assignment]

    def lose_descriptor(self, fd: int) -> None:
        """Somebody closed the descriptor behind this object's back."""
        if fd == self._fd:
            self._end = ByNumber(self._descriptors, fd, self._end)  # type: ignore[assignment]

    def detach(self) -> int:
        """Forget the descriptor without closing it; the program has it now."""
        self._closed = True
        fd = self._fd
        if fd >= 0:
            self._fd, self._end = -1, Closed(self._end)  # type: ignore[assignment]
        return fd

    def dup(self) -> Self:
        """Another socket of the same end, with a descriptor of its own; it is not inheritable."""
        self._open("dup")
        twin = self._sibling(self._descriptors.duplicate(self._fd))
        twin.settimeout(self._timeout)
        return twin

    def _sibling(self, fd: int) -> Self:
        """A socket like this one, of the end behind another descriptor."""
        end: Any = self._descriptors.of(fd)
        return type(self)(self._host, end, fd, self.proto)

    def get_inheritable(self) -> bool:
        return self._descriptors.is_inheritable(self._fd)

    def set_inheritable(self, inheritable: bool, /) -> None:
        self._descriptors.set_inheritable(self._fd, bool(c_int(inheritable)))

    def _open(self, call: str) -> SocketEnd:
        """The end; EBADF if this socket is closed."""
        if self._fd < 0:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        return self._end

    # --- waiting ---------------------------------------------------------------------------------

    def setblocking(self, flag: bool, /) -> None:
        if not _ANY_TRUTH:
            flag = bool(operator.index(flag))
        self._wait_at_most(None if flag else 0.0)

    def settimeout(self, value: float | None, /) -> None:
        self._wait_at_most(timeout_s(value))

    def _wait_at_most(self, timeout: float | None) -> None:
        self._timeout = timeout  # also of a socket that is closed, which fails then (internal_setblocking)
        self._descriptors.of(self._fd).is_nonblocking = timeout is not None

    def gettimeout(self) -> float | None:
        return self._timeout

    @property
    def timeout(self) -> float | None:
        return self._timeout

    def getblocking(self) -> bool:
        return self._timeout != 0.0

    def _patiently(
        self, call: str, events: int, flags: int, system_call: Callable[[], Any], empty: Any = None
    ) -> Any:
        """Make a call when the socket is ready for it.

        Without a time-out the kernel was asked before, and answered EAGAIN.  With one, Python polls first:
        where nothing is ready, TimeoutError comes before any error of the call (sock_call_ex).

        It comes as a partial: a lambda would make cells of its caller's variables, also where nothing waits.
        Where the program does not want to wait, EAGAIN is raised anew: what counts without a time-out is
        O_NONBLOCK, which others may have set or cleared (os.set_blocking).  No frame here keeps an exception:
        one that holds the frame that holds the socket would keep it open until the garbage collector comes.
        `empty` is what a wait for data ends with that has become vain.
        """
        not_waiting = _DONTWAIT if self.family == std.AF_UNIX else _NOT_WAITING  # it has no error queue
        if not self._timeout and (self._end.is_nonblocking or flags & not_waiting):
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        end, wanted, answers = self._end, events | ERR | HUP, []

        def is_answered() -> bool:
            try:
                answers.append(system_call())
            except BlockingIOError:
                if empty is None or self._timeout or not end.is_exhausted:
                    return False
                answers.append(empty)
            return True

        def is_over() -> bool:
            return bool(end.try_while_ready(wanted, is_answered))

        deadline_ns = self._host.deadline_ns(self._timeout or None)
        if not self._host.wait(call, is_over, deadline_ns, (end,), wanted):
            raise TimeoutError("timed out")
        return answers[0]

    def _wait(self, call: str, events: int, deadline_ns: int | None) -> None:
        """Let time pass until the end has one of `events`; TimeoutError if that takes too long."""
        end, wanted = self._end, events | ERR | HUP
        if not self._host.wait(call, lambda: end.poll_mask() & wanted, deadline_ns, (end,), wanted):
            raise TimeoutError("timed out")
