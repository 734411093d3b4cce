"""The dispatcher: every method and event of the asyncore manual, one body on every kind of stage."""

import contextlib
import errno
import gc
import socket
import sys

import pytest

from simnet import ExitNow, Network, current, dispatcher, dispatcher_with_send, loop
from simnet.loop import loop_for
from simnet.stage import RealStage, VirtualStage
from tests.unit.stages import STAGES, Listener, Told, connect, connected, everywhere, listen, reset

pytestmark = everywhere


@pytest.fixture
def stage(request):
    made = STAGES[request.param]()
    yield made
    made.close()


def on_a_virtual(stage):
    return isinstance(stage, VirtualStage)


def fd_is_open(stage, transport, fd):
    if on_a_virtual(stage):
        return transport.descriptors.get(fd) is not None
    import os

    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def unused_address(stage):
    """An address of the server that nobody listens on."""
    with stage.server:
        channel = dispatcher()
        channel.create_socket()
        channel.bind(stage.address)
    address = stage.reach(channel.socket)
    channel.close()
    return address


# --- sockets -------------------------------------------------------------------------------------


def test_a_new_dispatcher_has_no_socket_and_no_state(stage):
    with stage.client:
        channel = dispatcher()
    assert (channel.socket, channel.addr) == (None, None)
    assert (channel.connected, channel.accepting, channel.connecting) == (False, False, False)
    assert channel not in loop_for(stage.client).map.values()


def test_create_socket_makes_a_non_blocking_stream_in_the_map(stage):
    with stage.client:
        channel = dispatcher()
        channel.create_socket()
    assert channel.socket.gettimeout() == 0.0
    assert (channel.socket.family, channel.socket.type) == (socket.AF_INET, socket.SOCK_STREAM)
    assert loop_for(stage.client).map[channel.socket.fileno()] is channel


def test_an_explicit_transport_wins_over_the_current_one(stage):
    with stage.client:
        channel = dispatcher(transport=Network().host("elsewhere"))
        channel.create_socket()
    assert "elsewhere" in repr(channel.socket)
    assert channel not in loop_for(stage.client).map.values()


def test_a_second_create_socket_gives_up_the_place_of_the_first(stage):
    client, served = connected(stage)
    former = client.socket
    client.create_socket()
    assert [c for c in loop_for(stage.client).map.values() if c is client] == [client]
    former.close()
    stage.run(lambda: served.told[-1:] == ["close"])
    client.close()
    assert client not in loop_for(stage.client).map.values()


def test_set_reuse_addr_sets_the_option_and_forgives_a_socket_without_it(stage):
    with stage.server:
        channel = dispatcher()
        channel.create_socket()
    assert not channel.socket.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR)
    channel.set_reuse_addr()
    assert channel.socket.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR)
    channel.close()
    channel.set_reuse_addr()  # EBADF


def test_bind_remembers_the_address_and_listen_that_it_accepts(stage):
    listener = listen(stage)
    assert (listener.addr, listener.accepting, listener.connected) == (stage.address, True, False)
    assert listener.socket.getsockname()[1] > 0


def test_binding_an_address_in_use_raises_eaddrinuse(stage):
    listener = listen(stage)
    with stage.server:
        second = dispatcher()
        second.create_socket()
        with pytest.raises(OSError) as caught:
            second.bind((stage.address[0], listener.socket.getsockname()[1]))
    assert caught.value.errno == errno.EADDRINUSE
    second.close()


def test_connecting_is_a_state_until_the_first_write_event(stage):
    listener = listen(stage)
    client = connect(stage, listener)
    assert (client.connecting, client.connected) == (True, False)
    assert client.addr == stage.reach(listener.socket)
    stage.run(lambda: client.told)
    assert client.told == ["connect"]
    assert (client.connecting, client.connected) == (False, True)


def test_connected_is_set_only_after_handle_connect(stage):
    class Curious(Told):
        def handle_connect(self):
            self.told.append((self.connected, self.connecting))

    client, _ = connected(stage, Curious)
    assert client.told == [(False, True)]


def test_data_that_comes_with_the_connection_is_told_after_it(stage):
    class Greeter(Told):
        def __init__(self, sock):
            super().__init__(sock)
            self.send(b"hello")

    listener = listen(stage, Greeter)
    client = connect(stage, listener)
    stage.run(lambda: client.received == b"hello")
    assert client.told == ["connect", "read"]


