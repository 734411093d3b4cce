"""What is interposed: which functions of the standard modules a process finds its host's in the place of.

A descriptor may be of the host or, for files on disks are no part of a network, of this computer; the host's
come first.  So do paths: those of AF_UNIX are the host's.

Owns the table.
"""

from __future__ import annotations

import fcntl
import io
import os
import random
import resource
import select
import signal
import socket
import ssl
import time
from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ..process import running
from . import threads

if TYPE_CHECKING:
    from ...virtual.host import Host

Inside = Callable[..., Any]

_OF_THE_HOST: dict[ModuleType, str] = {
    socket: (
        "getdefaulttimeout setdefaulttimeout close dup getaddrinfo getnameinfo gethostbyaddr gethostbyname "
        "gethostbyname_ex gethostname getprotobyname getservbyname getservbyport if_indextoname if_nameindex "
        "if_nametoindex"
    ),
    select: "select poll epoll",
    time: "get_clock_info gmtime localtime ctime asctime strftime mktime sleep",
    os: "pipe pipe2 getpid",
}
_CLOCKS = "time time_ns monotonic monotonic_ns perf_counter perf_counter_ns clock_gettime clock_gettime_ns"
_OF_DESCRIPTORS: dict[ModuleType, str] = {
    os: (
        "read write readv writev close dup dup2 fstat get_blocking set_blocking get_inheritable "
        "set_inheritable"
    ),
    fcntl: "fcntl ioctl",
}
_OF_PATHS = "stat lstat unlink remove chmod"
_DRAWS = (
    "random uniform triangular randint choice randrange sample shuffle choices normalvariate lognormvariate "
    "expovariate vonmisesvariate gammavariate gauss betavariate binomialvariate paretovariate weibullvariate "
    "getstate setstate getrandbits randbytes seed"
)

_FILES_FROM = 512
_real_close, _real_fcntl, _real_open = os.close, fcntl.fcntl, os.open
_WAKEUP = -1


def stand_ins() -> dict[Any, Inside]:
    """By function, what a process calls in its place."""
    found: dict[Any, Inside] = {}
    for module, names in _OF_THE_HOST.items():
        for name in names.split():
            if hasattr(module, name):
                found[getattr(module, name)] = partial(_of_the_host, module.__name__, name)
    for module, names in _OF_DESCRIPTORS.items():
        for name in names.split():
            if hasattr(module, name):
                found[getattr(module, name)] = partial(_of_a_descriptor, module.__name__, name)
    for name in _CLOCKS.split():
        found[getattr(time, name)] = partial(_clock, name)
    for name in _OF_PATHS.split():
        found[getattr(os, name)] = partial(_of_a_path, name)
    for name in _DRAWS.split():
        if hasattr(random, name):
            found[getattr(random, name)] = partial(_draw, name)
    found[os.open], found[io.open] = _open, _open_file
    found[os.urandom] = found[ssl.RAND_bytes] = _urandom
    if hasattr(os, "getrandom"):
        found[os.getrandom] = _urandom
    found[socket.socketpair] = _socketpair
    found[signal.signal], found[signal.getsignal] = _signal, _getsignal
    found[signal.set_wakeup_fd] = _set_wakeup_fd
    found.update(threads.stand_ins())
    return _originals(found)


def _originals(found: dict[Any, Inside]) -> dict[Any, Inside]:
    """The fence may have a check in the place of some."""
    return {getattr(function, "__wrapped__", function): inside for function, inside in found.items()}


def _of_the_host(module: str, name: str, host: Host, original: Any, *args: Any, **kwargs: Any) -> Any:
    return getattr(getattr(host.modules, module), name)(*args, **kwargs)


def _clock(name: str, host: Host, original: Any, *args: Any) -> Any:
    host.network.process.read_clock()  # type: ignore[union-attr]
    return getattr(host.modules.time, name)(*args)


def _of_a_descriptor(
    module: str, name: str, host: Host, original: Any, fd: Any, *rest: Any, **kwargs: Any
) -> Any:
    number = fd if isinstance(fd, int) else fd.fileno() if hasattr(fd, "fileno") else -1
    if host.descriptors.get(number) is None:
        return original(fd, *rest, **kwargs)
    return getattr(getattr(host.modules, module), name)(fd, *rest, **kwargs)


def _open(host: Host, original: Any, *args: Any, **kwargs: Any) -> int:
    """A file of this computer gets a number that those of a host do not come to, so that it is not closed in
    the place of a socket."""
    fd: int = original(*args, **kwargs)
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    is_low = limit != resource.RLIM_INFINITY and limit < 2 * _FILES_FROM
    try:
        return _real_fcntl(fd, fcntl.F_DUPFD_CLOEXEC, limit // 2 if is_low else _FILES_FROM)
    finally:
        _real_close(fd)


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
    """For whoever asks a file for its number."""
    if opener is None and not isinstance(file, int):
        opener = partial(_open, host, partial(_real_open, mode=0o666))
    return original(file, mode, buffering, encoding, errors, newline, closefd, opener)


def _of_a_path(name: str, host: Host, original: Any, path: Any, *rest: Any, **kwargs: Any) -> Any:
    has_paths = "unix_names" in vars(host) and isinstance(path, (str, bytes, os.PathLike))
    is_of_host = has_paths and host.modules.os.path.exists(path)
    return (getattr(host.modules.os, name) if is_of_host else original)(path, *rest, **kwargs)


def _draw(name: str, host: Host, original: Any, *args: Any, **kwargs: Any) -> Any:
    return getattr(host.random, name)(*args, **kwargs)


def _urandom(host: Host, original: Any, size: int, flags: int = 0, /) -> bytes:
    return host.entropy.randbytes(size)


def _socketpair(host: Host, original: Any, *args: Any, **kwargs: Any) -> Any:
    ends = host.modules.socket.socketpair(*args, **kwargs)
    return tuple(socket.socket(end.family, end.type, end.proto, fileno=end.detach()) for end in ends)


def _signal(host: Host, original: Any, signalnum: int, handler: Any, /) -> Any:
    """Handlers are kept; no signal comes to a process."""
    before = _getsignal(host, original, signalnum)
    _signals()[signalnum] = handler
    return before


def _getsignal(host: Host, original: Any, signalnum: int, /) -> Any:
    default = signal.default_int_handler if signalnum == signal.SIGINT else signal.SIG_DFL
    return _signals().get(signalnum, default)


def _set_wakeup_fd(host: Host, original: Any, fd: int, /, *, warn_on_full_buffer: bool = True) -> int:
    """No signal comes, and none wakes anybody."""
    before = _signals().get(_WAKEUP, -1)
    _signals()[_WAKEUP] = fd
    return int(before)


def _signals() -> dict[int, Any]:
    """The handlers of the process that asks."""
    process = running()
    assert process is not None
    return process.leader.signals
