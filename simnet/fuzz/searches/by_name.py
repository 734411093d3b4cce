"""The searches by the names that ``simnet fuzz --search`` takes."""

from __future__ import annotations

from collections.abc import Callable, Collection
from itertools import count

from ...errors import UsageError
from ...outcomes import EVERY
from .cuts import Cuts
from .exhaustive import Exhaustive
from .happenings import Happenings
from .mixed import Mixed
from .novelty import Novelty
from .pct import Pct
from .search import Search
from .storm import Storm
from .sweep import Pairs, Sweep

SEEDLESS: dict[str, Callable[[Collection[tuple[str, str]]], Search]] = {
    each.name: each for each in (Sweep, Pairs, Cuts, Exhaustive)
}
SEEDED: dict[str, Callable[[int, Collection[tuple[str, str]]], Search]] = {
    Mixed.name: lambda seed, only: mixed(seed, only),
    Storm.name: lambda seed, only: Storm(count(seed) if seed else None, only),
    Happenings.name: Happenings,
    Pct.name: Pct,
    Novelty.name: Novelty,
}
NAMES = (*SEEDED, *SEEDLESS)
DEFAULT = Mixed.name


def mixed(seed: int = 0, only: Collection[tuple[str, str]] = EVERY) -> Mixed:
    """The default: every second run is a storm; those between are of a sweep, of cuts, of priority schedules
    and of happenings in turn.

    Storms alone find most planted mistakes in the fewest runs.  Where they need many, a cut at one place or
    an order that has to hold for long, one of the others needs few; so nothing is found much later, and
    that much sooner.
    """
    storm = Storm(count(seed) if seed else None, only)
    others = (Sweep(only), Cuts(only), Pct(seed, only), Happenings(seed, only))
    return Mixed([search for other in others for search in (storm, other)])


def search_by_name(
    name: str = DEFAULT, only: Collection[tuple[str, str]] = EVERY, seed: int | None = None
) -> Search:
    """A search that has not begun.

    Args:
        only: the kinds of deviation that it may try, as (operation, outcome).
        seed: where a search that draws numbers begins; without it, 0.

    Raises UsageError if there is none of that name, or a seed is given to one that draws nothing.
    """
    if name in SEEDED:
        return SEEDED[name](seed or 0, only)
    if name not in SEEDLESS:
        raise UsageError(f"no search is called {name!r}; there are {', '.join(NAMES)}")
    if seed is not None:
        raise UsageError(f"the search {name!r} has no seeds")
    return SEEDLESS[name](only)
