"""A log collector whose records end with a delimiter, and that looks for it only in what is new.

It remembers how far it has looked, so as not to search a long buffer again and again.  Where a delimiter
comes in two pieces, its beginning is among what was looked at already.
"""

from simnet import dispatcher
from tests.zoo.common import Client, Listener

DELIMITER = b"\n--end-of-record--\n"
RECORDS = [b"disk /dev/sda1 is 91% full", b"backup took 318 s", b"login failed for root from 192.0.2.7"]


class Collector(dispatcher):
    overlap = 0

    def __init__(self, sock, records):
        super().__init__(sock)
        self.records = records
        self.buffer = b""
        self.searched = 0

    def handle_read(self):
        self.buffer += self.recv(4096)
        while (at := self.buffer.find(DELIMITER, max(self.searched - self.overlap, 0))) >= 0:
            self.records.append(self.buffer[:at])
            self.buffer = self.buffer[at + len(DELIMITER) :]
            self.searched = 0
        self.searched = len(self.buffer)

    def handle_close(self):
        self.close()


class CarefulCollector(Collector):
    overlap = len(DELIMITER) - 1


def run(net, collector):
    found = []
    with net.host("server"):
        Listener(collector, found)
    with net.host("client"):
        Client(b"".join(record + DELIMITER for record in RECORDS), half_closes=True)
    net.run()
    assert found == RECORDS[: len(found)], found


def bad(net):
    run(net, Collector)


def good(net):
    run(net, CarefulCollector)
