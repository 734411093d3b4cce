"""What a virtual host says it does not simulate: found by asking for all that the standard modules know.

Owns the list in the documentation.  What is simulated is nobody's list: it is what answers.
"""

from __future__ import annotations

import fcntl
import os
import select
import selectors
import socket as std
import time
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

from simnet import Network

MODULES = (std, select, selectors, time, os, fcntl)
KINDS = {
    "TCP": (std.AF_INET, std.SOCK_STREAM),
    "UDP": (std.AF_INET, std.SOCK_DGRAM),
    "AF_UNIX stream": (std.AF_UNIX, std.SOCK_STREAM),
    "AF_UNIX datagram": (std.AF_UNIX, std.SOCK_DGRAM),
}
LEVELS = {
    "SO_": std.SOL_SOCKET,
    "TCP_": std.IPPROTO_TCP,
    "UDP_": std.IPPROTO_UDP,
    "IP_": std.IPPROTO_IP,
    "IPV6_": std.IPPROTO_IPV6,
}


def families() -> Iterator[str]:
    """Families of sockets, by name."""
    for name in _constants(std, "AF_"):
        if _is_refused(_host().socket, getattr(std, name), std.SOCK_STREAM):
            yield name


def types() -> Iterator[str]:
    """Types of AF_INET sockets, by name."""
    for name in _constants(std, "SOCK_"):
        if name not in ("SOCK_CLOEXEC", "SOCK_NONBLOCK") and _is_refused(
            _host().socket, std.AF_INET, getattr(std, name)
        ):
            yield name


def options(prefix: str) -> Iterator[str]:
    """Options that no kind of socket has."""
    for name in _constants(std, prefix):
        number = getattr(std, name)
        if isinstance(number, int) and all(
            _is_refused(_socket(kind).getsockopt, LEVELS[prefix], number) for kind in KINDS
        ):
            yield name


def flags(call: Callable[[Any, int], Any]) -> Iterator[tuple[str, list[str]]]:
    """For each kind of socket, the flags that a call refuses."""
    for kind in KINDS:
        refused = [
            name for name in _constants(std, "MSG_") if _is_refused(call, _socket(kind), getattr(std, name))
        ]
        if refused:
            yield kind, refused


def functions(module: ModuleType) -> list[str]:
    """The functions and classes of a standard module that its twin refuses."""
    twin = getattr(_host().modules, module.__name__)
    names = [name for name in getattr(module, "__all__", dir(module)) if not name.startswith("_")]
    return [name for name in names if _is_own(module, name) and _is_refused(getattr, twin, name)]


def _is_own(module: ModuleType, name: str) -> bool:
    """Whether a name is a function or class, and not one that the module has imported for itself."""
    value = getattr(module, name)
    home = getattr(value, "__module__", None)
    return callable(value) and home in (module.__name__, f"_{module.__name__}", "posix", None)


def methods() -> list[str]:
    """The methods of a socket that a virtual one refuses."""
    sock = _socket("TCP")
    return [name for name in dir(std.socket) if not name.startswith("_") and _is_refused(getattr, sock, name)]


def _constants(module: ModuleType, prefix: str) -> list[str]:
    return [name for name in dir(module) if name.startswith(prefix)]


def _host() -> Any:
    return Network().host("machine")


def _socket(kind: str) -> Any:
    sock = _host().socket(*KINDS[kind])
    sock.setblocking(False)
    return sock


def _is_refused(call: Callable[..., Any], *arguments: Any) -> bool:
    try:
        call(*arguments)
    except NotImplementedError:
        return True
    except (OSError, ValueError, TypeError, OverflowError, AttributeError):
        return False
    return False
