"""A client of a store of documents that reads a length and then so many bytes, each with one recv.

recv(4) returns up to 4 bytes.  Where fewer have come, the length is not 4 bytes long, or the text not whole.
"""

import struct

from simnet import dispatcher
from tests.zoo.common import PORT, Listener

TEXTS = [b"To be, or not to be, that is the question", b"", b"Whether 'tis nobler in the mind to suffer"]


class Store(dispatcher):
    def __init__(self, sock):
        super().__init__(sock)
        self.out = b"".join(struct.pack(">I", len(text)) + text for text in TEXTS)

    def writable(self):
        return bool(self.out)

    def handle_write(self):
        self.out = self.out[self.send(self.out) :]

    def handle_read(self):
        self.recv(100)

    def handle_close(self):
        self.close()


def read(sock, size):
    return sock.recv(size)


def read_all(sock, size):
    data = b""
    while len(data) < size:
        piece = sock.recv(size - len(data))
        if not piece:
            raise ConnectionError("the store has hung up")
        data += piece
    return data


def fetch(sock, count, read):
    texts = []
    for _ in range(count):
        (size,) = struct.unpack(">I", read(sock, 4))
        texts.append(read(sock, size) if size else b"")
    return texts


def run(net, read):
    with net.host("server"):
        Listener(Store)
    try:
        with net.host("client").modules.socket.create_connection(("server", PORT), timeout=60) as sock:
            texts = fetch(sock, len(TEXTS), read)
    except OSError:
        return
    assert texts == TEXTS


def bad(net):
    run(net, read)


def good(net):
    run(net, read_all)
