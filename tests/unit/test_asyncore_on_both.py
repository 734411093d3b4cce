"""simnet.asyncore and asynchat on both stages: one body each; then what is so on virtual hosts only."""

import errno
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from simnet import Network, asynchat, asyncore
from simnet.outcomes import GENTLE
from simnet.stage import VirtualStage
from tests.unit.stages import ABORTIVE

ROOT = Path(__file__).parents[2]
PAYLOAD = bytes(range(256)) * 2048  # 512 KiB: more than one send takes

on_both = pytest.mark.parametrize("stage", ["virtual", "real"], indirect=True)
by_select_and_by_poll = pytest.mark.parametrize("use_poll", [False, True], ids=["select", "poll"])


class Told(asyncore.dispatcher):
    """Notes what it is told and what it reads; sends `output`."""

    def __init__(self, sock=None, output=b""):
        self.told, self.received, self.output = [], b"", output
        super().__init__(sock)

    def handle_connect(self):
        self.told.append("connect")

    def handle_read(self):
        self.told.append("read")
        self.received += self.recv(65536)

    def handle_write(self):
        self.told.append("write")
        self.output = self.output[self.send(self.output) :]

    def handle_close(self):
        self.told.append("close")
        self.close()

    def writable(self):
        return self.connecting or len(self.output) > 0


class Echo(asyncore.dispatcher_with_send):
    def handle_read(self):
        data = self.recv(8192)
        if data:
            self.send(data)

    def handle_close(self):
        self.close()


class Listener(asyncore.dispatcher):
    """Makes a channel of `kind` of each connection, and keeps it in `channels`."""

    def __init__(self, address, kind, only=None):
        super().__init__()
        self.kind, self.only, self.channels = kind, only, []
        self.create_socket()
        self.set_reuse_addr()
        self.bind(address)
        self.listen(5)

    def writable(self):
        return False

    def handle_accepted(self, sock, address):
        self.channels.append(self.kind(sock))
        if len(self.channels) == self.only:
            self.close()


class Patient(Listener):
    """In a storm accept may fail, which is nobody's mistake."""

    def handle_error(self):
        pass


class Words(asynchat.async_chat):
    """Notes what lies between terminators; answers each piece by `answer`, if it has one."""

    answer = None

    def __init__(self, sock=None):
        super().__init__(sock)
        self.collected, self.pieces = [], []
        self.set_terminator(b"\r\n")

    def collect_incoming_data(self, data):
        self.collected.append(data)

    def found_terminator(self):
        piece, self.collected = b"".join(self.collected), []
        self.pieces.append(piece)
        if self.answer is not None:
            self.answer(piece)


def connect(stage, listener, kind=Told, **kwargs):
    with stage.client:
        client = kind(**kwargs)
        client.create_socket()
        client.connect(stage.reach(listener.socket))
    return client


def listen(stage, kind, **kwargs):
    with stage.server:
        return Listener(stage.address, kind, **kwargs)


def connected(stage, client_kind=Told, server_kind=Told):
    listener = listen(stage, server_kind)
    client = connect(stage, listener, client_kind)
    stage.run(lambda: client.connected and listener.channels)
    return client, listener.channels[0]


# --- one body ------------------------------------------------------------------------------------


@on_both
def test_an_echo(stage):
    client = connect(stage, listen(stage, Echo), output=PAYLOAD)
    stage.run(lambda: len(client.received) == len(PAYLOAD))
    assert client.received == PAYLOAD
    assert client.told[0] == "connect"


@on_both
def test_several_clients_do_not_mix(stage):
    listener = listen(stage, Echo)
    clients = [connect(stage, listener, output=bytes([65 + number]) * 3000) for number in range(4)]
    stage.run(lambda: all(len(client.received) == 3000 for client in clients))
    assert [set(client.received) for client in clients] == [{65}, {66}, {67}, {68}]


