"""Paths in a process: files and directories are this computer's, sockets of AF_UNIX are the host's.

What is asked of a path is asked of the host where a socket of its is.  A program binds a socket where it has
made a directory, by `tempfile` for instance, and that directory is on a disk of this computer.  So a path
that leads through one is a path of the host as well.  A name that a file of this computer has is taken.

A listing of a directory (`os.listdir`, `os.scandir`, `glob`) does not show the host's sockets.

Owns the functions that take paths.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from . import descriptors

if TYPE_CHECKING:
    from ...virtual.host import Host

_OF_PATHS = "stat lstat unlink remove chmod"

_stat = os.stat  # of this computer, whatever the name comes to mean


def stand_ins() -> dict[Any, Callable[..., Any]]:
    """By function, what a process calls in its place."""
    return {getattr(os, name): partial(_of_a_path, name) for name in _OF_PATHS.split()}


def _of_a_path(name: str, host: Host, original: Any, path: Any, *rest: Any, **kwargs: Any) -> Any:
    return (getattr(host.modules.os, name) if is_of_host(host, path) else original)(path, *rest, **kwargs)


def make_room(host: Host, address: Any) -> None:
    """Before a socket is bound to a path: let the host have the directory, if this computer has it.

    Raises OSError: EADDRINUSE if this computer has a file or a directory of that name.
    """
    if not isinstance(address, (str, bytes)) or address[:1] in ("", b"", "\0", b"\0"):
        return
    path = os.fsencode(address)
    mode = _mode(path)
    if mode and not stat.S_ISSOCK(mode):
        raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
    directory = os.path.dirname(path)
    if stat.S_ISDIR(_mode(directory)):
        with suppress(FileExistsError):  # a socket of the host has the name, and the call itself says so
            host.modules.os.makedirs(directory, exist_ok=True)


def is_of_host(host: Host, path: Any) -> bool:
    """Whether what is at a path is the host's: a socket of it; directories are this computer's.

    Args:
        path: as functions of `os` take it, a descriptor included.
    """
    if not isinstance(path, (str, bytes, os.PathLike)):
        return descriptors.is_of(host, descriptors.number_of(path))
    if "unix_names" not in vars(host):
        return False
    paths = host.modules.os.path
    return bool(paths.exists(path)) and not paths.isdir(path)


def _mode(path: Any) -> int:
    """What this computer has there (st_mode in inode(7)); 0 if it has nothing."""
    try:
        return _stat(path).st_mode
    except (OSError, ValueError):
        return 0
