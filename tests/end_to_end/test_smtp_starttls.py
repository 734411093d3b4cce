"""STARTTLS of the SMTP example (RFC 3207): smtplib on this computer, what it said on virtual networks."""

from __future__ import annotations

import smtplib
import socket
import ssl
from contextlib import closing, suppress

import pytest
from hypothesis import given, settings

pytest.importorskip("trustme", reason="the test extra is not installed: no certificates")

from examples import recorded_mail, smtp_server, weather
from examples.recorded_mail import LINES, NAME, PORT, Mailbox, MailConversation, Message
from examples.smtp_session import Session, State
from simnet import Network, Script, parse
from simnet.dispatchers.tls import tls_channel
from simnet.fuzz import GENTLE, networks
from tests.unit.tls_channels import HOSTNAME, client_context, server_context

ADA, BOB = "ada@client.example", "bob@mail.example"
STARTTLS = b"STARTTLS\r\n"
CONTEXTS = (server_context(), client_context())


@pytest.fixture
def server():
    """A server on real loopback that offers TLS."""
    with recorded_mail.serving(server_context()) as serving:
        yield serving


def secured(port: int) -> smtplib.SMTP:
    """A client of the standard library that has begun with TLS."""
    smtp = recorded_mail.connected(port)
    smtp._host = HOSTNAME  # type: ignore[attr-defined]  # the name that the certificate has
    smtp.starttls(context=client_context())
    return smtp


# --- real loopback -------------------------------------------------------------------------------


def test_smtplib_delivers_under_tls(server):
    with secured(server.port) as smtp:
        assert isinstance(smtp.sock, ssl.SSLSocket)
        assert smtp.sendmail(ADA, [BOB], LINES) == {}
        assert smtp.sendmail(ADA, [BOB], recorded_mail.LARGE) == {}
    assert [each.data for each in server.messages] == [LINES.encode(), recorded_mail.LARGE.encode()]


def test_it_is_offered_in_plain_and_not_again_under_tls(server):
    with recorded_mail.connected(server.port) as smtp:
        smtp.ehlo()
        assert smtp.has_extn("starttls")
        smtp._host = HOSTNAME
        assert smtp.starttls(context=client_context()) == (220, b"begin with TLS")
        smtp.ehlo()
        assert smtp.has_extn("size")
        assert not smtp.has_extn("starttls")
        assert smtp.docmd("STARTTLS") == (503, b"TLS was started already")


def test_who_the_client_said_it_was_is_forgotten(server):
    with secured(server.port) as smtp:
        assert smtp.docmd("MAIL FROM:<>")[0] == 503
        smtp.ehlo()
        assert smtp.docmd("MAIL FROM:<>")[0] == 250


def test_a_client_that_does_not_trust_the_server_sends_no_mail(server):
    with closing(recorded_mail.connected(server.port)) as smtp:
        smtp._host = HOSTNAME
        with pytest.raises(ssl.SSLCertVerificationError):
            smtp.starttls(context=ssl.create_default_context())
    with secured(server.port) as smtp:  # and the next one is served
        assert smtp.sendmail(ADA, [BOB], LINES) == {}


def test_a_command_that_was_injected_behind_starttls_is_not_obeyed(server):
    # CVE-2011-0411: somebody between the two adds it in plain; it must not be taken for the client's.
    with closing(socket.create_connection(("127.0.0.1", server.port), 10)) as plain:
        plain.sendall(b"EHLO x\r\n" + STARTTLS + b"EHLO mallory\r\nMAIL FROM:<mallory@client.example>\r\n")
        heard = b""
        while not heard.endswith(b"220 begin with TLS\r\n"):
            heard += plain.recv(1)
        with client_context().wrap_socket(plain, server_hostname=HOSTNAME) as sock:
            sock.sendall(b"RCPT TO:<bob@mail.example>\r\n")
            with sock.makefile("rb") as lines:
                assert lines.readline() == b"503 RCPT is out of sequence\r\n"
    assert server.messages == []


# --- virtual network -----------------------------------------------------------------------------


