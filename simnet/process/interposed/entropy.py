"""Generators that are made without a seed: in a process they draw theirs from the host.

The functions of `random` and `os.urandom` are of the table in `functions`; `secrets`, `uuid.uuid4` and
`random.SystemRandom` come to the latter.  What a host draws depends on its name alone, not on a storm's seed:
the script of a run repeats it.

Owns `random.Random.seed`.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from ..process import running

_seed = random.Random.seed


def _seed_in_a_process(self: random.Random, a: Any = None, version: int = 2) -> None:
    process = running()
    if a is None and process is not None:
        a = process.host.entropy.getrandbits(256)
    _seed(self, a, version)


def change() -> Callable[[], None]:
    """Let generators be seeded by the host; returns what undoes it."""
    random.Random.seed = _seed_in_a_process  # type: ignore[method-assign]

    def undo() -> None:
        random.Random.seed = _seed  # type: ignore[method-assign]

    return undo
