"""The functions of the socket module that look names up, as a host has them: getaddrinfo() and its kin.

Owns what glibc and CPython make of an answer: flags, families, errors, and their order of precedence.

Simplified: no answer is cached, and a look-up has no search list; ``localhost`` has each of its addresses
once; every host has IPv4 and IPv6, so that AI_ADDRCONFIG changes nothing; a look-up takes one question,
where Linux asks for IPv4 and for IPv6.
"""

from __future__ import annotations

import errno
import os
from enum import IntEnum
from typing import TYPE_CHECKING, Any, TypeVar

from ...transport import Address
from .. import linux as std
from . import interfaces, services
from .arguments import c_int, c_unsigned, encoded, host_of_address, host_of_look_up, service_of_look_up
from .destinations import in_order
from .endpoints import endpoints, read_service
from .errors import HOST_NOT_FOUND, NO_DATA, NO_RECOVERY, TRY_AGAIN, gaierror, herror
from .lookups import Lookups
from .numeric import (
    AF_INET,
    AF_INET6,
    ANY,
    BROADCAST,
    LOOPBACK,
    Numeric,
    family_of,
    ipv4,
    is_loopback,
    mapped,
    scope_id,
    strict,
    unmapped,
    with_scope,
)
from .zone import NODATA, NOERROR, NXDOMAIN, Answer

if TYPE_CHECKING:
    from ..host import Host

AF_UNSPEC = int(std.AF_UNSPEC)
AI_PASSIVE, AI_CANONNAME, AI_NUMERICHOST = int(std.AI_PASSIVE), int(std.AI_CANONNAME), int(std.AI_NUMERICHOST)
AI_V4MAPPED, AI_ALL = int(std.AI_V4MAPPED), int(std.AI_ALL)
_AI_FLAGS, _NI_FLAGS = 0x7FF, 0xFF  # those that netdb.h has
_TEMPORARY = (std.EAI_AGAIN, TRY_AGAIN)
_ERRORS = {NXDOMAIN: (std.EAI_NONAME, HOST_NOT_FOUND), NODATA: (std.EAI_NODATA, NO_DATA)}

_E = TypeVar("_E", bound=IntEnum)


