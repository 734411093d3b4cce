"""Every bug of the zoo is found by default settings, shrunk, kept and replayed; its good twin is left alone.

These are small samples, bounded by runs.  The whole measurement is ``python -m tests.zoo``.
"""

import gc
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from simnet.scenario import load, replay, save
from tests.zoo.measure import DEVIATIONS_MAX, by_hypothesis, by_search, calm, scenario_of, survives
from tests.zoo.members import MEMBERS
from tests.zoo.releases import Release

# waitress does not close its pipe, and warns of that when it is collected.
pytestmark = [
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning"),
]

ROOT = Path(__file__).parents[2]
SCENARIOS = sorted((Path(__file__).parent / "kept").glob("*.toml"))
TWIN_RUNS_MAX = 150
TESTS_MAX = 4
"""How often a Hypothesis test of 100 examples is run before its bug counts as not found."""


def each_member(reason=lambda member: ""):
    """All members; `reason` says of one why it is known to fail."""
    return pytest.mark.parametrize(
        "member",
        [
            pytest.param(
                member,
                id=member.name,
                marks=[pytest.mark.xfail(reason=reason(member), strict=True)] if reason(member) else [],
            )
            for member in MEMBERS
        ],
    )


@pytest.fixture(autouse=True)
def _releases_are_here(request):
    member = request.node.callspec.params.get("member") if hasattr(request.node, "callspec") else None
    if member is not None and member.missing:
        pytest.skip(f"{' and '.join(member.missing)} not here: `make zoo` brings them")


@pytest.fixture(autouse=True, scope="module")
def _what_was_found_is_let_go():
    yield
    found.cache_clear()
    gc.collect()


@pytest.fixture(autouse=True)
def _collected(request):
    """What waitress has left behind is collected here, and not in another test."""
    yield
    if "waitress" in request.node.name:
        gc.collect()


@cache
def found(member):
    # With a bound on runs instead of one on time a slow machine finds the same.
    calm(member)
    return by_search(member) if not member.by_search else by_search(member, runs_max=300)


@each_member(lambda member: member.by_search)
def test_the_default_search_finds_the_bug_and_shrinks_it_to_three_deviations(member):
    assert found(member) is not None
    assert found(member).shrunk.each_needed
    assert len(found(member).script) <= DEVIATIONS_MAX


@each_member(lambda member: member.by_search)
def test_the_scenario_of_what_was_found_replays_to_its_digest(member, tmp_path):
    assert found(member) is not None
    save(scenario_of(member, found(member)), tmp_path / "found.toml")
    assert replay(load(tmp_path / "found.toml")).problems == ()


@each_member()
def test_the_good_twin_survives_ten_times_that_search(member):
    runs = 10 * found(member).progress.runs if found(member) is not None else TWIN_RUNS_MAX
    failure = survives(member, min(runs, TWIN_RUNS_MAX))
    assert failure is None, f"{failure.script}\n{failure.outcome.error!r}"


@each_member(lambda member: member.by_hypothesis)
def test_a_hypothesis_test_of_default_settings_finds_the_bug(member):
    calm(member)
    assert any(by_hypothesis(member, number, shrinks=False).examples for number in range(TESTS_MAX))


# --- kept scenarios ------------------------------------------------------------------------------


def test_every_member_that_is_found_has_its_scenario():
    kept = {path.stem.replace("-", "_") for path in SCENARIOS}
    assert kept == {member.name for member in MEMBERS if not member.by_search}


def test_every_member_is_in_the_table_of_the_documentation():
    page = (ROOT / "docs" / "explanation" / "zoo.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)
    assert listed == [member.name for member in MEMBERS]


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_a_kept_scenario_replays_to_its_digest(path):
    (member,) = (each for each in MEMBERS if each.name == path.stem.replace("-", "_"))
    if member.missing:
        pytest.skip(f"{' and '.join(member.missing)} not here: `make zoo` brings them")
    assert replay(load(path)).problems == ()


REPLAY = """
import sys
from simnet.scenario import load, replay

for file in sys.argv[1:]:
    assert replay(load(file)).as_expected, file
"""


def other_pythons():
    """The interpreters of the other development environments."""
    candidates = sorted(Path(sys.prefix).parent.glob("3.*/bin/python"))
    return [path for path in candidates if path.parent.parent != Path(sys.prefix)]


@pytest.mark.parametrize("python", other_pythons(), ids=lambda path: path.parts[-3])
def test_kept_scenarios_replay_to_their_digests_on_every_python(python):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    call = [str(python), "-c", "import attrs, click"]
    if subprocess.run(call, capture_output=True, check=False).returncode:
        pytest.skip(f"{python} is not set up yet")
    here = {each.name.replace("_", "-") for each in MEMBERS if not each.missing}
    files = [str(path) for path in SCENARIOS if path.stem in here]
    call = [str(python), "-c", REPLAY, *files]
    done = subprocess.run(call, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


# --- releases ------------------------------------------------------------------------------------


def release_in(folder, version, text):
    made = Release("zooed", version)
    made.folder = folder / version
    (made.folder / "zooed").mkdir(parents=True)
    (made.folder / "zooed" / "__init__.py").write_text(text, encoding="utf-8")
    return made


def test_two_releases_of_one_name_are_imported_side_by_side(tmp_path):
    old, new = (release_in(tmp_path, version, f"version = {version!r}") for version in ("1", "2"))
    for each in (old, new, old):
        with each.on():
            assert each.load("zooed").version == each.version
    assert "zooed" not in sys.modules


def test_a_release_lives_on_the_machine_that_it_is_lent(tmp_path):
    made = release_in(tmp_path, "1", "import time")
    with made.on():
        module = made.load("zooed")

    class Machine:
        os = select = socket = time = object()

    with made.on(Machine):
        assert module.time is Machine.time
    assert module.time is sys.modules["time"]
