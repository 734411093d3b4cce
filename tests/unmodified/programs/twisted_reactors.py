"""Twisted with a reactor of its own on each host: lines, a timer, a client that connects again by itself."""

from twisted.internet.epollreactor import EPollReactor
from twisted.internet.protocol import Factory, ReconnectingClientFactory
from twisted.protocols.basic import LineReceiver

from tests.unmodified.probe import happened

WORDS = [f"loaf {number}".encode() * 50 for number in range(10)]


class Shouter(LineReceiver):
    def lineReceived(self, line):
        self.sendLine(line.upper())


class Asker(LineReceiver):
    """Sends what is not answered yet."""

    def connectionMade(self):
        self.factory.connections += 1
        self.ask()

    def ask(self):
        if len(self.factory.answers) < len(WORDS):
            self.sendLine(WORDS[len(self.factory.answers)])
        else:
            self.factory.stopTrying()
            self.factory.reactor.stop()

    def lineReceived(self, line):
        self.factory.answers.append(line)
        self.factory.reactor.callLater(1, self.ask)


class Asking(ReconnectingClientFactory):
    protocol, noisy = Asker, False

    def __init__(self, reactor):
        self.reactor = self.clock = reactor
        self.answers, self.connections = [], 0


def serve():
    reactor = EPollReactor()
    factory = Factory.forProtocol(Shouter)
    factory.noisy = False
    reactor.listenTCP(7, factory)
    reactor.run(installSignalHandlers=False)


def ask():
    reactor = EPollReactor()
    asking = Asking(reactor)
    reactor.connectTCP("10.0.0.1", 7, asking)
    reactor.run(installSignalHandlers=False)
    return asking.answers, asking.connections


def run(network):
    network.host("server").spawn(serve, daemon=True)
    asking = network.host("client").spawn(ask)
    network.run()
    answers, connections = asking.result
    assert answers == [word.upper() for word in WORDS]
    assert connections == 1 + happened(network, "recv", "reset")
