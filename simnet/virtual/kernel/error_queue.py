"""The queue of errors of a socket that wants to know of all of them (IP_RECVERR in ip(7) and ipv6(7)).

Owns the queue, what recvmsg(2) with MSG_ERRQUEUE tells of an error, and the options.  What is an error is the
business of the socket.

Simplified, and what a program could notice of it: datagrams and errors do not share the receive buffer, so
that each of them may fill it.
"""

from __future__ import annotations

import errno
import struct
from collections import deque
from typing import TYPE_CHECKING

import attrs

from .. import linux as std
from .addresses import Inet, is_ipv6
from .datagrams import Datagram, truesize
from .options import Option, Value, flag

if TYPE_CHECKING:
    from .udp import UdpEnd

IP_RECVERR, IPV6_RECVERR = 11, 25  # <linux/in.h>, <linux/in6.h>

_LOCAL, _ICMP, _ICMP6 = 1, 2, 3  # SO_EE_ORIGIN_*
_UNREACHABLE = {4: (_ICMP, 3, 3), 6: (_ICMP6, 1, 4)}  # origin, type and code of "port unreachable"
_QUOTED_MAX = {4: 576 - 2 * 28, 6: 1280 - 2 * 48}
"""How many bytes of a datagram ICMP gives back (RFC 1812, section 4.3.2.3; RFC 4443, section 3.1)."""


@attrs.frozen
class QueuedError:
    """One error: what it is about, and what became of it (struct sock_extended_err)."""

    data: bytes
    about: Inet
    """Where the datagram was to go."""

    reason: int
    origin: int
    type: int = 0
    code: int = 0
    info: int = 0
    offender: str = ""
    """Who says so, if it is another than this host's kernel."""

    @property
    def is_of_icmp(self) -> bool:
        return self.origin != _LOCAL

    def control(self, family: int) -> tuple[int, int, bytes]:
        """The control message that tells of it to a socket of this family."""
        head = struct.pack("=IBBBxII", self.reason, self.origin, self.type, self.code, self.info, 0)
        if family == std.AF_INET6:
            return std.IPPROTO_IPV6, IPV6_RECVERR, head + self._offender6()
        if not self.offender:
            return std.IPPROTO_IP, IP_RECVERR, head + bytes(16)
        address = struct.pack("=HH4s8x", std.AF_INET, 0, std.inet_aton(self.offender))
        return std.IPPROTO_IP, IP_RECVERR, head + address

    def _offender6(self) -> bytes:
        if not self.offender:
            return bytes(28)
        text = self.offender if is_ipv6(self.offender) else f"::ffff:{self.offender}"
        return struct.pack("=HHI16sI", std.AF_INET6, 0, 0, std.inet_pton(std.AF_INET6, text), 0)


def port_unreachable(datagram: Datagram) -> QueuedError:
    """A datagram found nobody."""
    version, target = datagram.version, datagram.target
    quoted = datagram.data[: _QUOTED_MAX[version]]
    return QueuedError(quoted, target, errno.ECONNREFUSED, *_UNREACHABLE[version], offender=target[0])


def too_long(about: Inet, mtu: int) -> QueuedError:
    """A datagram that never left (ip_local_error)."""
    return QueuedError(b"", about, errno.EMSGSIZE, _LOCAL, info=mtu)


class ErrorQueue:
    """Errors of which the program was not told, and of which versions of IP it wants to be."""

    __slots__ = ("_used", "waiting", "wanted")

    def __init__(self) -> None:
        self.wanted = {4: False, 6: False}
        self.waiting: deque[QueuedError] = deque()
        self._used = 0

    def put(self, error: QueuedError, limit: int) -> None:
        """Add an error, if there is room (sock_queue_err_skb)."""
        size = truesize(len(error.data), 4)
        if self._used + size < limit:
            self._used += size
            self.waiting.append(error)

    def take(self) -> QueuedError | None:
        """The first error."""
        if not self.waiting:
            return None
        error = self.waiting.popleft()
        self._used -= truesize(len(error.data), 4)
        return error

    def set_wanted(self, version: int, is_wanted: bool) -> None:
        """Who does not want errors any more loses those that wait."""
        self.wanted[version] = is_wanted
        if not is_wanted:
            self.waiting.clear()
            self._used = 0


def _set(end: UdpEnd, value: Value) -> None:
    end.errors.set_wanted(4, bool(flag(value)))


def _set6(end: UdpEnd, value: Value) -> None:
    end.errors.set_wanted(6, bool(flag(value)))


OPTIONS: dict[tuple[int, int], Option] = {
    (std.IPPROTO_IP, IP_RECVERR): Option(get=lambda end: int(end.errors.wanted[4]), set=_set),
    (std.IPPROTO_IPV6, IPV6_RECVERR): Option(get=lambda end: int(end.errors.wanted[6]), set=_set6),
}
"""The options of a socket of UDP that are about errors; those of IPv6 only a socket of IPv6 has."""
