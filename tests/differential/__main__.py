"""``python -m tests.differential [SECONDS] [FIRST_SEED]``: compare with the live kernel for a while."""

from __future__ import annotations

import sys
import time
from collections import Counter
from typing import Any

from .lockstep import difference, shrink
from .program import PROFILES, generate


def main(seconds: float = 10, seed: int = 0) -> int:
    """Run programs until the time is up or one differs; print what was reached."""
    deadline_s = time.monotonic() + seconds
    seen: Counter[Any] = Counter()
    programs = 0
    while time.monotonic() < deadline_s:
        for profile in PROFILES:
            if profile == "full" and seed % 20:  # filling a buffer takes several delayed ACKs
                continue
            program = generate(seed, profile, 40)
            programs += 1
            if difference(program, seen) is not None:
                program = shrink(program, difference)
                print(f"profile {profile}, seed {seed}: the machines differ")
                print(*map(repr, program), sep="\n")
                print(difference(program))
                return 1
        seed += 1
    kinds = f"{len(seen)} kinds of call, result and readiness"
    print(f"{programs} programs, {sum(seen.values())} calls, {kinds}: equal")
    return 0


if __name__ == "__main__":
    sys.exit(main(*map(float, sys.argv[1:2]), *map(int, sys.argv[2:3])))
