"""A non-blocking socket that speaks TLS, from the start or from the middle of its stream on.

`TLSSocket` stands between a dispatcher and the socket that its transport made.  It is plain until `start`;
from then on `recv` returns what was decrypted and `send` encrypts, with the errnos of any non-blocking
socket.  OpenSSL reads and writes memory (`ssl.MemoryBIO`) and never touches a descriptor, so the same bytes
go over a socket of this computer and over one of a virtual host.

Three buffers lie in between, each with a bound: ciphertext that came and is not decrypted yet (what one
read of the socket brought, and the beginning of a record), plaintext that nobody has asked for yet (one
record), and what waits to be sent.  No call reads the socket more than once.

Owns what goes where in each of the `tls_phases`.  Does not own when anybody is told: that
is the channel's business, in `tls`.

Sources: RFC 8446, sections 6 (alerts, the end of a stream) and 5.1 (records); the manual of Python's
`ssl`, "Memory BIO Support"; SSL_shutdown(3).
"""

from __future__ import annotations

import errno
import os
import socket as std
import ssl
from contextlib import suppress
from typing import Any

from .tls_phases import NEXT, Phase, Step

RECORD_BYTES = 16_384
"""The most plaintext in one record (RFC 8446, section 5.1)."""

UNSENT_MAX_BYTES = 65_536
"""So much ciphertext may wait for the kernel before `send` takes no more."""

_READ_BYTES = 65_536
_SEND_BYTES = 131_072

_UNTOUCHED = frozenset(
    (
        *("fileno", "family", "type", "proto", "timeout", "getsockopt", "setsockopt"),
        *("getpeername", "getsockname", "bind", "listen", "accept", "connect", "connect_ex"),
        *("setblocking", "settimeout", "gettimeout", "get_inheritable", "set_inheritable"),
    )
)
"""What TLS has no part in.  Everything else of a socket would go past it, in plain."""


_RECEIVES = frozenset({Phase.OPEN, Phase.SHUT})
_SENDS = frozenset({Phase.OPEN, Phase.PEER_SHUT})
_PEER_ENDED = frozenset({Phase.PEER_SHUT, Phase.ENDED})


