"""The interpreter's tests of asyncore, asynchat, smtpd and ftplib pass with simnet's modules in their place.

They use real sockets and real threads, so each suite has a process of its own.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from typing import Any

import pytest

SUITES = {"test_asyncore": 90, "test_asynchat": 20, "test_smtpd": 140, "test_ftplib": 85}
"""Each with how many tests there are at least."""


def is_installed(suite: str) -> bool:
    return (
        importlib.util.find_spec("test") is not None and importlib.util.find_spec(f"test.{suite}") is not None
    )


def outcome(program: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


RUN = "import json; from tests.interpreter.replaced import run; print(json.dumps(run({suite!r})))"


@pytest.fixture(params=SUITES)
def suite(request: pytest.FixtureRequest) -> str:
    if sys.version_info >= (3, 12):
        pytest.skip(f"asyncore and its tests left Python with 3.12: no test.{request.param}")
    if not is_installed(request.param):
        pytest.skip(f"the test package of this interpreter is not installed: no test.{request.param}")
    return str(request.param)


def test_the_interpreters_own_suite_passes_with_simnets_modules(suite: str) -> None:
    found = outcome(RUN.format(suite=suite))
    assert not found["troubles"], "\n\n".join(found["troubles"].values())
    assert found["run"] >= SUITES[suite]
    assert len(found["skipped"]) <= found["run"] // 10


@pytest.mark.skipif(not is_installed("test_asynchat"), reason="no test.test_asynchat is installed")
def test_a_fault_in_the_modules_is_noticed() -> None:
    """The canary: without a search for the beginning of a terminator, its own tests say so."""
    planted = "from simnet import asynchat; asynchat.find_prefix_at_end = lambda *found: 0; "
    found = outcome(planted + RUN.format(suite="test_asynchat"))
    assert any("find_prefix_at_end" in test for test in found["troubles"])
