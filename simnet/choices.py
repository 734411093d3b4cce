"""A run is its choices: who decides what a network may decide.

Wherever a network could do one thing or another it asks for a *pick*: it names the `Point` (which
connection, which operation, the first or the tenth) and the number of options, of which option 0 is the
mildest, the one of a textbook network.  Whoever answers makes the run:

* `Calm` answers 0, always;
* `Scripted` answers 0 but for the deviations named in a `Script`;
* `Seeded` is a storm, reproducible from one number;
* `Noting` answers 0, always, and keeps what was asked;
* `Recording` wraps any of them and keeps the picks that were not 0, as the Script that replays the run.

Owns the suppliers of picks.  What the options are is `outcomes`; how a pick is written down is `script`.
"""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Sequence
from functools import cached_property
from typing import Any

import attrs

from .errors import UsageError
from .outcomes import CALLS, EVERY, ORDER, OUTCOMES, Outcome, option, option_index
from .script import Deviation, Happening, Script
from .workload import Draw, Streams, Value

_ORDERED = frozenset(op for op, _ in ORDER)
_OF_THEIR_OWN = _ORDERED | {"jitter", "step", "switch", "wake", *CALLS}  # not drawn as the others are
_BITS = (1 << 64) - 1


@attrs.define
class Point:
    """Where a pick is made: the `nth` operation `op` of `where`, of the given size.

    `where` is a name: an end (``client:1 -> server:80``), a listener (``server:80``), a host, ``network``,
    or a thread (``server/serve/worker-1``).  `alias` names the same place by its order in the run
    (``#1 client``, ``#1 server``, ``#1 listener``, ``#1 host``), which is all that a script drawn before the
    run can know.

    `data` is what the operation is about, as far as anybody knows: the bytes of a send, a segment or a
    datagram; of a turn, a next or a step, those that are ready (the labels of hosts, or pairs of descriptor
    and events); of a switch, the call at which it is.
    """

    where: str
    alias: str
    op: str
    nth: int
    size: int
    data: Any = None


class Choices(ABC):
    """Who supplies the picks of one run.  One supplier serves one run; it may keep state.

    Attributes:
        happenings: what befalls the network of that run, if it can when its moment comes.
    """

    happenings: tuple[Happening, ...] = ()

    def watches(self, where: str, alias: str) -> bool:
        """Whether a pick at this place could be anything but 0.  False lets the place go unasked."""
        return True

    def considers(self, op: str) -> bool:
        """Whether a pick of this operation could be anything but 0.  False lets a `step` or a `wake` go
        unasked, wherever it is; other operations are asked all the same."""
        return True

    @abstractmethod
    def pick(self, label: Point, count: int) -> int:
        """Choose one of `count` options, 0 <= pick < count; 0 is the mildest."""

    def workload(self, name: str, nth: int) -> Value | random.Random | None:
        """Who decides the `nth` draw of that name: a value, a stream to draw it from, or None for the
        simplest."""
        return None

    def spares(self, op: str) -> bool:
        """Whether the next pick of this operation is 0 wherever it is made: True counts as that pick.

        Asked before `pick`, which most suppliers that wait for a count of operations then need not be.
        """
        return False

    def meet(self, deviation: Deviation) -> None:  # noqa: B027  (most suppliers need not know)
        """Is told of every deviation that happened, also of those that somebody else decided."""

    def again(self) -> Choices:
        """A fresh supplier of the same picks, for a second run."""
        raise UsageError(f"{type(self).__name__} cannot supply a second run")


class Calm(Choices):
    """The textbook network: every pick is 0."""

    def __init__(self, happenings: tuple[Happening, ...] = ()) -> None:
        self.happenings = happenings

    def again(self) -> Calm:
        return Calm(self.happenings)

    def watches(self, where: str, alias: str) -> bool:
        return False

    def considers(self, op: str) -> bool:
        return False

    def pick(self, label: Point, count: int) -> int:
        return 0


@attrs.frozen
class Noted:
    """A point that was met: where, which operation, its size, and the bytes that it was about, if any."""

    where: str
    op: str
    nth: int
    size: int
    data: bytes = b""


class Noting(Choices):
    """The textbook network, and a list of everything else that it could have done: `places`, in order.

    No place comes twice: a deviation could not tell the two apart.
    """

    def __init__(self) -> None:
        self._noted: dict[tuple[str, str, int], Noted] = {}

    @property
    def places(self) -> list[Noted]:
        return list(self._noted.values())

    def again(self) -> Noting:
        return Noting()

    def pick(self, label: Point, count: int) -> int:
        key = (label.where, label.op, label.nth)
        if key not in self._noted:
            self._noted[key] = Noted(*key, label.size, _content(label))
        return 0


