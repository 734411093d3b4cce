"""A run is its choices: what a network may decide, who decides it, and how a decision is written down.

Wherever a network could do one thing or another it asks for a *pick*: it names the `Point` (which
connection, which operation, the first or the tenth) and the number of options, of which option 0 is the
mildest, the one of a textbook network.  Whoever answers makes the run:

* `Calm` answers 0, always;
* `Scripted` answers 0 but for the deviations named in a `Script`;
* `Seeded` is a storm, reproducible from one number;
* `Recording` wraps any of them and keeps the picks that were not 0, as the Script that replays the run.

A pick is a number, and a number says nothing to a person; so for every operation `OUTCOMES` says what
its options are.  A `Deviation` is one non-zero pick in these words, anchored on what a person would
say: *the 2nd send of client:1 -> server:7 takes 1 byte*.  Such a script outlives a refactoring, where
a seed or a position in a stream of numbers dies at the next edit.

This module owns the words and the suppliers.  It does not know what a byte or a segment is for.
"""

from __future__ import annotations

import errno
import random
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import lru_cache

import attrs

from .errors import UsageError
from .units import duration, duration_ns

# --- what may be decided -----------------------------------------------------------------------


@attrs.frozen
class Outcome:
    """One kind of thing that may happen at an operation, from mild to severe in its amount.

    `amounts` maps the size of the operation (bytes, ready channels, nanoseconds) to the amounts that
    are possible then; an outcome without an amount has the one amount 0.
    """

    name: str
    words: str
    amounts: Callable[[int], Sequence[int]]


def _once(size: int) -> Sequence[int]:
    return (0,)


def _part_of(size: int) -> Sequence[int]:
    return range(size - 1, 0, -1)


def _up_to(size: int) -> Sequence[int]:
    return range(1, size + 1)


def _delays(size: int) -> Sequence[int]:
    return _DELAYS_NS


def _accept_errors(size: int) -> Sequence[int]:
    return _ACCEPT_ERRORS


def _few(size: int) -> Sequence[int]:
    return (1, 2, 3)


_DELAYS_NS = tuple(duration_ns(text) for text in ("1ms", "5ms", "20ms", "100ms", "500ms", "2s", "10s", "60s"))
_ACCEPT_ERRORS = (errno.ECONNABORTED, errno.EMFILE, errno.ENFILE, errno.ENOBUFS)

OUTCOMES: dict[str, tuple[Outcome, ...]] = {
    "connect": (
        Outcome("loses", "loses {count} SYN", _few),
        Outcome("refused", "is refused", _once),
    ),
    "accept": (
        Outcome("again", "is told to try again", _once),
        Outcome("fails", "fails with {errno}", _accept_errors),
    ),
    "send": (
        Outcome("takes", "takes {bytes}", _part_of),
        Outcome("again", "is told to try again", _once),
        Outcome("reset", "is reset", _once),
    ),
    "recv": (
        Outcome("again", "is told to try again", _once),
        Outcome("reset", "is reset", _once),
    ),
    "segment": (
        Outcome("late", "comes {duration} late", _delays),
        Outcome("cut", "is cut after {bytes}", _part_of),
        Outcome("lost", "is lost", _once),
        Outcome("reset", "is reset", _once),
    ),
    "jitter": (Outcome("late", "adds {duration}", _up_to),),
    "turn": (Outcome("first", "starts with ready number {count}", lambda size: range(2, size + 1)),),
}
"""Every operation at which a network may deviate, with its outcomes from mild to severe.

=========  =====================  ====================================================================
operation  belongs to             the size of a Point
=========  =====================  ====================================================================
connect    a connection's opener  0
accept     a listener             0
send       an end                 bytes that would be taken
recv       an end                 bytes that would be returned
segment    an end                 bytes in the segment it emits
jitter     an end                 the link's jitter, ns
turn       a host, the network    how many channels (or hosts) are ready at once
=========  =====================  ====================================================================
"""


