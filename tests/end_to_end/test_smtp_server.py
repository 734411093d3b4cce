"""The SMTP example on both transports, with the same classes: real clients here, recorded ones there."""

from __future__ import annotations

import shutil
import smtplib
import socket
from contextlib import closing
from typing import ClassVar

import pytest

from examples import recorded_mail, weather
from examples.recorded_mail import (
    LARGE,
    LINES,
    NAME,
    PIPELINED,
    PORT,
    Mailbox,
    MailConversation,
    Message,
)
from examples.smtp_session import COMMAND_BYTES_MAX, REPLIES_WAITING_MAX, TEXT_LINE_BYTES_MAX, Session, State
from simnet import Network, Script, parse

ADA, BOB, EVE = "ada@client.example", "bob@mail.example", "eve@mail.example"
BEGIN = b"HELO x\r\nMAIL FROM:<ada@client.example>\r\nRCPT TO:<bob@mail.example>\r\nDATA\r\n"
BEGUN = [220, 250, 250, 250, 354]


def ask(request: bytes, net: Network | None = None, mailbox: type[Mailbox] = Mailbox) -> list[int]:
    """The codes of what is answered, one for each reply."""
    return codes(recorded_mail.feed(net or Network(), [request], mailbox)[0])


def codes(answer: bytes) -> list[int]:
    lines = answer.split(b"\r\n")
    assert lines.pop() == b"", "a reply without an end"
    return [int(line[:3]) for line in lines if line[3:4] == b" "]


def delivered(request: bytes, mailbox: type[Mailbox] = Mailbox) -> list[bytes]:
    """The texts that are delivered."""
    return [each.data for each in recorded_mail.feed(Network(), [request], mailbox)[1]]


@pytest.fixture(scope="module")
def conversations() -> list[MailConversation]:
    """Every client of this computer, recorded on real loopback.  Each asserts its own replies."""
    return recorded_mail.record(lambda name: None)


@pytest.fixture
def server():
    """A server on real loopback."""
    with recorded_mail.serving() as serving:
        yield serving


# --- real loopback -------------------------------------------------------------------------------


def test_every_client_is_served_on_real_loopback(conversations):
    assert [conversation.client for conversation in conversations] == list(recorded_mail.clients())
    assert all(conversation.request and conversation.answer for conversation in conversations)


def test_smtplib_delivers_two_messages_on_one_connection(conversations):
    first, second = conversations[0].messages
    assert first == Message(ADA, (BOB, EVE), LINES.encode())
    assert (second.mailfrom, second.rcpttos) == (ADA, (BOB,))
    assert second.data.endswith(b"\r\n\r\nDear Bob,\r\n\r\n. is a dot.\r\n.\r\nYours, Ada\r\n")


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_curl_delivers_a_message(conversations):
    (message,) = conversations[-1].messages
    assert message == Message(ADA, (BOB, EVE), LINES.encode())


def test_a_message_of_several_hundred_kilobytes_is_delivered_whole(server):
    assert len(LARGE) > 300_000
    with recorded_mail.connected(server.port) as smtp:
        assert smtp.sendmail(ADA, [BOB], LARGE) == {}
        assert smtp.sendmail(ADA, [BOB], LINES) == {}
    assert [each.data for each in server.messages] == [LARGE.encode(), LINES.encode()]


def test_a_refused_recipient_is_told_and_the_others_get_the_message(server):
    with recorded_mail.connected(server.port) as smtp:
        assert smtp.sendmail(ADA, ["nobody@x", BOB], LINES) == {"nobody@x": (550, b"nobody of that name")}
        with pytest.raises(smtplib.SMTPRecipientsRefused, match="nobody of that name"):
            smtp.sendmail(ADA, ["nobody@x"], LINES)
    assert [each.rcpttos for each in server.messages] == [(BOB,)]


def test_a_message_that_is_announced_as_too_big_is_refused_before_it_is_sent(server):
    server.message_bytes_max = 1_000
    with recorded_mail.connected(server.port) as smtp:
        with pytest.raises(smtplib.SMTPSenderRefused, match="message too big") as refused:
            smtp.sendmail(ADA, [BOB], LARGE)
        assert smtp.esmtp_features["size"] == "1000"
        assert refused.value.smtp_code == 552
        assert smtp.sendmail(ADA, [BOB], LINES) == {}
    (conversation,) = server.by_peer.values()
    assert len(conversation.request) < 1_000


