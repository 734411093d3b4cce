"""Which packages are asked: those that run unmodified, and those that do not, each with its reason.

Owns the list.  What is done with a package is said by its program, and whether it is done by the tests.
"""

from __future__ import annotations

from tests.unmodified import asynchronous, blocking, standard_library

PROBES = (*standard_library.PROBES, *blocking.PROBES, *asynchronous.PROBES)

REFUSED = (*blocking.REFUSED, *asynchronous.REFUSED)
