"""The asyncore of Python 3.11, to the letter, on any transport and every Python.

``from simnet import asyncore`` is the one line that an old program has to change.  It has all names of the
old module, its texts and its faults; what a native `simnet.dispatcher` does better is as it was here.  On
this computer it asks `select.select` or `select.poll`, as ever.

What is new is that it runs on every `Transport`.  `socket`, `select`, `time` and `os` are those of the
current one, and are looked up at each use, for programs replace them; that is why all of it is one module.
`socket_map` is the current transport's: two hosts do not share descriptors.  A virtual host makes the passes
by itself, so ``with host: Server()`` and ``network.run()`` are enough; `loop` and `poll` let time pass there.

Two things a program can notice on a virtual host only: an exception that a handler lets out ends the run,
unless the class has a `handle_error` of its own; and `loop` returns when nothing can happen any more.

Owns the names, the channels, and what they are told.  Does not own how a pass is made: see `passes`, `ways`.

Source: https://docs.python.org/3.11/library/asyncore.html, and what its programs rely on.
"""

from __future__ import annotations

import socket as std
import sys
import warnings
from collections.abc import Iterable
from contextlib import suppress
from errno import (
    EAGAIN,
    EALREADY,
    EBADF,
    ECONNABORTED,
    ECONNRESET,
    EINPROGRESS,
    EINVAL,
    EISCONN,
    ENOTCONN,
    EPIPE,
    ESHUTDOWN,
    EWOULDBLOCK,
    errorcode,
)
from types import ModuleType
from typing import Any

from .dispatchers.lingering import Lingering
from .loop import DISCONNECTED, PASSING, ExitNow
from .machine import MachineModule, module_of
from .passes import Passes, make_pass, passes_over, run_until_quiet
from .transport import Address, current
from .ways import ByPoll, BySelect

__all__ = [
    "dispatcher",
    "dispatcher_with_send",
    "file_dispatcher",
    "file_wrapper",
    "ExitNow",
    "socket_map",
    "loop",
    "poll",
    "poll2",
    "poll3",
    "read",
    "write",
    "readwrite",
    "close_all",
    "compact_traceback",
    "os",
    "select",
    "socket",
    "sys",
    "time",
    "warnings",
    "errorcode",
    "EAGAIN",
    "EALREADY",
    "EBADF",
    "ECONNABORTED",
    "ECONNRESET",
    "EINPROGRESS",
    "EINVAL",
    "EISCONN",
    "ENOTCONN",
    "EPIPE",
    "ESHUTDOWN",
    "EWOULDBLOCK",
]

os: Any = MachineModule("os")
select: Any = MachineModule("select")
socket: Any = MachineModule("socket")
time: Any = MachineModule("time")

socket_map: dict[int, Any]
"""The channels of the current transport that name no other map, by descriptor.  Assigning replaces it."""

_DISCONNECTED = DISCONNECTED
_reraised_exceptions = PASSING


def _strerror(err: int) -> str:
    """The system's text for an errno, or the best there is."""
    try:
        return str(os.strerror(err))
    except (ValueError, OverflowError):
        return errorcode.get(err, f"Unknown error {err}")


# --- the loop ------------------------------------------------------------------------------------


def read(obj: Any) -> None:
    """Hand `obj` a read event; what it lets out goes to its handle_error, but for what leaves the loop."""
    try:
        obj.handle_read_event()
    except _reraised_exceptions:
        raise
    except BaseException:
        obj.handle_error()


def write(obj: Any) -> None:
    """Hand `obj` a write event, as `read` does."""
    try:
        obj.handle_write_event()
    except _reraised_exceptions:
        raise
    except BaseException:
        obj.handle_error()


def _exception(obj: Any) -> None:
    """Hand `obj` an exceptional event, as `read` does."""
    try:
        obj.handle_expt_event()
    except _reraised_exceptions:
        raise
    except BaseException:
        obj.handle_error()


