"""A virtual host answers random look-ups as the C library does that is told of the same zone."""

from __future__ import annotations

import platform
import re
import subprocess
import sys

import pytest

from .names import LOOK_UPS, PLANTS, SKIPPED

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the expectations are glibc's")

SEEDS = 150


def compared(seeds: int, *arguments: str) -> tuple[int, str]:
    """The exit status and the output of a comparison in a namespace of its own."""
    command = [sys.executable, "-m", "tests.differential.names", str(seeds), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode == SKIPPED:
        pytest.skip(done.stdout.strip())
    assert done.stderr == ""
    return done.returncode, done.stdout


def test_random_look_ups_are_answered_as_by_the_c_library() -> None:
    status, output = compared(SEEDS)
    assert status == 0, output
    assert f"{SEEDS * LOOK_UPS} look-ups, 0 differences" in output
    seen = set(re.findall(r"\d+ (\S+ \S+)", output))
    for number in ("-1", "-2", "-3", "-5", "-7", "-8", "-9", "ok"):
        assert f"getaddrinfo {number}" in seen
    for number in ("1", "2", "4", "ok"):
        assert f"gethostbyaddr {number}" in seen


@pytest.mark.parametrize("plant", PLANTS)
def test_a_virtual_host_that_is_wrong_is_found_out(plant: str) -> None:
    status, output = compared(SEEDS // 3, "--plant", plant)
    assert status == 1, output