def test_a_connect_that_fails_at_once_raises_and_leaves_no_connecting(stage):
    client, _ = connected(stage)
    client.told.clear()
    with stage.client:
        other = dispatcher()
        other.create_socket()
        with pytest.raises(socket.gaierror):
            other.connect(("no.such.name.invalid", 7))
    assert (other.connecting, other.connected) == (False, False)


def test_a_connection_that_is_refused_closes_the_channel_quietly(stage, capsys):
    address = unused_address(stage)
    with stage.client:
        client = Told()
        client.create_socket()
        with contextlib.suppress(ConnectionRefusedError):  # on Linux's loopback, now and then
            client.connect(address)
    stage.run(lambda: client.told)
    assert client.told == ["close"]
    assert (client.connecting, client.connected) == (False, False)
    assert capsys.readouterr().out == ""


def test_a_refused_connection_reaches_a_handle_error_of_ones_own(stage):
    class Careful(Told):
        def handle_error(self):
            self.told.append(sys.exc_info()[0])
            self.close()

    address = unused_address(stage)
    with stage.client:
        client = Careful()
        client.create_socket()
        client.connect(address)
    stage.run(lambda: client.told)
    assert client.told == [ConnectionRefusedError]


def test_an_oserror_of_handle_connect_is_no_refused_connection(stage, capsys):
    class Clumsy(Told):
        def handle_connect(self):
            raise FileNotFoundError(errno.ENOENT, "no such file")

    listener = listen(stage)
    client = connect(stage, listener, Clumsy)
    if on_a_virtual(stage):
        with pytest.raises(FileNotFoundError):
            stage.run(lambda: client.told)
    else:
        stage.run(lambda: client.told)
        assert "error: uncaptured python exception, closing channel <Clumsy" in capsys.readouterr().out


def test_accept_without_a_connection_returns_none(stage):
    assert listen(stage).accept() is None


def test_handle_accepted_gets_the_connected_socket_and_its_address(stage):
    class Listening(Listener):
        def handle_accepted(self, sock, addr):
            self.pair = sock, addr

    with stage.server:
        listener = Listening(stage.address)
    client = connect(stage, listener)
    stage.run(lambda: hasattr(listener, "pair"))
    sock, address = listener.pair
    assert address == sock.getpeername()
    assert address[1] == client.socket.getsockname()[1]
    sock.close()


def test_a_listener_that_overrides_handle_accept_is_told_of_every_connection(stage):
    class Old(Listener):
        def handle_accept(self):
            self.told.append("accept")
            sock, _ = self.accept()
            self.channels.append(Told(sock))

    with stage.server:
        listener = Old(stage.address)
    clients = [connect(stage, listener) for _ in range(3)]
    stage.run(lambda: len(listener.channels) == 3 and all(client.connected for client in clients))
    assert listener.told == ["accept"] * 3


def test_a_listener_is_never_told_of_reading_or_writing(stage):
    class Nosy(Listener):
        def handle_write(self):
            self.told.append("write")

        def writable(self):
            return True

    with stage.server:
        listener = Nosy(stage.address)
    client = connect(stage, listener)
    stage.run(lambda: client.connected and listener.channels)
    listener.handle_write_event()
    assert listener.told == ["accepted"]


def test_the_default_handle_accepted_closes_the_connection(stage):
    with stage.server:
        listener = dispatcher()
        listener.create_socket()
        listener.bind(stage.address)
        listener.listen(1)
    client = connect(stage, listener)
    stage.run(lambda: "close" in client.told)
    assert client.told == ["connect", "read", "close"]


# --- data ----------------------------------------------------------------------------------------


def test_what_is_sent_is_read(stage):
    client, served = connected(stage)
    assert client.send(b"hello") == 5
    stage.run(lambda: served.received == b"hello")
    assert served.told == ["read"]


def test_recv_takes_no_more_than_it_is_asked_for_and_is_told_again(stage):
    class Sipping(Told):
        def handle_read(self):
            self.told.append(self.recv(2))

    client, served = connected(stage, server_kind=Sipping)
    client.send(b"abcde")
    stage.run(lambda: len(served.told) == 3)
    assert served.told == [b"ab", b"cd", b"e"]


