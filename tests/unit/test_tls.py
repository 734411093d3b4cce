"""TLS for dispatchers: handshake, data, ends and failures; one body on every kind of stage."""

import socket
import ssl

import pytest

from simnet import UsageError, dispatcher, dispatcher_with_send
from simnet.dispatchers.lingering import Lingering
from simnet.dispatchers.tls import tls_channel
from simnet.dispatchers.tls_socket import UNSENT_MAX_BYTES, TLSSocket
from simnet.loop import loop_for
from tests.unit.stages import STAGES, everywhere, reset_socket
from tests.unit.tls_channels import (
    HOSTNAME,
    Door,
    Echoing,
    Secured,
    call,
    client_context,
    secured,
    serve,
    server_context,
)

pytestmark = everywhere

VERSIONS = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)


@pytest.fixture
def stage(request):
    made = STAGES[request.param]()
    yield made
    made.close()


def only(version):
    return {"minimum_version": version, "maximum_version": version}


# --- the handshake -------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
def test_an_echo_comes_back_in_each_version(stage, version):
    door = serve(stage, context=server_context(**only(version)))
    client = call(stage, door, handle_connect=lambda self: self.send(b"hello"))
    stage.run(lambda: client.received == b"hello")
    assert client.tls.version() == door.channels[0].tls.version()
    assert client.tls.version() == version.name.replace("_", ".")


def test_a_client_is_told_of_the_handshake_and_then_of_the_connection_once(stage):
    client, served = secured(stage)
    client.send(b"x")
    stage.run(lambda: client.received)
    assert client.events() == ["handshake", "connect"]
    assert served.events() == ["handshake"]
    assert (client.connected, client.connecting) == (True, False)


def test_a_client_that_starts_tls_in_handle_connect_is_told_of_the_connection_first(stage):
    def start(self):
        self.told.append("connect")
        self.start_tls(client_context(), server_hostname=HOSTNAME)
        self.send(b"early")

    door = serve(stage)
    with stage.client:
        client = type("Late", (Secured,), {"handle_connect": start})()
        client.create_socket()
        client.connect(stage.reach(door.socket))
    stage.run(lambda: client.received == b"early")
    assert client.events() == ["connect", "handshake"]
    assert client.connected


def test_the_certificate_the_cipher_and_the_protocol_are_known_after_the_handshake(stage):
    ours, theirs = server_context(), client_context()
    ours.set_alpn_protocols(["h2", "smtp"])
    theirs.set_alpn_protocols(["smtp"])
    client = call(stage, serve(stage, context=ours), context=theirs)
    stage.run(lambda: client.connected)
    assert client.tls.selected_alpn_protocol() == "smtp"
    assert ("DNS", HOSTNAME) in client.tls.getpeercert()["subjectAltName"]
    assert client.tls.cipher()[0].startswith("TLS_")


def test_what_is_sent_during_the_handshake_is_sent_after_it(stage):
    door = serve(stage)
    client = call(stage, door)
    client.send(b"too early")
    stage.run(lambda: client.received == b"too early")


def test_a_plain_send_takes_nothing_during_the_handshake(stage):
    class Bare(tls_channel, dispatcher):
        taken = None

        def handle_connect(self):
            pass

    listener = Door.__new__(Door)
    with stage.server:
        Door.__init__(listener, stage.address, dispatcher)
    with stage.client:
        client = Bare()
        client.create_socket()
        client.start_tls(client_context(), server_hostname=HOSTNAME)
        client.connect(stage.reach(listener.socket))
    stage.run(lambda: listener.channels)
    assert client.send(b"secret") == 0
    assert not client.connected


def test_a_handshake_goes_on_although_the_handlers_want_to_read_nothing(stage):
    class Unwilling:
        def readable(self):
            return False

    client = call(stage, serve(stage), readable=lambda self: False)
    other = call(stage, serve(stage), type("Other", (Unwilling, Secured), {}))  # by a mixin
    stage.run(lambda: client.connected and other.connected)
    assert client.received == b""


# --- failures ------------------------------------------------------------------------------------


def test_a_certificate_of_an_unknown_authority_fails_at_both_ends(stage):
    door = serve(stage)
    client = call(stage, door, context=ssl.create_default_context())
    stage.run(lambda: "close" in client.told and door.channels and "close" in door.channels[0].told)
    assert client.events() == [ssl.SSLCertVerificationError, "close"]
    # TLS 1.3: the server was sent the alert, and knows no more than that.
    assert door.channels[0].events()[-2:] == [ssl.SSLError, "close"]
    assert door.channels[0].tls_error.reason == "TLSV1_ALERT_UNKNOWN_CA"


