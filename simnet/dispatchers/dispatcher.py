"""The dispatcher of asyncore, on whatever transport it is given.

A `dispatcher` is a socket with handlers: the loop calls `handle_read` when there is something to read,
`handle_write` when there is room to write, and the events that follow from these two: a connection is
established when it first becomes writable, it was closed when it becomes readable and there is nothing
to read, and a listener that is readable has a connection to accept.

Classes written for asyncore work with a change of the import.  Where this differs from asyncore:

* `writable` is True only while connecting, unless the class overrides `handle_write`: asyncore's
  default lets every loop spin.
* An exception that a handler lets out ends a virtual run and reaches the test, unless the class has a
  `handle_error` of its own.  On the real transport it is printed and the channel is closed, as ever.
* A connection that cannot be established is told by `handle_connect_failed`, and is no mistake of the
  program: without one, handle_error closes the channel, prints only a warning, which is off, and ends no run.
* EAGAIN out of a handler is a spurious event, not an error.
* HUP and ERR are told by a read event, as select(2) shows them, and not by a handle_close of their own.
* After `close` nothing more is called, and no event that was meant for the former owner of a descriptor;
  recv and send find nothing and take nothing, and `handle_close` is not called for it.
* A listener outlives an accept that fails for want of descriptors or memory, and pauses.
* `send` takes nothing before the connection stands, where asyncore closes the channel.
* A connection that the system gives up (ETIMEDOUT, EHOSTUNREACH, ENETUNREACH) is told by `handle_close`, as
  one that was reset.
* With `close_once`, `handle_close` is called once even if it leaves the channel open.
"""

from __future__ import annotations

import errno
import os
import socket as std
import sys
import traceback
from collections.abc import Callable
from typing import Any, ClassVar

from ..loop import DISCONNECTED, GIVEN_UP, Loop, loop_for
from ..timers import Timer
from ..transport import IN, OUT, PRI, Address, Transport, current

# EAGAIN is none of them: a backlog of AF_UNIX is full (connect(2)), and nothing ever comes of it.  Windows
# has an EWOULDBLOCK of its own, which says what EINPROGRESS says elsewhere.
_IN_PROGRESS = (errno.EINPROGRESS, errno.EALREADY, *({errno.EWOULDBLOCK} - {errno.EAGAIN}))
_NO_CONNECTION = (errno.EWOULDBLOCK, errno.EAGAIN, errno.ECONNABORTED)
_REFUSALS = GIVEN_UP | {errno.ECONNREFUSED, errno.ECONNRESET}
_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_UNCONNECTED = (errno.EPIPE, errno.ENOTCONN)  # what send(2) says before connect(2), and of lost connections

_INPUT = IN | PRI
_EVERYTHING = IN | PRI | OUT


