"""What a process is told of the machine that it runs on: that of its host, whatever this computer is.

How many processors there are decides how many threads a pool has; the name of the machine and its network
card are in what programs send.

A host is a small Linux machine (`virtual.modules.os`).  Its card has an address that is administered locally,
with the host's IPv4 address in it (IEEE 802, 8.4).

Owns what `uuid` and `platform` make of that.
"""

from __future__ import annotations

import platform
import uuid
from collections.abc import Callable
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ...virtual.host import Host

_BEFORE_1970 = 0x01B21DD213814000
"""Intervals of 100 ns between 15 October 1582 and 1970 (RFC 9562, section 5.1)."""


def _getnode(host: Host, original: Any) -> int:
    return 0x0200 << 32 | int(ip_address(host.address)) & 0xFFFF_FFFF


def _uuid1(host: Host, original: Any, node: int | None = None, clock_seq: int | None = None) -> uuid.UUID:
    """Version 1 of a UUID; two of one host are never the same."""
    kept = host.kept.setdefault("uuid1", {"last": 0})
    intervals = max(host.clock.time_ns() // 100 + _BEFORE_1970, kept["last"] + 1)
    kept["last"] = intervals
    sequence = host.entropy.getrandbits(14) if clock_seq is None else clock_seq
    fields = (
        *(intervals & 0xFFFFFFFF, intervals >> 32 & 0xFFFF, intervals >> 48 & 0x0FFF),
        *(sequence >> 8 & 0x3F, sequence & 0xFF, _getnode(host, original) if node is None else node),
    )
    return uuid.UUID(fields=fields, version=1)


def _without_caches(host: Host, original: Any, *args: Any, **kwargs: Any) -> Any:
    """`platform` keeps what it has found out, and must not keep that of a host for others."""
    kept: Any = platform
    names = [name for name in ("_uname_cache", "_platform_cache") if hasattr(kept, name)]
    before = {name: getattr(kept, name) for name in names}
    for name, value in before.items():
        setattr(kept, name, {} if isinstance(value, dict) else None)
    try:
        return original(*args, **kwargs)
    finally:
        for name, value in before.items():
            setattr(kept, name, value)


def stand_ins() -> dict[Any, Callable[..., Any]]:
    """By function, what a process calls in its place."""
    return {
        uuid.uuid1: _uuid1,
        uuid.getnode: _getnode,
        platform.uname: _without_caches,
        platform.platform: _without_caches,
    }
