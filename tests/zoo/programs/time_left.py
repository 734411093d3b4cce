"""A station that collects for a second what its sensors report, and waits for no more than is left of it.

It is told that there is something to read, and loses the processor.  When it has read, its time is over, and
what is left of it is less than nothing: select does not wait for -0.3 seconds, it raises.
"""

from contextlib import closing

from tests.zoo.common import PORT, Client


class Station:
    seconds = 1.0

    def __init__(self, machine):
        self.machine = machine
        self.server = machine.socket.create_server(("", PORT), family=machine.socket.AF_INET)
        self.server.setblocking(False)

    def collect(self):
        """What the sensors have sent within the time."""
        now = self.machine.time.monotonic
        deadline, sensors, reports = now() + self.seconds, [], []
        while True:
            left = self.left(deadline - now())
            ready, _, _ = self.machine.select.select([self.server, *sensors], [], [], left)
            if not ready:
                break
            for sock in ready:
                if sock is self.server:
                    self.welcome(sensors)
                else:
                    self.read(sock, sensors, reports)
        for sock in sensors:
            sock.close()
        return b"".join(reports)

    def left(self, seconds):
        return seconds

    def welcome(self, sensors):
        try:
            sock, _ = self.server.accept()
        except OSError:
            return
        sock.setblocking(False)
        sensors.append(sock)

    def read(self, sock, sensors, reports):
        try:
            data = sock.recv(4096)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        reports.append(data)
        if not data:
            sensors.remove(sock)
            sock.close()


class PatientStation(Station):
    def left(self, seconds):
        return max(seconds, 0)


class Sensor(Client):
    """Reports every 150 ms, ten times."""

    reports = 10

    def handle_connect(self):
        super().handle_connect()
        self.report()

    def report(self):
        self.reports -= 1
        self.say(b"21.5\n")
        if self.reports and not self.how:
            self.call_later("150ms", self.report)


def run(net, make_station):
    station = make_station(net.host("server").modules)
    with closing(station.server), net.host("client"):
        for _ in range(2):
            Sensor()
        collected = station.collect()
    assert len(collected) <= 2 * Sensor.reports * len(b"21.5\n")


def bad(net):
    run(net, Station)


def good(net):
    run(net, PatientStation)
