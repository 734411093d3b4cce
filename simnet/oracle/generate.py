"""Writes programs: the program of a seed is the same on every machine and every Python.

The words of a profile are calls, or idioms.  An idiom is written out, so a program consists of calls only.
"""

from __future__ import annotations

from . import calls
from .draws import Draws
from .idioms import IDIOMS
from .profiles import PROFILES
from .program import Program
from .writer import Writer

assert calls.FAMILIES  # importing them is what registers the operations


def generate(seed: int, profile: str, length: int | None = None) -> Program:
    """The program of this seed; a last idiom may make it a little longer than `length`."""
    return Writer(PROFILES[profile], Draws(f"{profile} {seed}"), IDIOMS).write(length)
