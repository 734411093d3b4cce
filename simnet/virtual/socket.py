"""The socket object that a program on a virtual host holds: the surface of `socket.socket`.

Owns what Python adds to the kernel's sockets: descriptors, time-outs and waiting, buffers to receive into,
file objects.  What a call does is the business of the end behind it (`kernel.sock.SocketEnd`), which several
descriptors may share.  Arguments, errors and results are those of CPython's Modules/socketmodule.c.
"""

from __future__ import annotations

import errno
import operator
import os
import socket as std
import struct
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn, Self

from ..transport import ERR, HUP, IN, OUT, Address
from .kernel.sock import Message, SocketEnd

if TYPE_CHECKING:
    from .host import Host
    from .kernel.descriptors import Descriptors

_DONTWAIT, _TRUNC = int(std.MSG_DONTWAIT), int(std.MSG_TRUNC)
_WAITALL, _PEEK, _OOB = int(std.MSG_WAITALL), int(std.MSG_PEEK), int(std.MSG_OOB)
_NOT_WAITING = _DONTWAIT | int(std.MSG_ERRQUEUE)
_SO_ERROR = (std.SOL_SOCKET, std.SO_ERROR)


class _Closed:
    """What stands behind a closed socket: every call fails with EBADF, once its arguments were looked at."""

    __slots__ = ("given",)

    def __init__(self, end: SocketEnd) -> None:
        self.given = end.given

    def send(self, data: Any, flags: int) -> NoReturn:
        _bytes_of(data)
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))

    def __getattr__(self, name: str) -> Any:
        def fail(*args: object) -> NoReturn:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))

        return fail


class _ByNumber:
    """What stands behind a socket whose descriptor somebody else has closed: whatever has the number now."""

    __slots__ = ("_descriptors", "_fd", "_former")

    def __init__(self, descriptors: Descriptors, fd: int, former: SocketEnd) -> None:
        self._descriptors, self._fd, self._former = descriptors, fd, former

    def __getattr__(self, name: str) -> Any:
        file = self._descriptors.get(self._fd)
        if isinstance(file, SocketEnd):
            return getattr(file, name)
        if name == "given":
            return self._former.given

        def fail(*args: object) -> NoReturn:
            reason = errno.EBADF if file is None else errno.ENOTSOCK
            raise OSError(reason, os.strerror(reason))

        return fail


