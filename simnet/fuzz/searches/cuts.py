"""Cuts: every way in which a byte stream may come in pieces, from the simple to the wild.

First all segments of a calm run are cut at once, each of them at its next place from run to run: so a stream
of many segments has been cut after each byte when its longest segment has.  Then every two-way cut of what
each end sends alone: within each segment after each byte, those first that people name, and between two
segments, by the second coming a little later.  Then one end after the other byte by byte, as far as a segment
crumbles, and all of them.  Then random cuts into several pieces, by short sends as well.  Everything arrives,
in order: a program that fails has mistaken pieces for messages.

Owns these runs and who decides them.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Collection, Iterator, Sequence
from itertools import chain

from ...choices import Choices, Noted, Point
from ...outcomes import EVERY, option_index, outcome_of
from ...script import Deviation, Script
from ...workload import Streams
from .amounts import telling
from .search import Case
from .sweep import Branch, Listed, case_of, rounds

RANDOM_MAX = 1000

CUTS = frozenset({("segment", "cut"), ("segment", "late"), ("segment", "crumbles"), ("send", "takes")})
"""What takes a byte stream apart."""


class Crumbling(Choices):
    """Every segment comes in crumbs: those of one end, or of all of them."""

    def __init__(self, where: str | None = None) -> None:
        self._where = where

    def again(self) -> Crumbling:
        return Crumbling(self._where)

    def watches(self, where: str, alias: str) -> bool:
        return self._where is None or where == self._where

    def considers(self, op: str) -> bool:
        return op == "segment"

    def pick(self, label: Point, count: int) -> int:
        if label.op != "segment" or self._where not in (None, label.where):
            return 0
        return option_index("segment", label.size, "crumbles", 0)


class RandomCuts(Choices):
    """Segments are cut and sends are short, now and then or nearly always, as a seed says."""

    def __init__(self, seed: int, kinds: Collection[tuple[str, str]]) -> None:
        self._seed, self._kinds = seed, kinds
        self._random = random.Random(seed)
        self._one_in = 1 << self._random.randrange(4)
        self._streams = Streams(seed)

    def again(self) -> RandomCuts:
        return RandomCuts(self._seed, self._kinds)

    def workload(self, name: str, nth: int) -> random.Random:
        return self._streams(name)

    def considers(self, op: str) -> bool:
        return op in ("segment", "send")

    def pick(self, label: Point, count: int) -> int:
        outcome = {"segment": "cut", "send": "takes"}.get(label.op)
        if outcome is None or (label.op, outcome) not in self._kinds or label.size < 2:
            return 0
        if self._random.randrange(self._one_in):
            return 0
        return option_index(label.op, label.size, outcome, self._random.randrange(1, label.size))


class Cuts(Listed):
    """Cuts of all segments at once, every two-way cut, then byte by byte, then random cuts.

    Args:
        only: the kinds of deviation to try, as (operation, outcome): those of `CUTS` that are in it.
        random_max: how many random runs at the end.
    """

    name = "cuts"

    def __init__(self, only: Collection[tuple[str, str]] = EVERY, random_max: int = RANDOM_MAX) -> None:
        super().__init__(CUTS.intersection(only))
        self._random_max = random_max

    def _list(self, places: Sequence[Noted]) -> tuple[int, Iterator[Case]]:
        segments = [place for place in places if place.op == "segment"]
        within = list(self._within(segments))
        branches = [*self._between(segments), *within]
        at_once = max((len(amounts) for _, _, amounts in within), default=0) if len(within) > 1 else 0
        crumbled = self._crumbled(segments)
        several = self._random_max if segments else 0
        total = at_once + sum(len(amounts) for _, _, amounts in branches) + len(crumbled) + several
        drawn = (Case(f"cuts {seed}", choices=RandomCuts(seed, self._only)) for seed in range(several))
        together = (_all_cut(within, rank) for rank in range(at_once))
        return total, chain(together, map(case_of, rounds(branches)), crumbled, drawn)

    def _within(self, segments: Sequence[Noted]) -> Iterator[Branch]:
        if ("segment", "cut") in self._only:
            for place in segments:
                if place.size > 1:
                    yield place, "cut", telling(outcome_of("segment", "cut"), place, sys.maxsize)

    def _between(self, segments: Sequence[Noted]) -> Iterator[Branch]:
        """The second of two segments of one end comes a little later."""
        if ("segment", "late") in self._only:
            begun = set()
            for place in segments:
                if place.where in begun:
                    yield place, "late", tuple(outcome_of("segment", "late").amounts(place.size)[:1])
                begun.add(place.where)

    def _crumbled(self, segments: Sequence[Noted]) -> list[Case]:
        if ("segment", "crumbles") not in self._only:
            return []
        ends = dict.fromkeys(place.where for place in segments if place.size > 1)
        each = [Case(f"{end} in crumbs", choices=Crumbling(end)) for end in ends]
        return each if len(each) < 2 else [*each, Case("everything in crumbs", choices=Crumbling())]


def _all_cut(within: Sequence[Branch], rank: int) -> Case:
    """Each segment is cut at its place number `rank`; one that has fewer, at one of these again."""
    cuts = [
        Deviation(place.where, place.op, place.nth, outcome, amounts[rank % len(amounts)])
        for place, outcome, amounts in within
    ]
    return Case(f"all segments are cut, {rank + 1}", script=Script(cuts))
