"""The TCP ports of one host: who holds which, and who may have one too (bind(2), ip(7), ipv6(7)).

Owns the conflicts between bindings, ephemeral ports, which of several listeners is asked, and TIME_WAIT.
Does not own connections: a port may have many.
"""

from __future__ import annotations

import errno
import os
from collections import deque
from collections.abc import Iterator
from typing import Protocol

import attrs

from ...units import SECOND_NS
from .. import linux as std
from .addresses import ANY, ANY6, Inet, ipv4_view, is_ipv6, is_loopback, overlap
from .port_buckets import Bucket

TIME_WAIT_NS = 60 * SECOND_NS  # TCP_TIMEWAIT_LEN in include/net/tcp.h
_AF_INET = int(std.AF_INET)
_REUSE_AFTER_NS = SECOND_NS
"""How old a connection in TIME_WAIT must be for a new one to take its place (tcp_tw_reuse, for loopback)."""


class Binding(Protocol):
    """What two holders of a port have to agree about: those of sockets, and what TIME_WAIT remembers."""

    @property
    def local(self) -> Inet: ...
    @property
    def remote(self) -> Inet: ...
    @property
    def reuse_address(self) -> bool: ...
    @property
    def reuse_port(self) -> bool: ...
    @property
    def v6only(self) -> bool:
        """IPV6_V6ONLY."""

    @property
    def is_listening(self) -> bool: ...
    @property
    def shares_port(self) -> bool:
        """Whether connect() chose the port, so that it may serve connections to other places too."""


class Holder(Binding, Protocol):
    """What the table needs to know of an end that holds a port."""

    family: int
    local: Inet
    reuse_port: bool

    @property
    def is_connection(self) -> bool: ...


def _bars(other: Binding, holder: Binding) -> bool:
    """Whether a binding with the same address bars `holder`'s (inet_bind_conflict): unless both have
    SO_REUSEADDR and the earlier one does not listen, or both have SO_REUSEPORT."""
    if other.reuse_address and holder.reuse_address and not other.is_listening:
        return False
    return not (other.reuse_port and holder.reuse_port)


@attrs.define
class _TimeWait:
    """A port that remembers its last connection for a while."""

    local: Inet
    remote: Inet
    reuse_address: bool
    reuse_port: bool
    v6only: bool
    shares_port: bool
    since_ns: int
    is_listening: bool = False


