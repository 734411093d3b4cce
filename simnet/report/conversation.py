"""What the two ends of a connection did, as rows that a ladder can draw.

An event of the trace belongs to one end; a row joins events that belong together: a segment that
leaves and arrives with nothing between is one arrow, and what a program does in the moment in which
something arrived stands beside it.  Nothing is guessed: where only the arrival is on record (SYN+ACK,
ACK, FIN, RST), the row is that of the arrival.

Owns the choice of connections and the reading of events.  Does not own how rows look (`ladder`).
"""

from __future__ import annotations

import errno
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal, TypeAlias

import attrs

from ..script import Deviation, parse
from ..trace import Event, Kind, Trace
from ..units import seconds

Side: TypeAlias = Literal[0, 1]

LEFT: Side = 0
RIGHT: Side = 1

_BEFORE_A_MARK = 2  # rows before a deviation that come before those around the end
_BESIDE_MAX = 28  # columns of what one end does in one row
_OF_HOSTS = {
    **{"turn": "{}: {}", "next": "{}: {}", "timer": "{}: a timer {}"},
    **{"step": "{} {}", "switch": "{} {}", "wake": "{} {}"},
}
"""How a row across both lanes says what is decided of a host."""

SHUTDOWNS = ("shutdown reading", "shutdown writing", "shutdown")


@attrs.define
class Arrow:
    """Something on the wire: whose, what, and whether the row shows it leave, arrive, or both."""

    source: Side
    text: str = ""
    data: bytes | None = None
    leaves: bool = True
    arrives: bool = True
    is_lost: bool = False
    note: str = ""

    def delivers(self, data: bytes, side: Side) -> bool:
        """Whether this may be what arrives at `side`: it is under way, with these bytes."""
        return self.source != side and self.data == data and not (self.arrives or self.is_lost)


@attrs.define
class Row:
    """One line of a ladder: what the left and the right end do, and what is between them."""

    time_ns: int
    texts: list[str] = attrs.field(factory=lambda: ["", ""])
    arrow: Arrow | None = None
    across: str = ""
    is_marked: bool = False
    times_ns: list[int] = attrs.field(factory=list)  # at which each side acts

    def __attrs_post_init__(self) -> None:
        self.times_ns = [self.time_ns, self.time_ns]


@attrs.frozen
class Conversation:
    """A connection in the trace: the numbers of its two ends and of the listener, and its lanes."""

    names: tuple[str, str]
    opener: int
    acceptor: int | None
    listener: int | None
    last: int  # the index of its last event

    @property
    def hosts(self) -> tuple[str, str]:
        left, right = (name.partition(":")[0] for name in self.names)
        return left, right

    @property
    def is_local(self) -> bool:
        """Whether it is one of AF_UNIX, with a path where others have a port."""
        return not self.names[1].rpartition(":")[2].isdigit()


def conversations(trace: Trace) -> list[Conversation]:
    """Every connection of the run, in the order in which they were opened."""
    numbers = {name: number for number, name in enumerate(trace.names)}
    last: dict[int, int] = {}
    for index, event in enumerate(trace.events):
        last[event[2]] = index
    found: dict[str, Conversation] = {}
    for number, label in enumerate(trace.names):
        left, arrow, right = label.partition(" -> ")
        reverse = f"{right} -> {left}"
        if not arrow or reverse in found:
            continue
        acceptor = numbers.get(reverse)
        latest = max(last.get(number, 0), last.get(acceptor, 0) if acceptor is not None else 0)
        found[label] = Conversation((left, right), number, acceptor, numbers.get(right), latest)
    return list(found.values())


def worth_showing(trace: Trace, marks: Mapping[str, int], at_most: int) -> list[Conversation]:
    """The connections on which numbered deviations happened, else the one that was active last."""
    every = sorted(conversations(trace), key=lambda each: each.last)
    places = {item.where for item in map(parse, marks) if isinstance(item, Deviation)}
    deviant = [each for each in every if {f"{a} -> {b}" for a, b in _both_ways(each)} & places]
    accepting = [each for each in every if each.names[1] in places][-1:]
    chosen = (deviant + [each for each in accepting if each not in deviant]) or every[-1:]
    return sorted(chosen[-at_most:], key=lambda each: each.opener)


def _both_ways(conversation: Conversation) -> tuple[tuple[str, str], tuple[str, str]]:
    left, right = conversation.names
    return (left, right), (right, left)


def rows(trace: Trace, conversation: Conversation, marks: Mapping[str, int]) -> list[Row]:
    """The rows of one connection.

    `marks` are the sentences of deviations and happenings, with the numbers that they are shown under.
    """
    reader = _Reader(conversation, marks)
    for event in trace.events:
        reader.read(event)
    if conversation.is_local:
        for row in reader.rows:
            if row.arrow is not None:
                row.arrow.text = ""  # no segments go between two sockets of one host
    return reader.rows


