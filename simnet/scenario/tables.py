"""Take values out of the tables of a TOML file, strictly, and gather every mistake with its place.

Nothing is coerced: 7 is not "7", and true is not 1.  What nobody took is a mistake as well.

Owns types and places.  What the keys mean is known to `load`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import Any, TypeVar, cast

from ..errors import UsageError
from .lines import Key, spell
from .model import Quantity

T = TypeVar("T")


class Mistakes:
    """What is wrong with a file; false while nothing is."""

    def __init__(self, lines: dict[Key, int]) -> None:
        self._lines = lines
        self._found: list[tuple[int, str, str]] = []

    def __bool__(self) -> bool:
        return bool(self._found)

    def add(self, key: Key, words: str) -> None:
        """Something is wrong at a key, or with its absence from the table that it should be in."""
        line = next((self._lines[key[:n]] for n in range(len(key), 0, -1) if key[:n] in self._lines), None)
        place = f"{f'line {line}, ' if line else ''}{spell(key)}"
        self._found.append((line or 0, place, words))

    def in_order(self) -> list[tuple[str, str]]:
        """As (place, words), from the top of the file down."""
        return [(place, words) for _, place, words in sorted(self._found, key=lambda found: found[0])]


class Table:
    """One table of the file: checks what is taken from it, and at the end tells what nobody took."""

    def __init__(self, mistakes: Mistakes, key: Key, values: dict[str, Any], is_given: bool = True) -> None:
        self.key, self.values, self.is_given = key, values, is_given
        self._mistakes = mistakes
        self._known: dict[str, None] = {}

    def take(self, key: str) -> Any:
        self._known[key] = None
        return self.values.get(key)

    def remaining(self) -> dict[str, Any]:
        """All of it, whatever the keys are."""
        return self.values

    def text(self, key: str, required: bool = False) -> str | None:
        return self._checked(key, str, "text", required)

    def line(self, key: str) -> str | None:
        """Text that must be there, in one line, with something in it."""
        text = self.text(key, required=True)
        if text is not None and (not text.strip() or "\n" in text.strip()):
            self._mistakes.add((*self.key, key), "one line of text is wanted")
        return text

    def whole(self, key: str, required: bool = False, least: int | None = None) -> int | None:
        value = self._checked(key, int, "a whole number", required)
        if value is not None and least is not None and value < least:
            self._mistakes.add((*self.key, key), f"must be at least {least}, not {value}")
            return None
        return value

    def texts(self, key: str, required: bool = False) -> list[tuple[int, str]]:
        """The texts of an array, each with its position; what is no text is left out."""
        values = self._checked(key, list, "an array of texts", required) or []
        for index, value in enumerate(values):
            if not isinstance(value, str):
                self._wrong((*self.key, key, index), "text", value)
        return [(index, value) for index, value in enumerate(values) if isinstance(value, str)]

    def table(self, key: str, required: bool = False) -> Table:
        value = self._checked(key, dict, "a table", required)
        return Table(self._mistakes, (*self.key, key), value or {}, is_given=value is not None)

    def tables(self, key: str) -> list[Table]:
        values = self._checked(key, list, "an array of tables", False) or []
        found = []
        for index, value in enumerate(values):
            if isinstance(value, dict):
                found.append(Table(self._mistakes, (*self.key, key, index), value))
            else:
                self._wrong((*self.key, key, index), "a table", value)
        return found

    def quantity(self, key: str, read: Callable[[Any], int], default: T) -> Quantity | T:
        """A duration, size or rate that `read` accepts, as it was written."""
        value = self.take(key)
        if key not in self.values:
            return default
        try:
            read(value)
        except UsageError as error:
            self._mistakes.add((*self.key, key), str(error))
            return default
        return cast(Quantity, value)

    def finish(self) -> None:
        """Nothing else should have been in it."""
        for key in self.values:
            if key not in self._known:
                hint = meant(key, self._known) or f"there are {', '.join(self._known)}"
                self._mistakes.add((*self.key, key), f"unknown key; {hint}")

    def _checked(self, key: str, kind: type[T], wanted: str, required: bool) -> T | None:
        value = self.take(key)
        if key not in self.values:
            if required:
                self._mistakes.add((*self.key, key), f"missing: {wanted} is wanted")
            return None
        if not isinstance(value, kind) or isinstance(value, bool):
            self._wrong((*self.key, key), wanted, value)
            return None
        return value

    def _wrong(self, key: Key, wanted: str, value: Any) -> None:
        found = repr(value).lower() if isinstance(value, bool) else repr(value)
        if isinstance(value, (dict, list)):
            found = "a table" if isinstance(value, dict) else "an array"
        self._mistakes.add(key, f"{wanted} is wanted, not {found}")


def meant(word: str, known: Iterable[str]) -> str:
    close = get_close_matches(word, list(known), n=1)
    return f"did you mean {close[0]!r}?" if close else ""
