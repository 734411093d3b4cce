"""smtplib, and a small mail server with a thread for each client."""

import smtplib
import socketserver
from email.message import EmailMessage

from tests.unmodified.probe import happened
from tests.unmodified.serving import served

TEXT = "".join(f".{line} is a line that begins with a full stop\n" for line in range(200))


class Mailbox(socketserver.StreamRequestHandler):
    """RFC 5321, as far as a client that says EHLO and sends one letter needs it."""

    def handle(self):
        self.say(220, "server")
        recipients = []
        for line in self.rfile:
            verb, _, rest = line.decode().strip().partition(" ")
            verb = verb.upper()
            if verb == "EHLO":
                self.wfile.write(b"250-server\r\n250 8BITMIME\r\n")
            elif verb == "RCPT" and "nobody" in rest:
                self.say(550, "no such user")
            elif verb == "RCPT":
                recipients.append(rest.partition("<")[2].rstrip(">"))
                self.say(250, "OK")
            elif verb == "DATA":
                self.say(354, "go on")
                self.server.letters.append((recipients, self.letter()))
                self.say(250, "accepted")
            elif verb == "QUIT":
                self.say(221, "bye")
                return
            else:
                self.say(250, "OK")

    def say(self, code, text):
        self.wfile.write(f"{code} {text}\r\n".encode())

    def letter(self):
        lines = iter(self.rfile.readline, b".\r\n")
        return b"".join(line.removeprefix(b".") for line in lines).decode()


def send():
    """Who got nothing, and how often it was tried: what is reset before DATA is tried again."""
    letter = EmailMessage()
    letter["From"], letter["To"] = "ada@example.org", "charles@example.org, nobody@example.org"
    letter["Subject"] = "the engine"
    letter.set_content(TEXT)
    for attempt in range(1, 4):
        try:
            with smtplib.SMTP("server", 25, timeout=60) as client:
                return client.send_message(letter), attempt
        except (smtplib.SMTPServerDisconnected, ConnectionResetError):
            continue
    raise AssertionError("reset three times")


def run(network):
    letters = []
    sending = served(network, Mailbox, 25, letters=letters).spawn(send)
    network.run()
    refused, attempts = sending.result
    assert refused == {"nobody@example.org": (550, b"no such user")}
    assert attempts == 1 + happened(network, "recv", "reset")
    [(recipients, letter)] = letters
    assert recipients == ["charles@example.org"]
    assert letter.endswith(TEXT.replace("\n", "\r\n"))