@on_both
def test_a_chat_of_lines_ends_when_all_is_sent(stage):
    class Server(Words):
        def answer(self, piece):
            self.push(b"<" + piece + b">\r\n")
            if piece == b"bye":
                self.close_when_done()

    client, served = connected(stage, Words, Server)
    client.push(b"one\r\n\r\ntwo\r\nb")
    client.push(b"ye\r\nnever answered\r\n")
    stage.run(lambda: not client.connected)
    assert client.pieces[:4] == [b"<one>", b"<>", b"<two>", b"<bye>"]
    assert served.pieces[:4] == [b"one", b"", b"two", b"bye"]


@on_both
def test_terminators_of_all_kinds_in_one_stream(stage):
    class Server(Words):
        """A line says how many bytes follow; then all is one piece up to the dot."""

        def answer(self, piece):
            if self.get_terminator() == b"\r\n":
                self.set_terminator(int(piece))
            else:
                self.set_terminator(b"\r\n.\r\n")

    client, served = connected(stage, Words, Server)
    client.push(b"5\r\n12\r\n5one\r\ntwo\r\n.\r\n\r\n.\r\n")
    stage.run(lambda: len(served.pieces) == 4)
    assert served.pieces == [b"5", b"12\r\n5", b"one\r\ntwo", b""]


@on_both
def test_a_producer_and_pushed_bytes_arrive_in_their_order(stage):
    client, served = connected(stage, Words, Words)
    client.push_with_producer(asynchat.simple_producer(PAYLOAD.replace(b"\r", b"_"), 1000))
    client.push(b"\r\nsmall\r\n")
    stage.run(lambda: len(served.pieces) == 2)
    assert served.pieces == [PAYLOAD.replace(b"\r", b"_"), b"small"]
    assert not client.producer_fifo


@on_both
def test_the_end_of_the_stream_is_told_once_to_the_peer(stage):
    client, served = connected(stage)
    served.close()
    stage.run(lambda: "close" in client.told)
    assert client.told == [
        "connect",
        "write",
        "read",
        "close",
    ]  # connected: it may write
    assert served.told == []
    assert client.socket.fileno() == -1


@on_both
def test_a_reset_is_a_close(stage):
    client, served = connected(stage)
    served.socket.setsockopt(*ABORTIVE)
    served.close()
    stage.run(lambda: "close" in client.told)
    assert client.told[-1] == "close"
    assert not client.connected


@on_both
def test_sending_to_who_has_gone_is_a_close_and_zero(stage):
    client, served = connected(stage)
    served.socket.setsockopt(*ABORTIVE)
    served.socket.close()
    served.del_channel()
    client.readable = lambda: False
    stage.run(lambda: client.told.count("close") or client.send(b"x") == 0)
    assert client.told == ["connect", "write", "close"]


@on_both
def test_a_refused_connection_is_printed_and_closes_the_channel(stage, capsys):
    listener = listen(stage, Echo)
    address = stage.reach(listener.socket)
    listener.close()
    with stage.client:
        client = Told()
        client.create_socket()
        client.connect(address)
    stage.run(lambda: client.told)
    assert client.told == ["close"]
    printed = capsys.readouterr().out
    assert printed.startswith("error: uncaptured python exception, closing channel <")
    assert f"[Errno {errno.ECONNREFUSED}] {os.strerror(errno.ECONNREFUSED)}" in printed


@on_both
def test_what_a_handler_lets_out_goes_to_a_handle_error_of_its_own(stage):
    class Failing(Told):
        def handle_read(self):
            self.recv(10)
            raise ValueError("a mistake")

        def handle_error(self):
            self.told.append(repr(sys.exc_info()[1]))
            self.close()

    client, served = connected(stage, server_kind=Failing)
    client.send(b"x")
    stage.run(lambda: "close" in client.told)
    assert served.told == ["ValueError('a mistake')"]


