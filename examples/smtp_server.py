"""An SMTP server: lines and replies are async_chat's, what they mean is here.

``python -m examples.smtp_server 2525`` takes mail on this computer and prints it; on a virtual host the
same classes serve a test.  Subclass `Server` and give it a `process_message`, as with the old smtpd.

It knows the commands of RFC 5321 that a server must know, and the extensions SIZE (RFC 1870), 8BITMIME
(RFC 6152) and PIPELINING (RFC 2920).  What it guards against:

* lines, messages and lists of recipients without end: each has a limit, and no more than that is kept;
* a client that asks and does not read: above `REPLIES_WAITING_MAX` it is not read either;
* a client that is silent: asyncore has no timers, so whoever runs the loop calls `Server.close_idle`;
* a client that closes its sending side behind its last command: it is still answered;
* a message that ends too early.  Only CRLF ends a line, and only a line with a single dot ends a message.
  Where one server takes LF, or a dot between LF and CRLF, for such an end and another one does not, a
  message can hide a second one with a forged sender (CVE-2023-51764).  To pass a bare LF on would make
  this server the first half of that trick, so a message with a CR or an LF alone is refused: RFC 5321,
  section 2.3.8, forbids to send it, and smtplib does not send it in a text or an email.message.
"""

from __future__ import annotations

import argparse
import re
from contextlib import suppress
from enum import Enum, auto
from typing import Any

from examples.listener import OUT_OF_RESOURCES
from simnet import asynchat, asyncore
from simnet.transport import Address

COMMAND_BYTES_MAX = 512 + 26 + 17
"""RFC 5321, section 4.5.3.1.4, and what SIZE and 8BITMIME add to it; CRLF counts."""
TEXT_LINE_BYTES_MAX = 1000
"""RFC 5321, section 4.5.3.1.6; CRLF counts, a dot that was put before another one does not."""
REPLIES_WAITING_MAX = 100

CRLF = b"\r\n"


class State(Enum):
    """How far a session is (RFC 5321, section 4.1.4)."""

    NEW = auto()  # the greeting was sent
    READY = auto()  # the client has said who it is
    SENDER = auto()  # a transaction was begun
    RECIPIENTS = auto()  # and there is somebody to deliver to
    TEXT = auto()  # lines are the message's
    LEAVING = auto()  # the last reply is on its way, or the connection is gone


COMMANDING = (State.NEW, State.READY, State.SENDER, State.RECIPIENTS)

MOVES: dict[str, dict[State, State]] = {
    "HELO": dict.fromkeys(COMMANDING, State.READY),
    "EHLO": dict.fromkeys(COMMANDING, State.READY),
    "RSET": dict.fromkeys(COMMANDING, State.READY) | {State.NEW: State.NEW},
    "MAIL": {State.READY: State.SENDER},
    "RCPT": dict.fromkeys((State.SENDER, State.RECIPIENTS), State.RECIPIENTS),
    "DATA": {State.RECIPIENTS: State.TEXT},
    "QUIT": dict.fromkeys(COMMANDING, State.LEAVING),
}
"""Where a command leads from where it is allowed; others are always allowed and lead nowhere."""

WITHOUT_ARGUMENT = ("RSET", "DATA", "QUIT")

_MAILBOX = rb'((?:[!#-;=?-~]|"(?:[ !#-\[\]-~]|\\[ -~])*")%b)'  # printable; anything within quotes
_PATH = rb"%b: ?<(?:@[!-9;-=?-~]+:)?" + _MAILBOX + rb">((?: +[!-~]+)*)"  # the route before it is ignored
REVERSE_PATH = re.compile(_PATH % (b"FROM", b"*"), re.IGNORECASE)
FORWARD_PATH = re.compile(_PATH % (b"TO", b"+"), re.IGNORECASE)


