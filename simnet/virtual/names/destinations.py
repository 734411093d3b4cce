"""Which of several addresses comes first: RFC 6724 (and 3484), as glibc's getaddrinfo applies it.

Simplified: every address of a host is on a link of its own (a prefix of 32 or 128 bits), so that IPv4
addresses keep the order of the zone, as they do on Linux for those outside the own subnet.  Deprecated
addresses, home addresses and tunnels do not exist.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

from .numeric import AF_INET, LOOPBACK, Numeric, family_of, is_loopback, packed

# The tables of glibc's getaddrinfo.c (default_labels, default_precedence), longest prefix first.
_LABELS = ((("::1", 128), 0), (("::", 96), 3), (("::ffff:0:0", 96), 4), (("2001::", 32), 7),
           (("2002::", 16), 2), (("fec0::", 10), 5), (("fc00::", 7), 6), (("::", 0), 1))  # fmt: skip
_PRECEDENCES = ((("::1", 128), 50), (("::", 96), 20), (("::ffff:0:0", 96), 10),
                (("2002::", 16), 30), (("::", 0), 40))  # fmt: skip

_LINK, _SITE, _GLOBAL = 2, 5, 14  # scopes, as multicast addresses have them (RFC 4291, section 2.7)


def in_order(found: Sequence[Numeric], source_of: Callable[[str], str | None]) -> list[Numeric]:
    """Addresses in the order in which a program should try them.

    Args:
        source_of: the own address that a connection to an address comes from; None if none can.
    """
    if len(found) < 2:
        return list(found)
    return sorted(found, key=lambda one: _rank(one, source_of(one.address)))


@lru_cache(maxsize=4096)
def _rank(one: Numeric, source: str | None) -> tuple[int, ...]:
    """The rules of section 6, in their order; the smaller rank comes first, and equal ones stay in order."""
    target = packed(one.address)
    precedence = _lookup(_PRECEDENCES, target)
    if source is None:
        return (1, 0, 0, -precedence, _scope(one.address), 0)  # rule 1: what cannot be reached comes last
    origin = packed(source)
    return (
        0,
        _scope(one.address) != _scope(source),  # rule 2
        _lookup(_LABELS, target) != _lookup(_LABELS, origin),  # rule 5
        -precedence,  # rule 6
        _scope(one.address),  # rule 8
        -_prefix_in_common(target, origin, 128 if one.family == AF_INET else 0),  # rule 9
    )


def source_for(destination: str, own: Sequence[str]) -> str:
    """The own address that a connection to `destination` comes from (RFC 6724, section 5).

    Itself if it is one of the `own` ones, of which those of IPv4 come first; else the first of IPv4, or of
    IPv6 the one that has most in common with the destination.
    """
    if destination in own:
        return destination
    family = family_of(destination)
    if is_loopback(destination):
        return LOOPBACK[family]
    if family == AF_INET:
        return own[0]
    target = packed(destination)

    def closeness(address: str) -> tuple[bool, int]:
        raw = packed(address)
        return _lookup(_LABELS, raw) == _lookup(_LABELS, target), _prefix_in_common(raw, target)

    return max((address for address in own if family_of(address) == family), key=closeness)


def _lookup(table: Sequence[tuple[tuple[str, int], int]], address: bytes) -> int:
    """The entry of a policy table whose prefix an address has."""
    return next(
        value for (prefix, bits), value in table if _prefix_in_common(address, packed(prefix)) >= bits
    )


def _prefix_in_common(left: bytes, right: bytes, least: int = 0) -> int:
    """How many bits two addresses have in common at their beginning; 0 if that is less than `least`."""
    different = int.from_bytes(left, "big") ^ int.from_bytes(right, "big")
    common = 128 - different.bit_length()
    return common if common >= least else 0


def _scope(address: str) -> int:
    """How far an address reaches; one that is mapped into IPv6 counts as global there."""
    if family_of(address) == AF_INET:
        return _LINK if address.startswith(("127.", "169.254.")) else _GLOBAL
    first, second = packed(address)[:2]
    if first == 0xFF:
        return second & 0x0F
    if address == "::1" or (first == 0xFE and second & 0xC0 == 0x80):
        return _LINK
    return _SITE if first == 0xFE and second & 0xC0 == 0xC0 else _GLOBAL
