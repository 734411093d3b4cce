"""One client of an SMTP server: what its lines mean, and what it is answered.

`Session` knows the commands of RFC 5321 that a server must know, and the extensions SIZE (RFC 1870),
8BITMIME (RFC 6152), PIPELINING (RFC 2920) and STARTTLS (RFC 3207).  Who may send what to whom is asked of
the `smtp_server.Server` that accepted it.
"""

from __future__ import annotations

import re
from enum import Enum, auto
from typing import TYPE_CHECKING, Any

from simnet import asynchat, asyncore
from simnet.dispatchers.tls import tls_channel
from simnet.transport import Address

if TYPE_CHECKING:
    from examples.smtp_server import Server

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
    SECURING = auto()  # the client was told to begin with TLS
    LEAVING = auto()  # the last reply is on its way, or the connection is gone


COMMANDING = (State.NEW, State.READY, State.SENDER, State.RECIPIENTS)

MOVES: dict[str, dict[State, State]] = {
    "HELO": dict.fromkeys(COMMANDING, State.READY),
    "EHLO": dict.fromkeys(COMMANDING, State.READY),
    "RSET": dict.fromkeys(COMMANDING, State.READY) | {State.NEW: State.NEW},
    "MAIL": {State.READY: State.SENDER},
    "RCPT": dict.fromkeys((State.SENDER, State.RECIPIENTS), State.RECIPIENTS),
    "DATA": {State.RECIPIENTS: State.TEXT},
    "STARTTLS": {State.READY: State.SECURING},
    "QUIT": dict.fromkeys(COMMANDING, State.LEAVING),
}
"""Where a command leads from where it is allowed; others are always allowed and lead nowhere."""

WITHOUT_ARGUMENT = ("RSET", "DATA", "STARTTLS", "QUIT")

_MAILBOX = rb'((?:[!#-;=?-~]|"(?:[ !#-\[\]-~]|\\[ -~])*")%b)'  # printable; anything within quotes
_PATH = rb"%b: ?<(?:@[!-9;-=?-~]+:)?" + _MAILBOX + rb">((?: +[!-~]+)*)"  # the route before it is ignored
REVERSE_PATH = re.compile(_PATH % (b"FROM", b"*"), re.IGNORECASE)
FORWARD_PATH = re.compile(_PATH % (b"TO", b"+"), re.IGNORECASE)


class Session(tls_channel, asynchat.async_chat):
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
        always = [f"SIZE {self.server.message_bytes_max}", "8BITMIME", "PIPELINING"]
        return always if self.tls or not self.server.context else [*always, "STARTTLS"]

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
            case State.LEAVING | State.SECURING:
                pass  # async_chat goes on with what came in the same segment
            case State.TEXT:
                self._take(line)
            case _:
                self._obey(line)

    def handle_close(self) -> None:
        """The client has sent everything, or is gone.  What it can still read is sent first."""
        can_be_told = self.connected and self.tls_error is None
        if can_be_told and self.producer_fifo and self.state is not State.LEAVING:
            self.state = State.LEAVING
            self.close_when_done()
        else:
            self.close()

    def handle_handshake(self) -> None:
        """Nothing that was said in plain counts from here on (RFC 3207, section 4.2)."""
        self._active_at = asyncore.time.monotonic()
        self.state = State.NEW

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
        if self.state in (State.LEAVING, State.SECURING):
            self.close()
        else:
            self.state = State.LEAVING
            self.reply("421 silent for too long, closing")

    def reply(self, text: str) -> None:
        """Send a reply; the last one is followed by the end of the connection, or by TLS."""
        self.push(text.encode("ascii") + CRLF)
        if self.state is State.LEAVING:
            self.close_when_done()
        elif self.state is State.SECURING:
            assert self.server.context is not None
            # A message has an end of its own, so a stream that somebody cuts is not taken for a whole one.
            self.start_tls(self.server.context, server_side=True, suppress_ragged_eofs=True)

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

    def do_STARTTLS(self, argument: bytes) -> str:
        if self.server.context is None:
            return "502 no TLS here"
        return "503 TLS was started already" if self.tls else "220 begin with TLS"

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
