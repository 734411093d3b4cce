"""What a program draws as its workload: how many messages, of which sizes, with which bytes.

    messages = net.draw.integer("messages", 1, 5)
    for _ in range(messages):
        talker.say(net.draw.bytes("line", 80, among=b"ab\\r\\n"))

A draw is a choice like those of the network: option 0 is the simplest, which a calm run draws; a storm draws
from a stream of its own for every name, so that one more draw shifts neither faults nor the draws of other
names; and what was not the simplest is recorded as a sentence, *the 2nd line drawn is b'a\\r\\n'*, that is
replayed, kept in scenario files, and shrunk.

Why not a `random.Random`: what it draws from are fractions and bits, which say nothing to a person, know no
simplest value and no bounds, and which its methods may use otherwise in the next release of Python.

Owns the draws and their words.  Who decides them is `choices`.
"""

from __future__ import annotations

import ast
import random
import re
from abc import ABC, abstractmethod
from builtins import bytes as _bytes
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from typing import Any, Generic, TypeAlias, TypeVar

import attrs

from .errors import UsageError
from .words import ordinal

Value: TypeAlias = "bool | int | str | _bytes"
"""What can be drawn, and written in a sentence."""

T = TypeVar("T", bound=Value)
Simpler: TypeAlias = Generator[T, bool, None]
"""A search for a simpler value, which is told of each that it gives whether that one will do."""

_SIMPLE = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
EVERY_BYTE = _SIMPLE + _bytes(byte for byte in range(256) if byte not in _SIMPLE)
"""All bytes, the simplest first: digits and letters, then the others."""

_NAME = re.compile(r"[^\W\d]\w*")
_SENTENCE = re.compile(r"(?:the )?(\d+)(?:st|nd|rd|th) ([^\W\d]\w*) drawn is (.+)")
_ALIKE = re.compile(r"""(b'(?:[^'\\]|\\\w+|\\\\)'|b"'") \* (\d+)""")
_ALIKE_MIN = 17  # so many bytes that are all the same are written as a product


def _named(instance: object, attribute: object, value: str) -> None:
    if not _NAME.fullmatch(value):
        raise UsageError(f"what is drawn is named by letters, digits and '_', not {value!r}")


def _from_one(instance: object, attribute: object, value: int) -> None:
    if value < 1:
        raise UsageError(f"nth counts from 1, not {value}")


@attrs.frozen(repr=False)
class Draw:
    """A value that was drawn and is not the simplest.  `str()` says it as a sentence."""

    name: str = attrs.field(validator=_named)
    nth: int = attrs.field(validator=_from_one)
    value: Value

    def __repr__(self) -> str:
        return f"Draw({self.name!r}, {self.nth}, {self.value!r})"

    def __str__(self) -> str:
        return f"the {ordinal(self.nth)} {self.name} drawn {self.words}"

    @property
    def words(self) -> str:
        """The sentence's verb: ``is b'GET'``."""
        return f"is {_written(self.value)}"


def parse_draw(text: str) -> Draw | None:
    """The draw that a sentence is; None if it is none.  Raises UsageError for a value that is none."""
    match = _SENTENCE.fullmatch(text)
    return None if match is None else Draw(match[2], int(match[1]), _read(match[3]))


def _written(value: Value) -> str:
    if isinstance(value, _bytes) and len(value) >= _ALIKE_MIN and len(set(value)) == 1:
        return f"{value[:1]!r} * {len(value)}"
    return repr(value).replace("  ", " \\x20")  # a sentence may lose blanks


def _read(text: str) -> Value:
    literal, times = match.groups() if (match := _ALIKE.fullmatch(text)) else (text, None)
    try:
        value = ast.literal_eval(literal)
    except (ValueError, SyntaxError):
        value = None
    if not isinstance(value, (bool, int, str, _bytes)):
        raise UsageError(f"what is drawn is a number, text or bytes as Python writes them, not {text}")
    return value * int(times) if times and isinstance(value, _bytes) else value


# --- what may be drawn ---------------------------------------------------------------------------


class Domain(ABC, Generic[T]):
    """The values that one draw may have."""

    simplest: T

    @abstractmethod
    def allows(self, value: Any) -> bool:
        """Whether it is one of them."""

    @abstractmethod
    def at_random(self, stream: random.Random) -> T:
        """One of them, the extreme ones more often than others."""

    @abstractmethod
    def simpler(self, value: T) -> Simpler[T]:
        """Values simpler than `value`, one after the other; each is answered by whether it will do."""


class Integers(Domain[int]):
    """From `least` to `most`; the nearer to `least`, the simpler."""

    def __init__(self, least: int, most: int) -> None:
        self.simplest, self._most = least, most

    def allows(self, value: Any) -> bool:
        return type(value) is int and self.simplest <= value <= self._most

    def at_random(self, stream: random.Random) -> int:
        match stream.randrange(4):
            case 0:
                return self._most
            case 1:
                return min(self.simplest + stream.randrange(8), self._most)
            case _:
                return stream.randint(self.simplest, self._most)

    def simpler(self, value: int) -> Simpler[int]:
        least = self.simplest  # which is the script without the draw, and will not do
        while value - least > 1:
            middle = (least + value) // 2
            if (yield middle):
                value = middle
            else:
                least = middle