def test_a_message_that_is_not_announced_is_counted_and_refused(server):
    server.message_bytes_max = 1_000
    with recorded_mail.connected(server.port) as smtp:
        smtp.helo()  # no extensions, so smtplib says no size
        with pytest.raises(smtplib.SMTPDataError, match="message too big") as refused:
            smtp.sendmail(ADA, [BOB], LARGE)
        assert refused.value.smtp_code == 552
        assert smtp.sendmail(ADA, [BOB], LINES) == {}
    assert [each.data for each in server.messages] == [LINES.encode()]


def test_commands_of_smtplib_are_answered(server):
    with recorded_mail.connected(server.port) as smtp:
        assert smtp.docmd("MAIL FROM:<>")[0] == 503
        assert smtp.helo() == (250, NAME.encode())
        assert smtp.mail(ADA)[0] == 250
        assert smtp.rset()[0] == 250
        assert smtp.rcpt(BOB)[0] == 503
        assert smtp.verify(BOB)[0] == 252
        assert smtp.expn("everybody")[0] == 500
        assert smtp.help() == b"RFC 5321 is the manual"
        assert smtp.quit() == (221, b"mail.example closing")


def test_a_server_closes_after_221_and_not_before(server):
    with (
        closing(socket.create_connection(("127.0.0.1", server.port), 10)) as sock,
        sock.makefile("rb") as lines,
    ):
        assert lines.readline() == b"220 mail.example ready\r\n"
        sock.sendall(b"QUIT\r\n")
        assert lines.read() == b"221 mail.example closing\r\n"


# --- virtual network -----------------------------------------------------------------------------


def test_recorded_clients_are_served_equally_on_a_virtual_network(conversations):
    for conversation in conversations:
        recorded_mail.check(conversation, Network(), [conversation.request])
        recorded_mail.check(conversation, Network(), [bytes([byte]) for byte in conversation.request])


def test_every_cut_point_of_every_client_is_served_equally(conversations):
    for conversation in conversations:
        for at in weather.cut_points(conversation):
            net = weather.cut(at)
            recorded_mail.check(conversation, net, [conversation.request])
            assert [(each.outcome, each.amount) for each in net.script().deviations] == [("cut", at)]


def test_a_large_message_is_taken_however_it_is_cut(server):
    request = BEGIN + LARGE.replace("\r\n.", "\r\n..").replace(".", "..", 1).encode() + b".\r\nQUIT\r\n"
    pieces = [request[at : at + 1_447] for at in range(0, len(request), 1_447)]
    answer, messages = recorded_mail.feed(Network(), pieces)
    assert codes(answer) == [*BEGUN, 250, 221]
    assert [each.data for each in messages] == [LARGE.encode()]


def test_nothing_is_delivered_from_a_message_that_is_cut_off():
    ends = [
        at
        for at in range(len(PIPELINED) + 1)
        if PIPELINED[:at].endswith((b"\xff\r\n.\r\n", b"DATA\r\n.\r\n"))
    ]
    assert len(ends) == 2
    for at in range(1, len(PIPELINED) + 1):
        _, messages = recorded_mail.feed(Network(), [PIPELINED[:at]])
        assert len(messages) == sum(end <= at for end in ends), PIPELINED[:at]


def test_every_storm_leaves_the_right_replies_or_their_beginning(conversations):
    conversation = next(each for each in conversations if each.request == PIPELINED)
    gentle = 0
    for seed in range(300):
        net = Network(seed=seed)
        recorded_mail.check(conversation, net, [conversation.request])
        gentle += weather.is_gentle(net.script())
        again = Network(net.script())
        recorded_mail.check(conversation, again, [conversation.request])
        assert again.trace.digest() == net.trace.digest()
    assert 0 < gentle < 300, "the storms were all of one kind"


@pytest.fixture
def dial(monkeypatch):
    """Give smtplib the sockets of the host ``client`` of a network."""

    def connect(net: Network) -> smtplib.SMTP:
        monkeypatch.setattr(smtplib, "socket", net.host("client").modules.socket)
        return recorded_mail.connected(PORT, "server")

    return connect


def test_smtplib_itself_delivers_on_a_virtual_network(dial):
    net = Network(latency="20ms")
    with net.host("server"):
        server = Mailbox(("", PORT))
    with dial(net) as smtp:
        assert smtp.sendmail(ADA, [BOB, "nobody@x"], LARGE) == {"nobody@x": (550, b"nobody of that name")}
        assert smtp.sendmail(ADA, [BOB], LINES) == {}
    assert [each.data for each in server.messages] == [LARGE.encode(), LINES.encode()]
    assert server.messages[0].rcpttos == (BOB,)


