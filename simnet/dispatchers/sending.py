"""Dispatchers that keep what the kernel does not take, and the one that keeps it in a buffer.

Owns what waits to be sent, when it goes to the kernel, and what becomes of it when the peer sends no more.
"""

from __future__ import annotations

from typing import Any, ClassVar

from ..transport import IN, PRI
from .dispatcher import dispatcher

_SEND_AT_MOST = 65_536


class KeepsOutput(dispatcher):
    """A dispatcher with output that waits: what `dispatcher_with_send` and `async_chat` have in common."""

    declares_interest = True

    half_close: ClassVar[bool] = False
    """Whether what waits to be sent outlives the end of the peer's stream.

    A peer that calls shutdown(SHUT_WR) has sent all and may still read.  As asyncore does, `handle_close` is
    told of that at once, and mostly closes.  With True, what waits is sent before.
    """

    _ends_when_sent = False

    def has_output(self) -> bool:
        """Whether anything waits to be sent."""
        raise NotImplementedError

    def initiate_send(self) -> None:
        """Hand the kernel what it takes of what waits."""
        raise NotImplementedError

    def handle_write(self) -> None:
        self.initiate_send()
        if self._ends_when_sent and not self.has_output():
            self._ends_when_sent = False
            super().handle_eof_event()

    def handle_eof_event(self) -> None:
        """The peer's half of the connection is over; with `half_close`, ours is when all is sent."""
        if self.half_close and self.has_output():
            self._ends_when_sent = True
            self._turn_deaf(IN | PRI)
        else:
            super().handle_eof_event()

    def add_channel(self, map: dict[int, Any] | None = None) -> None:
        """Join a map under the socket's descriptor: from now on the loop calls the handlers."""
        self._ends_when_sent = False
        super().add_channel(map)


class dispatcher_with_send(KeepsOutput):
    """A dispatcher whose `send` never takes less: what the kernel does not take waits in `out_buffer`.

    It waits as well if there is no connection yet, nor a socket.  As in asyncore, `close` does not empty it:
    a channel that dials again (`create_socket`, `connect`) first sends what the lost connection had not.  Who
    wants a fresh start empties `out_buffer` in `handle_close`, and it stays empty.
    """

    declares_interest = True
    _out_buffer = b""
    _initiates_otherwise: ClassVar[bool] = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._initiates_otherwise = cls.initiate_send is not dispatcher_with_send.initiate_send

    @property
    def out_buffer(self) -> bytes:
        """What waits to be sent."""
        return self._out_buffer

    @out_buffer.setter
    def out_buffer(self, data: bytes) -> None:
        if bool(data) is not bool(self._out_buffer):
            self.touch()
        self._out_buffer = data

    def initiate_send(self) -> None:
        """Hand the kernel what it takes of `out_buffer`."""
        if self._fileno is None:
            return  # no socket yet, or none any more
        sent = dispatcher.send(self, self._out_buffer[:_SEND_AT_MOST])
        self.out_buffer = self._out_buffer[sent:]

    def has_output(self) -> bool:
        return bool(self._out_buffer)

    def writable(self) -> bool:
        return self.connecting or bool(self._out_buffer)

    def send(self, data: bytes) -> int:
        """Queue all of `data` and send what can be sent now; returns its length."""
        size = len(data)
        if self._out_buffer or self._initiates_otherwise or size > _SEND_AT_MOST or self._fileno is None:
            self.out_buffer = self._out_buffer + data
            self.initiate_send()
            return size
        self._out_buffer = bytes(data)  # most goes at once, and the loop need not know of it
        sent = 0
        try:
            sent = dispatcher.send(self, data)
        finally:
            self._out_buffer = left = self._out_buffer[sent:]  # a handle_close has perhaps thrown it away
            if left:
                self.touch()
        return size