class _Reader:
    """Turns the events of one connection into rows, one after the other."""

    def __init__(self, conversation: Conversation, marks: Mapping[str, int]) -> None:
        self.rows: list[Row] = []
        self._conversation, self._marks = conversation, marks
        self._sides: dict[int, Side] = {conversation.opener: LEFT}
        if conversation.acceptor is not None:
            self._sides[conversation.acceptor] = RIGHT
        self._pending = ["", ""]  # a mark that belongs to what this side does next
        self._offered = [0, 0]  # how many bytes a send was offered that takes fewer
        self._unread = [0, 0]
        self._was_reset = [False, False]
        self._is_closed = [False, False]
        self._cut_off = [False, False]  # by a reset of one of its segments

    def read(self, event: Event) -> None:
        time_ns, kind, who, n, data = event
        if kind == Kind.HAPPEN:
            self._across(time_ns, str(data))
        elif kind == Kind.DEVIATE:
            self._deviate(time_ns, str(data), n)
        elif who in self._sides:
            self._act(time_ns, kind, self._sides[who], n, data)
        elif who == self._conversation.listener and kind == Kind.FAIL:
            self._say(time_ns, RIGHT, _failure(data, n))

    def _act(self, time_ns: int, kind: int, side: Side, n: int, data: bytes | str | None) -> None:
        match kind:
            case Kind.NAME:
                self._syn_arrives(time_ns, side)
            case Kind.CONNECT:
                self._new(time_ns, side, "connect", Arrow(side, "SYN", arrives=False))
            case Kind.ESTABLISHED:
                flags = "SYN+ACK" if side == LEFT else "ACK"
                self._new(time_ns, side, "connected", Arrow(_other(side), flags, leaves=False))
            case Kind.SEND:
                assert isinstance(data, bytes)
                offered, self._offered[side] = self._offered[side], 0
                text = f"send {n} of {offered}" if offered else f"send {n}"
                self._new(time_ns, side, text, Arrow(side, data=data, arrives=False))
            case Kind.ARRIVE:
                assert isinstance(data, bytes)
                self._data_arrives(time_ns, side, data)
            case Kind.RECV:
                unread = max(self._unread[side], n)
                self._unread[side] = unread - n
                self._say(time_ns, side, f"recv {n}" + (f" of {unread}" if unread > n else ""))
            case Kind.FIN:
                self._fin_arrives(time_ns, side)
            case Kind.RESET:
                self._reset(time_ns, side, n)
            case Kind.FAIL:
                self._say(time_ns, side, _failure(data, n))
            case Kind.ACCEPT:
                self._say(time_ns, side, "accept")
            case Kind.SHUTDOWN:
                self._say(time_ns, side, SHUTDOWNS[n])
            case Kind.CLOSE:
                self._is_closed[side] = True
                self._say(time_ns, side, "close")
            case _:
                pass

    # --- rows ------------------------------------------------------------------------------------

    def _new(self, time_ns: int, side: Side, text: str, arrow: Arrow | None) -> Row:
        row = Row(time_ns, arrow=arrow)
        mark, self._pending[side] = self._pending[side], ""
        row.texts[side] = f"{mark} {text}".strip()
        row.is_marked = bool(mark)
        self.rows.append(row)
        return row

    def _say(self, time_ns: int, side: Side, text: str) -> None:
        """What one end does off the wire stands beside what it did at that moment, where there is room."""
        row = self.rows[-1] if self.rows else None
        before = row.texts[side] if row is not None else ""
        apart = row is None or row.across or row.times_ns[side] != time_ns or not (before or row.arrow)
        mark = self._pending[side]
        if row is None or apart or len(before) + len(mark) + len(text) > _BESIDE_MAX:
            self._new(time_ns, side, text, None)
            return
        self._pending[side] = ""
        row.is_marked |= bool(mark)
        text = f"{mark} {text}".strip()
        gap = "" if not before else ": " if before.startswith("t=") and " " not in before else ", "
        row.texts[side] = f"{before}{gap}{text}"

    def _completes(self, time_ns: int, side: Side, row: Row) -> None:
        """What `row` shows leaving arrives at `side`, and nothing was between."""
        assert row.arrow is not None
        row.arrow.arrives = True
        row.times_ns[side] = time_ns
        if time_ns != row.time_ns:
            row.texts[side] = f"t={seconds(time_ns)}"

    def _syn_arrives(self, time_ns: int, side: Side) -> None:
        row = self.rows[-1] if self.rows else None
        if side == RIGHT and row is not None and row.arrow is not None and row.arrow.text == "SYN":
            self._completes(time_ns, side, row)

    def _data_arrives(self, time_ns: int, side: Side, data: bytes) -> None:
        self._unread[side] += len(data)
        row = self.rows[-1] if self.rows else None
        if row is not None and row.arrow is not None and row.arrow.delivers(data, side):
            self._completes(time_ns, side, row)
        else:
            self._new(time_ns, side, "", Arrow(_other(side), data=data, leaves=False))

    def _fin_arrives(self, time_ns: int, side: Side) -> None:
        row = self.rows[-1] if self.rows else None
        if row is not None and row.arrow is None and row.texts[_other(side)].endswith(("close", "writing")):
            row.arrow = Arrow(_other(side), "FIN")
            self._completes(time_ns, side, row)
        else:
            self._new(time_ns, side, "", Arrow(_other(side), "FIN", leaves=False))
        self._say(time_ns, side, "end of stream")

    def _reset(self, time_ns: int, side: Side, reason: int) -> None:
        """An end learns of a reset by a RST, or it resets the connection itself."""
        itself = self._is_closed[side] or self._pending[side] or self._cut_off[side]
        by_peer = self._was_reset[_other(side)] or not itself
        self._was_reset[side] = True
        text = f"reset ({_errno(reason)})"
        if by_peer and reason not in (errno.ETIMEDOUT, errno.EHOSTUNREACH):
            self._new(time_ns, side, text, Arrow(_other(side), "RST", leaves=False))
        else:
            self._say(time_ns, side, text)

    # --- deviations ------------------------------------------------------------------------------

    def _deviate(self, time_ns: int, sentence: str, size: int) -> None:
        deviation = parse(sentence)
        assert isinstance(deviation, Deviation)
        side = self._side_of(deviation.where)
        mark = f"({self._marks[sentence]})" if sentence in self._marks else ""
        if deviation.op in _OF_HOSTS:
            if deviation.where in ("network", *self._conversation.hosts):
                words = _OF_HOSTS[deviation.op].format(deviation.where, effect(deviation, size))
                self._across(time_ns, words, mark)
        elif side is not None and deviation.op in ("segment", "jitter", "connect"):
            self._happens_to_last(time_ns, side, deviation, f"{mark} {deviation.effect}".strip())
        elif side is not None:
            self._pending[side] = mark
            if deviation.outcome == "takes":
                self._offered[side] = size

    def _side_of(self, where: str) -> Side | None:
        left, right = self._conversation.names
        sides: dict[str, Side] = {f"{left} -> {right}": LEFT, f"{right} -> {left}": RIGHT, right: RIGHT}
        return sides.get(where)

    def _happens_to_last(self, time_ns: int, side: Side, deviation: Deviation, text: str) -> None:
        """A deviation of the segment that has just left."""
        row = self.rows[-1] if self.rows else None
        if row is None or row.arrow is None or row.arrow.source != side or row.time_ns != time_ns:
            self._new(time_ns, side, text, None).is_marked = True
        else:
            row.is_marked = True
            row.arrow.note = f"{row.arrow.note} {text}".strip()
            row.arrow.is_lost |= deviation.outcome in ("lost", "reset")
        self._cut_off[side] |= deviation.outcome == "reset"

    def _across(self, time_ns: int, sentence: str, mark: str = "") -> None:
        if not mark and sentence in self._marks:
            mark = f"({self._marks[sentence]})"
        text = sentence.partition(" ")[2].partition(" ")[2] if sentence.startswith("at ") else sentence
        self.rows.append(Row(time_ns, across=f"{mark} {text}".strip(), is_marked=sentence.startswith("at ")))


