"""A limit for the handshake: a peer that does not take part is given up, and nobody else is."""

import ssl

import pytest

from simnet import Deadlock, UsageError, asyncore, dispatcher
from simnet.dispatchers.tls import tls_channel
from simnet.stage import VirtualStage
from tests.unit.stages import STAGES, everywhere
from tests.unit.tls_channels import HOSTNAME, Door, Echoing, call, client_context, serve


@pytest.fixture
def stage(request):
    made = STAGES[request.param]()
    yield made
    made.close()


class Silent(dispatcher):
    """Reads, and says nothing."""

    def handle_read(self):
        self.recv(4096)

    def handle_close(self):
        self.close()


class Dripping(Silent):
    """Sends the beginning of a record that claims 512 bytes, a byte every 3 seconds."""

    def __init__(self, address, first=b"\x16\x03\x01\x02\x00" + bytes(500)):
        super().__init__()
        self.rest = first
        self.create_socket()
        self.connect(address)

    def handle_connect(self):
        self.drip()

    def drip(self):
        if self.socket.fileno() >= 0:
            self.send(self.rest[:1])
            self.rest = self.rest[1:]
            self.call_later("3s", self.drip)


@everywhere
def test_a_peer_that_says_nothing_is_given_up(stage):
    door = serve(stage, handshake_limit="50ms")
    with stage.client:
        silent = Silent()
        silent.create_socket()
        silent.connect(stage.reach(door.socket))
    stage.run(lambda: door.channels and "close" in door.channels[0].told)
    assert door.channels[0].events() == [ssl.SSLError, "close"]
    assert "took longer than 50ms" in str(door.channels[0].tls_error)
    silent.close()


@everywhere
def test_a_client_gives_a_silent_server_up(stage):
    with stage.server:
        door = Door(stage.address, Silent)
    client = call(stage, door, handshake_limit=0.05)
    stage.run(lambda: "close" in client.told)
    assert client.events() == [ssl.SSLError, "close"]


def test_a_limit_is_for_the_whole_handshake_and_not_for_each_byte():
    stage = VirtualStage()
    door = serve(stage, handshake_limit="10s")
    with stage.client:
        Dripping(("server", door.socket.getsockname()[1]))
    stage.run(lambda: door.channels and "close" in door.channels[0].told, limit="1min")
    # 1 ms for the SYN, 1 ms for its answer, 1 ms for the client's ACK, and then the server's 10 s.
    assert stage.network.now_ns // 1_000_000 == 10_003
    assert door.channels[0].events() == [ssl.SSLError, "close"]


def test_without_a_limit_it_is_waited_for_ever():
    stage = VirtualStage()
    door = serve(stage)
    with stage.client:
        Dripping(("server", door.socket.getsockname()[1]))
    with pytest.raises(Deadlock):
        stage.run(lambda: door.channels and "close" in door.channels[0].told, limit="1min")
    assert door.channels[0].events() == []


def test_a_handshake_in_time_leaves_nothing_to_wait_for():
    stage = VirtualStage()
    door = serve(stage, handshake_limit="10s")
    client = call(stage, door, handle_connect=lambda self: self.send(b"hello"), handshake_limit="10s")
    stage.network.run()
    assert client.received == b"hello"
    assert stage.network.now_ns < 1_000_000_000  # the timers would have gone off after 10 s
    stage.network.run(until="20s")
    assert client.tls_error is door.channels[0].tls_error is None


def test_a_channel_that_is_closed_during_its_handshake_is_told_nothing_later():
    stage = VirtualStage()
    door = serve(stage, Echoing, handshake_limit="10s")
    with stage.client:
        silent = Silent()
        silent.create_socket()
        silent.connect(stage.reach(door.socket))
    stage.network.run(until=lambda: door.channels)
    door.channels[0].close()
    silent.close()
    stage.network.run()
    assert stage.network.now_ns < 1_000_000_000
    assert door.channels[0].told == []


def test_a_failed_handshake_is_reported_once():
    stage = VirtualStage()
    door = serve(stage, handshake_limit="10s")
    client = call(stage, door, context=ssl.create_default_context(), handshake_limit="10s")
    stage.network.run(until="20s")
    assert client.events() == [ssl.SSLCertVerificationError, "close"]
    assert isinstance(client.tls_error, ssl.SSLCertVerificationError)


@everywhere
def test_a_channel_without_timers_refuses_a_limit(stage):
    class Compatible(tls_channel, asyncore.dispatcher):
        handshake_limit = 10

    with stage.client:
        channel = Compatible()
        channel.create_socket()
        with pytest.raises(UsageError, match="handshake_limit needs timers"):
            channel.start_tls(client_context(), server_hostname=HOSTNAME)
        channel.close()
