"""Replay a scenario whose program is a test: pytest runs it, and we watch.

The plugin of simnet gives the test its network and raises Diverged if the run leaves the record; what is
left to do here is to start pytest and to compare how the test ended with what the scenario expects.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec

import attrs
import pytest

from .model import Scenario
from .run import wrong_end


@attrs.define
class Watch:
    """What became of the test."""

    has_run: bool = False
    error: BaseException | None = None

    @pytest.hookimpl
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> None:
        if call.when == "call":
            self.has_run = True
        if call.excinfo is not None and self.error is None:
            self.error = call.excinfo.value


def pytest_arguments(scenario: Scenario) -> list[str]:
    """What pytest is to be called with to replay a scenario that was read from a file."""
    assert scenario.test is not None
    assert scenario.path is not None
    return [scenario.test, f"--simnet-replay={scenario.path}"]


def replay_test(scenario: Scenario, more: Sequence[str] = ()) -> tuple[str, ...]:
    """Let pytest replay a scenario, in this process; what did not go as expected, empty if all did."""
    watch = Watch()
    # In this process, or the watch would see nothing.
    alone = ["-n0"] if find_spec("xdist") else []
    # simnet is imported, of course, and so cannot be rewritten.
    calm = ["-W", "ignore:Module already imported:pytest.PytestAssertRewriteWarning"]
    status = pytest.main([*pytest_arguments(scenario), *alone, *calm, *more], plugins=[watch])
    if not watch.has_run and watch.error is None:
        return (f"pytest did not run {scenario.test} (exit status {int(status)})",)
    return tuple(wrong_end(scenario, watch.error))
