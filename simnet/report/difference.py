"""Where a failing run and the nearest run that passes part, side by side.

    the nearest passing run is the same until t=0.009  client  recv 13
      with 3                          │ without 3
      t=0.009  client  send 5 "GET /" │ t=0.009  client  send 10 "GET /two\\r\\n"
      t=0.010  server  recv 5 "GET /" │ t=0.010  server  recv 10 "GET /two\\r\\n", send 13

Both runs are the same program with the same choices but one, so that what they have in common ends where
that one matters.  From there on, only what one of them does and the other does not is of interest.

Owns that comparison and how it looks.  Which run is the nearest is found by `simnet.fuzz.nearest`.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import TypeAlias

import attrs

from ..scenario.run import Outcome
from ..script import Deviation, Item
from ..trace import Event, Kind, Trace
from ..units import seconds
from .conversation import SHUTDOWNS, Conversation, conversations
from .ladder import clip

LINES_MIN = 5
_STEPS_MAX = 400  # of each run after they part: enough to see, and little to compare
_UNSAID = frozenset({Kind.NAME, Kind.DEVIATE, Kind.HAPPEN, Kind.DRAW, Kind.LISTEN})
_BEFORE = 4  # bytes shown before the first that differs
_BYTES_MIN = 15  # columns that they have at least


@attrs.frozen(eq=False)
class Nearest:
    """A run that passes, and the one item of the failing script that it does not have.

    `instead` is a milder one that it has in that place, or None.
    """

    outcome: Outcome
    item: Item
    instead: Item | None = None


@attrs.frozen
class Act:
    """One thing that one end did: `text` with the number of bytes, and the bytes if it shows them."""

    text: str
    data: bytes | None = None

    def bytes_beside(self, other: bytes | None, room: int) -> str:
        """The bytes in `room` columns, around where they differ from the `other`; nothing in too few."""
        if self.data is None or room < _BYTES_MIN:
            return ""
        return f" {_excerpt(self.data, other, room - 1)}"


@attrs.frozen
class Step:
    """What one end did at one moment.  Two runs take the same step though it may be at another time."""

    time_ns: int = attrs.field(eq=False)
    who: str
    acts: tuple[Act, ...]

    def __str__(self) -> str:
        return f"{self._place}{', '.join(act.text for act in self.acts)}"

    @property
    def _place(self) -> str:
        return f"t={seconds(self.time_ns)}  {self.who}  "

    def beside(self, other: Step | None, room: int) -> str:
        """In at most `room` columns, what the step of the other run has not."""
        theirs = other.acts if other is not None else ()
        acts = [act for act in self.acts if act not in theirs] or [*self.acts]
        data = next((act.data for act in theirs if act.data is not None and act not in self.acts), None)
        left = room - len(self._place) - len(", ".join(act.text for act in acts))
        if left < _BYTES_MIN:
            acts.sort(key=lambda act: act.data is None)  # the bytes tell most, and are not to be cut off
            left = _BYTES_MIN
        said: list[str] = []
        for act in acts:
            shown = act.bytes_beside(data, left)
            left -= len(shown)
            said.append(act.text + shown)
        return clip(self._place + ", ".join(said), room)


Pair: TypeAlias = "tuple[Step | None, Step | None]"


def difference(failed: Outcome, nearest: Nearest, number: int, lines_max: int, width: int) -> list[str]:
    """Where the two runs part, and what each does then that the other does not.

    Args:
        number: that the item is shown under in the report.
        lines_max: at least `LINES_MIN`; with fewer nothing is said.

    Empty if they do not part, or a run was so long that its beginning was not kept.
    """
    one, other = failed.network.trace, nearest.outcome.network.trace
    if lines_max < LINES_MIN or one.dropped or other.dropped:
        return []
    names = _names([*conversations(one), *conversations(other)])
    here, there = steps(one, names), steps(other, names)
    same = _in_common(here, there)
    if same == len(here) == len(there):
        return []
    pairs = [*_apart(here[same : same + _STEPS_MAX], there[same : same + _STEPS_MAX])]
    title = "the nearest passing run is " + (f"the same until {here[same - 1]}" if same else "another")
    rows = _rows(pairs, lines_max - 3, (width - 5) // 2)
    columns = [_heads(nearest, number), *rows, _ends(failed, nearest.outcome)]
    return [clip(title, width), *_side_by_side(columns, width)]


def _heads(nearest: Nearest, number: int) -> tuple[str, str]:
    if nearest.instead is None:
        return f"with {number}", f"without {number}"
    assert isinstance(nearest.item, Deviation)
    assert isinstance(nearest.instead, Deviation)
    return f"{number} {nearest.item.effect}", f"{number} {nearest.instead.effect}"


def _ends(failed: Outcome, passed: Outcome) -> tuple[str, str]:
    times = [f"t={seconds(each.network.now_ns)}" for each in (failed, passed)]
    return f"{times[0]}  ✗ {type(failed.error).__name__}", f"{times[1]}  passes"


# --- what happened -------------------------------------------------------------------------------


def steps(trace: Trace, names: Mapping[str, str]) -> list[Step]:
    """What the ends of a run did, one step for all that one did at one moment.

    `names` says what ends are called where their whole label is too long.
    """
    found: list[Step] = []
    for event in trace.events:
        time_ns, kind, who, _, _ = event
        if kind in _UNSAID:
            continue
        name = names.get(trace.names[who], trace.names[who])
        last = found[-1] if found else None
        if last is not None and (last.time_ns, last.who) == (time_ns, name):
            found[-1] = attrs.evolve(last, acts=_joined(last.acts, event))
        else:
            found.append(Step(time_ns, name, (_act(event),)))
    return found


def _joined(acts: tuple[Act, ...], event: Event) -> tuple[Act, ...]:
    """What arrives and is received at once is said once: by what recv returned."""
    act, arrived = _act(event), f"{event[3]} arrive"
    found = next((each for each in acts if event[1] == Kind.RECV and each.text == arrived), None)
    if found is None:
        return (*acts, act)
    return (*(each for each in acts if each is not found), Act(act.text, found.data))


def _act(event: Event) -> Act:
    _, kind, _, n, data = event
    match kind:
        case Kind.SEND | Kind.ARRIVE:
            assert isinstance(data, bytes)
            return Act(f"send {n}" if kind == Kind.SEND else f"{n} arrive", data)
        case Kind.RECV:
            return Act(f"recv {n}")
        case Kind.ESTABLISHED:
            return Act("connected")
        case Kind.SHUTDOWN:
            return Act(SHUTDOWNS[n])
        case Kind.FIN:
            return Act("end of stream")
        case Kind.RESET:
            return Act(f"reset ({errno.errorcode.get(n, n)})")
        case Kind.FAIL:
            return Act(f"{data!s}: {errno.errorcode.get(n, n)}")
        case _:
            return Act(Kind(kind).name.lower())


def _names(every: Sequence[Conversation]) -> dict[str, str]:
    """Short names of ends: who opened a connection, and who answers whom; hosts alone where that will do."""
    openings = dict.fromkeys(each.names for each in every)
    hosts = [opener.partition(":")[0] for opener, _ in openings]
    openers = [opener for opener, _ in openings]
    names = {}
    for (opener, listener), host in zip(openings, hosts, strict=True):
        full = f"{opener} -> {listener}"
        mine = host if hosts.count(host) == 1 else opener if openers.count(opener) == 1 else full
        server = listener.partition(":")[0]
        names[full] = mine
        names[f"{listener} -> {opener}"] = server if len(openings) == 1 else f"{server} -> {mine}"
    return names


# --- where they differ ---------------------------------------------------------------------------


def _in_common(here: Sequence[Step], there: Sequence[Step]) -> int:
    """How many steps both runs begin with, at the same times."""
    for index, (one, other) in enumerate(zip(here, there, strict=False)):
        if one != other or one.time_ns != other.time_ns:
            return index
    return min(len(here), len(there))


def _apart(here: Sequence[Step], there: Sequence[Step]) -> Iterator[Pair]:
    """The steps of which one run has no equal; the first pair also if it is the same at another time."""
    matcher = SequenceMatcher(None, here, there, autojunk=False)
    for tag, begin, end, start, stop in matcher.get_opcodes():
        if tag != "equal":
            yield from zip_longest(here[begin:end], there[start:stop])
        elif begin == start == 0:
            yield here[0], there[0]


def _rows(pairs: Sequence[Pair], at_most: int, room: int) -> Iterator[tuple[str, str]]:
    shown = pairs if len(pairs) <= at_most else pairs[: at_most - 1]
    for one, other in shown:
        yield one.beside(other, room) if one else "", other.beside(one, room) if other else ""
    if len(shown) < len(pairs):
        yield "⋮", "⋮"


def _side_by_side(rows: Sequence[tuple[str, str]], width: int) -> list[str]:
    left = max(len(row[0]) for row in rows)
    return [clip(f"  {one:<{left}} │ {other}".rstrip(), width) for one, other in rows]


def _excerpt(data: bytes, other: bytes | None, width: int) -> str:
    """Some bytes in quotes, at most `width` columns of them: the beginning, or where they begin to differ."""
    whole = _quoted(data)
    if len(whole) + 2 <= width:
        return f'"{whole}"'
    start = _first_difference(data, other) if other is not None else 0
    start = max(min(start, len(data)) - _BEFORE, 0)
    before = "…" if start else ""
    shown = ""
    for index in range(start, len(data)):
        piece = _quoted(data[index : index + 1])
        if len(before) + len(shown) + len(piece) + 3 > width + (index == len(data) - 1):
            return f'"{before}{shown}…"'
        shown += piece
    return f'"{before}{shown}"'


def _quoted(data: bytes) -> str:
    return repr(data)[2:-1].replace('"', '\\"')


def _first_difference(data: bytes, other: bytes) -> int:
    for index, (one, two) in enumerate(zip(data, other, strict=False)):
        if one != two:
            return index
    return min(len(data), len(other))
