"""Ways through the runs of a program, behind one interface: `Search`."""

from .by_name import DEFAULT, NAMES, search_by_name
from .search import Case, Extent, Search
from .storm import Storm
from .sweep import Pairs, Sweep

__all__ = ["DEFAULT", "NAMES", "Case", "Extent", "Pairs", "Search", "Storm", "Sweep", "search_by_name"]
