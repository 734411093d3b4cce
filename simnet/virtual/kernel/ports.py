"""The TCP ports of one host: who holds which, and who may have one too (bind(2), ip(7)).

Owns the conflicts between bindings, ephemeral ports and TIME_WAIT.  Does not own connections: a port
may have many.
"""

from __future__ import annotations

import errno
from collections import deque
from typing import Protocol

import attrs

from ...units import SECOND_NS

ANY = "0.0.0.0"
TIME_WAIT_NS = 60 * SECOND_NS  # TCP_TIMEWAIT_LEN in include/net/tcp.h


class Holder(Protocol):
    """What the table needs to know of an end that holds a port."""

    local: tuple[str, int]
    remote: tuple[str, int]
    reuse_address: bool

    @property
    def is_listening(self) -> bool: ...
    @property
    def is_connection(self) -> bool: ...


@attrs.define
class _TimeWait:
    """A port that remembers its last connection for a while."""

    local: tuple[str, int]
    reuse_address: bool
    until_ns: int
    is_listening: bool = False


class Ports:
    """Who holds which port.  `first` and `last` bound the ephemeral ones (ip_local_port_range)."""

    __slots__ = ("_held", "_listening", "_next", "_waiting", "first", "last")

    def __init__(self, first: int = 32768, last: int = 60999) -> None:
        self.first, self.last = first, last
        self._next = first
        # Dicts without values: they keep their order, and a port with many connections forgets one
        # of them at once.
        self._held: dict[int, dict[Holder, None]] = {}
        self._listening: dict[int, dict[Holder, None]] = {}
        self._waiting: dict[int, deque[_TimeWait]] = {}

    def take(self, holder: Holder, address: str, port: int, now_ns: int) -> None:
        """Bind `holder` to the port, or to an ephemeral one if `port` is 0.

        Raises OSError(EADDRINUSE) as Linux would.
        """
        if port == 0:
            port = self._ephemeral(address, now_ns)
        elif self.conflicts(holder, address, port, now_ns):
            raise OSError(errno.EADDRINUSE, "Address already in use")
        holder.local = (address, port)
        self.share(holder)

    def conflicts(self, holder: Holder, address: str, port: int, now_ns: int) -> bool:
        """Whether somebody else's binding bars this one (inet_csk_bind_conflict; bind() and listen() ask).

        Two bindings conflict if the addresses overlap, unless both have SO_REUSEADDR and the earlier
        one does not listen.
        """
        return any(
            self._overlap(other.local[0], address)
            and (other.is_listening or not (other.reuse_address and holder.reuse_address))
            for other in self._others(port, holder, now_ns)
        )

    def has_pair(self, holder: Holder, remote: tuple[str, int]) -> bool:
        """Whether another connection goes from `holder`'s address to `remote` (__inet_check_established).

        One in TIME_WAIT does not count: with timestamps a new one is told apart (tcp_twsk_unique).
        """
        pair = holder.local, remote
        return any(
            other.is_connection and other is not holder and (other.local, other.remote) == pair
            for other in self._held.get(holder.local[1], ())
        )

    def share(self, holder: Holder) -> None:
        """Note one more holder of a port that it was given, as an accepted connection is."""
        self._held.setdefault(holder.local[1], {})[holder] = None

    def release(self, holder: Holder) -> None:
        """`holder` no longer holds its port, if it did."""
        self._drop(self._held, holder)

    def listening(self, holder: Holder) -> None:
        """`holder` takes the SYNs that come for its port, from now on."""
        self._listening.setdefault(holder.local[1], {})[holder] = None

    def not_listening(self, holder: Holder) -> None:
        """`holder` takes no SYN any more."""
        self._drop(self._listening, holder)

    @staticmethod
    def _drop(table: dict[int, dict[Holder, None]], holder: Holder) -> None:
        holders = table.get(holder.local[1])
        if holders is not None:
            holders.pop(holder, None)
            if not holders:
                del table[holder.local[1]]

    def linger(self, holder: Holder, now_ns: int) -> None:
        """Leave TIME_WAIT behind in `holder`'s place."""
        note = _TimeWait(holder.local, holder.reuse_address, now_ns + TIME_WAIT_NS)
        self._still_waiting(holder.local[1], now_ns)  # forgets what is over
        self._waiting.setdefault(holder.local[1], deque()).append(note)

    def listener(self, address: str, port: int) -> Holder | None:
        """The end that takes a SYN for this address: an exact binding before a wildcard one."""
        wildcard = None
        for holder in self._listening.get(port, ()):
            if holder.local[0] == address:
                return holder
            if wildcard is None and holder.local[0] == ANY:
                wildcard = holder
        return wildcard

    def holders_of(self, port: int) -> list[Holder]:
        """Everything that holds a port, in the order in which it came."""
        return list(self._held.get(port, ()))

    def holders(self) -> list[Holder]:
        """Everything that holds a port, in order of ports."""
        return [holder for port in sorted(self._held) for holder in self._held[port]]

    def time_waits(self, now_ns: int) -> list[tuple[str, int]]:
        """The local addresses that are in TIME_WAIT."""
        return [w.local for port in sorted(self._waiting) for w in self._waiting[port] if w.until_ns > now_ns]

    def _others(self, port: int, holder: Holder, now_ns: int) -> list[Holder | _TimeWait]:
        held = [other for other in self._held.get(port, ()) if other is not holder]
        return [*held, *self._still_waiting(port, now_ns)]

    def _still_waiting(self, port: int, now_ns: int) -> deque[_TimeWait]:
        notes = self._waiting.get(port)
        if notes is None:
            return deque()
        while notes and notes[0].until_ns <= now_ns:
            notes.popleft()
        if not notes:
            del self._waiting[port]
        return notes

    def _ephemeral(self, address: str, now_ns: int) -> int:
        for _ in range(self.first, self.last + 1):
            port = self._next
            self._next = port + 1 if port < self.last else self.first
            if port not in self._held and not self._still_waiting(port, now_ns):
                return port
        raise OSError(errno.EADDRINUSE, "Address already in use")

    @staticmethod
    def _overlap(one: str, other: str) -> bool:
        return one == other or ANY in (one, other)