def test_send_into_a_full_buffer_returns_zero(stage):
    client, served = connected(stage)
    served.readable = lambda: False
    served.touch()
    taken = [client.send(bytes(65536)) for _ in range(1000)]
    assert taken[0] == 65536
    assert taken[-1] == 0


def test_a_read_event_without_data_is_a_close(stage):
    client, served = connected(stage)
    client.close()
    stage.run(lambda: "close" in served.told)
    assert served.told == ["read", "close"]
    assert served not in loop_for(stage.server).map.values()


def test_recv_at_the_end_of_the_stream_calls_handle_close_and_returns_nothing(stage):
    class Reader(Told):
        def handle_read(self):
            self.told.append(self.recv(10))

    client, served = connected(stage, server_kind=Reader)
    client.close()
    stage.run(lambda: len(served.told) == 2)
    assert served.told == ["close", b""]


def test_a_reset_is_a_close_whoever_is_reading(stage):
    client, served = connected(stage)
    reset(client)
    stage.run(lambda: "close" in served.told)
    assert served.told == ["read", "close"]
    assert served.received == b""


def test_a_send_after_a_reset_calls_handle_close_and_returns_zero(stage):
    class Deaf(Told):
        def readable(self):
            return False

    client, served = connected(stage, server_kind=Deaf)
    reset(client)
    sent = []
    stage.run(lambda: (served.told or sent.append(served.send(b"x"))) and served.told)
    assert sent[-1] == 0
    assert served.told == ["close"]


def test_the_peers_half_close_is_told_and_queued_output_still_arrives(stage):
    class Polite(Told):
        def handle_close(self):
            self.told.append("close")
            self.send(b"goodbye")
            self.close()

    client, served = connected(stage, server_kind=Polite)
    client.send(b"hello")
    client.socket.shutdown(socket.SHUT_WR)
    stage.run(lambda: "close" in client.told)
    assert served.received == b"hello"
    assert client.received == b"goodbye"


def test_close_is_final_and_may_be_repeated(stage):
    client, served = connected(stage)
    fd = client.socket.fileno()
    client.close()
    client.close()
    assert (client.connected, client.accepting, client.connecting) == (False, False, False)
    assert not fd_is_open(stage, stage.client, fd)
    with pytest.raises(OSError) as caught:
        client.socket.send(b"x")
    assert caught.value.errno == errno.EBADF
    stage.run(lambda: "close" in served.told)
    assert client.told == ["connect"]


def test_recv_and_send_on_a_closed_channel_find_nothing_and_call_nobody(stage):
    client, _ = connected(stage)
    client.close()
    client.told.clear()
    assert client.recv(1) == b""
    assert client.send(b"x") == 0
    assert client.told == []


# --- dispatchers of given sockets ----------------------------------------------------------------


def test_a_dispatcher_of_a_connected_socket_is_connected_and_knows_its_peer(stage):
    client, served = connected(stage)
    assert (served.connected, served.connecting) == (True, False)
    assert served.addr[1] == client.socket.getsockname()[1]
    assert served.socket.gettimeout() == 0.0


def test_a_dispatcher_of_a_socket_reset_before_anybody_looked_is_told_of_the_end(stage):
    class Late(Listener):
        def handle_accept(self):
            pass

    with stage.server:
        listener = Late(stage.address)
        listener.readable = lambda: False
    client = connect(stage, listener)
    stage.run(lambda: client.connected)
    reset(client)
    channels = []

    def accepted_after_the_reset():
        if not channels:
            pair = listener.accept()
            if pair is not None:
                with stage.server:
                    channels.append(Told(pair[0]))
        return channels and channels[0].told

    with stage.server:
        listener.call_later("20ms", lambda: None)
    stage.run(accepted_after_the_reset)
    assert channels[0].addr is None
    assert channels[0].connected is False
    stage.run(lambda: "close" in channels[0].told)
    assert channels[0].told == ["read", "close"]


def test_a_dispatcher_of_an_unconnected_socket_is_not_connected(stage):
    with stage.client:
        channel = Told(stage.client.socket(socket.AF_INET, socket.SOCK_STREAM))
    assert (channel.connected, channel.addr) == (False, None)