def readwrite(obj: Any, flags: int) -> None:
    """Hand `obj` all that poll(2) says of it: to read, to write, exceptional, and last that it is closed.

    An OSError that means that the connection is gone leads to handle_close.
    """
    try:
        for event, handler in (
            (select.POLLIN, "handle_read_event"),
            (select.POLLOUT, "handle_write_event"),
            (select.POLLPRI, "handle_expt_event"),
            (select.POLLHUP | select.POLLERR | select.POLLNVAL, "handle_close"),
        ):
            if flags & event:
                getattr(obj, handler)()
    except OSError as error:
        if error.errno in _DISCONNECTED:
            obj.handle_close()
        else:
            obj.handle_error()
    except _reraised_exceptions:
        raise
    except BaseException:
        obj.handle_error()


def poll(timeout: float | None = 0.0, map: dict[int, Any] | None = None) -> None:
    """One pass over `map` by select(2), which may wait up to `timeout` seconds.

    All that are readable are told, then all that are writable, then those with something exceptional.
    """
    channels = _map_or_default(map)
    if channels:
        make_pass(channels, _BY_SELECT, timeout)


def poll2(timeout: float | None = 0.0, map: dict[int, Any] | None = None) -> None:
    """One pass over `map` by poll(2), as `poll`; descriptor by descriptor, see `readwrite`."""
    channels = _map_or_default(map)
    if channels:
        make_pass(channels, _BY_POLL, timeout)


poll3 = poll2


def loop(
    timeout: float | None = 30.0,
    use_poll: bool = False,
    map: dict[int, Any] | None = None,
    count: int | None = None,
) -> None:
    """Make passes until `map` is empty, or `count` of them.

    On a virtual host this lets time pass for the whole network; without a `count` it also returns when
    nothing can happen any more.

    Args:
        timeout: how long one pass may wait, in seconds.
        use_poll: poll(2) instead of select(2).
        map: channels by descriptor; without it, `socket_map`.
        count: passes to make; without it, as many as it takes.

    `ExitNow`, KeyboardInterrupt and SystemExit pass through.
    """
    channels = _map_or_default(map)
    poll_fun = poll2 if use_poll and hasattr(select, "poll") else poll
    way = _WAYS.get(poll_fun)
    if count is None and way is not None and current().drives_loops:
        run_until_quiet(channels, way, timeout)
        return
    while channels and (count is None or count > 0):
        poll_fun(timeout, channels)
        if count is not None:
            count -= 1


_HERE = sys.modules[__name__]
_BY_SELECT, _BY_POLL = BySelect(_HERE), ByPoll(_HERE)
_WAYS = {poll: _BY_SELECT, poll2: _BY_POLL}


def _default_passes() -> Passes:
    """Those over the current transport's `socket_map`."""
    transport = current()
    if __name__ not in transport.kept:
        transport.kept.setdefault(__name__, Passes(transport, _BY_SELECT))
    passes: Passes | None = transport.kept[__name__]
    if passes is None:
        raise AttributeError(f"module {__name__!r} has no attribute 'socket_map'")
    return passes


def _map_or_default(map: dict[int, Any] | None) -> dict[int, Any]:
    return _default_passes().map if map is None else map


class _Module(ModuleType):
    """This module, with a `socket_map` for each transport."""

    @property
    def socket_map(self) -> dict[int, Any]:
        return _default_passes().map

    @socket_map.setter
    def socket_map(self, map: dict[int, Any]) -> None:
        transport = current()
        transport.kept[__name__] = passes_over(map, transport, _BY_SELECT)

    @socket_map.deleter
    def socket_map(self) -> None:
        current().kept[__name__] = None

    def __dir__(self) -> Iterable[str]:
        return [*super().__dir__(), "socket_map"]


_HERE.__class__ = _Module


def close_all(map: dict[int, Any] | None = None, ignore_all: bool = False) -> None:
    """Close every channel of `map` and empty it.

    A channel whose descriptor is closed already counts as closed.  What else `close` raises is let out,
    unless `ignore_all`; then only what leaves a loop is.
    """
    channels = _map_or_default(map)
    for channel in list(channels.values()):
        try:
            channel.close()
        except OSError as error:
            if error.errno != EBADF and not ignore_all:
                raise
        except _reraised_exceptions:
            raise
        except BaseException:
            if not ignore_all:
                raise
    for channel in [each for each in channels.values() if isinstance(each, Lingering)]:
        channel.close()  # came just now, with the rest of a channel: nobody will turn it
    channels.clear()


