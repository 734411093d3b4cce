"""A renderer that remembers by its descriptor who has asked for what.

A customer whose connection is lost leaves a number behind that the kernel gives to the next one, and with
the number comes the picture that somebody else has ordered.
"""

from simnet import dispatcher_with_send
from tests.zoo.common import Client, Listener


class Desk(dispatcher_with_send):
    def __init__(self, sock, desks):
        super().__init__(sock)
        self.desks = desks
        self.buffer = b""
        self.key = self.sign_in()
        desks[self.key] = self

    def sign_in(self):
        return self.socket.fileno()

    def handle_read(self):
        *lines, self.buffer = (self.buffer + self.recv(4096)).split(b"\n")
        for line in lines:
            self.call_later("50ms", self.deliver, self.desks, self.key, line + b", done\n")

    @staticmethod
    def deliver(desks, key, work):
        if key in desks:
            desks[key].send(work)

    def handle_close(self):
        self.desks.pop(self.key, None)
        self.close()


class NumberedDesk(Desk):
    customers = 0

    def sign_in(self):
        NumberedDesk.customers += 1
        return NumberedDesk.customers


class Customer(Client):
    """Orders a sketch, and the picture 10 ms later."""

    def __init__(self, wish):
        self.wish = wish
        super().__init__(b"sketch of " + wish + b"\n")
        self.call_later("10ms", self.say, b"picture of " + wish + b"\n")


def run(net, desk):
    customers = []
    with net.host("server"):
        Listener(desk, {})
    client = net.host("client")

    def come(wish):
        with client:
            customers.append(Customer(wish))

    for number, wish in enumerate([b"a cat", b"two dogs", b"the sea"]):
        net.at(f"{20 * number}ms").call(come, wish)
    net.run()
    for each in customers:
        ordered = b"sketch of %s, done\npicture of %s, done\n" % (each.wish, each.wish)
        assert ordered.startswith(each.received), f"who ordered {each.wish} was sent {each.received}"


def bad(net):
    run(net, Desk)


def good(net):
    run(net, NumberedDesk)
