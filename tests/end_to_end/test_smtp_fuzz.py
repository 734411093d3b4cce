"""The SMTP example against what Hypothesis draws: texts, commands, segments, weather; and wrong servers.

Two oracles, neither of which knows the server.  `stuffed` puts a text on the wire, from the last byte of
it to the first; `Model` is what RFC 5321 says of a sequence of commands, by looking at what came before.
The last part plants a mistake at a time and shows that the checks of these tests find it.
"""

from __future__ import annotations

import smtplib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples import recorded_mail, smtp_server, weather
from examples.recorded_mail import PIPELINED, MailConversation, Message
from examples.smtp_session import TEXT_LINE_BYTES_MAX, Session, State
from simnet import Network
from simnet.fuzz import GENTLE, networks

BEGIN = b"HELO x\r\nMAIL FROM:<ada@client.example>\r\nRCPT TO:<bob@mail.example>\r\nDATA\r\n"


def codes(answer: bytes) -> list[int]:
    lines = answer.split(b"\r\n")
    assert lines.pop() == b"", "a reply without an end"
    return [int(line[:3]) for line in lines if line[3:4] == b" "]


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """`data` in pieces; a place is a number of bytes modulo the length."""
    edges = sorted({0, len(data), *(place % len(data) for place in places)})
    return [data[start:end] for start, end in pairwise(edges)]


PLACES = st.lists(st.integers(0, 5_000), max_size=6)


# --- any text ------------------------------------------------------------------------------------

TEXTS = st.lists(
    st.sampled_from(
        [b".", b"..", b"\r\n", b"\r\n.\r\n", b"\r", b"\n", b"\n.\r\n", b"x", b"y" * 499, b"\x00\xff"]
    )
    | st.binary(max_size=5),
    max_size=12,
).map(lambda parts: b"".join(parts) + b"\r\n")


def stuffed(text: bytes) -> bytes:
    """A text as it is sent: a dot more wherever a line begins with one (RFC 5321, section 4.5.2)."""
    wire = text
    for at in range(len(text) - 1, -1, -1):
        if text[at : at + 1] == b"." and (at == 0 or text[at - 2 : at] == b"\r\n"):
            wire = wire[:at] + b"." + wire[at:]
    return wire + b".\r\n"


def refusals(text: bytes) -> set[int]:
    """The codes with which a text may be refused; none if it must be taken."""
    lines = text.split(b"\r\n")
    alone = {554 for line in lines if b"\r" in line or b"\n" in line}
    long = {500 for line in lines if len(line) > TEXT_LINE_BYTES_MAX - 2}
    return alone | long


@given(text=TEXTS, places=PLACES, net=networks(GENTLE))
def test_any_text_is_delivered_as_it_was_or_refused_for_a_reason(text, places, net):
    answer, messages = recorded_mail.feed(net, cut(BEGIN + stuffed(text) + b"NOOP\r\nQUIT\r\n", places))
    reasons = refusals(text)
    assert codes(answer) in [[220, 250, 250, 250, 354, verdict, 250, 221] for verdict in reasons or {250}]
    assert [message.data for message in messages] == ([] if reasons else [text])


@given(text=TEXTS.filter(lambda text: not refusals(text)))
def test_the_oracle_stuffs_dots_as_smtplib_does(text):
    assert smtplib._quote_periods(text) + b".\r\n" == stuffed(text)


# --- any sequence of commands --------------------------------------------------------------------

COMMANDS = [
    b"HELO x",
    b"ehlo x",
    b"HELO",
    b"MAIL FROM:<ada@client.example>",
    b"MAIL FROM:<> SIZE=99999999",
    b"MAIL FROM",
    b"RCPT TO:<bob@mail.example>",
    b"RCPT TO:<nobody@mail.example>",
    b"DATA",
    b"data now",
    b"RSET",
    b"NOOP",
    b"VRFY bob",
    b"HELP",
    b"ELHO x",
    b"QUIT",
    b"",
    b".",
    b"..",
]
TRANSACTION = [COMMANDS[0], COMMANDS[3], COMMANDS[6], b"DATA", b".x", b"."]
LINES = st.lists(
    st.sampled_from(COMMANDS)
    # Or a transaction, mostly whole: few sequences of single commands would get to a text.
    | st.sampled_from([6, 6, 5, 4, 3]).map(lambda count: b"\r\n".join(TRANSACTION[:count])),
    min_size=1,
    max_size=14,
).map(lambda lines: b"\r\n".join([*lines, b""]))