class Resolver:
    """Name look-ups of one host.  Methods, arguments and errors are those of the socket module on Linux."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._lookups = Lookups(host)

    # --- addresses -------------------------------------------------------------------------------

    def getaddrinfo(
        self, host: Any, port: Any, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0
    ) -> list[tuple[Any, Any, int, str, Address]]:
        family, type, proto, flags = c_int(family), c_int(type), c_int(proto), c_int(flags)
        name, service = host_of_look_up(host), service_of_look_up(port)
        name, service = (None if text == "*" else text for text in (name, service))
        if name is None and service is None:
            raise gaierror(std.EAI_NONAME)
        if flags & ~_AI_FLAGS or (flags & AI_CANONNAME and name is None):
            raise gaierror(std.EAI_BADFLAGS)
        if family not in (AF_UNSPEC, AF_INET, AF_INET6):
            raise gaierror(std.EAI_FAMILY)
        meant = endpoints(read_service(service, flags), type, proto)
        canonical, found = self._targets(name, family, flags)
        result = [
            (
                _member(std.AddressFamily, target.family),
                _member(std.SocketKind, endpoint.type),
                endpoint.protocol,
                "",
                target.sockaddr(endpoint.port),
            )
            for target in found
            for endpoint in meant
        ]
        if flags & AI_CANONNAME:
            result[0] = (*result[0][:3], canonical, result[0][4])
        return result

    def address(self, name: Any, family: int) -> str:
        """The address that a name means to connect(), bind() and sendto(): the first, of any that it has."""
        return self._address(host_of_address(name), family)

    def gethostbyname(self, hostname: Any, /) -> str:
        return self._address(encoded("gethostbyname", hostname), AF_INET)

    def gethostbyname_ex(self, hostname: Any, /) -> tuple[str, list[str], list[str]]:
        name = encoded("gethostbyname_ex", hostname)
        self._address(name, AF_INET)
        if name == "":
            raise herror(NO_RECOVERY)
        number = ipv4(name) if not name.strip("0123456789.") else None
        if number is not None:
            return name, [], [number]
        answer = self._lookups.find(name, lambda told: told.of(AF_INET))
        addresses = answer.of(AF_INET)
        if not addresses:
            raise herror(_ERRORS.get(_outcome(answer), _TEMPORARY)[1])
        return answer.name, list(answer.aliases), addresses

    # --- names -----------------------------------------------------------------------------------

    def gethostname(self) -> str:
        return self._host.name

    def gethostbyaddr(self, ip_address: Any, /) -> tuple[str, list[str], list[str]]:
        address = self._address(encoded("gethostbyaddr", ip_address), AF_UNSPEC)
        answer = self._lookups.find_back(address)
        if answer.outcome != NOERROR:
            raise herror(_ERRORS.get(answer.outcome, _TEMPORARY)[1])
        if answer.addresses != (address,):  # it was the IPv4 address within an IPv6 one
            raise OSError(errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT))
        return answer.name, list(answer.aliases), [address]

    def getnameinfo(self, sockaddr: Any, flags: int, /) -> tuple[str, str]:
        target, port = _sockaddr(sockaddr, flags := c_int(flags))
        if flags & ~_NI_FLAGS:
            raise gaierror(std.EAI_BADFLAGS)
        name = None if flags & std.NI_NUMERICHOST else self._name_of(target.address)
        if name is not None and flags & std.NI_NOFQDN:
            _, _, domain = self.gethostname().partition(".")
            name = name.removesuffix(f".{domain}") if domain else name
        if name is None and flags & std.NI_NAMEREQD:
            raise gaierror(std.EAI_NONAME)
        protocol = "udp" if flags & std.NI_DGRAM else "tcp"
        service = None if flags & std.NI_NUMERICSERV else services.service_at(port, protocol)
        return name or with_scope(target.address, target.scope_id), service or str(port)

    # --- services, interfaces --------------------------------------------------------------------

    getservbyname = staticmethod(services.getservbyname)
    getservbyport = staticmethod(services.getservbyport)
    getprotobyname = staticmethod(services.getprotobyname)
    if_nameindex = staticmethod(interfaces.if_nameindex)
    if_nametoindex = staticmethod(interfaces.if_nametoindex)
    if_indextoname = staticmethod(interfaces.if_indextoname)

    # --- how -------------------------------------------------------------------------------------

    def _address(self, name: str, family: int) -> str:
        """setipaddr() in CPython's socketmodule.c."""
        if name == "":
            if family == AF_UNSPEC:
                raise OSError("wildcard resolved to multiple address")
            return ANY[family]
        if name in ("<broadcast>", BROADCAST):
            if family == AF_INET6:
                raise OSError("address family mismatched")
            return BROADCAST
        number = strict(name)
        if number is not None and family in (AF_UNSPEC, family_of(number)):
            return number
        _, found = self._targets(name, family, 0)
        return found[0].address

    def _targets(self, name: str | None, family: int, flags: int) -> tuple[str, list[Numeric]]:
        """The canonical name, and the addresses in the order in which to try them.

        The second half of glibc's gaih_inet, which knows nothing of services.
        """
        if name is None:
            table = ANY if flags & AI_PASSIVE else LOOPBACK
            each = [Numeric(one, table[one]) for one in (AF_INET6, AF_INET) if family in (AF_UNSPEC, one)]
            return "", in_order(each, self._source_of)
        number = _numeric(name, family, flags)
        if number is not None:
            return name, [number]
        if flags & AI_NUMERICHOST or name == "":
            raise gaierror(std.EAI_NONAME)
        answer = self._lookups.find(name, lambda told: _wanted(told, family, flags))
        found = _wanted(answer, family, flags)
        if not found:
            raise gaierror(_why_not(answer, family, flags))
        return answer.name, in_order(found, self._source_of)

    def _source_of(self, address: str) -> str | None:
        """The own address from which another one can be reached, of its own family."""
        plain = unmapped(address)
        if plain in ANY.values() or is_loopback(plain):
            source = LOOPBACK[family_of(plain)]
        elif self._host.network.host_at(plain) is None:
            return None
        else:
            source = self._host.source_address(plain)
        return source if plain == address else mapped(source)

    def _name_of(self, address: str) -> str | None:
        answer = self._lookups.find_back(address)
        if answer.outcome not in (NOERROR, *_ERRORS):
            raise gaierror(std.EAI_AGAIN)
        return answer.name or None


