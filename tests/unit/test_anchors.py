"""Every recorded script replays: what it names happens once in a run, however often things are made again."""

from __future__ import annotations

import errno

import pytest

from simnet import Network, UsageError, dispatcher, dispatcher_with_send


class Echo(dispatcher_with_send):
    def handle_read(self):
        data = self.recv(4096)
        if data:
            self.send(data)

    def handle_error(self):
        self.handle_close()


class Reader(dispatcher_with_send):
    def handle_read(self):
        self.recv(4096)


class Server(dispatcher):
    def __init__(self):
        super().__init__()
        self.create_socket()
        self.set_reuse_addr()
        self.bind(("", 7))
        self.listen(3)

    def handle_accepted(self, sock, address):
        Echo(sock)

    def handle_error(self):
        """A storm fails accept in every way; the listener stays."""


class Stubborn(dispatcher):
    """Connects again on a new socket whenever its connection is gone."""

    def __init__(self, times):
        super().__init__()
        self.times = times
        self.dial()

    def dial(self):
        self.times -= 1
        if self.times:
            self.create_socket()
            self.connect(("server", 7))
            self.call_later("700ms", self.close_and_dial)

    def close_and_dial(self):
        self.close()
        self.dial()

    def handle_connect(self):
        self.send(b"hello " * 50)

    def handle_read(self):
        self.recv(100)

    def handle_error(self):
        self.handle_close()


def rough_night(net: Network) -> str:
    """A server is restarted twice and cut off once, under clients that come again."""
    server = net.host("server")
    net.link("server", net.host("client").name, latency="15ms", jitter="4ms")
    server.boot(Server)
    with net.host("client"):
        for _ in range(3):
            Stubborn(times=6)
    for second in ("1s", "2.5s"):
        net.at(second).crash("server")
    for second in ("1.3s", "2.7s"):
        net.at(second).restart("server")
    net.at("1.8s").partition("client", "server")
    net.at("2.2s").heal()
    net.run(until="20s")
    return net.trace.digest()


@pytest.mark.parametrize("seed", range(12))
def test_a_storm_over_restarts_replays_from_its_script(seed):
    stormy = Network(seed=seed)
    digest = rough_night(stormy)
    script = stormy.script()
    places = [(each.where, each.op, each.nth) for each in script.deviations]
    assert len(places) == len(set(places))
    again = Network(script)
    assert rough_night(again) == digest
    assert again.unmet() == ()


def test_a_socket_that_connects_again_opens_another_connection():
    net = Network()
    server, client = net.host("server"), net.host("client")
    sock = client.socket()
    sock.setblocking(False)
    for _ in range(2):  # nobody listens
        assert sock.connect_ex(("server", 7)) == errno.EINPROGRESS
        net.run()
        assert sock.connect_ex(("server", 7)) == errno.ECONNREFUSED
    assert [name for name in net.trace.names if "->" in name] == [
        "client:1 -> server:7",
        "client:2 -> server:7",
    ]
    assert server.is_up


def test_a_rule_that_is_made_while_data_flows_is_recorded_where_it_acted():
    """The 3rd segment is lost, and the script says so, although nobody watched the first two."""

    def three_segments(net, lose):
        with net.host("server"):
            Server()
        with net.host("client"):
            sender = Reader()
            sender.create_socket()
            sender.connect(("server", 7))
        for number, time in enumerate(("10ms", "20ms", "30ms")):
            net.at(time).call(sender.send, b"%d" % number)
        if lose:
            net.at("25ms").call(lambda: net.on("client", "segment", nth=1).lose())
        net.run()
        return net.trace.digest()

    ruled = Network()
    digest = three_segments(ruled, lose=True)
    assert ruled.script().sentences() == ["the 3rd segment of client:1 -> server:7 is lost"]
    scripted = Network(ruled.script())
    assert three_segments(scripted, lose=False) == digest


def test_what_a_rule_decides_meets_the_script_that_names_it():
    net = Network()
    net.on("client", "connect", nth=1).lose(2)
    with net.host("server"):
        Server()
    with net.host("client"):
        Stubborn(times=2)
    net.run()
    again = Network(net.script())
    again.on("client", "connect", nth=1).lose(2)
    with again.host("server"):
        Server()
    with again.host("client"):
        Stubborn(times=2)
    again.run()
    assert again.unmet() == ()


def test_time_does_not_run_backwards_when_a_syn_is_lost_late():
    """5 s away, cut off at 2 s while the SYN is under way: those sent at 1 s and 3 s are lost with it."""
    net = Network(latency="5s")
    with net.host("server"):
        Server()
    with net.host("client"):
        Stubborn(times=2)
    net.at("2s").partition("client", "server")
    net.at("2.5s").heal()
    moments = [net.now]
    while net.step():
        moments.append(net.now)
    assert moments == sorted(moments)


def test_a_handler_cannot_let_time_pass():
    net = Network()
    refused = []

    def nested():
        try:
            net.run(until="5s")
        except UsageError as error:
            refused.append(str(error))

    net.at("1s").call(nested)
    net.run()
    assert refused == ["the network runs already: a handler or a timer cannot let time pass"]
    assert net.now == 1.0


@pytest.mark.parametrize("until", [[], b"", object()])
def test_until_is_a_time_or_a_condition(until):
    with pytest.raises(UsageError):
        Network().run(until=until)


def test_nothing_is_called_on_a_host_after_its_own_handler_crashed_it():
    net = Network()
    heard = []
    server = net.host("server")

    class Fatal(dispatcher):
        def handle_read(self):
            heard.append(self.recv(10))
            server.crash()

        def handle_close(self):
            heard.append("closed")

    class Doomed(Server):
        def handle_accepted(self, sock, address):
            Fatal(sock)

    with server:
        Doomed()
    with net.host("client"):
        for _ in range(2):
            sender = dispatcher_with_send()
            sender.create_socket()
            sender.connect(("server", 7))
            sender.send(b"x")
    net.run(until="1s")
    assert heard == [b"x"]
    with pytest.raises(UsageError, match="server is down"):
        server.socket()


def test_connections_that_are_over_are_forgotten():
    net = Network(trace=False)
    with net.host("server"):
        Server()
    client = net.host("client")
    for _ in range(2000):
        sock = client.socket()
        sock.setblocking(False)
        sock.connect_ex(("server", 7))
        net.run()
        sock.close()
        net.run()
    assert len(net._ends) < 600
