"""A store of words that takes what one recv returns for one command.

TCP has no messages: a command may come in two pieces, and two commands in one.
"""

from simnet import dispatcher_with_send
from tests.zoo.common import Asker, Listener


class Session(dispatcher_with_send):
    def __init__(self, sock, values):
        super().__init__(sock)
        self.values = values

    def handle_read(self):
        command = self.recv(4096)
        if command:
            self.obey(command)

    def obey(self, command):
        words = command.split()
        if len(words) == 3 and words[0] == b"SET":
            self.values[words[1]] = words[2]
            self.send(b"OK\r\n")
        elif len(words) == 2 and words[0] == b"GET":
            self.send(self.values.get(words[1], b"-") + b"\r\n")
        else:
            self.send(b"ERROR\r\n")

    def handle_close(self):
        self.close()


class LineSession(Session):
    buffer = b""

    def handle_read(self):
        *lines, self.buffer = (self.buffer + self.recv(4096)).split(b"\n")
        for line in lines:
            self.obey(line)


def run(net, session):
    with net.host("server"):
        Listener(session, {})
    with net.host("client"):
        client = Asker([b"SET colour blue\r\n", b"GET colour\r\n", b"GET shape\r\n"])
    net.run()
    assert b"OK\r\nblue\r\n-\r\n".startswith(client.received), client.received


def bad(net):
    run(net, Session)


def good(net):
    run(net, LineSession)
