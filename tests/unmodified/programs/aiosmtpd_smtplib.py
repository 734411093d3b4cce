"""aiosmtpd's controller, a loop in a thread, takes mail from smtplib; a reset makes the client send again."""

import smtplib
import threading

from aiosmtpd.controller import Controller

from tests.unmodified.probe import happened

TEXT = "Subject: bread\r\n\r\n" + "a line, and\r\n.a dot\r\n" * 200


class Mailbox:
    def __init__(self):
        self.letters = []

    async def handle_RCPT(self, server, session, envelope, address, rcpt_options):
        if not address.endswith("@bakery.example"):
            return "550 not here"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        self.letters.append((envelope.mail_from, envelope.rcpt_tos, envelope.content))
        return "250 OK"


def serve(mailbox):
    controller = Controller(mailbox, hostname="0.0.0.0", port=25)
    controller.start()  # it connects to itself, and so knows that it serves
    threading.Event().wait()


def send():
    for attempt in range(1, 4):
        try:
            with smtplib.SMTP("server", 25, timeout=60) as client:
                refused = client.sendmail("ada@home.example", ["shop@bakery.example", "a@b.example"], TEXT)
            return refused, attempt
        except (smtplib.SMTPServerDisconnected, ConnectionError):
            continue
    raise AssertionError("lost three times")


def run(network):
    mailbox = Mailbox()
    network.host("server").spawn(serve, mailbox, daemon=True)
    sending = network.host("client").spawn(send)
    network.run()
    refused, attempts = sending.result
    assert refused == {"a@b.example": (550, b"not here")}
    assert attempts == 1 + happened(network, "recv", "reset")
    assert mailbox.letters == [("ada@home.example", ["shop@bakery.example"], TEXT.encode())]
