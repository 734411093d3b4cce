"""The probes of the standard library."""

from __future__ import annotations

from tests.unmodified.probe import STANDARD_LIBRARY, Probe

PROBES = (
    Probe(
        STANDARD_LIBRARY,
        "`http.client` asks `ThreadingHTTPServer`: keep-alive, chunks, POST; what is reset is tried again",
        "http_threading",
        faults=(
            "every segment anywhere comes in crumbs",
            "every send on server takes 7 bytes",
            "the 3rd recv on client is reset",
        ),
        names_take="300ms",
    ),
)
