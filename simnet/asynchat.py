"""The asynchat of Python 3.11, to the letter, on any transport and every Python.

``from simnet import asynchat`` is the line that an old program has to change.  Commands and answers: what
arrives is collected until a terminator is found, and what is pushed waits in a queue until it can be sent.

Transports, and what a program can notice on a virtual host, are the business of `simnet.asyncore`.

Source: https://docs.python.org/3.11/library/asynchat.html, and what its programs rely on.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from . import asyncore
from .transport import current

__all__ = ["async_chat", "simple_producer", "find_prefix_at_end", "asyncore", "deque"]


class async_chat(asyncore.dispatcher):
    """A channel of a protocol of commands and answers.

    A subclass has `collect_incoming_data` and `found_terminator`, and says with `set_terminator` what ends
    the next piece of input.

    Args:
        sock: a socket, usually a connected one; it becomes non-blocking.
        map: the channel map to join; without it, the current transport's `asyncore.socket_map`.
    """

    ac_in_buffer_size: Any = 65536
    """How many bytes are read at once, at most."""

    ac_out_buffer_size: Any = 65536
    """How many bytes are sent at once, at most."""

    use_encoding: Any = 0
    """Whether text is taken where bytes are meant: a terminator, and what a producer makes."""

    encoding: Any = "latin-1"
    """How text becomes bytes then."""

    terminator: Any

    def __init__(self, sock: Any = None, map: dict[int, Any] | None = None) -> None:
        self.ac_in_buffer = b""
        self.incoming: list[Any] = []
        self.producer_fifo: deque[Any] = deque()
        asyncore.dispatcher.__init__(self, sock, map)

    # --- input -----------------------------------------------------------------------------------

    def collect_incoming_data(self, data: bytes) -> None:
        """Some of what comes before the terminator; never empty."""
        raise NotImplementedError("must be implemented in subclass")

    def found_terminator(self) -> None:
        """All that comes before the terminator was collected."""
        raise NotImplementedError("must be implemented in subclass")

    def _collect_incoming_data(self, data: bytes) -> None:
        """A `collect_incoming_data` for who has no better one: `_get_data` takes what it kept."""
        self.incoming.append(data)

    def _get_data(self) -> bytes:
        data = b"".join(self.incoming)
        del self.incoming[:]
        return data

    def set_terminator(self, term: Any) -> None:
        """Say what ends the next piece of input.

        Args:
            term: bytes; a number of bytes to come; or None, b"" or 0: nothing does.  Text only with
                `use_encoding`.

        Raises ValueError if the number is negative.
        """
        if isinstance(term, int) and term < 0:
            raise ValueError("the number of received bytes must be positive")
        is_text = isinstance(term, str) and self.use_encoding
        self.terminator = bytes(term, self.encoding) if is_text else term

    def get_terminator(self) -> Any:
        """What ends the next piece of input; of a number, what is left of it."""
        return self.terminator

    def handle_read(self) -> None:
        """Read once, and hand on what is complete; the handlers may change the terminator."""
        try:
            data: Any = self.recv(self.ac_in_buffer_size)
        except BlockingIOError:
            return
        except OSError:
            self.handle_error()
            return
        if isinstance(data, str) and self.use_encoding:  # asyncore never took text here
            raise TypeError("encoding without a string argument")
        self.ac_in_buffer = self.ac_in_buffer + data
        while self.ac_in_buffer:
            terminator = self.get_terminator()
            if not terminator:
                _collect_all(self)
            elif isinstance(terminator, int):
                _count_down(self, terminator)
            elif not _search(self, terminator):
                break

    # --- output ----------------------------------------------------------------------------------

    def push(self, data: Any) -> None:
        """Queue bytes, in pieces of `ac_out_buffer_size`, and send what can be sent now.

        Raises TypeError if they are no bytes, bytearray or memoryview.
        """
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise TypeError("data argument must be byte-ish (%r)", type(data))
        size = self.ac_out_buffer_size
        if len(data) > size:
            for start in range(0, len(data), size):
                self.producer_fifo.append(data[start : start + size])
        else:
            self.producer_fifo.append(data)
        self.initiate_send()

    def push_with_producer(self, producer: Any) -> None:
        """Queue an object whose ``more()`` returns the next bytes, and none at its end."""
        self.producer_fifo.append(producer)
        self.initiate_send()

    def close_when_done(self) -> None:
        """Close the channel when all that is queued has been sent."""
        self.producer_fifo.append(None)

    def discard_buffers(self) -> None:
        """Forget what was received and not handed on, and what was queued and not sent."""
        self.ac_in_buffer = b""
        del self.incoming[:]
        self.producer_fifo.clear()

    def initiate_send(self) -> None:
        """Send one piece of what is queued, as much of it as the kernel takes."""
        while self.producer_fifo and self.connected:
            first = self.producer_fifo[0]
            if not first:
                del self.producer_fifo[0]
                if first is None:
                    self.handle_close()
                    return
                # To the letter: an empty piece is still asked for its bytes below.
            size = self.ac_out_buffer_size
            try:
                data = first[:size]
            except TypeError:
                _ask_producer(self.producer_fifo, first)
                continue
            try:
                _send_piece(self, first, data, size)
            except OSError:
                self.handle_error()
            return

    def handle_write(self) -> None:
        self.initiate_send()

    def handle_close(self) -> None:
        self.close()

    def readable(self) -> Any:
        """Always."""
        return 1

    def writable(self) -> Any:
        """While anything is queued, and until the channel is connected."""
        return self.producer_fifo or (not self.connected)


# What a channel does, as functions: a method more than asynchat has would be taken for an override by a
# program that happens to have one of that name.

# What is handed on leaves the buffer when its handler has returned, which may have changed the buffer.


def _collect_all(channel: async_chat) -> None:
    channel.collect_incoming_data(channel.ac_in_buffer)
    channel.ac_in_buffer = b""


def _count_down(channel: async_chat, left: int) -> None:
    """So many bytes are to come."""
    present = len(channel.ac_in_buffer)
    if present < left:
        _collect_all(channel)
        channel.terminator = channel.terminator - present
    else:
        channel.collect_incoming_data(channel.ac_in_buffer[:left])
        channel.ac_in_buffer = channel.ac_in_buffer[left:]
        channel.terminator = 0
        _find(channel)


def _search(channel: async_chat, terminator: Any) -> bool:
    """Look for the terminator; False if more must come before anybody can tell."""
    size, present = len(terminator), len(channel.ac_in_buffer)
    index = channel.ac_in_buffer.find(terminator)
    if index != -1:
        if index > 0:  # nobody is told of nothing
            channel.collect_incoming_data(channel.ac_in_buffer[:index])
        channel.ac_in_buffer = channel.ac_in_buffer[index + size :]
        _find(channel)
        return True
    begun = find_prefix_at_end(channel.ac_in_buffer, terminator)
    if not begun:
        _collect_all(channel)
    elif begun != present:
        channel.collect_incoming_data(channel.ac_in_buffer[:-begun])
        channel.ac_in_buffer = channel.ac_in_buffer[-begun:]
    return not begun


def _find(channel: async_chat) -> None:
    """A terminator: also if a handler has closed the channel before it, as ever; who looks is told."""
    if channel._fileno is None and (witness := current().witness) is not None:
        witness.calls_closed(current(), channel, "found_terminator")
    channel.found_terminator()


def _ask_producer(fifo: deque[Any], producer: Any) -> None:
    """What a producer has goes before it in the queue; one that has nothing more leaves it."""
    data = producer.more()
    if data:
        fifo.appendleft(data)
    else:
        del fifo[0]


def _send_piece(channel: async_chat, first: Any, data: Any, size: int) -> None:
    if isinstance(data, str) and channel.use_encoding:
        data = bytes(data, channel.encoding)
    sent = channel.send(data)
    if sent:
        if sent < len(data) or size < len(first):
            channel.producer_fifo[0] = first[sent:]
        else:
            del channel.producer_fifo[0]


class simple_producer:
    """Makes pieces of `buffer_size` out of bytes."""

    def __init__(self, data: Any, buffer_size: int = 512) -> None:
        self.data = data
        self.buffer_size = buffer_size

    def more(self) -> Any:
        """The next piece; b"" when there is none."""
        if len(self.data) > self.buffer_size:
            piece, self.data = self.data[: self.buffer_size], self.data[self.buffer_size :]
        else:
            piece, self.data = self.data, b""
        return piece


def find_prefix_at_end(haystack: Any, needle: Any) -> int:
    """How many of the first characters of `needle`, but not all, are the last ones of `haystack`."""
    size = len(needle) - 1
    while size and not haystack.endswith(needle[:size]):
        size -= 1
    return size
