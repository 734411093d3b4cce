"""What the native classes do in the place of asyncore's faults: rests, failed connects, ends, half-closes."""

import errno
import socket

import pytest

from simnet import async_chat, dispatcher
from tests.unit.old_and_new import (
    NEW,
    OLD,
    Quiet,
    call,
    listen,
    make_passes,
    no_descriptor_left,
    pass_time,
    served_by,
)
from tests.unit.stages import reset

pytestmark = pytest.mark.parametrize("stage", ["virtual", "real"], indirect=True)

ANSWER = bytes(range(256)) * 8192  # 2 MiB: more than both buffers hold


class Channel(Quiet, dispatcher):
    pass


# --- a listener that rests -----------------------------------------------------------------------


def resting(stage, **attributes):
    """A listener that has met EMFILE, and the client that waits for it."""
    listener = listen(stage, NEW, Channel, **attributes)
    client = call(stage, listener)
    with no_descriptor_left(stage):
        stage.run(lambda: listener.deaf_to)
    return listener, client


def test_a_listener_that_rests_is_not_told_of_the_connection_that_waits(stage):
    listener, _ = resting(stage, accept_pause="1h", handle_accept=counted(dispatcher.handle_accept))
    for _ in range(3):
        pass_time(stage, "2ms")
    assert listener.told == ["handle_accept"]


def counted(method):
    def told(self):
        self.told.append(method.__name__)
        method(self)

    return told


def test_a_listener_may_be_closed_while_it_rests(stage):
    listener, client = resting(stage, accept_pause="5ms")
    listener.close()
    pass_time(stage)
    assert (listener.told, listener.channels, listener.deaf_to) == ([], [], 3)
    assert client.told[-1] == "close"


def test_a_handle_accept_of_ones_own_may_let_the_failure_out(stage):
    def handle_accept(self):
        pair = self.accept()
        if pair is not None:
            self.handle_accepted(*pair)

    listener = listen(
        stage,
        NEW,
        Channel,
        accept_pause="5ms",
        handle_accept=handle_accept,
        handle_error=dispatcher.handle_error,
    )
    client = call(stage, listener)
    with no_descriptor_left(stage):
        stage.run(lambda: listener.deaf_to)
    stage.run(lambda: listener.channels and client.connected)
    assert listener.told == []


# --- a connect that fails ------------------------------------------------------------------------


class Reports(Quiet, dispatcher):
    def handle_connect_failed(self, error):
        self.told.append(errno.errorcode[error.errno])


def test_a_connect_that_fails_at_once_is_told_and_does_not_raise(stage):
    with stage.server:
        client = Reports()
        client.create_socket(socket.AF_UNIX)
        client.connect(stage.path("nobody"))
    assert client.told == ["ENOENT"]
    assert (client.connecting, client.connected, client.socket.fileno()) == (False, False, -1)


def test_who_tries_again_inside_handle_connect_failed_keeps_the_new_socket(stage):
    class Persistent(Reports):
        def handle_connect_failed(self, error):
            super().handle_connect_failed(error)
            self.close()
            self.create_socket()
            self.connect(self.next)

    listener, closed = listen(stage, NEW, Channel), listen(stage, NEW, Channel)
    nowhere = stage.reach(closed.socket)
    closed.close()
    with stage.client:
        client = Persistent()
        client.next = stage.reach(listener.socket)
        client.create_socket()
        client.connect(nowhere)
    stage.run(lambda: client.connected)
    assert client.told == ["ECONNREFUSED", "connect"]


# --- before the connection stands ----------------------------------------------------------------


def test_what_is_pushed_before_connect_is_sent_when_the_connection_stands(stage):
    class Pushes(async_chat):
        terminator = b"\n"

    listener = listen(stage, NEW, Channel)
    with stage.client:
        client = Pushes()
        client.push(b"early")
        client.create_socket()
        client.push(b", earlier")
        client.connect(stage.reach(listener.socket))
        client.push(b", earliest")
    stage.run(lambda: listener.channels and len(listener.channels[0].received) == 24)
    assert listener.channels[0].received == b"early, earlier, earliest"