def effect(deviation: Deviation, size: int) -> str:
    """What happened at an operation of a size: ``takes 5 of 42 bytes``."""
    if deviation.outcome in ("takes", "cut") and size:
        head = deviation.effect.rpartition(f"{deviation.amount} byte")[0]
        return f"{head}{deviation.amount} of {size} bytes"
    if deviation.op in ("turn", "next") and size:
        what = "host" if deviation.where == "network" else "channel"
        when = "first" if deviation.op == "turn" else "on"
        return f"ready {what} {deviation.amount} of {size} goes {when}"
    return deviation.effect


def kept(rows: Sequence[Row], at_most: int) -> Iterable[Row | int]:
    """The marked rows with what is around them, and the last ones; a number stands for rows left out."""
    if len(rows) <= at_most:
        return rows
    if at_most < 3:
        return rows[len(rows) - at_most :]
    wanted: list[int] = []
    for index in _by_interest(rows):
        if index not in wanted and _lines(sorted([*wanted, index])) <= at_most:
            wanted.append(index)
    shown: list[Row | int] = []
    previous = -1
    for index in sorted(wanted):
        if index > previous + 1:
            shown.append(index - previous - 1)
        shown.append(rows[index])
        previous = index
    return shown


def _by_interest(rows: Sequence[Row]) -> Iterator[int]:
    """The end, the marks, and then by turns what is around the marks and what leads to the end."""
    last = len(rows) - 1
    marked = [index for index, row in enumerate(rows) if row.is_marked]
    yield last
    yield from reversed(marked)
    for distance in range(1, len(rows)):
        yield from (mark + distance for mark in marked if mark + distance <= last)
        if distance <= _BEFORE_A_MARK:
            yield from (mark - distance for mark in marked if mark >= distance)
        if distance <= last:
            yield last - distance


def _lines(indices: Sequence[int]) -> int:
    """How many lines it takes to show these rows and a line for each gap before them."""
    gaps = sum(index > before + 1 for before, index in zip([-1, *indices], indices, strict=False))
    return len(indices) + gaps


def _other(side: Side) -> Side:
    return RIGHT if side == LEFT else LEFT


def _failure(call: object, reason: int) -> str:
    return f"{call}: {_errno(reason)}"


def _errno(number: int) -> str:
    return errno.errorcode.get(number, str(number))
