"""How traces and reports call AF_UNIX sockets: as those of TCP, with a path where these have a port.

A listener is ``server:/run/app.sock``, who connects to it ``server:1 -> server:/run/app.sock``, and who is
accepted the same the other way round.  An abstract name begins with ``@``.  The ends of a socketpair() are
``server:pair1a -> server:pair1b`` and the reverse; a datagram socket is called by its name, if it has one.

Owns labels.  Nothing in the simulation depends on them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .unix_names import printed

if TYPE_CHECKING:
    from ..host import Host
    from .unix import UnixEnd


class UnixLabels:
    """The labels of one host; they count on through a restart."""

    __slots__ = ("_host", "_opened", "_pairs")

    def __init__(self, host: Host) -> None:
        self._host = host
        self._opened: dict[str, int] = {}  # how many connections were opened, by name
        self._pairs = 0

    def bound(self, end: UnixEnd) -> None:
        """A listener, or a datagram socket that has a name."""
        self._call(end, self._of(end))

    def connected(self, opener: UnixEnd, acceptor: UnixEnd) -> None:
        """The two ends of a connection to a name."""
        path = printed(acceptor.name)
        nth = self._opened[path] = self._opened.get(path, 0) + 1
        self._call_both(opener, acceptor, f"{self._host.name}:{nth}", self._of(acceptor))

    def paired(self, first: UnixEnd, second: UnixEnd) -> None:
        """The two ends of a socketpair()."""
        self._pairs += 1
        name = f"{self._host.name}:pair{self._pairs}"
        self._call_both(first, second, f"{name}a", f"{name}b")

    def _of(self, end: UnixEnd) -> str:
        return f"{self._host.name}:{printed(end.name)}"

    def _call_both(self, first: UnixEnd, second: UnixEnd, one: str, other: str) -> None:
        self._call(first, f"{one} -> {other}")
        self._call(second, f"{other} -> {one}")

    def _call(self, end: UnixEnd, label: str) -> None:
        end.label = label
        network = self._host.network
        if network.log is not None:
            end.number = network.trace.name(network.now_ns, label)
