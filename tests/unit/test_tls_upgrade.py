"""STARTTLS: what is plain before the upgrade and what is encrypted after it never mix."""

import importlib.util
import ssl
import sys

import pytest

import simnet
from simnet import Deadlock, asynchat, dispatcher_with_send
from simnet.dispatchers import tls
from simnet.dispatchers.tls import tls_channel
from tests.unit.stages import STAGES, everywhere
from tests.unit.tls_channels import HOSTNAME, Door, certificate, client_context, server_context

pytestmark = everywhere


@pytest.fixture
def stage(request):
    certificate()  # drawn here: a handler on a virtual host may not draw anything
    made = STAGES[request.param]()
    yield made
    made.close()


def old_chat():
    """The async_chat of Python 3.11, on the dispatcher of simnet."""
    if sys.version_info >= (3, 12):
        return None
    spec = importlib.util.find_spec("asynchat")
    module = importlib.util.module_from_spec(spec)
    kept = sys.modules.get("asyncore")
    sys.modules["asyncore"] = simnet
    try:
        with pytest.warns(DeprecationWarning, match="asynchat"):
            spec.loader.exec_module(module)
    finally:
        if kept is None:
            del sys.modules["asyncore"]
        else:
            sys.modules["asyncore"] = kept
    return module.async_chat


CHATS = {"native": simnet.async_chat, "compatible": asynchat.async_chat}
if (found := old_chat()) is not None:
    CHATS["old"] = found


@pytest.fixture(params=CHATS)
def chat(request):
    return CHATS[request.param]


class Lines:
    """An async_chat of lines that writes down what it is told."""

    def __init__(self, sock=None):
        self.lines, self.told, self.partial = [], [], b""
        super().__init__(sock)
        self.set_terminator(b"\r\n")

    def collect_incoming_data(self, data):
        self.partial += data

    def found_terminator(self):
        line, self.partial = self.partial, b""
        self.lines.append(line)
        self.handle_line(line)

    def handle_connect(self):
        self.told.append("connect")

    def handle_handshake(self):
        self.told.append("handshake")

    def handle_tls_error(self, error):
        self.told.append(type(error))

    def handle_close(self):
        self.told.append("close")
        self.close()


class UpgradingServer(Lines):
    """A protocol of lines: STARTTLS, anything else is answered with what it was."""

    def handle_line(self, line):
        if line == b"STARTTLS":
            self.push(b"220 ready\r\n")
            self.start_tls(server_context(), server_side=True)
        else:
            self.push(b"250 " + line + b"\r\n")


class UpgradingClient(Lines):
    said = b"STARTTLS\r\n"

    def handle_connect(self):
        self.push(self.said)

    def handle_line(self, line):
        if line == b"220 ready":
            self.start_tls(client_context(), server_hostname=HOSTNAME)
            self.push(b"secret\r\n")


def kind_of(chat, behaviour, **attributes):
    return type(behaviour.__name__, (behaviour, tls_channel, chat), attributes)


def conversation(stage, chat, server=UpgradingServer, client=UpgradingClient, **attributes):
    with stage.server:
        door = Door(stage.address, kind_of(chat, server))
    with stage.client:
        caller = kind_of(chat, client, **attributes)()
        caller.create_socket()
        caller.connect(stage.reach(door.socket))
    return door, caller


def test_a_conversation_goes_on_under_tls(stage, chat):
    door, client = conversation(stage, chat)
    stage.run(lambda: b"250 secret" in client.lines)
    assert client.lines == [b"220 ready", b"250 secret"]
    assert door.channels[0].lines == [b"STARTTLS", b"secret"]
    assert client.tls.version() == "TLSv1.3"


def test_commands_behind_starttls_in_one_segment_are_never_handled(stage, chat):
    door, client = conversation(stage, chat, said=b"STARTTLS\r\nINJECTED\r\nhalf")
    stage.run(lambda: b"250 secret" in client.lines)
    assert door.channels[0].lines == [b"STARTTLS", b"secret"]
    assert client.lines == [b"220 ready", b"250 secret"]


def test_the_beginning_of_a_line_in_plain_is_not_that_of_one_under_tls(stage, chat):
    class Later(UpgradingServer):
        """Asks somebody else before it agrees: meanwhile more comes in plain."""

        def collect_incoming_data(self, data):
            self._collect_incoming_data(data)

        def found_terminator(self):
            self.lines.append(self._get_data())
            if self.lines != [b"STARTTLS"]:
                self.push(b"250 " + self.lines[-1] + b"\r\n")

        def agree(self):
            self.push(b"220 ready\r\n")
            self.start_tls(server_context(), server_side=True)

    door, client = conversation(stage, chat, server=Later, said=b"STARTTLS\r\nINJECTED")
    stage.run(lambda: door.channels and door.channels[0].incoming == [b"INJECTED"])
    with stage.server:
        door.channels[0].agree()
    stage.run(lambda: client.lines[1:])
    assert client.lines == [b"220 ready", b"250 secret"]


