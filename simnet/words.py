"""Sentences with holes: one text says a thing, and reads it back.

``Words("takes {bytes}")`` writes *takes 1 byte* from 1, and reads 1 from *takes 1 byte*.  A hole is named by
what stands in it.

Owns the units of a sentence.  What the sentences say is known to `outcomes` and `happenings`.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Callable
from functools import cached_property
from typing import Any

import attrs

from .errors import UsageError
from .units import duration, duration_ns

_HOLE = re.compile(r"\{(\w+)\}")


@attrs.frozen
class _Hole:
    """What stands in a hole: its pattern (without groups), the value in both directions, an example."""

    pattern: str
    write: Callable[[Any], str]
    read: Callable[[str], Any]
    example: str


def _read_errno(text: str) -> int:
    number = getattr(errno, text, None)
    if not isinstance(number, int):
        raise UsageError(f"no errno is called {text!r}")
    return number


def _one(name: str) -> tuple[str, ...]:
    return (name,)


_HOST = r"\S+"
_HOLES = {
    "bytes": _Hole(
        r"\d+ bytes?", lambda n: f"{n} byte{'s' * (n != 1)}", lambda text: int(text.split()[0]), "5 bytes"
    ),
    "count": _Hole(r"\d+", str, int, "2"),
    "duration": _Hole(r"[\d.]+ ?[a-zµ]+", duration, duration_ns, "20ms"),
    "errno": _Hole(r"E[A-Z0-9]+", lambda n: errno.errorcode.get(n, f"E{n}"), _read_errno, "EMFILE"),
    "host": _Hole(_HOST, " and ".join, _one, "a"),
    "hosts": _Hole(
        rf"{_HOST}(?: and {_HOST})*", " and ".join, lambda text: tuple(text.split(" and ")), "a and b"
    ),
}


@attrs.frozen(slots=False)
class Words:
    """A text with holes such as ``{bytes}``, ``{duration}`` or ``{hosts}``."""

    text: str

    @cached_property
    def holes(self) -> tuple[str, ...]:
        """What stands in its holes, in order."""
        return tuple(_HOLE.findall(self.text))

    @cached_property
    def pattern(self) -> str:
        """A regular expression with one group a hole."""
        parts = _HOLE.split(self.text)
        return "".join(
            f"({_HOLES[part].pattern})" if index % 2 else re.escape(part) for index, part in enumerate(parts)
        )

    @property
    def example(self) -> str:
        """What somebody might write."""
        return _HOLE.sub(lambda hole: _HOLES[hole[1]].example, self.text)

    def write(self, *values: Any) -> str:
        """The sentence with these values in its holes."""
        rest = iter(values)
        return _HOLE.sub(lambda hole: _HOLES[hole[1]].write(next(rest)), self.text)

    def read(self, sentence: str) -> tuple[Any, ...] | None:
        """The values in a sentence's holes; None if it is another sentence.

        Raises UsageError for a value that cannot be, such as an errno of no name.
        """
        match = re.fullmatch(self.pattern, sentence)
        return None if match is None else self.values(match.groups())

    def values(self, texts: tuple[str, ...]) -> tuple[Any, ...]:
        """The values that the groups of `pattern` hold."""
        return tuple(_HOLES[hole].read(text) for hole, text in zip(self.holes, texts, strict=True))


def ordinal(number: int) -> str:
    """1st, 2nd, 3rd, 4th ... 11th, 12th, 13th ... 21st."""
    suffix = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{suffix}"