class dispatcher:
    """A socket with handlers.

    Args:
        sock: a connected socket, such as `accept` returned; it becomes non-blocking.
        map: the channel map to join; without it, the one of the transport's default loop.
        transport: the machine to live on; without it, the current one.
    """

    declares_interest: ClassVar[bool] = True
    """Whether `readable` and `writable` change their answers only when `touch` is called.

    A class that overrides either, itself or by a mixin, is asked in every pass of its loop, unless it sets
    this to True.  So is an instance with a `readable` or `writable` of its own, from the next `touch` on.
    """

    accept_pause: ClassVar[str | float] = "1s"
    """How long a listener rests when the system has no descriptor or memory left for a connection.

    The connection waits, and readiness is level-triggered: without a rest the loop would spin.
    """

    close_once: ClassVar[bool] = False
    """Whether `handle_close` is called once for a connection, also if it leaves the channel open.

    As asyncore does, a channel that `handle_close` leaves open is told again as long as the end of the stream
    can be read, in every pass.  With True it is told once, and reads no more; it may go on to send.
    """

    deaf_to = 0
    """Events (IN, PRI, OUT) that the loop does not wait for, whatever `readable` and `writable` say."""

    ignore_log_types: ClassVar[frozenset[str]] = frozenset({"warning"})
    _handles_write: ClassVar[bool] = False
    closes_told = 0  # how often handle_close was called for this connection, where somebody counts
    _refused = False
    _failure: OSError | None = None  # of connecting, if `send` was told it
    _is_over = False  # closed, or told by handle_close if that is called once
    _was_there = False  # a connection: if there is none, it is over, and not still to come
    _resumption: Timer | None = None  # of a listener that pauses

    connected = False
    accepting = False
    connecting = False
    addr: Address = None
    socket: Any = None

    def __init__(
        self, sock: Any = None, map: dict[int, Any] | None = None, transport: Transport | None = None
    ) -> None:
        self._transport = transport if transport is not None else current()
        self._loop: Loop = loop_for(self._transport, map)
        self._map = self._loop.map
        self._fileno: int | None = None
        if sock is None:
            return
        sock.setblocking(False)
        self.set_socket(sock)
        self.connected = self._was_there = True
        try:
            self.addr = sock.getpeername()
        except OSError as error:
            if error.errno not in (errno.ENOTCONN, errno.EINVAL):
                self.del_channel()
                raise
            # Not connected yet, or reset before anybody looked.
            self.connected = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # What a layer (a mixin such as TLS) overrides only passes on what the classes behind it say.
        before = cls.__mro__[: cls.__mro__.index(dispatcher)]
        overriding = [vars(each) for each in before if not vars(each).get("is_layer", False)]
        # Whatever comes first: a class that says, or one that answers.  Mixins are no subclasses of this.
        for names in overriding:
            if "declares_interest" in names:
                break
            if "readable" in names or "writable" in names:
                cls.declares_interest = False
                break
        if any("handle_write" in names or "handle_write_event" in names for names in overriding):
            cls._handles_write = True

    def __repr__(self) -> str:
        state = "listening" if self.accepting else "connected" if self.connected else ""
        words = [type(self).__name__, state, "" if self.addr is None else _show(self.addr)]
        return f"<{' '.join(word for word in words if word)}>"

    # --- the channel map -------------------------------------------------------------------------

    def add_channel(self, map: dict[int, Any] | None = None) -> None:
        """Join a map under the socket's descriptor: from now on the loop calls the handlers."""
        assert self._fileno is not None, "a channel without a socket has no place in a map"
        self._is_over, self.deaf_to, self.closes_told = False, 0, 0
        self._loop_of(map).add(self._fileno, self)

    def del_channel(self, map: dict[int, Any] | None = None) -> None:
        """Leave the map: no handler is called any more."""
        if self._fileno is not None:
            running = self._loop_of(map)
            if running.map.get(self._fileno) is self:
                running.remove(self._fileno)
            self._fileno = None

    def _loop_of(self, map: dict[int, Any] | None) -> Loop:
        return self._loop if map is None or map is self._map else loop_for(self._transport, map)

    def touch(self) -> None:
        """Say that `readable` or `writable` may answer differently now."""
        if self._fileno is not None:
            self._loop.touch(self._fileno, self)

    def call_later(self, delay: str | float, callback: Callable[..., object], *args: Any) -> Timer:
        """Call ``callback(*args)`` after `delay`, in seconds or as text (``"20ms"``); see `Timer.cancel`.

        A timer outlives its channel unless it is cancelled.
        """
        return self._loop.call_later(delay, callback, *args)

    def call_soon_threadsafe(self, callback: Callable[..., object], *args: Any) -> None:
        """Have the loop call ``callback(*args)`` in its own thread; for other threads and signal handlers.

        See `Loop.call_soon_threadsafe`.
        """
        self._loop.call_soon_threadsafe(callback, *args)

    # --- sockets ---------------------------------------------------------------------------------

    def create_socket(self, family: int = std.AF_INET, type: int = std.SOCK_STREAM) -> None:
        """Make the socket, non-blocking."""
        sock = self._transport.socket(family, type)
        sock.setblocking(False)
        self._was_there = False
        self.set_socket(sock)

    def set_socket(self, sock: Any, map: dict[int, Any] | None = None) -> None:
        """Use this socket, and join the map; the place that a former socket had is given up."""
        self.del_channel()
        self.socket = sock
        self._fileno = sock.fileno()
        self.add_channel(map)

    def set_reuse_addr(self) -> None:
        """Let the address be bound again although connections of a former listener linger."""
        try:
            old = self.socket.getsockopt(std.SOL_SOCKET, std.SO_REUSEADDR)
            self.socket.setsockopt(std.SOL_SOCKET, std.SO_REUSEADDR, old | 1)
        except OSError:
            pass

    def bind(self, address: Address) -> None:
        """Bind the socket to a local address."""
        self.addr = address
        self.socket.bind(address)

    def listen(self, backlog: int) -> None:
        """Wait for connections; each leads to `handle_accepted`."""
        self.accepting = True
        self.socket.listen(backlog)
        self.touch()

    def accept(self) -> tuple[Any, Address] | None:
        """The next connection and its peer's address, or None if there is none after all.

        Raises OSError with EMFILE, ENFILE, ENOBUFS or ENOMEM if the system has no room for it (accept(2));
        then the listener rests for `accept_pause`.
        """
        try:
            sock, address = self.socket.accept()
        except OSError as error:
            if error.errno in _NO_CONNECTION:
                return None
            if error.errno in _EXHAUSTED:
                self._pause(error)
            raise
        return sock, address

    def _pause(self, error: OSError) -> None:
        if self._resumption is None:
            # On a virtual host the trace tells it, and a search would print it a thousand times.
            kind = "warning" if self._transport.ends_on_error else "error"
            self.log_info(f"{self._name()} rests for {self.accept_pause}: {error}", kind)
            self._turn_deaf(_INPUT)
            self._resumption = self.call_later(self.accept_pause, self._resume)

    def _resume(self) -> None:
        self._resumption, self.deaf_to = None, 0
        self.touch()

    def _turn_deaf(self, events: int) -> None:
        """Wait for these events no more."""
        if events & ~self.deaf_to:
            self.deaf_to |= events
            self.touch()

    def connect(self, address: Address) -> None:
        """Begin to connect; `handle_connect` tells when it is done.

        A failure leads to `handle_connect_failed`, whose default raises it: out of here if it comes at once,
        as with AF_UNIX always (also with EAGAIN, if the backlog is full), and else to `handle_error`.
        """
        self.connected = self._refused = self._was_there = False
        self.connecting, self._failure = True, None
        self.touch()
        try:
            reason = self.socket.connect_ex(address)
            if reason not in (0, errno.EISCONN, *_IN_PROGRESS):
                raise OSError(reason, os.strerror(reason))
        except OSError as error:
            self.connecting = False
            self._connect_failed(error)
            return
        self.addr = address
        if reason not in _IN_PROGRESS:
            self.handle_connect_event()

    def send(self, data: bytes) -> int:
        """Hand bytes to the kernel; return how many it took, which may be fewer, or none.

        It takes none before the connection stands, nor after its end, which `handle_close` tells.
        """
        try:
            return self.socket.send(data)  # type: ignore[no-any-return]
        except OSError as error:
            if error.errno == errno.EWOULDBLOCK:
                return 0
            if self.connecting and not self._was_there and error.errno in _REFUSALS:
                self._failure = error  # the socket says it once, and handle_connect_event must know
                return 0
            if error.errno in DISCONNECTED | GIVEN_UP:
                # Nothing cannot be sent after shutdown(SHUT_WR) either, and is no end of what is read.
                had_one = self.connected or self._was_there
                if error.errno not in _UNCONNECTED or (had_one and data):
                    self.handle_close_event()
                return 0
            raise

    def recv(self, buffer_size: int) -> bytes:
        """Up to `buffer_size` bytes; b"" after the end of the stream, and then `handle_close` was called.

        At the end of the peer's stream `handle_eof_event` is what calls it, and `handle_close_event` if the
        connection was reset or given up.  Raises BlockingIOError (EAGAIN) where there is nothing to read,
        as after a spurious event; a handler may let it out, and is called again when there is something.
        """
        try:
            data: bytes = self.socket.recv(buffer_size)
        except OSError as error:
            if error.errno in DISCONNECTED or (error.errno in GIVEN_UP and not self.connecting):
                self.handle_close_event()
                return b""
            raise
        if not data:
            self.handle_eof_event()
        return data

    def close(self) -> None:
        """Close the socket and leave the map.  A second call does nothing."""
        if self._transport.witness is not None and self._fileno is not None:
            self._transport.witness.closes(self._transport, self, self._fileno)
        self.connected = self.accepting = self.connecting = False
        self._is_over = True
        if self._resumption is not None:
            self._resumption.cancel()
            self._resumption = None
        self.del_channel()
        if self.socket is not None:
            try:
                self.socket.close()
            except OSError as error:
                if error.errno not in (errno.ENOTCONN, errno.EBADF):
                    raise

    # --- predicates ------------------------------------------------------------------------------

    def readable(self) -> bool:
        """Whether to be told that there is something to read: yes."""
        return True

    def writable(self) -> bool:
        """Whether to be told that there is room to write: while connecting, and if `handle_write` exists."""
        return self.connecting or self._handles_write

    # --- events, between the loop and the handlers -----------------------------------------------

    def handle_read_event(self) -> None:
        """The socket is readable: a connection to accept, one that is done, data, or the end."""
        if self.accepting:
            self.handle_accept()
            return
        if self.connected or not self.connecting or self._connects():
            self.handle_read()

    def handle_write_event(self) -> None:
        """The socket is writable: connecting is over, or there is room."""
        if self.accepting:
            return
        if self.connected or not self.connecting or self._connects():
            self.handle_write()

    def _connects(self) -> bool:
        """Connecting is over; False if the handler was told and has closed the channel."""
        sock = self.socket
        self.handle_connect_event()
        return self._fileno is not None and self.socket is sock

    def handle_connect_event(self) -> None:
        """Connecting is over; if it failed, `handle_connect_failed` is told, whose default raises OSError."""
        sock = self.socket
        reason = sock.getsockopt(std.SOL_SOCKET, std.SO_ERROR)
        if reason or self._failure is not None:
            self._connect_failed(self._failure or OSError(reason, os.strerror(reason)))
            return
        self._was_there = True
        self.handle_connect()
        if self._fileno is not None and self.socket is sock:  # else the handler has closed the channel
            self.connected = True
            self.connecting = False
            self.touch()

    def _connect_failed(self, error: OSError) -> None:
        sock = self.socket
        self.handle_connect_failed(error)
        if self._fileno is not None and self.socket is sock:
            self.close()

    def handle_expt_event(self) -> None:
        """Out-of-band data, or an error that waits."""
        reason = self.socket.getsockopt(std.SOL_SOCKET, std.SO_ERROR)
        if not reason:
            self.handle_expt()
        elif self.connecting:
            self._connect_failed(OSError(reason, os.strerror(reason)))
        else:
            self.handle_close_event()

    def handle_eof_event(self) -> None:
        """The peer's half of the connection is over."""
        self._end(_INPUT)

    def handle_close_event(self) -> None:
        """The connection is gone."""
        self._end(_EVERYTHING)

    def _end(self, events: int) -> None:
        """No event of these can mean anything any more: tell `handle_close`, unless it knows."""
        if self.close_once:
            self._turn_deaf(events)
        if not self._is_over:
            self._is_over = self.close_once
            if self._transport.witness is not None:
                self._transport.witness.tells_close(self._transport, self)
            self.handle_close()

    # --- handlers, to be overridden --------------------------------------------------------------

    def handle_read(self) -> None:
        """There is something to read."""
        self.log_info("unhandled read event", "warning")

    def handle_write(self) -> None:
        """There is room to write."""
        if self._handles_write:
            self.log_info("unhandled write event", "warning")

    def handle_connect(self) -> None:
        """The connection is established."""
        self.log_info("unhandled connect event", "warning")

    def handle_connect_failed(self, error: OSError) -> None:
        """The connection could not be established: refused, timed out, unreachable; `error` has the errno.

        The default raises `error`, which `handle_error` then is told.  One that returns is all that is
        called, also for a `connect` that fails at once; the channel is closed behind it, unless it has
        another socket.
        """
        self._refused = True
        raise error

    def handle_accept(self) -> None:
        """A connection waits; the default accepts it and calls `handle_accepted`."""
        try:
            pair = self.accept()
        except OSError:
            if self._resumption is None:
                raise
            return
        if pair is not None:
            self.handle_accepted(*pair)

    def handle_accepted(self, sock: Any, addr: Address) -> None:
        """A connection was accepted; the default closes it."""
        sock.close()
        self.log_info("unhandled accepted event", "warning")

    def handle_expt(self) -> None:
        """Out-of-band data arrived."""
        self.log_info("unhandled incoming priority event", "warning")

    def handle_close(self) -> None:
        """The connection is gone; the default closes the channel."""
        self.log_info("unhandled close event", "warning")
        self.close()

    def handle_error(self) -> None:
        """A handler let an exception out: end a virtual run; print it and close on the real transport.

        A connection that could not be established is no mistake of a handler: the channel is closed.
        """
        error = sys.exc_info()[1]
        assert error is not None
        refused = self._refused and isinstance(error, OSError)
        if self._resumption is not None and isinstance(error, OSError) and error.errno in _EXHAUSTED:
            return  # out of a handle_accept of one's own; the listener has said it already, and rests
        if self._transport.ends_on_error and not refused:
            raise error
        place = traceback.extract_tb(error.__traceback__)
        where = "".join(f"[{frame.filename}|{frame.name}|{frame.lineno}]" for frame in place)
        kind = "warning" if refused else "error"
        self.log_info(
            f"uncaptured python exception, closing channel {self._name()} ({type(error)}:{error} {where})",
            kind,
        )
        self.handle_close_event()

    def _name(self) -> str:
        try:
            return repr(self)
        except Exception:
            return f"<{type(self).__name__}, whose __repr__ fails>"

    # --- logging ---------------------------------------------------------------------------------

    def log(self, message: object) -> None:
        """Write a line to standard error."""
        sys.stderr.write(f"log: {message}\n")

    def log_info(self, message: object, type: str = "info") -> None:
        """Print a line, unless its type is one of `ignore_log_types`."""
        if type not in self.ignore_log_types:
            print(f"{type}: {message}")


def _show(address: Address) -> str:
    if isinstance(address, tuple) and len(address) >= 2:
        return f"{address[0]}:{address[1]}"
    return str(address)
