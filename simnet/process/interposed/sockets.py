"""`socket.socket` in a process: the class stays, and makes objects that a virtual socket answers for.

Three techniques were weighed.  Another class in the name's place is not found by modules that have subclassed
or kept the real one before (`ssl.SSLSocket`, PySocks), and what it makes is no instance of theirs.  Methods
replaced on the real class slow every real socket down, and have no place to keep a virtual one.  So `__new__`
decides: in a process it makes a `HostedSocket`, a true subclass, or of a program's own subclass one that has
both as its bases.  ``isinstance``, ``super()``, ``class MySocket(socket.socket)`` and every name that anybody
has kept work as ever, and a real socket costs one question more when it is made.

A `HostedSocket` has no descriptor of this computer.  What `socket.socket` adds in Python (file objects,
accept, sendfile, dup, close) is inherited as it is; what it has from C is passed on.

Not covered: a subclass with ``__slots__`` of its own, and a method called on the class itself
(``socket.socket.send(sock, data)``), which fails with EBADF.

Owns the class and its making.
"""

from __future__ import annotations

import _socket
import socket as std
from collections.abc import Callable
from typing import Any

from ...errors import UsageError
from ..process import running
from ..thread import give_way_at

_PASSED_ON = (
    *("bind", "connect", "connect_ex", "listen", "shutdown", "getsockname", "getpeername"),
    *("sendto", "sendmsg", "recv_into", "recvfrom", "recvfrom_into", "recvmsg", "recvmsg_into"),
    *("getsockopt", "setsockopt", "setblocking", "settimeout", "gettimeout", "getblocking", "fileno"),
    *("_accept", "_sendfile_use_sendfile"),
)
"""Besides what most calls are, which the class spells out: that saves them half of what passing on costs."""

_TALKS = (
    *("connect", "connect_ex", "shutdown", "_accept"),
    *("sendto", "sendmsg", "recv_into", "recvfrom", "recvfrom_into", "recvmsg", "recvmsg_into"),
)
"""Before these a thread may let others of its process go first."""


class HostedSocket(std.socket):
    """A socket of the host that its process runs on."""

    __slots__ = ("_virtual",)

    _virtual: Any

    def __init__(self, family: int = -1, type: int = -1, proto: int = -1, fileno: int | None = None) -> None:
        process = running()
        if process is None:
            raise UsageError("a socket of a virtual host is made by a process on it")
        self._io_refs, self._closed = 0, False
        self._virtual = process.host.modules.socket.socket(family, type, proto, fileno)

    def send(self, data: Any, flags: int = 0, /) -> int:
        thread = running()
        if thread is not None and thread.leader.threads:
            give_way_at(thread, "send", whoever_calls=True)
        return self._virtual.send(data, flags)  # type: ignore[no-any-return]

    def sendall(self, data: Any, flags: int = 0, /) -> None:
        thread = running()
        if thread is not None and thread.leader.threads:
            give_way_at(thread, "sendall", whoever_calls=True)
        self._virtual.sendall(data, flags)

    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        thread = running()
        if thread is not None and thread.leader.threads:
            give_way_at(thread, "recv", whoever_calls=True)
        return self._virtual.recv(bufsize, flags)  # type: ignore[no-any-return]

    def _real_close(self, *_: object) -> None:
        self._virtual.close()

    def detach(self) -> int:
        self._closed = True
        return int(self._virtual.detach())

    @property
    def family(self) -> Any:
        return self._virtual.family

    @property
    def type(self) -> Any:
        return self._virtual.type

    @property
    def proto(self) -> int:
        return int(self._virtual.proto)

    @property
    def timeout(self) -> float | None:
        return self._virtual.timeout  # type: ignore[no-any-return]


def _passed_on(name: str) -> Callable[..., Any]:
    def method(self: HostedSocket, *args: Any, **kwargs: Any) -> Any:
        return getattr(self._virtual, name)(*args, **kwargs)

    def method_that_gives_way(self: HostedSocket, *args: Any, **kwargs: Any) -> Any:
        thread = running()
        if thread is not None:
            give_way_at(thread, name, whoever_calls=True)
        return getattr(self._virtual, name)(*args, **kwargs)

    if name in _TALKS:
        method = method_that_gives_way
    return method


for _name in _PASSED_ON:
    setattr(HostedSocket, _name, _passed_on(_name))
for _name in (*_PASSED_ON, "send", "sendall", "recv"):
    _method = getattr(HostedSocket, _name)
    _method.__name__, _method.__qualname__ = _name, f"socket.{_name}"
    _method.__doc__ = getattr(std.socket, _name).__doc__
HostedSocket.__name__ = HostedSocket.__qualname__ = "socket"
HostedSocket.__module__ = "socket"

_hosted: dict[type, type] = {std.socket: HostedSocket}
_real_init = std.socket.__init__


def _hosted_class(cls: type) -> type:
    """The class of hosted sockets that stands for `cls`."""
    made = _hosted.get(cls)
    if made is None:
        made = cls
        if not issubclass(cls, HostedSocket):
            meta: Any = type(cls)
            made = meta(cls.__name__, (cls, HostedSocket), {"__module__": cls.__module__})
        _hosted[cls] = made
    return made


def _new(cls: type, *args: Any, **kwargs: Any) -> Any:
    made = cls if running() is None else _hosted_class(cls)
    return _socket.socket.__new__(made)


def _init(self: Any, *args: Any, **kwargs: Any) -> None:
    if isinstance(self, HostedSocket):
        HostedSocket.__init__(self, *args, **kwargs)
    else:
        _real_init(self, *args, **kwargs)


def change() -> Callable[[], None]:
    """Let `socket.socket` decide; returns what undoes it."""
    std.socket.__new__ = staticmethod(_new)  # type: ignore[method-assign]
    std.socket.__init__ = _init  # type: ignore[method-assign]

    def undo() -> None:
        del std.socket.__new__
        std.socket.__init__ = _real_init  # type: ignore[method-assign]

    return undo