def test_a_socket_that_is_broken_is_not_polled(stage):
    class Broken:
        def __init__(self, sock):
            self.sock = sock

        def __getattr__(self, name):
            return getattr(self.sock, name)

        def getpeername(self):
            raise OSError(errno.EIO, "broken")

    sock = stage.client.socket(socket.AF_INET, socket.SOCK_STREAM)
    with stage.client, pytest.raises(OSError, match="broken"):
        dispatcher(Broken(sock))
    assert sock.fileno() not in loop_for(stage.client).map
    sock.close()


def test_the_socket_of_a_collected_dispatcher_is_closed(stage, recwarn):
    with stage.client:
        channel = dispatcher()
        channel.create_socket()
    fd = channel.socket.fileno()
    channel.del_channel()
    assert fd_is_open(stage, stage.client, fd)
    del channel
    gc.collect()
    assert not fd_is_open(stage, stage.client, fd)
    recwarn.clear()  # CPython's ResourceWarning of a real socket


def test_a_map_that_nobody_holds_takes_its_channels_along(stage, recwarn):
    if on_a_virtual(stage):
        pytest.skip("a virtual host runs every map that was given to it, for as long as it is up")
    with stage.client:
        channel = dispatcher(map={})
        channel.create_socket()
    fd, loops = channel.socket.fileno(), len(stage.client.loops)
    del channel
    gc.collect()
    assert not fd_is_open(stage, stage.client, fd)
    assert len(stage.client.loops) == loops - 1
    recwarn.clear()


# --- events --------------------------------------------------------------------------------------


class Events(Told):
    """Writes down the events, not the handlers."""

    def handle_read_event(self):
        self.told.append("read event")
        super().handle_read_event()

    def handle_write_event(self):
        self.told.append("write event")
        super().handle_write_event()

    def handle_connect_event(self):
        self.told.append("connect event")
        super().handle_connect_event()

    def handle_expt_event(self):
        self.told.append("expt event")
        super().handle_expt_event()


def test_the_first_write_event_implies_the_connect_event(stage):
    listener = listen(stage)
    client = connect(stage, listener, Events)
    stage.run(lambda: client.connected)
    assert client.told[:3] == ["write event", "connect event", "connect"]
    assert client.told.count("connect event") == 1


def test_a_read_event_on_a_listener_implies_accept(stage):
    class EventListener(Listener, Events):
        pass

    with stage.server:
        listener = EventListener(stage.address)
    connect(stage, listener)
    stage.run(lambda: listener.channels)
    assert listener.told == ["read event", "accepted"]


def test_an_expt_event_with_a_waiting_error_is_a_close_and_else_expt(stage):
    client, served = connected(stage)
    served.handle_expt_event()
    assert served.told == ["expt"]

    class Failed:
        def getsockopt(self, level, option):
            return errno.ETIMEDOUT

        def close(self):
            pass

    served.socket.close()
    served.socket = Failed()
    served.handle_expt_event()
    assert served.told == ["expt", "close"]
    client.close()


def test_a_write_event_comes_as_long_as_there_is_room_and_the_channel_wants_it(stage):
    class Writer(Told):
        left = 3

        def writable(self):
            return self.left > 0

        def handle_write(self):
            self.told.append("write")
            self.left -= 1

    client, _ = connected(stage, Writer)
    stage.run(lambda: client.left == 0)
    assert client.told == ["connect", "write", "write", "write"]


def test_a_handler_that_closes_in_handle_connect_is_told_nothing_more(stage):
    class Fickle(Told):
        def handle_connect(self):
            self.told.append("connect")
            self.close()

        def handle_write(self):
            self.told.append("write")

    listener = listen(stage)
    client = connect(stage, listener, Fickle)
    stage.run(lambda: client.told and listener.channels and "close" in listener.channels[0].told)
    assert client.told == ["connect"]
    assert not client.connected