class Model:
    """What RFC 5321 says, from the history of the lines that were accepted since the last that forgets."""

    def __init__(self) -> None:
        self.codes = [220]
        self.messages: list[Message] = []
        self.done: list[bytes] = []
        self.greeted = False
        self.text: list[bytes] | None = None
        self.speaks_after_quit = False

    def hear(self, line: bytes) -> None:
        if 221 in self.codes:
            self.speaks_after_quit = True
            return
        if self.text is None:
            self.codes.append(self.command(line))
        elif line == b".":
            to = ("bob@mail.example",) * self.done.count(COMMANDS[6])
            data = b"".join(each + b"\r\n" for each in self.text)
            self.messages.append(Message("ada@client.example", to, data))
            self.codes.append(250)
            self.text, self.done = None, []
        else:
            self.text.append(line[1:] if line[:1] == b"." else line)

    def command(self, line: bytes) -> int:
        begun, to = COMMANDS[3] in self.done, COMMANDS[6] in self.done
        match line[:4].upper():
            case b"HELO" | b"EHLO" if len(line) > 4:
                self.greeted, self.done = True, []
            case b"MAIL" if not self.greeted or begun:
                return 503
            case b"MAIL" if b"SIZE" in line:
                return 552
            case b"RCPT" if not begun:
                return 503
            case b"RCPT" if b"nobody" in line:
                return 550
            case b"DATA" if b"now" in line:
                return 501
            case b"DATA" if not to:
                return 503
            case b"DATA":
                self.text = []
                return 354
            case b"HELO":
                return 501
            case b"MAIL" if b"<" not in line:
                return 501
            case b"MAIL" | b"RCPT":
                self.done.append(line)
            case b"RSET":
                self.done = []
            case other:
                return {b"NOOP": 250, b"VRFY": 252, b"HELP": 214, b"QUIT": 221}.get(other, 500)
        return 250


@given(lines=LINES, places=PLACES, net=networks(GENTLE))
def test_any_sequence_of_commands_is_answered_by_the_model(lines, places, net):
    model = Model()
    for line in lines.split(b"\r\n")[:-1]:
        model.hear(line)
    answer, messages = recorded_mail.feed(net, cut(lines, places))
    if model.speaks_after_quit:  # A reset answers it, and may overtake replies.
        whole, end, _ = answer.rpartition(b"\r\n")
        got = codes(whole + end) if end else []
        assert got == model.codes[: len(got)]
    else:
        assert codes(answer) == model.codes
    assert messages == model.messages


@given(data=st.binary(max_size=300), net=networks(GENTLE))
def test_no_bytes_at_all_confuse_a_server(data, net):
    answer, messages = recorded_mail.feed(net, [data or b"\r", b"\r\nQUIT\r\n"])
    assert codes(answer)[0] == 220
    assert codes(answer)[-1] == 221
    assert messages == []


@given(net=networks())
def test_in_any_weather_the_replies_and_messages_are_a_beginning_of_the_right_ones(net):
    recorded_mail.compare(recorded(), net, [PIPELINED])


def recorded() -> MailConversation:
    answer, messages = recorded_mail.feed(Network(), [PIPELINED])
    return MailConversation("test", PIPELINED, answer, messages)


# --- wrong servers are found ---------------------------------------------------------------------


class Hasty(Session):
    """Takes what one recv returns for whole lines."""

    def handle_read(self) -> None:
        for line in self.recv(65_536).removesuffix(b"\r\n").split(b"\r\n"):
            self._line += line
            self.found_terminator()


class Blind(Session):
    """Sees the end of a message only in what one recv returned."""

    def collect_incoming_data(self, data: bytes) -> None:
        super().collect_incoming_data(data)
        if self._line == b"." and not self.ac_in_buffer.startswith(b".\r\n"):
            self._line += b" "


class Eager(Session):
    """Takes a message when it sees the dot, before it knows that the line is over."""

    def collect_incoming_data(self, data: bytes) -> None:
        super().collect_incoming_data(data)
        if self.state is State.TEXT and self._line == b".":
            self._deliver()


class Lenient(Session):
    """Takes LF for the end of a line."""

    def _take(self, line: bytes) -> None:
        for part in line.split(b"\n"):
            super()._take(part)


class Literal(Session):
    """Leaves the doubled dots in."""

    def _take(self, line: bytes) -> None:
        super()._take(line if line == b"." else b"." + line)


class Forgetful(Session):
    """Drops what was pipelined behind a message."""

    def _take(self, line: bytes) -> None:
        super()._take(line)
        if line == b".":
            self.ac_in_buffer = b""


def every_cut() -> None:
    conversation = recorded_on_the_right_server()
    for at in weather.cut_points(conversation):
        recorded_mail.check(conversation, weather.cut(at), [PIPELINED])


def every_end() -> None:
    ends = [
        at for at in range(len(PIPELINED)) if PIPELINED[:at].endswith((b"\xff\r\n.\r\n", b"DATA\r\n.\r\n"))
    ]
    for at in range(1, len(PIPELINED)):
        _, messages = recorded_mail.feed(Network(), [PIPELINED[:at]])
        assert len(messages) == sum(end <= at for end in ends)


def recorded_on_the_right_server() -> MailConversation:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(smtp_server, "Session", Session)
        return recorded()


@pytest.mark.parametrize(
    ("wrong", "check"),
    [
        (Hasty, every_cut),
        (Hasty, test_any_text_is_delivered_as_it_was_or_refused_for_a_reason),
        (Blind, every_cut),
        (Eager, every_end),
        (Lenient, test_any_text_is_delivered_as_it_was_or_refused_for_a_reason),
        (Literal, every_cut),
        (Forgetful, test_any_sequence_of_commands_is_answered_by_the_model),
    ],
    ids=lambda value: value.__name__,
)
def test_a_server_with_a_mistake_is_found(wrong, check, monkeypatch):
    monkeypatch.setattr(smtp_server, "Session", wrong)
    with pytest.raises((AssertionError, ExceptionGroup)):  # Hypothesis groups different failures
        check()
