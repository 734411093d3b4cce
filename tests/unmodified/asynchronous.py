"""The probes of packages from PyPI that stand on asyncio."""

from __future__ import annotations

from tests.unmodified.probe import Probe, Refused

PROBES: tuple[Probe, ...] = ()

REFUSED: tuple[Refused, ...] = ()
