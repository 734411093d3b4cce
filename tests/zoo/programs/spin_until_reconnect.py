"""A meter that reports once a second, and connects anew with its next report when a connection is lost.

Until then it keeps the dead socket in its map.  A socket that was hung up is readable for ever: the loop
tells the handlers again and again, and waiting takes a whole processor.
"""

from simnet import dispatcher
from tests.zoo.common import PORT, Listener


class Sink(dispatcher):
    def handle_read(self):
        self.recv(4096)

    def handle_close(self):
        self.close()


class Meter(dispatcher):
    def __init__(self, reports):
        super().__init__()
        self.reports = reports
        self.is_lost = True
        self.call_later("1s", self.report)

    def report(self):
        if self.is_lost:
            self.close()
            self.is_lost = False
            self.create_socket()
            self.connect(("server", PORT))
        elif self.connected:
            self.send(b"21.5 C\n")
        self.reports -= 1
        if self.reports:
            self.call_later("1s", self.report)
        else:
            self.is_lost = True
            self.close()

    def handle_connect(self):
        self.log_info("connected", "warning")

    def handle_read(self):
        self.recv(100)

    def handle_close(self):
        self.is_lost = True


class CarefulMeter(Meter):
    def handle_close(self):
        super().handle_close()
        self.close()


def run(net, meter):
    with net.host("server"):
        Listener(Sink)
    with net.host("client"):
        meter(reports=6)
    net.run()


def bad(net):
    run(net, Meter)


def good(net):
    run(net, CarefulMeter)
