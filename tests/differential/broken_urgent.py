"""Rules of TCP's urgent byte, each broken once."""

from __future__ import annotations

from .infidelities import Infidelity

URGENT = [
    Infidelity(
        "an urgent byte shows no PRI",
        "tcp.TcpEnd.poll_mask",
        "mask |= PRI",
        "mask |= 0",
        "oob",
    ),
    Infidelity(
        "an urgent byte in line is lost",
        "tcp_urgent.UrgentEnd._pass_mark",
        "self._append(mark.byte)\n    else",
        "pass\n    else",
        "oob",
    ),
    Infidelity(
        "SIOCATMARK says yes before the mark",
        "tcp_urgent.UrgentEnd.is_at_mark",
        " and self.queue is None",
        "",
        "oob",
    ),
    Infidelity(
        "an urgent byte can be read twice",
        "tcp_urgent.UrgentEnd._recv_urgent",
        "mark.is_read or not flags & _PEEK",
        "False",
        "oob",
    ),
    Infidelity(
        "an urgent byte in line can be read out of line",
        "tcp_urgent.UrgentEnd._recv_urgent",
        " or self._is_inline",
        "",
        "oob",
    ),
    Infidelity(
        "an urgent byte that was overtaken is gone",
        "tcp_urgent.UrgentEnd._demote_mark",
        "elif mark.is_queued:",
        "elif False:",
        "oob",
    ),
    Infidelity(
        "an urgent byte that is stepped over can still be read",
        "tcp_urgent.UrgentEnd._pass_mark",
        "self.mark = None",
        "pass",
        "oob",
    ),
]
