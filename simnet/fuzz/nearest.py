"""The nearest run that passes: the failing script without one item, or with a milder one in its place.

Of several items that are needed, the one is taken that came last: until then both runs are the same, so
that they have the most in common, and what matters is what happens next.

Owns the choice.  How the two runs are compared is `simnet.report.difference`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import attrs

from ..outcomes import outcome_of
from ..report.difference import Nearest
from ..report.failure import numbered
from ..scenario.run import Outcome
from ..script import Deviation, Item, Script

ITEMS_MAX = 6


def nearest_passing(failed: Outcome, script: Script, attempt: Callable[[Script], Outcome]) -> Nearest | None:
    """The nearest run that passes, or None if there is none near the last `ITEMS_MAX` items of `script`.

    Args:
        failed: the run of `script`.
        attempt: runs the program anew, at most twice for an item.
    """
    items = script.items()
    for each in [*reversed(numbered(failed.network, script))][:ITEMS_MAX]:
        for instead in (*_milder(each.item), None):
            changed = [instead if item is each.item else item for item in items]
            outcome = attempt(Script.of(item for item in changed if item is not None))
            if outcome.passed:
                return Nearest(outcome, each.item, instead)
    return None


def _milder(item: Item) -> Iterator[Item]:
    """The same with the next smaller amount, where amounts are more or less of a thing."""
    if not isinstance(item, Deviation):
        return
    outcome = outcome_of(item.op, item.outcome)
    amounts = list(outcome.amounts(0)) if outcome.words.holes in (("duration",), ("count",)) else []
    if item.amount in amounts[1:]:
        yield attrs.evolve(item, amount=amounts[amounts.index(item.amount) - 1])
