"""A dispatcher for protocols of commands and answers: input by terminators, output by producers.

Owns where the input is cut into pieces, and what waits to be sent.  Does not own what was collected: that
is the program's, and so is a bound on it.

An `async_chat` is handed its input as it comes, piece by piece (`collect_incoming_data`), and told where
a terminator ended it (`found_terminator`).  A terminator is a string of bytes, a number of bytes, or None.
What is kept back is only what may be the first part of a terminator, so that every byte is searched once,
however it was cut on its way, and a piece is copied once, however much input stands behind it.

Where this differs from asynchat:

* Once the channel is closed, or has another socket, nothing more of the former input is told: not a
  command behind the one that closed it, nor what came in clear before an encrypted connection.
* Terminators and data are bytes; a str is a mistake that is found at once.
* Whoever appends to `producer_fifo` calls `initiate_send`, for the channel declares its interest.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any, ClassVar, Protocol, TypeAlias, TypeVar

from ..errors import UsageError
from ..transport import Transport
from .sending import KeepsOutput

Terminator: TypeAlias = bytes | int | None
_Text = TypeVar("_Text", bytes, str)


class Producer(Protocol):
    """Makes output when there is room for it."""

    def more(self) -> bytes:
        """The next piece, or b"" if that was all."""


class simple_producer:
    """A producer of data that is there already, `buffer_size` bytes at a time."""

    def __init__(self, data: bytes, buffer_size: int = 512) -> None:
        self._whole = data
        self._at = 0
        self.buffer_size = buffer_size

    @property
    def data(self) -> bytes:
        """What is left."""
        return self._whole[self._at :]

    def more(self) -> bytes:
        """The next piece, or b"" if that was all."""
        at = self._at
        self._at = min(at + self.buffer_size, len(self._whole))
        return self._whole[at : self._at]


def find_prefix_at_end(haystack: _Text, needle: _Text) -> int:
    """The length of the longest proper prefix of `needle` with which `haystack` ends, or 0."""
    longest = len(needle) - 1
    tail = haystack[max(len(haystack) - longest, 0) :]
    at = tail.find(needle[:1])
    while at >= 0 and not needle.startswith(tail[at:]):
        at = tail.find(needle[:1], at + 1)
    return len(tail) - at if at >= 0 else 0


class async_chat(KeepsOutput):
    """A dispatcher that cuts its input at terminators and sends what producers make.

    Derive from it and write `collect_incoming_data` and `found_terminator`.  Arguments are those of
    `dispatcher`.
    """

    declares_interest = True

    ac_in_buffer_size: ClassVar[int] = 65_536
    """How many bytes are read at a time."""

    ac_out_buffer_size: ClassVar[int] = 65_536
    """How many bytes are handed to the kernel at a time."""

    terminator: Terminator = None
    _awaits_room = False

    def __init__(
        self, sock: Any = None, map: dict[int, Any] | None = None, transport: Transport | None = None
    ) -> None:
        self._input, self._at = b"", 0
        self.incoming: list[bytes] = []
        self.producer_fifo: deque[Any] = deque()
        super().__init__(sock, map, transport)

    # --- input -----------------------------------------------------------------------------------

    def set_terminator(self, term: Terminator) -> None:
        """What ends the input that is collected from now on.

        Bytes end it where they stand; a number ends it after so many bytes; with None or 0 it has no end.
        Raises UsageError for a negative number, and for anything else.
        """
        if isinstance(term, int) and term < 0:
            raise UsageError(f"a terminator of {term} bytes: a number of bytes is 0 or more")
        if not isinstance(term, bytes | int | None):
            raise UsageError(f"a terminator is bytes, a number of bytes or None, not {term!r}")
        self.terminator = term

    def get_terminator(self) -> Terminator:
        """The terminator; of a number of bytes, those that are still to come."""
        return self.terminator

    def collect_incoming_data(self, data: bytes) -> None:
        """Some input came, up to the terminator if that is there."""
        raise NotImplementedError(f"{type(self).__name__} has no collect_incoming_data")

    def found_terminator(self) -> None:
        """The terminator came; the input behind it goes by the terminator that is set now."""
        raise NotImplementedError(f"{type(self).__name__} has no found_terminator")

    def _collect_incoming_data(self, data: bytes) -> None:
        """A `collect_incoming_data` for who wants it: see `_get_data`."""
        self.incoming.append(data)

    def _get_data(self) -> bytes:
        """What `_collect_incoming_data` has collected since the last call."""
        data = b"".join(self.incoming)
        self.incoming.clear()
        return data

    @property
    def ac_in_buffer(self) -> bytes:
        """The input that was received and not yet told."""
        return self._input[self._at :]

    @ac_in_buffer.setter
    def ac_in_buffer(self, data: bytes) -> None:
        self._input, self._at = bytes(data), 0

    def handle_read(self) -> None:
        """Receive, and tell all that can be told of it."""
        data = self.recv(self.ac_in_buffer_size)
        if not data:
            return
        self.ac_in_buffer += data
        self._tell_input()

    def _tell_input(self) -> None:
        sock, fd = self.socket, self._fileno
        while self._at < len(self._input) and self._tell_piece(sock, fd):
            if self._is_other(sock, fd):  # closed: nobody is to hear the rest
                return

    def _tell_piece(self, sock: Any, fd: int | None) -> bool:
        """Tell the next piece, and the terminator if it ends there; False if the rest must wait for more."""
        terminator, rest, at = self.terminator, self._input, self._at
        if not terminator:
            self._at = len(rest)
            self.collect_incoming_data(rest[at:])
            return True
        if isinstance(terminator, int):
            end = min(at + terminator, len(rest))
            self._at, self.terminator = end, terminator - (end - at)
            is_found = not self.terminator
        else:
            end = rest.find(terminator, at)
            is_found = end >= 0
            if is_found:
                self._at = end + len(terminator)
            else:
                end = self._at = len(rest) - find_prefix_at_end(rest[at:], terminator)
        if end > at:
            self.collect_incoming_data(rest[at:end])
        if is_found and not self._is_other(sock, fd):
            self.found_terminator()
        return is_found

    def _is_other(self, sock: Any, fd: int | None) -> bool:
        """Whether a handler has closed the channel, or given it another socket."""
        return self._fileno != fd or self.socket is not sock

    # --- output ----------------------------------------------------------------------------------

    def push(self, data: bytes) -> None:
        """Queue data behind what waits, and send what can be sent now."""
        if not isinstance(data, bytes | bytearray | memoryview):
            raise TypeError(f"data to push is bytes, not {type(data).__name__}")
        self.producer_fifo.extend(self._pieces(data))
        self.initiate_send()

    def push_with_producer(self, producer: Producer) -> None:
        """Queue what a producer will make, and send what can be sent now."""
        self.producer_fifo.append(producer)
        self.initiate_send()

    def close_when_done(self) -> None:
        """Call `handle_close` when all that is queued so far has been sent."""
        self.producer_fifo.append(None)
        self._note_room()

    def discard_buffers(self) -> None:
        """Forget what was received and not yet told, what was collected, and what waits to be sent."""
        self.ac_in_buffer = b""
        self.incoming.clear()
        self.producer_fifo.clear()
        self._note_room()

    def initiate_send(self) -> None:
        """Hand the kernel what it takes of the first piece that waits."""
        fifo = self.producer_fifo
        while fifo and self.connected:
            first = fifo[0]
            if isinstance(first, bytes):
                self._send_first(first)
                break
            del fifo[0]
            if first is None:
                self.handle_close_event()
                break
            self._produce(first)
        self._note_room()

    def _produce(self, producer: Producer) -> None:
        """Put what a producer makes before what waits, and the producer behind it until it has no more."""
        data = producer.more()
        if data:
            self.producer_fifo.appendleft(producer)
            self.producer_fifo.extendleft(reversed([*self._pieces(data)]))

    def _send_first(self, first: bytes) -> None:
        try:
            sent = self.send(first)
        except OSError:
            self.handle_error()
            return
        fifo = self.producer_fifo
        if fifo and fifo[0] is first:  # else a handler has discarded it
            if sent < len(first):
                fifo[0] = first[sent:]
            else:
                del fifo[0]

    def _pieces(self, data: bytes) -> Iterator[bytes]:
        """The data in pieces that one call of send is given."""
        size = self.ac_out_buffer_size
        return (bytes(data[at : at + size]) for at in range(0, len(data), size))

    def _note_room(self) -> None:
        """Tell the loop if it must say from now on, or need not say any more, when there is room."""
        if bool(self.producer_fifo) is not self._awaits_room:
            self._awaits_room = not self._awaits_room
            self.touch()

    def has_output(self) -> bool:
        return bool(self.producer_fifo)

    def writable(self) -> bool:
        return self.connecting or (self.connected and bool(self.producer_fifo))

    # --- events ----------------------------------------------------------------------------------

    def handle_close(self) -> None:
        self.close()

    def set_socket(self, sock: Any, map: dict[int, Any] | None = None) -> None:
        """Use this socket; what came by a former one and was not told is forgotten."""
        self.ac_in_buffer = b""
        super().set_socket(sock, map)

    def close(self) -> None:
        """Close the channel; what was received and not told is forgotten."""
        self.ac_in_buffer = b""
        super().close()
