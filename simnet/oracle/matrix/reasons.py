"""Why a cell may differ: every difference that is known has a name and a reason.

Owns the table.  A difference that no reason covers is an error, of the virtual kernel or of this table.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

import attrs

from .cells import Place


@attrs.frozen
class Reason:
    """A cause of differences.

    `places` are patterns of ``kind/state/operation``; `virtual`, if given, is a pattern of what the
    virtual kernel says instead, so that the reason covers nothing but what it explains.
    """

    name: str
    why: str
    places: tuple[str, ...]
    live: str = "*"
    virtual: str = "*"

    def covers(self, place: Place, live: str, virtual: str) -> bool:
        here = any(fnmatchcase(str(place), pattern) for pattern in self.places)
        return here and fnmatchcase(live, self.live) and fnmatchcase(virtual, self.virtual)


REASONS: tuple[Reason, ...] = ()