def test_a_handler_may_connect_elsewhere_in_handle_connect(stage):
    class Hopper(Told):
        def handle_connect(self):
            self.told.append(self.addr)
            if len(self.told) < 2:
                self.close()
                self.create_socket()
                self.connect(self.next)

    first, second = listen(stage), listen(stage)
    with stage.client:
        client = Hopper()
        client.next = stage.reach(second.socket)
        client.create_socket()
        client.connect(stage.reach(first.socket))
    stage.run(lambda: client.connected)
    assert client.told == [stage.reach(first.socket), stage.reach(second.socket)]


def test_a_channel_that_closes_itself_while_reading_gets_no_write_event(stage):
    class Brief(Told):
        def handle_read(self):
            super().handle_read()
            self.close()

        def handle_write(self):
            self.told.append("write")

        def writable(self):
            return bool(self.told)

    client, served = connected(stage, server_kind=Brief)
    client.send(b"x")
    stage.run(lambda: "close" in client.told)
    assert served.told == ["read"]


def test_a_channel_closed_by_another_in_the_same_pass_is_told_nothing(stage):
    class Jealous(Told):
        def handle_read(self):
            super().handle_read()
            for other in self.others:
                if other is not self:
                    other.close()

    listener = listen(stage, Jealous)
    clients = [connect(stage, listener) for _ in range(2)]
    stage.run(lambda: len(listener.channels) == 2 and all(client.connected for client in clients))
    Jealous.others = listener.channels
    for client in clients:
        client.send(b"x")
    stage.run(lambda: any("close" in client.told for client in clients))
    assert sorted(channel.told for channel in listener.channels) == [[], ["read"]]


def test_an_event_for_a_closed_channel_is_not_given_to_the_new_owner_of_its_descriptor(stage):
    """Two channels are ready; the first to be called closes both and connects anew: it gets the other's
    number, for which the pass still holds an event."""

    class Thief(Told):
        def handle_read(self):
            super().handle_read()
            if not self.heirs:
                numbers = [channel.socket.fileno() for channel in self.owners]
                for channel in self.owners:
                    channel.close()
                for _ in numbers:
                    heir = Told()
                    heir.create_socket()
                    self.heirs.append(heir)
                assert sorted(heir.socket.fileno() for heir in self.heirs) == sorted(numbers)
                for heir in self.heirs:
                    heir.connect(self.target)

    listener = listen(stage, Thief)
    clients = [connect(stage, listener) for _ in range(2)]
    stage.run(lambda: len(listener.channels) == 2 and all(client.connected for client in clients))
    Thief.heirs, Thief.owners = [], listener.channels
    Thief.target = ("192.0.2.1", 9) if on_a_virtual(stage) else stage.reach(listener.socket)
    if on_a_virtual(stage):
        Thief.target = ("client", stage.network.host("client").ports.first)
        with stage.client:
            Thief.target = ("client", listen_on(stage.client))
    for client in clients:
        client.send(b"x")
    stage.run(lambda: len(Thief.heirs) == 2 and all(heir.connected for heir in Thief.heirs))
    assert [heir.told for heir in Thief.heirs] == [["connect"], ["connect"]]


def listen_on(host):
    listener = Listener(("", 0))
    return listener.socket.getsockname()[1]


# --- errors --------------------------------------------------------------------------------------


class Bug(Exception):
    pass


class Buggy(Told):
    def handle_read(self):
        self.told.append("read")
        if len(self.told) == 1:
            raise Bug("planted")
        self.received += self.recv(100)


def test_an_exception_ends_a_virtual_run_and_on_a_real_one_closes_the_channel(stage, capsys):
    client, served = connected(stage, server_kind=Buggy)
    client.send(b"hello")
    if on_a_virtual(stage):
        with pytest.raises(Bug):
            stage.run(lambda: served.received)
        stage.run(lambda: served.received == b"hello")  # the run goes on where it was: still readable
        assert served.told == ["read", "read"]
    else:
        stage.run(lambda: "close" in client.told)
        assert served.told == ["read", "close"]
        printed = capsys.readouterr().out
        assert "error: uncaptured python exception, closing channel <Buggy connected 127.0.0.1:" in printed
        assert "Bug'>:planted [" in printed
        assert printed.count("\n") == 1


def test_a_handle_error_of_ones_own_is_respected_everywhere(stage):
    class Tolerant(Buggy):
        def handle_error(self):
            self.told.append(sys.exc_info()[0])

    client, served = connected(stage, server_kind=Tolerant)
    client.send(b"hello")
    stage.run(lambda: served.received == b"hello")
    assert served.told == ["read", Bug, "read"]