def test_that_nothing_is_discarded_is_noticed(stage, chat, monkeypatch):
    monkeypatch.setattr(tls, "discard_plain", lambda channel: None)
    door, client = conversation(stage, chat, said=b"STARTTLS\r\nINJECTED\r\n")
    stage.run(lambda: b"250 secret" in client.lines)
    assert b"INJECTED" in door.channels[0].lines


def test_that_what_is_queued_is_not_sent_first_is_noticed(stage, chat, monkeypatch):
    monkeypatch.setattr(tls, "begin_behind_plain", lambda channel, sock, begin: begin())

    class Talkative(UpgradingServer):
        def handle_line(self, line):
            self.push(b"x" * 3_000_000 + b"\r\n220 ready\r\n")
            self.start_tls(server_context(), server_side=True)

    _, client = conversation(stage, chat, server=Talkative)
    with pytest.raises(Deadlock):
        stage.run(lambda: b"220 ready" in client.lines, limit="0.5s")


def test_commands_that_come_behind_starttls_in_the_next_segment_are_no_tls(stage, chat):
    class Injecting(UpgradingClient):
        def handle_line(self, line):
            self.push(b"INJECTED\r\nand much more of it\r\n")

    door, client = conversation(stage, chat, client=Injecting)
    stage.run(lambda: "close" in client.told)
    assert door.channels[0].lines == [b"STARTTLS"]
    assert door.channels[0].told == [ssl.SSLError, "close"]


def test_answers_behind_the_go_ahead_in_one_segment_are_never_handled(stage, chat):
    class Injecting(UpgradingServer):
        def handle_line(self, line):
            if line == b"STARTTLS":
                self.push(b"220 ready\r\n250 injected\r\n")
                self.start_tls(server_context(), server_side=True)
            else:
                super().handle_line(line)

    _, client = conversation(stage, chat, server=Injecting)
    stage.run(lambda: b"250 secret" in client.lines)
    assert client.lines == [b"220 ready", b"250 secret"]


def test_what_is_queued_before_the_upgrade_goes_out_in_plain_before_it(stage, chat):
    long = b"x" * 3_000_000  # more than the buffers of any kernel take

    class Talkative(UpgradingServer):
        def handle_line(self, line):
            if line == b"STARTTLS":
                self.push(long + b"\r\n")
                self.push(b"220 ready\r\n")
                self.start_tls(server_context(), server_side=True)
                self.push(b"under TLS\r\n")

    _, client = conversation(stage, chat, server=Talkative)
    stage.run(lambda: b"under TLS" in client.lines, limit="30s")
    assert [len(client.lines[0]), *client.lines[1:]] == [len(long), b"220 ready", b"under TLS"]


def test_the_last_bytes_before_close_when_done_are_delivered(stage, chat):
    class Final(UpgradingServer):
        def handle_line(self, line):
            if line == b"secret":
                self.push(b"y" * 1_000_000 + b"\r\n")
                self.close_when_done()
            else:
                super().handle_line(line)

    _, client = conversation(stage, chat, server=Final)
    stage.run(lambda: "close" in client.told, limit="30s")
    assert [len(line) for line in client.lines] == [9, 1_000_000]
    assert client.told == ["handshake", "close"]


def test_the_out_buffer_of_a_dispatcher_with_send_goes_out_in_plain_first(stage):
    class Plain(dispatcher_with_send):
        received = b""

        def handle_connect(self):
            self.send(b"STARTTLS")

        def handle_read(self):
            self.received += self.recv(65536)

        def handle_close(self):
            self.close()

    class Upgrading(tls_channel, dispatcher_with_send):
        def handle_read(self):
            self.recv(4096)
            self.send(b"z" * 3_000_000)
            assert self.out_buffer
            self.start_tls(client_context(), server_hostname=HOSTNAME)
            self.send(b"only under TLS")

    with stage.server:
        door = Door(stage.address, Upgrading)
    with stage.client:
        client = Plain()
        client.create_socket()
        client.connect(stage.reach(door.socket))
    stage.run(lambda: len(client.received) > 3_000_000, limit="30s")
    assert client.received[:3_000_000] == b"z" * 3_000_000
    assert client.received[3_000_000:3_000_003] == b"\x16\x03\x01"  # a record: handshake, TLS 1.x
    assert b"only under TLS" not in client.received


def test_what_was_queued_before_the_connection_is_not_sent_in_plain(stage):
    class Hasty(tls_channel, dispatcher_with_send):
        def handle_connect(self):
            pass

    class Sink(dispatcher_with_send):
        received = b""

        def handle_read(self):
            self.received += self.recv(4096)

    with stage.server:
        door = Door(stage.address, Sink)
    with stage.client:
        client = Hasty()
        client.create_socket()
        client.connect(stage.reach(door.socket))
        client.out_buffer = b"secret"
        client.start_tls(client_context(), server_hostname=HOSTNAME)
    stage.run(lambda: door.channels and door.channels[0].received)
    assert door.channels[0].received.startswith(b"\x16\x03\x01")
    assert b"secret" not in door.channels[0].received
