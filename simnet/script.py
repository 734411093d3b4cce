"""How decisions are written down: sparse, in words that a person would use, and read back from them.

A `Deviation` is one pick that was not 0, anchored on what a person would say: *the 2nd send of
client:1 -> server:7 takes 1 byte*.  A `Happening` befalls the network at a time.  A `Script` is some of
both.  Such a script outlives a refactoring, where a seed or a position in a stream of numbers dies at the
next edit.

Owns the words, in both directions.  What is possible at an operation is `outcomes`.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Callable, Iterable

import attrs

from .errors import UsageError
from .outcomes import OUTCOMES, outcome_of
from .units import duration, duration_ns


def _known_op(instance: object, attribute: object, value: str) -> None:
    if value not in OUTCOMES:
        raise UsageError(f"no operation {value!r}; there are {', '.join(OUTCOMES)}")


def _known_outcome(deviation: Deviation, attribute: object, value: str) -> None:
    outcome_of(deviation.op, value)


@attrs.frozen(order=True, repr=False)
class Deviation:
    """One thing that did not go as on the textbook network.  `str()` says it as a sentence.

    `where` is a name as in `Point.where`, and then the amount is exact and `nth` counts from 1; or an
    alias as in `Point.alias`, and then an amount that is too large for its operation is wrapped.
    """

    where: str
    op: str = attrs.field(validator=_known_op)
    nth: int = attrs.field(validator=attrs.validators.ge(1))
    outcome: str = attrs.field(validator=_known_outcome)
    amount: int = attrs.field(default=0, validator=attrs.validators.ge(0))

    def __repr__(self) -> str:
        return _expression(self, *attrs.astuple(self)[: 5 if self.amount else 4])

    def __str__(self) -> str:
        return f"the {ordinal(self.nth)} {self.op} of {self.where} {self.effect}"

    @property
    def effect(self) -> str:
        """The sentence's verb: ``takes 1 byte``."""
        words = outcome_of(self.op, self.outcome).words
        return _HOLE.sub(lambda hole: _UNITS[hole.group(1)].write(self.amount), words)

    @property
    def wraps(self) -> bool:
        return self.where.startswith("#")


@attrs.frozen(order=True, repr=False)
class Happening:
    """Something that befalls the network at a time: ``partition``, ``heal``, ``crash``, ``restart``.

    `groups` are host names: the two sides of a partition, or the one host that crashes or restarts.
    """

    at_ns: int
    what: str = attrs.field(validator=attrs.validators.in_(("partition", "heal", "crash", "restart")))
    groups: tuple[tuple[str, ...], ...] = ()

    def __repr__(self) -> str:
        return _expression(self, self.at_ns, self.what, *([self.groups] if self.groups else []))

    def __str__(self) -> str:
        sides = " from ".join(" and ".join(group) for group in self.groups)
        return f"at {duration(self.at_ns)} {self.what} {sides}".rstrip()


def _deviations(items: Iterable[Deviation]) -> tuple[Deviation, ...]:
    return tuple(items)


def _happenings(items: Iterable[Happening]) -> tuple[Happening, ...]:
    return tuple(items)


@attrs.frozen(repr=False)
class Script:
    """Calm, but for what is named here: sparse, readable, written by people or recorded from a run."""

    deviations: tuple[Deviation, ...] = attrs.field(default=(), converter=_deviations)
    happenings: tuple[Happening, ...] = attrs.field(default=(), converter=_happenings)

    def __repr__(self) -> str:
        lists = (list(self.deviations), list(self.happenings))
        return _expression(self, *(lists if self.happenings else lists[: len(self.deviations) > 0]))

    def __len__(self) -> int:
        return len(self.deviations) + len(self.happenings)

    def __str__(self) -> str:
        return "\n".join(self.sentences()) or "calm"

    def sentences(self) -> list[str]:
        """One sentence a deviation or happening, in order; `parse` reads them back."""
        return [str(item) for item in self.items()]

    def items(self) -> tuple[Deviation | Happening, ...]:
        return (*self.deviations, *self.happenings)

    @classmethod
    def of(cls, items: Iterable[Deviation | Happening]) -> Script:
        """The script of a mixed list."""
        items = tuple(items)
        return cls(
            deviations=[item for item in items if isinstance(item, Deviation)],
            happenings=[item for item in items if isinstance(item, Happening)],
        )


