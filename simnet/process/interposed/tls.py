"""`ssl.SSLSocket` in a process: the class stays, and what it has from C speaks over a virtual socket.

What `ssl.SSLSocket` adds to a socket in Python is inherited as it is, by the technique of `sockets`.  Beneath
it stands an object made in C, which `SSLContext._wrap_socket` returns and which reads and writes a
descriptor.  A virtual socket has none, so for a `HostedSocket` the context makes a `HostedTLS`: OpenSSL
between two pieces of memory (`ssl.MemoryBIO`), and this module moves the bytes as OpenSSL does by itself:

- It sends what OpenSSL has to say before it reads.
- It reads five bytes, the header of a record, and then as many as that says (RFC 8446, section 5.1; read
  ahead is off in Python).  So what `select` knows and what only `pending` knows is as on Linux, what follows
  close_notify in plain stays in the kernel, and a fault that cuts a read hits the read that it hits there.
- `write` takes all or says nothing: where it has to wait and must not, some records are gone, one in part,
  and who tries again must give the same data from its start (SSL_write(3)).
- A time-out is one for the whole call, and what it raises is what `_ssl` raises.

What dispatchers use (`simnet.dispatchers.tls_socket`) is another thing: a non-blocking socket that hides
OpenSSL's wishes behind errnos, and reads what there is.

Keys and other random bytes are OpenSSL's own, from the entropy of this computer: what records contain differs
from run to run, what they are long does not.  OpenSSL asks this computer what day it is.

Owns `HostedTLS`, and `SSLContext._wrap_socket`.

Sources: the manual of Python's `ssl`; SSL_read(3), SSL_write(3), SSL_shutdown(3), SSL_get_error(3).
"""

from __future__ import annotations

import ssl
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from ...transport import ERR, HUP, IN, OUT
from ..process import running
from .sockets import HostedSocket

RECORD_BYTES = 16_384
"""The most plaintext in one record (RFC 8446, section 5.1)."""

_HEADER_BYTES = 5

_wrap_socket = ssl.SSLContext._wrap_socket  # type: ignore[attr-defined]


class HostedTLS:
    """What `_ssl._SSLSocket` is to an `ssl.SSLSocket`, over a virtual socket.

    What is not a matter of bytes (certificates, ciphers, sessions) is asked of OpenSSL's object itself.
    """

    def __init__(self, context: ssl.SSLContext, sock: HostedSocket, *args: Any, **kwargs: Any) -> None:
        process = running()
        assert process is not None
        self._host, self._sock = process.host, sock._virtual
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls: Any = context._wrap_bio(  # type: ignore[attr-defined]
            self._incoming, self._outgoing, *args, **kwargs
        )
        self._record = b""  # the header of the record that is coming, as far as it has come
        self._missing_bytes = _HEADER_BYTES  # of that header, or of that record
        self._unsent = b""
        self._taken_bytes = 0  # of data that a `write` was given which has not returned

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tls, name)

    @property
    def context(self) -> ssl.SSLContext:
        return self._tls.context  # type: ignore[no-any-return]

    @context.setter
    def context(self, context: ssl.SSLContext) -> None:
        self._tls.context = context

    @property
    def session(self) -> ssl.SSLSession | None:
        return self._tls.session  # type: ignore[no-any-return]

    @session.setter
    def session(self, session: ssl.SSLSession) -> None:
        self._tls.session = session

    # --- calls -----------------------------------------------------------------------------------

    def do_handshake(self) -> None:
        deadline_ns = self._deadline_ns()
        while True:
            self._send_all("handshake", deadline_ns)
            if self._ask(self._tls.do_handshake) is not _MORE:
                break
            self._send_all("handshake", deadline_ns)
            self._receive("handshake", deadline_ns)
        self._send_all("handshake", deadline_ns)

    def read(self, size: int, *buffer: Any) -> Any:
        """Up to `size` bytes, or how many of them are in the buffer; none after close_notify."""
        deadline_ns = self._deadline_ns()
        while (answer := self._ask(self._tls.read, size, *buffer)) is _MORE:
            if self._tls.version() is None:
                self._send_all("read", deadline_ns)  # the handshake is not over
            else:
                self._send_what_goes()  # the answer to new keys, for instance
            self._receive("read", deadline_ns)
        self._send_what_goes()
        return answer

    def write(self, data: Any) -> int:
        """Send all of it, record by record; how much that is."""
        deadline_ns = self._deadline_ns()
        with _bytes_of(data) as whole, whole.cast("B") as view:
            if deadline_ns is not None:  # Python looks for room before it asks OpenSSL
                self._wait_for_room(deadline_ns)
            if len(view) < self._taken_bytes:
                raise _bad_length()
            self._send_all("write", deadline_ns)
            for start in range(self._taken_bytes, max(len(view), 1), RECORD_BYTES):
                self._taken_bytes += self._encrypt(view[start : start + RECORD_BYTES], deadline_ns)
                self._send_all("write", deadline_ns)
        taken, self._taken_bytes = self._taken_bytes, 0
        return taken

    def _encrypt(self, data: memoryview, deadline_ns: int | None) -> int:
        while (taken := self._ask(self._tls.write, data)) is _MORE:  # a renegotiation
            self._send_all("write", deadline_ns)
            self._receive("write", deadline_ns)
        return int(taken)

    def shutdown(self) -> Any:
        """Say close_notify and wait for the peer's; returns the socket, for what follows in plain."""
        deadline_ns = self._deadline_ns()
        self._send_all("shutdown", deadline_ns)
        while self._ask(self._tls.shutdown) is _MORE:
            self._send_all("shutdown", deadline_ns)
            self._receive("shutdown", deadline_ns)
        self._send_all("shutdown", deadline_ns)
        return self._tls.owner

    def _ask(self, call: Callable[..., Any], *args: Any) -> Any:
        """What OpenSSL answers, or `_MORE` if it has to read first; what it has to say is in line then."""
        try:
            return call(*args)
        except ssl.SSLWantReadError:
            return _MORE
        except ssl.SSLSyscallError:  # how OpenSSL's own memory says that there was an end before
            raise _eof() from None
        except ssl.SSLError:
            self._unsent += self._outgoing.read()
            self._send_what_goes()  # the alert
            raise
        finally:
            self._unsent += self._outgoing.read()

    # --- bytes -----------------------------------------------------------------------------------

    def _receive(self, what: str, deadline_ns: int | None) -> None:
        """Take what the record that is coming lacks, or a part of it."""
        data = self._patiently(IN, lambda end: end.recv(self._missing_bytes, 0), what, deadline_ns)
        if not data:
            self._incoming.write_eof()
            return
        self._incoming.write(data)
        self._missing_bytes -= len(data)
        if len(self._record) < _HEADER_BYTES:
            self._record += data
            if not self._missing_bytes:
                self._missing_bytes = int.from_bytes(self._record[3:], "big")
        if not self._missing_bytes:
            self._record, self._missing_bytes = b"", _HEADER_BYTES

    def _send_all(self, what: str, deadline_ns: int | None) -> None:
        """Send all that is in line."""
        while self._unsent:
            sent = self._patiently(OUT, lambda end: end.send(self._unsent, 0), what, deadline_ns)
            self._unsent = self._unsent[sent:]

    def _wait_for_room(self, deadline_ns: int) -> None:
        end: Any = self._host.descriptors.of(self._sock.fileno())
        wanted = OUT | ERR | HUP
        if not self._host.wait("send", lambda: end.poll_mask() & wanted, deadline_ns, (end,), wanted):
            raise _timed_out("write", OUT)

    def _send_what_goes(self) -> None:
        """Send what the kernel takes of what is in line, for who wants something else."""
        if self._unsent:
            with suppress(OSError):
                end: Any = self._host.descriptors.of(self._sock.fileno())
                self._unsent = self._unsent[end.send(self._unsent, 0) :]

    def _deadline_ns(self) -> int | None:
        return self._host.deadline_ns(self._sock.gettimeout() or None)

    def _patiently(
        self, event: int, system_call: Callable[[Any], Any], what: str, deadline_ns: int | None
    ) -> Any:
        """Make a system call; where it has to wait, wait, or say so if the program does not want to."""
        end: Any = self._host.descriptors.of(self._sock.fileno())
        try:
            return _told(system_call, end, what)
        except BlockingIOError:
            if self._sock.gettimeout() == 0:
                raise _wants(event) from None
        wanted, answers = event | ERR | HUP, []

        def is_answered() -> bool:
            with suppress(BlockingIOError):
                answers.append(_told(system_call, end, what))
            return bool(answers)

        def is_over() -> bool:
            return bool(end.try_while_ready(wanted, is_answered))

        if not self._host.wait(_CALLS[event], is_over, deadline_ns, (end,), wanted):
            raise _timed_out(what, event)
        return answers[0]


