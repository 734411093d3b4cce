"""Which kinds of sockets a look-up is for: (type, protocol, port), of a service and the hints.

Owns the first half of glibc's gaih_inet, which knows nothing of hosts.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from .. import linux as std
from .errors import gaierror
from .services import port_of


class Endpoint(NamedTuple):
    """What a socket for the service would be made with, and its port."""

    type: int
    protocol: int
    port: int


class _Kind(NamedTuple):
    """A row of gaih_inet_typeproto."""

    type: int
    protocol: int
    name: str
    is_default: bool = False

    @property
    def is_raw(self) -> bool:
        """Goes with any protocol, and with no port."""
        return self.type == std.SOCK_RAW

    def fits(self, type: int, protocol: int) -> bool:
        return type in (0, self.type) and (protocol in (0, self.protocol) or self.is_raw)


_DCCP, _SCTP, _UDPLITE, _SOCK_DCCP = 33, 132, 136, 6  # in linux/in.h and linux/net.h, not in every Python
_KINDS = (
    _Kind(std.SOCK_STREAM, std.IPPROTO_TCP, "tcp", True),
    _Kind(std.SOCK_DGRAM, std.IPPROTO_UDP, "udp", True),
    _Kind(_SOCK_DCCP, _DCCP, "dccp"),
    _Kind(std.SOCK_DGRAM, _UDPLITE, "udplite"),
    _Kind(std.SOCK_STREAM, _SCTP, "sctp"),
    _Kind(std.SOCK_SEQPACKET, _SCTP, "sctp"),
    _Kind(std.SOCK_RAW, 0, "raw", True),
)

_STRTOUL = re.compile(r"[ \t\n\v\f\r]*([+-]?)([0-9]+)")
_UNSIGNED_LONG = 1 << 64


class Service(NamedTuple):
    """What getaddrinfo() is given as its second argument: a name, which may be a number."""

    name: str
    number: int | None

    def port(self, protocol: str) -> int | None:
        """The port of the service over a protocol; None if it is none there."""
        if self.number is None or self.number < 0:
            return port_of(self.name, protocol)
        return self.number & 0xFFFF


def read_service(text: str | None, flags: int) -> Service | None:
    """The service that a text names; None if it names none.  Raises gaierror if it has to be a number."""
    if not text:
        return None
    number = _strtoul(text)
    if number is None and flags & std.AI_NUMERICSERV:
        raise gaierror(std.EAI_NONAME)
    return Service(text, number)


def endpoints(service: Service | None, type: int, protocol: int) -> list[Endpoint]:
    """The sockets that reach a service, in glibc's order.

    Raises gaierror for hints that contradict each other, and for a service that does not go with them.
    """
    kinds = [kind for kind in _KINDS if kind.fits(type, protocol)]
    if not kinds:
        raise gaierror(std.EAI_SOCKTYPE if type else std.EAI_SERVICE)
    if type or protocol:
        kinds = kinds[:1]
        if service is not None and kinds[0].is_raw:
            raise gaierror(std.EAI_SERVICE)
    elif service is None or service.number is not None:
        kinds = [kind for kind in kinds if kind.is_default]
    found = []
    for kind in kinds:
        port = service.port(kind.name) if service is not None else 0
        if port is not None:
            found.append(Endpoint(kind.type, protocol if kind.is_raw else kind.protocol, port))
    if not found:
        raise gaierror(std.EAI_SERVICE)
    return found


def _strtoul(text: str) -> int | None:
    """What strtoul(3) reads, as it fits into an int; None if something follows the number."""
    match = _STRTOUL.fullmatch(text)
    if match is None:
        return None
    value = int(match[2])
    if value >= _UNSIGNED_LONG:
        return -1  # ULONG_MAX
    value = (-value if match[1] == "-" else value) & 0xFFFFFFFF
    return value - (1 << 32) if value >> 31 else value