def _expression(value: object, *arguments: object) -> str:
    """A repr that evaluates, as short as it can be: scripts are printed for people to keep."""
    return f"{type(value).__name__}({', '.join(map(repr, arguments))})"


@attrs.frozen
class _Unit:
    pattern: str
    write: Callable[[int], str]
    read: Callable[[str], int]


def _read_errno(text: str) -> int:
    number = getattr(errno, text, None)
    if not isinstance(number, int):
        raise UsageError(f"no errno is called {text!r}")
    return number


_UNITS = {
    "bytes": _Unit(r"\d+ bytes?", lambda n: f"{n} byte{'s' * (n != 1)}", lambda text: int(text.split()[0])),
    "count": _Unit(r"\d+", str, int),
    "duration": _Unit(r"[\d.]+ ?[a-zµ]+", duration, duration_ns),
    "errno": _Unit(r"E[A-Z0-9]+", lambda n: errno.errorcode.get(n, f"E{n}"), _read_errno),
}
_HOLE = re.compile(r"\{(\w+)\}")


def ordinal(number: int) -> str:
    """1st, 2nd, 3rd, 4th ... 11th, 12th, 13th ... 21st."""
    suffix = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{suffix}"


_DEVIATION = re.compile(r"(?:the )?(\d+)(?:st|nd|rd|th) (\w+) of (.+)")
_HAPPENING = re.compile(r"at ([\d.]+ ?[a-zµ]+) (partition|heal|crash|restart)(?: (.+))?")


def parse(sentence: str) -> Deviation | Happening:
    """Read one sentence, as `str()` of a Deviation or a Happening writes it.

    Raises UsageError that says what was not understood and what would be.
    """
    text = " ".join(sentence.split())
    if happening := _HAPPENING.fullmatch(text):
        when, what, sides = happening.groups()
        return Happening(duration_ns(when), what, _groups(what, sides or ""))
    if match := _DEVIATION.fullmatch(text):
        return _parse_deviation(int(match[1]), match[2], match[3])
    raise UsageError(
        f"not understood: {sentence!r}; write 'the 2nd send of client:1 -> server:7 takes 1 byte' "
        "or 'at 1.5s partition client from server'"
    )


def _parse_deviation(nth: int, op: str, rest: str) -> Deviation:
    if op not in OUTCOMES:
        raise UsageError(f"no operation {op!r}; there are {', '.join(OUTCOMES)}")
    for outcome in OUTCOMES[op]:
        hole = _HOLE.search(outcome.words)
        unit = _UNITS[hole[1]] if hole else None
        pattern = re.escape(outcome.words)
        if hole and unit:
            pattern = pattern.replace(re.escape(hole[0]), f"({unit.pattern})")
        if match := re.fullmatch(f"(.+?) {pattern}", rest):
            return Deviation(match[1], op, nth, outcome.name, unit.read(match[2]) if unit else 0)
    known = "; ".join(outcome.words for outcome in OUTCOMES[op])
    raise UsageError(f"what happens to the {op} is not understood in {rest!r}; a {op} {known}")


def _groups(what: str, sides: str) -> tuple[tuple[str, ...], ...]:
    groups = tuple(tuple(side.split(" and ")) for side in sides.split(" from ") if side)
    wanted = {"partition": 2, "heal": 0, "crash": 1, "restart": 1}[what]
    if len(groups) != wanted:
        form = {0: "nothing", 1: "one host", 2: "two groups: 'a and b from c'"}[wanted]
        raise UsageError(f"{what} takes {form}, not {sides!r}")
    return groups
