"""The thirteen faults of asyncore: each is there in the compatible modules, and mended in the native classes.

One body for both, on virtual and on real sockets.  docs/explanation/asyncore.md names these tests.
"""

import errno
import fcntl
import socket

import pytest

from simnet.stage import RealStage
from tests.unit.old_and_new import (
    NEW,
    OLD,
    Notes,
    Quiet,
    call,
    listen,
    make_passes,
    no_descriptor_left,
    pass_time,
    served_by,
)

pytestmark = pytest.mark.parametrize("stage", ["virtual", "real"], indirect=True)


def kind_of(names, *bases, **attributes):
    """A class of handlers that write down what they are told, on the dispatcher of these classes."""
    return type("Channel", (*bases, Quiet, names.dispatcher), attributes)


# --- connections ---------------------------------------------------------------------------------


@pytest.mark.simnet(check="-listener-survives")
def test_no_descriptor_for_a_connection_closes_the_listener(stage, capsys):
    def listener_after(names, **attributes):
        listener = listen(stage, names, kind_of(names), **attributes)
        client = call(stage, listener)
        with no_descriptor_left(stage):
            pass_time(stage)
        pass_time(stage)
        return listener, client

    listener, client = listener_after(OLD)
    assert listener.told == ["OSError", "close"]
    listener, client = listener_after(NEW, accept_pause="5ms")
    assert listener.told == []
    stage.run(lambda: listener.channels and client.connected)
    # A virtual run has it in its trace.
    assert (f"rests for 5ms: [Errno {errno.EMFILE}]" in capsys.readouterr().out) is isinstance(
        stage, RealStage
    )


def test_a_refused_connect_is_an_error_without_a_name(stage):
    class Reports:
        def handle_connect_failed(self, error):
            self.told.append(f"failed: {type(error).__name__}")

    def told(names):
        listener = listen(stage, names, kind_of(names))
        address = stage.reach(listener.socket)
        listener.close()
        with stage.client:
            client = kind_of(names, Reports)()
            client.create_socket()
            client.connect(address)
        stage.run(lambda: client.told)
        return client.told

    assert told(OLD) == ["ConnectionRefusedError", "close"]
    assert told(NEW) == ["failed: ConnectionRefusedError"]


def test_a_close_inside_handle_connect_is_forgotten(stage):
    class Brief:
        def handle_connect(self):
            self.told.append("connect")
            self.close()

        def handle_write(self):
            self.told.append("write")

    def client_of(names):
        client = call(stage, listen(stage, names, kind_of(names)), kind_of(names, Brief))
        stage.run(lambda: client.told)
        return client

    old, new = client_of(OLD), client_of(NEW)
    assert (old.told, old.connected) == (["connect", "write"], True)
    assert (new.told, new.connected) == (["connect"], False)


def test_a_send_before_connect_closes_the_channel(stage):
    class Eager:
        def handle_connect(self):
            self.told.append("connect")

    def client_of(names):
        listener = listen(stage, names, kind_of(names))
        with stage.client:
            client = type("Sender", (Eager, Notes, names.dispatcher_with_send), {})()
            client.create_socket()
            client.send(b"early")
            if client.socket.fileno() >= 0:
                client.connect(stage.reach(listener.socket))
                stage.run(lambda: listener.channels and listener.channels[0].received)
        return client, listener

    client, _ = client_of(OLD)
    assert client.told == ["close"]
    client, listener = client_of(NEW)
    assert client.told == ["connect"]
    assert listener.channels[0].received == b"early"


# --- events --------------------------------------------------------------------------------------


def test_eagain_closes_a_healthy_channel(stage):
    class Greedy:
        def handle_read(self):
            self.received += self.recv(10)
            self.received += self.recv(10)

    def served_of(names):
        served, client = served_by(stage, names, kind_of(names, Greedy))
        client.send(b"hello")
        stage.run(lambda: served.received)
        client.send(b", world")
        pass_time(stage)
        return served

    old, new = served_of(OLD), served_of(NEW)
    assert (old.told, old.received) == (["BlockingIOError", "close"], b"hello")
    assert (new.told, new.received) == ([], b"hello, world")


def test_hup_beside_data_loses_the_data(stage):
    class Sips:
        is_busy = True

        def readable(self):
            return not self.is_busy

        def handle_read(self):
            self.received += self.recv(2)

    def served_of(names):
        served, client = served_by(stage, names, kind_of(names, Sips))
        served.socket.shutdown(socket.SHUT_WR)
        client.send(b"hello")
        client.close()
        pass_time(stage)
        served.is_busy = False
        make_passes(stage.server, names, lambda: served.told, use_poll=True)
        return served

    old, new = served_of(OLD), served_of(NEW)
    assert (old.told, old.received) == (["close"], b"he")
    assert (new.told, new.received) == (["close"], b"hello")


def test_a_channel_that_has_closed_is_told_to_write(stage):
    class Brief:
        is_writing = False

        def writable(self):
            return self.is_writing

        def readable(self):
            return self.is_writing

        def handle_read(self):
            self.told.append("read")
            self.close()

        def handle_write(self):
            self.told.append("write")

    def told(names):
        served, client = served_by(stage, names, kind_of(names, Brief))
        client.send(b"hello")
        pass_time(stage)
        served.is_writing = True
        make_passes(stage.server, names, lambda: served.told, use_poll=True)
        return served.told

    assert told(OLD) == ["read", "write"]
    assert told(NEW) == ["read"]