def test_a_certificate_for_another_name_fails(stage):
    door = serve(stage)
    with stage.client:
        client = Secured()
        client.create_socket()
        client.start_tls(client_context(), server_hostname="other.example")
        client.connect(stage.reach(door.socket))
    stage.run(lambda: "close" in client.told)
    assert client.events() == [ssl.SSLCertVerificationError, "close"]
    assert "other.example" in str(client.tls_error)


def test_no_common_version_fails_at_both_ends(stage):
    door = serve(stage, context=server_context(**only(ssl.TLSVersion.TLSv1_3)))
    client = call(stage, door, context=client_context(maximum_version=ssl.TLSVersion.TLSv1_2))
    stage.run(lambda: "close" in client.told and door.channels and "close" in door.channels[0].told)
    assert client.events() == [ssl.SSLError, "close"]
    assert client.tls_error.reason == "TLSV1_ALERT_PROTOCOL_VERSION"
    assert door.channels[0].events() == [ssl.SSLError, "close"]


def plain_client(stage, door, first=b""):
    """A client without TLS."""

    class Plain(dispatcher_with_send):
        received, closed = b"", False

        def handle_connect(self):
            self.send(first)

        def handle_read(self):
            self.received += self.recv(4096)

        def handle_close(self):
            self.closed = True
            self.close()

    with stage.client:
        client = Plain()
        client.create_socket()
        client.connect(stage.reach(door.socket))
    return client


def test_a_plain_client_is_no_tls_and_none_of_it_is_read(stage):
    door = serve(stage)
    client = plain_client(stage, door, b"EHLO there\r\nand some more\r\n")
    stage.run(lambda: client.closed)
    assert door.channels[0].events() == [ssl.SSLError, "close"]
    assert door.channels[0].received == b""


def test_a_failure_that_no_handler_takes_is_printed(stage, capsys):
    door = serve(stage, handle_tls_error=tls_channel.handle_tls_error)
    client = plain_client(stage, door, b"this is no TLS at all\r\n")
    stage.run(lambda: client.closed)
    assert capsys.readouterr().out.startswith("error: TLS failed: [SSL: ")


def test_a_peer_that_goes_away_in_the_handshake_has_cut_it(stage):
    door = serve(stage)
    client = plain_client(stage, door)
    stage.run(lambda: door.channels)
    client.close()
    stage.run(lambda: "close" in door.channels[0].told)
    assert door.channels[0].events() == [ssl.SSLEOFError, "close"]


def test_a_reset_in_the_handshake_closes_without_a_tls_error(stage):
    door = serve(stage)
    client = plain_client(stage, door)
    stage.run(lambda: door.channels)
    client.del_channel()
    reset_socket(client.socket)
    stage.run(lambda: "close" in door.channels[0].told)
    assert door.channels[0].events() == ["close"]


def test_a_connection_that_was_reset_before_it_was_accepted_is_closed(stage):
    door = serve(stage)
    door.readable = lambda: False  # for a while
    door.touch()
    client = plain_client(stage, door, b"in plain")
    stage.run(lambda: client.connected)
    client.del_channel()
    reset_socket(client.socket)
    stage.run(lambda: True)
    del door.readable
    door.touch()
    stage.run(lambda: door.channels and "close" in door.channels[0].told)
    assert door.channels[0].events()[-1] == "close"
    assert door.channels[0].received == b""


def test_a_refused_connection_is_refused_with_tls_too(stage, capsys):
    door = serve(stage)
    address = stage.reach(door.socket)
    door.close()
    with stage.client:
        client = Secured()
        client.create_socket()
        client.start_tls(client_context(), server_hostname=HOSTNAME)
        try:
            client.connect(address)
        except ConnectionRefusedError:  # at once, as Linux's loopback may
            return
    stage.run(lambda: client.told)
    assert client.told == ["close"]
    assert capsys.readouterr().out == ""


# --- data ----------------------------------------------------------------------------------------


def test_a_megabyte_comes_back_in_order(stage):
    data = bytes(range(256)) * 4096
    client, _ = secured(stage)
    client.send(data)
    stage.run(lambda: len(client.received) == len(data), limit="20s")
    assert client.received == data


def test_plaintext_in_memory_is_delivered_although_the_socket_has_nothing_more(stage):
    client, served = secured(stage, at_once=10)
    served.send(bytes(1000))  # one record, which is decrypted at once: 100 x 10 bytes
    stage.run(lambda: len(client.received) == 1000)


def test_plaintext_that_waited_for_an_unwilling_handler_is_delivered_when_it_is_willing(stage):
    class Moody(Secured):
        willing, at_once = True, 100

        def readable(self):
            return self.willing

        def answer(self, data):
            self.willing = False  # one helping

    client, served = secured(stage, Moody)
    for _ in range(3):
        served.send(bytes(150))  # 3 records, in one segment or in several
    stage.run(lambda: len(client.received) == 100)
    for helping in (150, 250, 300, 400, 450):  # the rest of each record comes alone
        client.willing = True
        stage.run(lambda expected=helping: len(client.received) == expected)


