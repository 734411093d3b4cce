"""Which handlers ran under which faults, over a campaign, and which pairs never did.

A bug in a handler that never ran after a reset is a bug that no number of seeds will find.  While a run is
watched, every function of the program that is a handler by its name is noted, with the kinds of deviation and
happening that had come by then.  Watching is by `sys.setprofile`: it makes a run some times slower, so a
campaign watches a few of its runs.

Owns that table.  Whether enough was covered is for people to say.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from ..script import Deviation, Happening
from ..virtual import Network

_OWN = str(Path(__file__).parent.parent)
_HANDLERS = ("handle_", "found_terminator", "collect_incoming_data")

CALM = "calm"
"""The column of what ran before anything deviated."""


class HandlerCoverage:
    """Handlers, kinds of fault, and in how many of the watched runs each pair came together."""

    def __init__(self) -> None:
        self.runs = 0
        self._counts: dict[tuple[str, str], int] = {}

    @property
    def handlers(self) -> list[str]:
        """Those that ran, ``Channel.handle_read``, in alphabetical order."""
        return sorted({handler for handler, _ in self._counts})

    @property
    def kinds(self) -> list[str]:
        """The kinds of fault that some handler ran after: ``segment cut``; `CALM` first."""
        return sorted({kind for _, kind in self._counts}, key=lambda kind: (kind != CALM, kind))

    def count(self, handler: str, kind: str) -> int:
        """In how many runs a handler ran after a fault of this kind."""
        return self._counts.get((handler, kind), 0)

    @contextmanager
    def watch(self, network: Network) -> Iterator[None]:
        """Note what runs on a network, for one run."""
        met: set[tuple[str, str]] = set()
        kinds = _Kinds(network)

        def note(frame: FrameType, event: str, arg: Any) -> None:
            code = frame.f_code
            if event != "call" or not code.co_name.startswith(_HANDLERS):
                return
            if not code.co_filename.startswith(_OWN):
                met.update((code.co_qualname, kind) for kind in kinds.so_far())

        before = sys.getprofile()
        sys.setprofile(note)
        try:
            yield
        finally:
            sys.setprofile(before)
            self.runs += 1
            for pair in sorted(met):
                self._counts[pair] = self._counts.get(pair, 0) + 1

    def table(self) -> str:
        """A row a handler, a column a kind of fault; a dot where they never came together."""
        kinds, handlers = self.kinds, self.handlers
        if not handlers:
            return "no handler of the program ran"
        width = max(map(len, handlers))
        lines = [f"{number:>{width + 4}}  {kind}" for number, kind in enumerate(kinds, 1)]
        head = "".join(f"{number:>6}" for number in range(1, len(kinds) + 1))
        rows = [
            f"{handler:<{width}}" + "".join(f"{self.count(handler, kind) or '·':>6}" for kind in kinds)
            for handler in handlers
        ]
        return "\n".join([*lines, "", " " * width + head, *rows])


class _Kinds:
    """The kinds of fault that a network has met, found out as they come."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._seen = (0, 0)
        self._kinds = [CALM]

    def so_far(self) -> list[str]:
        deviations, happened = self._network.recording.deviations, self._network.happened
        if (len(deviations), len(happened)) != self._seen:
            self._seen = (len(deviations), len(happened))
            met: list[Deviation | Happening] = [*deviations, *happened]
            self._kinds = list(dict.fromkeys(map(kind_of, met)))
        return self._kinds


def kind_of(item: Deviation | Happening) -> str:
    """What kind of fault something is: ``segment cut``, ``partition``."""
    return f"{item.op} {item.outcome}" if isinstance(item, Deviation) else item.what
