"""telnetlib, and a server that negotiates an option and asks who is there."""

import socketserver
import warnings

from tests.unmodified.serving import served

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    import telnetlib


class Terminal(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(telnetlib.IAC + telnetlib.WILL + telnetlib.ECHO + b"login: ")
        answer = self.rfile.read(3)
        name = self.rfile.readline().strip()
        self.wfile.write(b"welcome " + name + b"\r\n")
        self.wfile.write(b"refused\r\n" if answer[1:2] == telnetlib.DONT else b"accepted\r\n")


def login():
    with telnetlib.Telnet("server", 23, timeout=60) as client:
        client.read_until(b"login: ", timeout=60)
        client.write(b"ada\n")
        index, match, _ = client.expect([b"sorry", rb"welcome (\w+)\r\n"], timeout=60)
        return index, match[1], client.read_all()


def run(network):
    logging_in = served(network, Terminal, 23).spawn(login)
    network.run()
    assert logging_in.result == (1, b"ada", b"refused\r\n")