class SecureFeeder(tls_channel, weather.Feeder):
    """Sends its pieces up to STARTTLS, and the others when TLS has begun."""

    def __init__(self, pieces: list[bytes], injected: bytes = b"") -> None:
        end = pieces.index(STARTTLS) + 1
        self.secret, self.is_secure = pieces[end:], False
        super().__init__(("server", PORT), [b"".join(pieces[:end]) + injected, b""])

    def feed(self) -> None:
        """Keep the last piece back, and with it the FIN, until the end."""
        if len(self._pieces) > 1 or self.is_secure:
            super().feed()

    def handle_read(self) -> None:
        super().handle_read()
        if self.tls is None and self.answer.endswith(b"220 begin with TLS\r\n"):
            self.start_tls(CONTEXTS[1], server_hostname=HOSTNAME)

    def _end_if_sent(self) -> None:
        with suppress(OSError):  # the end has to be said, and there may be nobody to say it to
            super()._end_if_sent()

    def handle_handshake(self) -> None:
        self._pieces, self.is_secure = self.secret or [b""], True
        self.feed()


def feed(net: Network, pieces: list[bytes], injected: bytes = b"") -> tuple[bytes, list[Message]]:
    """What is answered and delivered if these pieces are sent, those behind STARTTLS under TLS."""
    net.trace.covers_contents = False
    with net.host("server"):
        server = Mailbox(("", PORT), CONTEXTS[0])
    with net.host("client"):
        feeder = SecureFeeder(pieces, injected)
    net.run()
    return feeder.answer, server.messages


@pytest.fixture(scope="module")
def conversation() -> MailConversation:
    """What smtplib said on real loopback, under TLS as it was meant."""
    with recorded_mail.serving(server_context()) as serving:
        serving.client = "smtplib, STARTTLS"
        with secured(serving.port) as smtp:
            assert smtp.sendmail(ADA, [BOB], LINES) == {}
            assert smtp.sendmail(ADA, [BOB], LINES) == {}
    (recorded,) = serving.by_peer.values()
    return recorded


def pieces_of(conversation: MailConversation, size: int = 1 << 20) -> list[bytes]:
    """The request up to STARTTLS, that, and the rest in pieces of a size."""
    plain, command, secret = conversation.request.partition(STARTTLS)
    assert command, "there was no STARTTLS"
    return [plain, STARTTLS, *(secret[at : at + size] for at in range(0, len(secret), size))]


def test_what_smtplib_said_is_answered_equally_on_a_virtual_network(conversation):
    right = conversation.answer, conversation.messages
    assert [each.data for each in conversation.messages] == [LINES.encode()] * 2
    assert feed(Network(), pieces_of(conversation)) == right
    assert feed(Network(), pieces_of(conversation, size=1)) == right


def test_no_cut_of_either_direction_is_noticed(conversation):
    """Segment by segment, after 1, 2, 3 ... bytes on the client's side and every 7th on the server's."""
    right, cuts = (conversation.answer, conversation.messages), 0
    for where, step in (("client", 1), ("server", 7)):
        for nth in range(1, 6):
            for count in range(1, 3_000, step):
                net = Network()
                net.on(where, "segment", nth=nth).cut(count)
                assert feed(net, pieces_of(conversation)) == right, (where, nth, count)
                if not net.recording.deviations:
                    break  # the segment is no longer than that
                cuts += 1
    assert cuts > 1_000


REQUEST = [
    *(b"EHLO x\r\n", STARTTLS),
    *(b"EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<bob@mail.example>\r\n", b"DATA\r\nhello\r\n.\r\n"),
]
CODES = [220, 250, 220, 250, 250, 250, 354, 250]
# No QUIT: a close_notify behind it reaches a socket that is closed, and the reset may overtake replies.


@settings(deadline=None)  # OpenSSL takes its time on a computer that is busy
@given(net=networks(GENTLE))
def test_no_gentle_weather_is_noticed(net):
    answer, messages = feed(net, REQUEST)
    assert codes(answer) == CODES
    assert messages == [Message("", (BOB,), b"hello\r\n")]


def test_a_last_reply_that_the_kernel_has_no_room_for_is_sent_after_the_close():
    """The session is closed by then: what is left in the map of asyncore's loop sends it."""
    net = Network(Script.of([parse("the 11th send of #1 server is told to try again")]))
    answer, _ = feed(net, [*REQUEST, b"QUIT\r\n"])
    assert not net.unmet()
    assert codes(answer) == [*CODES, 221]


@settings(deadline=None)  # OpenSSL takes its time on a computer that is busy
@given(net=networks())
def test_in_any_weather_the_replies_and_messages_are_a_beginning_of_the_right_ones(net):
    answer, messages = feed(net, REQUEST)
    right, right_messages = feed(Network(), REQUEST)
    assert right.startswith(answer)
    assert messages == right_messages[: len(messages)]
    assert answer.count(b"250 message taken") <= len(messages)


