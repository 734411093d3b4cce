"""How decisions are written down: sparse, in words that a person would use, and read back from them.

A `Deviation` is one pick that was not 0, anchored on what a person would say: *the 2nd send of
client:1 -> server:7 takes 1 byte*.  A `Happening` befalls the network at a time.  A `Script` is some of
both, of the rules that stand, and of what the program drew.  Such a script outlives a refactoring, where a
seed or a position in a stream of numbers dies at the next edit.

Owns the words, in both directions.  What is possible at an operation is `outcomes`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any, TypeAlias

import attrs

from .errors import UsageError
from .happenings import HAPPENINGS
from .outcomes import OUTCOMES, check_amount, outcome_of
from .rules import Rule, parse_rule
from .units import duration, duration_ns
from .words import ordinal
from .workload import Draw, parse_draw


def _known_op(instance: object, attribute: object, value: str) -> None:
    if value not in OUTCOMES:
        raise UsageError(f"no operation {value!r}; there are {', '.join(OUTCOMES)}")


def _known_outcome(deviation: Deviation, attribute: object, value: str) -> None:
    outcome_of(deviation.op, value)


def _from_one(instance: object, attribute: object, value: int) -> None:
    if value < 1:
        raise UsageError(f"nth counts from 1, not {value}")


@attrs.frozen(order=True, repr=False)
class Deviation:
    """One thing that did not go as on the textbook network.  `str()` says it as a sentence.

    `where` is a name as in `Point.where`, and then the amount is exact and `nth` counts from 1; or an
    alias as in `Point.alias`, and then an amount that is too large for its operation is wrapped.
    """

    where: str
    op: str = attrs.field(validator=_known_op)
    nth: int = attrs.field(validator=_from_one)
    outcome: str = attrs.field(validator=_known_outcome)
    amount: int = attrs.field(default=0, validator=attrs.validators.ge(0))

    def __repr__(self) -> str:
        return _expression(self, *attrs.astuple(self)[: 5 if self.amount else 4])

    def __str__(self) -> str:
        return f"the {ordinal(self.nth)} {self.op} of {self.where} {self.effect}"

    @property
    def effect(self) -> str:
        """The sentence's verb: ``takes 1 byte``."""
        return outcome_of(self.op, self.outcome).words.write(self.amount)

    @property
    def wraps(self) -> bool:
        return self.where.startswith("#")


def _known_happening(instance: object, attribute: object, value: str) -> None:
    if value not in HAPPENINGS:
        raise UsageError(f"nothing that happens is called {value!r}; there are {', '.join(HAPPENINGS)}")


@attrs.frozen(order=True, repr=False)
class Happening:
    """Something that befalls the network at a time; `simnet.happenings.HAPPENINGS` lists what there is.

    `groups` are the host names of each side: two for a partition, one for the host that crashes, none to
    heal.  `amounts` are durations in ns, and counts, in the order of its words.
    """

    at_ns: int
    what: str = attrs.field(validator=_known_happening)
    groups: tuple[tuple[str, ...], ...] = ()
    amounts: tuple[int, ...] = ()

    def __attrs_post_init__(self) -> None:
        kind = HAPPENINGS[self.what]
        given: tuple[Any, ...] = (*self.groups, *self.amounts)
        if (len(self.groups), len(self.amounts)) != (kind.sides, kind.amounts):
            raise UsageError(f"{self.what} is written {kind.words.example!r}; given was {given!r}")
        for hole, value in zip(kind.words.holes, given, strict=True):
            if (hole == "count" and value < 1) or (hole == "host" and len(value) != 1) or value == ():
                raise UsageError(f"{self.what} is written {kind.words.example!r}; {value!r} is no {hole}")

    def __repr__(self) -> str:
        given = (self.groups, self.amounts) if self.amounts else (self.groups,) if self.groups else ()
        return _expression(self, self.at_ns, self.what, *given)

    def __str__(self) -> str:
        return f"at {duration(self.at_ns)} {self.effect}"

    @property
    def effect(self) -> str:
        """What happens, without when: ``partition a and b from c``."""
        return HAPPENINGS[self.what].words.write(*self.groups, *self.amounts)


Item: TypeAlias = Deviation | Happening | Rule | Draw
"""What a script is made of: each is one sentence."""


def _deviations(items: Iterable[Deviation]) -> tuple[Deviation, ...]:
    return tuple(items)


def _happenings(items: Iterable[Happening]) -> tuple[Happening, ...]:
    return tuple(items)


