"""Which cells of two machines are equal, and what the others have in common.

Owns the comparison.  Does not own the reasons (`reasons`), nor how they are printed.
"""

from __future__ import annotations

import attrs

from .cells import NOT_SIMULATED, Cells, Place, in_table_order
from .reasons import REASONS, Reason

NO_CELL = "does not apply"
"""What is in a place that one machine has a cell for, and the other not."""


@attrs.frozen
class Difference:
    """A cell in which the virtual kernel says something else, and why, if that is known."""

    place: Place
    live: str
    virtual: str
    reason: Reason | None

    def __str__(self) -> str:
        return f"{self.place}\n  live     {self.live}\n  virtual  {self.virtual}"


@attrs.frozen
class Verdict:
    """The outcome of a comparison."""

    compared: int
    equal: int
    not_simulated: dict[str, list[Place]]
    """What is missing, in the words of NotImplementedError, and the cells that need it."""
    differences: list[Difference]

    @property
    def unexplained(self) -> list[Difference]:
        return [difference for difference in self.differences if difference.reason is None]

    @property
    def explained(self) -> dict[Reason, list[Difference]]:
        """The differences that have a reason, by it, in the order of the reasons."""
        return {
            reason: found
            for reason in REASONS
            if (found := [difference for difference in self.differences if difference.reason is reason])
        }


def differ(live: str | None, virtual: str | None) -> bool:
    """Whether two answers contradict each other; what is not simulated contradicts nothing."""
    return live != virtual and not (virtual or "").startswith(NOT_SIMULATED)


def judge(live: Cells, virtual: Cells) -> Verdict:
    """Compare what two machines answered, place by place."""
    missing: dict[str, list[Place]] = {}
    differences: list[Difference] = []
    equal = 0
    every = in_table_order(live | virtual)
    for place in every:
        expected, found = live.get(place, NO_CELL), virtual.get(place, NO_CELL)
        if found == expected:
            equal += 1
        elif found.startswith(NOT_SIMULATED):
            missing.setdefault(found.removeprefix(NOT_SIMULATED), []).append(place)
        else:
            reason = next((reason for reason in REASONS if reason.covers(place, expected, found)), None)
            differences.append(Difference(place, expected, found, reason))
    return Verdict(len(every), equal, missing, differences)
