"""The failure report: what a person needs who has never seen this run, and nothing else.

    AssertionError: not a line: b'G'
      at server.py:14 in handle_read: assert line.endswith(b"\\r\\n"), f"not a line: {line!r}"
    simnet: failed with 1 fault (minimal; from 4, in 14 runs, under 0.1 s)
      1  t=0.002  client:1 -> server:80  send #1  takes 1 of 10 bytes

Then the conversation, what it passes without, the sockets that were left open, how to replay it and
how to keep it, and what it ran on.  The user's own error comes first and is never left out.
"""

from __future__ import annotations

import os
import platform
import traceback
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Protocol

import attrs

from ..choices import Seeded
from ..errors import Escaped, UsageError
from ..outcomes import ORDER
from ..rules import Rule
from ..scenario.run import Outcome
from ..script import Happening, Item, Script
from ..trace import Kind
from ..units import seconds
from ..virtual import Network
from ..workload import Draw
from .conversation import effect
from .difference import Nearest, difference
from .ladder import clip, ladder, printable, terminal_width

LINES_MAX = 40
_ERROR_LINES_MAX = 10
_ITEMS_MAX = 11
_SOCKETS_MAX = 4
_ESCAPES_MAX = 3
_LADDER_MIN = 9
_DIFFERENCE_MAX = 10
_TABLE = "\nsockets at t="  # how `Network.netstat` begins
_PACKAGE = str(Path(__file__).parent.parent)


class Shrinking(Protocol):
    """What a report tells of shrinking; `simnet.fuzz.shrink.Shrunk` is one."""

    @property
    def script(self) -> Script: ...
    @property
    def outcome(self) -> Outcome: ...
    @property
    def before(self) -> int: ...
    @property
    def runs(self) -> int: ...
    @property
    def seconds(self) -> float: ...
    @property
    def each_needed(self) -> bool: ...
    @property
    def without(self) -> Sequence[str]: ...


