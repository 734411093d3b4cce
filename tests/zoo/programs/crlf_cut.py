"""A drop for texts that makes one newline of each CRLF, one recv at a time.

Where a segment ends between CR and LF there is no CRLF to be found, and a stray CR gets into the text.
"""

from simnet import asyncore
from tests.zoo.common import Client, Listener

SENT = b"Dear Bob,\r\n\r\nthe parcel has come.\r\nThank you!\r\n\r\nYours,\r\nAda\r\n"
WANTED = SENT.replace(b"\r\n", b"\n")


class Drop(asyncore.dispatcher):
    def __init__(self, sock, texts):
        asyncore.dispatcher.__init__(self, sock)
        self.texts = texts
        self.text = b""
        texts.append(self)

    def handle_read(self):
        try:
            data = self.recv(8192)
        except BlockingIOError:
            return
        self.take(data)

    def take(self, data):
        self.text += data.replace(b"\r\n", b"\n")

    def writable(self):
        return False

    def handle_close(self):
        self.close()


class PatientDrop(Drop):
    """Keeps a CR at the end until it is known what follows."""

    rest = b""

    def take(self, data):
        data = self.rest + data
        self.rest = b"\r" if data.endswith(b"\r") else b""
        self.text += data[: len(data) - len(self.rest)].replace(b"\r\n", b"\n")


def run(net, drop):
    texts = []
    with net.host("server"):
        Listener(drop, texts)
    with net.host("client"):
        Client(SENT, half_closes=True)
    net.run()
    for each in texts:
        assert WANTED.startswith(each.text), each.text


def bad(net):
    run(net, Drop)


def good(net):
    run(net, PatientDrop)
