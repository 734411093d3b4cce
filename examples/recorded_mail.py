"""What real clients say to the SMTP example, and the same on virtual networks.

`record` lets the standard library's smtplib, curl where it is installed, and plain sockets for what
neither does (everything in one segment, a half-closed connection) talk to the server of `smtp_server` on
this computer's loopback.  Kept of each connection are both streams and the messages that were delivered.

`check` feeds what a client sent to the same classes on a virtual network.  The server may not notice how
the stream was cut: the replies must be the recorded ones, byte for byte, and so must the messages.  Where
the network ends the connection, replies and messages may end early.  Then a client that has not read
``250`` does not know whether its message was taken (RFC 1047); but one that has read it may be sure.
"""

from __future__ import annotations

import shutil
import smtplib
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from email.message import EmailMessage
from typing import Any

import attrs

from examples.recorded import TIMEOUT_SECONDS, Conversation
from examples.smtp_server import Server
from examples.smtp_session import Session
from examples.weather import Feeder, is_gentle
from simnet import Network, RealTransport, asyncore
from simnet.transport import Address

NAME = "mail.example"
PORT = 25
TAKEN = b"250 message taken\r\n"
LINES = "Subject: dots\r\n\r\n.one\r\n..two\r\n.\r\nnone\r\n"
LARGE = "".join(f".line {number} of a long message {'=' * (number % 60)}\r\n" for number in range(8_000))


@attrs.frozen
class Message:
    """What a server was given."""

    mailfrom: str
    rcpttos: tuple[str, ...]
    data: bytes


@attrs.define(eq=False)
class MailConversation(Conversation):
    """One connection: both streams, and the messages that came of it."""

    messages: list[Message] = attrs.Factory(list)


class Mailbox(Server):
    """Keeps every message, for anybody but nobody@."""

    def __init__(self, address: Address, context: ssl.SSLContext | None = None) -> None:
        super().__init__(address, NAME, context)
        self.messages: list[Message] = []

    def process_message(self, peer: Address, mailfrom: str, rcpttos: list[str], data: bytes) -> str | None:
        self.messages.append(Message(mailfrom, tuple(rcpttos), data))
        return None

    def check_recipient(self, mailbox: str) -> str | None:
        return "550 nobody of that name" if mailbox.startswith("nobody@") else None


class RecordedSession(Session):
    """Notes what passes; under TLS, what was meant."""

    def __init__(self, server: Server, sock: Any, peer: Address, conversation: MailConversation) -> None:
        self._conversation = conversation
        super().__init__(server, sock, peer)

    def recv(self, buffer_size: int) -> bytes:
        data: bytes = super().recv(buffer_size)
        self._conversation.request += data
        return data

    def send(self, data: bytes) -> int:
        taken: int = super().send(data)
        self._conversation.answer += data[:taken]
        return taken


class RecordedMailbox(Mailbox):
    """On which every connection is recorded."""

    client = ""

    def __init__(self, address: Address, context: ssl.SSLContext | None = None) -> None:
        super().__init__(address, context)
        self.by_peer: dict[Address, MailConversation] = {}

    def handle_accepted(self, sock: Any, addr: Address) -> None:
        self.by_peer[addr] = conversation = MailConversation(self.client)
        RecordedSession(self, sock, addr, conversation)

    def process_message(self, peer: Address, mailfrom: str, rcpttos: list[str], data: bytes) -> str | None:
        super().process_message(peer, mailfrom, rcpttos, data)
        self.by_peer[peer].messages.append(self.messages[-1])
        return None


# --- real loopback -------------------------------------------------------------------------------


@contextmanager
def serving(context: ssl.SSLContext | None = None) -> Iterator[RecordedMailbox]:
    """A server on a free port of 127.0.0.1, with its loop in a thread until the end of the block."""
    transport = RealTransport()
    with transport:
        server = RecordedMailbox(("127.0.0.1", 0), context)
    ended = threading.Event()

    def serve() -> None:
        with transport:
            while not ended.is_set():
                asyncore.loop(timeout=0.05, count=1)
            asyncore.close_all()

    thread = threading.Thread(target=serve, name="smtp server")
    thread.start()
    try:
        yield server
    finally:
        ended.set()
        thread.join()
        transport.close()


def record(on_client: Callable[[str], object] = print) -> list[MailConversation]:
    """Let every client talk to a real server; `on_client` hears the name of each before it starts.

    Raises AssertionError if a client is not answered as it should be.
    """
    with serving() as server:
        for name, client in clients().items():
            on_client(name)
            server.client = name
            client(server.port)
    return list(server.by_peer.values())


