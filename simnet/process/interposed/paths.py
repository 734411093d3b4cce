"""Paths in a process: files on disks are those of this computer, sockets of AF_UNIX are the host's.

What is asked of a path is asked of the host where a socket of its is, else of this computer.  A socket may be
bound in any directory of this computer; the host has that from then on.

A listing of a directory (`os.listdir`, `os.scandir`, `glob`) does not show the host's sockets.

Owns the functions that take paths.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from . import descriptors

if TYPE_CHECKING:
    from ...virtual.host import Host

_OF_PATHS = "stat lstat unlink remove chmod"

_real_stat = os.stat


def stand_ins() -> dict[Any, Callable[..., Any]]:
    """By function, what a process calls in its place."""
    return {getattr(os, name): partial(_of_a_path, name) for name in _OF_PATHS.split()}


def _of_a_path(name: str, host: Host, original: Any, path: Any, *rest: Any, **kwargs: Any) -> Any:
    is_of_host = descriptors.is_of(host, path) if isinstance(path, int) else _is_there(host, path)
    return (getattr(host.modules.os, name) if is_of_host else original)(path, *rest, **kwargs)


def _is_there(host: Host, path: Any) -> bool:
    """Whether a socket of the host has that path."""
    if "unix_names" not in vars(host):
        return False
    of_host = host.modules.os.path
    return of_host.exists(path) and not of_host.isdir(path)


def _is_directory(path: Any) -> bool:
    try:
        return stat.S_ISDIR(_real_stat(path).st_mode)
    except (OSError, ValueError):
        return False


def adopt_directory(host: Host, address: Any) -> None:
    """Before a socket is bound to a path: the host has the directory if this computer has."""
    if not isinstance(address, (str, bytes)) or not (directory := os.path.dirname(os.fsencode(address))):
        return
    if directory.startswith(b"/") and _is_directory(directory):
        at, made = b"", host.unix_names.paths
        for name in directory.strip(b"/").split(b"/"):
            at += b"/" + name
            if not host.modules.os.path.exists(at):
                made.make_directory(at)