def _numeric(name: str, family: int, flags: int) -> Numeric | None:
    """The address that a name is, if it is a number."""
    address = ipv4(name)
    if address is not None:
        if family != AF_INET6:
            return Numeric(AF_INET, address)
        if flags & AI_V4MAPPED:
            return Numeric(AF_INET6, mapped(address))
        raise gaierror(std.EAI_ADDRFAMILY)
    head, percent, scope = name.partition("%")
    address = strict(head) if ":" in head else None
    if address is None:
        return None
    if family == AF_INET and unmapped(address) == address:
        raise gaierror(std.EAI_ADDRFAMILY)
    index = scope_id(address, scope) if percent else 0
    if index is None:
        raise gaierror(std.EAI_NONAME)
    return Numeric(AF_INET, unmapped(address)) if family == AF_INET else Numeric(AF_INET6, address, index)


def _wanted(answer: Answer, family: int, flags: int) -> list[Numeric]:
    """What of an answer goes with the hints, in its order."""
    if family != AF_INET6:
        four = [Numeric(AF_INET, address) for address in answer.of(AF_INET)]
        return four if family == AF_INET else four + _wanted(answer, AF_INET6, 0)
    six = [Numeric(AF_INET6, address) for address in answer.of(AF_INET6)]
    if flags & AI_V4MAPPED and (not six or flags & AI_ALL):
        six += [Numeric(AF_INET6, mapped(address)) for address in answer.of(AF_INET)]
    return six


def _why_not(answer: Answer, family: int, flags: int) -> int:
    """The error of getaddrinfo() for an answer that has nothing of what is wanted."""
    outcome = _outcome(answer)
    if outcome == NODATA and answer.aliases and (family != AF_INET or flags & AI_CANONNAME):
        outcome = NXDOMAIN  # so it is in glibc, where only one of two ways tells them apart
    return int(_ERRORS.get(outcome, _TEMPORARY)[0])


def _outcome(answer: Answer) -> str:
    """Why an answer has nothing that is wanted."""
    return NODATA if answer.outcome == NOERROR else answer.outcome


def _sockaddr(sockaddr: Any, flags: int) -> tuple[Numeric, int]:
    """The argument of getnameinfo(), as CPython reads it: an address by number, and a port."""
    if not isinstance(sockaddr, tuple):
        raise TypeError("getnameinfo() argument 1 must be a tuple")
    if not 2 <= len(sockaddr) <= 4 or not isinstance(sockaddr[0], str):
        raise TypeError("getnameinfo(): illegal sockaddr argument")
    host, port, flow, scope = (*sockaddr, 0, 0)[:4]
    if "\0" in host:
        raise ValueError("embedded null character")
    port, flow, scope = c_int(port), c_unsigned(flow), c_unsigned(scope)
    if flow > 0xFFFFF:
        raise OverflowError("getnameinfo(): flowinfo must be 0-1048575.")
    (endpoint,) = endpoints(read_service(str(port), 0), std.SOCK_DGRAM, 0)
    number = _numeric(host, AF_UNSPEC, 0)
    if number is None:
        raise gaierror(std.EAI_NONAME)
    if number.family == AF_INET:
        if len(sockaddr) != 2:
            raise OSError("IPv4 sockaddr must be 2 tuple")
        return number, endpoint.port
    return Numeric(AF_INET6, number.address, scope), endpoint.port


def _member(kind: type[_E], value: int) -> _E | int:
    """The member of an enumeration that has a value, as `socket.getaddrinfo` gives it; else the value."""
    try:
        return kind(value)
    except ValueError:
        return value