def codes(answer: bytes) -> list[int]:
    lines = answer.split(b"\r\n")
    assert lines.pop() == b"", "a reply without an end"
    return [int(line[:3]) for line in lines if line[3:4] == b" "]


INJECTED = b"EHLO mallory\r\nMAIL FROM:<mallory@client.example>\r\n"


def injection(net: Network) -> None:
    """Mallory's sender must not be used for the recipient that the client names under TLS."""
    answer, messages = feed(net, [b"EHLO x\r\n", STARTTLS, b"RCPT TO:<bob@mail.example>\r\n"], INJECTED)
    assert codes(answer) == [220, 250, 220, 503]
    assert messages == []


def test_what_was_injected_is_not_obeyed_however_it_is_cut():
    injection(Network())
    before = len(b"EHLO x\r\n" + STARTTLS)
    for count in range(1, before + len(INJECTED)):
        net = Network()
        # Held back for longer, it comes where the handshake is expected: that is no TLS, and ends it.
        net.on("client", "segment", nth=1).cut(count)
        if count < before:
            injection(net)
        else:
            answer, messages = feed(net, [b"EHLO x\r\n", STARTTLS, b"NOOP\r\n"], INJECTED)
            assert codes(answer) == [220, 250, 220]
            assert messages == []


class Trusting(Session):
    """Goes on with what came in plain: the fault."""

    def start_tls(self, *args, **options) -> None:
        kept = self.ac_in_buffer
        super().start_tls(*args, **options)
        self.ac_in_buffer = kept

    def found_terminator(self) -> None:
        if self.state is State.SECURING:
            self.state = State.NEW
        super().found_terminator()


def test_a_server_that_obeys_what_was_injected_is_noticed(monkeypatch):
    monkeypatch.setattr(smtp_server, "Session", Trusting)
    with pytest.raises(AssertionError):
        injection(Network())


class Remembering(Session):
    """Still knows under TLS who the client said it was."""

    def handle_handshake(self) -> None:
        self.state = State.READY


def test_a_server_that_remembers_is_noticed(monkeypatch, conversation):
    monkeypatch.setattr(smtp_server, "Session", Remembering)
    answer, _ = feed(Network(), [b"EHLO x\r\n", STARTTLS, b"MAIL FROM:<>\r\n"])
    assert codes(answer) == [220, 250, 220, 250]
    monkeypatch.undo()
    answer, _ = feed(Network(), [b"EHLO x\r\n", STARTTLS, b"MAIL FROM:<>\r\n"])
    assert codes(answer) == [220, 250, 220, 503]


# --- where there is no TLS -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (b"EHLO x\r\nSTARTTLS\r\nNOOP\r\n", [220, 250, 502, 250]),
        (b"STARTTLS\r\n", [220, 503]),
        (b"EHLO x\r\nSTARTTLS now\r\n", [220, 250, 501]),
    ],
)
def test_without_a_context_nothing_is_offered_and_nothing_begins(request_, expected):
    answer, _ = recorded_mail.feed(Network(), [request_])
    assert codes(answer) == expected
    assert b"250-STARTTLS" not in answer
    assert b"250 STARTTLS" not in answer


def test_starttls_within_a_transaction_is_out_of_sequence():
    class Secure(Mailbox):
        def __init__(self, address):
            super().__init__(address, CONTEXTS[0])

    request = b"EHLO x\r\nMAIL FROM:<>\r\nSTARTTLS\r\nRCPT TO:<bob@mail.example>\r\n"
    answer, _ = recorded_mail.feed(Network(), [request], Secure)
    assert codes(answer) == [220, 250, 250, 503, 250]
    assert b"250 STARTTLS\r\n" in answer


def test_a_client_that_begins_and_says_nothing_is_closed_when_idle():
    net = Network()
    with net.host("server"):
        server = Mailbox(("", PORT), CONTEXTS[0])
    with net.host("client"):
        silent = type("Silent", (SecureFeeder,), {"start_tls": lambda self, *args, **options: None})(
            [b"EHLO x\r\n", STARTTLS]
        )
    for until, left in (("299s", [State.SECURING]), ("301s", [])):
        net.run(until=until)
        with net.host("server"):
            server.close_idle()
        assert [each.state for each in server.sessions] == left
    assert codes(silent.answer) == [220, 250, 220]
    assert NAME.encode() in silent.answer