class Server(asyncore.dispatcher):
    """Takes mail at `address`, (host, port); the clients know it as `name`."""

    message_bytes_max = 1 << 20
    recipients_max = 100
    sessions_max = 100
    idle_seconds_max = 300.0

    def __init__(self, address: Address, name: str | None = None) -> None:
        super().__init__()
        self.name = name or asyncore.socket.gethostname()
        self.create_socket()
        self.set_reuse_addr()
        self.bind(address)
        self.listen(128)

    # --- for subclasses --------------------------------------------------------------------------

    def process_message(self, peer: Address, mailfrom: str, rcpttos: list[str], data: bytes) -> str | None:
        """Take a message: from now on it is this server's to deliver.

        Args:
            peer: the client's address.
            mailfrom: where to report that it cannot be delivered; empty in such a report itself.
            rcpttos: one or more mailboxes, as `check_recipient` was shown them.
            data: headers and body as the client meant them; every line ends in CRLF.

        Returns:
            None if it was taken, else a reply with its code: ``"451 try again later"``.
        """
        raise NotImplementedError

    def check_recipient(self, mailbox: str) -> str | None:
        """None to take mail for `mailbox`, else a reply: ``"550 nobody of that name"``."""
        return None

    # --- connections -----------------------------------------------------------------------------

    @property
    def port(self) -> int:
        """The port that it listens on."""
        port: int = self.socket.getsockname()[1]
        return port

    @property
    def sessions(self) -> list[Session]:
        """Those that are open, the oldest first."""
        return [each for each in self._map.values() if isinstance(each, Session) and each.server is self]

    def readable(self) -> bool:
        return len(self.sessions) < self.sessions_max

    def handle_accept(self) -> None:
        try:
            super().handle_accept()
        except OSError as error:
            # The connection stays in the queue, and the next pass tries again.
            if error.errno not in OUT_OF_RESOURCES:
                raise

    def handle_accepted(self, sock: Any, addr: Address) -> None:
        Session(self, sock, addr)

    def close_idle(self) -> None:
        """Say 421 to whoever was silent for `idle_seconds_max` (RFC 5321, section 4.5.3.2), and close."""
        for session in self.sessions:
            if session.idle_seconds >= self.idle_seconds_max:
                session.time_out()