@on_both
def test_exit_now_leaves_run(stage):
    class Leaving(Told):
        def handle_read(self):
            raise asyncore.ExitNow("enough")

        def handle_error(self):
            self.told.append("error")

    client, served = connected(stage, server_kind=Leaving)
    client.send(b"x")
    with pytest.raises(asyncore.ExitNow, match="enough"):
        stage.run(lambda: False)
    assert served.told == []


@on_both
@by_select_and_by_poll
def test_loop_runs_until_the_map_is_empty(stage, use_poll):
    class Once(Echo):
        def handle_read(self):
            super().handle_read()
            self.close()

    listener = listen(stage, Once, only=1)
    client = connect(stage, listener, output=b"hello")
    with stage.client:
        asyncore.loop(timeout=0.05, use_poll=use_poll)
        assert len(asyncore.socket_map) == 0
    assert client.received == b"hello"
    assert client.told[-2:] == ["read", "close"]


@on_both
@by_select_and_by_poll
def test_a_count_of_passes_in_which_nothing_happens_takes_its_time(stage, use_poll):
    connected(stage)
    with stage.client:
        before = asyncore.time.monotonic()
        asyncore.loop(timeout=0.02, use_poll=use_poll, count=3)
        elapsed = asyncore.time.monotonic() - before
    assert elapsed >= 3 * 0.02 - 0.001


@on_both
def test_close_all_closes_every_channel_of_the_machine(stage):
    client, served = connected(stage)
    with stage.server:
        asyncore.close_all()
        assert len(asyncore.socket_map) == 0
    assert served.socket.fileno() == -1
    if isinstance(stage, VirtualStage):
        stage.run(lambda: "close" in client.told)


# --- virtual hosts -------------------------------------------------------------------------------


def test_every_host_has_a_map_of_its_own():
    stage = VirtualStage()
    client, served = connected(stage)
    with stage.client:
        assert list(asyncore.socket_map.values()) == [client]
    with stage.server:
        assert served in asyncore.socket_map.values()
        assert len(asyncore.socket_map) == 2  # the listener, and who was accepted
        asyncore.socket_map = {}
        assert len(asyncore.socket_map) == 0
    with stage.client:
        assert list(asyncore.socket_map.values()) == [client]


def test_the_network_runs_the_passes_of_every_host():
    stage = VirtualStage()
    client = connect(stage, listen(stage, Echo), output=b"hello")
    stage.network.run()
    assert client.received == b"hello"


@pytest.mark.parametrize("seed", [None, *range(10)])
def test_who_always_wants_to_write_neither_stops_nor_spins_the_network(seed):
    class Eager(Told):
        """As asyncore's default: asked for nothing, it says that it wants to write."""

        def writable(self):
            return True

        def handle_error(self):
            self.close()

    net = Network(seed=seed, only=GENTLE)
    stage = VirtualStage(net)
    net.link("client", "server", latency="20ms")
    with stage.server:
        listener = Patient(stage.address, Eager)
    client = connect(stage, listener, Eager, output=b"x" * 5000)
    net.run()
    received = b"".join(channel.received for channel in listener.channels)
    if seed is None:
        assert received == b"x" * 5000
    assert (b"x" * 5000).startswith(received)  # a storm may break the connection
    assert max(channel.told.count("write") for channel in [client, *listener.channels]) < 100
    assert 0.03 < net.now_ns / 1e9 < 30  # the handshake alone takes 2 x 20 ms


class AlwaysWriting(Told):
    """As asyncore's default: it wants to write, and has nothing."""

    def writable(self):
        return True

    def handle_write(self):
        pass


def at_last_data(peer):
    peer.send(b"late")


def at_last_the_end(peer):
    peer.close()


def at_last_a_reset(peer):
    peer.setsockopt(*ABORTIVE)
    peer.close()