def test_a_dispatcher_takes_nothing_before_connect_and_stays_open(stage):
    with stage.client:
        client = Channel()
        client.create_socket()
        assert client.send(b"early") == 0
    assert client.told == []
    assert client.socket.fileno() >= 0
    client.close()


# --- the end, once -------------------------------------------------------------------------------


def test_hup_by_poll_tells_handle_close_of_asyncore_twice_and_of_ours_once(stage):
    def told(names):
        kind = type("Channel", (Quiet, names.dispatcher), {})
        served, client = served_by(stage, names, kind)
        reset(client)
        make_passes(stage.server, names, lambda: "close" in served.told, use_poll=True)
        return served.told

    assert told(OLD) == ["read", "close", "close"]
    assert told(NEW) == ["read", "close"]


class Stays(Quiet, dispatcher):
    close_once = True

    def handle_close(self):
        self.told.append("close")


def test_who_is_told_once_may_go_on_to_send(stage):
    served, client = served_by(stage, NEW, Stays)
    client.socket.shutdown(socket.SHUT_WR)
    stage.run(lambda: served.told == ["read", "close"])
    assert served.send(b"goodbye") == 7
    stage.run(lambda: client.received == b"goodbye")
    assert served.told == ["read", "close"]
    served.close()


def test_with_another_socket_a_channel_is_told_of_its_end_again(stage):
    served, client = served_by(stage, NEW, Stays)
    client.close()
    stage.run(lambda: "close" in served.told)
    served.close()
    with stage.server:
        first, second = stage.server.modules.socket.socketpair()
        first.setblocking(False)
        served.set_socket(first)
    second.close()
    stage.run(lambda: served.told.count("close") == 2)
    assert served.told == ["read", "close"] * 2
    served.close()


def test_a_reset_is_told_once_to_who_reads_and_sends(stage):
    class Talks(Stays):
        def handle_read(self):
            super().handle_read()
            self.send(b"x")

    served, client = served_by(stage, NEW, Talks)
    reset(client)
    stage.run(lambda: "close" in served.told)
    pass_time(stage)
    assert served.told.count("close") == 1
    served.close()


# --- half-close ----------------------------------------------------------------------------------


class Answers(async_chat):
    """Answers each line with a lot; closes when it is told to."""

    half_close = True
    terminator = b"\n"
    told = ()

    def collect_incoming_data(self, data):
        self.told += (data,)

    def found_terminator(self):
        self.push(ANSWER)

    def handle_close(self):
        self.told += ("close",)
        self.close()


def test_a_chat_sends_all_that_waits_and_is_then_told_of_the_end_once(stage):
    served, client = served_by(stage, NEW, Answers)
    client.send(b"go on\n")
    client.socket.shutdown(socket.SHUT_WR)
    stage.run(lambda: "close" in client.told)
    assert client.received == ANSWER
    assert served.told == (b"go on", "close")


def test_with_nothing_to_send_the_end_is_told_at_once(stage):
    served, client = served_by(stage, NEW, Answers)
    client.send(b"go")
    client.socket.shutdown(socket.SHUT_WR)
    stage.run(lambda: "close" in served.told)
    assert served.told == (b"go", "close")


def test_a_peer_that_goes_away_before_it_has_read_all_ends_the_channel(stage):
    served, client = served_by(stage, NEW, Answers)
    client.readable = lambda: False
    client.touch()
    client.send(b"go on\n")
    client.socket.shutdown(socket.SHUT_WR)
    stage.run(lambda: served.deaf_to)
    client.close()  # with data unread: a reset
    stage.run(lambda: "close" in served.told)
    assert served.told == (b"go on", "close")
    assert served.socket.fileno() == -1