def compact_traceback() -> tuple[tuple[str, str, str], Any, Any, str]:
    """The exception that is being handled, in one line.

    Returns:
        (file, function, line) of where it was raised, its type, itself, and the way there as
        ``[file|function|line] [file|function|line]``.

    Raises AssertionError if there is none.
    """
    kind, value, traceback = sys.exc_info()
    if traceback is None:
        raise AssertionError("traceback does not exist")
    places = []
    while traceback is not None:
        code = traceback.tb_frame.f_code
        places.append((code.co_filename, code.co_name, str(traceback.tb_lineno)))
        traceback = traceback.tb_next
    return places[-1], kind, value, " ".join(f"[{'|'.join(place)}]" for place in places)


# --- channels ------------------------------------------------------------------------------------


class dispatcher:
    """A socket with handlers, as asyncore has it.

    Args:
        sock: a socket, usually a connected one; it becomes non-blocking.
        map: the channel map to join; without it, the current transport's `socket_map`.
    """

    debug = False
    connected = False
    accepting = False
    connecting = False
    closing = False
    addr: Address = None
    ignore_log_types: Any = frozenset({"warning"})
    socket: Any
    family_and_type: tuple[int, int]

    # Two underscores: the programs' classes have private names of their own, and do not know these.
    __failure: OSError | None = None
    __passes: Passes

    def __init__(self, sock: Any = None, map: dict[int, Any] | None = None) -> None:
        self._map = _map_or_default(map)
        self._fileno: Any = None
        if not sock:
            self.socket = None
            return
        sock.setblocking(False)
        self.set_socket(sock, map)
        self.connected = True
        try:
            self.addr = sock.getpeername()
        except OSError as error:
            if error.errno not in (ENOTCONN, EINVAL):
                self.del_channel(map)
                raise
            self.connected = False

    def __repr__(self) -> str:
        cls = type(self)
        words = [f"{cls.__module__.removeprefix('simnet.')}.{cls.__qualname__}"]
        if self.accepting and self.addr:
            words.append("listening")
        elif self.connected:
            words.append("connected")
        if self.addr is not None:
            try:
                words.append("%s:%d" % self.addr)  # noqa: UP031  (what fits no pair is shown as it is)
            except TypeError:
                words.append(repr(self.addr))
        return f"<{' '.join(words)} at {id(self):#x}>"

    # --- the channel map -------------------------------------------------------------------------

    def add_channel(self, map: dict[int, Any] | None = None) -> None:
        """Join a map under the socket's descriptor."""
        channels = self._map if map is None else map
        channels[self._fileno] = self
        self.__passes = passes_over(channels, current(), _BY_SELECT)
        self.__passes.touch()

    def del_channel(self, map: dict[int, Any] | None = None) -> None:
        """Leave the map."""
        channels = self._map if map is None else map
        if self._fileno in channels:
            del channels[self._fileno]
        self._fileno = None

    # --- sockets ---------------------------------------------------------------------------------

    def create_socket(self, family: int = std.AF_INET, type: int = std.SOCK_STREAM) -> None:
        """Make the socket, non-blocking."""
        self.family_and_type = family, type
        sock = socket.socket(family, type)
        sock.setblocking(False)
        self.set_socket(sock)

    def set_socket(self, sock: Any, map: dict[int, Any] | None = None) -> None:
        """Use this socket, and join the map."""
        self.socket = sock
        self._fileno = sock.fileno()
        self.add_channel(map)

    def set_reuse_addr(self) -> None:
        """Let the address be bound again although connections of a former listener linger."""
        try:
            old = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR)
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, old | 1)
        except OSError:
            pass

    def listen(self, num: int) -> Any:
        """Wait for connections; each leads to `handle_accept`."""
        self.accepting = True
        if os.name == "nt" and num > 5:
            num = 5
        return self.socket.listen(num)

    def bind(self, addr: Address) -> Any:
        """Bind the socket to a local address."""
        self.addr = addr
        return self.socket.bind(addr)

    def connect(self, address: Address) -> None:
        """Begin to connect; `handle_connect` tells when it is done.  Raises OSError if it failed at once."""
        self.connected = False
        self.connecting = True
        reason = self.socket.connect_ex(address)
        if reason in (EINPROGRESS, EALREADY, EWOULDBLOCK) or (reason == EINVAL and os.name == "nt"):
            self.addr = address
        elif reason in (0, EISCONN):
            self.addr = address
            self.handle_connect_event()
        else:
            raise OSError(reason, errorcode[reason])

    def accept(self) -> tuple[Any, Address] | None:
        """The next connection and its peer's address, or None if there is none after all."""
        try:
            sock, address = self.socket.accept()
        except TypeError:
            return None
        except OSError as error:
            if error.errno in (EWOULDBLOCK, ECONNABORTED, EAGAIN):
                return None
            raise
        return sock, address

    def send(self, data: Any) -> Any:
        """Hand bytes to the kernel; returns how many it took, which may be fewer, or 0.

        A connection that is gone leads to handle_close, and 0.
        """
        try:
            return self.socket.send(data)
        except OSError as error:
            if error.errno not in (EWOULDBLOCK, *_DISCONNECTED):
                raise
            if error.errno != EWOULDBLOCK:
                self.handle_close()
            return 0

    def recv(self, buffer_size: int) -> bytes:
        """Up to `buffer_size` bytes; b"" at the end of the stream, and then `handle_close` was called.

        Raises BlockingIOError where there is nothing to read.
        """
        try:
            data: bytes = self.socket.recv(buffer_size)
            if not data:
                self.handle_close()
                return b""
        except OSError as error:
            if error.errno in _DISCONNECTED:
                self.handle_close()
                return b""
            raise
        return data

    def close(self) -> None:
        """Close the socket and leave the map."""
        self.connected = False
        self.accepting = False
        self.connecting = False
        self.del_channel()
        if self.socket is not None:
            try:
                self.socket.close()
            except OSError as error:
                if error.errno not in (ENOTCONN, EBADF):
                    raise

    # --- predicates ------------------------------------------------------------------------------

    def readable(self) -> Any:
        """Whether to be told that there is something to read: yes."""
        return True

    def writable(self) -> Any:
        """Whether to be told that there is room to write: yes."""
        return True

    # --- events, between the loop and the handlers -----------------------------------------------

    def handle_read_event(self) -> None:
        """The socket is readable: a connection to accept, one that is done, data, or the end."""
        if self.accepting:
            self.handle_accept()
            return
        if not self.connected and self.connecting:
            self.handle_connect_event()
        self.handle_read()

    def handle_write_event(self) -> None:
        """The socket is writable: connecting is over, or there is room."""
        if self.accepting:
            return
        if not self.connected and self.connecting:
            self.handle_connect_event()
        self.handle_write()

    def handle_connect_event(self) -> None:
        """Connecting is over; raises OSError if it failed."""
        reason = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if reason != 0:
            self.__failure = OSError(reason, _strerror(reason))
            raise self.__failure
        self.handle_connect()
        self.connected = True
        self.connecting = False

    def handle_expt_event(self) -> None:
        """Out-of-band data, or an error that waits."""
        if self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0:
            self.handle_close()
        else:
            self.handle_expt()

    # --- handlers, to be overridden --------------------------------------------------------------

    def handle_error(self) -> None:
        """A handler let an exception out: print it and close the channel.

        On a virtual host it ends the run instead, but for a connection that could not be established: that
        is no mistake of the program.
        """
        _, kind, value, info = compact_traceback()
        if current().ends_on_error and value is not self.__failure:
            raise value
        try:
            name = repr(self)
        except BaseException:
            name = f"<__repr__(self) failed for object at {id(self):0x}>"
        self.log_info(f"uncaptured python exception, closing channel {name} ({kind}:{value} {info})", "error")
        self.handle_close()

    def handle_expt(self) -> None:
        """Out-of-band data arrived."""
        self.log_info("unhandled incoming priority event", "warning")

    def handle_read(self) -> None:
        """There is something to read."""
        self.log_info("unhandled read event", "warning")

    def handle_write(self) -> None:
        """There is room to write."""
        self.log_info("unhandled write event", "warning")

    def handle_connect(self) -> None:
        """The connection is established."""
        self.log_info("unhandled connect event", "warning")

    def handle_accept(self) -> None:
        """A connection waits; the default accepts it and calls `handle_accepted`."""
        pair = self.accept()
        if pair is not None:
            self.handle_accepted(*pair)

    def handle_accepted(self, sock: Any, addr: Address) -> None:
        """A connection was accepted; the default closes it."""
        sock.close()
        self.log_info("unhandled accepted event", "warning")

    def handle_close(self) -> None:
        """The connection is gone; the default closes the channel."""
        self.log_info("unhandled close event", "warning")
        self.close()

    # --- logging ---------------------------------------------------------------------------------

    def log(self, message: object) -> None:
        """Write a line to standard error."""
        sys.stderr.write(f"log: {message!s}\n")

    def log_info(self, message: object, type: str = "info") -> None:
        """Print a line, unless its type is among `ignore_log_types`."""
        if type not in self.ignore_log_types:
            print(f"{type!s}: {message!s}")


