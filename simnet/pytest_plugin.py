"""The pytest plugin: a network as a fixture, seeds and transports from the command line, scenarios as
tests, and the failure report.

Search, scenarios and reports are imported when a test needs them.  Owns what pytest is told; what a
failure looks like is `report`, what a scenario is, `scenario`, and what is made of a failing test,
`pytest_failures`.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Generator, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from .pytest_census import Censuses
from .pytest_hosts import Hosts
from .pytest_sometimes import Sometimes

if TYPE_CHECKING:
    from .checks import Checks
    from .fence import Fence
    from .scenario.model import Scenario
    from .scenario.run import Verdict
    from .stage import Stage
    from .virtual import Network

ARTIFACTS = ".simnet/failures"


class Settings:
    """What the command line and the ini file say, checked."""

    def __init__(self, config: pytest.Config) -> None:
        def option(name: str) -> Any:
            given = config.getoption(f"simnet_{name}")
            return given if given is not None else config.getini(f"simnet_{name}") or None

        self.seed: int | None = _whole("--simnet-seed", config.getoption("simnet_seed"), 0)
        self.runs: int = _whole("--simnet-runs", option("runs"), 1) or 1
        self.transports: list[str] = _transports(option("transport") or "virtual")
        self.artifacts = Path(config.rootpath, option("artifacts") or ARTIFACTS)
        self.checks_determinism: bool = config.getoption("simnet_check_determinism")
        self.scenarios: list[str] = config.getini("simnet_scenarios")
        replay = config.getoption("simnet_replay")
        self.replayed: Scenario | None = _scenario(replay) if replay is not None else None
        self.is_strict: bool = config.getoption("simnet_strict")
        self.updates: bool = config.getoption("simnet_update")
        if (self.is_strict or self.updates) and self.replayed is None:
            raise pytest.UsageError("--simnet-strict and --simnet-update go with --simnet-replay")
        if self.is_strict and self.updates:
            raise pytest.UsageError("give --simnet-strict or --simnet-update, not both")
        self.fence = _fence(option("fence"), config.getini("simnet_fence_allow"))
        self.checks = _checks(option("check"))
        self.networks: deque[Network] = deque(maxlen=4)  # the last that the running test has made

    def seeds(self) -> list[int | None]:
        """The seeds to run a test with; None is the calm network."""
        if self.seed is None and self.runs == 1:
            return [None]
        return [(self.seed or 0) + run for run in range(self.runs)]


SETTINGS = pytest.StashKey[Settings]()


def _whole(name: str, text: Any, least: int) -> int | None:
    if text is None:
        return None
    try:
        number = int(text)
    except ValueError:
        number = least - 1
    if number < least:
        raise pytest.UsageError(f"{name} takes a whole number from {least} on, not {text!r}")
    return number


def _transports(text: str) -> list[str]:
    known = {"virtual": ["virtual"], "real": ["real"], "both": ["virtual", "real"]}
    if text not in known:
        raise pytest.UsageError(f"--simnet-transport takes virtual, real or both, not {text!r}")
    return known[text]


def _fence(level: str | None, allow: list[str]) -> Fence:
    from .errors import UsageError
    from .fence import Fence

    try:
        return Fence(level or "error", allow)
    except UsageError:
        raise pytest.UsageError(f"--simnet-fence takes error, warn or off, not {level!r}") from None


def _checks(words: str | None) -> Checks:
    from .checks import Checks
    from .errors import UsageError

    try:
        return Checks.of(words)
    except UsageError as error:
        raise pytest.UsageError(f"--simnet-check: {error}") from None


def _scenario(path: str) -> Scenario:
    from .errors import ScenarioError
    from .scenario.load import load

    try:
        scenario = load(path)
    except ScenarioError as error:
        raise pytest.UsageError(str(error)) from None
    if scenario.test is None:
        raise pytest.UsageError(f"{path} is not the record of a test; run it with: simnet replay {path}")
    return scenario


# --- options -------------------------------------------------------------------------------------


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("simnet", "network simulation")
    add = group.addoption
    add("--simnet-seed", metavar="N", help="storm number N for tests that use the `net` fixture")
    add("--simnet-runs", metavar="N", help="run such tests with N seeds, from --simnet-seed (0) on")
    add("--simnet-replay", metavar="FILE", help="repeat the recorded failure of a test")
    add("--simnet-strict", action="store_true", help="repeat it to the letter, and look nowhere else for it")
    add("--simnet-update", action="store_true", help="write into FILE where the failure is now")
    add("--simnet-transport", metavar="KIND", help="the `stage` fixture: virtual, real or both")
    add("--simnet-artifacts", metavar="DIR", help=f"where failures are kept ({ARTIFACTS})")
    add(
        "--simnet-fence",
        metavar="LEVEL",
        help="what is made of programs that go past their virtual hosts: error, warn or off (error)",
    )
    add(
        "--simnet-check",
        metavar="NAMES",
        help="properties that programs are checked for: all, -all, a name, or one behind a '-'",
    )
    add(
        "--simnet-census",
        action="store_true",
        help="say of each test what its processes called: what was simulated, what escaped, what was refused",
    )
    add(
        "--simnet-check-determinism",
        action="store_true",
        help="run tests that use only the `net` fixture twice, and compare what happened",
    )
    parser.addini("simnet_runs", "default of --simnet-runs")
    parser.addini("simnet_transport", "default of --simnet-transport")
    parser.addini("simnet_artifacts", "default of --simnet-artifacts")
    parser.addini("simnet_fence", "default of --simnet-fence")
    parser.addini("simnet_check", "default of --simnet-check")
    parser.addini("simnet_fence_allow", "functions, families and modules that it lets through", "args", [])
    parser.addini("simnet_scenarios", "files that are scenarios, as patterns", "args", ["scenarios/*.toml"])


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "simnet(seed=None, runs=1, only='every', latency=None, fence=None, check=None, host=None): the "
        "networks of the `net` fixture; only='gentle' keeps to what TCP hides from a program that is right, "
        "'harsh' adds what is rare; on the host of that name the test itself runs, with its fixtures",
    )
    settings = config.stash[SETTINGS] = Settings(config)
    config.pluginmanager.register(Hosts(settings.replayed is not None or settings.checks_determinism))
    if settings.replayed is None:  # one run is no campaign
        config.pluginmanager.register(Sometimes())
    if config.getoption("simnet_census"):
        config.pluginmanager.register(Censuses())
    _set_fence(config, settings.fence)
    _set_checks(config, settings.checks)


def _set_checks(config: pytest.Config, checks: Checks) -> None:
    """Networks that are not told what to look for look for these, until pytest ends."""
    from . import checks as room

    config.add_cleanup(partial(room.set_default, room.default()))
    room.set_default(checks)


def _set_fence(config: pytest.Config, fence: Fence) -> None:
    """Networks that are given no fence have this one, until pytest ends."""
    from . import fence as room

    config.add_cleanup(partial(room.set_default, room.default()))
    room.set_default(fence)


# --- fixtures ------------------------------------------------------------------------------------


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    settings = metafunc.config.stash[SETTINGS]
    if "net" in metafunc.fixturenames and "net" not in _parametrized(metafunc):
        marked = _marked(metafunc.definition)
        seeds = settings.seeds()
        if seeds == [None] and ("seed" in marked or "runs" in marked):
            first = marked.get("seed") or 0
            seeds = [first + run for run in range(marked.get("runs", 1))]
        if settings.replayed is not None:
            # The recorded name must exist again; the storm of that number is not asked.
            seeds = [
                int(number) for number in re.findall(r"\bseed(\d+)\b", settings.replayed.test or "")
            ] or [None]
        if seeds != [None]:
            metafunc.parametrize("net", seeds, indirect=True, ids=[f"seed{seed}" for seed in seeds])
    if "stage" in metafunc.fixturenames and "stage" not in _parametrized(metafunc):
        metafunc.parametrize("stage", settings.transports, indirect=True)


def _parametrized(metafunc: pytest.Metafunc) -> set[str]:
    marks = metafunc.definition.iter_markers("parametrize")
    names = (mark.args[0] for mark in marks if mark.args)
    return {
        name.strip() for group in names for name in (group.split(",") if isinstance(group, str) else group)
    }


def _marked(item: pytest.Item) -> dict[str, Any]:
    mark = item.get_closest_marker("simnet")
    if mark is None:
        return {}
    known = {"seed", "runs", "only", "latency", "fence", "check", "host"}
    if mark.args or set(mark.kwargs) - known:
        raise pytest.UsageError(f"{item.nodeid}: the simnet marker takes {', '.join(sorted(known))} by name")
    for name in {"seed", "runs"} & set(mark.kwargs):
        _whole(f"{item.nodeid}: the simnet marker's {name}", mark.kwargs[name], name == "runs")
    return dict(mark.kwargs)


@pytest.fixture
def net(request: pytest.FixtureRequest) -> Network:
    """A virtual network: calm, or a storm by --simnet-seed, --simnet-runs or the simnet marker."""
    from .outcomes import EVERY, GENTLE, HARSH
    from .scenario.run import network_options
    from .virtual import Network

    marked = _marked(request.node)
    options = {name: marked[name] for name in ("latency", "fence", "check") if marked.get(name) is not None}
    replayed = request.config.stash[SETTINGS].replayed
    if replayed is not None:
        return Network(replayed.script, **network_options(replayed))
    seed = getattr(request, "param", None)
    if seed is None:
        return Network(**options)
    only = marked.get("only", "every")
    if isinstance(only, str):
        only = {"gentle": GENTLE, "every": EVERY, "harsh": HARSH}.get(only, only)
    return Network(seed=seed, only=only, **options)


@pytest.fixture
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    """A server's machine and a client's, virtual or real by --simnet-transport; see `simnet.stage`."""
    from .stage import RealStage, VirtualStage
    from .virtual import Network

    check = _marked(request.node).get("check")
    made: Stage = RealStage() if request.param == "real" else VirtualStage(Network(check=check))
    yield made
    made.close()


# --- running -------------------------------------------------------------------------------------


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Remember the networks that a test makes, fixtures included, and leave no check of the fence behind."""
    from .fence import watch
    from .virtual.network import observers

    networks = item.config.stash[SETTINGS].networks
    networks.clear()
    observers.append(networks.append)
    try:
        return (yield)
    finally:
        observers.remove(networks.append)
        networks.clear()
        watch.take_down()


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Replays and the check of determinism call the test in their own way."""
    settings = pyfuncitem.config.stash[SETTINGS]
    if settings.replayed is None and not settings.checks_determinism:
        return None
    from . import pytest_failures

    if settings.replayed is not None:
        pytest_failures.replay(pyfuncitem, settings.replayed, settings)
        return True
    if pytest_failures.is_repeatable(pyfuncitem):
        pytest_failures.run_twice(pyfuncitem)
        return True
    return None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A replay runs the one test that it is the record of."""
    replayed = config.stash[SETTINGS].replayed
    if replayed is None:
        return
    wanted = [item for item in items if item.nodeid == replayed.test]
    if not wanted and not config.getoption("collectonly"):
        raise pytest.UsageError(f"{replayed.name} is the record of {replayed.test}, which was not collected")
    config.hook.pytest_deselected(items=[item for item in items if item not in wanted])
    items[:] = wanted