GENTLE = frozenset(
    {
        ("connect", "loses"),
        ("accept", "again"),
        ("send", "takes"),
        ("send", "again"),
        ("recv", "again"),
        ("segment", "late"),
        ("segment", "cut"),
        ("segment", "lost"),
        ("jitter", "late"),
        ("turn", "first"),
    }
)
"""What TCP hides from a program that is right: everything arrives, only not as on the textbook network.

A program that fails in gentle weather is wrong; one that fails when a connection is reset may have
every right to.
"""

EVERY = frozenset((op, outcome.name) for op, outcomes in OUTCOMES.items() for outcome in outcomes)
"""Every kind of deviation, as (operation, outcome)."""


@lru_cache(maxsize=4096)
def options(op: str, size: int) -> int:
    """How many options a pick at operation `op` has, the calm one included."""
    return 1 + sum(len(outcome.amounts(size)) for outcome in OUTCOMES[op])


def option(op: str, size: int, index: int) -> tuple[str, int]:
    """What option `index` (not 0) means: the outcome's name and its amount."""
    rest = index - 1
    for outcome in OUTCOMES[op]:
        amounts = outcome.amounts(size)
        if rest < len(amounts):
            return outcome.name, amounts[rest]
        rest -= len(amounts)
    raise AssertionError(f"{op} of size {size} has no option {index}")


def option_index(op: str, size: int, name: str, amount: int, wrap: bool = False) -> int:
    """The option that does `name` with `amount`; 0 where that is not possible at this size.

    With `wrap`, an amount that is out of range means one that is in range: drawn scripts do not know
    the sizes that they will meet.
    """
    index = 1
    for outcome in OUTCOMES[op]:
        amounts = outcome.amounts(size)
        if outcome.name == name:
            if amount in amounts:
                return index + amounts.index(amount)
            return index + amount % len(amounts) if wrap and amounts else 0
        index += len(amounts)
    raise UsageError(f"{op!r} has no outcome {name!r}; it has {', '.join(o.name for o in OUTCOMES[op])}")


@attrs.define
class Point:
    """Where a pick is made: the `nth` operation `op` of `where`, of the given size.

    `where` is a name: an end (``client:1 -> server:80``), a listener (``server:80``), a host or
    ``network``.  `alias` names the same place by its order in the run (``#1 client``, ``#1 server``,
    ``#1 listener``, ``#1 host``), which is all that a script drawn before the run can know.
    """

    where: str
    alias: str
    op: str
    nth: int
    size: int


# --- how a decision is written down --------------------------------------------------------------


def _known_op(instance: object, attribute: object, value: str) -> None:
    if value not in OUTCOMES:
        raise UsageError(f"no operation {value!r}; there are {', '.join(OUTCOMES)}")


def _known_outcome(deviation: Deviation, attribute: object, value: str) -> None:
    _outcome(deviation.op, value)


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
        words = _outcome(self.op, self.outcome).words
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


def _outcome(op: str, name: str) -> Outcome:
    for outcome in OUTCOMES[op]:
        if outcome.name == name:
            return outcome
    raise UsageError(f"{op!r} has no outcome {name!r}; it has {', '.join(o.name for o in OUTCOMES[op])}")


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


# --- who decides ---------------------------------------------------------------------------------


class Choices(ABC):
    """Who supplies the picks of one run.  One supplier serves one run; it may keep state."""

    def watches(self, where: str, alias: str) -> bool:
        """Whether a pick at this place could be anything but 0.  False lets the place go unasked."""
        return True

    @abstractmethod
    def pick(self, label: Point, count: int) -> int:
        """Choose one of `count` options, 0 <= pick < count; 0 is the mildest."""

    def again(self) -> Choices:
        """A fresh supplier of the same picks, for a second run."""
        raise UsageError(f"{type(self).__name__} cannot supply a second run")


class Calm(Choices):
    """The textbook network: every pick is 0."""

    def again(self) -> Calm:
        return Calm()

    def watches(self, where: str, alias: str) -> bool:
        return False

    def pick(self, label: Point, count: int) -> int:
        return 0


