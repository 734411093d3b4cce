"""The pytest plugin: a network as a fixture, seeds and transports from the command line, scenarios as
tests, and the failure report.

Nothing of simnet's machinery is imported before a test needs it.  Owns what pytest is told; what a
failure looks like is `report`, what a scenario is, `scenario`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .virtual import Network


@pytest.fixture
def net() -> Iterator[Network]:
    """A virtual network, calm unless --simnet-seed says otherwise."""
    from .virtual import Network

    yield Network()
