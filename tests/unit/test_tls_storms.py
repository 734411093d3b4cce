"""TLS in every weather: what comes through is what was sent, in order, or the end is reported as an error."""

import ssl

import pytest
from hypothesis import given, settings

from simnet import Deadlock, Network, dispatcher, dispatcher_with_send
from simnet.dispatchers import tls, tls_socket
from simnet.fuzz import networks
from simnet.outcomes import GENTLE
from simnet.stage import VirtualStage
from tests.unit.tls_channels import Echoing, Secured, call, client_context, serve, server_context

MESSAGE = bytes(range(256)) * 80  # 20 480 bytes: 2 records
CONTEXTS = (server_context(), client_context())


class Asking(Secured):
    """Sends a message, says that this was all, and reads until the peer ends."""

    def handle_connect(self):
        super().handle_connect()
        self.send(MESSAGE)

    def answer(self, data):
        if len(self.received) == len(MESSAGE):
            self.shutdown_tls()


class Greeting(Secured):
    def handle_connect(self):
        super().handle_connect()
        self.send(b"hello")


def converse(net):
    """An echo over TLS on this network: the client and the channels that served it."""
    stage = VirtualStage(net)
    door = serve(stage, Echoing, context=CONTEXTS[0])
    try:
        client = call(stage, door, Asking, context=CONTEXTS[1])
    except OSError:
        return None, door.channels  # refused at once
    net.run()
    return client, door.channels


def check(channel):
    """Whatever happened was told in an order that makes sense, and nothing that came was changed."""
    events = channel.events()
    assert MESSAGE.startswith(channel.received)
    assert events.count("close") <= 1
    assert events.count("handshake") <= 1
    assert "close" not in events[:-1]
    if channel.tls_error is not None:
        assert isinstance(channel.tls_error, ssl.SSLEOFError), channel.tls_error


@settings(max_examples=150, deadline=None)
@given(net=networks())
def test_in_a_storm_everything_comes_in_order_or_the_end_is_told(net):
    try:
        client, served = converse(net)
    except OSError:
        return  # the listener failed, which no channel is told
    for channel in served:
        check(channel)
    if client is not None:
        check(client)
        if client.received != MESSAGE:
            assert client.told, net.netstat()
            assert client.events()[-1] == "close"


@settings(max_examples=150, deadline=None)
@given(net=networks(only=GENTLE))
def test_in_gentle_weather_everything_comes_through_and_ends_well(net):
    client, (served,) = converse(net)
    for channel in (client, served):
        assert channel.received == MESSAGE
        assert channel.tls_error is None
        assert channel.events()[-1] == "close"


FLIGHT_BYTES = 1_600  # of the server's side of the handshake; the client's is 330


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_handshake_may_be_cut_in_two_anywhere(version):
    """Each segment of the handshake is cut after 1, 2, 3 ... bytes, one run each."""
    context = server_context(maximum_version=version)
    cuts = 0
    for where in ("client", "server"):
        for nth in (1, 2):
            for count in range(1, FLIGHT_BYTES, 7 if where == "server" else 1):
                net = Network()
                stage = VirtualStage(net)
                door = serve(stage, Echoing, context=context)
                net.on(where, "segment", nth=nth).cut(count)
                client = call(
                    stage, door, handle_connect=lambda self: self.send(b"hello"), context=CONTEXTS[1]
                )
                net.run()
                assert client.received == b"hello", (where, nth, count)
                deviations = len(net.recording.deviations)
                if not deviations:
                    break  # the segment is no longer than that
                cuts += deviations
    assert cuts > 500


# --- the tests above can fail --------------------------------------------------------------------


def test_that_plaintext_in_memory_is_forgotten_is_noticed(monkeypatch):
    def only_once(self, sock, fresh):
        if self._tls_channel__wants_to_read() and self._tls_channel__fill(sock, fresh):
            dispatcher.handle_read_event(self)

    monkeypatch.setattr(tls.tls_channel, "_tls_channel__deliver", only_once)
    monkeypatch.setattr(tls_socket.TLSSocket, "has_pending", False)
    client, _ = converse(Network())
    assert client.received != MESSAGE


def test_that_the_handshake_asks_the_handlers_is_noticed(monkeypatch):
    monkeypatch.setattr(tls.tls_channel, "_tls_channel__is_readable", lambda self, wanted: bool(wanted()))
    stage = VirtualStage()
    client = call(stage, serve(stage), readable=lambda self: self.connected)
    with pytest.raises(Deadlock):
        stage.run(lambda: client.connected)


def test_a_peer_that_is_no_tls_is_no_livelock():
    class Chatter(dispatcher_with_send):
        def handle_connect(self):
            self.send(b"\x16\x03\x01\xff\xff" + bytes(70_000))

        def handle_read(self):
            self.recv(4096)

        def handle_close(self):
            self.close()

    stage = VirtualStage()
    door = serve(stage)
    with stage.client:
        client = Chatter()
        client.create_socket()
        client.connect(stage.reach(door.socket))
    stage.network.run()
    assert door.channels[0].events() == [ssl.SSLError, "close"]
