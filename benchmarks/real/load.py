"""The load: connections of which some send a request, wait until it is back, and send the next.

An epoll loop without a call of Python code per event, as the hand-written server: whoever answers as
fast keeps it as busy as itself.  A connection that is let go of is reset, so that no port waits for it.
"""

from __future__ import annotations

import select
import socket
import struct
import time

REQUEST = bytes(range(64))
_STEP = 250  # connections between two looks whether the server still accepts: no backlog overflows
_PATIENCE_S = 20.0


class Load:
    """Connections to one server.

    Args:
        port: where it listens on 127.0.0.1.
        active: connections that send.
        idle: connections that only are there.
    """

    def __init__(self, port: int, active: int, idle: int) -> None:
        self._sockets: list[socket.socket] = []
        for number in range(1, active + idle + 1):
            sock = socket.create_connection(("127.0.0.1", port), _PATIENCE_S)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._sockets.append(sock)
            if number % _STEP == 0 or number == active + idle:
                _wait_for_an_echo(sock)  # whoever came before has been accepted
        self._epoll = select.epoll()
        self._active: dict[int, socket.socket] = {}
        # Not the first ones: the server does not find them at the front of anything.
        for sock in self._sockets[idle:]:
            sock.setblocking(False)
            self._active[sock.fileno()] = sock
            self._epoll.register(sock, select.EPOLLIN)

    def run(self, seconds: float) -> tuple[int, float]:
        """How many requests came back, and in how many seconds.  Nothing is on its way afterwards."""
        active, poll, clock = self._active, self._epoll.poll, time.perf_counter
        for sock in active.values():
            sock.send(REQUEST)
        began = clock()
        until, answered = began + seconds, 0
        while clock() < until:
            ready = _some(poll(_PATIENCE_S))
            for fd, _ in ready:
                sock = active[fd]
                if len(sock.recv(4096)) != len(REQUEST):
                    raise AssertionError("a request did not come back in one piece")
                sock.send(REQUEST)
            answered += len(ready)
        waiting = len(active)
        while waiting:
            ready = _some(poll(_PATIENCE_S))
            for fd, _ in ready:
                active[fd].recv(4096)
            answered += len(ready)
            waiting -= len(ready)
        return answered, clock() - began

    def close(self) -> None:
        self._epoll.close()
        for sock in self._sockets:
            sock.close()


def _wait_for_an_echo(sock: socket.socket) -> None:
    sock.sendall(REQUEST)
    assert sock.recv(4096) == REQUEST


def _some(ready: list[tuple[int, int]]) -> list[tuple[int, int]]:
    if not ready:
        raise AssertionError(f"the server was silent for {_PATIENCE_S:.0f} s")
    return ready