class VirtualSocket:
    """A socket on a virtual host.  Methods and errors are those of `socket.socket` on Linux.

    A call that has to wait lets time pass on the network until it need not.  Inside a handler time passes
    already, and there such a call raises NotImplementedError: make the socket non-blocking.
    """

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

    def __del__(self) -> None:
        # As for a real socket: whoever drops the last reference closes the descriptor.
        if getattr(self, "_fd", -1) >= 0:
            with suppress(OSError):  # somebody else may have closed it
                self._real_close()

    def __repr__(self) -> str:
        state = f"{self._end.state_name} {self._end.label}" if self._fd >= 0 else "closed"
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

    def _real_close(self) -> None:
        fd = self._forget()
        if fd >= 0 and not self._descriptors.is_gone:
            self._descriptors.close(fd, self)

    def lose_descriptor(self, fd: int) -> None:
        """Somebody closed the descriptor behind this object's back."""
        if fd == self._fd:
            self._end = _ByNumber(self._descriptors, fd, self._end)  # type: ignore[assignment]

    def detach(self) -> int:
        """Forget the descriptor without closing it; the program has it now."""
        self._closed = True
        return self._forget()

    def _forget(self) -> int:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            self._end = _Closed(self._end)  # type: ignore[assignment]
        return fd

    def dup(self) -> Self:
        """Another socket of the same end, with a descriptor of its own; it is not inheritable."""
        self._open("dup")
        twin = self._sibling(self._descriptors.duplicate(self._fd))
        twin.settimeout(self._timeout)
        return twin

    def _sibling(self, fd: int) -> Self:
        """A socket like this one, of the end behind another descriptor."""
        end = self._descriptors.of(fd)
        assert isinstance(end, SocketEnd)
        return type(self)(self._host, end, fd, self.proto)

    def get_inheritable(self) -> bool:
        return self._descriptors.is_inheritable(self._fd)

    def set_inheritable(self, inheritable: bool, /) -> None:
        self._descriptors.set_inheritable(self._fd, inheritable)

    def _open(self, call: str) -> SocketEnd:
        """The end; EBADF if this socket is closed."""
        if self._fd < 0:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        return self._end

    # --- waiting ---------------------------------------------------------------------------------

    def setblocking(self, flag: bool, /) -> None:
        self.settimeout(None if flag else 0.0)

    def settimeout(self, value: float | None, /) -> None:
        if value is not None:
            value = float(value)
            if value < 0:
                raise ValueError("Timeout value out of range")
        self._timeout = value  # also of a socket that is closed, which fails then (internal_setblocking)
        self._descriptors.of(self._fd).is_nonblocking = value is not None

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
        if not self._timeout and (self._end.is_nonblocking or flags & _NOT_WAITING):
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        end, wanted, answers = self._end, events | ERR | HUP, []

        def is_answered() -> bool:
            try:
                if end.poll_mask() & wanted:
                    answers.append(system_call())
            except BlockingIOError:
                if empty is not None and not self._timeout and end.is_exhausted:
                    answers.append(empty)
            return bool(answers)

        if not self._host.wait(call, is_answered, self._host.deadline_ns(self._timeout or None)):
            raise TimeoutError("timed out")
        return answers[0]

    def _wait(self, call: str, events: int, deadline_ns: int | None) -> None:
        """Let time pass until the end has one of `events`; TimeoutError if that takes too long."""
        end, wanted = self._end, events | ERR | HUP
        if not self._host.wait(call, lambda: end.poll_mask() & wanted, deadline_ns):
            raise TimeoutError("timed out")

    # --- names -----------------------------------------------------------------------------------

    def bind(self, address: Address, /) -> None:
        end = self._end
        end.bind(end.given("bind", address))

    def getsockname(self) -> Address:
        return self._end.getsockname()

    def getpeername(self) -> Address:
        return self._end.getpeername()

    # --- connections -----------------------------------------------------------------------------

    def listen(self, backlog: int = 128, /) -> None:
        self._end.listen(max(_c_int(backlog), 0))

    def _accept(self) -> tuple[int, Address]:
        end = None
        if not self._timeout:
            with suppress(BlockingIOError):
                end, address = self._end.accept()
        if end is None:
            end, address = self._patiently("accept", IN, 0, self._end.accept)
        return self._descriptors.open(end), address

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
        kernel_waits = not self._timeout and not end.is_nonblocking
        if kernel_waits and reason == errno.EAGAIN:  # unix(7): a full backlog is waited for
            return self._connect_when_there_is_room(end, address)
        waits = reason == errno.EINPROGRESS if self._timeout else kernel_waits
        if not waits or reason not in (errno.EINPROGRESS, errno.EALREADY):
            return reason
        self._wait("connect", OUT, self._host.deadline_ns(self._timeout or None))
        if kernel_waits:  # the kernel waited, and has told of the outcome itself
            return _attempt(end.conclude_connect, address)
        return int(end.getsockopt(*_SO_ERROR))

    def _connect_when_there_is_room(self, end: SocketEnd, address: Any) -> int:
        outcome = errno.EAGAIN

        def is_settled() -> bool:
            nonlocal outcome
            outcome = _attempt(end.connect, address)
            return outcome != errno.EAGAIN

        self._host.wait("connect", is_settled, None)
        return outcome

    def shutdown(self, how: int, /) -> None:
        self._end.shutdown(_c_int(how))

    # --- sending ---------------------------------------------------------------------------------

    def send(self, data: Any, flags: int = 0, /) -> int:
        end = self._end
        try:
            if end.is_nonblocking and not (flags or self._timeout):  # nothing waits: what a dispatcher does
                return end.send(data, 0)
            return self._send(end, data, _c_int(flags))
        except TypeError:
            _bytes_of(data)  # which says it as the socket module does
            raise

    def _send(self, end: SocketEnd, data: Any, flags: int) -> int:
        sent = -1
        if self._timeout:
            _bytes_of(data)
        else:
            with suppress(BlockingIOError):
                sent = end.send(data, flags)
        if sent < 0:
            sent = self._patiently("send", OUT, flags, partial(end.send, data, flags))
        if end.is_nonblocking or flags & _DONTWAIT:
            return sent
        return self._send_rest(end, _bytes_of(data), flags, sent)

    def _send_rest(self, end: SocketEnd, data: bytes, flags: int, sent: int) -> int:
        """A call that may wait in the kernel returns when everything is queued, or the connection broken."""
        while sent < len(data):
            try:
                sent += end.send(data[sent:], flags)
            except BlockingIOError:
                self._wait("send", OUT, None)
            except OSError:
                break
        return sent

    def sendall(self, data: Any, flags: int = 0, /) -> None:
        with memoryview(data) as whole, whole.cast("B") as view:
            if not view:
                self.send(b"", flags)
            deadline_ns = self._host.deadline_ns(self._timeout)
            sent = 0
            while sent < len(view):
                if deadline_ns is not None and self._timeout and self._host.network.now_ns > deadline_ns:
                    raise TimeoutError("timed out")
                sent += self.send(bytes(view[sent:]), flags)

    def sendto(self, data: Any, *rest: Any) -> int:
        """sendto(data, address) or sendto(data, flags, address)."""
        if len(rest) not in (1, 2):
            raise TypeError(f"sendto() takes 2 or 3 arguments ({1 + len(rest)} given)")
        flags = _c_int(rest[0]) if len(rest) == 2 else 0
        target = self._end.given("sendto", rest[-1])
        return self._send_message("sendto", _bytes_of(data), flags, target, [])

    def sendmsg(
        self,
        buffers: Iterable[Any],
        ancdata: Iterable[tuple[int, int, Any]] = (),
        flags: int = 0,
        address: Address = None,
        /,
    ) -> int:
        data = b"".join(map(_bytes_of, _members("sendmsg", 1, buffers)))
        control = [_control_message(item) for item in _members("sendmsg", 2, ancdata)]
        target = None if address is None else self._end.given("sendmsg", address)
        return self._send_message("sendmsg", data, flags, target, control)

    def _send_message(
        self, call: str, data: bytes, flags: int, target: Any, control: list[tuple[int, int, Any]]
    ) -> int:
        end = self._end
        if not self._timeout:
            try:
                return end.send_message(data, flags, target, control)
            except BlockingIOError:
                pass
        return self._patiently(  # type: ignore[no-any-return]
            call, OUT, flags, partial(end.send_message, data, flags, target, control)
        )

    def sendfile(self, file: Any, offset: int = 0, count: int | None = None) -> int:
        """Send a file object until its end, by send(): a virtual descriptor means nothing to sendfile(2)."""
        return self._sendfile_use_send(file, offset, count)  # type: ignore[no-any-return]

    _sendfile_use_send = std.socket._sendfile_use_send  # type: ignore[attr-defined]
    _check_sendfile_params = std.socket._check_sendfile_params  # type: ignore[attr-defined]

    # --- receiving -------------------------------------------------------------------------------

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        if size <= 0:
            if size < 0:
                raise ValueError("negative buffersize in recv")
            return b""
        if flags and _c_int(flags) & _TRUNC:
            message = self._receive("recv", size, flags)
            return message.data.ljust(message.length, b"\0")
        if flags & _WAITALL and self._waits_for_all(flags):
            return self._receive_all("recv", size, flags)
        if not self._timeout:
            try:
                return self._end.recv(size, flags)
            except BlockingIOError:
                pass
        return self._patiently("recv", IN, flags, partial(self._end.recv, size, flags), b"")  # type: ignore[no-any-return]

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        with memoryview(buffer) as whole, whole.cast("B") as view:
            size = _room("recv_into", view, nbytes)
            if not size:
                return 0
            if flags & _TRUNC:
                message = self._receive("recv_into", size, flags)
                view[: len(message.data)] = message.data
                return message.length
            data = self.recv(size, flags)
            view[: len(data)] = data
            return len(data)

    def recvfrom(self, size: int, flags: int = 0, /) -> tuple[bytes, Address]:
        if size < 0:
            raise ValueError("negative buffersize in recvfrom")
        message = self._receive("recvfrom", size, flags)
        return message.data.ljust(message.length, b"\0"), message.address

    def recvfrom_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> tuple[int, Address]:
        with memoryview(buffer) as whole, whole.cast("B") as view:
            message = self._receive("recvfrom_into", _room("recvfrom_into", view, nbytes), flags)
            view[: len(message.data)] = message.data
            return message.length, message.address

    def recvmsg(
        self, size: int, ancbufsize: int = 0, flags: int = 0, /
    ) -> tuple[bytes, list[tuple[int, int, bytes]], int, Address]:
        if size < 0:
            raise ValueError("negative buffer size in recvmsg()")
        if not 0 <= ancbufsize <= 0x7FFFFFFF:
            raise ValueError("invalid ancillary data buffer length")
        message = self._receive("recvmsg", size, flags, ancbufsize)
        data = message.data.ljust(min(size, message.length), b"\0")
        return data, message.control, message.flags, message.address

    def recvmsg_into(
        self, buffers: Iterable[Any], ancbufsize: int = 0, flags: int = 0, /
    ) -> tuple[int, list[tuple[int, int, bytes]], int, Address]:
        views = [memoryview(buffer).cast("B") for buffer in buffers]
        if any(view.readonly for view in views):
            raise TypeError("recvmsg_into() argument 1 must be an iterable of buffers to write to")
        if not 0 <= ancbufsize <= 0x7FFFFFFF:
            raise ValueError("invalid ancillary data buffer length")
        message = self._receive("recvmsg_into", sum(map(len, views)), flags, ancbufsize)
        at = 0
        for view in views:
            piece = message.data[at : at + len(view)]
            view[: len(piece)] = piece
            at += len(piece)
        return message.length, message.control, message.flags, message.address

    def _waits_for_all(self, flags: int) -> bool:
        """Whether MSG_WAITALL means anything: to a stream, and to the kernel's waiting, not to Python's."""
        end, others = self._end, _DONTWAIT | _OOB | _TRUNC
        return not (self._timeout or end.is_nonblocking or flags & others) and end.kind == std.SOCK_STREAM

    def _receive_all(self, call: str, size: int, flags: int) -> bytes:
        """Wait for `size` bytes, but not beyond an end, an error or an urgent byte (recv(2), MSG_WAITALL)."""
        end, received = self._end, b""
        while True:
            already = 0 if flags & _PEEK else len(received)
            piece: bytes = self._patiently(call, IN, flags, partial(end.recv, size - already, flags))
            received = piece if flags & _PEEK else received + piece
            if not piece or len(received) == size or end.stops_reader():
                return received
            known = end.readable_bytes() if flags & _PEEK else 0

            def has_more(known: int = known) -> bool:
                return end.readable_bytes() > known or end.stops_reader()

            self._host.wait(call, has_more, None)
            if end.stops_reader() and end.readable_bytes() <= known:
                return received

    def _receive(self, call: str, size: int, flags: int, control_size: int = 0) -> Message:
        end = self._end
        if flags & _WAITALL and end.proto == std.IPPROTO_TCP and size and self._waits_for_all(flags):
            return Message(self._receive_all(call, size, flags))
        if not self._timeout:
            try:
                return end.receive_message(size, flags, control_size)
            except BlockingIOError:
                pass
        return self._patiently(  # type: ignore[no-any-return]
            call, IN, flags, partial(end.receive_message, size, flags, control_size), Message(b"")
        )

    # --- file objects ----------------------------------------------------------------------------

    # Whatever has recv_into and send can be a file object of the socket module.
    makefile = std.socket.makefile
    _decref_socketios = std.socket._decref_socketios  # type: ignore[attr-defined]

    # --- options ---------------------------------------------------------------------------------

    def getsockopt(self, level: int, option: int, buflen: int = 0, /) -> Any:
        if not 0 <= buflen <= 1024:
            raise OSError("getsockopt buflen out of range")
        value = self._end.getsockopt(level, option)
        if not buflen:
            return value if isinstance(value, int) else struct.unpack("i", value[:4])[0]
        return (value if isinstance(value, bytes) else struct.pack("i", value))[:buflen]

    def setsockopt(self, level: int, option: int, value: Any, optlen: int | None = None, /) -> None:
        # As the C function tries: an int; then None with a length; then bytes.
        if isinstance(value, int) and optlen is None:
            value = _c_int(value)
        elif optlen is None:
            value = _bytes_of(value)
        elif value is not None:
            raise TypeError("setsockopt() takes a length only with None")
        self._end.setsockopt(level, option, value)

    def __getattr__(self, name: str) -> NoReturn:
        if name in _NOT_SIMULATED:
            raise NotImplementedError(f"socket.{name} is not simulated")
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")