def test_a_repr_that_fails_does_not_hide_the_error(stage, capsys):
    class Nameless(Buggy):
        def __repr__(self):
            raise RuntimeError("no name")

    client, _ = connected(stage, server_kind=Nameless)
    client.send(b"hello")
    if on_a_virtual(stage):
        with pytest.raises(Bug):
            stage.run(lambda: "close" in client.told)
    else:
        stage.run(lambda: "close" in client.told)
        assert "<Nameless, whose __repr__ fails>" in capsys.readouterr().out


@pytest.mark.parametrize("passing", [ExitNow, KeyboardInterrupt, SystemExit])
def test_what_ends_a_program_passes_through_every_handle_error(stage, passing):
    class Ending(Told):
        def handle_read(self):
            raise passing

        def handle_error(self):
            self.told.append("error")

    client, served = connected(stage, server_kind=Ending)
    client.send(b"x")
    with pytest.raises(passing):
        stage.run(lambda: served.told)
    assert served.told == []
    served.close()


@pytest.mark.parametrize("code", ["ECONNRESET", "ENOTCONN", "ESHUTDOWN", "ECONNABORTED", "EPIPE", "EBADF"])
def test_a_handler_that_lets_out_a_lost_connection_is_told_to_close(stage, code):
    class Raw(Told):
        def handle_read(self):
            raise OSError(getattr(errno, code), code)

        def handle_error(self):
            self.told.append("error")

    client, served = connected(stage, server_kind=Raw)
    client.send(b"x")
    stage.run(lambda: served.told)
    assert served.told == ["close"]


def test_a_handler_that_lets_out_eagain_was_woken_for_nothing(stage):
    class Greedy(Told):
        def handle_read(self):
            while True:
                data = self.recv(2)
                self.told.append(data)
                if not data:
                    return

        def handle_error(self):
            self.told.append("error")

    client, served = connected(stage, server_kind=Greedy)
    client.send(b"abcd")
    stage.run(lambda: len(served.told) == 2)
    client.send(b"ef")
    stage.run(lambda: len(served.told) == 3)
    assert served.told == [b"ab", b"cd", b"ef"]


def test_a_connect_in_progress_that_a_handler_lets_out_is_an_error(stage):
    class Raw(Told):
        def handle_read(self):
            self.recv(10)
            raise BlockingIOError(errno.EINPROGRESS, "in progress")

        def handle_error(self):
            self.told.append(sys.exc_info()[1].errno)

    client, served = connected(stage, server_kind=Raw)
    client.send(b"x")
    stage.run(lambda: served.told)
    assert served.told == [errno.EINPROGRESS]


# --- defaults and words --------------------------------------------------------------------------


def test_the_default_handlers_only_warn_and_warnings_are_off(stage, capsys):
    with stage.client:
        channel = dispatcher()
    for handler in (channel.handle_read, channel.handle_write, channel.handle_expt, channel.handle_connect):
        handler()
    assert capsys.readouterr() == ("", "")
    channel.ignore_log_types = frozenset()
    channel.handle_read()
    channel.handle_expt()
    channel.handle_connect()
    channel.handle_close()
    assert capsys.readouterr().out.splitlines() == [
        "warning: unhandled read event",
        "warning: unhandled incoming priority event",
        "warning: unhandled connect event",
        "warning: unhandled close event",
    ]


def test_log_goes_to_stderr_and_log_info_to_stdout(stage, capsys):
    with stage.client:
        channel = dispatcher()
    channel.log("hit")
    channel.log_info("news")
    channel.log_info("trouble", "error")
    assert capsys.readouterr() == ("info: news\nerror: trouble\n", "log: hit\n")


def test_the_repr_says_class_state_and_address(stage):
    client, served = connected(stage)
    listener = listen(stage)
    with stage.client:
        assert repr(dispatcher()) == "<dispatcher>"
    assert repr(listener) == f"<Listener listening {stage.address[0]}:0>"
    host, port = served.addr
    assert repr(served) == f"<Told connected {host}:{port}>"
    assert repr(client).startswith("<Told connected ")


