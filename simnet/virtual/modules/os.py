"""The os module of a virtual host: what it does with descriptors.

A host runs one program, so the program's process number is 1, as in a container.  It is a small machine with
four processors.  Files on disks, other processes, users and the environment are not simulated, and say so by
name.

Owns the functions that take descriptors (CPython's Modules/posixmodule.c); those that take paths are
`os_paths`.  What a file does with a call is the business of its kind; waiting, where it is not O_NONBLOCK, is
done here.
"""

from __future__ import annotations

import errno
import operator
import os as std
import posixpath
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ...transport import ERR, HUP, IN, OUT
from ..kernel.epoll import EpollFile
from ..kernel.file import File
from ..kernel.pipe import make_pipe
from ..kernel.sock import SocketEnd
from ..kernel.unix_control import PROCESS_ID
from ..socket.arguments import c_size
from . import os_paths
from .arguments import int_of
from .binding import constants_of, module_like, names_of, rebound

if TYPE_CHECKING:
    from ..host import Host

PROCESSORS = 4

_O_DIRECT = 0o40000  # a pipe of packets (pipe(2)); other systems have no name for it
_BUFFERS_MAX = 1024  # UIO_MAXIOV

_ANY_TRUTH = sys.version_info >= (3, 12)
"""Whether set_blocking() takes whatever is true or false; before it was a number."""

_ASK_NO_MACHINE = (
    *("PathLike", "error", "fsdecode", "fsencode", "fspath", "stat_result", "strerror"),
    *("altsep", "curdir", "defpath", "devnull", "extsep", "linesep", "name", "pardir", "pathsep", "sep"),
)
_PATHS_ASK_NO_MACHINE = (
    *("basename", "commonpath", "commonprefix", "dirname", "isabs", "join", "normcase", "normpath"),
    *("split", "splitdrive", "splitext", "supports_unicode_filenames"),
    *("altsep", "curdir", "defpath", "devnull", "extsep", "pardir", "pathsep", "sep"),
)

_CARRIED = names_of(std, [*_ASK_NO_MACHINE, *constants_of(std)])
_PATHS_CARRIED = names_of(posixpath, _PATHS_ASK_NO_MACHINE)


def module_for(host: Host) -> ModuleType:
    """The os module of `host`."""
    descriptors = (*_transfers(host), *_openings(host), *_flags(host))
    paths = (*os_paths.changes(host), *os_paths.questions(host))

    def getcwd() -> str:
        return "/"

    def getcwdb() -> bytes:
        return b"/"

    predicates = {function.__name__: function for function in os_paths.predicates(host)}
    path = module_like(posixpath, _PATHS_CARRIED, predicates)
    functions = (*descriptors, *paths, *_machine(host), getcwd, getcwdb)
    made = module_like(
        std,
        _CARRIED,
        {"path": path, **{function.__name__: function for function in functions}},
    )
    made.__dict__["makedirs"] = rebound(std.makedirs, made)
    path.__dict__.update(os=made, abspath=rebound(posixpath.abspath, path))
    return made


def _machine(host: Host) -> Sequence[Callable[..., Any]]:
    """What asks which machine, and which process on it, this is."""

    def getpid() -> int:
        return PROCESS_ID

    def getppid() -> int:
        return 0  # nobody in the container

    def cpu_count() -> int:
        return PROCESSORS

    def process_cpu_count() -> int:
        return PROCESSORS

    def sched_getaffinity(pid: int, /) -> set[int]:
        if int_of(pid) not in (0, PROCESS_ID):
            raise ProcessLookupError(errno.ESRCH, std.strerror(errno.ESRCH))
        return set(range(PROCESSORS))

    def getloadavg() -> tuple[float, float, float]:
        return 0.0, 0.0, 0.0

    def uname() -> std.uname_result:
        return std.uname_result(("Linux", host.name, "6.1.0", "#1 SMP", "x86_64"))

    return getpid, getppid, cpu_count, process_cpu_count, sched_getaffinity, getloadavg, uname


def _transfers(host: Host) -> Sequence[Callable[..., Any]]:
    """What moves bytes."""

    def read(fd: int, length: int, /) -> bytes:
        number, size = int_of(fd), c_size(length)
        if size < 0:
            raise OSError(errno.EINVAL, std.strerror(errno.EINVAL))
        return _read(host, host.descriptors.of(number), size)

    def write(fd: int, data: Any, /) -> int:
        number = int_of(fd)
        with _bytes_in(data) as view:
            return _write(host, host.descriptors.of(number), view)

    def readv(fd: int, buffers: Sequence[Any], /) -> int:
        number = int_of(fd)
        views = [_room_in(buffer) for buffer in _sequence("readv", buffers)]
        file = _of_pieces(host, number, views)
        data = _read(host, file, sum(map(len, views)))
        at = 0
        for view in views:
            piece = data[at : at + len(view)]
            view[: len(piece)] = piece
            at += len(piece)
        return len(data)

    def writev(fd: int, buffers: Sequence[Any], /) -> int:
        number = int_of(fd)
        pieces = [_bytes_in(buffer) for buffer in _sequence("writev", buffers)]
        file = _of_pieces(host, number, pieces)
        with memoryview(b"".join(pieces)) as view:
            if not view and isinstance(file, SocketEnd):
                return 0  # the socket is not asked (vfs_writev), as it is by write()
            return _write(host, file, view)

    return read, write, readv, writev


