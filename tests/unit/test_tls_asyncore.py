"""The mixin in front of the dispatchers of asyncore, to the letter, turned by asyncore's own loop."""

import socket
import ssl
import time

import pytest

from simnet import asynchat, asyncore
from simnet.dispatchers.lingering import Lingering
from simnet.dispatchers.tls import tls_channel
from tests.unit.tls_channels import HOSTNAME, client_context, server_context

MESSAGE = b"m" * 700_000
PLAIN_BYTES = 4_000_000  # more than the kernel takes at once


def turn(channels, until):
    """asyncore's loop over a map of one's own, until something holds."""
    limit = time.monotonic() + 10
    while not until():
        assert channels, "nobody is left"
        assert time.monotonic() < limit, list(channels.values())
        asyncore.loop(timeout=0.05, map=channels, count=1)


@pytest.fixture
def channels():
    made = {}
    yield made
    for channel in [*made.values(), *made.values()]:
        channel.close()


class Told:
    """Writes down what it is told."""

    def __init__(self, *arguments, **named):
        self.told, self.received = [], b""
        super().__init__(*arguments, **named)

    def handle_connect(self):
        self.told.append("connect")

    def handle_handshake(self):
        self.told.append("handshake")

    def handle_tls_error(self, error):
        self.told.append(type(error))

    def handle_close(self):
        self.told.append("close")
        self.close()

    def handle_error(self):
        raise  # noqa: PLE0704 - called where the exception is being handled


class Echo(Told, tls_channel, asyncore.dispatcher_with_send):
    def __init__(self, sock, map):
        super().__init__(sock, map)
        self.start_tls(server_context(), server_side=True)

    def handle_read(self):
        data = self.recv(1000)
        self.received += data
        if data:
            self.send(data)


class Chat(Told, tls_channel, asynchat.async_chat):
    """Says much in plain, upgrades, says a message, and closes when that is said."""

    def __init__(self, sock, map):
        super().__init__(sock, map)
        self.push(bytes(PLAIN_BYTES))
        self.start_tls(server_context(), server_side=True)
        self.push(MESSAGE)
        self.close_when_done()


class Door(asyncore.dispatcher):
    def __init__(self, map, kind):
        super().__init__(map=map)
        self.kind, self.accepted = kind, []
        self.create_socket()
        self.bind(("127.0.0.1", 0))
        self.listen(1)

    def handle_accepted(self, sock, address):
        self.accepted.append(self.kind(sock, self._map))


class Client(Told, tls_channel, asyncore.dispatcher_with_send):
    def __init__(self, map, address, context):
        super().__init__(map=map)
        self.create_socket()
        self.start_tls(context, server_hostname=HOSTNAME)
        self.connect(address)

    def handle_read(self):
        self.received += self.recv(1000)


class Upgrading(Told, tls_channel, asyncore.dispatcher_with_send):
    """Reads what is plain, and upgrades behind it."""

    def __init__(self, map, address):
        super().__init__(map=map)
        self.plain = b""
        self.create_socket()
        self.connect(address)

    def handle_read(self):
        if self.tls is not None:
            self.received += self.recv(65_536)
            return
        self.plain += self.recv(min(65_536, PLAIN_BYTES - len(self.plain)))
        if len(self.plain) == PLAIN_BYTES:
            self.start_tls(client_context(), server_hostname=HOSTNAME)


def test_an_echo_comes_back_by_small_reads_and_the_end_is_clean(channels):
    door = Door(channels, Echo)
    client = Client(channels, door.socket.getsockname(), client_context())
    turn(channels, lambda: client.connected)
    client.send(MESSAGE)
    turn(channels, lambda: len(client.received) == len(MESSAGE))
    client.close()
    turn(channels, lambda: "close" in door.accepted[0].told)
    assert client.received == door.accepted[0].received == MESSAGE
    assert client.told == ["handshake", "connect"]
    assert door.accepted[0].told == ["handshake", "close"]


def test_a_failure_is_told_and_closes(channels):
    door = Door(channels, Echo)
    client = Client(channels, door.socket.getsockname(), ssl.create_default_context())
    turn(channels, lambda: "close" in client.told and door.accepted and "close" in door.accepted[0].told)
    assert client.told == [ssl.SSLCertVerificationError, "close"]


def test_an_async_chat_upgrades_behind_what_is_queued_and_delivers_all_it_was_given(channels):
    door = Door(channels, Chat)
    client = Upgrading(channels, door.socket.getsockname())
    turn(channels, lambda: "close" in client.told)
    assert client.plain == bytes(PLAIN_BYTES)
    assert client.received == MESSAGE
    assert client.told == ["connect", "handshake", "close"]
    assert not any(isinstance(channel, Lingering) for channel in channels.values())


def test_close_all_leaves_no_socket_open_that_has_something_left_to_send(channels):
    door = Door(channels, Echo)
    client = Client(channels, door.socket.getsockname(), client_context())
    turn(channels, lambda: client.connected)
    served = door.accepted[0]
    served.del_channel()  # it reads no more
    served.socket.raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    client.socket.raw.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
    client.send(bytes(PLAIN_BYTES))
    turn(channels, lambda: client.socket.has_unsent)
    raw = client.socket.raw
    asyncore.close_all(channels)
    assert raw.fileno() == -1
    assert not channels
    served.close()
