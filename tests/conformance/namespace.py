"""A body of a test in a network of its own: what would disturb this computer, or be disturbed by it.

Run as a program it makes a network namespace (network_namespaces(7)) and runs one body there.

Owns the way into it.  Does not own what the body claims, nor how a namespace is made (`simnet.oracle`).
"""

from __future__ import annotations

import functools
import importlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from simnet.oracle.namespace import Namespace, NoNamespace

from .machine import Machine, RealMachine

OWN_ADDRESS = "10.0.0.1"
CANNOT = 77
"""What the program returns where no namespace can be made."""

ROOT = Path(__file__).parents[2]


def in_private_network(body: Callable[[Machine], None]) -> Callable[[Machine], None]:
    """A test whose body runs in a network of its own on a real machine; a virtual host has one anyway."""

    @functools.wraps(body)
    def test(machine: Machine) -> None:
        if machine.name == "virtual":
            body(machine)
            return
        done = subprocess.run(
            [sys.executable, "-m", __name__, body.__module__, body.__name__],
            cwd=ROOT,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
        )
        if done.returncode == CANNOT:
            pytest.skip(f"no network namespace can be made: {done.stderr}")
        assert done.returncode == 0, done.stderr

    return test


def enter() -> None:
    """Go into a new network namespace."""
    try:
        Namespace(OWN_ADDRESS)
    except NoNamespace as why:
        print(why, file=sys.stderr)
        raise SystemExit(CANNOT) from None


def main(module: str, name: str) -> None:
    enter()
    machine = RealMachine()
    getattr(importlib.import_module(module), name).__wrapped__(machine)
    machine.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
