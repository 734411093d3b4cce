"""What a closed channel has left to send.

A kernel goes on sending what a program wrote before it closed a socket.  A dispatcher that keeps bytes of
its own, such as ciphertext, owes its program the same: `Lingering` takes the socket over, sends the rest
and closes it.  The channel itself is closed: no handler of it is called.

Owns the life of such a socket after its channel's.
"""

from __future__ import annotations

import contextlib
import socket as std
import struct
from collections.abc import Callable, MutableMapping
from typing import Any, ClassVar

LINGER_SECONDS = 60.0
"""How long a peer may take to receive the rest, where channels have timers."""


class Lingering:
    """A channel that sends `rest` on a socket, and then closes it and is gone."""

    declares_interest: ClassVar[bool] = True
    accepting: ClassVar[bool] = False  # asyncore's loop asks

    def __init__(
        self,
        sock: Any,
        rest: bytes,
        map: MutableMapping[int, Any],
        call_later: Callable[[float, Callable[[], None]], Any] | None,
    ) -> None:
        self._socket, self._rest, self._map = sock, rest, map
        self._fileno = sock.fileno()
        self._map[self._fileno] = self
        self._timer = None if call_later is None else call_later(LINGER_SECONDS, self.close)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {len(self._rest)} bytes left>"

    def readable(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    def handle_write_event(self) -> None:
        """The kernel has room."""
        try:
            self._rest = self._rest[self._socket.send(self._rest) :]
        except BlockingIOError:
            return
        except OSError:
            self._rest = b""  # nobody will ever have it
        if not self._rest:
            self.close()

    def handle_read_event(self) -> None:
        """An error that waits is told by writing."""
        self.handle_write_event()

    handle_expt_event = handle_read_event

    def handle_close(self) -> None:
        self.close()

    def handle_error(self) -> None:
        """Never: nothing above lets an exception out."""
        self.close()
        raise  # noqa: PLE0704 - called where the exception is being handled

    def close(self) -> None:
        """Leave the map and close the socket; what is left is lost."""
        if self._map.get(self._fileno) is self:
            del self._map[self._fileno]
        if self._timer is not None:
            self._timer.cancel()
        self._socket.close()


def is_abortive(sock: Any) -> bool:
    """Whether closing this socket discards what was not sent: SO_LINGER with a time of 0 (socket(7))."""
    with contextlib.suppress(OSError):
        option = sock.getsockopt(std.SOL_SOCKET, std.SO_LINGER, struct.calcsize("ii"))
        switched_on, seconds = struct.unpack("ii", option)
        return bool(switched_on) and seconds == 0
    return False
