"""`socket.socket` in a process: the class stays, and makes objects that a virtual socket answers for.

Another class in the name's place is not found by modules that have subclassed or kept the real one before
(`ssl.SSLSocket`, PySocks), and what it makes is no instance of theirs.  Methods replaced on the real class
have no place to keep a virtual one.  So `__new__` decides: in a process it makes a `HostedSocket`, a true
subclass, or of a program's own subclass one that has both as its bases.  ``isinstance``, ``super()``,
``class MySocket(socket.socket)`` and every name that anybody has kept work as ever; ``type(sock)`` is not
`socket.socket` itself.

A `HostedSocket` has no descriptor of this computer.  What `socket.socket` adds in Python (file objects,
accept, sendfile, dup, close) is inherited as it is; what it has from C is passed on.  Programs call that by
the class as well, ``socket.socket.send(sock, data)``: so it is replaced there too (`methods`), and a call of
a real socket takes 0.3 µs longer while interposition is up.

Not covered: `_socket.socket` called itself, which makes a socket of this computer.

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
from .methods import replace
from .paths import make_room

_AF_UNIX = getattr(std, "AF_UNIX", None)

_PASSED_ON = (
    *("connect", "connect_ex", "listen", "shutdown", "getsockname", "getpeername"),
    *("sendto", "sendmsg", "recv_into", "recvfrom", "recvfrom_into", "recvmsg", "recvmsg_into"),
    *("getsockopt", "setsockopt", "setblocking", "settimeout", "gettimeout", "getblocking", "fileno"),
    *("_accept", "_sendfile_use_sendfile"),
)
"""Besides what most calls are, which the class spells out: that saves them half of what passing on costs."""

CALLS = (*_PASSED_ON, "bind", "send", "sendall", "recv")
"""The methods of a socket that are made in C."""

_TALKS = (
    *("connect", "connect_ex", "shutdown", "_accept"),
    *("sendto", "sendmsg", "recv_into", "recvfrom", "recvfrom_into", "recvmsg", "recvmsg_into"),
)
"""Before these a thread may let others of its process go first."""


class HostedSocket(std.socket):
    """A socket of the host that its process runs on.

    What is made is of a class of its own for each that programs have (`_hosted_class`).  Those have the slot,
    for this one must not widen the object: a subclass with ``__slots__`` could not have both as bases.
    """

    __slots__ = ()

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
        try:
            return self._virtual.send(data, flags)  # type: ignore[no-any-return]
        except BlockingIOError:
            if thread is not None:
                thread.ask_again("send")
            raise

    def sendall(self, data: Any, flags: int = 0, /) -> None:
        thread = running()
        if thread is not None and thread.leader.threads:
            give_way_at(thread, "sendall", whoever_calls=True)
        self._virtual.sendall(data, flags)

    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        thread = running()
        if thread is not None and thread.leader.threads:
            give_way_at(thread, "recv", whoever_calls=True)
        try:
            return self._virtual.recv(bufsize, flags)  # type: ignore[no-any-return]
        except BlockingIOError:
            if thread is not None:
                thread.ask_again("recv")
            raise

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

    def bind(self, address: Any, /) -> None:
        if self._virtual.family == _AF_UNIX:
            make_room(self._virtual._host, address)
        self._virtual.bind(address)


def _passed_on(name: str) -> Callable[..., Any]:
    def method(self: HostedSocket, *args: Any, **kwargs: Any) -> Any:
        return getattr(self._virtual, name)(*args, **kwargs)

    def method_that_gives_way(self: HostedSocket, *args: Any, **kwargs: Any) -> Any:
        thread = running()
        if thread is not None:
            give_way_at(thread, name, whoever_calls=True)
        try:
            return getattr(self._virtual, name)(*args, **kwargs)
        except BlockingIOError:
            if thread is not None:
                thread.ask_again(name)
            raise

    if name in _TALKS:
        method = method_that_gives_way
    return method


for _name in _PASSED_ON:
    setattr(HostedSocket, _name, _passed_on(_name))
for _name in CALLS:
    _method = getattr(HostedSocket, _name)
    _method.__name__, _method.__qualname__ = _name, f"socket.{_name}"
    _method.__doc__ = getattr(std.socket, _name).__doc__
HostedSocket.__name__ = HostedSocket.__qualname__ = "socket"
HostedSocket.__module__ = "socket"

_hosted: dict[type, type] = {}
_std_socket: type = std.socket  # whatever a test has put in its place when a socket is made
_real_init, _real_close = std.socket.__init__, _socket.socket.close


def _hosted_class(cls: type) -> type:
    """The class of hosted sockets that stands for `cls`."""
    made = _hosted.get(cls)
    if made is None:
        made = cls
        if not issubclass(cls, HostedSocket):
            names = {
                "__module__": cls.__module__,
                "__qualname__": cls.__qualname__,
                "__slots__": ("_virtual",),
            }
            bases = (HostedSocket,) if cls is _std_socket else (cls, HostedSocket)
            meta: Any = type(cls)
            made = meta(cls.__name__, bases, names)
        _hosted[cls] = made
    return made


def _for_both(name: str) -> Callable[..., Any]:
    """A method of C that is called by the class."""
    real, hosted = vars(_socket.socket)[name], getattr(HostedSocket, name)

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return (hosted if isinstance(self, HostedSocket) else real)(self, *args, **kwargs)

    method.__name__, method.__qualname__, method.__doc__ = name, f"socket.{name}", real.__doc__
    return method


def _close(self: Any) -> None:
    if isinstance(self, HostedSocket):
        self._virtual.close()
    else:
        _real_close(self)


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
    by_class = [name for name in (*CALLS, "detach") if name in vars(_socket.socket)]
    undo_methods = replace(_socket.socket, {**{name: _for_both(name) for name in by_class}, "close": _close})

    def undo() -> None:
        undo_methods()
        del std.socket.__new__
        std.socket.__init__ = _real_init  # type: ignore[method-assign]

    return undo
