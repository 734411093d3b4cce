"""Ways through the runs of a program, behind one interface: `Search`."""

from .by_name import DEFAULT, NAMES, mixed, search_by_name
from .cuts import Cuts
from .exhaustive import Exhaustive
from .happenings import Happenings
from .mixed import Mixed
from .novelty import Novelty
from .pct import Pct
from .search import Case, Extent, Search
from .storm import Storm
from .sweep import Pairs, Sweep

__all__ = [
    "DEFAULT",
    "NAMES",
    "Case",
    "Cuts",
    "Exhaustive",
    "Extent",
    "Happenings",
    "Mixed",
    "Novelty",
    "Pairs",
    "Pct",
    "Search",
    "Storm",
    "Sweep",
    "mixed",
    "search_by_name",
]
