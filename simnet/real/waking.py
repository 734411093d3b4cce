"""What ends the wait of a loop's poller: a pair of sockets that the poller watches.

Anybody sends a byte to one end, and the other becomes readable.  That is the old self-pipe trick (D. J.
Bernstein), which works with every poller and every system, and from the handler of a signal too: the wait
goes on after one (PEP 475), unless there is something to read.

One byte is sent however many calls there are until the loop has read it.  The order of the steps is what
makes that safe without a lock.  A caller queues its call, and then sends a byte if nobody has; the loop
reads the byte, then takes it that nobody has, and then looks at the queue.

Owns the pair.  What is called is the business of `calls`.
"""

from __future__ import annotations

import socket
from contextlib import suppress

from ..transport import IN, Poller


class _Pair:
    """Two sockets, closed when nobody has them any more.

    Not before: another thread may be about to send, and a number that was closed may be a stranger's by then.
    """

    __slots__ = ("reader", "writer")

    def __init__(self) -> None:
        self.reader, self.writer = socket.socketpair()
        self.reader.setblocking(False)
        self.writer.setblocking(False)

    def __del__(self) -> None:
        if hasattr(self, "writer"):  # else there was no descriptor left for it
            self.reader.close()
            self.writer.close()


class SocketWakeup:
    """Ends the waits of one loop; it has no descriptor before the loop first waits."""

    __slots__ = ("_is_set", "_pair", "fd")

    def __init__(self) -> None:
        self._pair: _Pair | None = None
        self._is_set = False
        self.fd = -1

    def check(self) -> None:
        """Every thread may ask."""

    def arm(self, poller: Poller) -> bool:
        """Have `poller` watch for a byte; False if no descriptor is left for that."""
        if self._pair is None:
            try:
                pair = _Pair()
            except OSError:  # EMFILE, ENFILE
                return False
            self._is_set = False
            self._pair, self.fd = pair, pair.reader.fileno()
        poller.watch(self.fd, IN)
        return True

    def set(self) -> None:
        """End the wait; from any thread and from the handler of a signal."""
        pair = self._pair
        if pair is None or self._is_set:
            return
        self._is_set = True
        with suppress(BlockingIOError):  # it is full: there is something to read
            pair.writer.send(b"\0")

    def clear(self) -> None:
        """The loop has woken up."""
        if self._pair is not None:
            with suppress(BlockingIOError):
                self._pair.reader.recv(4096)
        self._is_set = False

    def close(self) -> None:
        """Give the descriptors back; the next `arm` makes others."""
        self._pair, self.fd = None, -1
