"""A dispatcher with an output buffer.

Owns what waits to be sent, and when it goes to the kernel.
"""

from __future__ import annotations

from typing import Any, ClassVar

from .dispatcher import dispatcher

_SEND_AT_MOST = 65_536


class dispatcher_with_send(dispatcher):
    """A dispatcher whose `send` never takes less: what the kernel does not take waits in `out_buffer`."""

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
        sent = dispatcher.send(self, self._out_buffer[:_SEND_AT_MOST])
        self.out_buffer = self._out_buffer[sent:]

    def handle_write(self) -> None:
        self.initiate_send()

    def writable(self) -> bool:
        return not self.connected or bool(self._out_buffer)

    def send(self, data: bytes) -> int:
        """Queue all of `data` and send what can be sent now; returns its length."""
        size = len(data)
        if self._out_buffer or self._initiates_otherwise or size > _SEND_AT_MOST:
            self.out_buffer = self._out_buffer + data
            self.initiate_send()
            return size
        sent = 0
        try:
            sent = dispatcher.send(self, data)  # most goes at once, and the loop need not know of it
        finally:
            if sent < size:
                self.out_buffer = bytes(data[sent:])
        return size
