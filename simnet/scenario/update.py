"""Bring a scenario file up to date: anchors that have moved, and the record of the run that they make now.

A person may have written the file, with comments and an order of his own.  So each sentence is replaced where
it stands, and the rest stays as it is.  Only where hosts have other names is the whole file written anew.

Owns that edit.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

import attrs
import tomli_w

from ..errors import UsageError
from ..script import parse
from .lines import Key, lines_of, strings_on
from .load import loads
from .model import Record, Scenario
from .save import dumps, replace_file, with_record


def update(path: str | os.PathLike[str], old: Scenario, new: Scenario, record: Record) -> None:
    """Make the file of `old` that of `new`, which differs from it in its anchors, with this record."""
    text = Path(path).read_bytes().decode("utf-8")
    new = attrs.evolve(new, record=record)
    edited = with_record(_with_anchors(text, old, new), record)
    replace_file(Path(path), edited if loads(edited) == new else dumps(new))


def _with_anchors(text: str, old: Scenario, new: Scenario) -> str:
    pairs = zip(old.script.sentences(), new.script.sentences(), strict=True)
    moved = {was: now for was, now in pairs if was != now}
    places = lines_of(text)
    lines = {line for key, line in places.items() if _is_sentence(key)}
    for line, start, stop in reversed(strings_on(text)):
        if line in lines and (now := moved.get(_sentence(text[start:stop]))):
            text = text[:start] + tomli_w.dumps({"x": now}).removeprefix("x = ").strip() + text[stop:]
    return text


def _is_sentence(key: Key) -> bool:
    return key[:1] == ("faults",) or key[:2] == ("expect", "unmet")


def _sentence(token: str) -> str:
    """A string of the file as `Script.sentences` spells it."""
    try:
        return str(parse(tomllib.loads(f"x = {token}")["x"]))
    except UsageError:
        return ""