def test_readable_is_true_and_writable_only_while_connecting_or_with_a_handle_write(stage):
    class Writer(dispatcher):
        def handle_write(self):
            pass

    class WriterByMixin(type("Mixin", (), {"handle_write": lambda self: None}), dispatcher):
        pass

    with stage.client:
        assert (dispatcher().readable(), dispatcher().writable()) == (True, False)
        assert Writer().writable()
        assert WriterByMixin().writable()
        channel = dispatcher()
        channel.connecting = True
        assert channel.writable()


# --- dispatcher_with_send ------------------------------------------------------------------------


class Sender(dispatcher_with_send):
    def handle_connect(self):
        pass

    def handle_close(self):
        self.close()

    def handle_read(self):
        self.recv(65536)


def test_a_payload_larger_than_every_buffer_arrives_whole(stage):
    payload = bytes(range(256)) * 4096  # 1 MiB

    class Small(Told):
        def handle_read(self):
            self.received += self.recv(50_000)

    client, served = connected(stage, Sender, Small)
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    assert client.send(payload) == len(payload)
    assert 0 < len(client.out_buffer) < len(payload)
    stage.run(lambda: len(served.received) == len(payload))
    assert served.received == payload
    assert client.out_buffer == b""
    assert not client.writable()


def test_sends_queue_behind_what_waits_in_order(stage):
    client, served = connected(stage, Sender)
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    parts = [bytes([number]) * 30_000 for number in range(20)]
    for part in parts:
        client.send(part)
    stage.run(lambda: len(served.received) == 600_000)
    assert served.received == b"".join(parts)


@pytest.mark.parametrize("kept", [b"", b"login"])
def test_what_handle_close_makes_of_the_out_buffer_stays_so_when_a_send_meets_a_reset(stage, kept):
    class Again(Sender):
        def handle_close(self):
            self.close()
            self.out_buffer = kept

    client, served = connected(stage, Again)
    if on_a_virtual(stage):
        stage.network.on("client", "send").reset()
    else:
        reset(served)  # of which the client's kernel knows at once, and nobody has told the client
    with stage.client:
        assert client.send(b"command") == 7
    assert client.socket.fileno() == -1
    assert client.out_buffer == kept


def test_what_a_lost_connection_had_not_sent_goes_first_over_the_next_one(stage):
    listener = listen(stage)
    client = connect(stage, listener, Sender)
    stage.run(lambda: listener.channels and client.connected)
    client.close()
    client.send(b"kept ")
    assert client.out_buffer == b"kept "
    with stage.client:
        client.create_socket()
        client.connect(stage.reach(listener.socket))
    client.send(b"and new")
    stage.run(lambda: len(listener.channels) == 2 and len(listener.channels[1].received) == 12)
    assert listener.channels[1].received == b"kept and new"


def test_an_out_buffer_that_is_assigned_is_sent(stage):
    client, served = connected(stage, Sender)
    client.out_buffer = b"hello"
    client.out_buffer += b", world"
    stage.run(lambda: served.received == b"hello, world")
    assert client.out_buffer == b""


def test_what_is_sent_before_the_connection_stands_is_sent_when_it_does(stage):
    listener = listen(stage)
    client = connect(stage, listener, Sender)
    client.send(b"early")
    stage.run(lambda: listener.channels and listener.channels[0].received == b"early")


def test_an_out_buffer_may_be_assigned_before_the_constructor_runs(stage):
    class Eager(Sender):
        def __init__(self, sock):
            self.out_buffer = b""
            super().__init__(sock)
            self.out_buffer = b"welcome"

    client, _ = connected(stage, server_kind=Eager)
    stage.run(lambda: client.received == b"welcome")


def test_a_sender_may_shut_down_its_half_when_it_is_connected_and_still_reads(stage):
    class Asker(Sender):
        received = b""

        def handle_connect(self):
            self.send(b"hello")
            self.socket.shutdown(socket.SHUT_WR)

        def handle_read(self):
            self.received += self.recv(100)

    class Answers(Told):
        def handle_close(self):
            self.send(self.received)
            self.close()

    client = connect(stage, listen(stage, Answers), Asker)
    stage.run(lambda: client.socket.fileno() < 0)
    assert client.received == b"hello"


