"""The machines on which every test of this directory runs."""

from __future__ import annotations

import socket as std
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


@pytest.fixture(params=[std.AF_INET, std.AF_INET6], ids=["ipv4", "ipv6"])
def family(request: pytest.FixtureRequest, machine: Machine) -> int:
    """Both versions of IP, for what they have in common."""
    family: int = request.param
    if family == std.AF_INET6:
        machine.needs_ipv6()
    return family
