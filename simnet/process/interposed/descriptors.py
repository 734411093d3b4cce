"""Descriptors in a process: numbers of its host, and those of the files of this computer that it opens.

The two never meet, for a host's are above all that this computer can have (`virtual.kernel.descriptors`).  So
whatever gets hold of one by the way of C code, or is collected when its process is gone, finds no descriptor
there, and closes nothing of the test or of its runner.

The other way round, what was open on this computer before any process began is not closed by one: a loop over
every number, as daemons have it, finds nothing there, and `dup2` puts nothing in its place.

A host without processes has small numbers.  What was opened then is served to a process as well, unless it
has opened a file of this computer that has the same number.

A number of the host that is given to `open` or `os.fdopen` makes a `HostedFile`.  `io.FileIO` itself, which
is a type made in C, finds no such descriptor (EBADF).

Owns the functions that take descriptors, and `HostedFile`.
"""

from __future__ import annotations

import errno
import fcntl
import io
import os
from collections.abc import Callable
from contextlib import suppress
from functools import cache, partial
from importlib import import_module
from inspect import unwrap
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from ...transport import ERR, HOSTED, HUP, OUT
from ..process import running
from .names import Inside, by_module

if TYPE_CHECKING:
    from ...virtual.host import Host

_OF_DESCRIPTORS: dict[ModuleType, str] = {
    os: (
        "read write readv writev pread pwrite preadv pwritev dup fstat fsync fdatasync ftruncate lseek "
        "lockf isatty ttyname tcgetpgrp tcsetpgrp fchmod fchown fchdir fstatvfs fpathconf get_blocking "
        "set_blocking get_inheritable set_inheritable posix_fadvise posix_fallocate eventfd_read "
        "eventfd_write"
    ),
    fcntl: "fcntl ioctl flock lockf",
}
"""What takes a descriptor as its first argument; what a host does not have of these says so by name."""

_OF_TWO = "copy_file_range splice"

_SENDFILE_BYTES_MAX = 0x7FFF_F000  # sendfile(2)

_FDS = "/proc/self/fd" if os.path.isdir("/proc/self/fd") else "/dev/fd"
_before: set[int] = set()
"""The descriptors of this computer that were there before any process."""
_opened: set[int] = set()
"""Numbers of this computer that processes have had."""


def change() -> Callable[[], None]:
    """Keep what is open now from processes; returns what undoes it."""
    _before.update(map(int, os.listdir(_FDS)))

    def undo() -> None:
        _before.clear()
        _opened.clear()

    return undo


def stand_ins() -> dict[Any, Inside]:
    """By function, what a process calls in its place."""
    found = by_module(_OF_DESCRIPTORS, _of_a_descriptor)
    found.update({io.open: _open_file, os.open: _open, os.close: _close})
    for name in _OF_TWO.split():
        if hasattr(os, name):
            found[getattr(os, name)] = partial(_of_two, name)
    found[os.dup2], found[os.closerange] = _dup2, _closerange
    if hasattr(os, "sendfile"):
        found[os.sendfile] = _sendfile
    return found


def outsides() -> dict[Any, Callable[..., Any]]:
    """By function, what anybody else calls."""
    return {os.close: _close_what_is_left}


def number_of(fd: Any) -> int:
    """The number that an argument is or has; -1 if it has none."""
    if isinstance(fd, int):
        return fd
    number = fd.fileno() if hasattr(fd, "fileno") else -1
    return number if isinstance(number, int) else -1


def is_of(host: Host, number: int) -> bool:
    """Whether it is a number of the host, open or not."""
    table = host.descriptors
    return number >= table.base or (table.get(number) is not None and number not in _opened)


def _is_kept(number: int) -> bool:
    """Whether it is of this computer, and not to be closed by a process."""
    return number in _before and number not in _opened


def _of_a_descriptor(
    module: str, name: str, host: Host, original: Any, fd: Any, *rest: Any, **kwargs: Any
) -> Any:
    if not is_of(host, number_of(fd)):
        result = original(fd, *rest, **kwargs)
        if name == "dup":
            _opened.add(result)
        return result
    return getattr(getattr(host.modules, module), name)(fd, *rest, **kwargs)


def _of_two(name: str, host: Host, original: Any, first: Any, second: Any, *rest: Any, **kwargs: Any) -> Any:
    if is_of(host, number_of(first)) or is_of(host, number_of(second)):
        raise NotImplementedError(f"os.{name} is not simulated")
    return original(first, second, *rest, **kwargs)


def _close(host: Host, original: Any, fd: Any) -> None:
    number = number_of(fd)
    if host.descriptors.is_foreign(number):
        return  # a destructor of what another host had, or this one in an earlier life
    if is_of(host, number):
        host.modules.os.close(fd)
    elif _is_kept(number):
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    else:
        original(fd)


def _close_what_is_left(before: Callable[[Any], None], fd: Any) -> None:
    """Destructors of what a process had, and left behind when it was killed, have nothing to close."""
    if not isinstance(fd, int) or fd < HOSTED:
        before(fd)


def _closerange(host: Host, original: Any, fd_low: int, fd_high: int, /) -> None:
    """Of the host's, whose numbers are counted from 0; and none of this computer."""
    base = host.descriptors.base
    for fd, _ in host.descriptors.items():
        if fd_low <= fd < fd_high or fd_low <= fd - base < fd_high:
            host.close(fd)


