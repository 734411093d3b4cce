"""A sorting service that takes the end of its input for the end of the conversation.

`sort`-like clients send, shut down their side and read.  What the service has not got rid of by then waits
in its output buffer, and is lost when handle_close closes.
"""

from simnet import dispatcher_with_send
from tests.zoo.common import Client, Listener

WORDS = b"pear\nplum\napple\ncherry\nfig\n"
SORTED = b"".join(sorted(WORDS.splitlines(keepends=True)))


class Sorter(dispatcher_with_send):
    def __init__(self, sock):
        super().__init__(sock)
        self.text = b""

    def handle_read(self):
        data = self.recv(4096)
        self.text += data
        if data and self.text.count(b"\n") == 5:
            self.send(b"".join(sorted(self.text.splitlines(keepends=True))))

    def handle_close(self):
        self.close()


class PatientSorter(Sorter):
    is_over = False

    def readable(self):
        return not self.is_over

    def handle_read(self):
        try:
            data = self.socket.recv(4096)
        except BlockingIOError:
            return
        except OSError:
            self.close()
            return
        self.text += data
        if not data:
            self.is_over = True
            self.touch()
            self.finish()
        elif self.text.count(b"\n") == 5:
            self.send(b"".join(sorted(self.text.splitlines(keepends=True))))

    def handle_write(self):
        super().handle_write()
        self.finish()

    def finish(self):
        if self.is_over and not self.out_buffer:
            self.close()


def run(net, sorter):
    with net.host("server"):
        Listener(sorter)
    with net.host("client"):
        client = Client(WORDS, half_closes=True)
    net.run()
    if client.how == "eof":
        assert client.received == SORTED, client.received


def bad(net):
    run(net, Sorter)


def good(net):
    run(net, PatientSorter)
