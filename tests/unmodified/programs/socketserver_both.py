"""socketserver with threads: a TCP server that counts under a lock, and a UDP server that is asked again."""

import socket
import socketserver
import threading

from tests.unmodified.probe import happened

CLIENTS, LINES = 4, 5


class Counter(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            with self.server.lock:
                self.server.total += int(line)
            self.wfile.write(b"%d\n" % self.server.total)


class Shouter(socketserver.DatagramRequestHandler):
    def handle(self):
        self.wfile.write(self.rfile.read().upper())


class Counters(socketserver.ThreadingTCPServer):
    daemon_threads = True


class Shouters(socketserver.ThreadingUDPServer):
    daemon_threads = True


def count(counters):
    with Counters(("", 7), Counter) as server:
        server.lock, server.total = threading.Lock(), 0
        counters.append(server)
        server.serve_forever()


def shout():
    with Shouters(("", 7), Shouter) as server:
        server.serve_forever()


def add(number):
    with socket.create_connection(("server", 7), timeout=60) as sock, sock.makefile("rwb") as file:
        totals = []
        for _ in range(LINES):
            file.write(b"%d\n" % number)
            file.flush()
            totals.append(int(file.readline()))
        return totals


def ask():
    """The answer to a datagram, and how often it had to be sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(1)
        sock.connect(("server", 7))
        for attempt in range(1, 5):
            sock.send(b"hello")
            try:
                return sock.recv(100), attempt
            except TimeoutError:
                continue
    raise AssertionError("never answered")


def run(network):
    counters = []
    server, client = network.host("server"), network.host("client")
    server.spawn(count, counters, daemon=True)
    server.spawn(shout, daemon=True)
    adding = [client.spawn(add, number) for number in range(1, CLIENTS + 1)]
    asking = client.spawn(ask)
    network.run()
    assert counters[0].total == LINES * sum(range(1, CLIENTS + 1))
    assert counters[0].total == max(each.result[-1] for each in adding)
    assert all(each.result == sorted(each.result) for each in adding)
    assert asking.result == (b"HELLO", 1 + happened(network, "datagram", "lost"))
