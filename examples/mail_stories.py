"""Programs of `scenarios/` about mail: the stock smtplib sends, servers of `smtp_server` take it.

smtplib blocks.  On a virtual host that needs no thread: while it waits, time passes on the network.
"""

from __future__ import annotations

import smtplib
from contextlib import suppress
from typing import Any

from examples.recorded_mail import LINES, PORT, Mailbox
from examples.smtp_session import Session, State
from simnet import Network
from simnet.transport import Address, Transport

TO = ["bob@mail.example"]
FAILURES = (OSError, smtplib.SMTPException)


class SMTP(smtplib.SMTP):
    """smtplib on a machine of one's choice: from there to ``server``, with 10 seconds of patience."""

    def __init__(self, machine: Transport) -> None:
        self.machine = machine
        super().__init__("server", PORT, local_hostname="client.example", timeout=10)

    def _get_socket(self, host: str, port: int, timeout: Any) -> Any:
        return self.machine.modules.socket.create_connection((host, port), timeout)

    def putcmd(self, cmd: str, args: str = "") -> None:
        # ``mail FROM:`` became ``mail from:`` in one Python, and a record compares every byte.
        super().putcmd(cmd.lower(), args.lower())


class HastySession(Session):
    """Takes everything for text until a recv ends with the end of data."""

    def handle_read(self) -> None:
        if self.state is not State.TEXT:
            super().handle_read()
            return
        data = self.recv(65_536)
        self._text += data
        if data.endswith(b"\r\n.\r\n"):
            del self._text[-len(b".\r\n") :]
            reply = self._deliver()
            self._move(State.READY)
            self.reply(reply)


class HastyMailbox(Mailbox):
    """As `Mailbox`, with sessions that are hasty."""

    def handle_accepted(self, sock: Any, addr: Address) -> None:
        HastySession(self, sock, addr)


def delivery(net: Network, is_hasty: bool = False, text: str = "Subject: hello\r\n\r\nDear Bob\r\n") -> None:
    """A message is delivered as it was sent, and smtplib learns of it."""
    with net.host("server"):
        server = HastyMailbox(("", PORT)) if is_hasty else Mailbox(("", PORT))
    with SMTP(net.host("client")) as smtp:
        smtp.sendmail("ada@client.example", TO, text)
    assert [message.data for message in server.messages] == [text.encode()]


def persistence(net: Network, attempts: int, copies: int) -> None:
    """Ada sends her message until she is told that it was taken; so often must it be in Bob's mailbox."""
    with net.host("server"):
        server = Mailbox(("", PORT))
    client, made, was_taken = net.host("client"), 0, False
    while not was_taken and made < 5:
        made += 1
        with suppress(*FAILURES), SMTP(client) as smtp:
            smtp.sendmail("ada@client.example", TO, LINES)
            was_taken = True
    found = [message.data for message in server.messages]
    assert was_taken
    assert made == attempts, f"it took {made} attempts"
    assert found == [LINES.encode()] * copies, f"{len(found)} copies were delivered"
