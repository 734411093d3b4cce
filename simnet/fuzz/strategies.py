"""Hypothesis strategies: a network whose script is drawn, so that a failing example shrinks to a sentence.

What is drawn is not a decision at a time, nor a seed, but the script as one value: a text, each of whose
characters means something by itself.  So a run of any length costs one draw, and fewer, simpler characters
are a calmer run: Hypothesis's own shrinking ends at the few deviations that matter.

The first characters are the weather of the run.  Each chooses an entry of a family (`shares`), or none: two
of what happens to streams, one of orders, one of datagrams, one of what ends connections.  Then a rule that
stands for all of the run, if there is one, and the operation at which everything else begins.  A run that
does few things often finds what a run that does a little of everything does not (swarm testing: Groce et
al., ISSTA 2012).  Every further character is a place, and which of the entries happens there, once or at
several operations in a row.  Deviations are keyed by what they are (which connection, which end, which of its
operations), never by their place in a list: to remove one leaves the others as they were.

The names of connections are not known before the run, so drawn scripts use their order: ``#1 client``
is the opener's end of the first connection, ``#2 server`` the other end of the second.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import Any

import attrs
from hypothesis import currently_in_test_context, event
from hypothesis import strategies as st

from ..errors import UsageError
from ..outcomes import CORRUPTION, EVERY, HARSH, ORDER, PLACES, outcome_of
from ..rules import ANYWHERE, Rule
from ..script import Deviation, Script
from ..virtual import Network
from .shares import ENTRIES, Entry, amounts, entries, family, kinds_drawn

# One character is 16 bits, from U+10000 on: a range without gaps, in which Hypothesis draws four of
# five characters from the first 256 and shrinks towards the first, which means nothing at all.
_FIRST = 0x10000
_LAST = 0x1FFFF

# The head of a text: an entry of each family, the rule, and where the window opens.
_FAMILIES = ("stream", "stream", "order", "datagram", "harsh", "stream")
_HEAD_SIZE = len(_FAMILIES) + 2
_NONE = 96  # of 256 characters so many mean that the run has no entry there
_NO_RULE = 208
_WINDOWS = (*[0] * 208, *[round(1.26**step) for step in range(48)])
_TEXT = st.text(
    st.characters(min_codepoint=_FIRST, max_codepoint=_LAST), min_size=_HEAD_SIZE + 12, max_size=1024
)

_RULED = ORDER | {
    ("switch", "yields"),
    ("switch", "held"),
    ("segment", "cut"),
    ("segment", "crumbles"),
    ("segment", "late"),
    ("send", "takes"),
}
_RULED_AMOUNTS = 4
_TIMES = (1, 2, 8, 64)  # next to each other in the alphabet: shrinking takes one after the other

_SELDOM = ("connect", "life", "accept", "lookup")  # a window that is far into a run finds none of them
_ALIASES = {"listener": "listener", "socket": "udp", "host": "host", "thread": "thread"}


@attrs.frozen(order=True)
class _Cell:
    """What a character after the head means: so many operations in a row, from the `nth` of a place on, each
    with the entry of that number.  Ordered from simple to wild."""

    span: int
    nth: int
    place: int
    chosen: int


def _cells() -> tuple[_Cell, ...]:
    """One for each of the first 256 characters but that of nothing: the first of everything most often."""
    draw = random.Random(0)

    def one(*weights: int) -> int:
        return draw.choices(range(len(weights)), weights)[0]

    found = []
    for _ in range(ENTRIES - 1):
        chosen, place, nth = (
            one(5, 5, 4, 3, 3, 5),
            one(10, 10, 6, 6, 3, 3, 2, 2),
            one(12, 7, 4, 2, 2, 1, 1, 1),
        )
        found.append(_Cell((1, 2, 8)[one(6, 1, 1)], nth, place, chosen))
    return tuple(sorted(found))


_CELLS = _cells()


@attrs.frozen
class _Tables:
    """What characters mean under one set of weather."""

    chosen: tuple[tuple[Entry | None, ...], ...]
    rules: tuple[Rule | None, ...]


@lru_cache(maxsize=64)
def _tables(kinds: tuple[tuple[str, str], ...]) -> _Tables:
    numbered = [kind for kind in kinds if PLACES[kind[0]] != "thread"]  # a thread has no name before it runs
    by_family = {
        name: entries([kind for kind in numbered if family(kind) == name] or numbered) for name in _FAMILIES
    }
    ruled = [entry for kind in kinds if kind in _RULED for entry in _ruled(*kind)]
    rules = [_rule(entry, times) for entry in ruled for times in _TIMES]
    chosen = tuple(_after_none(by_family[name], _NONE) for name in _FAMILIES)
    return _Tables(chosen, _after_none(rules, _NO_RULE))


def _after_none(items: Sequence[Any], none: int) -> tuple[Any, ...]:
    """`ENTRIES` items, so many of them None; the others spread evenly."""
    if not items:
        return (None,) * ENTRIES
    some = ENTRIES - none
    return (*[None] * none, *[items[len(items) * slot // some] for slot in range(some)])


def _rule(entry: Entry, times: int) -> Rule:
    return Rule(where=ANYWHERE, op=entry.op, outcome=entry.outcome, amount=entry.amount, times=times)


def _ruled(op: str, outcome: str) -> list[Entry]:
    """The entries that a rule can ask for: their amounts are exact."""
    found = [entry for entry in amounts(op, outcome) if not entry.wanders]
    if "bytes" in outcome_of(op, outcome).words.holes:
        found = [entry for entry in found if entry.amount]
    return found[:_RULED_AMOUNTS]


def _decoded(text: str, tables: _Tables) -> Script:
    codes = [ord(character) - _FIRST for character in text]
    chosen = [table[code & 255] for table, code in zip(tables.chosen, codes, strict=False)]
    rule, start = tables.rules[codes[_HEAD_SIZE - 2] & 255], _WINDOWS[codes[_HEAD_SIZE - 1] & 255]
    found: dict[tuple[str, str, int], Deviation] = {}
    for code in codes[_HEAD_SIZE:]:
        low, more = code & 255, code >> 8
        cell = _CELLS[low - 1] if low else None
        entry = chosen[cell.chosen] if cell else None
        if cell is None or entry is None:
            continue
        place, nth = cell.place + 2 * (more & 3), cell.nth + (more >> 2 & 7)
        for each in range(nth, nth + cell.span):
            key, deviation = _deviation(entry, place, each, start, more >> 5)
            found.setdefault(key, deviation)
    return Script(deviations=[found[key] for key in sorted(found)], rules=[rule] if rule else [])


@lru_cache(maxsize=1 << 14)
def _deviation(
    entry: Entry, place: int, nth: int, start: int, more: int
) -> tuple[tuple[str, str, int], Deviation]:
    """An entry at an operation of a place, both counted from 0 on, and the key that it is known by."""
    op, number, side = entry.op, 1 + place // 2, place % 2
    nth += 1 if op in _SELDOM else 1 + start
    if op in ("connect", "life"):
        where, nth = f"#{1 + place} client", 1
    elif op == "turn":
        where = f"#{number} host" if side else "#1 network"
    elif PLACES[op] == "end":
        where = f"#{number} {'server' if side else 'client'}"
    elif op == "accept":
        where = f"#{1 + place // 4} listener"
    else:
        where = f"#{1 + place} {_ALIASES[PLACES[op]]}"
    amount = entry.amount
    if entry.wanders:
        amount += 2 * (7 * place + 3 * (nth - start) + more)
    return (where, op, nth), Deviation(where, op, nth, entry.outcome, amount)


def scripts(only: Collection[tuple[str, str]] = EVERY) -> st.SearchStrategy[Script]:
    """Scripts of deviations, from none to some hundred, and at times a rule, for `Network(script=...)`.

    Args:
        only: the kinds of deviation to draw, as (operation, outcome): `EVERY`, `GENTLE`, or your own choice.
    """
    kinds = kinds_drawn(only)
    if not kinds:
        known = ", ".join(map(str, kinds_drawn(HARSH | CORRUPTION)))
        raise UsageError(f"none of {sorted(only)} can be drawn; there are {known}")
    return _drawn_scripts(tuple(kinds))


@st.composite
def _drawn_scripts(draw: st.DrawFn, kinds: tuple[tuple[str, str], ...]) -> Script:
    return _decoded(draw(_TEXT), _tables(kinds))


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
