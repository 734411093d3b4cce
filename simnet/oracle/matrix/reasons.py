"""Why a cell may differ: every difference that is known has a name and a reason.

Owns the table.  A difference that no reason covers is an error, of the virtual kernel or of this table.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

import attrs

from .cells import Place


@attrs.frozen
class Reason:
    """A cause of differences.

    `places` are patterns of ``kind/state/operation``; `virtual`, if given, is a pattern of what the
    virtual kernel says instead, so that the reason covers nothing but what it explains.
    """

    name: str
    why: str
    places: tuple[str, ...]
    live: str = "*"
    virtual: str = "*"

    def covers(self, place: Place, live: str, virtual: str) -> bool:
        here = any(fnmatchcase(str(place), pattern) for pattern in self.places)
        return here and fnmatchcase(live, self.live) and fnmatchcase(virtual, self.virtual)


REASONS: tuple[Reason, ...] = (
    Reason(
        "A window that nobody announces",
        "Who has shut down reading, and reads what there is, announces no window for it on Linux: a sender"
        " that waits for room probes for it, after 200 ms (tcp_cleanup_rbuf). On a virtual host what waits"
        " arrives at once, and a socket that has shut down both directions answers it with RST.",
        places=("tcp*/established_rcvfull/*shutdown_rdwr_recv*",),
        live="*EPIPE*",
        virtual="*ECONNRESET*",
    ),
    Reason(
        "IPv4 for ever",
        "A socket of IPv6 that was connecting to an IPv4 address and was disconnected goes on sending by IPv4"
        " on Linux, wherever it connects to next (ipv6_mapped in net/ipv6/tcp_ipv6.c), so that a SYN to an"
        " IPv6 address reaches nobody. On a virtual host it is refused.",
        places=("tcp46/connecting_shut/*connect*", "tcp46/refused_told/*connect*"),
        live="*EINPROGRESS* => -;-*",
    ),
)