@pytest.mark.parametrize("late", [at_last_data, at_last_the_end, at_last_a_reset], ids=lambda f: f.__name__)
def test_who_always_wants_to_write_learns_what_comes_late(late):
    stage = VirtualStage()
    stage.network.link("client", "server", latency="20ms")
    client, served = connected(stage, AlwaysWriting)
    peer = served.socket
    served.del_channel()
    stage.network.run()
    told_before = client.told.copy()
    with stage.server:
        late(peer)
    stage.network.run()
    assert client.told == [*told_before, *(["read"] if late is at_last_data else ["read", "close"])]
    assert client.received == (b"late" if late is at_last_data else b"")


def test_a_crashed_host_calls_no_handler_any_more_and_its_peer_times_out():
    class Waiting(Told):
        def handle_error(self):
            self.told.append(type(sys.exc_info()[1]).__name__)
            self.close()

    stage = VirtualStage()
    client, served = connected(stage, Waiting)
    stage.server.crash()
    client.output = b"is anybody there"
    stage.network.run()
    assert served.told == []
    # ETIMEDOUT is none of the errnos that asyncore takes for a close.
    assert client.told == ["connect", "write", "write", "read", "TimeoutError"]


def test_a_host_that_was_started_again_has_an_empty_map():
    stage = VirtualStage()
    client, _ = connected(stage)
    stage.server.crash()
    stage.server.restart()
    with stage.server:
        assert len(asyncore.socket_map) == 0
    client.output = b"is anybody there"
    stage.run(lambda: "close" in client.told)  # the new machine knows no such connection
    again = connect(stage, listen(stage, Echo), output=b"hello")
    stage.run(lambda: again.received == b"hello")


class Failing(Told):
    def handle_read(self):
        self.recv(10)
        raise ValueError("a mistake")


def test_on_a_virtual_host_what_a_handler_lets_out_ends_the_run():
    stage = VirtualStage()
    client, served = connected(stage, server_kind=Failing)
    client.send(b"x")
    with pytest.raises(ValueError, match="a mistake"):
        stage.network.run()
    assert served.told == []


@pytest.mark.parametrize("stage", ["real"], indirect=True)
def test_on_this_computer_it_is_printed_and_the_channel_closed(stage, capsys):
    client, served = connected(stage, server_kind=Failing)
    client.send(b"x")
    stage.run(lambda: "close" in client.told)
    assert served.told == ["close"]
    assert "uncaptured python exception, closing channel" in capsys.readouterr().out


# --- determinism ---------------------------------------------------------------------------------


def storm(seed):
    """Four chats with a server through a storm, which is nobody's mistake; its digest."""

    class Server(Words):
        def handle_error(self):
            self.handle_close()

        def answer(self, piece):
            self.push_with_producer(asynchat.simple_producer(piece * 300 + b"\r\n"))

    class Client(Words):
        def __init__(self, number):
            super().__init__()
            self.left = [b"%d %d" % (number, turn) for turn in range(4)]

        def handle_connect(self):
            self.answer(b"")

        def answer(self, piece):
            if self.left:
                self.push(self.left.pop() + b"\r\n")
            else:
                self.close_when_done()

        def handle_error(self):
            self.handle_close()

    net = Network(seed=seed)
    stage = VirtualStage(net)
    net.link("client", "server", latency="5ms", jitter="3ms", bandwidth="1Mbit/s")
    with stage.server:
        listener = Patient(stage.address, Server)
    for number in range(4):
        with suppress(OSError):  # the storm may have no buffers for it
            connect(stage, listener, lambda number=number: Client(number))
    net.run()
    return net.trace.digest()


def in_a_process_with(hash_seed):
    done = subprocess.run(
        [sys.executable, "-c", "from tests.unit.test_asyncore_on_both import storm; print(storm(3))"],
        env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


@pytest.mark.parametrize("seed", range(4))
def test_equal_seeds_are_equal_runs(seed):
    assert storm(seed) == storm(seed)


def test_the_hash_seed_changes_nothing():
    assert {in_a_process_with(hash_seed) for hash_seed in ("0", "4242")} == {storm(3)}


def test_different_seeds_are_different_runs():
    assert len({storm(seed) for seed in range(6)}) > 3