def test_an_event_for_a_closed_channel_is_told_to_the_next_with_its_number(stage):
    modules = stage.server.modules

    def told_to_heir(names):
        """Two channels are ready; whoever is told first closes the other, whose number a quiet one takes."""
        made, owners, quiet = [], [], kind_of(names)

        class Testator:
            is_busy = True

            def readable(self):
                return not self.is_busy

            def handle_read(self):
                self.told.append("read")
                self.recv(10)
                (other,) = (owner for owner in owners if owner is not self)
                number = other.socket.fileno()
                first, second = modules.socket.socketpair()
                other.close()
                modules.os.dup2(first.fileno(), number)
                made.extend([quiet(modules.socket.socket(fileno=number)), second])
                first.close()

        listener = listen(stage, names, kind_of(names, Testator))
        clients = [call(stage, listener) for _ in "12"]
        stage.run(lambda: len(listener.channels) == 2 and all(client.connected for client in clients))
        owners += listener.channels
        for client in clients:
            client.send(b"x")
        pass_time(stage)
        for owner in owners:
            owner.is_busy = False
        stage.run(lambda: made)
        pass_time(stage)
        heir, peer = made
        told = list(heir.told)
        peer.close()
        return told

    assert told_to_heir(OLD) == ["read", "BlockingIOError", "close"]
    assert told_to_heir(NEW) == []


def test_the_default_writable_keeps_the_loop_busy(stage):
    class Idle:
        ignore_log_types = frozenset()

        def log_info(self, message, type="info"):
            self.told.append(message)

    def passes(names):
        served, _ = served_by(stage, names, type("Channel", (Idle, Notes, names.dispatcher), {}))
        served.told.clear()
        with stage.server:
            names.loop(timeout=0.01, count=3)
        return served.told

    assert passes(OLD)[:3] == ["unhandled write event"] * 3  # each pass of three ends at once
    assert passes(NEW) == []


# --- the end -------------------------------------------------------------------------------------


@pytest.mark.simnet(check="-no-use-after-close")
def test_a_command_behind_the_one_that_closed_is_dispatched(stage):
    class Server:
        terminator = b"\r\n"

        def collect_incoming_data(self, data):
            self.told.append(data)

        def found_terminator(self):
            self.close()

    def told(names):
        attributes = {"handle_read": names.async_chat.handle_read}
        served, client = served_by(
            stage, names, type("Channel", (Server, Notes, names.async_chat), attributes)
        )
        client.send(b"quit\r\nremove\r\n")
        stage.run(lambda: served.told)
        return served.told

    assert told(OLD) == [b"quit", b"remove"]
    assert told(NEW) == [b"quit"]


def test_handle_close_is_called_for_as_long_as_it_leaves_the_channel_open(stage):
    class Stays:
        def handle_close(self):
            self.told.append("close")

    def times_closed(names, **attributes):
        served, client = served_by(stage, names, kind_of(names, Stays, **attributes))
        client.close()
        make_passes(stage.server, names, lambda: served.told.count("close") == 3)
        served.close()
        return served.told.count("close")

    assert times_closed(OLD) == 3
    assert times_closed(NEW, close_once=True) == 1
    assert times_closed(NEW) == 3, "off unless the class says so"


@pytest.mark.simnet(check="-half-close")
def test_what_waits_to_be_sent_is_lost_when_the_peer_has_said_all(stage):
    answer = bytes(range(256)) * 8192  # 2 MiB: more than both buffers hold

    class Server:
        def handle_read(self):
            if self.recv(4096):
                self.send(answer)

        def handle_close(self):
            self.told.append("close")
            self.close()

    def received(names, **attributes):
        kind = type("Channel", (Server, Notes, names.dispatcher_with_send), attributes)
        served, client = served_by(stage, names, kind)
        client.send(b"hello")
        client.socket.shutdown(socket.SHUT_WR)
        stage.run(lambda: "close" in client.told)
        assert served.told == ["close"]
        return client.received

    assert len(received(OLD)) < len(answer)
    assert received(NEW, half_close=True) == answer
    assert len(received(NEW)) < len(answer), "off unless the class says so"


def test_a_descriptor_above_1023_stops_the_loop(stage):
    modules = stage.server.modules
    if not isinstance(stage, RealStage):
        stage.server.descriptors_max = 2000

    def received(names):
        with stage.server:
            first, second = modules.socket.socketpair()
            number = modules.fcntl.fcntl(first.fileno(), fcntl.F_DUPFD_CLOEXEC, 1500)
            first.close()
            served = kind_of(names)(modules.socket.socket(fileno=number))
            second.send(b"hello")
            try:
                names.loop(timeout=0.01, count=1)
            finally:
                served.close()
                second.close()
        return served.received

    with pytest.raises(ValueError, match="filedescriptor out of range in select"):
        received(OLD)
    assert received(NEW) == b"hello"