def clients() -> dict[str, Callable[[int], None]]:
    """The clients of this computer by name; each takes the port."""
    known: dict[str, Callable[[int], None]] = {
        "smtplib": standard_library,
        "smtplib, refused": refused,
        "pipelined socket": pipelined,
        "half-closed socket": half_closed,
    }
    if shutil.which("curl"):
        known["curl"] = curl
    return known


def connected(port: int, host: str = "127.0.0.1") -> smtplib.SMTP:
    """A client that says the same on every computer."""
    return smtplib.SMTP(host, port, local_hostname="client.example", timeout=TIMEOUT_SECONDS)


def standard_library(port: int) -> None:
    """Two messages on one connection, one of them an email.message, and commands between them."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "ada@client.example", "bob@mail.example", "hello"
    message.set_content("Dear Bob,\n\n. is a dot.\n.\nYours, Ada\n")
    with connected(port) as smtp:
        assert smtp.sendmail("ada@client.example", ["bob@mail.example", "eve@mail.example"], LINES) == {}
        assert smtp.verify("bob")[0] == 252
        assert smtp.noop()[0] == 250
        assert smtp.mail("ada@client.example")[0] == smtp.rset()[0] == 250
        assert smtp.send_message(message) == {}


def refused(port: int) -> None:
    """A message of which one recipient is refused, and one of which all are."""
    with connected(port) as smtp:
        to = ["nobody@mail.example", "bob@mail.example"]
        assert smtp.sendmail("", to, LINES) == {to[0]: (550, b"nobody of that name")}
        with suppress(smtplib.SMTPRecipientsRefused):
            smtp.sendmail("ada@client.example", to[:1], LINES)
            raise AssertionError("a message for nobody was taken")


def curl(port: int) -> None:
    """One message, for two recipients."""
    command = ["curl", "--silent", "--show-error", "--noproxy", "*", "--max-time", str(TIMEOUT_SECONDS)]
    to = ["--mail-rcpt", "bob@mail.example", "--mail-rcpt", "eve@mail.example"]
    url = f"smtp://127.0.0.1:{port}/client.example"
    done = subprocess.run(
        [*command, "--mail-from", "ada@client.example", *to, "--upload-file", "-", url],
        input=LINES.encode(),
        capture_output=True,
        timeout=2 * TIMEOUT_SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"curl: {done.stderr.decode()}"


PIPELINED = (
    b"EHLO client.example\r\nMAIL FROM:<ada@client.example> BODY=8BITMIME\r\nRCPT TO:<bob@mail.example>\r\n"
    b"DATA\r\n..\r\n\xff\r\n.\r\nMAIL FROM:<> SIZE=3\r\nRCPT TO:<Postmaster>\r\nDATA\r\n.\r\nNOOP\r\nQUIT\r\n"
)


def pipelined(port: int) -> None:
    """Two messages and the end in one segment, before the first reply."""
    assert exchange(port, PIPELINED).count(TAKEN) == 2


def half_closed(port: int) -> None:
    """A client that sends its FIN behind a command still gets its reply."""
    assert exchange(port, b"NOOP\r\nHELO client.example\r\n").endswith(b"250 mail.example\r\n")


def exchange(port: int, request: bytes) -> bytes:
    """Send all of `request` and a FIN, and read until the server has closed its side."""
    with socket.create_connection(("127.0.0.1", port), TIMEOUT_SECONDS) as sock:
        sock.sendall(request)
        sock.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: sock.recv(65_536), b""))


# --- virtual networks ----------------------------------------------------------------------------


def feed(
    net: Network, pieces: Iterable[bytes], mailbox: type[Mailbox] = Mailbox
) -> tuple[bytes, list[Message]]:
    """What is answered and delivered if these pieces are sent, a pause after each, and then a FIN."""
    with net.host("server"):
        server = mailbox(("", PORT))
    with net.host("client"):
        feeder = Feeder(("server", PORT), pieces)
    net.run()
    return feeder.answer, server.messages


def check(conversation: MailConversation, net: Network, pieces: Iterable[bytes]) -> None:
    """Feed what was recorded on a network, and assert that the same comes of it as on the real one.

    Every deviation of the network's script must have happened, so that what is counted was also done.
    """
    compare(conversation, net, pieces)
    assert not net.unmet(), f"did not happen: {net.unmet()}"


def compare(conversation: MailConversation, net: Network, pieces: Iterable[bytes]) -> None:
    """As `check`, for a script of which some part may not happen."""
    answer, messages = feed(net, pieces)
    script, right = net.script(), conversation
    if is_gentle(script):
        same = (answer, messages) == (right.answer, right.messages)
    else:
        begins = right.answer.startswith(answer) and right.messages[: len(messages)] == messages
        same = begins and answer.count(TAKEN) <= len(messages)
    assert same, (
        f"{right.client} was answered {answer!r} and {messages} came, instead of {right.answer!r} and "
        f"{right.messages}, with\n{script}"
    )