def _read(host: Host, file: File, size: int) -> bytes:
    """read(2); it waits, if it may, until there is anything."""
    if file.is_nonblocking:
        return file.read(size)
    answers: list[bytes] = []

    def is_answered() -> bool:
        with suppress(BlockingIOError):
            answers.append(file.read(size))
        if not answers and isinstance(file, SocketEnd) and file.is_exhausted:
            answers.append(b"")
        return bool(answers)

    def is_over() -> bool:
        return is_answered() or file.try_while_ready(IN | ERR | HUP, is_answered)

    host.wait("read", is_over, None, (file,))
    return answers[0]


def _write(host: Host, file: File, view: memoryview) -> int:
    """write(2); it waits, if it may, until everything is written."""
    written = 0
    while True:
        try:
            written += file.write(view[written:])
        except BlockingIOError:
            if file.is_nonblocking:
                raise
        except OSError:
            if not written:
                raise
            return written
        if file.is_nonblocking or written == len(view):
            return written
        host.wait("write", lambda: file.poll_mask() & (OUT | ERR | HUP), None, (file,))


def _openings(host: Host) -> Sequence[Callable[..., Any]]:
    """What makes and closes descriptors."""

    def pipe2(flags: int, /) -> tuple[int, int]:
        flags = int_of(flags)
        if flags & _O_DIRECT:
            raise NotImplementedError("pipes in packet mode (O_DIRECT) are not simulated")
        if flags & ~(std.O_NONBLOCK | std.O_CLOEXEC):
            raise OSError(errno.EINVAL, std.strerror(errno.EINVAL))
        reader, writer = make_pipe(host, bool(flags & std.O_NONBLOCK))
        fds = host.descriptors.open_both(reader, writer)
        if not flags & std.O_CLOEXEC:
            for fd in fds:
                host.descriptors.set_inheritable(fd, True)
        return fds

    def pipe() -> tuple[int, int]:
        return pipe2(std.O_CLOEXEC)

    def close(fd: int) -> None:
        host.close(int_of(fd))

    def closerange(fd_low: int, fd_high: int, /) -> None:
        for fd, _ in host.descriptors.items():
            if fd_low <= fd < fd_high:
                host.close(fd)

    def dup(fd: int, /) -> int:
        return host.descriptors.duplicate(int_of(fd))

    def dup2(fd: int, fd2: int, inheritable: bool = True) -> int:
        source, number = int_of(fd), int_of(fd2)
        file = host.descriptors.of(source)
        if number == fd:  # dup2(2): nothing is done; dup3(2), which is called for the others: EINVAL
            if not inheritable:
                raise OSError(errno.EINVAL, std.strerror(errno.EINVAL))
            return number
        host.descriptors.open_at(file, number)
        host.descriptors.set_inheritable(number, inheritable)
        return number

    return pipe, pipe2, close, closerange, dup, dup2


def _flags(host: Host) -> Sequence[Callable[..., Any]]:
    """What asks about a file or a descriptor."""

    def get_blocking(fd: int, /) -> bool:
        return not _file(host, fd).is_nonblocking

    def set_blocking(fd: int, blocking: bool, /) -> None:
        number = int_of(fd)
        if not _ANY_TRUTH:
            blocking = bool(int_of(blocking))
        host.descriptors.of(number).is_nonblocking = not blocking

    def get_inheritable(fd: int, /) -> bool:
        return host.descriptors.is_inheritable(int_of(fd))

    def set_inheritable(fd: int, inheritable: bool, /) -> None:
        number, is_inheritable = int_of(fd), bool(int_of(inheritable))
        host.descriptors.set_inheritable(number, is_inheritable)

    def isatty(fd: int, /) -> bool:
        int_of(fd)
        return False

    def lseek(fd: int, position: int, how: int, /) -> int:
        file = _file(host, fd)
        operator.index(position)
        if not isinstance(file, EpollFile):  # whose noop_llseek leaves it at the beginning
            raise OSError(errno.ESPIPE, std.strerror(errno.ESPIPE))
        return 0

    def fstat(fd: int) -> std.stat_result:
        file = _file(host, fd)
        return os_paths.status(file.file_type, file.inode)

    return get_blocking, set_blocking, get_inheritable, set_inheritable, isatty, lseek, fstat


def _file(host: Host, fd: int) -> File:
    return host.descriptors.of(int_of(fd))


def _sequence(call: str, buffers: Any) -> Any:
    if not isinstance(buffers, Sequence):
        raise TypeError(f"{call}() arg 2 must be a sequence")
    return buffers


def _of_pieces(host: Host, fd: int, pieces: list[memoryview]) -> File:
    """The file that is read or written in pieces, of which there may be only so many (import_iovec)."""
    file = host.descriptors.of(fd)
    if len(pieces) > _BUFFERS_MAX:
        raise OSError(errno.EINVAL, std.strerror(errno.EINVAL))
    return file


def _room_in(buffer: Any) -> memoryview:
    """A buffer to read into."""
    view = _bytes_in(buffer)
    if view.readonly:
        raise BufferError("Object is not writable.")
    return view


def _bytes_in(data: Any) -> memoryview:
    """The bytes of whatever write() takes for bytes."""
    try:
        return memoryview(data).cast("B")
    except TypeError:
        raise TypeError(f"a bytes-like object is required, not {type(data).__name__!r}") from None
