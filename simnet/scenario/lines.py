"""On which line of a TOML file does a key stand?

`tomllib` forgets lines; a mistake in a scenario should name one.  This is a scan of a text that
`tomllib` has read already: it need not judge the grammar, only follow it.

Owns places.  It does not read values.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TypeAlias

Key: TypeAlias = tuple[str | int, ...]
"""The way to a value: names of tables and keys, and positions in arrays."""

_TOKEN = re.compile(
    r"""(?P<string>\"{3}(?:\\.|[^\\])*?\"{3,5}|'{3}.*?'{3,5}|"(?:\\.|[^"\\\n])*"|'[^'\n]*')"""
    r"|(?P<comment>\#[^\n]*)|(?P<newline>\n)|(?P<mark>[][{},=.])|(?P<blank>[^\S\n]+)|(?P<bare>[^][{},=.\s\#\"']+)",
    re.DOTALL,
)
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))")


def lines_of(text: str) -> dict[Key, int]:
    """The line, from 1 on, of every key, table and array item of a TOML text."""
    scan = _Scan(text)
    scan.document()
    return scan.lines


def spell(key: Key) -> str:
    """A key as people write it: ``links[0].latency``."""
    words = [f"[{step}]" if isinstance(step, int) else f".{step}" for step in key]
    return "".join(words).removeprefix(".")


def strings_on(text: str) -> list[tuple[int, int, int]]:
    """Every string of a TOML text with its quotes: the line that it begins on, its start and its end."""
    found = [match for match in _TOKEN.finditer(text) if match.lastgroup == "string"]
    return [(text.count("\n", 0, match.start()) + 1, match.start(), match.end()) for match in found]


def _tokens(text: str) -> Iterator[tuple[str, str, int]]:
    line = 1
    for match in _TOKEN.finditer(text):
        kind, token = match.lastgroup or "", match.group()
        if kind not in ("blank", "comment"):
            yield kind, token, line
        line += token.count("\n")
    yield "end", "", line


class _Scan:
    """A walk over the tokens, with the table that we are in."""

    def __init__(self, text: str) -> None:
        self.lines: dict[Key, int] = {}
        self._rest = _tokens(text)
        self._table: Key = ()
        self._counts: dict[Key, int] = {}
        self._next()

    def _next(self) -> None:
        self._kind, self._token, self._line = next(self._rest, ("end", "", 0))

    def document(self) -> None:
        while self._kind != "end":
            if self._kind == "newline":
                self._next()
            elif self._token == "[":
                self._header()
            else:
                self._pair(self._table)

    def _header(self) -> None:
        line = self._line
        self._next()
        is_array = self._token == "["
        if is_array:
            self._next()
        path = self._within_arrays(self._dotted())
        if is_array:
            self._counts[path] = self._counts.get(path, -1) + 1
            self.lines.setdefault(path, line)
            path = (*path, self._counts[path])
        self._table = path
        self._note(path, line)
        while self._kind not in ("newline", "end"):
            self._next()

    def _within_arrays(self, names: Key) -> Key:
        """`[links.more]` after `[[links]]` is about the last of the links."""
        path: Key = ()
        for name in names[:-1]:
            path = (*path, name)
            if path in self._counts:
                path = (*path, self._counts[path])
        return (*path, names[-1])

    def _dotted(self) -> Key:
        names: list[str | int] = []
        while self._kind in ("bare", "string") or self._token == ".":
            if self._token != ".":
                names.append(_unquoted(self._token) if self._kind == "string" else self._token)
            self._next()
        return tuple(names)

    def _pair(self, table: Key) -> None:
        line = self._line
        path = (*table, *self._dotted())
        self._note(path, line)
        self._next()  # the equals sign
        self._value(path)

    def _note(self, path: Key, line: int) -> None:
        """Here is a key, and here begins every table around it that has not begun before."""
        for depth in range(1, len(path) + 1):
            self.lines.setdefault(path[:depth], line)

    def _value(self, path: Key) -> None:
        if self._token == "[":
            self._array(path)
        elif self._token == "{":
            self._inline_table(path)
        else:
            self._next()
            while self._kind not in ("newline", "end") and self._token not in ("]", "}", ","):
                self._next()

    def _array(self, path: Key) -> None:
        self._next()
        index = 0
        while self._token != "]" and self._kind != "end":
            if self._kind == "newline":
                self._next()
            elif self._token == ",":
                index += 1
                self._next()
            else:
                self.lines.setdefault((*path, index), self._line)
                self._value((*path, index))
        self._next()

    def _inline_table(self, path: Key) -> None:
        self._next()
        while self._token != "}" and self._kind != "end":
            if self._token == "," or self._kind == "newline":
                self._next()
            else:
                self._pair(path)
        self._next()


def _unquoted(token: str) -> str:
    if token[0] == "'":
        return token[1:-1]
    named = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", "e": "\x1b"}
    return _ESCAPE.sub(
        lambda found: (
            chr(int(found[1] or found[2], 16)) if found[1] or found[2] else named.get(found[3], found[3])
        ),
        token[1:-1],
    )
