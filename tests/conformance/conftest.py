"""The machines on which every test of this directory runs."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from .machine import Machine, RealMachine, VirtualMachine

REAL = pytest.param(
    RealMachine,
    marks=pytest.mark.skipif(sys.platform != "linux", reason="the expectations are those of Linux"),
    id="real",
)


@pytest.fixture(params=[pytest.param(VirtualMachine, id="virtual"), REAL])
def machine(request: pytest.FixtureRequest) -> Iterator[Machine]:
    """A virtual host, and then this computer."""
    machine = request.param()
    yield machine
    machine.close()
