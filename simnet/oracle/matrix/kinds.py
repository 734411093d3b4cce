"""Kinds of sockets that the table has.

Owns their names, families and types.  Does not own what they do.
"""

from __future__ import annotations

import attrs


@attrs.frozen
class Kind:
    """A kind of socket; `family` and `type` name constants of the socket module."""

    name: str
    family: str
    type: str
    title: str
    loopback: str = ""

    @property
    def group(self) -> str:
        """Kinds of one group have the same states: ``tcp``, ``udp``, ``unix`` or ``unixdg``."""
        if self.is_inet:
            return "tcp" if self.connects else "udp"
        return "unix" if self.connects else "unixdg"

    @property
    def is_tcp(self) -> bool:
        return self.is_inet and self.connects

    @property
    def is_inet(self) -> bool:
        return self.loopback != ""

    @property
    def connects(self) -> bool:
        """Whether it has listeners and connections."""
        return self.type != "SOCK_DGRAM"


KINDS = {
    kind.name: kind
    for kind in (
        Kind("tcp4", "AF_INET", "SOCK_STREAM", "TCP over IPv4", "127.0.0.1"),
        Kind("tcp6", "AF_INET6", "SOCK_STREAM", "TCP over IPv6", "::1"),
        Kind("tcp46", "AF_INET6", "SOCK_STREAM", "TCP over IPv4, by sockets of IPv6", "::ffff:127.0.0.1"),
        Kind("udp4", "AF_INET", "SOCK_DGRAM", "UDP over IPv4", "127.0.0.1"),
        Kind("udp6", "AF_INET6", "SOCK_DGRAM", "UDP over IPv6", "::1"),
        Kind("udp46", "AF_INET6", "SOCK_DGRAM", "UDP over IPv4, by sockets of IPv6", "::ffff:127.0.0.1"),
        Kind("unix", "AF_UNIX", "SOCK_STREAM", "AF_UNIX stream"),
        Kind("unixdg", "AF_UNIX", "SOCK_DGRAM", "AF_UNIX datagram"),
        Kind("unixseq", "AF_UNIX", "SOCK_SEQPACKET", "AF_UNIX sequenced packets"),
    )
}
