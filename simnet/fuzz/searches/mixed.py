"""Several searches in turns: what none of them finds alone, or soon, another may.

Owns whose turn it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...errors import UsageError
from ...scenario.run import Outcome
from .search import Case, Search


class Mixed(Search):
    """Makes a run of one search, then of the next, and so on; over when all of them are.

    Args:
        parts: the searches, each as often as it is to have a turn in a round.

    A search that is resumed makes the last run of each part again.
    """

    name = "mixed"

    def __init__(self, parts: Sequence[Search]) -> None:
        self._parts = list(dict.fromkeys(parts))
        self._round = list(parts)
        self._turn = 0
        self._now = parts[0]

    @property
    def wants_trace(self) -> bool:  # type: ignore[override]
        return self._now.wants_trace

    def next(self) -> Case | None:
        while self._round:
            self._turn %= len(self._round)
            self._now = self._round[self._turn]
            case = self._now.next()
            if case is not None:
                self._turn += 1
                return case
            self._round = [part for part in self._round if part is not self._now]
        return None

    def learn(self, outcome: Outcome) -> None:
        self._now.learn(outcome)

    def state(self) -> dict[str, Any]:
        """The states of all parts, by name."""
        return {part.name: part.state() for part in self._parts}

    def resume(self, state: Any) -> None:
        if not isinstance(state, dict) or state.keys() != {part.name for part in self._parts}:
            raise UsageError(f"cannot resume: {state!r} is no place in the search {self.name!r}")
        for part in self._parts:
            part.resume(state[part.name])
