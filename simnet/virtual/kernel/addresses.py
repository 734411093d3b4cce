"""Internet addresses of sockets: as programs give them, as the kernel keeps them, as programs are shown them.

The kernel keeps a pair of text and port, and one text for one address: a socket of AF_INET6 that talks IPv4
keeps the IPv4 address, and its program is shown ``::ffff:10.0.0.1`` (RFC 4291, section 2.5.5.2; ipv6(7)).  So
an address tells by itself which protocol it is of, and whoever routes, binds and finds need not ask the
socket.  A link-local address keeps its interface with it, as ``fe80::1%2``.

Owns these conversions, and which addresses two bindings have in common.  Does not own names: a host looks
them up.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, TypeAlias

from .. import linux as std
from ..names.arguments import c_unsigned, host_of_address
from ..names.numeric import is_link_local, is_loopback, mapped, unmapped

__all__ = [
    "ANY",
    "ANY6",
    "WILDCARD",
    "Inet",
    "given",
    "ipv4_view",
    "is_ipv6",
    "is_loopback",
    "is_multicast",
    "is_wildcard",
    "lacks_scope",
    "overlap",
    "shown",
    "text",
]

Inet: TypeAlias = tuple[str, int]
"""An address and a port, as the kernel keeps them."""

ANY, ANY6 = "0.0.0.0", "::"
_AF_INET6 = int(std.AF_INET6)
WILDCARD = {int(std.AF_INET): ANY, _AF_INET6: ANY6}
_C_INT = range(-(1 << 31), 1 << 31)


def given(call: str, family: int, address: Any, resolve: Callable[[str, int], str]) -> Inet:
    """What the kernel is told where a program passes `address` to `call` (getsockaddrarg in socketmodule.c).

    Raises TypeError and OverflowError with CPython's words, and what `resolve` raises for a name.
    """
    if not isinstance(address, tuple):
        words = "AF_INET6" if family == _AF_INET6 else "AF_INET"
        raise TypeError(f"{call}(): {words} address must be tuple, not {address.__class__.__name__}")
    if family == _AF_INET6:
        return _given_v6(call, address, resolve)
    if len(address) != 2:
        raise TypeError("AF_INET address must be a pair (host, port)")
    name, port = _host(address[0]), operator.index(address[1])
    if port in _C_INT:
        name = resolve(name, family)
    if not 0 <= port <= 0xFFFF:
        raise OverflowError(f"{call}(): port must be 0-65535.")
    return name, port


def _given_v6(call: str, address: tuple[Any, ...], resolve: Callable[[str, int], str]) -> Inet:
    if not 2 <= len(address) <= 4:
        raise TypeError("AF_INET6 address must be a tuple (host, port[, flowinfo[, scopeid]])")
    flow, scope = 0, 0
    name, port = _host(address[0]), operator.index(address[1])
    if port in _C_INT:
        flow, scope = (*map(c_unsigned, address[2:]), 0, 0)[:2]
        name = resolve(name, _AF_INET6)
    if not 0 <= port <= 0xFFFF:
        raise OverflowError(f"{call}(): port must be 0-65535.")
    if flow > 0xFFFFF:
        raise OverflowError(f"{call}(): flowinfo must be 0-1048575.")
    return (f"{name}%{scope}" if scope and is_link_local(name) else unmapped(name)), port


def _host(name: Any) -> str:
    """The host name within an address; what is plain text needs no conversion."""
    is_plain = name.__class__ is str and name.isascii() and "\0" not in name
    return name if is_plain else host_of_address(name)


def shown(family: int, address: Inet) -> tuple[str, int] | tuple[str, int, int, int]:
    """A socket's own address or its peer's, as getsockname() and accept() return it.

    The flow is 0 unless a program asks for it (IPV6_FLOWINFO_SEND), which is not simulated.
    """
    if family != _AF_INET6:
        return address
    text, port = address
    text, _, scope = text.partition("%")
    return mapped(text), port, 0, int(scope or 0)


def text(address: Inet) -> str:
    """An address as netstat(8) and ss(8) write it: ``10.0.0.1:80``, ``[fd00::1]:80``."""
    return f"[{address[0]}]:{address[1]}" if is_ipv6(address[0]) else f"{address[0]}:{address[1]}"


def is_ipv6(address: str) -> bool:
    return ":" in address


def ipv4_view(address: str) -> str:
    """What a bound address is in the eyes of IPv4: one of IPv6 proper is LOOPBACK4_IPV6, whichever it is."""
    return ANY if address == ANY6 else "127.0.0.6" if is_ipv6(address) else address


def is_wildcard(address: str) -> bool:
    return address in (ANY, ANY6)


def is_multicast(address: str) -> bool:
    if is_ipv6(address):
        return address.startswith("ff")
    return 224 <= int(address.partition(".")[0]) <= 239


def lacks_scope(address: str) -> bool:
    """Whether an address is of one link only, and does not say of which (ipv6(7), sin6_scope_id)."""
    return is_ipv6(address) and "%" not in address and is_link_local(address)


def overlap(one: str, one_v6only: bool, other: str, other_v6only: bool) -> bool:
    """Whether something may be sent to both of two bound addresses (inet_rcv_saddr_equal).

    The wildcard of IPv6 takes IPv4 too, unless its socket has IPV6_V6ONLY.
    """
    if one == other:
        return True
    if one == ANY6:
        return is_ipv6(other) or not one_v6only
    if other == ANY6:
        return is_ipv6(one) or not other_v6only
    return ANY in (one, other) and not is_ipv6(one) and not is_ipv6(other)
