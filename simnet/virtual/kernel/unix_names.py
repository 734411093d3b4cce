"""Names of AF_UNIX sockets (unix(7)): paths, abstract ones, and none at all.

A name is bytes here, as in ``sun_path``: one that begins with a null byte is abstract, and an empty one is
none.  Programs see paths as str, abstract names as bytes and no name as "".

Owns the forms of a name and the abstract ones of a host.  Paths are `paths`.
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any

from .paths import Paths, SocketFile

if TYPE_CHECKING:
    from .unix import UnixEnd

PATH_BYTES = 108  # of sun_path
_AUTOMATIC = 0x100000  # how many names of five hexadecimal digits there are


def given(address: Any) -> bytes:
    """The name that a program passes, as CPython hands it to the kernel (getsockaddrarg)."""
    if isinstance(address, str):
        name = os.fsencode(address)
    else:
        try:
            with memoryview(address) as view:
                name = view.tobytes()
        except TypeError:
            found = type(address).__name__
            raise TypeError(f"a bytes-like object is required, not {found!r}") from None
    is_path = name[:1] not in (b"", b"\0")
    if len(name) + is_path > PATH_BYTES:
        raise OSError("AF_UNIX path too long")
    return name.split(b"\0")[0] if is_path else name


def shown(name: bytes) -> str | bytes:
    """A name as programs see it."""
    return name if name[:1] == b"\0" else os.fsdecode(name)


def printed(name: bytes) -> str:
    """A name as tables and reports show it: an abstract one begins with ``@`` (/proc/net/unix)."""
    text = name.replace(b"\0", b"@").decode("utf-8", "backslashreplace")
    return (text if text.isprintable() else ascii(text)[1:-1]) or "*"


class UnixNames:
    """Who has which name on one host."""

    __slots__ = ("_abstract", "_automatic", "paths")

    def __init__(self) -> None:
        self.paths = Paths()
        self._abstract: dict[tuple[int, bytes], UnixEnd] = {}  # a stream and a datagram may share a name
        self._automatic = 0

    def bind(self, end: UnixEnd, name: bytes) -> None:
        """unix_bind; raises EADDRINUSE, EINVAL, ENOENT or ENOTDIR."""
        if not name:
            self.bind_somewhere(end)
        elif name[0]:
            self._bind_to_path(end, name)
        else:
            if end.name:
                raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
            if (end.kind, name) in self._abstract:
                raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
            self._abstract[end.kind, name] = end
            end.name = name

    def _bind_to_path(self, end: UnixEnd, name: bytes) -> None:
        """unix_bind_bsd makes the file first, and only then asks whether the socket has a name."""
        try:
            file = self.paths.make_socket(name, end)
        except FileExistsError:
            raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE)) from None
        if end.name:
            self.paths.unlink(name)
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        end.name, end.file = name, file

    def bind_somewhere(self, end: UnixEnd) -> None:
        """Give a socket that has no name an abstract one of five digits (unix_autobind)."""
        if end.name:
            return
        for _ in range(_AUTOMATIC):
            name = b"\0%05x" % self._automatic
            self._automatic = (self._automatic + 1) % _AUTOMATIC
            if (end.kind, name) not in self._abstract:
                self._abstract[end.kind, name] = end
                end.name = name
                return
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def find(self, name: bytes, kind: int) -> UnixEnd:
        """Who has a name (unix_find_other); raises EINVAL, ECONNREFUSED, EPROTOTYPE, ENOENT or ENOTDIR."""
        if not name:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        if name[0]:
            file = self.paths.find(name)
            end = file.end if isinstance(file, SocketFile) else None
        else:
            end = self._abstract.get((kind, name))
        if end is None:
            raise OSError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
        if end.kind != kind:
            raise OSError(errno.EPROTOTYPE, os.strerror(errno.EPROTOTYPE))
        return end

    def forget(self, end: UnixEnd) -> None:
        """A socket is gone: its abstract name is free, and nobody is behind its path."""
        if end.file is not None:
            end.file.end = None
        elif self._abstract.get((end.kind, end.name)) is end:
            del self._abstract[end.kind, end.name]

    def lose_power(self) -> None:
        """The host crashed."""
        self._abstract.clear()
        self.paths.lose_power()