def _content(label: Point) -> bytes:
    """The bytes that an operation is about, as they are now."""
    return bytes(label.data) if isinstance(label.data, (bytes, bytearray, memoryview)) else b""


class Scripted(Choices):
    """Calm but for the deviations of a Script.  `unmet()` tells which never found their moment."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self._plan = {(d.where, d.op, d.nth): d for d in script.deviations}
        self._places = {d.where for d in script.deviations}
        self._ops = {d.op for d in script.deviations}
        self._met: dict[Deviation, None] = {}
        self._drawn = {(draw.name, draw.nth): draw.value for draw in script.draws}

    def watches(self, where: str, alias: str) -> bool:
        return where in self._places or alias in self._places

    def considers(self, op: str) -> bool:
        return op in self._ops

    def spares(self, op: str) -> bool:
        return op not in self._ops

    def pick(self, label: Point, count: int) -> int:
        plan = self._plan.get((label.where, label.op, label.nth))
        plan = plan or self._plan.get((label.alias, label.op, label.nth))
        if plan is None:
            return 0
        index = option_index(label.op, label.size, plan.outcome, plan.amount, plan.wraps)
        if index:
            self._met[plan] = None
        return index

    def workload(self, name: str, nth: int) -> Value | None:
        return self._drawn.get((name, nth))

    def meet(self, deviation: Deviation) -> None:
        if self._plan.get((deviation.where, deviation.op, deviation.nth)) == deviation:
            self._met[deviation] = None

    def again(self) -> Scripted:
        return Scripted(self.script)

    def unmet(self) -> tuple[Deviation, ...]:
        """The deviations that did not happen: their moment never came, or did not allow them."""
        return tuple(d for d in self._plan.values() if d not in self._met)


class Seeded(Choices):
    """A storm, reproducible from one number.

    Each storm has its own character (swarm testing, Groce et al., ISSTA 2012): which kinds of outcome
    it knows at all and how often each operation deviates are drawn first, so that some storms only
    cut, some only reset, some do a little of everything.  Order, faults, what holds a host up, and the
    workload are drawn from separate streams, so that one more draw in one does not shift the others.
    """

    def __init__(
        self,
        seed: int,
        only: Collection[tuple[str, str]] = EVERY,
        happenings: tuple[Happening, ...] = (),
    ) -> None:
        """`only` bounds what may deviate, as (operation, outcome): `EVERY`, `GENTLE` or a choice of these.

        What befalls hosts is not drawn here: nobody knows them before a run.
        """
        if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
            raise UsageError(f"a seed is a whole number from 0 on, not {seed!r}")
        self.seed, self.only, self.happenings = seed, only, happenings
        character = random.Random(2 * seed)
        self._faults = random.Random(4 * seed + 3)
        self._streams = Streams(seed)
        self._shuffled = set() if character.getrandbits(1) else {each[0] for each in ORDER if each in only}
        self._steady = ("jitter", "late") not in only
        self._known = {
            op: [o for o in outcomes if not o.seldom and character.getrandbits(1) and (op, o.name) in only]
            for op, outcomes in OUTCOMES.items()
            if op not in _OF_THEIR_OWN
        }
        self._spacing_bits = {op: character.randrange(1, 7) for op in self._known}
        self._add_what_is_seldom()
        self._countdown = {op: self._spacing(op) for op in self._known}  # to the next pick that is not spared
        self._holds = random.Random(f"holds {seed}")
        # One storm in four: what is held up meets much at once, and so hides what comes piece by piece.
        self._is_held_up = not self._holds.getrandbits(2) and ("step", "held") in only
        self._hold_bits = self._holds.randrange(1, 7)
        self._steps_left = self._steps_between()

    def _add_what_is_seldom(self) -> None:
        """Each with one chance in eight, from bits that nothing else is drawn from."""
        bits = _scrambled(self.seed)
        for op, known in self._known.items():
            for outcome in OUTCOMES[op]:
                if outcome.seldom:
                    if not bits & 7 and (op, outcome.name) in self.only:
                        known.append(outcome)
                    bits >>= 3

    # To make a stream takes longer than a message, and where one at a time is ready nobody draws from these.

    @cached_property
    def _order(self) -> random.Random:
        return random.Random(4 * self.seed + 1)

    @cached_property
    def _rest(self) -> random.Random:
        return random.Random(f"rest {self.seed}")

    @cached_property
    def _switches(self) -> _Spaced:
        return _Spaced("switch", f"switches {self.seed}", self.only)

    @cached_property
    def _wakes(self) -> _Spaced:
        return _Spaced("wake", f"wakes {self.seed}", self.only)

    def again(self) -> Seeded:
        return Seeded(self.seed, self.only, self.happenings)

    def workload(self, name: str, nth: int) -> random.Random:
        return self._streams(name)

    def watches(self, where: str, alias: str) -> bool:
        return not self._steady or any(self._known.values())  # else only the order may be another

    def _spacing(self, op: str) -> int:
        return 1 + self._faults.getrandbits(self._spacing_bits[op])

    def spares(self, op: str) -> bool:
        left = self._countdown.get(op, 1) - 1
        if left:
            self._countdown[op] = left
        return left > 0

    def _steps_between(self) -> int:
        return 1 + self._holds.getrandbits(self._hold_bits)

    def considers(self, op: str) -> bool:
        return ("wake", "first") in self.only if op == "wake" else op != "step" or self._is_held_up

    def pick(self, label: Point, count: int) -> int:
        op = label.op
        if op in _ORDERED:
            stream = self._rest if op == "next" else self._order
            return stream.randrange(count) if op in self._shuffled else 0
        if op == "step":
            self._steps_left -= 1
            if self._steps_left or not self._is_held_up:
                return 0
            self._steps_left = self._steps_between()
            return self._holds.randrange(1, count)
        if op in ("switch", "wake"):
            return (self._switches if op == "switch" else self._wakes).pick(label)
        if op == "jitter":
            return 0 if self._steady else self._faults.randrange(count)
        if op in CALLS or self.spares(op):
            return 0
        self._countdown[op] = self._spacing(op)
        return _drawn(self._faults, self._known[op], label)


class _Spaced:
    """Where the threads, or the tasks, of one storm let others go first: its kinds, one place in so many."""

    def __init__(self, op: str, stream: str, only: Collection[tuple[str, str]]) -> None:
        self._random = random.Random(stream)
        outcomes = [each for each in OUTCOMES[op] if (op, each.name) in only]
        self._known = [each for each in outcomes if self._random.getrandbits(1)]
        self._bits = self._random.randrange(6)
        self._left = self._between()

    def _between(self) -> int:
        return 1 + self._random.getrandbits(self._bits)

    def pick(self, label: Point) -> int:
        self._left -= 1
        if self._left:
            return 0
        self._left = self._between()
        return _drawn(self._random, self._known, label)


def _drawn(stream: random.Random, known: Sequence[Outcome], label: Point) -> int:
    """One of the outcomes that are possible at a point, and an amount of it; 0 if there is none."""
    possible = [each for each in known if len(each.amounts(label.size))]
    if not possible:
        return 0
    outcome = stream.choice(possible)
    return option_index(label.op, label.size, outcome.name, stream.choice(outcome.amounts(label.size)))


def _scrambled(seed: int) -> int:
    """64 bits of a number (splitmix64: Steele, Lea and Flood, OOPSLA 2014): a stream would cost far more."""
    bits = (seed + 1) * 0x9E3779B97F4A7C15 & _BITS
    bits = (bits ^ bits >> 30) * 0xBF58476D1CE4E5B9 & _BITS
    bits = (bits ^ bits >> 27) * 0x94D049BB133111EB & _BITS
    return bits ^ bits >> 31


class Recording(Choices):
    """Asks another supplier and keeps every pick that was not 0, in order, as deviations."""

    def __init__(self, inner: Choices) -> None:
        self.inner = self.asked = inner
        self.deviations: list[Deviation] = []
        self.contents: list[bytes] = []  # what the operations of these were about
        self.draws: list[Draw] = []
        self.listener: Callable[[Deviation], object] | None = None  # is told of each, as it happens

    def watches(self, where: str, alias: str) -> bool:
        return self.inner.watches(where, alias)

    def considers(self, op: str) -> bool:
        return self.asked.considers(op)

    def pick(self, label: Point, count: int) -> int:
        index = self.asked.pick(label, count)
        assert 0 <= index < count, f"{self.inner!r} picked {index} of {count} at {label}"
        if index:
            self.record(label, index)
        return index

    def clear_up(self) -> None:
        """From now on every pick is 0."""
        self.asked = Calm()

    def record(self, label: Point, index: int) -> Deviation:
        """Keep a deviation that somebody else decided."""
        name, amount = option(label.op, label.size, index)
        deviation = Deviation(label.where, label.op, label.nth, name, amount)
        self.deviations.append(deviation)
        self.contents.append(_content(label))
        self.inner.meet(deviation)
        if self.listener is not None:
            self.listener(deviation)
        return deviation

    def script(self) -> Script:
        """What was recorded so far: replayed, it makes the same run."""
        return Script(deviations=self.deviations, draws=self.draws)