def failure_report(
    outcome: Outcome,
    *,
    shrunk: Shrinking | None = None,
    nearest: Nearest | None = None,
    replay: str | None = None,
    keep: str | None = None,
    seed: int | None = None,
    lines_max: int = LINES_MAX,
    width: int | None = None,
    encoding: str | None = None,
) -> str:
    """What went wrong in a run, in at most `lines_max` lines.

    Args:
        outcome: the run that failed.
        shrunk: what shrinking made of it; then that run is the one that is shown.
        nearest: the nearest run that passes (`simnet.fuzz.nearest`), to show where the two part.
        replay: the command that runs it again, and `keep`: the one that keeps its scenario.
        seed: under which it was found; the network's own, if it has one.
        lines_max: at least 12.
        width: of a line in columns, but for the error's own words and for commands, which are never cut.
            Without it, that of the terminal, from 80 to 100; 100 where there is none.
        encoding: of the output; what it cannot show is drawn in ASCII.  Without it, that of stdout.

    Raises UsageError for a run that passed.
    """
    run = shrunk.outcome if shrunk is not None else outcome
    if run.error is None:
        raise UsageError("a run that passed has no failure to report")
    if lines_max < 12:
        raise UsageError(f"a report needs at least 12 lines, not {lines_max}")
    network, width = run.network, width or terminal_width()
    items = numbered(network, shrunk.script if shrunk is not None else network.script())
    message, place = _error(run.error, min(_ERROR_LINES_MAX, lines_max // 4))
    head = [*place, _heading(items, shrunk), *_table(items, network, min(_ITEMS_MAX, lines_max // 4))]
    notes = [*_passes_without(items, shrunk), *_escapes(network, run.error)]
    tail = [
        f"{name:<11}{command}" for name, command in (("reproduce:", replay), ("keep it:", keep)) if command
    ]
    tail.append(_environment(network, seed))
    room = lines_max - len(message) - len(head) - len(notes) - len(tail) - 1
    apart = _apart(run, items, nearest, min(room - _LADDER_MIN - 1, _DIFFERENCE_MAX), width)
    room -= len(apart)
    sockets = _sockets(network, run.error) if room >= _LADDER_MIN + _SOCKETS_MAX + 2 else []
    middle = _conversation(run, items, room - len(sockets), width)
    body = [clip(line, width) for line in (*head, *middle, *sockets, *apart, "", *notes)]
    return printable("\n".join([*message, *body, *tail][:lines_max]), encoding)


def summary_line(script: Script) -> str:
    """What a script consists of: ``2 faults + 1 reordering + 1 happening``."""
    reorderings = sum((each.op, each.outcome) in ORDER for each in script.deviations)
    counts = {
        "fault": len(script.deviations) - reorderings,
        "reordering": reorderings,
        "happening": len(script.happenings),
        "rule": len(script.rules),
        "draw": len(script.draws),
    }
    parts = [f"{count} {what}{'s' * (count != 1)}" for what, count in counts.items() if count]
    return " + ".join(parts) or "no deviation"


# --- the error -----------------------------------------------------------------------------------


def _error(error: BaseException, lines_max: int) -> tuple[list[str], list[str]]:
    """Type and message, and then the place and what it was caused by."""
    told = "".join(traceback.format_exception_only(error)).rstrip("\n").split("\n")
    # Blank lines, and what pytest says about its own options, say nothing of the failure.
    lines = [line for line in told if line.strip() and "Use -v to get more diff" not in line]
    if len(lines) > lines_max:
        lines = [*lines[: lines_max - 1], f"  … {len(lines) - lines_max + 1} more lines"]
    more = [f"  at {place}"] if (place := _place(error)) else []
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None:
        words = traceback.format_exception_only(cause)[-1].strip().partition("\n")[0]
        more.append(f"  after {words}")
    return lines, more


def _place(error: BaseException) -> str:
    """Where the error came from: the innermost line that is not simnet's."""
    frames = traceback.extract_tb(error.__traceback__)
    outside = [frame for frame in frames if not frame.filename.startswith(_PACKAGE + os.sep)] or list(frames)
    if not outside:
        return ""
    frame = outside[-1]
    return f"{_shown(frame.filename)}:{frame.lineno} in {frame.name}{': ' + frame.line if frame.line else ''}"


def _shown(filename: str) -> Path:
    """A path, from where we are if it is below."""
    path = Path(filename)
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


# --- the script ----------------------------------------------------------------------------------


@attrs.frozen
class Numbered:
    """An item of a script, under its number in the report; time and size are the trace's."""

    number: int
    item: Item
    time_ns: int | None
    size: int

    def cells(self) -> tuple[str, str, str, str]:
        """When, where, at which operation, what."""
        item = self.item
        time = f"t={seconds(self.time_ns)}" if self.time_ns is not None else ""
        if isinstance(item, Happening):
            return f"t={seconds(item.at_ns)}", "network", "", str(item).split(" ", 2)[2]
        if isinstance(item, Rule):
            return "", "", "", str(item)
        if isinstance(item, Draw):
            return time, "workload", f"{item.name} #{item.nth}", item.words
        return time, item.where, f"{item.op} #{item.nth}", effect(item, self.size)


def numbered(network: Network, script: Script) -> list[Numbered]:
    """The items of a script in the order in which they happened; those that did not come last."""
    waiting: dict[str, Item] = {str(item): item for item in script.items()}
    found: list[Numbered] = []
    for time_ns, kind, _, n, data in network.trace.events:
        if kind in (Kind.DEVIATE, Kind.HAPPEN, Kind.DRAW):
            item = waiting.pop(str(data), None)
            if item is not None:
                found.append(Numbered(len(found) + 1, item, time_ns, n))
    for item in waiting.values():
        found.append(Numbered(len(found) + 1, item, None, 0))
    return found


def _heading(items: Sequence[Numbered], shrunk: Shrinking | None) -> str:
    script = Script.of(each.item for each in items)
    what = (
        f"failed with {summary_line(script)}"
        if items
        else "failed without any deviation from the calm network"
    )
    if shrunk is None:
        return f"simnet: {what}"
    took = f"{shrunk.seconds:.1f} s" if shrunk.seconds >= 0.1 else "under 0.1 s"
    minimal = "minimal; " if shrunk.each_needed else ""
    runs = f"{shrunk.runs} run{'s' * (shrunk.runs != 1)}"
    return f"simnet: {what} ({minimal}from {shrunk.before}, in {runs}, {took})"


def _table(items: Sequence[Numbered], network: Network, lines_max: int) -> list[str]:
    left_out = len(items) - lines_max if len(items) > lines_max else 0
    if left_out:
        left_out += 1
    shown = [(str(each.number), *each.cells()) for each in items[left_out:]]
    lines = [f"  … {left_out} earlier"] if left_out else []
    lines += _aligned(shown)
    unmet = network.unmet()
    if unmet:
        more = f" (and {len(unmet) - 1} more)" if len(unmet) > 1 else ""
        lines.append(f"  never happened: {unmet[0]}{more}")
    return lines


def _passes_without(items: Sequence[Numbered], shrunk: Shrinking | None) -> list[str]:
    """What was measured of the run without each single item; nothing if it was not measured."""
    if shrunk is None or not shrunk.each_needed or not items:
        return []
    ended = dict(zip(map(str, shrunk.script.items()), shrunk.without, strict=False))
    passed = [str(each.number) for each in items if ended.get(str(each.item)) == ""]
    parts = []
    if passed:
        which = (
            f"any one of {', '.join(passed)}" if len(passed) > 1 else "it" if len(items) == 1 else passed[0]
        )
        parts.append(f"passes without {which}")
    for each in items:
        if ended.get(str(each.item)):
            parts.append(f"fails otherwise without {each.number}: {ended[str(each.item)]}")
    return ["; ".join(parts)] if parts else []


def _escapes(network: Network, error: BaseException) -> list[str]:
    """Where the program went past its hosts, and may not do the same again; an error of it has told it."""
    escapes = [] if isinstance(error, Escaped) else network.escapes
    places = [(escape.place.called, f"{_shown(escape.place.path)}:{escape.place.line}") for escape in escapes]
    lines = [f"  {called} at {place}" for called, place in places]
    if len(lines) > _ESCAPES_MAX:
        lines[_ESCAPES_MAX - 1 :] = [f"  … {len(lines) - _ESCAPES_MAX + 1} more"]
    return ["past its host, the program called", *lines] if lines else []


# --- the run -------------------------------------------------------------------------------------


def _conversation(run: Outcome, items: Sequence[Numbered], lines_max: int, width: int) -> list[str]:
    network, error = run.network, run.error
    assert error is not None
    if network.log is None:
        return ["no trace was kept, so there is no conversation to show"] if lines_max > 0 else []
    marks = {str(each.item): each.number for each in items}
    message = str(error).partition("\n")[0]
    ending = f"{type(error).__name__}{': ' if message else ''}{message}"
    end = (network.now_ns, ending)
    drawn = ladder(network.trace, marks, lines_max=lines_max - 1, ending=end, width=width)
    return ["", *drawn.split("\n")][: max(lines_max, 0)] if drawn else []


def _apart(
    run: Outcome, items: Sequence[Numbered], nearest: Nearest | None, lines_max: int, width: int
) -> list[str]:
    """Where the nearest run that passes goes another way."""
    if nearest is None or run.network.log is None:
        return []
    number = next((each.number for each in items if each.item == nearest.item), None)
    drawn = difference(run, nearest, number, lines_max, width) if number is not None else []
    return ["", *drawn] if drawn else []


def _sockets(network: Network, error: BaseException) -> list[str]:
    """The descriptors that were open at the end, in short; an error that tells of them has told it."""
    if _TABLE in str(error):
        return []
    rows = [
        (host.name, f"fd {fd}", end.state_name, end.label, host.owner(fd), _queued(end.queues()[0]))
        for host in network.hosts.values()
        for fd, end in host.sockets()
        if fd is not None
    ]
    lines = _aligned(rows)
    if len(lines) > _SOCKETS_MAX:
        lines[_SOCKETS_MAX - 1 :] = [f"  … {len(lines) - _SOCKETS_MAX + 1} more"]
    return ["sockets open at the end", *lines] if lines else []


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Rows as lines with aligned columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    padded = ([cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in rows)
    return ["  " + "  ".join(cells).rstrip() for cells in padded]


def _queued(size: int) -> str:
    return f"{size} byte{'s' * (size != 1)} unread" if size else ""


def _environment(network: Network, seed: int | None) -> str:
    """What it takes to get the same run again, and the digest to compare it with."""
    inner = network.recording.inner
    if seed is None and isinstance(inner, Seeded):
        seed = inner.seed
    try:
        own = f"simnet {version('simnet-harness')}"
    except PackageNotFoundError:
        own = "simnet, not installed"
    parts = [own, f"Python {platform.python_version()}"]
    parts += [] if seed is None else [f"seed {seed}"]
    parts += [] if network.log is None else [f"trace {network.trace.digest()}"]
    return ", ".join(parts)
