"""The scenarios of this project tell true stories: each has a why and repeats its record."""

from pathlib import Path

import attrs
import pytest

from simnet.scenario import Expect, load, replay, run_scenario
from simnet.script import Script

ROOT = Path(__file__).parent.parent.parent
FILES = sorted((ROOT / "scenarios").glob("*.toml"))

pytestmark = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)


def test_a_story_has_a_title_and_a_why(path):
    scenario = load(path)
    assert len(scenario.title) > 20
    assert len(scenario.why.split()) > 20


def test_a_story_repeats_its_record(path):
    scenario = load(path)
    assert scenario.record is not None
    verdict = replay(scenario)
    assert verdict.as_expected, str(verdict)
    assert verdict.digest == scenario.record.digest


def test_a_story_that_fails_with_its_faults_passes_on_the_calm_network(path):
    scenario = load(path)
    if scenario.expect.outcome == "fails" and len(scenario.script):
        calm = attrs.evolve(scenario, script=Script(), expect=Expect("passes"))
        verdict = run_scenario(calm)
        assert verdict.as_expected, str(verdict)


def test_a_story_is_short_enough_to_be_read(path):
    assert len(path.read_text().splitlines()) <= 150
