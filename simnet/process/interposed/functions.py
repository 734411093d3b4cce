"""What is interposed: which functions of the standard modules a process finds its host's in the place of.

What takes a descriptor is `descriptors`, and what takes a path is `paths`.

Owns the table.
"""

from __future__ import annotations

import os
import random
import select
import socket
import ssl
import time
from functools import partial
from types import ModuleType
from typing import TYPE_CHECKING, Any

from . import descriptors, entropy, exits, identity, paths, signals, threads
from .names import Inside, by_module

if TYPE_CHECKING:
    from ...virtual.host import Host

_OF_THE_HOST: dict[ModuleType, str] = {
    socket: (
        "getdefaulttimeout setdefaulttimeout close dup getaddrinfo getnameinfo gethostbyaddr gethostbyname "
        "gethostbyname_ex gethostname getprotobyname getservbyname getservbyport if_indextoname if_nameindex "
        "if_nametoindex"
    ),
    select: "select poll epoll",
    time: "get_clock_info gmtime localtime ctime asctime strftime mktime tzset sleep",
    os: "pipe pipe2 getpid getppid cpu_count process_cpu_count sched_getaffinity getloadavg uname",
}
_CLOCKS = "time time_ns monotonic monotonic_ns perf_counter perf_counter_ns clock_gettime clock_gettime_ns"


def stand_ins() -> dict[Any, Inside]:
    """By function, what a process calls in its place."""
    found = by_module(_OF_THE_HOST, _of_the_host)
    for name in _CLOCKS.split():
        found[getattr(time, name)] = partial(_clock, name)
    for name in entropy.DRAWS.split():
        if hasattr(random, name):
            found[getattr(random, name)] = partial(_draw, name)
    found[os.urandom] = found[ssl.RAND_bytes] = _urandom
    if hasattr(os, "getrandom"):
        found[os.getrandom] = _urandom
    found[socket.socketpair] = _socketpair
    found.update(entropy.stand_ins())
    found.update(identity.stand_ins())
    found.update(exits.stand_ins())
    found.update(signals.stand_ins())
    found.update(descriptors.stand_ins())
    found.update(paths.stand_ins())
    found.update(threads.stand_ins())
    return _originals(found)


def _originals(found: dict[Any, Inside]) -> dict[Any, Inside]:
    """The fence may have a check in the place of some."""
    return {getattr(function, "__wrapped__", function): inside for function, inside in found.items()}


def _of_the_host(module: str, name: str, host: Host, original: Any, /, *args: Any, **kwargs: Any) -> Any:
    return getattr(getattr(host.modules, module), name)(*args, **kwargs)


def _clock(name: str, host: Host, original: Any, *args: Any) -> Any:
    host.network.process.ask_again("time")  # type: ignore[union-attr]
    return getattr(host.modules.time, name)(*args)


def _draw(name: str, host: Host, original: Any, /, *args: Any, **kwargs: Any) -> Any:
    return getattr(host.random, name)(*args, **kwargs)


def _urandom(host: Host, original: Any, size: int, flags: int = 0, /) -> bytes:
    return host.entropy.randbytes(size)


def _socketpair(host: Host, original: Any, /, *args: Any, **kwargs: Any) -> Any:
    ends = host.modules.socket.socketpair(*args, **kwargs)
    return tuple(socket.socket(end.family, end.type, end.proto, fileno=end.detach()) for end in ends)
