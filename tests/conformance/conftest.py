"""The machines on which every test of this directory runs."""

from __future__ import annotations

import socket as std
import sys
from collections.abc import Iterator

import pytest

from tests import linux

from .machine import Machine, RealMachine, VirtualMachine

REAL = pytest.param(
    RealMachine,
    marks=[
        pytest.mark.skipif(sys.platform != "linux", reason="the expectations are those of Linux"),
        # Others use the ports of this computer too: what it says counts if it says so once in three times.
        pytest.mark.flaky(reruns=2),
    ],
    id="real",
)


@pytest.fixture(params=[pytest.param(VirtualMachine, id="virtual"), REAL])
def machine(request: pytest.FixtureRequest) -> Iterator[Machine]:
    """A virtual host, and then this computer."""
    about_unix = "test_unix_" in request.module.__name__ or "_unix_" in request.function.__name__
    if request.param is RealMachine and linux.IS_ANOTHER and about_unix:
        pytest.skip(linux.WHY)
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