def test_in_storms_smtplib_knows_what_was_delivered(dial):
    """A message whose sendmail returned came once; one whose sendmail failed came once or not at all."""
    lost = unsure = 0
    texts = [f"message {number}\r\n.\r\n" for number in range(3)]
    for seed in range(200):
        net = Network(seed=seed)
        with net.host("server"):
            server = Mailbox(("", PORT))
        net.host("client")
        acknowledged = deliver(dial, net, texts)
        net.run()
        arrived = [each.data.decode() for each in server.messages]
        assert arrived[: len(acknowledged)] == acknowledged, net.script()
        assert arrived == texts[: len(arrived)], net.script()
        assert len(arrived) <= len(acknowledged) + 1, net.script()
        lost += len(acknowledged) < 3
        unsure += len(arrived) > len(acknowledged)
    assert 0 < unsure < lost < 200, (unsure, lost)


def deliver(dial, net: Network, texts: list[str]) -> list[str]:
    """Those of which smtplib says that they were taken, until the connection ends."""
    acknowledged: list[str] = []
    try:
        smtp = dial(net)
    except (OSError, smtplib.SMTPException):
        return acknowledged
    try:
        for text in texts:
            smtp.sendmail(ADA, [BOB], text)
            acknowledged.append(text)
    except (OSError, smtplib.SMTPException):
        pass
    finally:
        smtp.close()
    return acknowledged


# --- the protocol --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (b"noop whatever", 250),
        (b"HELP", 214),
        (b"VRFY", 501),
        (b"HELO", 501),
        (b"EHLO ", 501),
        (b"RSET now", 501),
        (b"RSET ", 250),
        (b"", 500),
        (b"X", 500),
        (b"\xff\xfe", 500),
        (b"NOOP\nNOOP", 500),
        (b"RCPT TO:<bob@mail.example>", 503),
        (b"DATA", 503),
        (b"MAIL FROM:<>", 250),
        (b"MAIL FROM: <ada@client.example>", 250),
        (b"mail from:<@relay.example,@other.example:ada@client.example>", 250),
        (b'MAIL FROM:<"ada > lovelace"@client.example>', 250),
        (b"MAIL FROM:<ada@[127.0.0.1]> BODY=7BIT SIZE=12", 250),
        (b"MAIL FROM:<ada@client.example> SIZE=1048576", 250),
        (b"MAIL FROM:<ada@client.example> SIZE=1048577", 552),
        (b"MAIL FROM:<ada@client.example> SIZE=", 501),
        (b"MAIL FROM:<ada@client.example> SIZE=-1", 501),
        (b"MAIL FROM:<ada@client.example> BODY=BINARYMIME", 501),
        (b"MAIL FROM:<ada@client.example> SMTPUTF8", 555),
        (b"MAIL FROM:ada@client.example", 501),
        (b"MAIL FROM:<ada@client.example", 501),
        (b"MAIL FROM:<ada@client.example>SIZE=1", 501),
        (b"MAIL FROM:<\xff@client.example>", 501),
        (b"MAIL FROM:<a\nb>", 501),
        (b"MAIL TO:<ada@client.example>", 501),
        (b"MAIL", 501),
        (b"MAIL FROM:<" + b"a" * (COMMAND_BYTES_MAX - 14) + b">", 250),  # 11 + 1 + CRLF
        (b"MAIL FROM:<" + b"a" * (COMMAND_BYTES_MAX - 13) + b">", 500),
        (b"NOOP " + b"x" * 100_000, 500),
    ],
)
def test_a_command_after_helo_is_answered(command, code):
    assert ask(b"HELO x\r\n" + command + b"\r\nNOOP\r\nQUIT\r\n") == [220, 250, code, 250, 221]


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (b"RCPT TO:<>", 501),
        (b"RCPT TO:<postmaster>", 250),
        (b"RCPT TO:<bob@mail.example> NOTIFY=NEVER", 555),
        (b"RCPT TO:<nobody@mail.example>", 550),
        (b"MAIL FROM:<>", 503),
        (b"DATA", 503),
    ],
)
def test_a_command_after_mail_is_answered(command, code):
    assert ask(b"HELO x\r\nMAIL FROM:<>\r\n" + command + b"\r\nQUIT\r\n") == [220, 250, 250, code, 221]