def _rules(items: Iterable[Rule]) -> tuple[Rule, ...]:
    return tuple(items)


def _draws(items: Iterable[Draw]) -> tuple[Draw, ...]:
    return tuple(items)


@attrs.frozen(repr=False)
class Script:
    """Calm, but for what is named here: sparse, readable, written by people or recorded from a run."""

    deviations: tuple[Deviation, ...] = attrs.field(default=(), converter=_deviations)
    happenings: tuple[Happening, ...] = attrs.field(default=(), converter=_happenings)
    rules: tuple[Rule, ...] = attrs.field(default=(), converter=_rules)
    draws: tuple[Draw, ...] = attrs.field(default=(), converter=_draws)

    def __repr__(self) -> str:
        lists = [list(each) for each in (self.deviations, self.happenings, self.rules, self.draws)]
        while lists and not lists[-1]:
            lists.pop()
        return _expression(self, *lists)

    def __len__(self) -> int:
        return len(self.deviations) + len(self.happenings) + len(self.rules) + len(self.draws)

    def __str__(self) -> str:
        return "\n".join(self.sentences()) or "calm"

    def sentences(self) -> list[str]:
        """One sentence an item, in order; `parse` reads them back."""
        return [str(item) for item in self.items()]

    def items(self) -> tuple[Item, ...]:
        return (*self.deviations, *self.happenings, *self.rules, *self.draws)

    @classmethod
    def of(cls, items: Iterable[Item]) -> Script:
        """The script of a mixed list."""
        items = tuple(items)
        return cls(
            deviations=[item for item in items if isinstance(item, Deviation)],
            happenings=[item for item in items if isinstance(item, Happening)],
            rules=[item for item in items if isinstance(item, Rule)],
            draws=[item for item in items if isinstance(item, Draw)],
        )


def _expression(value: object, *arguments: object) -> str:
    """A repr that evaluates, as short as it can be: scripts are printed for people to keep."""
    return f"{type(value).__name__}({', '.join(map(repr, arguments))})"


_DEVIATION = re.compile(r"(?:the )?(\d+)(?:st|nd|rd|th) (\w+) of (.+)")
_HAPPENING = re.compile(r"at ([\d.]+ ?[a-zµ]+) (.+)")


def parse(sentence: str) -> Item:
    """Read one sentence, as `str()` of a Deviation, a Happening, a Rule or a Draw writes it.

    Raises UsageError that says what was not understood and what would be.
    """
    text = " ".join(sentence.split())
    if happening := _HAPPENING.fullmatch(text):
        return _parse_happening(duration_ns(happening[1]), happening[2])
    if (rule := parse_rule(text)) is not None:
        return rule
    if (draw := parse_draw(text)) is not None:
        return draw
    if match := _DEVIATION.fullmatch(text):
        return _parse_deviation(int(match[1]), match[2], match[3])
    raise UsageError(
        f"not understood: {sentence!r}; write 'the 2nd send of client:1 -> server:7 takes 1 byte', "
        "'at 1.5s partition client from server' or 'every send on client takes 1 byte'"
    )


def _parse_deviation(nth: int, op: str, rest: str) -> Deviation:
    if op not in OUTCOMES:
        raise UsageError(f"no operation {op!r}; there are {', '.join(OUTCOMES)}")
    for outcome in OUTCOMES[op]:
        if match := re.fullmatch(f"(.+?) {outcome.words.pattern}", rest):
            where, *texts = match.groups()
            amounts = outcome.words.values(tuple(texts))
            found = Deviation(where, op, nth, outcome.name, *amounts)
            if not (found.wraps and outcome.words.holes and not outcome.amounts(0)):
                check_amount(op, outcome, *amounts)
            return found
    known = "; ".join(outcome.words.example for outcome in OUTCOMES[op])
    raise UsageError(f"what happens to the {op} is not understood in {rest!r}; a {op} {known}")


def _parse_happening(at_ns: int, text: str) -> Happening:
    for name, kind in HAPPENINGS.items():
        values = kind.words.read(text)
        if values is not None:
            return Happening(at_ns, name, values[: kind.sides], values[kind.sides :])
    known = [kind.words.example for kind in HAPPENINGS.values()]
    verbs = get_close_matches(text.split()[0], [words.split()[0] for words in known], cutoff=0.7)
    meant = "; ".join([words for words in known if words.split()[0] in verbs] or known)
    raise UsageError(f"what happens is not understood in {text!r}; write {meant}")
