"""What happened, event by event, with a digest that two equal runs share.

An event is a tuple ``(time_ns, kind, who, n, data)``: virtual time, the number of a `Kind`, the number
of an actor (an end of a connection, a listener, a host), a count (bytes, an errno, a port) and bytes or
text or None.  Events are appended as they come and rendered only on demand.

The digest is over the events in version 2 of Python's marshal format: it takes plain integers, bytes and
text, writes them in one way on every machine and Python, knows no references, and costs a quarter of
a microsecond an event.  That is why `kind` is an int in events, not a member of `Kind`.

This module owns the record.  It does not know how a report shows it.
"""

from __future__ import annotations

import marshal
from enum import IntEnum
from hashlib import blake2b
from typing import TypeAlias

Event: TypeAlias = "tuple[int, int, int, int, bytes | str | None]"


class Kind(IntEnum):
    """What an event says; `n` and `data` are given in brackets."""

    NAME = 0  # an actor gets its number and name [-, name]
    CONNECT = 1  # connect() was called [port, -]
    LISTEN = 2  # listen() was called [backlog, -]
    ACCEPT = 3  # a connection was accepted [port of the peer, -]
    ESTABLISHED = 4  # the handshake ended at this end [-]
    SEND = 5  # send() took bytes [count, the bytes]
    ARRIVE = 6  # bytes came into the receive buffer [count, the bytes]
    RECV = 7  # recv() returned bytes [count, -]
    SHUTDOWN = 8  # shutdown() was called [how, -]
    FIN = 9  # the peer's FIN arrived [-]
    RESET = 10  # a RST or a refusal by ICMP arrived, or the end was aborted [errno, -]
    CLOSE = 11  # close() was called [-]
    FAIL = 12  # a call failed [errno, the call's name]
    DEVIATE = 13  # a pick was not 0 [the size of the operation, the deviation as a sentence]
    HAPPEN = 14  # something befell the network [-, the sentence]
    TIMER = 15  # a timer was called [-]
    DRAW = 16  # the program drew a value that is not the simplest [-, the sentence]


_NAME = int(Kind.NAME)
_CHUNK = 1024
"""Events are hashed so many at a time; the digest depends on it."""

_MARSHAL = 2


class Trace:
    """The events of one run.  `keep` bounds how many stay readable; the digest covers all of them."""

    def __init__(self, keep: int = 32_768) -> None:
        self.events: list[Event] = []
        self.names: list[str] = []
        self.dropped = 0
        self.covers_contents = True
        """Whether the digest is over the bytes that are sent, too, and not only over their number.

        False is for programs that draw their bytes elsewhere, such as TLS in OpenSSL; say it before the run.
        """
        self._keep = keep
        self._folded = 0
        self._hash = blake2b(digest_size=16)

    def __len__(self) -> int:
        return self.dropped + len(self.events)

    def name(self, now_ns: int, name: str) -> int:
        """Give an actor its number."""
        number = len(self.names)
        self.names.append(name)
        self.events.append((now_ns, _NAME, number, 0, name))
        return number

    def end(self) -> None:
        """The run is over: what happens from now on is not part of it.

        A program that failed leaves sockets behind, which are closed when its exception is garbage.
        """
        self.events = self.events.copy()  # whoever appends has the method of the former list

    def digest(self) -> str:
        """32 hexadecimal digits: equal for equal runs, on every machine and Python version."""
        self._fold()
        result = self._hash.copy()
        result.update(self._dump(self.events[self._folded :]))
        return result.hexdigest()

    def trim(self) -> None:
        """Bound the memory of a long run: fold events into the digest and drop the oldest."""
        if len(self.events) > 2 * self._keep:
            self._fold()
            surplus = min(len(self.events) - self._keep, self._folded)
            del self.events[:surplus]
            self.dropped += surplus
            self._folded -= surplus

    def _fold(self) -> None:
        """Hash all whole chunks that are not hashed yet."""
        while len(self.events) - self._folded >= _CHUNK:
            chunk = self.events[self._folded : self._folded + _CHUNK]
            self._hash.update(self._dump(chunk))
            self._folded += _CHUNK

    def _dump(self, events: list[Event]) -> bytes:
        return marshal.dumps(events if self.covers_contents else list(map(self.covered, events)), _MARSHAL)

    def covered(self, event: Event) -> Event:
        """The part of an event that the digest is over."""
        if self.covers_contents or not isinstance(event[4], bytes):
            return event
        return (*event[:4], None)
