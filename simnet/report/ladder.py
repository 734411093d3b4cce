"""The conversation of a connection as a ladder: two lanes, time downwards, arrows between them.

    conversation client:1 -> server:80
                        client:1                                    server:80
      t=0.002  (1) send 1 of 10 │── "G" ────────────────────────────────▶│ t=0.003, recv 1

Owns how rows look.  What happened is read by `conversation`.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Mapping

from ..trace import Trace
from ..units import seconds
from .conversation import LEFT, Arrow, Conversation, Row, kept, rows, worth_showing

WIDTH, _WIDTH_MIN = 100, 80
_LANE_MIN, _LANE_MAX = 30, 44
_PAYLOAD_MIN = 8  # columns for bytes beside a note
_MARK = re.compile(r"\(\d+\)")

_PLAIN = str.maketrans("│─▶◀✗…⋮┄", "|-><x~:.")


def ladder(
    trace: Trace,
    marks: Mapping[str, int] | None = None,
    *,
    connections_max: int = 2,
    lines_max: int = 20,
    width: int = WIDTH,
    ending: tuple[int, str] | None = None,
) -> str:
    """The connections that matter, as text of at most `lines_max` lines and `width` columns.

    Args:
        marks: deviations and happenings as sentences, each with the number that it is shown under.
        connections_max: how many; those with numbered deviations, else the last active one.
        ending: when and how the run ended, shown as the last line.

    Empty if there was no connection.
    """
    marks = marks or {}
    chosen = worth_showing(trace, marks, connections_max)
    room = lines_max - bool(ending) - 2 * len(chosen)
    lines: list[str] = []
    for index, conversation in enumerate(chosen):
        found = rows(trace, conversation, marks)
        share = max(room // (len(chosen) - index), 1)
        drawn = draw(conversation, found, share, width)
        room -= len(drawn) - 2
        lines += drawn
    if lines and ending:
        time_ns, text = ending
        lines.append(clip(f"  t={seconds(time_ns)}  ✗ {text}", width))
    return "\n".join(lines)


def draw(conversation: Conversation, found: list[Row], lines_max: int, width: int) -> list[str]:
    """One ladder: a title, the names of the lanes, and the rows."""
    shown = list(kept(found, lines_max))
    visible = [row for row in shown if isinstance(row, Row)]
    title = f"conversation {conversation.names[0]} -> {conversation.names[1]}"
    if len(visible) < len(found):
        title += f", {len(visible)} of {len(found)} steps"
    columns = _Columns(conversation, visible, width)
    head = columns.line("", conversation.names[0], " " * columns.lane, conversation.names[1], " ")
    return [title, head, *(columns.gap(row) if isinstance(row, int) else columns.row(row) for row in shown)]


class _Columns:
    """The widths of a ladder's columns: time, left text, lane, right text."""

    def __init__(self, conversation: Conversation, shown: list[Row], width: int) -> None:
        self.time = max([0, *(len(seconds(row.time_ns)) for row in shown)]) + 2
        left, right = (
            max(len(name), *(len(row.texts[side]) for row in shown), 0) if shown else len(name)
            for side, name in enumerate(conversation.names)
        )
        room = width - self.time - 8  # indent, gaps, bars
        spare = room - _LANE_MIN
        self.left = min(left, max(spare // 2, spare - right))
        self.right = min(right, spare - self.left)
        self.lane = min(room - self.left - self.right, _LANE_MAX)

    def line(self, time: str, left: str, lane: str, right: str, bar: str = "│") -> str:
        left, right = clip(left, self.left), clip(right, self.right)
        return f"  {time:<{self.time}}  {left:>{self.left}} {bar}{lane}{bar} {right}".rstrip()

    def row(self, row: Row) -> str:
        time = f"t={seconds(row.time_ns)}"
        if row.across:
            room = self.left + self.lane + self.right + 3
            return f"  {time:<{self.time}}  {clip(f' {row.across} ', room).center(room, '┄')}"
        lane = arrow(row.arrow, self.lane) if row.arrow is not None else " " * self.lane
        return self.line(time, row.texts[0], lane, row.texts[1])

    def gap(self, count: int) -> str:
        return self.line("", "", f"{count} more".center(self.lane), "", "⋮")


def arrow(arrow: Arrow, width: int) -> str:
    """An arrow in its lane: the whole way, or only where it leaves or arrives."""
    note = arrow.note
    if len(note) > width - 6 - _PAYLOAD_MIN:
        note = " ".join(_MARK.findall(note)) or note  # the table says what it is
    room = width - 6 - (len(note) + 1 if note else 0)
    payload = excerpt(arrow.data, max(room, 6)) if arrow.data is not None else arrow.text
    text = clip(" ".join(part for part in (payload, note) if part), width - 6)
    length = width if arrow.leaves and arrow.arrives else max(len(text) + 6, width * 2 // 3)
    dashes = "─" * (length - len(text) - 5)
    text = f" {text} " if text else "──"
    if arrow.source == LEFT:
        body = f"──{text}{dashes}{'✗' if arrow.is_lost else '▶'}"
        return body.ljust(width) if arrow.leaves else body.rjust(width)
    body = f"{'✗' if arrow.is_lost else '◀'}{dashes}{text}──"
    return body.rjust(width) if arrow.leaves else body.ljust(width)


def excerpt(data: bytes, width: int) -> str:
    """The beginning of some bytes in quotes, readable, at most `width` columns."""
    shown = ""
    for index in range(len(data)):
        piece = '\\"' if data[index] == 0x22 else repr(data[index : index + 1])[2:-1]
        if len(shown) + len(piece) + 2 > width - (index + 1 < len(data)):
            return f'"{shown}…"'
        shown += piece
    return f'"{shown}"'


def clip(text: str, width: int) -> str:
    """At most `width` columns of a text."""
    return text if len(text) <= width else f"{text[: max(width - 1, 0)]}…"


def terminal_width() -> int:
    """How many columns a report has: those of the terminal, if that has 80 to 100; 100 without one."""
    return min(max(shutil.get_terminal_size((WIDTH, 0)).columns, _WIDTH_MIN), WIDTH)


def printable(text: str, encoding: str | None = None) -> str:
    """`text` as an output with this encoding can show it; without one, that of standard output."""
    encoding = encoding or getattr(sys.stdout, "encoding", None) or "ascii"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return text.translate(_PLAIN).encode(encoding, "backslashreplace").decode(encoding)
    return text