def test_one_recipient_more_than_the_maximum_is_told_to_come_later():
    request = b"HELO x\r\nMAIL FROM:<>\r\n" + b"RCPT TO:<bob@mail.example>\r\n" * 101 + b"DATA\r\n.\r\n"
    assert ask(request) == [220, 250, 250, *[250] * 100, 452, 354, 250]


def test_rset_helo_and_ehlo_forget_the_transaction():
    for command in (b"RSET", b"HELO x", b"EHLO x"):
        assert ask(BEGIN.removesuffix(b"DATA\r\n") + command + b"\r\nDATA\r\n")[-2:] == [250, 503]


def test_nothing_is_obeyed_after_quit():
    assert ask(b"QUIT\r\nNOOP\r\n" + BEGIN + b".\r\n") == [220, 221]
    assert delivered(b"QUIT\r\n" + BEGIN + b".\r\n") == []


def test_a_subclass_may_refuse_a_message():
    class Full(Mailbox):
        def process_message(self, peer, mailfrom, rcpttos, data):
            return "452 no room"

    assert ask(BEGIN + b"x\r\n.\r\nNOOP\r\n", mailbox=Full) == [*BEGUN, 452, 250]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b"", 250),
        (b"x" * (TEXT_LINE_BYTES_MAX - 2) + b"\r\n", 250),
        (b".." + b"x" * (TEXT_LINE_BYTES_MAX - 3) + b"\r\n", 250),  # the first dot does not count
        (b"x" * (TEXT_LINE_BYTES_MAX - 1) + b"\r\n", 500),
        (b".." + b"x" * (TEXT_LINE_BYTES_MAX - 2) + b"\r\n", 500),
        (b"x" * 3_000_000 + b"\r\nmore\r\n", 500),
        (b"\n.\r\n", 554),
        (b"x\n.\n", 554),
        (b"\r.\r\n", 554),
        (b"x\r\r\n", 554),
        (b"\n\r\n", 554),
    ],
)
def test_a_text_is_taken_or_refused_and_the_next_command_is_understood(text, code):
    tail = b"\r\n" if text.endswith(b"\n") and not text.endswith(b"\r\n") else b""
    assert ask(BEGIN + text + tail + b".\r\nNOOP\r\nQUIT\r\n") == [*BEGUN, code, 250, 221]


