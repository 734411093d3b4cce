"""imaplib, and a small server with a thread for each client; APPEND and FETCH have literals."""

import imaplib
import re
import socketserver

from tests.unmodified.serving import served

LETTER = b"Subject: engine\r\n\r\n" + b"punched cards\r\n" * 200


class Mailboxes(socketserver.StreamRequestHandler):
    """RFC 3501, as far as it is asked here."""

    def handle(self):
        self.say("* OK IMAP4rev1")
        letters = []
        for line in self.rfile:
            tag, verb, rest = (*line.decode().strip().split(" ", 2), "")[:3]
            if verb == "CAPABILITY":
                self.say("* CAPABILITY IMAP4rev1")
            elif verb == "LOGIN" and "enchantress" not in rest:
                self.say(f"{tag} NO wrong")
                continue
            elif verb == "SELECT":
                self.say(f"* {len(letters)} EXISTS")
            elif verb == "APPEND":
                self.say("+ go on")
                letters.append(self.rfile.read(int(re.search(r"\{(\d+)\}", rest)[1])))
                self.rfile.readline()
            elif verb == "FETCH":
                self.say(f"* 1 FETCH (RFC822 {{{len(letters[0])}}}")
                self.wfile.write(letters[0] + b")\r\n")
            elif verb == "LOGOUT":
                self.say("* BYE")
            self.say(f"{tag} OK done")

    def say(self, line):
        self.wfile.write(f"{line}\r\n".encode())


def use():
    with imaplib.IMAP4("server", timeout=60) as client:
        refused = ""
        try:
            client.login("ada", "wrong")
        except imaplib.IMAP4.error as error:
            refused = error.args[0]
        client.login("ada", "enchantress")
        appended = client.append("INBOX", None, None, LETTER)[0]
        count = client.select("INBOX")[1]
        [(_, letter), _] = client.fetch("1", "(RFC822)")[1]
        return refused, appended, count, letter


def run(network):
    using = served(network, Mailboxes, 143).spawn(use)
    network.run()
    assert using.result == (b"wrong", "OK", [b"1"], LETTER)
