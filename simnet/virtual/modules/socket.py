"""The socket module of a virtual host.

Owns the module's functions and its socket class.  What a socket answers is `virtual.socket` and the kernel.
"""

from __future__ import annotations

import errno
import operator
import os
import socket as std
from enum import IntEnum
from types import ModuleType
from typing import TYPE_CHECKING, Any

from .. import linux
from ..kernel.kinds import make_end, make_pair
from ..kernel.sock import SocketEnd
from ..socket import VirtualSocket
from ..socket.arguments import timeout_s
from .arguments import int_of
from .binding import constants_of, module_like, names_of, rebound

if TYPE_CHECKING:
    from ..host import Host

_ASK_NO_MACHINE = {
    *("error", "gaierror", "herror", "timeout", "SocketIO", "_GiveupOnSendfile"),
    *("AddressFamily", "AddressInfo", "MsgFlag", "SocketKind", "_intenum_converter"),
    *("CMSG_LEN", "CMSG_SPACE", "htonl", "htons", "ntohl", "ntohs"),
    *("inet_aton", "inet_ntoa", "inet_ntop", "inet_pton"),
    *("has_ipv6", "_GLOBAL_DEFAULT_TIMEOUT", "_LOCALHOST", "_LOCALHOST_V6"),
    *("array", "io", "os", "sys"),  # what the functions in Python ask for
}

_CARRIED = {
    **names_of(std, [*sorted(_ASK_NO_MACHINE), *constants_of(std)]),
    **{name: getattr(linux, name) for name in linux.ONLY_ON_LINUX},
}

_IN_PYTHON = (
    *("create_connection", "create_server", "getfqdn", "has_dualstack_ipv6", "recv_fds", "send_fds"),
    *(["_fallback_socketpair"] if hasattr(std, "_fallback_socketpair") else []),
)
"""Functions that are written with others of the module, so that they need only call the host's."""

_OF_NAMES = (
    *("getaddrinfo", "getnameinfo", "gethostbyaddr", "gethostbyname", "gethostbyname_ex", "gethostname"),
    *("getprotobyname", "getservbyname", "getservbyport"),
    *("if_indextoname", "if_nameindex", "if_nametoindex"),
)
"""Functions that look names up."""


class _ModuleSocket(VirtualSocket):
    """What `socket.socket` is on one host: made by the program itself, of a family or of a descriptor."""

    __slots__ = ()

    _machine: Host
    _module: ModuleType

    def __init__(self, family: int = -1, type: int = -1, proto: int = -1, fileno: int | None = None) -> None:
        self._fd = -1  # for __del__, should this fail
        host = self._machine
        family, type, proto = int_of(family), int_of(type), int_of(proto)
        if fileno is None:
            family = int(std.AF_INET) if family == -1 else family
            type = int(std.SOCK_STREAM) if type == -1 else type
            proto = max(proto, 0)
            super().__init__(host, make_end(host, family, type, proto), proto=proto)
        else:
            end = _end_behind(host, fileno)
            super().__init__(host, end, fileno, end.proto if proto == -1 else proto)
            if family != -1:
                self.family = family
            if type != -1:
                self.type = type & ~(linux.SOCK_NONBLOCK | linux.SOCK_CLOEXEC)
        self.family = _named(self.family, std.AddressFamily)
        self.type = _named(self.type, std.SocketKind)
        default = self._module.getdefaulttimeout()
        if type != -1 and type & linux.SOCK_NONBLOCK:
            self.settimeout(0.0)
        elif default is not None:
            self.settimeout(default)

    def __repr__(self) -> str:
        return std.socket.__repr__(self)

    def _sibling(self, fd: int) -> Any:
        return type(self)(self.family, self.type, self.proto, fileno=fd)

    def accept(self) -> tuple[Any, Any]:
        fd, address = self._accept()
        accepted = self._module.socket(self.family, self.type, self.proto, fileno=fd)
        if self._module.getdefaulttimeout() is None and self.gettimeout():
            accepted.setblocking(True)
        return accepted, address


def _named(number: int, names: type[IntEnum]) -> int:
    """A family or type as the properties of a socket show it: by name, if it has one."""
    try:
        return names(number)
    except ValueError:
        return number


def _end_behind(host: Host, fileno: Any) -> SocketEnd:
    """The socket behind a descriptor that a program passes."""
    if isinstance(fileno, float):
        raise TypeError("integer argument expected, got float")
    fd = operator.index(fileno)
    if fd < 0:
        raise ValueError("negative file descriptor")
    file = host.descriptors.of(fd)
    if not isinstance(file, SocketEnd):
        raise OSError(errno.ENOTSOCK, os.strerror(errno.ENOTSOCK))
    return file


def module_for(host: Host) -> ModuleType:
    """The socket module of `host`."""
    default_timeout: float | None = None

    def getdefaulttimeout() -> float | None:
        return default_timeout

    def setdefaulttimeout(timeout: float | None, /) -> None:
        nonlocal default_timeout
        default_timeout = timeout_s(timeout)

    def socketpair(family: int | None = None, type: int = std.SOCK_STREAM, proto: int = 0) -> tuple[Any, Any]:
        family = int(std.AF_UNIX) if family is None else int_of(family)
        type, proto = int_of(type), int_of(proto)
        ends = make_pair(host, family, type, proto)
        first, second = (host.descriptors.open(end) for end in ends)
        return made.socket(family, type, proto, first), made.socket(family, type, proto, second)

    def fromfd(fd: int, family: int, type: int, proto: int = 0) -> Any:
        return made.socket(family, type, proto, fileno=dup(fd))  # which stays open, should it be no socket

    def dup(fd: int, /) -> int:
        return host.descriptors.duplicate(int_of(fd))

    def close(fd: int, /) -> None:
        host.close(int_of(fd))

    functions = (getdefaulttimeout, setdefaulttimeout, socketpair, fromfd, dup, close)
    made = module_like(
        std,
        _CARRIED,
        {
            **{function.__name__: function for function in functions},
            **{name: getattr(host.resolver, name) for name in _OF_NAMES},
        },
    )
    body = {
        "__slots__": (),
        "__module__": "socket",
        "__doc__": VirtualSocket.__doc__,
        "_machine": host,
        "_module": made,
    }
    made.__dict__.update(
        socket=type("socket", (_ModuleSocket,), body),
        SocketType=VirtualSocket,
        _socket=made,  # what the standard library's functions ask for constants
        **{name: rebound(getattr(std, name), made) for name in _IN_PYTHON},
    )
    return made
