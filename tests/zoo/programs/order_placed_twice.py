"""A shop whose customers send an order again when they were not told that it was taken.

Where the connection is lost behind the order and before its receipt, the order was taken all the same:
without a number by which the shop knows it again, it is taken twice.
"""

from simnet import dispatcher_with_send
from tests.zoo.common import PORT, Listener


class Till(dispatcher_with_send):
    def __init__(self, sock, orders):
        super().__init__(sock)
        self.orders = orders
        self.buffer = b""

    def handle_read(self):
        *lines, self.buffer = (self.buffer + self.recv(4096)).split(b"\n")
        for line in lines:
            self.take(line)
            self.send(b"thank you\n")

    def take(self, line):
        self.orders.append(line)

    def handle_close(self):
        self.close()


class CarefulTill(Till):
    def take(self, line):
        if line not in self.orders:
            self.orders.append(line)


def order(socket, line, attempts=5):
    for _ in range(attempts):
        try:
            with socket.create_connection(("server", PORT), timeout=2) as sock:
                sock.sendall(line + b"\n")
                if sock.recv(100):
                    return
        except OSError:
            continue


def run(net, till):
    orders = []
    with net.host("server"):
        Listener(till, orders)
    order(net.host("client").modules.socket, b"#4711: one bicycle")
    net.run()
    assert len(orders) <= 1, orders


def bad(net):
    run(net, Till)


def good(net):
    run(net, CarefulTill)
