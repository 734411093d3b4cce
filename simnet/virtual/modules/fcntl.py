"""The fcntl module of a virtual host: flags of descriptors and of files, and requests to files.

Owns the two calls and the forms of their arguments (CPython's Modules/fcntlmodule.c).  What a request means
to a file is the business of its kind.
"""

from __future__ import annotations

import errno
import fcntl as std
import operator
import os
import struct
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ..kernel.file import File
from ..kernel.pipe import PipeEnd
from .arguments import descriptor_of
from .binding import constants_of, module_like, names_of

if TYPE_CHECKING:
    from ..host import Host

FIONBIO, FIOCLEX, FIONCLEX = 0x5421, 0x5451, 0x5450
_CONSTANTS = names_of(std, constants_of(std))
_ARGUMENT_MAX = 1024  # what CPython copies; a writable buffer may be larger
_F_SETPIPE_SZ, _F_GETPIPE_SZ = 1031, 1032
_FLAGS_NOT_SIMULATED = os.O_APPEND | 0o20000 | 0o40000 | 0o1000000  # O_ASYNC, O_DIRECT, O_NOATIME


def module_for(host: Host) -> ModuleType:
    """The fcntl module of `host`."""

    def fcntl(fd: Any, cmd: int, arg: Any = 0, /) -> Any:
        number, command = descriptor_of(fd), operator.index(cmd)
        if isinstance(arg, (str, bytes, bytearray)):
            return _unread(arg, command)
        value = struct.unpack("i", struct.pack("I", operator.index(arg) & 0xFFFFFFFF))[0]
        return _control(host, number, command, value)

    def ioctl(fd: Any, request: int, arg: Any = 0, mutate_flag: bool = True, /) -> Any:
        number, asked = descriptor_of(fd), operator.index(request) & 0xFFFFFFFF
        if isinstance(arg, int):
            operator.index(arg)
            return _request(host, number, asked, None) or 0
        data = arg.encode() if isinstance(arg, str) else arg
        view = _buffer(data)
        changes = mutate_flag and not view.readonly
        if len(view) > _ARGUMENT_MAX and not changes:
            raise ValueError("ioctl string arg too long")
        given = bytes(view)
        answer = _request(host, number, asked, given)
        if answer is not None:
            given = (struct.pack("i", answer) + given[4:])[: len(given)]
        if not changes:
            return given
        view[:] = given
        return 0

    return module_like(std, _CONSTANTS, {"fcntl": fcntl, "ioctl": ioctl})


def _buffer(data: Any) -> memoryview:
    try:
        return memoryview(data).cast("B")
    except TypeError:
        raise TypeError(f"{type(data).__name__!r} object cannot be interpreted as an integer") from None


def _unread(arg: str | bytes | bytearray, command: int) -> bytes:
    """A buffer given to a command that does not look at it comes back as it is."""
    if command not in (std.F_GETFD, std.F_GETFL):
        raise NotImplementedError(f"fcntl() command {command} with a buffer is not simulated")
    return arg.encode() if isinstance(arg, str) else bytes(arg)


def _control(host: Host, fd: int, command: int, value: int) -> int:
    """fcntl(2)."""
    descriptors = host.descriptors
    file = descriptors.of(fd)
    match command:
        case std.F_GETFD:
            return 0 if descriptors.is_inheritable(fd) else std.FD_CLOEXEC
        case std.F_SETFD:
            descriptors.set_inheritable(fd, not value & std.FD_CLOEXEC)
            return 0
        case std.F_GETFL:
            return file.access | (os.O_NONBLOCK if file.is_nonblocking else 0)
        case std.F_SETFL:
            return _set_flags(file, value)
        case std.F_DUPFD | std.F_DUPFD_CLOEXEC:
            twin = descriptors.open_from(file, value)
            descriptors.set_inheritable(twin, command == std.F_DUPFD)
            return twin
    if command in (_F_SETPIPE_SZ, _F_GETPIPE_SZ):
        if not isinstance(file, PipeEnd):
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        return file.resize(value & 0xFFFFFFFF) if command == _F_SETPIPE_SZ else file.capacity_bytes
    names = [name for name in dir(std) if name.startswith("F_") and getattr(std, name) == command]
    if names:
        raise NotImplementedError(f"fcntl() command {names[0]} is not simulated")
    raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))


def _set_flags(file: File, flags: int) -> int:
    """F_SETFL; what no file can change is not looked at."""
    if flags & _FLAGS_NOT_SIMULATED:
        raise NotImplementedError(f"flags {flags & _FLAGS_NOT_SIMULATED:#o} of F_SETFL are not simulated")
    file.is_nonblocking = bool(flags & os.O_NONBLOCK)
    return 0


def _request(host: Host, fd: int, request: int, given: bytes | None) -> int | None:
    """ioctl(2): the number that is written where the argument points to, if any is.

    `given` is what the argument points to; None if it is a number, which points nowhere.
    """
    file = host.descriptors.of(fd)
    if request in (FIOCLEX, FIONCLEX):
        host.descriptors.set_inheritable(fd, request == FIONCLEX)
        return None
    if request == FIONBIO:
        file.is_nonblocking = any(_pointed_to(given)[:4])
        return None
    answer = file.ioctl(request)
    _pointed_to(given)
    return answer


def _pointed_to(given: bytes | None) -> bytes:
    if given is None:
        raise OSError(errno.EFAULT, os.strerror(errno.EFAULT))
    return given
