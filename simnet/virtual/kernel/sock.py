"""What every kind of socket has in common: how it answers a call, whatever it is a socket of.

Each method is a system call on a socket that does not block: it returns what Linux returns, or raises the
OSError that Linux would; EAGAIN and EINPROGRESS are answers like others, and whether a program waits instead
is the business of the object that it holds.  A kind overrides what it knows; what it leaves alone is
answered as Linux answers a call that the kind does not have.

Owns the contract, the pending error and the options that mean the same for every kind.
"""

from __future__ import annotations

import errno
import os
import stat
from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

import attrs

from ...trace import Kind
from ...transport import ERR, HUP, RDHUP, Address
from .. import linux as std
from . import file
from .options import Option, by_number, missing

if TYPE_CHECKING:
    from ..host import Host


_BINDTODEVICE, _TCP = int(std.SO_BINDTODEVICE), int(std.IPPROTO_TCP)
_FAIL = int(Kind.FAIL)
_SIOC = 0x89  # the requests that only sockets have

SEND_BUFFER_BYTES = 65_536
RECEIVE_BUFFER_BYTES = 65_536


@attrs.define
class Message:
    """What recvmsg(2) returns: bytes, who sent them, control messages, and what became of them.

    `length` differs from the size of `data` where MSG_TRUNC asks for the real one.
    """

    data: bytes
    address: Address = None
    flags: int = 0
    control: list[tuple[int, int, bytes]] = attrs.Factory(list)
    length: int = -1

    def __attrs_post_init__(self) -> None:
        if self.length < 0:
            self.length = len(self.data)


