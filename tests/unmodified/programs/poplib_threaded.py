"""poplib, and a small maildrop with a thread for each client."""

import poplib
import socketserver

from tests.unmodified.serving import served

LETTERS = [[b"Subject: one", b"", b".dotted", b"end"], [b"Subject: two", b"", *([b"a long line " * 20] * 50)]]


class Maildrop(socketserver.StreamRequestHandler):
    """RFC 1939, as far as it is asked here."""

    def handle(self):
        self.say("+OK POP3")
        for line in self.rfile:
            verb, *arguments = line.decode().split()
            if verb == "PASS" and arguments != ["enchantress"]:
                self.say("-ERR wrong")
            elif verb == "STAT":
                self.say(f"+OK {len(LETTERS)} {sum(map(self.size, LETTERS))}")
            elif verb == "LIST":
                self.say("+OK")
                self.lines([b"%d %d" % (number, self.size(each)) for number, each in enumerate(LETTERS, 1)])
            elif verb == "RETR":
                self.say("+OK")
                self.lines(LETTERS[int(arguments[0]) - 1])
            else:
                self.say("+OK")
                if verb == "QUIT":
                    return

    def say(self, line):
        self.wfile.write(f"{line}\r\n".encode())

    def size(self, letter):
        return sum(len(line) + 2 for line in letter)

    def lines(self, lines):
        stuffed = [b"." + line if line.startswith(b".") else line for line in lines]
        self.wfile.write(b"".join(line + b"\r\n" for line in [*stuffed, b"."]))


def fetch():
    client = poplib.POP3("server", timeout=60)
    client.user("ada")
    refused = ""
    try:
        client.pass_("wrong")
    except poplib.error_proto as error:
        refused = error.args[0]
    client.pass_("enchantress")
    count, size = client.stat()
    listed = client.list()[1]
    letters = [client.retr(number)[1] for number in range(1, count + 1)]
    return refused, size, listed, letters, client.quit()


def run(network):
    fetching = served(network, Maildrop, 110).spawn(fetch)
    network.run()
    refused, size, listed, letters, bye = fetching.result
    assert refused == b"-ERR wrong"
    assert letters == LETTERS
    assert size == sum(int(line.split()[1]) for line in listed)
    assert bye == b"+OK"