class TLSSocket:
    """A socket in two layers: `raw`, which the kernel knows, and TLS on top of it once it was started.

    What it raises is what a socket raises, and ssl.SSLError where TLS fails; after that it is of no use,
    and `error` says why.
    """

    def __init__(self, raw: Any) -> None:
        self.raw = raw
        self.phase = Phase.PLAIN
        self.ssl_object: ssl.SSLObject | None = None
        self.error: ssl.SSLError | None = None
        self.closed = False
        self.taken_bytes = 0
        """How much plaintext `recv` has returned."""
        self.write_needs_read = False
        """Whether the next `send` can only go on after something was received (a renegotiation)."""
        self.end_was_told = False
        """Whether `recv` has returned b"" for the peer's close_notify."""
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._plain = bytearray()
        self._unsent = bytearray()
        self._raw_has_ended = self._ragged_is_end = self._is_handed_over = False
        self._how: int | None = None

    def __repr__(self) -> str:
        return f"<TLSSocket {self.phase.value} on {self.raw!r}>"

    def __getattr__(self, name: str) -> Any:
        if name not in _UNTOUCHED and self.phase is not Phase.PLAIN:
            raise NotImplementedError(f"{name} of a socket that speaks TLS: it would go past TLS")
        return getattr(self.raw, name)

    # --- phases ----------------------------------------------------------------------------------

    def start(self, context: ssl.SSLContext, ragged_is_end: bool, **options: Any) -> None:
        """Want TLS from now on, with the options of `ssl.SSLContext.wrap_bio`."""
        self.ssl_object = context.wrap_bio(self._incoming, self._outgoing, **options)
        self._ragged_is_end = ragged_is_end
        self._move(Step.START)

    def send_first(self, plain: bytes) -> None:
        """Put plain bytes in line, before everything that TLS says."""
        self._unsent += plain

    def upgrade(self) -> None:
        """What is sent until `begin` goes out in plain."""
        self._move(Step.UPGRADE)

    def begin(self) -> None:
        """The connection stands and everything plain is out or in line: from now on it is TLS."""
        self._move(Step.BEGIN)

    def handshake(self, fresh: bool) -> bool:
        """Go on with the handshake as far as it goes now; whether that is to its end.

        `fresh` as for `fill`.  Raises ssl.SSLError if it fails; the alert for the peer waits to be flushed.
        """
        return self._shake() or (fresh and self._pump() and self._shake())

    def give_up(self, why: str) -> ssl.SSLError:
        """Wait no longer for the peer: TLS has failed, with the error that is returned."""
        return self._fail(ssl.SSLError(why))

    def end(self) -> None:
        """Say that nothing more will be sent, by close_notify.  What the peer sends can still be read."""
        if self.phase not in _SENDS:
            return
        assert self.ssl_object is not None
        # SSL_shutdown, which sends close_notify, then looks for the peer's and fails on data: it sees none.
        held = self._incoming.read()
        with suppress(ssl.SSLError):
            self.ssl_object.unwrap()
        self._incoming.write(held)
        self._collect()
        self._move(Step.SHUT)

    def _move(self, step: Step) -> None:
        self.phase = NEXT[self.phase, step]

    def _fail(self, error: ssl.SSLError) -> ssl.SSLError:
        self._collect()  # the alert
        self._move(Step.FAIL)
        self.error = error
        return error

    def _shake(self) -> bool:
        assert self.ssl_object is not None
        try:
            self.ssl_object.do_handshake()
        except ssl.SSLWantReadError:
            self._collect()
            if self._raw_has_ended:
                raise self._fail(_ragged_end()) from None
            return False
        except ssl.SSLError as error:
            raise self._fail(error) from None
        self._collect()
        self._move(Step.AGREE)
        return True

    # --- receiving -------------------------------------------------------------------------------

    @property
    def has_pending(self) -> bool:
        """Whether `recv` may have something to return that no poller knows of.

        OpenSSL takes the beginning of a record in, too: what it has not looked at is not only that.
        """
        if self.phase in _PEER_ENDED:
            return bool(self._plain) or not self.end_was_told
        return bool(self._plain) or (self.phase in _RECEIVES and self._incoming.pending > 0)

    def fill(self, fresh: bool) -> bool:
        """See to it that `recv` has something to return, plaintext or the end; whether it has.

        Args:
            fresh: whether to ask the kernel too, which is done once, if what came before is not enough.

        Raises ssl.SSLError if the peer's bytes are no TLS, and ssl.SSLEOFError if its stream ends without
        close_notify: somebody may have cut it.
        """
        if self._plain or self.phase in _PEER_ENDED:
            return True
        if self.phase not in _RECEIVES:
            return False
        return self._decrypt() or (fresh and self._pump() and self._decrypt())

    def recv(self, size: int, *flags: int) -> bytes:
        """Up to `size` bytes of plaintext; b"" after the peer's close_notify.

        Raises BlockingIOError (EAGAIN) if there is nothing yet; OSError as recv(2); ssl.SSLError as `fill`.
        """
        self._check_open()
        if self.phase is Phase.PLAIN:
            return self.raw.recv(size, *flags)  # type: ignore[no-any-return]
        if any(flags):
            raise NotImplementedError(f"recv with flags {flags[0]:#x} on a socket that speaks TLS")
        if not self.fill(fresh=True):
            raise self.error or _again()
        if not self._plain:
            self.end_was_told = True
            return b""
        data = bytes(self._plain[:size])
        del self._plain[:size]
        self.taken_bytes += len(data)
        return data

    def _pump(self) -> bool:
        """Take what the kernel has, once; whether that was anything, and be it the end."""
        try:
            data = self.raw.recv(_READ_BYTES)
        except BlockingIOError:
            return False
        self._incoming.write(data)
        self._raw_has_ended = not data
        return True

    def _decrypt(self) -> bool:
        assert self.ssl_object is not None
        self.write_needs_read = False
        try:
            self._plain += self.ssl_object.read(RECORD_BYTES)
        except ssl.SSLWantReadError:
            self._collect()  # the answer to a KeyUpdate, for instance
            if not self._raw_has_ended:
                return False
            if not self._ragged_is_end:
                raise self._fail(_ragged_end()) from None
        except ssl.SSLZeroReturnError:
            pass
        except ssl.SSLError as error:
            raise self._fail(error) from None
        self._collect()
        if not self._plain:
            self._move(Step.PEER_SHUTS)
        return True

    # --- sending ---------------------------------------------------------------------------------

    @property
    def has_unsent(self) -> bool:
        """Whether something waits until the kernel has room."""
        return bool(self._unsent)

    def send(self, data: Any, *flags: int) -> int:
        """Encrypt bytes and hand them to the kernel; how many were taken.

        What was taken and is too much for the kernel waits, up to `UNSENT_MAX_BYTES`, for `flush`.

        Raises BlockingIOError (EAGAIN) during the handshake and while there is no room; BrokenPipeError
        after `end`; OSError as send(2).
        """
        self._check_open()
        if self.phase in (Phase.PLAIN, Phase.UPGRADING):
            return self.raw.send(data, *flags)  # type: ignore[no-any-return]
        if any(flags):
            raise NotImplementedError(f"send with flags {flags[0]:#x} on a socket that speaks TLS")
        if self.error is not None:
            raise self.error
        if self.phase in (Phase.WAITING, Phase.HANDSHAKE):
            raise _again()
        self.flush()
        if self.phase not in _SENDS:
            raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))
        with memoryview(data) as whole, whole.cast("B") as view:
            room_bytes = max(UNSENT_MAX_BYTES - len(self._unsent), 0)
            taken = self._encrypt(view[:room_bytes]) if view else 0
        self.flush()
        return taken

    def flush(self) -> None:
        """Hand the kernel what it takes of what waits.  Raises OSError as send(2)."""
        if self._unsent:
            try:
                sent = self.raw.send(bytes(self._unsent[:_SEND_BYTES]))
            except BlockingIOError:
                return
            del self._unsent[:sent]
        if self._how is not None and not self._unsent:
            how, self._how = self._how, None
            self.raw.shutdown(how)

    def _encrypt(self, data: memoryview) -> int:
        assert self.ssl_object is not None
        if not data:
            raise _again()
        try:
            taken = self.ssl_object.write(data)
        except ssl.SSLWantReadError:
            self._collect()
            self.write_needs_read = True
            raise _again() from None
        except ssl.SSLError as error:
            raise self._fail(error) from None
        self._collect()
        return taken

    def _collect(self) -> None:
        """What OpenSSL wants to be sent goes in line."""
        if self._outgoing.pending:
            self._unsent += self._outgoing.read()

    # --- the end ---------------------------------------------------------------------------------

    def shutdown(self, how: int) -> None:
        """As shutdown(2): to shut the sending side says close_notify, and then FIN."""
        self._check_open()
        if self.phase is Phase.PLAIN or how == std.SHUT_RD:
            self.raw.shutdown(how)
        else:
            self.end()
            self._how = how
            self.flush()

    def close(self) -> None:
        """Say the end by close_notify as far as that goes, and close the socket.  What waits is lost."""
        if not self.closed:
            self._say_the_end()
            self.closed = True
        if not self._is_handed_over:
            self.raw.close()

    def hand_over(self) -> bytes:
        """Say the end, as `close`, and return what the kernel has no room for.

        If that is anything, `raw` is the caller's from now on: `close` leaves it open.
        """
        self._say_the_end()
        rest, self._unsent = bytes(self._unsent), bytearray()
        self._is_handed_over = bool(rest)
        return rest

    def _say_the_end(self) -> None:
        self.end()
        try:
            self.flush()
        except OSError:
            self._unsent.clear()  # nobody will ever have it

    def _check_open(self) -> None:
        if self.closed:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))


def _again() -> BlockingIOError:
    return BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))


def _ragged_end() -> ssl.SSLEOFError:
    return ssl.SSLEOFError(ssl.SSL_ERROR_EOF, "the peer's stream has ended without close_notify")
