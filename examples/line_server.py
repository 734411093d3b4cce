"""A line protocol, and the classic mistake: one recv is taken for one message.

The server keeps a total.  ``add 5`` answers ``total 5``, anything else ``error``; lines end in CRLF.

TCP carries a stream of bytes, not messages: what was sent with one call may be received with several,
and the other way round.  `Hasty` does not know that, and works: on loopback, in the office, in every
test that waits for an answer before it sends the next line.  Until a segment is cut in two.  `Patient`
collects what arrives and takes out whole lines; the difference is four lines.

`upload` and `upload_patiently` are programs: they build a client and a server on a network, let it run
and assert what must hold on every network.
"""

from __future__ import annotations

from typing import Any

from examples.listener import Listener
from simnet import Network, dispatcher_with_send
from simnet.transport import Address

PORT = 2000
AMOUNTS = (12, 7, 230)


class LineChannel(dispatcher_with_send):
    """The part that both servers share: what a line means."""

    def __init__(self, sock: Any) -> None:
        super().__init__(sock)
        self.buffer = b""
        self.total = 0

    def obey(self, line: bytes) -> None:
        match line.split():
            case [b"add", amount] if amount.isdigit():
                self.total += int(amount)
                self.send(b"total %d\r\n" % self.total)
            case _:
                self.send(b"error\r\n")

    def handle_close(self) -> None:
        self.close()


class Hasty(LineChannel):
    """Takes what one recv returns for one line."""

    def handle_read(self) -> None:
        line = self.recv(1024)
        if line:
            self.obey(line)


class Patient(LineChannel):
    """Takes lines out of what has arrived so far."""

    def handle_read(self) -> None:
        self.buffer += self.recv(1024)
        while b"\r\n" in self.buffer:
            line, _, self.buffer = self.buffer.partition(b"\r\n")
            self.obey(line)


class Uploader(dispatcher_with_send):
    """Sends a line for each amount, the next one when the last was answered."""

    def __init__(self, address: Address, amounts: tuple[int, ...]) -> None:
        super().__init__()
        self.waiting = list(amounts)
        self.answers: list[bytes] = []
        self.buffer = b""
        self.create_socket()
        self.connect(address)

    def handle_connect(self) -> None:
        self.send_next()

    def send_next(self) -> None:
        if self.waiting:
            self.send(b"add %d\r\n" % self.waiting.pop(0))
        else:
            self.close()

    def handle_read(self) -> None:
        self.buffer += self.recv(1024)
        while b"\r\n" in self.buffer:
            line, _, self.buffer = self.buffer.partition(b"\r\n")
            self.answers.append(line)
            self.send_next()

    def handle_close(self) -> None:
        self.was_lost = True
        self.close()

    was_lost = False
    """Whether the connection ended before everything was answered; then that much is all one can ask."""


def upload(net: Network, channel: type[LineChannel] = Hasty) -> None:
    """Three amounts, one after the other: every answer that comes is the right one."""
    server, client = net.host("server"), net.host("client")
    with server:
        Listener(("", PORT), channel)
    with client:
        uploader = Uploader(("server", PORT), AMOUNTS)
    net.run()
    expected = [b"total %d" % sum(AMOUNTS[: count + 1]) for count in range(len(AMOUNTS))]
    answers = uploader.answers
    assert answers == expected[: len(answers)], f"answered {answers}, expected {expected}"
    assert uploader.was_lost or len(answers) == len(expected), f"only {answers} were answered"


def upload_patiently(net: Network) -> None:
    """The same against the corrected server."""
    upload(net, Patient)