class Session(asynchat.async_chat):
    """One client.  Every line that it sends is a command, or one of a message."""

    def __init__(self, server: Server, sock: Any, peer: Address) -> None:
        super().__init__(sock)
        self.server = server
        self.peer = peer
        self.state = State.NEW
        self._line = bytearray()
        self._active_at = asyncore.time.monotonic()
        self._begin_transaction()
        self.set_terminator(CRLF)
        self.reply(f"220 {server.name} ready")

    def extensions(self) -> list[str]:
        """What EHLO tells of."""
        return [f"SIZE {self.server.message_bytes_max}", "8BITMIME", "PIPELINING"]

    # --- events ----------------------------------------------------------------------------------

    def readable(self) -> bool:
        return self.state is not State.LEAVING and len(self.producer_fifo) < REPLIES_WAITING_MAX

    def handle_read(self) -> None:
        self._active_at = asyncore.time.monotonic()
        super().handle_read()

    def collect_incoming_data(self, data: bytes) -> None:
        """Keep the beginning of a line: enough to see that it is too long."""
        self._line += data[: TEXT_LINE_BYTES_MAX - len(self._line)]

    def found_terminator(self) -> None:
        line, self._line = bytes(self._line), bytearray()
        match self.state:
            case State.LEAVING:
                pass  # async_chat goes on with what came in the same segment
            case State.TEXT:
                self._take(line)
            case _:
                self._obey(line)

    def handle_close(self) -> None:
        """The client has sent everything, or is gone.  What it can still read is sent first."""
        if self.connected and self.producer_fifo and self.state is not State.LEAVING:
            self.state = State.LEAVING
            self.close_when_done()
        else:
            self.close()

    def close(self) -> None:
        self.state = State.LEAVING
        super().close()

    @property
    def idle_seconds(self) -> float:
        """For how long the client has said nothing."""
        idle: float = asyncore.time.monotonic() - self._active_at
        return idle

    def time_out(self) -> None:
        """Give the client up; if it does not even take its last reply, at once."""
        if self.state is State.LEAVING:
            self.close()
        else:
            self.state = State.LEAVING
            self.reply("421 silent for too long, closing")

    def reply(self, text: str) -> None:
        """Send a reply; the last one is followed by the end of the connection."""
        self.push(text.encode("ascii") + CRLF)
        if self.state is State.LEAVING:
            self.close_when_done()

    # --- commands --------------------------------------------------------------------------------

    def _obey(self, line: bytes) -> None:
        """Answer a command.  Each is a method, which returns the reply; 2 and 3 mean that it was done."""
        word, _, argument = line.partition(b" ")
        verb = word.decode("ascii", "replace").strip().upper()
        command = getattr(self, f"do_{verb}", None)
        moves = MOVES.get(verb, {self.state: self.state})
        if len(line) > COMMAND_BYTES_MAX - len(CRLF):
            reply = "500 line too long"
        elif command is None:
            reply = "500 no such command"
        elif verb in WITHOUT_ARGUMENT and argument.strip():
            reply = f"501 {verb} takes no argument"
        elif self.state not in moves:
            reply = f"503 {verb} is out of sequence"
        else:
            reply = command(argument.strip())
            if reply[0] in "23":
                self._move(moves[self.state])
        self.reply(reply)

    def _move(self, state: State) -> None:
        self.state = state
        if state is State.READY:
            self._begin_transaction()

    def _begin_transaction(self) -> None:
        self._sender = ""
        self._recipients: list[str] = []
        self._text = bytearray()
        self._refusal: str | None = None

    def do_HELO(self, argument: bytes) -> str:
        return f"250 {self.server.name}" if argument else "501 HELO domain"

    def do_EHLO(self, argument: bytes) -> str:
        if not argument:
            return "501 EHLO domain"
        *lines, last = self.server.name, *self.extensions()
        return "".join(f"250-{line}\r\n" for line in lines) + f"250 {last}"

    def do_MAIL(self, argument: bytes) -> str:
        path = REVERSE_PATH.fullmatch(argument)
        if path is None:
            return "501 MAIL FROM:<mailbox>"
        for parameter in path[2].upper().split():
            match parameter.split(b"=", 1):
                case [b"SIZE", size] if re.fullmatch(rb"[0-9]{1,20}", size):
                    if int(size) > self.server.message_bytes_max:
                        return "552 message too big"
                case [b"BODY", b"7BIT" | b"8BITMIME"]:
                    pass
                case [b"SIZE" | b"BODY", *_]:
                    return "501 a parameter has no such value"
                case _:
                    return "555 no such parameter"
        self._sender = path[1].decode("ascii")
        return "250 sender taken"

    def do_RCPT(self, argument: bytes) -> str:
        path = FORWARD_PATH.fullmatch(argument)
        if path is None:
            return "501 RCPT TO:<mailbox>"
        if path[2]:
            return "555 no such parameter"
        if len(self._recipients) == self.server.recipients_max:
            return "452 too many recipients"
        mailbox = path[1].decode("ascii")
        refusal = self.server.check_recipient(mailbox)
        if refusal is None:
            self._recipients.append(mailbox)
        return refusal or "250 recipient taken"

    def do_DATA(self, argument: bytes) -> str:
        return "354 end with a line that is a dot"

    def do_RSET(self, argument: bytes) -> str:
        return "250 forgotten"

    def do_NOOP(self, argument: bytes) -> str:
        return "250 nothing done"

    def do_VRFY(self, argument: bytes) -> str:
        return "252 not told; send it and see" if argument else "501 VRFY mailbox"

    def do_HELP(self, argument: bytes) -> str:
        return "214 RFC 5321 is the manual"

    def do_QUIT(self, argument: bytes) -> str:
        return f"221 {self.server.name} closing"

    # --- messages --------------------------------------------------------------------------------

    def _take(self, line: bytes) -> None:
        """A line of the text, which is its end if it is a dot (RFC 5321, section 4.5.2)."""
        if line == b".":
            reply = self._refusal or self._deliver()
            self._move(State.READY)
            self.reply(reply)
            return
        line = line.removeprefix(b".") + CRLF
        if self._refusal is None:
            self._refusal = self._problem_with(line)
            self._text += line
        if self._refusal is not None:
            self._text.clear()

    def _problem_with(self, line: bytes) -> str | None:
        if len(line) > TEXT_LINE_BYTES_MAX:
            return "500 line too long"
        if line.find(b"\r") < len(line) - 2 or line.find(b"\n") < len(line) - 1:
            return "554 CR or LF alone"
        if len(self._text) + len(line) > self.server.message_bytes_max:
            return "552 message too big"
        return None

    def _deliver(self) -> str:
        refusal = self.server.process_message(self.peer, self._sender, self._recipients, bytes(self._text))
        return refusal or "250 message taken"


class Printer(Server):
    """Shows every message, and forgets it."""

    def process_message(self, peer: Address, mailfrom: str, rcpttos: list[str], data: bytes) -> str | None:
        print(f"--- from <{mailfrom}> to <{'>, <'.join(rcpttos)}>")
        print(data.decode("utf-8", "replace").replace("\r\n", "\n"), flush=True)
        return None


def main() -> None:
    """Take mail on this computer until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m examples.smtp_server", description="Print mail.")
    parser.add_argument("port", type=int, nargs="?", default=2525, help="0 takes a free one; default 2525")
    server = Printer(("", parser.parse_args().port))
    print(f"taking mail on port {server.port}", flush=True)
    with suppress(KeyboardInterrupt):
        while True:
            asyncore.loop(timeout=1, count=1)
            server.close_idle()


if __name__ == "__main__":
    main()
