"""A chat that sends a line to everybody in its list, while handle_close takes the lost ones from the list.

Who stands behind somebody that is found to be gone is passed over, and never sees the line.
"""

from simnet import asyncore
from tests.zoo.common import Client, Listener


class Member(asyncore.dispatcher_with_send):
    def __init__(self, sock, room):
        asyncore.dispatcher_with_send.__init__(self, sock)
        self.room = room
        self.buffer = self.seen = b""
        room.append(self)

    def handle_read(self):
        try:
            self.buffer += self.recv(4096)
        except BlockingIOError:
            return
        while b"\n" in self.buffer:
            line, _, self.buffer = self.buffer.partition(b"\n")
            self.broadcast(line + b"\n")

    def broadcast(self, line):
        for member in self.room:
            member.tell(line)

    def tell(self, line):
        self.seen += line
        self.send(line)

    def handle_close(self):
        if self in self.room:
            self.room.remove(self)
        self.close()


class CarefulMember(Member):
    def broadcast(self, line):
        for member in list(self.room):
            if member in self.room:
                member.tell(line)


def run(net, member):
    room = []
    with net.host("server"):
        Listener(member, room)
    for number in range(4):
        with net.host(f"client{number}"):
            Client(b"I am number %d\n" % number)
    net.run()
    everything = max((each.seen for each in room), key=len, default=b"")
    for each in room:
        assert everything.endswith(each.seen), f"{each.addr} missed a line: {each.seen} of {everything}"


def bad(net):
    run(net, Member)


def good(net):
    run(net, CarefulMember)
