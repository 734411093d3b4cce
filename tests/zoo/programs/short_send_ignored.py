"""A server of one page that does not look at what send returns.

The kernel takes what it has room for.  Whoever throws away the rest has sent half a page, and the peer sees
a clean end of the stream.
"""

from simnet import asyncore
from tests.zoo.common import Client, Listener

PAGE = b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n" + b"All work and no play.\n" * 40


class Page(asyncore.dispatcher):
    def __init__(self, sock):
        asyncore.dispatcher.__init__(self, sock)
        self.request = b""
        self.answer = b""

    def handle_read(self):
        try:
            self.request += self.recv(8192)
        except BlockingIOError:
            return
        if self.request.endswith(b"\r\n\r\n"):
            self.answer = PAGE

    def writable(self):
        return bool(self.answer)

    def handle_write(self):
        self.send(self.answer)
        self.close()

    def handle_close(self):
        self.close()


class WholePage(Page):
    def handle_write(self):
        sent = self.send(self.answer)
        self.answer = self.answer[sent:]
        if not self.answer:
            self.close()


def run(net, page):
    with net.host("server"):
        Listener(page)
    with net.host("client"):
        client = Client(b"GET / HTTP/1.0\r\n\r\n")
    net.run()
    if client.how == "eof":
        assert client.received == PAGE, f"{len(client.received)} bytes of {len(PAGE)}"


def bad(net):
    run(net, Page)


def good(net):
    run(net, WholePage)
