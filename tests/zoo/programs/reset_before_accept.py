"""A door that writes down who comes in, and takes it for granted that whoever was accepted is still there.

A peer that resets its connection before the server gets to accept() is accepted all the same (Linux says
nothing of it), and getpeername() of that socket fails with ENOTCONN.
"""

import socket
import struct

from simnet import dispatcher
from tests.zoo.common import Client, Listener


class Guest(dispatcher):
    def __init__(self, sock, book):
        super().__init__(sock)
        address, port = self.socket.getpeername()
        book.append(f"{address}:{port}")

    def handle_read(self):
        self.recv(100)

    def handle_close(self):
        self.close()


class CarefulGuest(Guest):
    def __init__(self, sock, book):
        try:
            super().__init__(sock, book)
        except OSError:
            self.close()


class Knocker(Client):
    """A port scanner: knows enough as soon as it is connected, and goes with a RST."""

    def handle_connect(self):
        super().handle_connect()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.call_later("3ms", self.close)


def run(net, guest):
    book = []
    with net.host("server"):
        Listener(guest, book)
    with net.host("client"):
        Knocker()
        Knocker()
    net.run()
    assert len(book) <= 2


def bad(net):
    run(net, Guest)


def good(net):
    run(net, CarefulGuest)
