"""Recorded requests on a virtual network: cut at every byte, fed byte by byte, sent through storms.

The server is the very class that served the real clients.  The client sends the stream that was recorded
at once (what waited for an answer when it was recorded is pipelined now), closes its sending side, and
collects what comes back.  It must be what the real client was answered, byte for byte; only the moment in
the ``Date`` fields is another one, and is masked.

Weather is gentle or it is not.  Cut, late and lost segments, short sends, EAGAIN and failed accepts may
change nothing but the time.  After a reset or a refusal the answer may end early, and nothing else: what
came must be the beginning of the right one.
"""

from __future__ import annotations

import errno
import re
import socket
from collections.abc import Iterable

from examples.http_server import Server
from examples.recorded import Conversation
from simnet import Deviation, Network, Script, dispatcher_with_send
from simnet.transport import Address

PORT = 80
PAUSE = "1ms"
_DATE = re.compile(rb"(?<=\r\nDate: )[^\r]*")


class Feeder(dispatcher_with_send):
    """Sends pieces, a pause after each, then closes its sending side and collects the answer."""

    def __init__(self, address: Address, pieces: Iterable[bytes]) -> None:
        super().__init__()
        self.answer = b""
        self._pieces = list(pieces)
        self.create_socket()
        self.connect(address)

    def handle_connect(self) -> None:
        self.feed()

    def feed(self) -> None:
        """Send the next piece, if the connection still stands."""
        if self._pieces and self.socket.fileno() >= 0:
            self.send(self._pieces.pop(0))
            if self._pieces:
                self.call_later(PAUSE, self.feed)
        self._end_if_sent()

    def handle_write(self) -> None:
        if self.out_buffer:
            super().handle_write()
            self._end_if_sent()

    def _end_if_sent(self) -> None:
        if not self._pieces and not self.out_buffer and self.socket.fileno() >= 0:
            self.socket.shutdown(socket.SHUT_WR)

    def handle_read(self) -> None:
        self.answer += self.recv(65_536)

    def handle_close(self) -> None:
        self.close()


def answer(net: Network, pieces: Iterable[bytes]) -> bytes:
    """What the HTTP example answers to these pieces on this network."""
    with net.host("server"):
        Server(("", PORT))
    with net.host("client"):
        feeder = Feeder(("server", PORT), pieces)
    net.run()
    return feeder.answer


def masked(data: bytes) -> bytes:
    """`data` without the moments that its Date fields name; as long as before."""
    return _DATE.sub(lambda found: b"#" * len(found[0]), data)


def check(conversation: Conversation, net: Network, pieces: Iterable[bytes]) -> None:
    """Feed a conversation's request on a network, and assert that it is answered as it was on the real one.

    Every deviation of the network's script must have happened, so that what is counted was also done.
    """
    got, right = masked(answer(net, pieces)), masked(conversation.answer)
    assert not net.unmet(), f"did not happen: {net.unmet()}"
    script = net.script()
    whole = got == right if is_gentle(script) else right.startswith(got)
    assert whole, f"{conversation.client} was answered {got!r} instead of {right!r} with\n{script}"


def is_gentle(script: Script) -> bool:
    """Whether nothing in it ends a connection."""
    return not any(ends_a_connection(deviation) for deviation in script.deviations)


def ends_a_connection(deviation: Deviation) -> bool:
    aborted = (deviation.outcome, deviation.amount) == ("fails", errno.ECONNABORTED)
    return aborted or deviation.outcome in ("reset", "torn", "refused", "unreachable", "hangs")


def cut_points(conversation: Conversation) -> range:
    """Where the request can be cut in two."""
    return range(1, len(conversation.request))


def cut(at: int) -> Network:
    """A network that cuts the first segment of the first client after `at` bytes.

    A request that is sent with one call is one segment there, so that every byte of it can be the last
    before a pause.
    """
    return Network(Script.of([Deviation("#1 client", "segment", 1, "cut", at)]))
