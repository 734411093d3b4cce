"""A time server whose listener does with every error what its channels do: it logs it, and closes.

accept() fails when descriptors run out, and that is over as soon as somebody hangs up; but by then nobody
listens any more.
"""

from simnet import asyncore
from tests.zoo.common import PORT, Client


class Server(asyncore.dispatcher):
    def __init__(self, log):
        asyncore.dispatcher.__init__(self)
        self.errors = log
        self.create_socket()
        self.set_reuse_addr()
        self.bind(("", PORT))
        self.listen(5)

    def handle_accepted(self, sock, addr):
        TimeChannel(sock)

    def handle_error(self):
        self.errors.append(asyncore.compact_traceback()[2])
        self.close()


class Survivor(Server):
    def handle_accept(self):
        try:
            pair = self.accept()
        except OSError as error:
            self.errors.append(error)
            return
        if pair is not None:
            self.handle_accepted(*pair)


class TimeChannel(asyncore.dispatcher_with_send):
    def __init__(self, sock):
        asyncore.dispatcher_with_send.__init__(self, sock)
        self.send(b"12:00\r\n")

    def handle_read(self):
        try:
            self.recv(100)
        except BlockingIOError:
            return

    def handle_close(self):
        self.close()


class Reader(Client):
    def hear(self, data):
        if self.received.endswith(b"\n"):
            self.end("done")


def run(net, make_server):
    with net.host("server"):
        server = make_server([])
    for number in range(3):
        with net.host(f"client{number}"):
            Reader()
    net.run()
    assert server.accepting, f"nobody listens any more after {server.errors}"


def bad(net):
    run(net, Server)


def good(net):
    run(net, Survivor)
