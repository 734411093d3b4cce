"""The machine-readable table: what the live kernel answered, and where the virtual one says otherwise.

The file is JSON.  ``kinds`` has for each kind, each of its states and each answer the operations that are
answered so: an answer is mostly that of many operations, and a change of one is a change of two lines.
A kind that has a twin has only the cells that differ from the twin's.
``virtual`` has the virtual kernel's answers in the same way, where they differ; ``unstable`` the places that
the live kernel answered differently when it was asked twice.

Owns the format, in both directions.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeAlias

import attrs

from .cells import Cells, Place, places
from .kinds import KINDS

TWINS = {"tcp6": "tcp4", "tcp46": "tcp4", "udp6": "udp4", "udp46": "udp4", "unixseq": "unix"}

Grouped: TypeAlias = dict[str, dict[str, dict[str, str]]]


@attrs.frozen
class Record:
    """Cells of a live kernel, which kernel, the virtual cells that differ, and where the live one wavered."""

    kernel: str
    live: Cells
    virtual: Cells
    unstable: list[Place]

    def whole_virtual(self) -> Cells:
        """Every cell of the virtual kernel."""
        return {**self.live, **self.virtual}


def save(record: Record, path: Path) -> None:
    content = {
        "kernel": record.kernel,
        "unstable": [str(place) for place in record.unstable],
        "kinds": grouped(
            {place: cell for place, cell in record.live.items() if not is_as_twin(place, record.live)}
        ),
        "virtual": grouped(record.virtual),
    }
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def load(path: Path) -> Record:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    unstable = [Place(*text.split("/")) for text in content["unstable"]]
    live = with_twins(ungrouped(content["kinds"]))
    return Record(content["kernel"], live, ungrouped(content["virtual"]), unstable)


def grouped(cells: Cells) -> Grouped:
    groups: Grouped = {}
    for place in in_order(cells):
        answers = groups.setdefault(place.kind, {}).setdefault(place.state, {})
        before = answers.get(cells[place])
        answers[cells[place]] = place.operation if before is None else f"{before} {place.operation}"
    return groups


def ungrouped(groups: Grouped) -> Cells:
    return {
        Place(kind, state, operation): answer
        for kind, states in groups.items()
        for state, answers in states.items()
        for answer, operations in answers.items()
        for operation in operations.split()
    }


def in_order(cells: Cells) -> list[Place]:
    """By kind in the order of the table; states and operations by name, so that two files compare well."""
    order = list(KINDS)
    return sorted(cells, key=lambda place: (order.index(place.kind), place))


def with_twins(cells: Cells) -> Cells:
    """The cells of the kinds that have a twin, where nothing else is said of them."""
    like = {place: cells.get(twin_of(place)) for place in places(TWINS)}
    return {place: answer for place, answer in like.items() if answer is not None} | cells


def is_as_twin(place: Place, cells: Cells) -> bool:
    return place.kind in TWINS and cells.get(twin_of(place)) == cells[place]


def twin_of(place: Place) -> Place:
    return Place(TWINS[place.kind], place.state, place.operation)