def _c_int(value: Any) -> int:
    """A number as the C functions take it."""
    number = operator.index(value)
    if not -0x8000_0000 <= number <= 0x7FFF_FFFF:
        bound = "greater than maximum" if number > 0 else "less than minimum"
        raise OverflowError(f"signed integer is {bound}")
    return number


def _attempt(connect: Callable[[Any], None], address: Any) -> int:
    """One connect() as the kernel answers it: 0 or an errno."""
    try:
        connect(address)
    except OSError as error:
        return error.errno or 0
    return 0


def _members(call: str, place: int, value: Any) -> list[Any]:
    """The members of an argument that has to be an iterable."""
    try:
        return list(value)
    except TypeError:
        raise TypeError(f"{call}() argument {place} must be an iterable") from None


def _control_message(item: Any) -> tuple[int, int, bytes]:
    """One message of sendmsg()'s ancillary data: level, type and bytes."""
    call = "[sendmsg() ancillary data items]() argument must be"
    if not isinstance(item, Sequence):
        raise TypeError(f"{call} 3-item sequence, not {type(item).__name__}")
    if len(item) != 3:
        raise TypeError(f"{call} sequence of length 3, not {len(item)}")
    level, kind, data = item
    return _c_int(level), _c_int(kind), _bytes_of(data)


def _bytes_of(buffer: Any) -> bytes:
    """The bytes of whatever the socket module takes for bytes."""
    try:
        with memoryview(buffer) as view:
            return view.tobytes()
    except TypeError:
        raise TypeError(f"a bytes-like object is required, not {type(buffer).__name__!r}") from None


def _room(call: str, view: memoryview, size: int) -> int:
    """How much a call may write into a buffer."""
    if view.readonly:
        name = type(view.obj).__name__
        raise TypeError(f"{call}() argument 1 must be read-write bytes-like object, not {name}")
    if size < 0:
        raise ValueError(f"negative buffersize in {call}")
    if size > len(view):
        raise ValueError("buffer too small for requested bytes")
    return size or len(view)


_NOT_SIMULATED = frozenset(name for name in dir(std.socket) if not name.startswith("_")) - frozenset(
    dir(VirtualSocket)
)
"""Methods that a socket has and a virtual socket has not."""
