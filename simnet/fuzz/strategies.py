"""Hypothesis strategies: a network whose script is drawn, so that a failing example shrinks to a sentence.

What is drawn is not a decision at a time, nor a seed, but the script of deviations as one value: the
moment at which a window opens, and one text whose characters are deviations within it.  So a run
of any length costs two draws; a burst slides over the run as one number, which is what finds faults that
belong together; and fewer, simpler characters are a calmer run, so that Hypothesis's own shrinking ends at
the few deviations that matter.  Each is keyed by what it is (which connection, which end,
which of its operations), never by its place in a list: to remove one leaves the others as they were.

The names of connections are not known before the run, so drawn scripts use their order: ``#1 client``
is the opener's end of the first connection, ``#2 server`` the other end of the second.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from hypothesis import currently_in_test_context, event
from hypothesis import strategies as st

from ..errors import UsageError
from ..outcomes import EVERY, PLACES, outcome_of
from ..script import Deviation, Script
from ..virtual import Network

# One character is 20 bits, from U+10000 on: a range without gaps, in which Hypothesis draws four of
# five characters from the first 256 and shrinks towards the first.  So the low byte has to hold
# whole deviations of every common kind.  The other bits widen one range, and not all at once: a rare
# kind at a far place by a large amount would be a deviation that no run meets.
_FIRST = 0x10000
_LAST = 0x10FFFF

# The first eight kinds are those that most bugs need; where a supplier allows fewer, the list closes up.
_KINDS = (
    ("segment", "cut"),
    ("send", "takes"),
    ("segment", "late"),
    ("turn", "first"),
    ("segment", "reset"),
    ("recv", "again"),
    ("send", "again"),
    ("segment", "lost"),
    ("recv", "reset"),
    ("send", "reset"),
    ("connect", "refused"),
    ("connect", "loses"),
    ("accept", "fails"),
    ("accept", "again"),
    ("segment", "crumbles"),
    ("timer", "first"),
    ("accept", "reset"),
    ("life", "reset"),
    ("datagram", "lost"),
    ("datagram", "late"),
    ("datagram", "twice"),
    ("datagram", "refused"),
    ("connect", "unreachable"),
    ("connect", "hangs"),
    ("segment", "last"),
    ("send", "fails"),
    ("recv", "fails"),
    ("lookup", "fails"),
    ("lookup", "again"),
    ("step", "held"),
    ("next", "first"),
    ("segment", "flipped"),
    ("datagram", "flipped"),
    ("segment", "ended"),
    ("segment", "torn"),
    ("segment", "burst"),
    ("life", "ended"),
    ("send", "blocks"),
    ("connect", "fails"),
    ("datagram", "burst"),
    ("datagram", "fails"),
    ("datagram", "truncated"),
)
_ALIASES = {"listener": "listener", "socket": "udp", "host": "host"}
_SELDOM = ("connect", "life", "accept", "lookup")  # a window that is far into a run finds none of them
_WINDOW_MAX = 1 << 16
_TEXT = st.one_of(
    *(
        st.text(st.characters(min_codepoint=_FIRST, max_codepoint=_LAST), min_size=least, max_size=most)
        for least, most in ((0, 256), (16, 256), (64, 1024))
    )
)


@st.composite
def _drawn_scripts(draw: st.DrawFn, kinds: tuple[tuple[str, str], ...]) -> Script:
    start = draw(_WINDOWS)
    found: dict[tuple[str, str, int], Deviation] = {}
    for character in draw(_TEXT):
        deviation = _decode(ord(character) - _FIRST, start, kinds)
        found.setdefault((deviation.where, deviation.op, deviation.nth), deviation)
    return Script(deviations=sorted(found.values()))


_WINDOWS = st.one_of(st.just(0), st.integers(0, 15), st.integers(0, 255), st.integers(0, _WINDOW_MAX))


def _decode(code: int, start: int, kinds: tuple[tuple[str, str], ...]) -> Deviation:
    """The deviation that 20 bits mean: kind 3, place 2, nth 2, amount 1; then which is more (2), and how."""
    kind, place, nth, amount = code & 7, code >> 3 & 3, code >> 5 & 3, code >> 7 & 1
    widened, more = code >> 8 & 3, code >> 10
    if widened == 0:
        kind += more  # all of the kinds, the rare ones among them
    elif widened == 1:
        amount += more << 1
    elif widened == 2:
        nth += more << 2
    else:
        place += more << 2 & 28
    op, outcome = kinds[kind % len(kinds)]
    number, side = 1 + place // 2, place % 2
    if op in ("connect", "life"):
        where = f"#{number} client"
    elif op == "turn":
        where = f"#{number} host" if side else "#1 network"
    elif PLACES[op] == "end":
        where = f"#{number} {'server' if side else 'client'}"
    else:
        where = f"#{1 + place} {_ALIASES[PLACES[op]]}"
    first = 1 if op in _SELDOM else 1 + start
    return Deviation(where, op, first + nth, outcome, _amount(op, outcome, amount))


def _amount(op: str, outcome: str, rank: int) -> int:
    """The amount that a rank means: an outcome with fixed amounts has it by place, others by number.

    A byte count is a position in a stream of unknown length: ranks count from the front (1 2 3 ...); rank 0
    is 0, which wraps to the last position, where a delimiter is likely to be.
    """
    kind = outcome_of(op, outcome)
    amounts = kind.amounts(0) if kind.words.holes else (0,)
    return amounts[rank % len(amounts)] if amounts else rank


def scripts(only: Collection[tuple[str, str]] = EVERY) -> st.SearchStrategy[Script]:
    """Scripts of deviations, from none to some hundred, for `Network(script=...)`.

    Args:
        only: the kinds of deviation to draw, as (operation, outcome): `EVERY`, `GENTLE`, or your own choice.
    """
    kinds = tuple(kind for kind in _KINDS if kind in only)
    if not kinds:
        raise UsageError(f"none of {sorted(only)} can be drawn; there are {', '.join(map(str, _KINDS))}")
    return _drawn_scripts(kinds)


def networks(only: Collection[tuple[str, str]] = EVERY, **options: Any) -> st.SearchStrategy[Network]:
    """A fresh `Network` for every example, whose script is drawn.

    A failing example prints its network as an expression, ``Network(script=Script(...))``, that can be
    given to ``@example(net=...)``.  Every deviation that happened is a Hypothesis event.

    Args:
        only: as for `scripts`.
        options: passed to `Network`.
    """
    return scripts(only).map(lambda script: _network(script, options))


def _network(script: Script, options: dict[str, Any]) -> Network:
    network = Network(script, **options)
    network.recording.listener = _tell
    return network


def _tell(deviation: Deviation) -> None:
    if currently_in_test_context():
        event(f"{deviation.op} {deviation.outcome}")
