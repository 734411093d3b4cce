"""Storms: one seed after the other."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from itertools import chain, count
from typing import Any

from ...errors import UsageError
from ...outcomes import EVERY
from .search import Case, Extent, Search, whole_number


class Storm(Search):
    """Runs under one seed after the other, for ever or as many as are given.

    Args:
        seeds: which ones, in order; without it, 0, 1, 2, ...
        only: what storms may do, as (operation, outcome).
    """

    name = "storm"

    def __init__(self, seeds: Iterable[int] | None = None, only: Collection[tuple[str, str]] = EVERY) -> None:
        self._is_endless = seeds is None
        self._seeds: Iterator[int] = count() if seeds is None else iter(seeds)
        self._total = len(seeds) if isinstance(seeds, (range, list, tuple)) else None
        self._only = only
        self._tried = 0
        self._seed = 0

    def next(self) -> Case | None:
        seed = next(self._seeds, None)
        if seed is None:
            return None
        self._tried += 1
        self._seed = seed
        return Case(f"seed {seed}", seed=seed, only=self._only)

    @property
    def extent(self) -> Extent | None:
        return None if self._total is None else Extent(self._tried, self._total)

    def state(self) -> int:
        """The last seed."""
        return self._seed

    def resume(self, state: Any) -> None:
        """Begin with that seed, if it is one of those given."""
        wanted = whole_number(state, self.name)
        if self._is_endless:
            self._seeds = count(wanted)
            return
        for seed in self._seeds:
            if seed == wanted:
                self._seeds = chain([seed], self._seeds)
                return
            self._tried += 1
        raise UsageError(f"cannot resume: seed {wanted} is none of those to be run")
