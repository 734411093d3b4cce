"""A client of a price server that gives up after a second, and asks its next question on the same connection.

The late answer to the question that was given up is then read as the answer to the next, and so on for ever.
"""

from simnet import dispatcher_with_send
from tests.zoo.common import PORT, Listener

PRICES = {b"tea": b"3.10", b"milk": b"1.20", b"bread": b"2.75"}


class Prices(dispatcher_with_send):
    buffer = b""

    def handle_read(self):
        *lines, self.buffer = (self.buffer + self.recv(4096)).split(b"\n")
        for line in lines:
            self.send(PRICES[line] + b"\n")

    def handle_close(self):
        self.close()


class Client:
    """Blocking code, on a machine of one's choice."""

    def __init__(self, socket):
        self.socket = socket
        self.sock = None

    def price(self, name):
        """The price, or None if there was no answer in time."""
        try:
            if self.sock is None:
                self.sock = self.socket.create_connection(("server", PORT), timeout=1)
                self.buffer = b""
            self.sock.sendall(name + b"\n")
            return self.line()
        except TimeoutError:
            self.give_up()
        except OSError:
            self.hang_up()
        return None

    def line(self):
        while b"\n" not in self.buffer:
            data = self.sock.recv(100)
            if not data:
                raise ConnectionError("the server has hung up")
            self.buffer += data
        line, _, self.buffer = self.buffer.partition(b"\n")
        return line

    def give_up(self):
        """The connection is as good as ever: keep it."""

    def hang_up(self):
        if self.sock is not None:
            self.sock.close()
            self.sock = None


class CarefulClient(Client):
    def give_up(self):
        self.hang_up()


def run(net, make_client):
    with net.host("server"):
        Listener(Prices)
    client = make_client(net.host("client").modules.socket)
    for name in [b"tea", b"milk", b"bread", b"tea"]:
        price = client.price(name)
        assert price in (None, PRICES[name]), f"{name} costs {price}"
    client.hang_up()


def bad(net):
    run(net, Client)


def good(net):
    run(net, CarefulClient)