# --- reports -------------------------------------------------------------------------------------


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    report = yield
    settings = item.config.stash[SETTINGS]
    error = call.excinfo.value if call.excinfo is not None else None
    if (
        call.when == "call"
        and report.failed
        and error is not None
        and isinstance(item, pytest.Function)
        and settings.networks
    ):
        from . import pytest_failures

        text, lines = pytest_failures.explain(item, error, settings)
        report.sections.append(("simnet", text))
        # Properties cross from xdist's workers to the terminal.
        report.user_properties.append(("simnet_reproduce", lines))
    return report


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """One block with the lines that reproduce what failed."""
    failed = terminalreporter.getreports("failed")
    blocks = [
        lines
        for report in failed
        for name, lines in getattr(report, "user_properties", ())
        if name == "simnet_reproduce" and lines
    ]
    if blocks:
        terminalreporter.section("simnet: reproduce")
        for lines in blocks:
            for line in lines:
                terminalreporter.write_line(line)


# --- scenarios -----------------------------------------------------------------------------------


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    if file_path.suffix != ".toml":
        return None
    patterns = parent.config.stash[SETTINGS].scenarios
    if any(file_path.match(pattern) for pattern in patterns):
        return ScenarioFile.from_parent(parent, path=file_path)
    return None


class ScenarioFile(pytest.File):
    """A scenario file: one test."""

    def collect(self) -> Iterator[pytest.Item]:
        yield ScenarioItem.from_parent(self, name=self.path.stem)


