"""A hub of devices that must be heard of every 3 seconds: those that were not are cut off.

The hub asks select who has something to say, then looks at the clock, and then reads.  Where a device speaks
in the very moment in which its time is over, the hub reads from a socket that it has closed.
"""

from tests.zoo.common import PORT, Client


class Hub:
    limit = 3.0

    def __init__(self, machine):
        self.machine = machine
        self.listener = machine.socket.create_server(("", PORT))
        self.listener.setblocking(False)
        self.deadlines = {}

    def serve(self, seconds):
        now = self.machine.time.monotonic
        end = now() + seconds
        while now() < end:
            wake = min([end, *self.deadlines.values()])
            watched = [self.listener, *self.deadlines]
            ready, _, _ = self.machine.select.select(watched, [], [], max(wake - now(), 0))
            self.handle(ready, now())

    def handle(self, ready, now):
        self.expire(now)
        for sock in ready:
            self.read(sock, now)

    def expire(self, now):
        for sock in [sock for sock, deadline in self.deadlines.items() if deadline <= now]:
            self.drop(sock)

    def read(self, sock, now):
        try:
            if sock is self.listener:
                sock, _ = self.listener.accept()
                sock.setblocking(False)
            elif not sock.recv(4096):
                self.drop(sock)
                return
        except BlockingIOError:
            return
        except ConnectionError:
            self.drop(sock)
            return
        except OSError:
            if sock is not self.listener:
                raise
            return
        self.deadlines[sock] = now + self.limit

    def drop(self, sock):
        if self.deadlines.pop(sock, None) is not None:
            sock.close()


class CarefulHub(Hub):
    def handle(self, ready, now):
        for sock in ready:
            self.read(sock, now)
        self.expire(now)


class Device(Client):
    """Is heard of every second, six times."""

    beats = 6

    def handle_connect(self):
        super().handle_connect()
        self.beat()

    def beat(self):
        self.beats -= 1
        self.say(b"alive\n")
        if self.beats and not self.how:
            self.call_later("1s", self.beat)


def run(net, make_hub):
    hub = make_hub(net.host("server").modules)
    with net.host("client"):
        Device()
    hub.serve(30)


def bad(net):
    run(net, Hub)


def good(net):
    run(net, CarefulHub)