def test_a_sender_is_writable_while_it_connects_and_while_output_waits(stage):
    with stage.client:
        channel = Sender()
    assert not channel.writable()
    channel.connecting = True
    assert channel.writable()
    channel.connecting = False
    assert not channel.writable()
    channel.out_buffer = b"x"
    assert channel.writable()


# --- loop() --------------------------------------------------------------------------------------


def test_loop_runs_until_no_channel_is_left(stage):
    class Once(Told):
        def handle_connect(self):
            self.told.append("connect")
            self.listener.close()
            self.close()

        def handle_accepted(self, sock, addr):
            sock.close()

    with stage.client:
        assert current() is stage.client
        listener = Listener(stage.address)
        client = Once()
        client.listener = listener
        client.create_socket()
        client.connect(("127.0.0.1", listener.socket.getsockname()[1]))
        loop(timeout=1)
        for channel in listener.channels:
            channel.close()
    assert "connect" in client.told


def test_loop_with_a_count_makes_so_many_passes(stage):
    class Counting(Told):
        asked = 0

        def readable(self):
            self.asked += 1
            return True

    with stage.client:
        channel = Counting()
        channel.create_socket()
        channel.bind(stage.address)
        channel.listen(1)
        loop(timeout=0, count=0)
        assert channel.asked == 0
        loop(timeout=0, count=1)
        once = channel.asked
        assert once >= 1
        if not on_a_virtual(stage):
            loop(timeout=0, count=2)
            assert channel.asked == 3


def test_loop_with_a_map_runs_only_that_map(stage):
    class Reader(Told):
        def handle_connect(self):
            self.told.append("connect")

    listener = listen(stage)
    mine = {}
    with stage.client:
        other = connect(stage, listener)
        channel = Reader(map=mine)
        channel.create_socket()
        channel.connect(stage.reach(listener.socket))
        assert list(mine.values()) == [channel]
        for _ in range(20):
            if not channel.told:
                loop(timeout=0.1, map=mine, count=1)
    assert channel.told == ["connect"]
    if isinstance(stage, RealStage):  # a virtual host runs all that is on it
        assert other.told == []
    channel.close()
    assert mine == {}


def test_a_map_of_ones_own_does_not_become_the_default(stage):
    network = Network()
    machine = network.host("machine") if on_a_virtual(stage) else RealStage().server
    mine = {}
    with machine:
        first = dispatcher(map=mine)
        first.create_socket()
        second = dispatcher()
        second.create_socket()
    assert list(mine.values()) == [first]
    first.close()
    second.close()


def test_add_channel_to_another_map_is_served_there(stage):
    client, served = connected(stage)
    mine = {}
    served.del_channel()
    served._fileno = served.socket.fileno()
    served.add_channel(mine)
    client.send(b"x")
    with stage.server:
        for _ in range(20):
            if not served.received:
                loop(timeout=0.1, map=mine, count=1)
    assert served.received == b"x"
    served.del_channel(mine)
    assert mine == {}
    served.close()


def test_a_channel_in_another_map_than_its_own_may_change_its_interest(stage):
    client, served = connected(stage, server_kind=Sender)
    fd, mine = served.socket.fileno(), {}
    served.del_channel()
    served._fileno = fd
    served.add_channel(mine)
    with stage.server:
        loop(timeout=0, map=mine, count=1)
        served.out_buffer = b"later"
        for _ in range(20):
            if served.out_buffer:
                loop(timeout=0.1, map=mine, count=1)
    assert served.out_buffer == b""
    stage.run(lambda: client.received == b"later")
    served.del_channel(mine)
    served.close()


def test_use_poll_polls_with_poll_and_the_next_call_decides_anew(stage):
    client, served = connected(stage)
    if on_a_virtual(stage):
        pytest.skip("a virtual host has one poller behind every name")
    for use_poll in (True, False, True):
        client.send(b"x")
        expected = len(served.received) + 1
        with stage.server:
            for _ in range(20):
                if len(served.received) < expected:
                    loop(timeout=0.1, use_poll=use_poll, count=1)
        assert len(served.received) == expected
        named = "Poll" if use_poll else stage.server._kind.capitalize()
        assert type(loop_for(stage.server).poller).__name__ == f"{named}Poller"
