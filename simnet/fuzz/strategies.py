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
from ..outcomes import EVERY, ORDER, PLACES, outcome_of
from ..rules import ANYWHERE, Rule
from ..script import Deviation, Script
from ..virtual import Network
from .shares import ENTRIES, Entry, amounts, entries, family, kinds_drawn

# One character is 16 bits, from U+10000 on: a range without gaps, in which Hypothesis draws four of
# five characters from the first 256 and shrinks towards the first, which means nothing at all.
_FIRST = 0x10000
_LAST = 0x1FFFF

_NONE = 96
"""Of `ENTRIES` characters so many mean, in the first ones of a text, that there is nothing of the kind."""

_FAMILIES = ("stream", "stream", "order", "datagram", "harsh")
_HEAD_SIZE = len(_FAMILIES) + 2  # then the rule, and where the window opens
_WINDOWS = (*[0] * 208, *[round(1.26**step) for step in range(48)])
_TEXT = st.text(
    st.characters(min_codepoint=_FIRST, max_codepoint=_LAST), min_size=_HEAD_SIZE + 9, max_size=1024
)

_RULES_SHARE = 80
_RULED = frozenset(
    {("segment", "cut"), ("segment", "crumbles"), ("segment", "late"), ("send", "takes"), *ORDER}
)
_RULE_TIMES = (1, 2, 8, 64)

_SELDOM = ("connect", "life", "accept", "lookup")  # a window that is far into a run finds none of them
_ALIASES = {"listener": "listener", "socket": "udp", "host": "host", "thread": "thread"}


def _cells() -> list[tuple[int, int, int, int]]:
    """What the first characters mean, after that of nothing: which entry, place, nth operation, how many."""
    whats = (5, 5, 4, 3, 3)
    places, nths = (10, 10, 6, 6, 3, 3, 2, 2), (8, 5, 4, 3, 2, 2, 1, 1, 1, 1)
    spans = (1, 1, 2, 8)
    rare = random.Random(0)
    found = [
        tuple(rare.choices(range(len(w)), w)[0] for w in (whats, places, nths, (4, 2, 1, 1)))
        for _ in range(ENTRIES - 1)
    ]
    return [(w, p, n, spans[s]) for s, n, p, w in sorted((s, n, p, w) for w, p, n, s in found)]


_CELLS = _cells()


@attrs.frozen
class _Tables:
    """What characters mean under one set of weather."""

    families: tuple[tuple[Entry | None, ...], ...]
    rules: tuple[Rule | None, ...]

    @classmethod
    def of(cls, kinds: Sequence[tuple[str, str]]) -> _Tables:
        by_family = {name: entries(kind for kind in kinds if family(kind) == name) for name in _FAMILIES}
        ruled = [entry for kind in kinds if kind in _RULED for entry in _ruled(*kind)]
        rules = [_rule(entry, times) for entry in ruled for times in _RULE_TIMES]
        return cls(
            tuple(_after_none(by_family[name], _NONE) for name in _FAMILIES),
            _after_none(rules, ENTRIES - _RULES_SHARE),
        )


def _after_none(items: Sequence[Any], none: int) -> tuple[Any, ...]:
    """`ENTRIES` items, so many of them None; the others spread evenly."""
    if not items:
        return (None,) * ENTRIES
    some = ENTRIES - none
    return (*[None] * none, *[items[len(items) * slot // some] for slot in range(some)])


def _rule(entry: Entry, times: int) -> Rule:
    return Rule(where=ANYWHERE, op=entry.op, outcome=entry.outcome, amount=entry.amount, times=times)


def _ruled(op: str, outcome: str) -> list[Entry]:
    """Those that a rule can ask for, whose counts of bytes are exact."""
    found = list(amounts(op, outcome))
    if "bytes" in outcome_of(op, outcome).words.holes:
        found = [entry for entry in found if entry.amount and not entry.wanders][:4]
    return found[:4]


def _decoded(text: str, tables: _Tables) -> Script:
    codes = [ord(character) - _FIRST for character in text]
    chosen = [table[code & 255] for table, code in zip(tables.families, codes, strict=False)]
    rule, start = tables.rules[codes[_HEAD_SIZE - 2] & 255], _WINDOWS[codes[_HEAD_SIZE - 1] & 255]
    found: dict[tuple[str, str, int], Deviation] = {}
    for code in codes[_HEAD_SIZE:]:
        if not code:
            continue
        what, place, nth, span = _CELLS[(code & 255) - 1]
        entry = chosen[what]
        if entry is None:
            continue
        more = code >> 8
        place, nth = place + (more & 3) * 2, nth + (more >> 2 & 7)
        for each in range(nth, nth + span):
            key, deviation = _deviation(entry, place, each, start, more >> 5)
            found.setdefault(key, deviation)
    return Script(deviations=[found[key] for key in sorted(found)], rules=[rule] if rule else [])


@lru_cache(maxsize=1 << 14)
def _deviation(
    entry: Entry, place: int, nth: int, start: int, more: int
) -> tuple[tuple[str, str, int], Deviation]:
    op, number, side = entry.op, 1 + place // 2, place % 2
    first = 1 if op in _SELDOM else 1 + start
    if op in ("connect", "life"):
        where, nth, first = f"#{1 + place} client", 0, 1
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
        amount += 2 * (7 * place + 3 * nth + more)
    return (where, op, first + nth), Deviation(where, op, first + nth, entry.outcome, amount)


def scripts(only: Collection[tuple[str, str]] = EVERY) -> st.SearchStrategy[Script]:
    """Scripts of deviations, from none to some hundred, and at times a rule, for `Network(script=...)`.

    Args:
        only: the kinds of deviation to draw, as (operation, outcome): `EVERY`, `GENTLE`, or your own choice.
    """
    kinds = kinds_drawn(only)
    if not kinds:
        raise UsageError(f"none of {sorted(only)} can be drawn; see simnet.outcomes.OUTCOMES")
    tables = _Tables.of(kinds)
    return _drawn_scripts(tables)


@st.composite
def _drawn_scripts(draw: st.DrawFn, tables: _Tables) -> Script:
    return _decoded(draw(_TEXT), tables)


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
