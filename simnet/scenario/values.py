"""Bytes in a scenario file: TOML has none, so a table with a single reserved key stands for them.

``{ bytes = "GET / HTTP/1.1\\r\\n" }`` has one byte for each character, U+0000 to U+00FF, with TOML's own
escapes; ``{ hex = "0d 0a" }`` two digits for each byte, blanks as one likes.

Owns this spelling, in both directions.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time
from typing import Any

from ..errors import UsageError
from .lines import Key, spell

_RESERVED = ("bytes", "hex")


def decode(value: Any, key: Key, mistake: Callable[[Key, str], object]) -> Any:
    """A value as a program gets it.  What cannot be read is told to `mistake` with its place."""
    if isinstance(value, list):
        return [decode(item, (*key, index), mistake) for index, item in enumerate(value)]
    if not isinstance(value, dict):
        return value
    if len(value) == 1 and next(iter(value)) in _RESERVED:
        (spelling, text), *_ = value.items()
        try:
            return _read(spelling, text)
        except ValueError as error:
            mistake((*key, spelling), str(error))
            return b""
    return {name: decode(item, (*key, name), mistake) for name, item in value.items()}


def _read(spelling: str, text: Any) -> bytes:
    if not isinstance(text, str):
        raise UsageError(f"bytes are written as text, not {text!r}")
    if spelling == "hex":
        try:
            return bytes.fromhex(text)
        except ValueError:
            raise UsageError(f"two hexadecimal digits make a byte, not {text!r}") from None
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError as error:
        character = text[error.start]
        raise UsageError(
            f"each character is one byte, U+0000 to U+00FF, not {character!r}; write others in hex"
        ) from None


def encode(value: Any, key: Key) -> Any:
    """The TOML value for what a program was given; raises UsageError where there is none."""
    match value:
        case bytes():
            return spelled(value)
        case bool() | int() | float() | str() | datetime() | date() | time():
            return value
        case list():
            return [encode(item, (*key, index)) for index, item in enumerate(value)]
        case dict() if len(value) == 1 and next(iter(value)) in _RESERVED:
            raise UsageError(f"{spell(key)}: a table with the one key {next(iter(value))!r} stands for bytes")
        case dict() if all(isinstance(name, str) for name in value):
            return {name: encode(item, (*key, name)) for name, item in value.items()}
    raise UsageError(
        f"{spell(key)}: a {type(value).__name__} cannot be written to a scenario file: {value!r}; "
        "plain TOML values and bytes can"
    )


def spelled(value: bytes) -> dict[str, str]:
    """Bytes as their table: as text if people can read it."""
    text = value.decode("latin-1")
    readable = all(" " <= character <= "~" or character in "\r\n\t" for character in text)
    return {"bytes": text} if readable else {"hex": value.hex(" ")}
