"""A door that writes down who comes in, and takes it for granted that whoever was accepted is still there.

A peer that resets its connection before the server gets to accept() is accepted all the same (Linux says
nothing of it), and getpeername() of that socket fails with ENOTCONN.  The error leaves handle_accept, and so
it is the listener that is closed.
"""

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


def run(net, guest):
    book = []
    with net.host("server"):
        door = Listener(guest, book)
    with net.host("client"):
        Client(b"hello\n", half_closes=True)
        Client(b"hello\n", half_closes=True)
    net.run()
    assert door.accepting, "the door is closed"


def bad(net):
    run(net, Guest)


def good(net):
    run(net, CarefulGuest)
