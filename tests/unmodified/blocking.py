"""The probes of packages from PyPI that block and start threads."""

from __future__ import annotations

from tests.unmodified.probe import Probe, Refused

PROBES: tuple[Probe, ...] = (
    Probe(
        "waitress",
        "its pool of threads serves three clients with keep-alive, which retry by urllib3's `Retry`",
        "waitress_requests",
        faults=(
            "the 2nd segment on client containing 'GET' is reset",
            "every segment on client comes in crumbs",
            "every send on server takes 100 bytes",
        ),
        needs=("requests", "urllib3"),
    ),
)

REFUSED: tuple[Refused, ...] = ()
