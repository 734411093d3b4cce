"""A ticker that takes a subscriber from its list when the connection is lost, and forgets to close it.

A socket that was hung up is readable for ever: from then on the loop calls the handlers without a pause, and
the ticker takes a whole processor.  As long as everybody stays, nobody sees it.
"""

from simnet import dispatcher_with_send
from tests.zoo.common import Client, Listener


class Subscriber(dispatcher_with_send):
    def __init__(self, sock, subscribers):
        super().__init__(sock)
        self.subscribers = subscribers
        subscribers.append(self)

    def handle_read(self):
        self.recv(100)

    def handle_close(self):
        if self in self.subscribers:
            self.subscribers.remove(self)


class CarefulSubscriber(Subscriber):
    def handle_close(self):
        super().handle_close()
        self.close()


def run(net, subscriber):
    subscribers = []
    with net.host("server"):
        Listener(subscriber, subscribers)
    for number in range(3):
        with net.host(f"client{number}"):
            Client(b"subscribe\n")

    def tick(price):
        for each in list(subscribers):
            each.send(b"%d\n" % price)

    for number in range(3):
        net.at(f"{number + 1}s").call(tick, 100 + number)
    net.run()


def bad(net):
    run(net, Subscriber)


def good(net):
    run(net, CarefulSubscriber)
