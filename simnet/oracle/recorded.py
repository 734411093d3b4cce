"""Logs of the live kernel, recorded: they stand in where no private namespace can be made.

A log is text, one line a call: the call, its result, and how the state of descriptors changed, separated by
tabs.  ``python -m simnet.oracle.recorded`` records them all again.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .generate import generate
from .live import LiveKernel
from .lockstep import Log
from .profiles import PROFILES
from .program import Program, parse

FOLDER = Path(__file__).parent / "logs"
PROGRAMS = 10
"""How many programs of a profile are recorded."""


def recorded(profile: str) -> Iterator[tuple[Program, Log]]:
    """The recorded programs of a profile, and what the live kernel said to each."""
    text = (FOLDER / f"{profile}.log").read_text(encoding="utf-8")
    for part in text.split("\n\n")[1:]:
        yield _read(part.strip("\n").split("\n"))


def recorded_on(profile: str) -> str:
    """The kernel that the logs of a profile are from."""
    with open(FOLDER / f"{profile}.log", encoding="utf-8") as lines:
        return lines.readline().strip("# \n").partition(",")[0]


def _read(lines: list[str]) -> tuple[Program, Log]:
    program, log, state = [], [], {}
    for line in lines:
        call, result, changes = line.split("\t")
        program.append(parse(call))
        state.update(ast.literal_eval(changes))
        log.append(
            (
                ast.literal_eval(result),
                tuple((slot, *seen) for slot, seen in sorted(state.items()) if seen is not None),
            )
        )
    return program, log


def _write(program: Program, log: Log) -> str:
    lines, before = [], dict[int, Any]()
    for call, (result, state) in zip(program, log, strict=True):
        now = {slot: (mask, readable) for slot, mask, readable in state}
        changes = {
            slot: now.get(slot) for slot in sorted({*before, *now}) if before.get(slot) != now.get(slot)
        }
        lines.append(f"{call!r}\t{result!r}\t{changes!r}")
        before = now
    return "\n".join(lines)


def record(folder: Path = FOLDER) -> None:
    """Record the logs of every profile, each as two runs agree on it."""
    folder.mkdir(exist_ok=True)
    with LiveKernel() as live:
        for profile in PROFILES:
            parts = [f"# {os.uname().sysname} {os.uname().release.split('-')[0]}, {profile}"]
            seed = 0
            while len(parts) <= PROGRAMS:
                program = generate(seed, profile)
                log = live.log(program)
                if live.compare(program, log) is None:
                    parts.append(_write(program, log))
                seed += 1
            (folder / f"{profile}.log").write_text("\n\n".join(parts) + "\n", encoding="utf-8")


if __name__ == "__main__":
    record()
