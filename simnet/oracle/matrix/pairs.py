"""Two operations in a row, in a state: some of the million pairs that the table has no room for.

What the first leaves behind, the second finds: an error that was told, a port that was given back.  A table
of single operations sees only what can be seen at once.

Owns which pairs are drawn.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from .cells import BESIDE, Place
from .kinds import KINDS
from .registry import OPERATIONS, STATES


def drawn(kinds: Sequence[str], count: int, seed: int) -> list[Place]:
    """`count` pairs, each of a kind, a state and two operations that are drawn from all there are."""
    draw = random.Random(seed)
    return [pair(draw, draw.choice(kinds)) for _ in range(count)]


def pair(draw: random.Random, kind: str) -> Place:
    state = draw.choice(list(STATES.of(KINDS[kind])))
    operations = list(OPERATIONS.of(KINDS[kind]))
    return Place(kind, state, f"{draw.choice(operations)}{BESIDE}{draw.choice(operations)}")