class Strings(Domain[_bytes]):
    """From `least` to `most` of the bytes `among`; the shorter, and the earlier in `among`, the simpler."""

    def __init__(self, least: int, most: int, among: _bytes) -> None:
        self._lengths, self._among = Integers(least, most), among
        self.simplest = among[:1] * least

    def allows(self, value: Any) -> bool:
        return type(value) is _bytes and self._lengths.allows(len(value)) and not value.strip(self._among)

    def at_random(self, stream: random.Random) -> _bytes:
        length = self._lengths.at_random(stream)
        among = self._among[:2] if not stream.randrange(4) else self._among
        return stream.randbytes(length).translate(_bytes(among[n % len(among)] for n in range(256)))

    def simpler(self, value: _bytes) -> Simpler[_bytes]:
        """All of them the simplest, and of those fewer; else without pieces, then with pieces made simple."""
        alike = self._among[:1] * len(value)
        if value == alike or (yield alike):
            lengths = self._lengths.simpler(len(value))
            with suppress(StopIteration):
                length = next(lengths)
                while True:
                    length = lengths.send((yield alike[:length]))
            return
        value = yield from self._without_pieces(value, 0)
        yield from self._without_pieces(value, 1)

    def _without_pieces(self, value: _bytes, times: int) -> Generator[_bytes, bool, _bytes]:
        """Each piece, from the half to a byte, is left out; or made of simple bytes, if `times` is 1."""
        size = len(value)
        while size > 1:
            size = (size + 1) // 2
            start = 0
            while start < len(value):
                piece = value[start : start + size]
                other = value[:start] + self._among[:1] * (times * len(piece)) + value[start + size :]
                will_do = other != value and self.allows(other) and (yield other)
                value = other if will_do else value
                start += 0 if will_do and not times else size
        return value


class Options(Domain[T]):
    """One of some; the earlier, the simpler."""

    def __init__(self, options: Sequence[T]) -> None:
        self._options: list[T] = list(options)
        self.simplest = self._options[0]

    def allows(self, value: Any) -> bool:
        return self._place(value) is not None

    def at_random(self, stream: random.Random) -> T:
        return stream.choice(self._options)

    def simpler(self, value: T) -> Simpler[T]:
        for each in self._options[1 : self._place(value)]:
            if (yield each):
                return

    def _place(self, value: Any) -> int | None:
        places = (n for n, each in enumerate(self._options) if (type(each), each) == (type(value), value))
        return next(places, None)


# --- drawing -------------------------------------------------------------------------------------


class Streams:
    """A stream of random numbers for every name, all from one seed."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._streams: dict[str, random.Random] = {}

    def __call__(self, name: str) -> random.Random:
        if name not in self._streams:
            self._streams[name] = random.Random(f"{self._seed} {name}")
        return self._streams[name]


class Workload:
    """What `Network.draw` is: each method draws one value, whose `name` says what it is for.

    Equal names are numbered: the 2nd ``line`` is the second that was drawn in the run, by whomever.
    """

    def __init__(
        self,
        ask: Callable[[str, int], Value | random.Random | None],
        tell: Callable[[Draw], object],
    ) -> None:
        """`ask` who decides for a value, a stream to draw it from, or None for the simplest; `tell` of each
        that is not the simplest."""
        self._ask, self._tell = ask, tell
        self._counts: dict[str, int] = {}
        self._domains: dict[tuple[str, int], Domain[Any]] = {}

    def integer(self, name: str, least: int, most: int) -> int:
        """A whole number from `least`, which is the simplest, to `most`."""
        if least > most:
            raise UsageError(f"no {name} is from {least} to {most}")
        return self._draw(name, Integers(least, most))

    def bytes(self, name: str, most: int, *, least: int = 0, among: _bytes = EVERY_BYTE) -> _bytes:
        """From `least` to `most` bytes; the simplest are `least` times the first of `among`."""
        if not 0 <= least <= most or not among:
            raise UsageError(f"no {name} has from {least} to {most} bytes of {len(among)}")
        return self._draw(name, Strings(least, most, among))

    def choice(self, name: str, options: Sequence[T]) -> T:
        """One of some numbers, texts or byte strings, the simplest of which is the first.

        For other objects draw the keys of a dictionary that has them.
        """
        if not options or not all(isinstance(each, (bool, int, str, _bytes)) for each in options):
            raise UsageError(f"a {name} is one of some numbers, texts or byte strings, not of {options!r}")
        return self._draw(name, Options(options))

    def _draw(self, name: str, domain: Domain[T]) -> T:
        if name not in self._counts:
            _named(self, None, name)
        nth = self._counts[name] = self._counts.get(name, 0) + 1
        self._domains[name, nth] = domain
        found = self._ask(name, nth)
        value = domain.simplest
        if isinstance(found, random.Random):
            value = domain.at_random(found)
        elif domain.allows(found):
            value = found  # type: ignore[assignment]
        if value != domain.simplest:
            self._tell(Draw(name, nth, value))
        return value

    def has(self, draw: Draw) -> bool:
        """Whether its moment came, and its value was among the possible."""
        domain = self._domains.get((draw.name, draw.nth))
        return domain is not None and domain.allows(draw.value)

    def simpler(self, draw: Draw) -> Simpler[Any]:
        """The search for a simpler value of a draw of this run."""
        return self._domains[draw.name, draw.nth].simpler(draw.value)
