"""Dispatchers of AF_UNIX streams and sequenced packets, one body on every kind of stage."""

import errno
import itertools
import os
import socket

import pytest

from simnet import dispatcher
from simnet.loop import loop_for
from tests.unit.stages import STAGES, Told, everywhere

_names = itertools.count()
KINDS = {"stream": socket.SOCK_STREAM, "seqpacket": socket.SOCK_SEQPACKET}


@pytest.fixture
def stage(request):
    made = STAGES[request.param]()
    yield made
    made.close()


@pytest.fixture(params=KINDS.values(), ids=KINDS)
def kind(request):
    return request.param


class Server(Told):
    """Accepts, and keeps its channels and the addresses of those who came."""

    def __init__(self, address, kind=socket.SOCK_STREAM, backlog=5):
        super().__init__()
        self.channels, self.addresses = [], []
        self.create_socket(socket.AF_UNIX, kind)
        self.bind(address)
        self.listen(backlog)

    def handle_accepted(self, sock, addr):
        self.addresses.append(addr)
        self.channels.append(Told(sock))


def serve(stage, *args, name="server", **kwargs):
    with stage.server:
        return Server(stage.path(name), *args, **kwargs)


def connect(stage, address, kind=socket.SOCK_STREAM, own=None):
    with stage.server:
        client = Told()
        client.create_socket(socket.AF_UNIX, kind)
        if own is not None:
            client.bind(own)
        client.connect(address)
    return client


@everywhere
def test_a_connection_is_complete_when_connect_returns(stage, kind):
    server = serve(stage, kind)
    client = connect(stage, stage.path("server"), kind)
    assert (client.connected, client.connecting, client.told) == (True, False, ["connect"])
    client.send(b"hello")
    stage.run(lambda: server.channels and server.channels[0].received == b"hello")
    assert client.told == ["connect"]
    server.channels[0].send(b"welcome")
    stage.run(lambda: client.received == b"welcome")
    client.close()
    stage.run(lambda: server.channels[0].told[-1] == "close")


@everywhere
def test_who_has_no_name_comes_from_an_empty_one(stage, kind):
    server = serve(stage, kind)
    connect(stage, stage.path("server"), kind)
    connect(stage, stage.path("server"), kind, own=stage.path("client"))
    stage.run(lambda: len(server.channels) == 2)
    assert server.addresses == ["", stage.path("client")]
    assert [channel.addr for channel in server.channels] == ["", stage.path("client")]
    assert [channel.connected for channel in server.channels] == [True, True]
    assert repr(server.channels[0]) == "<Told connected>"


@everywhere
def test_an_abstract_name_needs_no_path(stage):
    name = f"\0simnet-dispatcher-{os.getpid()}-{next(_names)}"
    with stage.server:
        server = Server(name)
    client = connect(stage, name)
    stage.run(lambda: server.channels)
    assert client.connected
    assert server.socket.getsockname() == name.encode()


@everywhere
def test_a_name_that_is_missing_or_that_nobody_answers_behind_is_an_error_of_connect(stage, kind):
    server = serve(stage, kind)
    server.close()
    failed = {}
    for name in ("missing", "server"):
        with stage.server:
            client = Told()
            client.create_socket(socket.AF_UNIX, kind)
            with pytest.raises(OSError) as caught:
                client.connect(stage.path(name))
            client.close()
        failed[name] = errno.errorcode[caught.value.errno]
        assert (client.connected, client.connecting, client.told) == (False, False, [])
    assert failed == {"missing": "ENOENT", "server": "ECONNREFUSED"}


@everywhere
def test_a_full_backlog_is_an_error_of_connect_and_not_a_connection_in_progress(stage, kind):
    server = serve(stage, kind, 0)
    server.del_channel()  # nobody accepts
    first = connect(stage, stage.path("server"), kind)
    with stage.server:
        second = Told()
        second.create_socket(socket.AF_UNIX, kind)
        with pytest.raises(BlockingIOError):
            second.connect(stage.path("server"))
    assert (second.connected, second.connecting, second.told) == (False, False, [])
    second.close()
    assert first.connected
    server.socket.close()


@everywhere
def test_a_program_tries_again_by_a_timer_until_there_is_room(stage):
    class Patient(Told):
        tries = 0

        def reach(self, address):
            self.tries += 1
            self.create_socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                self.connect(address)
            except BlockingIOError:
                self.close()
                self.call_later("5ms", self.reach, address)

    server = serve(stage, backlog=0)
    server.del_channel()
    connect(stage, stage.path("server"))
    with stage.server:
        client = Patient()
        client.reach(stage.path("server"))
    stage.run(lambda: client.tries > 2)
    assert not client.connected
    server.set_socket(server.socket)
    stage.run(lambda: client.connected and len(server.channels) == 2)
    assert client.told == ["connect"]


@everywhere
def test_a_path_stays_taken_until_somebody_unlinks_it(stage):
    server = serve(stage)
    server.close()
    with stage.server, pytest.raises(OSError) as caught:
        Server(stage.path("server"))
    assert caught.value.errno == errno.EADDRINUSE
    for channel in list(loop_for(stage.server).map.values()):
        channel.close()
    stage.server.modules.os.unlink(stage.path("server"))
    serve(stage)
    assert connect(stage, stage.path("server")).connected


@everywhere
def test_packets_keep_their_edges(stage):
    class Packets(Told):
        def handle_read(self):
            self.told.append(self.recv(100))

    server = serve(stage, socket.SOCK_SEQPACKET)
    with stage.server:
        client = Packets()
        client.create_socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        client.connect(stage.path("server"))
    stage.run(lambda: server.channels)
    for data in (b"one", b"two"):
        server.channels[0].send(data)
    server.channels[0].close()
    stage.run(lambda: "close" in client.told)
    assert client.told == ["connect", b"one", b"two", "close", b""]


@everywhere
def test_a_path_of_a_stage_is_free_and_short(stage):
    assert stage.path("a") != stage.path("b")
    assert stage.path("a") == stage.path("a")
    assert not stage.server.modules.os.path.exists(stage.path("a"))
    assert len(stage.path("a")) < 90  # sun_path has 108 bytes


def test_a_real_stage_takes_its_paths_along():
    stage = STAGES["real-poll"]()
    path = stage.path("a")
    with stage.server:
        channel = dispatcher()
        channel.create_socket(socket.AF_UNIX)
        channel.bind(path)
    assert os.path.exists(path)
    stage.close()
    assert not os.path.exists(os.path.dirname(path))
