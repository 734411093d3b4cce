"""A game server that counts who is online, and goes on with the lines behind a QUIT when it has closed.

Lines come together where the network held one up.  The answer to the line behind QUIT goes to a channel that
is closed; asyncore calls handle_close for that, and one player has left twice.
"""

from simnet import asyncore
from tests.zoo.common import Client, Listener


class Lobby:
    online = 0


class Player(asyncore.dispatcher_with_send):
    def __init__(self, sock, lobby):
        asyncore.dispatcher_with_send.__init__(self, sock)
        self.lobby = lobby
        self.buffer = b""
        lobby.online += 1

    def handle_read(self):
        try:
            self.buffer += self.recv(4096)
        except BlockingIOError:
            return
        while self.wants_more() and b"\n" in self.buffer:
            line, _, self.buffer = self.buffer.partition(b"\n")
            self.obey(line.strip())

    def wants_more(self):
        return True

    def obey(self, line):
        if line == b"QUIT":
            self.handle_close()
        else:
            self.send(b"you said " + line + b"\r\n")

    def handle_close(self):
        self.lobby.online -= 1
        self.close()


class CarefulPlayer(Player):
    has_left = False

    def wants_more(self):
        return not self.has_left

    def handle_close(self):
        if not self.has_left:
            self.has_left = True
            Player.handle_close(self)


class Hasty(Client):
    """Says QUIT 20 ms after it has connected, while its keys are still sent every 8 ms."""

    def handle_connect(self):
        super().handle_connect()
        self.call_later("20ms", self.say, b"QUIT\r\n")
        for key in range(4):
            self.call_later(0.008 * key, self.say, b"KEY up\r\n")


def run(net, player):
    lobby = Lobby()
    with net.host("server"):
        Listener(player, lobby)
    with net.host("client"):
        Hasty()
    net.run()
    assert lobby.online == 0, f"{lobby.online} players are online, and all have left"


def bad(net):
    run(net, Player)


def good(net):
    run(net, CarefulPlayer)
