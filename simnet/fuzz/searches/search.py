"""What a search is: it says which run to make next, and is told how it went.

A `Search` knows nothing of programs and budgets.  It answers `next` with a `Case`, who decides the picks of
one run; the campaign makes the run and tells it with `learn`.  The same answers of the program lead to the
same cases in the same order: a search draws from nothing but numbers, and so can be resumed.

Owns that contract.  Who makes the runs is `campaign`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection
from typing import Any, ClassVar

import attrs

from ...choices import Choices
from ...errors import UsageError
from ...outcomes import EVERY
from ...scenario.run import Outcome
from ...script import Script


@attrs.frozen
class Case:
    """One run to make: exactly one of seed, script and choices decides its picks.

    `name` is what a person is told of it, such as ``seed 17``.  `only` bounds the storm of a seed.
    """

    name: str
    seed: int | None = None
    script: Script | None = None
    choices: Choices | None = None
    only: Collection[tuple[str, str]] = EVERY

    def supplier(self) -> dict[str, Any]:
        """The arguments of `Network` that make the run; a fresh supplier of picks each time."""
        if self.seed is not None:
            return {"seed": self.seed} if self.only is EVERY else {"seed": self.seed, "only": self.only}
        if self.script is not None:
            return {"script": self.script}
        assert self.choices is not None, f"case {self.name!r} has nobody who decides"
        return {"choices": self.choices.again()}


@attrs.frozen
class Extent:
    """How far a search is that has an end: `done` of `total` cases.

    Where `is_exact` is False the total is estimated from what was seen so far.
    """

    done: int
    total: int
    is_exact: bool = True

    def __str__(self) -> str:
        return f"{self.done:,} of {'' if self.is_exact else 'about '}{self.total:,}"


class Search(ABC):
    """A way through the runs of a program.  One object serves one campaign."""

    name: ClassVar[str]
    """As ``simnet fuzz --search`` takes it."""

    wants_trace = False
    """Whether it learns from traces; runs that keep one take a third longer."""

    @abstractmethod
    def next(self) -> Case | None:
        """The run to make now; None if all have been made."""

    def learn(self, outcome: Outcome) -> None:  # noqa: B027  (many do not look)
        """How the last case ended."""

    @property
    def extent(self) -> Extent | None:
        """How far it is; None for a search without an end, and for one that does not know its end yet."""
        return None

    @abstractmethod
    def state(self) -> Any:
        """Where it is, before the case that `next` returned last, as a value of JSON."""

    @abstractmethod
    def resume(self, state: Any) -> None:
        """Go on where `state` was taken, in a search that has not begun.

        Raises UsageError if that was no state of such a search.
        """


def whole_number(state: Any, search: str) -> int:
    """A state that is one number, 0 or more."""
    if isinstance(state, bool) or not isinstance(state, int) or state < 0:
        raise UsageError(f"cannot resume: {state!r} is no place in the search {search!r}")
    return state
