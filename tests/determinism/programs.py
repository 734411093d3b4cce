"""Programs whose digests are compared between processes: ``programs.py NAME SEED`` prints one."""

import asyncio
import random
import socket
import sys
import time

from simnet import Network, dispatcher, dispatcher_with_send, loop
from simnet.outcomes import GENTLE


class Relay(dispatcher_with_send):
    """Answers each message with its bytes in reverse."""

    def handle_read(self):
        data = self.recv(4096)
        if data:
            self.send(data[::-1])


class Server(dispatcher):
    def __init__(self, port):
        super().__init__()
        self.create_socket()
        self.set_reuse_addr()
        self.bind(("", port))
        self.listen(20)

    def handle_accepted(self, sock, address):
        Relay(sock)


class Client(dispatcher_with_send):
    def __init__(self, address, messages):
        super().__init__()
        self.messages = list(messages)
        self.create_socket()
        self.connect(address)
        self.call_later("50ms", self.hurry)

    def handle_connect(self):
        self.next()

    def handle_read(self):
        if self.recv(4096):
            self.next()

    def hurry(self):
        if self.connected:
            self.send(b"hurry")

    def next(self):
        if self.messages:
            self.send(self.messages.pop(0))
        else:
            self.close()


def world(seed, ports):
    """Three clients talk to servers on two hosts, through jitter, a narrow link and a partition."""
    net = Network(seed=seed)
    for name in ("alpha", "beta", "gamma"):
        net.host(name)
    net.link("alpha", "beta", latency="3ms", jitter="2ms")
    net.link("alpha", "gamma", latency="7ms", bandwidth="1Mbit/s", capacity="8kB")
    net.at("30ms").partition({"alpha"}, {"gamma", "beta"})
    net.at("90ms").heal()
    for name, port in ports:
        with net.host(name):
            Server(port)
    with net.host("alpha"):
        for name, port in ports:
            Client((name, port), [f"{name} {number}".encode() * number for number in range(1, 6)])
    try:
        net.run(until="60s")
    except OSError as error:
        # A storm may refuse or fail what this program does not handle; that too must be equal.
        return f"{net.trace.digest()} {type(error).__name__}"
    return net.trace.digest()


def steady(seed):
    return world(seed, [("beta", 80), ("gamma", 80), ("beta", 81)])


def by_hash_order(seed):
    """The canary: it opens its connections in the order of a set of strings."""
    places = {("beta", 80), ("gamma", 80), ("beta", 81), ("gamma", 443), ("beta", 25), ("gamma", 7)}
    return world(seed, list(places))


class Crier(dispatcher):
    """Answers each datagram, and cries its own into the network."""

    def __init__(self, words):
        super().__init__()
        self.words = list(words)
        self.create_socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        self.bind(("", 9))
        self.call_later("5ms", self.cry)

    def cry(self):
        if self.words:
            self.socket.sendto(self.words.pop(0), ("255.255.255.255", 9))
            self.call_later("5ms", self.cry)

    def handle_read(self):
        data, address = self.socket.recvfrom(4096)
        if not data.startswith(b"re"):
            self.socket.sendto(b"re " + data, address)


def datagrams(seed):
    """Three hosts cry at each other, through jitter, a partition and a crash."""
    net = Network(seed=seed)
    hosts = [net.host(name) for name in ("alpha", "beta", "gamma")]
    for one, other in (("alpha", "beta"), ("beta", "gamma"), ("alpha", "gamma")):
        net.link(one, other, latency="3ms", jitter="4ms")
    net.at("12ms").partition({"alpha"}, {"gamma"})
    net.at("20ms").heal()
    net.at("22ms").crash("beta")
    for host in hosts:
        with host:
            Crier(f"{host.name} {number}".encode() for number in range(6))
    net.run(until="60s")
    return net.trace.digest()


def run_loop(port):
    """A program of dispatchers, in a process."""
    Server(port)
    loop()


async def ask_several(addresses):
    """An asyncio client: to all of them at once."""

    async def ask(address):
        try:
            reader, writer = await asyncio.open_connection(*address)
            writer.write(b"asynchronous")
            answer = await asyncio.wait_for(reader.readexactly(12), 20)
            writer.close()
            return answer
        except (OSError, EOFError) as error:
            return type(error).__name__

    return await asyncio.gather(*(ask(address) for address in addresses))


def ask_patiently(address, tries=5):
    """A blocking client that begins again when it fails, and pauses as long as it likes."""
    for _ in range(tries):
        try:
            with socket.create_connection(address, timeout=5) as sock:
                sock.sendall(b"blocking")
                return sock.recv(100)
        except OSError:
            time.sleep(random.uniform(0.5, 1))
    return None


def processes(seed):
    """Dispatchers on a host and in a process that is restarted, an asyncio client and blocking ones."""
    net = Network(seed=seed, only=GENTLE)
    alpha, beta, gamma = (net.host(name) for name in ("alpha", "beta", "gamma"))
    net.link("alpha", "beta", latency="3ms", jitter="2ms")
    with beta:
        Server(80)
    gamma.boot(lambda: gamma.spawn(run_loop, 81, daemon=True))
    net.at("10ms").terminate("gamma", "2s")
    places = [("beta", 80), ("gamma", 81)]
    clients = [
        alpha.spawn(lambda: asyncio.run(ask_several(places))),
        *(alpha.spawn(ask_patiently, place) for place in places),
    ]
    net.run()
    return f"{net.trace.digest()} {[client.result for client in clients]}"


PROGRAMS = {
    "steady": steady,
    "by_hash_order": by_hash_order,
    "datagrams": datagrams,
    "processes": processes,
}

if __name__ == "__main__":
    _, name, number = sys.argv
    print(PROGRAMS[name](int(number)))
