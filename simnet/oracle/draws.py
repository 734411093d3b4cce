"""Chance that is the same on every Python: a seed always draws the same values.

`random.Random` promises that for `getrandbits` of a seeded generator and for little else, so everything is
drawn from that.
"""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import TypeVar

T = TypeVar("T")


class Draws:
    """The draws of one seed."""

    def __init__(self, seed: str) -> None:
        self._bits = random.Random(seed).getrandbits

    def below(self, limit: int) -> int:
        """A number from 0 to ``limit - 1``."""
        return self._bits(32) * limit >> 32

    def one_in(self, many: int) -> bool:
        return self.below(many) == 0

    def pick(self, options: Sequence[T]) -> T:
        return options[self.below(len(options))]


class Weighted:
    """Words to draw from, each as often as its weight says."""

    def __init__(self, weights: Mapping[str, int]) -> None:
        self.words = [word for word, weight in weights.items() if weight]
        self._ends = list(accumulate(weights[word] for word in self.words))

    def draw(self, draws: Draws) -> str:
        return self.words[bisect_right(self._ends, draws.below(self._ends[-1]))]