class ScenarioItem(pytest.Item):
    """Run a scenario, and expect of it what its file says."""

    def runtest(self) -> None:
        from .scenario.load import load

        scenario = load(self.path)
        times = 1 + self.config.stash[SETTINGS].checks_determinism
        digests = []
        for _ in range(times):
            verdict = self._run(scenario)
            if not verdict.as_expected:
                raise ScenarioFailed(str(verdict))
            digests.append(verdict.outcome.network.trace.digest())
        if len({*digests}) > 1:
            raise ScenarioFailed(f"is not deterministic: two runs have the digests {' and '.join(digests)}")

    def _run(self, scenario: Scenario) -> Verdict:
        from .scenario.run import judge, run_scenario

        if scenario.test is None:
            return run_scenario(scenario)
        from . import pytest_failures

        call = pytest_failures.kept_call(scenario, self.config.rootpath)
        if call is None:
            pytest.skip(f"{scenario.test} needs fixtures: pytest --simnet-replay={self.path}")
        verdict = judge(scenario, call.attempt(scenario.script))
        if verdict.outcome.passed and not verdict.as_expected:
            hint = 'to keep it as a test, write outcome = "passes" and delete [record]'
            raise ScenarioFailed(f"{verdict}\n  {scenario.test} passes now; {hint}")
        return verdict

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        from .errors import SimnetError

        if excinfo.errisinstance((ScenarioFailed, SimnetError)):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        return self.path, None, f"scenario {self.name}"


class ScenarioFailed(Exception):
    """A scenario did not come to what its file expects; says what it came to."""
