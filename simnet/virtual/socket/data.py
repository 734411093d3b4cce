"""What goes in and out of a socket object: send() and recv() with all their kin.

Owns buffers, flags and how long a call goes on (MSG_WAITALL, sendall).  What is sent or received is the
business of the end.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from typing import Any, NoReturn

from ...transport import IN, OUT, Address
from .. import linux as std
from ..kernel.sock import Message, SocketEnd
from .arguments import bytes_of, c_int, c_size, control_message, members, room_in
from .descriptor import DescriptorHolder

_BUFFERS_MAX = 1024  # UIO_MAXIOV
_DONTWAIT, _TRUNC = int(std.MSG_DONTWAIT), int(std.MSG_TRUNC)
_CMSG_CLOEXEC = int(getattr(std, "MSG_CMSG_CLOEXEC", 0x4000_0000))
_WAITALL, _PEEK, _OOB = int(std.MSG_WAITALL), int(std.MSG_PEEK), int(std.MSG_OOB)


class DataSocket(DescriptorHolder):
    """A socket object, as far as data goes in and out."""

    __slots__ = ()

    # --- sending ---------------------------------------------------------------------------------

    def send(self, data: Any, flags: int = 0, /) -> int:
        end = self._end
        try:
            if end.is_nonblocking and not (flags or self._timeout):  # nothing waits: what a dispatcher does
                return end.send(data, 0)
            return self._send(end, data, c_int(flags))
        except (TypeError, OverflowError):
            bytes_of(data)  # which comes first, and says it as the socket module does
            raise

    def _send(self, end: SocketEnd, data: Any, flags: int) -> int:
        sent = -1
        if self._timeout:
            bytes_of(data)
        else:
            with suppress(BlockingIOError):
                sent = end.send(data, flags)
        if sent < 0:
            sent = self._patiently("send", OUT, flags, partial(end.send, data, flags))
        if end.is_nonblocking or flags & _DONTWAIT:
            return sent
        return self._send_rest(end, bytes_of(data), flags, sent)

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
            flags = c_int(flags)
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
        message = bytes_of(data)
        flags = c_int(rest[0]) if len(rest) == 2 else 0
        target = self._end.given("sendto", rest[-1])
        return self._send_message("sendto", message, flags, target, [])

    def sendmsg(
        self,
        buffers: Iterable[Any],
        ancdata: Iterable[tuple[int, int, Any]] = (),
        flags: int = 0,
        address: Address = None,
        /,
    ) -> int:
        flags = c_int(flags)
        pieces = [bytes_of(buffer) for buffer in members("sendmsg", 1, buffers)]
        control = [control_message(item) for item in members("sendmsg", 2, ancdata)]
        target = None if address is None else self._end.given("sendmsg", address)
        _no_message_of_32_bits(flags)
        self._count(pieces)
        return self._send_message("sendmsg", b"".join(pieces), flags, target, control)

    def _count(self, buffers: list[Any]) -> None:
        """EMSGSIZE for more buffers than the kernel takes (copy_msghdr_from_user)."""
        if len(buffers) > _BUFFERS_MAX:
            raise self._end.failed("sendmsg", errno.EMSGSIZE)

    def _send_message(
        self, call: str, data: bytes, flags: int, target: Any, control: list[tuple[int, int, Any]]
    ) -> int:
        end, sent = self._end, -1
        if not self._timeout:
            with suppress(BlockingIOError):
                sent = end.send_message(data, flags, target, control)
        if sent < 0:
            system_call = partial(end.send_message, data, flags, target, control)
            sent = self._patiently(call, OUT, flags, system_call)
        if end.is_nonblocking or flags & _DONTWAIT:
            return sent
        return self._send_rest(end, data, flags, sent)

    sendfile = std.socket.sendfile

    def _sendfile_use_sendfile(self, file: Any, offset: int = 0, count: int | None = None) -> NoReturn:
        """A virtual descriptor means nothing to sendfile(2): what is left is send()."""
        raise std._GiveupOnSendfile  # type: ignore[attr-defined]

    _sendfile_use_send = std.socket._sendfile_use_send  # type: ignore[attr-defined]
    _check_sendfile_params = std.socket._check_sendfile_params  # type: ignore[attr-defined]

    # --- receiving -------------------------------------------------------------------------------

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        if not (flags or self._timeout) and size.__class__ is int and 0 < size < 0x8000_0000:
            try:  # nothing special: what a dispatcher does
                return self._end.recv(size, 0)
            except BlockingIOError:
                pass
            return self._patiently("recv", IN, 0, partial(self._end.recv, size, 0), b"")  # type: ignore[no-any-return]
        size = c_size(size)
        if size <= 0:
            c_int(flags)
            if size < 0:
                raise ValueError("negative buffersize in recv")
            return b""
        if flags and c_int(flags) & _TRUNC:
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
            flags, size = c_int(flags), room_in("recv_into", view, nbytes)
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
        size, flags = c_size(size), c_int(flags)
        if size < 0:
            raise ValueError("negative buffersize in recvfrom")
        message = self._receive("recvfrom", size, flags)
        return message.data.ljust(message.length, b"\0"), message.address

    def recvfrom_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> tuple[int, Address]:
        with memoryview(buffer) as whole, whole.cast("B") as view:
            flags, size = c_int(flags), room_in("recvfrom_into", view, nbytes)
            message = self._receive("recvfrom_into", size, flags)
            view[: len(message.data)] = message.data
            return message.length, message.address

    def recvmsg(
        self, size: int, ancbufsize: int = 0, flags: int = 0, /
    ) -> tuple[bytes, list[tuple[int, int, bytes]], int, Address]:
        size, ancbufsize, flags = c_size(size), c_size(ancbufsize), c_int(flags)
        if size < 0:
            raise ValueError("negative buffer size in recvmsg()")
        if not 0 <= ancbufsize <= 0x7FFFFFFF:
            raise ValueError("invalid ancillary data buffer length")
        _no_message_of_32_bits(flags)
        message = self._receive("recvmsg", size, flags, ancbufsize)
        data = message.data.ljust(min(message.length, size), b"\0")  # makeval_recvmsg cuts, and never adds
        return data, message.control, message.flags | flags & _CMSG_CLOEXEC, message.address

    def recvmsg_into(
        self, buffers: Iterable[Any], ancbufsize: int = 0, flags: int = 0, /
    ) -> tuple[int, list[tuple[int, int, bytes]], int, Address]:
        ancbufsize, flags = c_size(ancbufsize), c_int(flags)
        views = [memoryview(buffer).cast("B") for buffer in buffers]
        if any(view.readonly for view in views):
            raise TypeError("recvmsg_into() argument 1 must be an iterable of buffers to write to")
        if not 0 <= ancbufsize <= 0x7FFFFFFF:
            raise ValueError("invalid ancillary data buffer length")
        _no_message_of_32_bits(flags)
        if not self._timeout or self._end.poll_mask() & IN:  # else it is waited for a message first
            self._count(views)
        message = self._receive("recvmsg_into", sum(map(len, views)), flags, ancbufsize)
        at = 0
        for view in views:
            piece = message.data[at : at + len(view)]
            view[: len(piece)] = piece
            at += len(piece)
        return message.length, message.control, message.flags | flags & _CMSG_CLOEXEC, message.address

    def _waits_for_all(self, flags: int) -> bool:
        """Whether MSG_WAITALL means anything: to a stream, and to the kernel's waiting, not to Python's."""
        end, others = self._end, _DONTWAIT | _OOB | _TRUNC
        return not (self._timeout or end.is_nonblocking or flags & others) and end.kind == std.SOCK_STREAM

    def _receive_all(self, call: str, size: int, flags: int) -> bytes:
        """Wait for `size` bytes, but not beyond an end, an error or an urgent byte (recv(2), MSG_WAITALL)."""
        end, received = self._end, b""
        while True:
            already = 0 if flags & _PEEK else len(received)
            try:
                piece = end.recv(size - already, flags)
            except BlockingIOError:
                piece = self._patiently(call, IN, flags, partial(end.recv, size - already, flags))
            received = piece if flags & _PEEK else received + piece
            if not piece or len(received) == size or end.stops_reader():
                return received
            known = end.readable_bytes() if flags & _PEEK else 0

            def has_more(known: int = known) -> bool:
                return end.readable_bytes() > known or end.stops_reader()

            self._host.wait(call, has_more, None, (end,))
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


def _no_message_of_32_bits(flags: int) -> None:
    """The sign bit is MSG_CMSG_COMPAT, which sendmsg(2) and recvmsg(2) refuse before they look further."""
    if flags < 0:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
