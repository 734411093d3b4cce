"""The files of a host, as far as sockets need them: directories, and the sockets that are bound there.

A socket's file outlives the socket: nobody answers behind it then, and its name stays taken until somebody
unlinks it (unix(7)).  Files are on a disk that a crash leaves as it is.  A host begins with the directories
that every system has; a program works in the root.

Owns names and nodes.  What a socket does is the business of its kind; the os module asks here.

Simplified: there are no other files, no links and no owners, and permissions are not looked at.
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from .unix import UnixEnd

_AT_FIRST = (
    *("/dev/shm", "/etc", "/home", "/mnt", "/opt", "/root", "/run/lock", "/run/user", "/srv", "/tmp"),
    *("/usr/local", "/var/cache", "/var/lib", "/var/log", "/var/run", "/var/spool", "/var/tmp"),
)


class SocketFile:
    """A name that was given to a socket; `end` is None once the socket is gone.

    Its permissions are kept, and do not matter: programs run as root.
    """

    __slots__ = ("end", "inode", "permissions")

    def __init__(self, end: UnixEnd | None) -> None:
        self.end = end
        self.inode = 0  # until somebody asks
        self.permissions = 0o755  # umask(2) is 022


class Directory:
    """A directory; the root is its own parent."""

    __slots__ = ("entries", "inode", "parent")

    def __init__(self, parent: Directory | None = None) -> None:
        self.inode = 0
        self.parent = parent or self
        self.entries: dict[bytes, Node] = {}


Node: TypeAlias = "Directory | SocketFile"


def _failed(reason: int) -> OSError:
    return OSError(reason, os.strerror(reason))


class Paths:
    """Every path of one host.  Paths are bytes, as the kernel sees them."""

    __slots__ = ("_root",)

    def __init__(self) -> None:
        self._root = Directory()
        for path in _AT_FIRST:
            directory = self._root
            for name in path.encode().strip(b"/").split(b"/"):
                known = directory.entries.setdefault(name, Directory(directory))
                assert isinstance(known, Directory)
                directory = known

    # --- looking ---------------------------------------------------------------------------------

    def find(self, path: bytes) -> Node:
        """What is at `path` (path_resolution(7)); raises ENOENT or ENOTDIR."""
        if not path:
            raise _failed(errno.ENOENT)
        node: Node = self._root
        for name in path.split(b"/"):
            if not isinstance(node, Directory):
                raise _failed(errno.ENOTDIR)
            if name in (b"", b"."):
                continue
            found = node.parent if name == b".." else node.entries.get(name)
            if found is None:
                raise _failed(errno.ENOENT)
            node = found
        return node

    def names(self, path: bytes) -> list[bytes]:
        """The entries of a directory, in the order in which they were made."""
        directory = self.find(path)
        if not isinstance(directory, Directory):
            raise _failed(errno.ENOTDIR)
        return list(directory.entries)

    # --- making and removing ---------------------------------------------------------------------

    def _place(self, path: bytes) -> tuple[Directory, bytes]:
        """The directory of `path`, and the name that it has there; b"" if it is no name (``/``, ``..``)."""
        if not path:
            raise _failed(errno.ENOENT)
        head, slash, name = path.rstrip(b"/").rpartition(b"/")
        directory = self.find(head or (b"/" if slash or path[:1] == b"/" else b"."))
        if not isinstance(directory, Directory):
            raise _failed(errno.ENOTDIR)
        return directory, b"" if name in (b".", b"..") else name

    def make_socket(self, path: bytes, end: UnixEnd) -> SocketFile:
        """mknod(2); raises EEXIST, ENOENT or ENOTDIR."""
        directory, name = self._place(path)
        if not name or name in directory.entries:
            raise _failed(errno.EEXIST)
        if path.endswith(b"/"):
            raise _failed(errno.ENOENT)
        file = directory.entries[name] = SocketFile(end)
        return file

    def make_directory(self, path: bytes) -> None:
        """mkdir(2)."""
        directory, name = self._place(path)
        if not name or name in directory.entries:
            raise _failed(errno.EEXIST)
        directory.entries[name] = Directory(directory)

    def unlink(self, path: bytes) -> None:
        """unlink(2): the name is gone; a socket that has it goes on."""
        if isinstance(self.find(path), Directory):
            raise _failed(errno.EISDIR)
        directory, name = self._place(path)
        del directory.entries[name]

    def remove_directory(self, path: bytes) -> None:
        """rmdir(2)."""
        found = self.find(path)
        if not isinstance(found, Directory):
            raise _failed(errno.ENOTDIR)
        directory, name = self._place(path)
        if found is self._root:
            raise _failed(errno.EBUSY)
        if not name:
            raise _failed(errno.EINVAL if path.rstrip(b"/").endswith(b".") else errno.ENOTEMPTY)
        if found.entries:
            raise _failed(errno.ENOTEMPTY)
        del directory.entries[name]

    def lose_power(self) -> None:
        """The host crashed: the names stay, and nobody is behind them."""
        directories = [self._root]
        for directory in directories:
            for node in directory.entries.values():
                if isinstance(node, Directory):
                    directories.append(node)
                else:
                    node.end = None
