"""Rules of pipes, each broken once."""

from __future__ import annotations

from .infidelities import Infidelity

PIPES = [
    Infidelity(
        "a pipe without a writer shows no HUP",
        "pipe.ReadEnd.poll_mask",
        "HUP if",
        "0 if",
        "pipe",
    ),
    Infidelity(
        "a pipe without a reader shows HUP",
        "pipe.WriteEnd.poll_mask",
        "ERR if",
        "HUP if",
        "pipe",
    ),
    Infidelity(
        "a pipe without a writer would wait",
        "pipe.ReadEnd.read",
        " and self.other is not None:\n        raise",
        ":\n        raise",
        "pipe",
    ),
    Infidelity(
        "a small write has a page of its own",
        "pipe.Ring.put",
        "if odd and",
        "if False and",
        "pipe",
    ),
    Infidelity(
        "a large write is taken whole or not at all",
        "pipe.WriteEnd.write",
        "if not written:",
        "if written < len(data):",
        "pipe",
    ),
    Infidelity(
        "to write nothing fails where nobody reads",
        "pipe.WriteEnd.write",
        "if not data:",
        "if not data and self.other is not None:",
        "pipe",
    ),
    Infidelity(
        "half a page makes room for a write",
        "pipe.Ring.take",
        "if self._taken == len(page):",
        "if self._taken >= len(page) // 2:",
        "pipe",
    ),
]
