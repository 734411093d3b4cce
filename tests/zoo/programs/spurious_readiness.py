"""An echo in the old way: a select loop that believes select.

Under Linux select() may report a socket as ready, while nevertheless a subsequent read blocks (select(2),
BUGS).  A socket that does not block says EAGAIN then, and whoever does not expect that is gone.
"""

import errno

from tests.zoo.common import PORT, Client


class Echo:
    def __init__(self, machine):
        self.machine = machine
        self.listener = machine.socket.create_server(("", PORT))
        self.listener.setblocking(False)
        self.peers = []

    def serve(self, seconds):
        end = self.machine.time.monotonic() + seconds
        while (left := end - self.machine.time.monotonic()) > 0:
            ready, _, _ = self.machine.select.select([self.listener, *self.peers], [], [], left)
            for sock in ready:
                if sock is self.listener:
                    self.welcome()
                else:
                    self.answer(sock)

    def welcome(self):
        try:
            peer, _ = self.listener.accept()
        except OSError:
            return
        peer.setblocking(False)
        self.peers.append(peer)

    def answer(self, sock):
        try:
            data = sock.recv(4096)
            if data:
                sock.send(data)
                return
        except OSError as error:
            if not self.is_gone(error):
                return
        self.peers.remove(sock)
        sock.close()

    def is_gone(self, error):
        return True


class CarefulEcho(Echo):
    def is_gone(self, error):
        return error.errno != errno.EAGAIN


def run(net, make_echo):
    echo = make_echo(net.host("server").modules)
    with net.host("client"):
        client = Client(b"hello")
    echo.serve(60)
    assert client.how != "eof", "the server has hung up"


def bad(net):
    run(net, Echo)


def good(net):
    run(net, CarefulEcho)
