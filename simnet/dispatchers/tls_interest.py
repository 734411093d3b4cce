"""What the loop is answered when it asks a channel that speaks TLS whether to watch its socket.

The handlers want to read or write plaintext; TLS needs ciphertext to come or go, which is not the same: to
read may take a write, and plaintext may lie in memory while no socket is readable.  TLS is asked first, and
the handlers only where it has no answer of its own.

Owns these answers, phase by phase, and how a class that has its own `readable` or `writable` is asked.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from typing import Any

from .tls_phases import Phase
from .tls_socket import TLSSocket

Wanted = Callable[[], object]
"""What the handlers want, whatever TLS needs."""


def is_readable(sock: TLSSocket | None, is_connecting: bool, wants_to_read: Wanted) -> bool:
    """What to answer for reading; `sock` is None while all is plain."""
    if sock is None:
        return bool(wants_to_read())
    if sock.phase is Phase.WAITING:
        return is_connecting
    if sock.phase is Phase.UPGRADING:
        return False  # the peer has nothing to say before it was told to begin
    if sock.phase is Phase.HANDSHAKE:
        return True
    if sock.error is not None or sock.end_was_told:
        return False
    return sock.write_needs_read or bool(wants_to_read())


def is_writable(
    sock: TLSSocket | None, is_connecting: bool, wants_to_write: Wanted, wants_to_read: Wanted
) -> bool:
    """What to answer for writing; `sock` is None while all is plain."""
    if sock is None or sock.phase is Phase.UPGRADING:
        return bool(wants_to_write())
    if sock.phase is Phase.WAITING:
        return is_connecting
    if sock.has_unsent:
        return True
    if sock.phase is Phase.HANDSHAKE or sock.error is not None:
        return False
    # No poller knows of plaintext in memory.  A socket that is writable tells it as well.
    if sock.has_pending and wants_to_read():
        return True
    return not sock.write_needs_read and bool(wants_to_write())


def behind_tls(own: Callable[[Any], object], answer: Callable[[Any, Wanted], bool]) -> Callable[[Any], bool]:
    """The `readable` or `writable` of a class in front, asked by `answer` when TLS has none of its own."""

    @wraps(own)
    def asked(self: Any) -> bool:
        return answer(self, partial(own, self))

    asked.behind_tls = own  # type: ignore[attr-defined]
    return asked


def is_behind_tls(method: object) -> bool:
    """Whether it was made by `behind_tls`."""
    return hasattr(method, "behind_tls")


def wants(channel: object, method: str, default: Wanted) -> bool:
    """What the class of a channel says itself, by the method of this name; without one, the `default`."""
    own = getattr(getattr(type(channel), method), "behind_tls", None)
    return bool(default() if own is None else own(channel))