def test_what_declares_its_interest_is_asked_only_when_that_may_have_changed(stage):
    asked = []

    class Declared(Secured):
        declares_interest = True

        def readable(self):
            asked.append("readable")
            return True

    client, served = secured(stage, Declared)
    served.send(b"x")
    stage.run(lambda: client.received)
    assert not loop_for(stage.client).asks
    assert Secured.declares_interest
    assert asked


def test_a_layer_declares_nothing_for_the_class_behind_it(stage):
    class Asked(dispatcher_with_send):
        def readable(self):
            return True

    class Wrapped(tls_channel, Asked):
        pass

    class Silent(tls_channel, dispatcher):
        pass

    assert not Wrapped.declares_interest
    assert Silent.declares_interest
    with stage.client:
        channel = Silent()
        channel.create_socket()
    channel.connected = True
    assert not channel.writable()


def test_send_takes_a_bounded_amount_while_the_peer_reads_nothing(stage):
    door = serve(stage, Secured, readable=lambda self: False)
    client = call(stage, door)
    stage.run(lambda: client.connected)
    sock, taken = client.socket, 0
    chunk = bytes(100_000)
    for _ in range(1000):
        sent = dispatcher.send(client, chunk)
        assert len(sock._unsent) < UNSENT_MAX_BYTES + 1000  # 5 records, 22 bytes of each are no data
        taken += sent
        if not sent:
            break
    else:
        pytest.fail("100 MB were taken")
    assert taken > 0


def test_both_sides_may_send_at_once(stage):
    data = b"ab" * 200_000
    client, served = secured(stage, server_kind=Secured)
    client.send(data)
    served.send(data[::-1])
    stage.run(lambda: len(client.received) == len(served.received) == len(data), limit="20s")
    assert (client.received, served.received) == (data[::-1], data)


def test_nothing_of_a_socket_goes_past_tls(stage):
    client, _ = secured(stage)
    for name in ("sendall", "recvfrom", "makefile", "sendmsg", "recv_into", "detach", "dup", "sendfile"):
        with pytest.raises(NotImplementedError, match=name):
            getattr(client.socket, name)
    with pytest.raises(NotImplementedError, match="flags"):
        client.socket.recv(1, socket.MSG_PEEK)


def test_a_loop_with_an_idle_tls_connection_waits(stage):
    client, served = secured(stage)
    client.send(b"x")
    stage.run(lambda: client.received)
    wanted = {loop_for(place).poller for place in (stage.client, stage.server)}
    for channel in (client, served):
        assert (channel.readable(), channel.writable()) == (True, False)
    assert [event for poller in wanted for event in poller.poll(0)] == []


# --- ends ----------------------------------------------------------------------------------------


def test_close_says_close_notify_and_that_is_an_end(stage):
    client, served = secured(stage)
    client.close()
    stage.run(lambda: "close" in served.told)
    assert served.events() == ["handshake", "close"]
    assert served.tls_error is None


def test_an_end_without_close_notify_is_an_error(stage):
    client, served = secured(stage)
    client.del_channel()
    client.socket.raw.close()
    stage.run(lambda: "close" in served.told)
    assert served.events() == ["handshake", ssl.SSLEOFError, "close"]


def test_an_end_without_close_notify_may_be_allowed(stage):
    door = serve(stage, options={"suppress_ragged_eofs": True})
    client = call(stage, door)
    stage.run(lambda: client.connected)
    client.del_channel()
    client.socket.raw.close()
    stage.run(lambda: "close" in door.channels[0].told)
    assert door.channels[0].events() == ["handshake", "close"]


def test_data_before_a_cut_is_delivered_before_the_error(stage):
    client, served = secured(stage, server_kind=Secured)
    client.send(b"half a mess")
    client.del_channel()
    client.socket.raw.close()
    stage.run(lambda: "close" in served.told)
    assert served.received == b"half a mess"
    assert served.events() == ["handshake", ssl.SSLEOFError, "close"]


def test_data_and_close_notify_and_fin_at_once_are_told_in_order(stage):
    client, served = secured(stage, server_kind=Secured)
    client.send(b"last words")
    client.close()
    stage.run(lambda: "close" in served.told)
    assert served.received == b"last words"
    assert served.told == ["handshake", "read", "read", "close"]


def test_a_reset_is_an_end_and_no_tls_error(stage):
    client, served = secured(stage)
    client.del_channel()
    reset_socket(client.socket.raw)
    stage.run(lambda: "close" in served.told)
    assert served.events() == ["handshake", "close"]


