"""The os module of a virtual host: what it does with paths.

A host has directories and the files of AF_UNIX sockets, and no others (`kernel.paths`).  What would make or
read another kind of file says by name that it is not simulated.

Owns the functions that take paths, their arguments and the errors they name a file in (CPython's
Modules/posixmodule.c and Lib/genericpath.py).
"""

from __future__ import annotations

import os as std
import stat as modes
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ..kernel.paths import Directory, Node

if TYPE_CHECKING:
    from ..host import Host

_DIRECTORY = modes.S_IFDIR | 0o755  # umask(2) is 022
_BLOCK_BYTES = 4096  # what is best to read and write at once, of sockets and pipes too


def _call(function: Callable[[bytes], Any], path: Any) -> Any:
    """Ask the kernel; an error names the file as the program named it."""
    name = std.fspath(path)
    raw = std.fsencode(name)
    if b"\0" in raw:
        raise ValueError("embedded null byte")
    try:
        return function(raw)
    except OSError as error:
        raise OSError(error.errno, error.strerror, name) from None


def _no_directory(dir_fd: Any) -> None:
    if dir_fd is not None:
        raise NotImplementedError("paths relative to a descriptor (dir_fd) are not simulated")


def changes(host: Host) -> Sequence[Callable[..., Any]]:
    """What makes and removes names."""

    def unlink(path: Any, *, dir_fd: Any = None) -> None:
        _no_directory(dir_fd)
        _call(host.unix_names.paths.unlink, path)

    def remove(path: Any, *, dir_fd: Any = None) -> None:
        unlink(path, dir_fd=dir_fd)

    def mkdir(path: Any, mode: int = 0o777, *, dir_fd: Any = None) -> None:
        _no_directory(dir_fd)
        _call(host.unix_names.paths.make_directory, path)

    def rmdir(path: Any, *, dir_fd: Any = None) -> None:
        _no_directory(dir_fd)
        _call(host.unix_names.paths.remove_directory, path)

    def chmod(path: Any, mode: int, *, dir_fd: Any = None, follow_symlinks: bool = True) -> None:
        _no_directory(dir_fd)
        node: Node = _call(host.unix_names.paths.find, path)
        if isinstance(node, Directory):
            raise NotImplementedError("os.chmod of a directory is not simulated")
        node.permissions = modes.S_IMODE(mode)

    return unlink, remove, mkdir, rmdir, chmod


def questions(host: Host) -> Sequence[Callable[..., Any]]:
    """What looks at names."""

    def listdir(path: Any = ".") -> list[Any]:
        names = _call(host.unix_names.paths.names, path)
        return names if isinstance(std.fspath(path), bytes) else [std.fsdecode(name) for name in names]

    def stat(path: Any, *, dir_fd: Any = None, follow_symlinks: bool = True) -> std.stat_result:
        _no_directory(dir_fd)
        if isinstance(path, int):
            file = host.descriptors.of(path)
            return status(file.file_type, file.inode)
        node: Node = _call(host.unix_names.paths.find, path)
        node.inode = node.inode or next(host.inodes)
        mode = _DIRECTORY if isinstance(node, Directory) else modes.S_IFSOCK | node.permissions
        return status(mode, node.inode)

    def lstat(path: Any, *, dir_fd: Any = None) -> std.stat_result:
        if isinstance(path, int):
            raise TypeError("lstat: path should be string, bytes or os.PathLike, not int")
        return stat(path, dir_fd=dir_fd)

    return listdir, stat, lstat


def status(mode: int, inode: int) -> std.stat_result:
    """What stat(2) says of anything: nobody owns it, and it is of no time."""
    return std.stat_result((mode, inode, 0, 1, 0, 0, 0, 0, 0, 0), {"st_blksize": _BLOCK_BYTES})


def predicates(host: Host) -> Sequence[Callable[..., bool]]:
    """os.path: what never fails."""

    def find(path: Any) -> Node | None:
        try:
            node: Node = _call(host.unix_names.paths.find, path)
        except (OSError, ValueError):
            return None
        return node

    def exists(path: Any) -> bool:
        if isinstance(path, int):
            return host.descriptors.get(path) is not None
        return find(path) is not None

    def lexists(path: Any) -> bool:
        return find(path) is not None

    def isdir(path: Any) -> bool:
        return not isinstance(path, int) and isinstance(find(path), Directory)

    def isfile(path: Any) -> bool:
        """A socket is none, and there are no others."""
        if not isinstance(path, int):
            std.fspath(path)
        return False

    def islink(path: Any) -> bool:
        return isfile(path)

    return exists, lexists, isdir, isfile, islink
