"""Faults of asyncore come in pairs of scenarios: one fails on the old classes, one passes on the new."""

from pathlib import Path

import pytest

from simnet.scenario import load

FILES = sorted((Path(__file__).parents[2] / "scenarios").glob("*.toml"))
PAIRS: dict[str, list] = {}
for path in FILES:
    scenario = load(path)
    if scenario.call and scenario.call.startswith("examples.old_faults:"):
        PAIRS.setdefault(scenario.call, []).append(scenario)


def test_there_are_seven():
    assert len(PAIRS) == 7


@pytest.mark.parametrize("call", PAIRS)
def test_the_same_fault_is_met_by_both_arms_and_only_the_old_one_fails(call):
    first, second = PAIRS[call]
    assert first.script == second.script
    assert len(first.script) == 1
    outcomes = {scenario.arguments["is_native"]: scenario.expect.outcome for scenario in (first, second)}
    assert outcomes == {False: "fails", True: "passes"}