class SocketEnd(file.File):
    """A socket below its descriptors."""

    __slots__ = (
        "linger_seconds",
        "receive_buffer",
        "reuse_address",
        "reuse_port",
        "send_buffer",
        "settings",
        "so_error",
        "v6only",
    )

    family: int
    kind: int
    """SOCK_STREAM or SOCK_DGRAM."""

    proto: int = 0

    number: int
    """Of this socket in the trace."""

    own_options: ClassVar[dict[tuple[int, int], Option]] = {}
    """Options that only this kind has."""

    file_type = stat.S_IFSOCK | 0o777

    send_buffer_default = receive_buffer_default = 212_992
    """What SO_SNDBUF and SO_RCVBUF say before a program sets them (wmem_default and rmem_default)."""

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        self.so_error = 0
        self.reuse_address = self.reuse_port = False
        self.v6only = False
        self.linger_seconds: int | None = None
        self.send_buffer, self.receive_buffer = SEND_BUFFER_BYTES, RECEIVE_BUFFER_BYTES
        self.settings: dict[tuple[int, int], int] | None = None  # options that a program has set

    # --- names -----------------------------------------------------------------------------------

    @abstractmethod
    def given(self, call: str, address: Any) -> Any:
        """What the kernel is told where a program passes `address` to `call`: checked and looked up.

        Raises TypeError, OverflowError or socket.gaierror as the socket module does.
        """

    @abstractmethod
    def getsockname(self) -> Address: ...

    @abstractmethod
    def getpeername(self) -> Address: ...

    @abstractmethod
    def bind(self, address: Any) -> None: ...

    # --- connections -----------------------------------------------------------------------------

    @property
    def is_listening(self) -> bool:
        return False

    @abstractmethod
    def connect(self, address: Any) -> None: ...

    def conclude_connect(self, address: Any) -> None:
        """What connect() ends with that has waited until the outcome was there."""
        self.connect(address)

    def listen(self, backlog: int) -> None:
        raise self.failed("listen", errno.EOPNOTSUPP)

    def accept(self) -> tuple[SocketEnd, Address]:
        """The first connection of the queue, and where it comes from."""
        raise self.failed("accept", errno.EOPNOTSUPP)

    @abstractmethod
    def shutdown(self, how: int) -> None: ...

    # --- data ------------------------------------------------------------------------------------

    @abstractmethod
    def send(self, data: Any, flags: int = 0) -> int: ...

    @abstractmethod
    def recv(self, size: int, flags: int = 0) -> bytes: ...

    @abstractmethod
    def send_message(self, data: bytes, flags: int, address: Any, control: list[tuple[int, int, Any]]) -> int:
        """sendto(2) and sendmsg(2): `address` is None or what `given` made of one."""

    @abstractmethod
    def receive_message(self, size: int, flags: int, control_size: int) -> Message:
        """recvfrom(2) and recvmsg(2)."""

    @property
    def is_exhausted(self) -> bool:
        """Whether a call that waits for a datagram returns without one, because reading is shut.

        __skb_wait_for_more_packets; a call that does not wait says EAGAIN.
        """
        return False

    def read(self, size: int) -> bytes:
        """read(2) is recv() without flags, and for nothing asks nothing (sock_read_iter)."""
        return self.recv(size) if size else b""

    def write(self, data: memoryview) -> int:
        return self.send(bytes(data))

    def ioctl(self, request: int) -> int:
        match request:
            case file.FIONREAD:
                return self.readable_bytes()
            case file.SIOCOUTQ:
                return self.unsent_bytes()
            case file.SIOCATMARK:
                return int(self.is_at_mark())
        if request >> 8 == _SIOC:
            raise NotImplementedError(f"ioctl request {request:#x} is not simulated")
        return super().ioctl(request)

    def is_at_mark(self) -> bool:
        """Whether the next byte to read is behind the out-of-band one (sockatmark(3))."""
        raise NotImplementedError("SIOCATMARK is not simulated")

    def stops_reader(self) -> bool:
        """Whether who has received something does not wait for more: after an end or an error (recv(2))."""
        return bool(self.poll_mask() & (ERR | HUP | RDHUP))

    def unsent_bytes(self) -> int:
        """How many bytes the peer has not acknowledged (SIOCOUTQ in tcp(7))."""
        return 0

    # --- options ---------------------------------------------------------------------------------

    @property
    def is_bound(self) -> bool:
        """Whether the socket has a port: some options may be set only before."""
        return False

    def getsockopt(self, level: int, number: int) -> int | bytes:
        """The value of an option: an int, or the bytes of a structure."""
        option = by_number(self, level, number)
        if option is None:
            raise missing(self, level, number, is_read=True)
        if option.get is not None:
            return option.get(self)
        if option.set is not None:
            raise self.failed("getsockopt", errno.ENOPROTOOPT)  # write only
        return self.kept(level, number, option.default)

    def setsockopt(self, level: int, number: int, value: int | bytes | None) -> None:
        # sk_setsockopt, do_tcp_setsockopt: before it is looked at which option it is.
        reads_int = (level == std.SOL_SOCKET and number != _BINDTODEVICE) or level == self.proto == _TCP
        if reads_int and isinstance(value, bytes) and len(value) < 4:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        option = by_number(self, level, number)
        if option is None:
            raise missing(self, level, number, is_read=False)
        if value is None:  # NULL with a length (socket.setsockopt)
            raise self.failed("setsockopt", errno.EFAULT)
        if option.set is not None:
            option.set(self, value)
        elif option.get is not None:
            raise self.failed("setsockopt", errno.ENOPROTOOPT)  # read only
        else:
            self.keep(level, number, option.accept(value))

    def kept(self, level: int, number: int, default: int) -> int:
        """The value that a program has set an option to."""
        return default if self.settings is None else self.settings.get((level, number), default)

    def keep(self, level: int, number: int, value: int) -> None:
        """Note the value of an option.  A kind to which it means something overrides this."""
        self.settings = {**(self.settings or {}), (level, number): value}

    def set_buffers(self, send: int | None = None, receive: int | None = None) -> None:
        """Change the size of a buffer, in bytes of data."""
        if send is not None:
            self.send_buffer = send
        if receive is not None:
            self.receive_buffer = receive

    def setting(self, level: int, number: int) -> int:
        """The value of a plain option."""
        return int(self.getsockopt(level, number))

    # --- errors ----------------------------------------------------------------------------------

    def take_error(self) -> int:
        """Read and clear the pending error, as getsockopt(SO_ERROR) does."""
        reason, self.so_error = self.so_error, 0
        return reason

    def failed(self, call: str, reason: int) -> OSError:
        """The error that `call` ends with."""
        self.note(_FAIL, reason, call)
        return OSError(reason, os.strerror(reason))

    def note(self, kind: int, n: int, data: bytes | str | None = None) -> None:
        log = self.net.log
        if log is not None:
            log((self.net.now_ns, kind, self.number, n, data))


def flag_names(flags: int) -> str:
    """``MSG_OOB or MSG_PEEK``, for messages about what is not simulated."""
    names = [name for name in dir(std) if name.startswith("MSG_") and getattr(std, name) & flags]
    return " or ".join(names) or hex(flags)