def test_after_shutdown_tls_the_peers_data_is_still_read(stage):
    client, served = secured(stage)
    client.send(b"question")
    client.shutdown_tls()

    def answer(self):
        self.told.append("close")
        self.send(b" and the answer")
        self.close()

    served.handle_close = answer.__get__(served)
    stage.run(lambda: "close" in client.told)
    assert client.received == b"question and the answer"
    assert client.tls_error is None


def test_sending_after_shutdown_tls_is_a_broken_pipe(stage):
    client, _ = secured(stage)
    client.shutdown_tls()
    assert dispatcher.send(client, b"x") == 0
    assert client.told[-1] == "close"  # as EPIPE of a kernel


def test_shutdown_of_the_socket_says_close_notify_and_then_fin(stage):
    client, served = secured(stage)
    client.socket.shutdown(socket.SHUT_WR)
    stage.run(lambda: "close" in served.told and "close" in client.told)
    assert served.events() == ["handshake", "close"]
    assert client.events() == ["handshake", "connect", "close"]


def test_what_send_took_is_delivered_although_the_channel_is_closed(stage):
    class Slow(Secured):
        willing = False

        def readable(self):
            return self.willing

    door = serve(stage, Slow)
    client = call(stage, door)
    stage.run(lambda: client.connected and door.channels)
    taken = 0
    while not client.socket.has_unsent:
        taken += dispatcher.send(client, bytes(50_000))
    client.close()
    (lingering,) = [c for c in loop_for(stage.client).map.values() if isinstance(c, Lingering)]
    served = door.channels[0]
    served.willing = True
    served.touch()
    stage.run(lambda: "close" in served.told, limit="20s")
    assert len(served.received) == taken
    assert served.tls_error is None
    assert lingering not in loop_for(stage.client).map.values()
    assert client.events() == ["handshake", "connect"]


def test_what_lingers_goes_when_the_peer_resets(stage):
    door = serve(stage, Secured, readable=lambda self: False)
    client = call(stage, door)
    stage.run(lambda: client.connected and door.channels)
    while not client.socket.has_unsent:
        dispatcher.send(client, bytes(50_000))
    client.close()
    door.channels[0].del_channel()
    reset_socket(door.channels[0].socket.raw)
    stage.run(lambda: not any(isinstance(c, Lingering) for c in loop_for(stage.client).map.values()))


def test_closing_twice_and_in_every_phase_is_quiet(stage):
    door = serve(stage)
    for phase in ("waiting", "handshake"):
        client = call(stage, door)
        if phase == "handshake":
            stage.run(lambda client=client: client.socket.phase.value == "handshake")
        client.close()
        client.close()
        assert client not in loop_for(stage.client).map.values()


def test_a_channel_may_be_used_again_for_another_connection(stage):
    door = serve(stage)
    client = call(stage, door, context=ssl.create_default_context())
    stage.run(lambda: "close" in client.told)
    with stage.client:
        client.create_socket()
        client.start_tls(client_context(), server_hostname=HOSTNAME)
        client.connect(stage.reach(door.socket))
    client.send(b"again")
    stage.run(lambda: client.received == b"again")
    assert client.tls_error is None


# --- wrong use -----------------------------------------------------------------------------------


def test_wrong_use_is_said_clearly(stage):
    with stage.client:
        client = Secured()
        with pytest.raises(UsageError, match="socket"):
            client.start_tls(client_context())
        client.create_socket()
        with pytest.raises(UsageError, match="not started"):
            client.shutdown_tls()
        with pytest.raises(ValueError, match="server_hostname"):
            client.start_tls(client_context())
        client.start_tls(client_context(), server_hostname=HOSTNAME)  # the failure has left nothing
        with pytest.raises(UsageError, match="already"):
            client.start_tls(client_context(), server_hostname=HOSTNAME)
        with pytest.raises(UsageError, match="in front"):
            type("Wrong", (dispatcher, tls_channel), {})


def test_without_start_tls_a_channel_is_as_plain_as_ever(stage):
    with stage.server:
        door = Door(stage.address, Echoing)
    client = plain_client(stage, door, b"in the clear")
    stage.run(lambda: client.received == b"in the clear")
    assert isinstance(door.channels[0].socket, TLSSocket)
    assert door.channels[0].tls is None


def test_a_channel_may_have_any_private_names(stage):
    names = ("begin", "deliver", "fail", "fill", "flush", "has", "lose", "needs", "patience", "settle")
    own = {f"_{name}": "the channel's own" for name in names}
    client, _ = secured(stage, server_kind=type("Own", (Echoing,), own), **own)
    client.send(b"hello")
    stage.run(lambda: client.received == b"hello")