class Scripted(Choices):
    """Calm but for the deviations of a Script.  `unmet()` tells which never found their moment."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self._plan = {(d.where, d.op, d.nth): d for d in script.deviations}
        self._places = {d.where for d in script.deviations}
        self._met: dict[Deviation, None] = {}

    def watches(self, where: str, alias: str) -> bool:
        return where in self._places or alias in self._places

    def pick(self, label: Point, count: int) -> int:
        plan = self._plan.get((label.where, label.op, label.nth))
        plan = plan or self._plan.get((label.alias, label.op, label.nth))
        if plan is None:
            return 0
        index = option_index(label.op, label.size, plan.outcome, plan.amount, plan.wraps)
        if index:
            self._met[plan] = None
        return index

    def again(self) -> Scripted:
        return Scripted(self.script)

    def unmet(self) -> tuple[Deviation, ...]:
        """The deviations that did not happen: their moment never came, or did not allow them."""
        return tuple(d for d in self._plan.values() if d not in self._met)


class Seeded(Choices):
    """A storm, reproducible from one number.

    Each storm has its own character (swarm testing, Groce et al., ISSTA 2012): which kinds of outcome
    it knows at all and how often each operation deviates are drawn first, so that some storms only
    cut, some only reset, some do a little of everything.  Order and faults are drawn from separate
    streams, so that one more draw in one does not shift the other.
    """

    def __init__(self, seed: int, only: Collection[tuple[str, str]] = EVERY) -> None:
        """`only` bounds what may happen, as (operation, outcome): `EVERY`, `GENTLE` or a choice of these."""
        if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
            raise UsageError(f"a seed is a whole number from 0 on, not {seed!r}")
        self.seed, self.only = seed, only
        character = random.Random(2 * seed)
        self._order = random.Random(4 * seed + 1)
        self._faults = random.Random(4 * seed + 3)
        self._orderly = character.getrandbits(1) or ("turn", "first") not in only
        self._steady = ("jitter", "late") not in only
        self._known = {
            op: [o for o in outcomes if character.getrandbits(1) and (op, o.name) in only]
            for op, outcomes in OUTCOMES.items()
            if op not in ("turn", "jitter")
        }
        self._spacing_bits = {op: character.randrange(1, 7) for op in self._known}
        self._countdown = {op: self._spacing(op) for op in self._known}

    def again(self) -> Seeded:
        return Seeded(self.seed, self.only)

    def _spacing(self, op: str) -> int:
        return 1 + self._faults.getrandbits(self._spacing_bits[op])

    def pick(self, label: Point, count: int) -> int:
        op = label.op
        if op == "turn":
            return 0 if self._orderly else self._order.randrange(count)
        if op == "jitter":
            return 0 if self._steady else self._faults.randrange(count)
        self._countdown[op] = left = self._countdown[op] - 1
        if left:
            return 0
        self._countdown[op] = self._spacing(op)
        possible = [o for o in self._known[op] if len(o.amounts(label.size))]
        if not possible:
            return 0
        outcome = self._faults.choice(possible)
        amount = self._faults.choice(outcome.amounts(label.size))
        return option_index(op, label.size, outcome.name, amount)


class Recording(Choices):
    """Asks another supplier and keeps every pick that was not 0, in order, as deviations."""

    def __init__(self, inner: Choices) -> None:
        self.inner = inner
        self.deviations: list[Deviation] = []
        self.listener: Callable[[Deviation], object] | None = None  # is told of each, as it happens

    def watches(self, where: str, alias: str) -> bool:
        return self.inner.watches(where, alias)

    def pick(self, label: Point, count: int) -> int:
        index = self.inner.pick(label, count)
        assert 0 <= index < count, f"{self.inner!r} picked {index} of {count} at {label}"
        if index:
            self.record(label, index)
        return index

    def record(self, label: Point, index: int) -> Deviation:
        """Keep a deviation that somebody else decided."""
        name, amount = option(label.op, label.size, index)
        deviation = Deviation(label.where, label.op, label.nth, name, amount)
        self.deviations.append(deviation)
        if self.listener is not None:
            self.listener(deviation)
        return deviation

    def script(self) -> Script:
        """What was recorded so far: replayed, it makes the same run."""
        return Script(deviations=self.deviations)