class dispatcher_with_send(dispatcher):
    """A dispatcher whose `send` keeps what the kernel does not take in `out_buffer`."""

    def __init__(self, sock: Any = None, map: dict[int, Any] | None = None) -> None:
        dispatcher.__init__(self, sock, map)
        self.out_buffer = b""

    def initiate_send(self) -> None:
        """Hand the kernel up to 64 KiB of `out_buffer`."""
        sent = dispatcher.send(self, self.out_buffer[:65536])
        self.out_buffer = self.out_buffer[sent:]

    def handle_write(self) -> None:
        self.initiate_send()

    def writable(self) -> Any:
        return not self.connected or len(self.out_buffer)

    def send(self, data: Any) -> None:
        """Queue all of `data` and send what can be sent now."""
        if self.debug:
            self.log_info(f"sending {data!r}")
        self.out_buffer = self.out_buffer + data
        self.initiate_send()


# --- files ---------------------------------------------------------------------------------------


class file_wrapper:
    """A descriptor with as much of a socket's methods as a dispatcher calls.

    Args:
        fd: a descriptor; it is duplicated, and stays the caller's.
    """

    def __init__(self, fd: int) -> None:
        self._os = module_of(os)  # it is closed on the machine on which it was opened
        self.fd: int = self._os.dup(fd)

    def __repr__(self) -> str:
        return f"<asyncore.file_wrapper object at {id(self):#x}>"

    def __del__(self) -> None:
        if self.fd >= 0:
            warnings.warn(f"unclosed file {self!r}", ResourceWarning, source=self)  # noqa: B028
        self.close()

    def recv(self, *args: Any) -> bytes:
        """As os.read."""
        return self._os.read(self.fd, *args)  # type: ignore[no-any-return]

    def send(self, *args: Any) -> int:
        """As os.write."""
        return self._os.write(self.fd, *args)  # type: ignore[no-any-return]

    def getsockopt(self, level: int, optname: int, buflen: int | None = None) -> int:
        """No error waits: SO_ERROR is 0.  Whatever else is asked raises NotImplementedError."""
        if level == socket.SOL_SOCKET and optname == socket.SO_ERROR and not buflen:
            return 0
        raise NotImplementedError("Only asyncore specific behaviour implemented.")

    read = recv
    write = send

    def close(self) -> None:
        """Close the duplicate, once."""
        if self.fd >= 0:
            fd, self.fd = self.fd, -1
            self._os.close(fd)

    def fileno(self) -> int:
        """The duplicate; -1 when it is closed."""
        return self.fd


class file_dispatcher(dispatcher):
    """A dispatcher over a descriptor that is no socket, such as a pipe's.

    Args:
        fd: a descriptor, or an object with one; it becomes non-blocking, and is duplicated.
        map: as for `dispatcher`.
    """

    def __init__(self, fd: Any, map: dict[int, Any] | None = None) -> None:
        dispatcher.__init__(self, None, map)
        self.connected = True
        with suppress(AttributeError):
            fd = fd.fileno()
        self.set_file(fd)
        os.set_blocking(fd, False)

    def set_file(self, fd: int) -> None:
        """Use this descriptor, and join the map."""
        self.socket = file_wrapper(fd)
        self._fileno = self.socket.fileno()
        self.add_channel()