def _dup2(host: Host, original: Any, fd: int, fd2: int, inheritable: bool = True) -> int:
    if is_of(host, number_of(fd)):
        return int(host.modules.os.dup2(fd, fd2, inheritable))
    if _is_kept(fd2) and fd != fd2:
        raise NotImplementedError(f"os.dup2() to {fd2}, which is a number of this computer, is not simulated")
    return int(original(fd, fd2, inheritable))


def _sendfile(
    host: Host, original: Any, out_fd: Any, in_fd: Any, offset: int | None, count: int, **kwargs: Any
) -> int:
    """sendfile(2) from a file of this computer to a virtual socket or pipe: as much as there is room for."""
    if is_of(host, number_of(in_fd)):
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))  # which is no file that can be mapped
    if not is_of(host, number_of(out_fd)):
        return int(original(out_fd, in_fd, offset, count, **kwargs))
    target, source = host.descriptors.of(number_of(out_fd)), number_of(in_fd)
    wanted = OUT | ERR | HUP
    if not target.is_nonblocking:
        host.wait("sendfile", lambda: target.poll_mask() & wanted, None, (target,), wanted)
    at = os.lseek(source, 0, os.SEEK_CUR) if offset is None else offset
    data = os.pread(source, min(count, _SENDFILE_BYTES_MAX), at)
    sent = target.write(memoryview(data)) if data else 0
    if offset is None:
        os.lseek(source, at + sent, os.SEEK_SET)
    return sent


# --- files -------------------------------------------------------------------------------------------


def _open(host: Host, original: Any, *args: Any, **kwargs: Any) -> int:
    fd: int = original(*args, **kwargs)
    _opened.add(fd)
    return fd


def _open_file(
    host: Host,
    original: Any,
    file: Any,
    mode: str = "r",
    buffering: int = -1,
    encoding: str | None = None,
    errors: str | None = None,
    newline: str | None = None,
    closefd: bool = True,
    opener: Any = None,
) -> Any:
    if isinstance(file, int) and is_of(host, file):
        return _opening()(file, mode, buffering, encoding, errors, newline, closefd)
    made = original(file, mode, buffering, encoding, errors, newline, closefd, opener)
    if not isinstance(file, int):
        with suppress(OSError, AttributeError):  # an opener may be anything
            _opened.add(made.fileno())
    return made


@cache
def _opening() -> Callable[..., Any]:
    """`io.open` as it is written in Python, with a `HostedFile` under the buffers that are made in C."""
    in_python: Any = import_module("_pyio")
    opening: Any = unwrap(in_python.open)
    names = ("BufferedRandom", "BufferedReader", "BufferedWriter", "TextIOWrapper")
    buffers = {name: getattr(io, name) for name in names}
    namespace = {**vars(in_python), **buffers, "FileIO": HostedFile}
    return FunctionType(opening.__code__, namespace, opening.__name__, opening.__defaults__)


class HostedFile(io.RawIOBase):
    """What `io.FileIO` is, for a descriptor of the host that its process runs on.

    Attributes:
        name: the number.
        mode: as of `io.FileIO`.
    """

    def __init__(self, file: int, mode: str = "r", closefd: bool = True, opener: Any = None) -> None:
        self.closefd = False  # there is nothing to close yet
        process = running()
        assert process is not None
        self._process, self._host, self._fd = process, process.host, file
        self._table = self._host.descriptors
        self._table.of(file)
        self.name, self.closefd = file, closefd
        self._reads, self._writes = "r" in mode or "+" in mode, mode != "r"
        self.mode = "rb+" if self._reads and self._writes else "rb" if self._reads else f"{mode[0]}b"

    def __repr__(self) -> str:
        if self.closed:
            return "<_io.FileIO [closed]>"
        return f"<_io.FileIO name={self.name!r} mode={self.mode!r} closefd={self.closefd}>"

    def fileno(self) -> int:
        self._check()
        return self._fd

    def readable(self) -> bool:
        self._check()
        return self._reads

    def writable(self) -> bool:
        self._check()
        return self._writes

    def isatty(self) -> bool:
        self._check()
        return False

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        self._check()
        return int(self._host.modules.os.lseek(self._fd, offset, whence))

    def readinto(self, buffer: Any, /) -> int | None:
        self._check()
        if not self._reads:
            raise io.UnsupportedOperation("File not open for reading")
        view = memoryview(buffer).cast("B")
        try:
            data = self._host.modules.os.read(self._fd, len(view))
        except BlockingIOError:
            return None
        view[: len(data)] = data
        return len(data)

    def write(self, data: Any, /) -> int | None:
        self._check()
        if not self._writes:
            raise io.UnsupportedOperation("File not open for writing")
        if self._is_left():
            return memoryview(data).nbytes
        try:
            return int(self._host.modules.os.write(self._fd, data))
        except BlockingIOError:
            return None

    def close(self) -> None:
        if self.closed:
            return
        try:
            super().close()
        finally:
            if self.closefd and not self._is_left():
                self._host.close(self._fd)

    def _is_left(self) -> bool:
        """Whether its process has ended or its host has crashed: what buffers have is lost."""
        return (
            not self._process.leader.is_alive
            or self._process.was_killed
            or self._table.is_gone
            or self._table is not self._host.descriptors
        )

    def _check(self) -> None:
        if self.closed:
            raise ValueError("I/O operation on closed file")


HostedFile.__module__, HostedFile.__name__, HostedFile.__qualname__ = "_io", "FileIO", "FileIO"
