"""A body of a test in a network of its own: what would disturb this computer, or be disturbed by it.

Run as a program it makes a network namespace (network_namespaces(7)), with nothing in it but loopback, and
runs one body there.  A user namespace comes with it, so that nobody has to be root.

Owns the namespace and the way into it.  Does not own what the body claims.
"""

from __future__ import annotations

import ctypes
import fcntl
import functools
import importlib
import os
import socket as std
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from .machine import Machine, RealMachine

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
SIOCSIFFLAGS, IFF_UP = 0x8914, 1
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
    """Go into a new network namespace, and bring its loopback up."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0:
        print(os.strerror(ctypes.get_errno()), file=sys.stderr)
        raise SystemExit(CANNOT)
    with std.socket(std.AF_INET, std.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", IFF_UP))


def main(module: str, name: str) -> None:
    enter()
    machine = RealMachine()
    getattr(importlib.import_module(module), name).__wrapped__(machine)
    machine.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
