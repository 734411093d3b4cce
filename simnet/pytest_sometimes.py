"""What tests want to see `sometimes`, and what no test of a session has seen: the other end of a campaign.

A label is said in one test and reached in another, under xdist in another process.  So each report carries
what its phase of a test said, and who writes the summary adds it up.

Owns that sum.  What `sometimes` means is `simnet.properties.own`.
"""

from __future__ import annotations

from collections.abc import Generator
from itertools import chain
from typing import Any

import pytest

_PROPERTY = "simnet_sometimes"


class Sometimes:
    """Part of the plugin for one session."""

    def __init__(self) -> None:
        self._phase: dict[str, bool] = {}  # what was said since the last report, and whether it was true
        self._first: dict[str, str] = {}  # which test said it first
        self._seen: dict[str, bool] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Listen while a test runs, its fixtures included; a session within a test listens alone."""
        from .properties.own import listeners

        others = listeners.copy()
        listeners[:] = [self._hear]
        try:
            return (yield)
        finally:
            listeners[:] = others

    def _hear(self, says: str, is_true: bool) -> None:
        self._phase[says] = self._phase.get(says, False) or is_true

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self) -> Generator[None, Any, Any]:
        report = yield
        if self._phase:
            report.user_properties.append((_PROPERTY, list(self._phase.items())))
            self._phase = {}
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        said: list[Any] = [value for name, value in report.user_properties if name == _PROPERTY]
        for says, is_true in chain.from_iterable(said):
            self._first.setdefault(says, report.nodeid)
            self._seen[says] = self._seen.get(says, False) or is_true

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """One line for each label that was true in no test."""
        never = [says for says, is_true in self._seen.items() if not is_true]
        if never:
            terminalreporter.section("simnet: never seen in any test")
            for says in never:
                terminalreporter.write_line(f"{says}  ({self._first[says]})")
