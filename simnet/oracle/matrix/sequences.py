"""Several operations in a row, in a state: some of the many that the table has no room for.

What one operation leaves behind, the next one finds: an error that was told, a port that was given back, a
half that was shut.  A table of single operations sees only what can be seen at once.

Owns which sequences are drawn, and how one that differs is made short.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from .cells import BESIDE, Cells, Place
from .kinds import KINDS
from .registry import OPERATIONS, STATES
from .verdict import differ

Ask = Callable[[list[Place]], Cells]
"""What a kernel answers at these places."""


def drawn(kinds: Sequence[str], count: int, length: int, seed: int) -> list[Place]:
    """`count` sequences, each of a kind, a state and operations that are drawn from all there are."""
    draw = random.Random(seed)
    return [sequence(draw, draw.choice(kinds), length) for _ in range(count)]


def sequence(draw: random.Random, kind: str, length: int) -> Place:
    state = draw.choice(list(STATES.of(KINDS[kind])))
    operations = list(OPERATIONS.of(KINDS[kind]))
    return Place(kind, state, BESIDE.join(draw.choice(operations) for _ in range(length)))


def shortened(place: Place, live: Ask, virtual: Ask) -> Place:
    """The sequence without the operations that the difference does not need.

    One operation is left out at a time, for as long as the kernels still differ without it.
    """
    while candidates := without_one(place):
        answers = live(candidates), virtual(candidates)
        differing = [place for place in candidates if differ(answers[0].get(place), answers[1].get(place))]
        if not differing:
            break
        place = differing[0]
    return place


def without_one(place: Place) -> list[Place]:
    operations = place.operation.split(BESIDE)
    if len(operations) == 1:
        return []
    return [
        Place(place.kind, place.state, BESIDE.join(operations[:at] + operations[at + 1 :]))
        for at in reversed(range(len(operations)))
    ]
