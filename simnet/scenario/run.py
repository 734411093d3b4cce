"""Run a program on a network and say how it ended.

A *program* is a callable that takes a `Network` (and perhaps arguments), makes its hosts and handlers,
runs the network and asserts what should hold.  Whatever it lets out is the run's error.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import attrs

from ..virtual import Network

Program: TypeAlias = Callable[..., object]


@attrs.frozen(eq=False)
class Outcome:
    """How a run ended: the network as it was then, and what the program let out."""

    network: Network
    error: Exception | None

    @property
    def passed(self) -> bool:
        return self.error is None

    @property
    def fingerprint(self) -> str:
        """What makes two failures the same: the kind of error, and the function that let it out."""
        return "" if self.error is None else fingerprint(self.error)


def execute(program: Program, network: Network, arguments: Mapping[str, Any] | None = None) -> Outcome:
    """Run `program` on `network`.  Interrupts pass through; every other exception is the outcome."""
    try:
        program(network, **(arguments or {}))
    except Exception as error:
        return Outcome(network, error)
    return Outcome(network, None)


def fingerprint(error: BaseException) -> str:
    """The kind of an error and the innermost function outside simnet that it came through."""
    frames = traceback.extract_tb(error.__traceback__)
    own = __file__.rpartition("scenario")[0]
    outside = [frame for frame in frames if not frame.filename.startswith(own)] or frames
    place = f"{outside[-1].name}" if outside else ""
    return f"{type(error).__name__} in {place}"
