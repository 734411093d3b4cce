"""Connections that the system gives up: for a native dispatcher an end, for asyncore an error."""

import socket
import struct
import sys

import pytest

from simnet import Network, Script, asyncore, dispatcher, parse
from simnet.stage import RealStage, VirtualStage


class Notes:
    """Writes down what it is told, and names its errors; says that a connection came only if it did."""

    def __init__(self, sock=None):
        self.told = []
        super().__init__(sock)

    def handle_connect(self):
        self.told.append("connect")

    def handle_read(self):
        self.told.append("read")
        self.recv(100)

    def handle_close(self):
        self.told.append("close")
        self.close()

    def handle_error(self):
        self.told.append(type(sys.exc_info()[1]).__name__)
        self.close()


class Native(Notes, dispatcher):
    pass


class Compatible(Notes, asyncore.dispatcher):
    def writable(self):
        return self.connecting


class Listener(dispatcher):
    def __init__(self, address, kind):
        super().__init__()
        self.kind, self.channels = kind, []
        self.create_socket()
        self.bind(address)
        self.listen(5)

    def handle_accepted(self, sock, addr):
        self.channels.append(self.kind(sock))


def pair(stage, client_kind, server_kind):
    with stage.server:
        listener = Listener(stage.address, server_kind)
    with stage.client:
        client = client_kind()
        client.create_socket()
        client.connect(stage.reach(listener.socket))
    stage.run(lambda: listener.channels and client.connected)
    return client, listener.channels[0]


@pytest.mark.parametrize("name", ["ETIMEDOUT", "EHOSTUNREACH"])
def test_a_recv_that_says_so_is_the_end_of_a_native_channel_and_an_error_of_an_asyncore_one(name):
    told = {}
    for kind in (Native, Compatible):
        script = Script([parse(f"the 1st recv of #1 server fails with {name}")])
        stage = VirtualStage(Network(script))
        client, served = pair(stage, Native, kind)
        client.send(b"hello")
        stage.run(lambda served=served: len(served.told) > 1)
        assert stage.network.unmet() == ()
        told[kind] = served.told
    assert told[Native] == ["read", "close"]
    assert told[Compatible] == ["read", {"ETIMEDOUT": "TimeoutError", "EHOSTUNREACH": "OSError"}[name]]


def test_a_send_that_says_so_takes_nothing_and_tells_handle_close():
    class Deaf(Native):
        def readable(self):
            return False

    stage = VirtualStage()
    client, _ = pair(stage, Deaf, Native)
    stage.server.crash()
    client.send(b"is anybody there?")
    stage.network.run(until="1h")  # 15 retransmissions take a quarter of an hour (tcp(7), tcp_retries2)
    assert client.send(b"hello?") == 0
    assert client.told == ["connect", "close"]


def test_who_waits_for_an_answer_of_a_crashed_peer_is_told_of_the_end():
    stage = VirtualStage()
    client, _ = pair(stage, Native, Native)
    stage.server.crash()
    client.send(b"is anybody there?")
    stage.run(lambda: "close" in client.told, limit="1h")
    assert client.told == ["connect", "read", "close"]


@pytest.mark.parametrize("stage", ["virtual", "real"], indirect=True)
def test_a_send_before_anybody_was_told_of_a_refusal_does_not_hide_it(stage):
    class Busy(Native):
        is_busy = True

        def readable(self):
            return not self.is_busy

        writable = readable

        def handle_connect_failed(self, error):
            self.told.append(type(error).__name__)

    with stage.server:
        listener = Listener(stage.address, Native)
        address = stage.reach(listener.socket)
        listener.close()
    passed = []
    with stage.client:
        client = Busy()
        client.create_socket()
        client.connect(address)
        client.call_later("10ms", passed.append, True)
    stage.run(lambda: passed)
    assert client.send(b"hello") == 0  # ECONNREFUSED, which send(2) and SO_ERROR say once between them
    client.is_busy = False
    stage.run(lambda: client.told)
    assert client.told == ["ConnectionRefusedError"]


class Announcing(Native):
    """Says something as soon as it is connected, and does not listen."""

    def readable(self):
        return False

    def handle_connect(self):
        super().handle_connect()
        self.told.append(self.send(b"hello"))

    def handle_connect_failed(self, error):
        self.told.append(type(error).__name__)
        raise error


def test_a_reset_that_a_send_in_handle_connect_meets_is_told_by_handle_close():
    stage = VirtualStage(Network(Script([parse("the 1st send of #1 client is reset")])))
    with stage.server:
        listener = Listener(stage.address, Native)
    with stage.client:
        client = Announcing()
        client.create_socket()
        client.connect(stage.reach(listener.socket))
    stage.run(lambda: 0 in client.told)
    assert client.told == ["connect", "close", 0]
    assert not client.connected


def test_a_peer_that_resets_while_handle_connect_runs_is_no_refusal_on_this_computer_either():
    stage = RealStage()
    with socket.create_server(("127.0.0.1", 0)) as listener, stage.client:

        class Cut(Announcing):
            def handle_connect(self):
                accepted, _ = listener.accept()
                accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                accepted.close()  # a reset (socket(7), SO_LINGER)
                super().handle_connect()

        client = Cut()
        client.create_socket()
        client.connect(listener.getsockname())
        stage.run(lambda: 0 in client.told)
    assert client.told == ["connect", "close", 0]
