"""Cells of the virtual kernel: each on a host of its own.

Owns that host.  Inside one host all that was sent has arrived when the call returns, so there is nothing to
wait for.
"""

from __future__ import annotations

from collections.abc import Iterable

from ...virtual import Network
from .bench import Bench
from .cells import Cells, Place, make, names
from .kinds import Kind


def virtual_cells(wanted: Iterable[Place]) -> Cells:
    """The cells at these places, on virtual hosts."""
    return dict(make(wanted, bench_for))


def bench_for(kind: Kind) -> Bench:
    host = Network().host("machine")
    return Bench(host.modules, kind, names(), settle=lambda: None)
