"""What Linux remembers of a port besides who holds it (struct inet_bind_bucket in net/inet_hashtables.h).

As long as anybody holds a port, the kernel keeps in mind whether all that came had SO_REUSEADDR or
SO_REUSEPORT, and lets the next one in by that alone, without a look at the others.  The memory outlasts those
who shaped it, so that a program can tell: a bind() may succeed that the holders themselves would bar.

Owns that memory (inet_csk_update_fastreuse and sk_reuseport_match in net/ipv4/inet_connection_sock.c).
"""

from __future__ import annotations

import socket as std
from enum import Enum, auto
from typing import TYPE_CHECKING

import attrs

from .addresses import ANY, ANY6, ipv4_view, is_ipv6

if TYPE_CHECKING:
    from .ports import Holder

_AF_INET6 = int(std.AF_INET6)


class Sharing(Enum):
    """FASTREUSEPORT_ANY and FASTREUSEPORT_STRICT."""

    NONE = auto()
    ANY = auto()  # everybody who ever came had SO_REUSEPORT
    STRICT = auto()  # only from some time on: the address is looked at too


@attrs.define
class Bucket:
    """The memory of one port."""

    reuse: bool
    sharing: Sharing = Sharing.NONE
    family: int = 0
    address: str = ANY
    v6only: bool = False

    def lets_in(self, holder: Holder, address: str, listens: bool) -> bool:
        """Whether `holder` may have the port too, for all that is remembered."""
        return (self.reuse and holder.reuse_address and not listens) or self._matches(holder, address)

    def note(self, holder: Holder, address: str, listens: bool) -> None:
        """`holder` was let in."""
        if listens or not holder.reuse_address:
            self.reuse = False
        if not holder.reuse_port:
            self.sharing = Sharing.NONE
        elif not self._matches(holder, address):
            self._remember(holder, address, Sharing.STRICT)

    def _remember(self, holder: Holder, address: str, sharing: Sharing) -> None:
        self.sharing = sharing
        self.family, self.address, self.v6only = holder.family, address, holder.v6only

    def _matches(self, holder: Holder, address: str) -> bool:
        if self.sharing is Sharing.NONE or not holder.reuse_port:
            return False
        return self.sharing is Sharing.ANY or self._covers(holder, address)

    def _covers(self, holder: Holder, address: str) -> bool:
        """Whether the remembered address is `address` or a wildcard over it."""
        mine = self.address
        if self.family != _AF_INET6 or not (is_ipv6(mine) or is_ipv6(address)):
            return not holder.v6only and ipv4_view(mine) in (ANY, ipv4_view(address))
        if mine == ANY6:
            return is_ipv6(address) or not self.v6only
        return mine == address


def first(holder: Holder, address: str, listens: bool) -> Bucket:
    """The memory of a port that nobody held, and that `holder` has now."""
    bucket = Bucket(reuse=holder.reuse_address and not listens)
    if holder.reuse_port:
        bucket._remember(holder, address, Sharing.ANY)
    return bucket


def of_connect() -> Bucket:
    """The memory of a port that connect() has chosen: nobody is let in without a look."""
    return Bucket(reuse=False)
