"""The measure of the others: the loop that one writes by hand when echoing is all that it has to do."""

from __future__ import annotations

import select
import socket

from benchmarks.real.servers import RECV_BYTES


def serve(listener: socket.socket) -> None:
    """One epoll object, a dict of connections, no call of Python code per event."""
    epoll = select.epoll()
    at = listener.fileno()
    epoll.register(at, select.EPOLLIN)
    connections: dict[int, socket.socket] = {}
    waiting: dict[int, bytes] = {}  # what the kernel did not take
    while True:
        for fd, events in epoll.poll():
            if fd == at:
                accept(listener, epoll, connections)
                continue
            connection = connections[fd]
            try:
                if events & select.EPOLLOUT:
                    unsent = waiting.pop(fd)
                    epoll.modify(fd, select.EPOLLIN)
                else:
                    unsent = connection.recv(RECV_BYTES)
                    if not unsent:
                        raise ConnectionResetError
                sent = connection.send(unsent)
            except BlockingIOError:
                sent = 0
            except ConnectionError:
                del connections[fd]
                waiting.pop(fd, None)
                epoll.unregister(fd)
                connection.close()
                continue
            if sent < len(unsent):
                waiting[fd] = unsent[sent:]
                epoll.modify(fd, select.EPOLLOUT)


def accept(listener: socket.socket, epoll: select.epoll, connections: dict[int, socket.socket]) -> None:
    try:
        connection, _ = listener.accept()
    except (BlockingIOError, ConnectionError):
        return
    connection.setblocking(False)
    connections[connection.fileno()] = connection
    epoll.register(connection.fileno(), select.EPOLLIN)
