"""What Linux remembers of a port besides who holds it (struct inet_bind_bucket in net/inet_hashtables.h).

As long as anybody holds a port, the kernel keeps in mind the last one that came with SO_REUSEPORT, and lets
the next one with it in at that address, without a look at the others.  The memory outlasts that socket, so
that a program can tell: a bind() may succeed that the holders themselves would bar.

Owns that memory (inet_csk_update_fastreuse and sk_reuseport_match in net/ipv4/inet_connection_sock.c).  Of
SO_REUSEADDR nothing is remembered: a bucket is never empty any more when it is first asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from .. import linux as std
from .addresses import ANY, ANY6, ipv4_view, is_ipv6

if TYPE_CHECKING:
    from .ports import Holder

_AF_INET6 = int(std.AF_INET6)


@attrs.define
class Bucket:
    """The memory of one port."""

    shares: bool = False
    family: int = 0
    address: str = ANY
    v6only: bool = False

    def lets_in(self, holder: Holder, address: str) -> bool:
        """Whether `holder` may have the port too, for all that is remembered."""
        return self.shares and holder.reuse_port and self._covers(holder, address)

    def note(self, holder: Holder, address: str) -> None:
        """`holder` was let in."""
        if not holder.reuse_port:
            self.shares = False
        elif not self.lets_in(holder, address):
            self.shares = True
            self.family, self.address, self.v6only = holder.family, address, holder.v6only

    def _covers(self, holder: Holder, address: str) -> bool:
        """Whether the remembered address is `address` or a wildcard over it."""
        mine = self.address
        if self.family != _AF_INET6 or not (is_ipv6(mine) or is_ipv6(address)):
            return not holder.v6only and ipv4_view(mine) in (ANY, ipv4_view(address))
        if mine == ANY6:
            return is_ipv6(address) or not self.v6only
        return mine == address
