"""The other side of the zoo's programs: a listener and a client without a bug, so that each program has one.

Both are right in every weather: accept may fail, connections may be refused and reset at any moment.
"""

import logging
import socket
from contextlib import contextmanager

from simnet import dispatcher

PORT = 7000


@contextmanager
def unlogged():
    """Nothing is logged, which would be printed a thousand times in a search."""
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


class Listener(dispatcher):
    """Makes a channel of every connection, and survives an accept that fails."""

    ignore_log_types = frozenset({"warning", "error"})  # that it rests then, a thousand times in a search

    def __init__(self, channel, *args):
        super().__init__()
        self.channel, self.args = channel, args
        self.create_socket()
        self.set_reuse_addr()
        self.bind(("", PORT))
        self.listen(5)

    def handle_accept(self):
        try:
            pair = self.accept()
        except OSError:  # no descriptors, no memory: the connection waits, and so does the listener
            return
        if pair is not None:
            self.channel(pair[0], *self.args)


class Client(dispatcher):
    """Says what it is told to say and keeps what it hears; ``how`` its connection ended, "eof" or "reset"."""

    def __init__(self, request=b"", half_closes=False):
        super().__init__()
        self.out, self.half_closes = request, half_closes
        self.received = b""
        self.how = ""
        self.create_socket()
        try:
            self.connect(("server", PORT))
        except OSError:
            self.end("reset")

    def say(self, data):
        if not self.how:
            self.out += data
            self.touch()

    def hear(self, data):
        """Something came; it is in `received` already."""

    def end(self, how):
        self.how = self.how or how
        self.close()

    def handle_connect(self):
        self.connected = True

    def writable(self):
        return not self.connected or bool(self.out)

    def handle_write(self):
        sent = self.send(self.out)
        self.out = self.out[sent:]
        if self.half_closes and not self.out and not self.how:
            try:
                self.socket.shutdown(socket.SHUT_WR)
            except OSError:  # reset meanwhile
                self.end("reset")

    def handle_read(self):
        try:
            data = self.socket.recv(65_536)
        except BlockingIOError:
            return
        except OSError:
            self.end("reset")
            return
        if data:
            self.received += data
            self.hear(data)
        else:
            self.end("eof")

    def handle_close(self):  # a send met a reset
        self.end("reset")


class Asker(Client):
    """Sends one line after the other, each when the one before it was answered by a line."""

    def __init__(self, lines):
        self.lines = list(lines)
        super().__init__(self.lines.pop(0))

    def hear(self, data):
        if self.received.endswith(b"\n"):
            if self.lines:
                self.say(self.lines.pop(0))
            else:
                self.end("done")
