"""A survey: all cells of some kinds, of both kernels.

Owns how often the live kernel is asked.  It is asked everything twice: what it answers differently is
not a fact about Linux but about the moment, and is counted.
"""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Callable, Iterable
from functools import cached_property

import attrs

from .cells import Cells, Place, places
from .live import live_cells
from .record import Record
from .sequences import shortened
from .verdict import Verdict, differ, judge
from .virtual import virtual_cells

ATTEMPTS = 5
"""How often in all a cell is asked that was answered differently."""


@attrs.frozen
class Survey:
    """What both kernels answered, and where the live one was of two minds."""

    kernel: str
    live: Cells
    virtual: Cells
    unstable: list[Place]

    @cached_property
    def verdict(self) -> Verdict:
        return judge(self.live, self.virtual)

    @property
    def record(self) -> Record:
        unlike = {place: cell for place, cell in self.virtual.items() if self.live.get(place) != cell}
        return Record(self.kernel, self.live, unlike, self.unstable)


def survey(kinds: Iterable[str], tell: Callable[[str], None]) -> Survey:
    """Ask both kernels, and `tell` how far it is.

    Raises:
        NoNamespace: the live kernel cannot be asked here.
    """
    live: Cells = {}
    virtual: Cells = {}
    unstable: list[Place] = []
    for kind in kinds:
        wanted = places([kind])
        found, moody = asked_twice(wanted)
        live |= found
        unstable += moody
        virtual |= virtual_cells(wanted)
        tell(f"{kind}: {len(found)} cells")
    return Survey(platform.release(), live, virtual, unstable)


def survey_of_sequences(wanted: list[Place], tell: Callable[[str], None]) -> Survey:
    """The same of sequences of operations in place of the table; those that differ are made short."""
    live, unstable = asked_twice(wanted)
    virtual = virtual_cells(wanted)
    tell(f"{len(live)} sequences")
    for place in [place for place in wanted if differ(live.get(place), virtual.get(place))]:
        short = shortened(place, live_cells, virtual_cells)
        for cells, ask in ((live, live_cells), (virtual, virtual_cells)):
            cells.pop(place, None)
            cells |= ask([short])
    return Survey(platform.release(), live, virtual, unstable)


def asked_twice(wanted: list[Place]) -> tuple[Cells, list[Place]]:
    """The cells of the live kernel, and the places that it answered differently."""
    first, second = live_cells(wanted), live_cells(wanted)
    unstable = [place for place in wanted if first.get(place) != second.get(place)]
    if unstable:
        asked = [first, second, *(live_cells(unstable) for _ in range(ATTEMPTS - 2))]
        for place in unstable:
            said = Counter(cells[place] for cells in asked if place in cells)
            first[place] = said.most_common(1)[0][0]
    return first, unstable


def survey_of_record(record: Record, kinds: Iterable[str], tell: Callable[[str], None]) -> Survey:
    """The same with what was recorded in place of the live kernel."""
    chosen = tuple(kinds)
    virtual: Cells = {}
    for kind in chosen:
        found = virtual_cells(places([kind]))
        virtual |= found
        tell(f"{kind}: {len(found)} cells")
    live = {place: cell for place, cell in record.live.items() if place.kind in chosen}
    return Survey(record.kernel, live, virtual, record.unstable)