_MORE = object()
_CALLS = {IN: "recv", OUT: "send"}

_EX_CALLS_TELL = sys.version_info >= (3, 13)
"""Whether reading and writing raise the errno of a system call.  Pythons before tell of an end: they took it
for one what SSL_read_ex(3) and SSL_write_ex(3) return."""


def _told(system_call: Callable[[Any], Any], end: Any, what: str) -> Any:
    """What a system call returns, or its error, as `_ssl` tells it."""
    try:
        return system_call(end)
    except BlockingIOError:
        raise
    except OSError:
        if _EX_CALLS_TELL or what not in ("read", "write"):
            raise
    raise _eof()


def _eof() -> ssl.SSLEOFError:
    return ssl.SSLEOFError(int(ssl.SSL_ERROR_EOF), "EOF occurred in violation of protocol")


def _timed_out(what: str, event: int) -> TimeoutError:
    """With the place in `_ssl.c`, but for its line, where `_ssl` gives that."""
    if what == "handshake":
        return TimeoutError("_ssl.c: The handshake operation timed out")
    return TimeoutError(f"The {'read' if event == IN else 'write'} operation timed out")


def _bytes_of(data: Any) -> memoryview:
    try:
        return memoryview(data)
    except TypeError:
        raise TypeError(f"a bytes-like object is required, not {type(data).__name__!r}") from None


def _wants(event: int) -> ssl.SSLError:
    if event == IN:
        return ssl.SSLWantReadError(int(ssl.SSL_ERROR_WANT_READ), "The operation did not complete (read)")
    return ssl.SSLWantWriteError(int(ssl.SSL_ERROR_WANT_WRITE), "The operation did not complete (write)")


def _bad_length() -> ssl.SSLError:
    error = ssl.SSLError(int(ssl.SSL_ERROR_SSL), "[SSL: BAD_LENGTH] bad length")
    error.library, error.reason = "SSL", "BAD_LENGTH"
    return error


def _wrap_hosted(self: ssl.SSLContext, sock: Any, *args: Any, **kwargs: Any) -> Any:
    make = HostedTLS if isinstance(sock, HostedSocket) else _wrap_socket
    return make(self, sock, *args, **kwargs)


def change() -> Callable[[], None]:
    """Let contexts wrap sockets of a host; returns what undoes it."""
    ssl.SSLContext._wrap_socket = _wrap_hosted  # type: ignore[attr-defined]

    def undo() -> None:
        del ssl.SSLContext._wrap_socket  # type: ignore[attr-defined]

    return undo