@pytest.mark.parametrize("end", [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r\n.\r", b"\r\n\x00.\r\n"])
def test_no_other_end_of_data_smuggles_a_second_message(end):
    # CVE-2023-51764 and its kin: the second message would come from this server's own users.
    second = b"MAIL FROM:<root@mail.example>\r\nRCPT TO:<bob@mail.example>\r\nDATA\r\nforged\r\n.\r\n"
    (*refused, last) = ask(BEGIN + b"x" + end + second)
    assert refused == BEGUN
    assert last == (250 if end == b"\r\n\x00.\r\n" else 554)
    assert not any(text.startswith(b"forged") for text in delivered(BEGIN + b"x" + end + second))


class Small(Mailbox):
    """Notes in every pass how much its sessions keep."""

    message_bytes_max = 5_000
    kept: ClassVar[list[int]] = []

    def readable(self) -> bool:
        for session in self.sessions:
            self.kept.append(len(session._text) + len(session._line) + len(session.ac_in_buffer))
        return super().readable()


@pytest.mark.parametrize("flood", [b"x" * 1_000_000, b"x\r\n" * 300_000, b"." * 1_000_000, b"\r" * 1_000_000])
def test_a_session_keeps_no_more_than_the_limits(flood):
    Small.kept.clear()
    assert delivered(BEGIN + flood + b"\r\n.\r\n", Small) == []
    assert 0 < max(Small.kept) <= Small.message_bytes_max + TEXT_LINE_BYTES_MAX


# --- what a server must guard against ------------------------------------------------------------


class Deaf(weather.Feeder):
    """Sends and does not read until it is told to."""

    declares_interest = True
    hears = False

    def readable(self) -> bool:
        return self.hears

    def hear(self) -> None:
        self.hears = True
        self.touch()


def test_a_client_that_does_not_read_stops_being_read():
    net = Network()
    commands = 100_000
    with net.host("server"):
        server = Mailbox(("", PORT))
    with net.host("client"):
        client = Deaf(("server", PORT), [b"NOOP\r\n" * commands])
    net.run(until="1min")
    (session,) = server.sessions
    # What one recv brought is answered, and nothing more is read.
    assert (
        REPLIES_WAITING_MAX
        <= len(session.producer_fifo)
        < REPLIES_WAITING_MAX + 65_536 / len(b"NOOP\r\n") + 1
    )
    assert not session.readable()
    client.hear()
    net.run()
    assert codes(client.answer) == [220, *[250] * commands]


def test_a_half_closed_client_gets_every_reply_that_waits_for_it():
    net = Network()
    with net.host("server"):
        server = Mailbox(("", PORT))
    with net.host("client"):
        client = Deaf(("server", PORT), [b"NOOP\r\n" * 30_000])
    net.run(until="1min")
    assert server.sessions, "the session ended although replies wait"
    client.hear()
    net.run()
    assert codes(client.answer) == [220, *[250] * 30_000]
    assert server.sessions == []


class Silent(weather.Feeder):
    """Says its first piece, and nothing more."""

    def feed(self) -> None:
        if len(self._pieces) > 1:
            super().feed()


def test_a_silent_client_is_told_421_after_five_minutes():
    net = Network()
    with net.host("server"):
        server = Mailbox(("", PORT))
    with net.host("client"):
        silent = Silent(("server", PORT), [BEGIN + b"x\r\n", b".\r\n"])
    for until, left in (("299s", 1), ("300.1s", 1)):
        net.run(until=until)
        assert len(server.sessions) == left
        with net.host("server"):
            server.close_idle()
    net.run(until="301s")
    assert codes(silent.answer) == [*BEGUN, 421]
    assert server.sessions == []
    assert server.messages == []


def test_a_client_that_does_not_take_its_421_is_closed():
    net = Network()
    with net.host("server"):
        server = Mailbox(("", PORT))
    with net.host("client"):
        Deaf(("server", PORT), [b"NOOP\r\n" * 200_000])
    for until, state in (("301s", State.LEAVING), ("302s", None)):
        net.run(until=until)
        with net.host("server"):
            server.close_idle()
        assert [session.state for session in server.sessions] == ([state] if state else [])


def test_a_listener_survives_running_out_of_descriptors():
    net = Network()
    net.on("server", "accept", nth=1).fail(24)  # EMFILE
    assert ask(b"QUIT\r\n", net) == [220, 221]


@pytest.fixture
def full():
    """A server out of descriptors: one client is served, the next one waits."""
    net = Network()
    net.on("server", "accept", nth=2).fail(24)  # EMFILE
    with net.host("server"):
        server = Mailbox(("", PORT))
    with net.host("client"):
        served = Silent(("server", PORT), [b"NOOP\r\n", b""])
        net.run(until="1s")
        waiting = Silent(("server", PORT), [b"NOOP\r\n", b""])
    net.run(until="2s")
    assert [codes(each.answer) for each in (served, waiting)] == [[220, 250], []]
    assert not server.readable()  # it would be asked again at once, for as long as it lasts
    return net, server, served, waiting


def test_out_of_descriptors_a_client_waits_until_a_session_has_ended(full):
    net, _, served, waiting = full
    served.close()
    net.run(until="3s")
    assert codes(waiting.answer) == [220, 250]


def test_out_of_descriptors_it_is_tried_again_when_the_idle_are_closed(full):
    net, server, _, waiting = full
    with net.host("server"):
        server.close_idle()
    net.run(until="3s")
    assert codes(waiting.answer) == [220, 250]


def test_no_more_sessions_are_accepted_than_the_maximum():
    class Narrow(Mailbox):
        sessions_max = 2

    net = Network()
    with net.host("server"):
        server = Narrow(("", PORT))
    with net.host("client"):
        clients = [Silent(("server", PORT), [b"NOOP\r\n", b""]) for _ in range(3)]
    net.run(until="1s")
    assert [codes(client.answer) for client in clients] == [[220, 250], [220, 250], []]
    clients[0].close()
    net.run(until="2s")
    assert [codes(client.answer) for client in clients] == [[220, 250]] * 3
    assert all(isinstance(session, Session) for session in server.sessions)


# --- the tests can fail --------------------------------------------------------------------------


def test_a_wrong_answer_is_noticed(conversations):
    wrong = MailConversation("test", b"NOOP\r\n", conversations[0].answer)
    with pytest.raises(AssertionError, match="was answered"):
        recorded_mail.check(wrong, Network(), [wrong.request])


def test_a_deviation_that_did_not_happen_is_noticed(conversations):
    script = Script.of([parse("the 99th send of #1 client takes 1 byte")])
    with pytest.raises(AssertionError, match="did not happen"):
        recorded_mail.check(conversations[0], Network(script), [conversations[0].request])