class Ports:
    """Who holds which port.  `first` and `last` bound the ephemeral ones (ip_local_port_range)."""

    __slots__ = ("_asking", "_buckets", "_held", "_listening", "_next", "_waiting", "first", "last")

    def __init__(self, first: int = 32768, last: int = 60999) -> None:
        self.first, self.last = first, last
        self._next = first
        # Dicts without values: they keep their order, and a port with many connections forgets one
        # of them at once.
        self._held: dict[int, dict[Holder, None]] = {}
        self._listening: dict[int, dict[Holder, None]] = {}
        self._waiting: dict[int, deque[_TimeWait]] = {}
        self._buckets: dict[int, Bucket] = {}
        self._asking: dict[tuple[Inet, Inet], Holder] = {}

    def again(self) -> Ports:
        """A table like this one, before anything was bound."""
        return Ports(self.first, self.last)

    # --- taking one ------------------------------------------------------------------------------

    def take(self, holder: Holder, address: str, port: int, now_ns: int) -> None:
        """Bind `holder` to the port, or to an ephemeral one if `port` is 0.

        Raises OSError(EADDRINUSE) as Linux would.
        """
        if port == 0:
            port = self._free(now_ns) or self._free_at(holder, address, now_ns)
        elif self._is_barred(holder, address, port, now_ns):
            port = 0
        if not port:
            raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
        self._remember(holder, address, port, now_ns)
        holder.local = (address, port)
        self.share(holder)

    def take_to_listen(self, holder: Holder, now_ns: int) -> None:
        """Ask anew for the port that `holder` has, as listen() does.

        Raises OSError(EADDRINUSE) if it may not listen there.
        """
        address, port = holder.local
        if self._is_barred(holder, address, port, now_ns):
            raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
        self._remember(holder, address, port, now_ns)

    def take_to_connect(self, holder: Holder, address: str, remote: Inet, now_ns: int) -> None:
        """Give `holder` an ephemeral port for a connection to `remote` (__inet_hash_connect).

        Raises OSError(EADDRNOTAVAIL) if every port has a connection to there already.
        """
        port = self._free(now_ns) or self._shareable(address, remote, now_ns)
        if not port:
            raise OSError(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL))
        if port not in self._held:
            self._buckets.pop(port, None)
        holder.local = (address, port)
        self.share(holder)

    def _is_barred(self, holder: Holder, address: str, port: int, now_ns: int) -> bool:
        """inet_csk_get_port."""
        bucket = self._bucket(port, now_ns)
        if bucket is not None and bucket.lets_in(holder, address):
            return False
        return self.conflicts(holder, address, port, now_ns)

    def _bucket(self, port: int, now_ns: int) -> Bucket | None:
        """What is remembered of a port; None if that is nothing."""
        bucket = self._buckets.get(port)
        if bucket is not None and port not in self._held and not self._still_waiting(port, now_ns):
            del self._buckets[port]  # with the last who had the port the memory goes
            return None
        return bucket

    def _remember(self, holder: Holder, address: str, port: int, now_ns: int) -> None:
        bucket = self._bucket(port, now_ns)
        if bucket is not None:
            bucket.note(holder, address)
        elif holder.reuse_port:
            bucket = self._buckets[port] = Bucket()
            bucket.note(holder, address)

    def conflicts(self, holder: Holder, address: str, port: int, now_ns: int) -> bool:
        """Whether somebody else's binding bars this one (inet_csk_bind_conflict; bind() and listen() ask)."""
        return any(_bars(other, holder) for other in self._rivals(holder, address, port, now_ns))

    def has_pair(self, holder: Holder, remote: Inet) -> bool:
        """Whether another connection goes from `holder`'s address to `remote` (__inet_check_established).

        One in TIME_WAIT does not count: with timestamps a new one is told apart (tcp_twsk_unique).
        """
        pair = holder.local, remote
        return any(
            other.is_connection and other is not holder and (other.local, other.remote) == pair
            for other in list(self._held.get(holder.local[1], ()))
        )

    def _rivals(self, holder: Holder, address: str, port: int, now_ns: int) -> Iterator[Binding]:
        """Whoever holds the port at an address that has something in common with this one."""
        for other in (*self._held.get(port, ()), *self._still_waiting(port, now_ns)):
            if other is not holder and _meets(holder, address, other):
                yield other

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
        note = _TimeWait(
            holder.local,
            holder.remote,
            holder.reuse_address,
            holder.reuse_port,
            holder.v6only,
            holder.shares_port,
            now_ns,
        )
        self._still_waiting(holder.local[1], now_ns)  # forgets what is over
        self._waiting.setdefault(holder.local[1], deque()).append(note)

    def asks(self, holder: Holder) -> None:
        """`holder` has sent a SYN, and one that comes from where it went is for `holder`."""
        self._asking[holder.local, holder.remote] = holder

    def asks_no_more(self, holder: Holder) -> None:
        self._asking.pop((holder.local, holder.remote), None)

    # --- finding ---------------------------------------------------------------------------------

    def asking(self, local: Inet, remote: Inet) -> Holder | None:
        """The end whose SYN is on its way from `local` to `remote`: it comes before any listener."""
        return self._asking.get((local, remote))

    def listener(self, address: str, port: int, source_port: int) -> Holder | None:
        """The end that takes a SYN for this address: an exact binding before a wildcard one, and IPv4's
        wildcard before IPv6's (compute_score in inet_hashtables.c).

        Of several with SO_REUSEPORT the number of the source port decides, where Linux uses a hash of the
        connection's addresses and ports (reuseport_select_sock); neither asks who is busy.
        """
        holders = self._listening.get(port)
        if holders is None:
            return None
        if len(holders) == 1:
            (only,) = holders
            bound = only.local[0]
            is_asked = bound in (address, ANY6) or (bound == ANY and not is_ipv6(address))
            return only if is_asked and not _declines(only, address) else None
        wildcards = (ANY6,) if is_ipv6(address) else (ANY, ANY6)
        for bound in (address, *wildcards):
            found = [one for one in holders if one.local[0] == bound and not _declines(one, address)]
            if found:
                group = [one for one in found if one.reuse_port] or found[:1]
                return group[source_port % len(group)]
        return None

    def holders(self) -> list[Holder]:
        """Everything that holds a port, in order of ports."""
        # Lists, made in one step: the collector may close a socket at any moment, also while a tuple is made.
        return [holder for port in sorted(self._held) for holder in list(self._held.get(port, ()))]

    def time_waits(self, now_ns: int) -> list[Inet]:
        """The local addresses that are in TIME_WAIT."""
        notes = [note for port in sorted(self._waiting) for note in self._waiting[port]]
        return [note.local for note in notes if note.since_ns + TIME_WAIT_NS > now_ns]

    def _still_waiting(self, port: int, now_ns: int) -> deque[_TimeWait]:
        notes = self._waiting.get(port)
        if notes is None:
            return deque()
        while notes and notes[0].since_ns + TIME_WAIT_NS <= now_ns:
            notes.popleft()
        if not notes:
            del self._waiting[port]
        return notes

    # --- ephemeral ports -------------------------------------------------------------------------

    def _free(self, now_ns: int) -> int:
        """The next port that nobody holds at any address; 0 if there is none."""
        for _ in range(self.first, self.last + 1):
            port = self._next if self.first <= self._next <= self.last else self.first
            self._next = port + 1 if port < self.last else self.first
            if port not in self._held and not self._still_waiting(port, now_ns):
                return port
        return 0

    def _free_at(self, holder: Holder, address: str, now_ns: int) -> int:
        """A port that nobody holds at this address (inet_csk_find_open_port)."""
        ports = range(self.first, self.last + 1)
        return next((port for port in ports if not any(self._rivals(holder, address, port, now_ns))), 0)

    def _shareable(self, address: str, remote: Inet, now_ns: int) -> int:
        """A port that only has connections to other places."""
        for port in range(self.first, self.last + 1):
            holders, notes = self._held.get(port, {}), self._still_waiting(port, now_ns)
            pair = (address, port), remote
            if all(one.shares_port and (one.local, one.remote) != pair for one in holders) and all(
                note.shares_port and ((note.local, note.remote) != pair or _may_be_reused(note, now_ns))
                for note in notes
            ):
                return port
        return 0


def _meets(holder: Holder, address: str, other: Binding) -> bool:
    """Whether `holder`'s binding to `address` has something in common with that of `other`.

    A socket of IPv4 proper looks at another one through IPv4's eyes, to which every address of IPv6 is one of
    loopback (LOOPBACK4_IPV6), so that its wildcard meets them all, but for those of IPv6 only.
    """
    theirs = other.local[0]
    if holder.family == _AF_INET and is_ipv6(theirs):
        return not other.v6only and (ANY in (address, ipv4_view(theirs)) or address == ipv4_view(theirs))
    return overlap(theirs, other.v6only, address, holder.v6only)


def _declines(listener: Holder, address: str) -> bool:
    """Whether a listener of IPv6 only is asked about IPv4."""
    return listener.v6only and not is_ipv6(address)


def _may_be_reused(note: _TimeWait, now_ns: int) -> bool:
    return is_loopback(note.remote[0]) and now_ns - note.since_ns >= _REUSE_AFTER_NS
