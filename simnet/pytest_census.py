"""What the programs of each test called, if ``--simnet-census`` asks for it.

Owns how the tables come to the terminal, from workers of xdist too.  What is in them is `simnet.census`.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .census import Census

_PROPERTY = "simnet_census"


class Censuses:
    """Part of the plugin for one session."""

    def __init__(self) -> None:
        self._made: list[Census] = []

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Count in every network that a test makes, its fixtures included."""
        from .census import of_every_network

        with of_every_network() as self._made:
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
        report = yield
        tables = [str(census) for census in self._made if census.calls]
        if call.when == "call" and tables:
            report.user_properties.append((_PROPERTY, tables))
        return report

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """The tables, test by test; a test without processes has none."""
        reports = [
            report for outcome in ("passed", "failed") for report in terminalreporter.getreports(outcome)
        ]
        for report in reports:
            for name, tables in getattr(report, "user_properties", ()):
                if name == _PROPERTY:
                    terminalreporter.section(f"simnet: census of {report.nodeid}")
                    for table in tables:
                        terminalreporter.write_line(table)
