"""Addresses written as numbers: ``10.0.0.1``, ``127.1``, ``fd00::7``, ``fe80::1%eth0``.

Owns their syntax, and what kind of address one is.  Does not own names: a text that is no number is None
here.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from .. import linux as std
from .interfaces import INTERFACES, name_of

AF_INET, AF_INET6 = int(std.AF_INET), int(std.AF_INET6)
LOOPBACK = {AF_INET: "127.0.0.1", AF_INET6: "::1"}
ANY = {AF_INET: "0.0.0.0", AF_INET6: "::"}
BROADCAST = "255.255.255.255"

_MAPPED = bytes(10) + b"\xff\xff"
_NUMBER = re.compile(r"0[xX](?P<hex>[0-9a-fA-F]+)|(?P<octal>0[0-7]*)|(?P<decimal>[1-9][0-9]*)")
_BASES = {"hex": 16, "octal": 8, "decimal": 10}


class Numeric(NamedTuple):
    """An address as `socket.inet_ntop` writes it, with its family and the index of its interface."""

    family: int
    address: str
    scope_id: int = 0

    def sockaddr(self, port: int) -> tuple[str, int] | tuple[str, int, int, int]:
        if self.family == AF_INET:
            return (self.address, port)
        return (self.address, port, 0, self.scope_id)


def family_of(address: str) -> int:
    """The family of an address that is known to be one."""
    return AF_INET6 if ":" in address else AF_INET


def strict(text: str) -> str | None:
    """The address that `text` is to inet_pton(3), in its usual spelling; None if it is none."""
    family = family_of(text)
    try:
        return std.inet_ntop(family, std.inet_pton(family, text))
    except (OSError, ValueError):
        return None


def ipv4(text: str) -> str | None:
    """The address that `text` is to inet_aton(3), short forms and all; None if it is none."""
    if not text[:1].isdigit():
        return None
    parts = [_number(part) for part in text.split(".")]
    *leading, last = parts
    if len(leading) > 3 or last is None or last >= 256 ** (4 - len(leading)):
        return None
    value = last
    for place, part in enumerate(leading):
        if part is None or part > 255:
            return None
        value += part << 8 * (3 - place)
    return std.inet_ntop(AF_INET, value.to_bytes(4, "big"))


def _number(text: str) -> int | None:
    match = _NUMBER.fullmatch(text)
    return int(match[match.lastgroup], _BASES[match.lastgroup]) if match and match.lastgroup else None


def scope_id(address: str, scope: str) -> int | None:
    """The interface that follows the % of an IPv6 address (__inet6_scopeid_pton); None if it is none.

    Link-local addresses may name it, all may give its index.
    """
    if is_link_local(address) and scope in INTERFACES:
        return INTERFACES[scope]
    if re.fullmatch("[0-9]+", scope) and int(scope) <= 0xFFFFFFFF:
        return int(scope)
    return None


def with_scope(address: str, scope: int) -> str:
    """An address as getnameinfo(3) writes it: ``fe80::1%eth0``."""
    if not scope:
        return address
    interface = name_of(scope) if is_link_local(address) else None
    return f"{address}%{interface or scope}"


def packed(address: str) -> bytes:
    """16 bytes, those of an IPv4 address as it is mapped into IPv6 (RFC 4291, section 2.5.5.2)."""
    family = family_of(address)
    raw = std.inet_pton(family, address)
    return raw if family == AF_INET6 else _MAPPED + raw


def mapped(address: str) -> str:
    """``::ffff:10.0.0.1`` of ``10.0.0.1``; an IPv6 address stays what it is."""
    return std.inet_ntop(AF_INET6, packed(address))


def unmapped(address: str) -> str:
    """``10.0.0.1`` of ``::ffff:10.0.0.1``; any other address stays what it is."""
    raw = packed(address)
    return std.inet_ntop(AF_INET, raw[12:]) if raw.startswith(_MAPPED) else address


def embedded(address: str) -> str:
    """The IPv4 address within ``::ffff:10.0.0.1`` or ``::10.0.0.1``; any other address stays what it is."""
    raw = packed(address)
    is_compatible = raw.startswith(bytes(12)) and int.from_bytes(raw, "big") > 1  # not :: and ::1
    return std.inet_ntop(AF_INET, raw[12:]) if is_compatible else unmapped(address)


def is_loopback(address: str) -> bool:
    return address.startswith("127.") or address == "::1"


def is_link_local(address: str) -> bool:
    """Whether an address is of one link only: IN6_IS_ADDR_LINKLOCAL or IN6_IS_ADDR_MC_LINKLOCAL."""
    raw = packed(address)
    return (raw[0] == 0xFE and raw[1] & 0xC0 == 0x80) or (raw[0] == 0xFF and raw[1] & 0x0F == 0x02)
