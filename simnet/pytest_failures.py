"""What the pytest plugin makes of a failing test: its smallest run, a scenario file, a report; and replays.

A test function is a program with the network as one of its arguments.  To shrink, measure or replay, it
is called again with another network: directly, without Hypothesis and without fixtures.  That is possible
for tests under ``@given`` whose example can be read back, and for those that use no fixture but `net`.

Owns the calling of test functions.  What pytest is told is `pytest_plugin`.
"""

from __future__ import annotations

import contextlib
import inspect
import io
import re
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from .choices import Choices
from .errors import Diverged, UsageError
from .fuzz.falsifying import falsifying_example
from .fuzz.shrink import Shrunk, minimize
from .pytest_hosts import host_of, host_of_function, is_of_a_runner, needs_only_a_network, on_host
from .report.failure import failure_report
from .scenario.model import Expect, Scenario
from .scenario.nearby import carried_in
from .scenario.program import find_program
from .scenario.replay import first_difference, log_of, parting, record_of
from .scenario.reproduce import reproduce
from .scenario.run import Outcome, execute, judge, looked_for, network_options
from .scenario.save import save
from .scenario.update import update
from .script import Script
from .units import duration
from .virtual import Network

if TYPE_CHECKING:
    from .pytest_plugin import Settings

SHRINK_RUNS_MAX = 150
SHRINK_SECONDS_MAX = 3.0


@attrs.frozen
class Call:
    """A way to call a test function with another network: ``execute(call.function, network)``."""

    function: Callable[..., object]
    parameter: str
    arguments: dict[str, Any]
    options: dict[str, Any]

    def __call__(self, network: Network) -> None:
        # What the test prints was shown when it ran.
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            self.function(**self.arguments, **{self.parameter: network})

    def attempt(self, script: Script) -> Outcome:
        return execute(self, Network(script, **self.options))


def explain(item: pytest.Function, error: BaseException, settings: Settings) -> tuple[str, list[str]]:
    """The report of a failure, and the lines that reproduce it.

    Whatever goes wrong on the way is told in the report's place: the test's own error must be seen.
    """
    try:
        return _explain(item, error, settings)
    except Exception as trouble:
        place = traceback.extract_tb(trouble.__traceback__)[-1]
        said = f"{type(trouble).__name__}: {trouble} ({place.filename}:{place.lineno})"
        return f"this failure could not be examined: {said}", []


def _explain(item: pytest.Function, error: BaseException, settings: Settings) -> tuple[str, list[str]]:
    own = item.funcargs.get("net")
    outcome = Outcome(own if isinstance(own, Network) else settings.networks[-1], error)
    call, script = _callable(item, error, outcome)
    shrunk = None
    if call is not None:
        outcome, shrunk = _shrink(call, script, outcome)
    folder = settings.artifacts / f"{_slug(item.name)}-{outcome.network.trace.digest()[:8]}"
    replay, keep, lines = None, None, []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if call is not None:
            _check_repeats(call, outcome)
            save(_scenario(item, outcome, call), folder / "scenario.toml")
            path = _shown(folder / "scenario.toml", item.config.invocation_params.dir)
            replay = f"pytest '{item.nodeid}' --simnet-replay={path}"
            keep = f"cp {path} scenarios/{_slug(item.name)}.toml"
            lines = [f"reproduce:  {replay}", f"keep it:    {keep}"]
    except (UsageError, Diverged, OSError) as reason:
        # An argument that a file cannot hold, a program that does not repeat, a disk that is read-only.
        lines = [f"not kept:   {item.nodeid}: {reason}"]
    nearest = shrunk.nearest if shrunk else None
    text = failure_report(outcome, shrunk=shrunk, nearest=nearest, replay=replay, keep=keep)
    with contextlib.suppress(OSError):  # said above
        (folder / "report.txt").write_text(text + "\n", encoding="utf-8")
        log = "\n".join(str(line) for line in log_of(outcome.network.trace))
        (folder / "trace.txt").write_text(log + "\n", encoding="utf-8")
    return "\n".join([text, *lines]) if replay is None else text, lines


def _check_repeats(call: Call, outcome: Outcome) -> None:
    """Raise Diverged if the run that was reported is another one the next time."""
    again = call.attempt(outcome.network.script())
    if again.network.trace.digest() != outcome.network.trace.digest():
        where = first_difference(outcome.network.trace, again.network.trace)
        raise Diverged(f"the program does not do the same twice: {where}")


def _callable(item: pytest.Function, error: BaseException, outcome: Outcome) -> tuple[Call | None, Script]:
    """How to run the failing test again, and with which script."""
    recorded = outcome.network.script()
    hypothesis = getattr(item.obj, "hypothesis", None)
    if hypothesis is not None:
        example = falsifying_example(error)
        if example is None:
            return None, recorded
        call = Call(_plain(item.obj), example.network, example.arguments, example.options)
        return call, example.script
    if is_repeatable(item):
        network = outcome.network
        options = {"latency": duration(network.latency_ns), "fence": network.fence, "check": network.checks}
        return Call(_program(item), "net", {}, options), recorded
    return None, recorded


def _program(item: pytest.Function) -> Callable[..., object]:
    """A test that needs nothing but a network; without what plugins make of it, if it runs on a host."""
    host = host_of(item)
    if host is None:
        own: Callable[..., object] = item.obj
        return own
    return on_host(getattr(item.parent.obj, item.originalname), host)  # type: ignore[union-attr]


def _plain(function: Any) -> Any:
    """A test function without Hypothesis around it, bound to its instance if it is a method."""
    hypothesis = getattr(function, "hypothesis", None)
    if hypothesis is None:
        return function
    owner = getattr(function, "__self__", None)
    return hypothesis.inner_test if owner is None else hypothesis.inner_test.__get__(owner)


def _open_parameters(function: Callable[..., object], scenario: Scenario) -> list[str]:
    """The parameters of a test that its record has no arguments for: one, its network, if all is well."""
    return [name for name in inspect.signature(function).parameters if name not in scenario.arguments]


def is_repeatable(item: pytest.Function) -> bool:
    """Whether a test needs nothing but the `net` fixture, and so can be called again."""
    if host_of(item) is not None:
        return needs_only_a_network(item)
    used = set(item.fixturenames) & set(item.funcargs) - {"request"}
    names = {name for name in used if not is_of_a_runner(item, name)}
    return not hasattr(item.obj, "hypothesis") and names == {"net"}


def _shrink(call: Call, script: Script, failed: Outcome) -> tuple[Outcome, Shrunk | None]:
    """The smallest run that fails in the same way; the failed run itself if it does not fail so again."""
    again = call.attempt(script)
    if again.fingerprint != failed.fingerprint:
        return failed, None
    if not len(script):
        return again, None
    if script.rules:
        script = again.network.script()  # what a rule did, one by one: few of them matter
    shrunk = minimize(
        script,
        call.attempt,
        wanted=again.fingerprint,
        runs_max=SHRINK_RUNS_MAX,
        seconds_max=SHRINK_SECONDS_MAX,
    )
    return shrunk.outcome, shrunk


def _scenario(item: pytest.Function, outcome: Outcome, call: Call) -> Scenario:
    scenario = Scenario(
        title=f"{item.name} fails",
        why=f"{type(outcome.error).__name__}: {outcome.error}".split("\n")[0],
        test=item.nodeid,
        arguments=call.arguments,
        latency=duration(outcome.network.latency_ns),
        script=outcome.network.script(),
        expect=Expect("fails", error=type(outcome.error).__name__),
        **looked_for(outcome.network),
    )
    record = record_of(outcome, carried_in(scenario, call, bare_network))
    return attrs.evolve(scenario, record=record)


def kept_call(scenario: Scenario, root: Path) -> Call | None:
    """How to run the test of a scenario that was kept, without pytest; None if it needs fixtures."""
    path, *names = str(scenario.test).partition("[")[0].split("::")
    function = find_program(f"{root / path}::{names[0]}")
    for name in names[1:]:
        function = getattr(function(), name)
    function = _plain(function)
    parameters = _open_parameters(function, scenario)
    if len(parameters) != 1:
        return None
    if (host := host_of_function(function)) is not None:
        function = on_host(function, host)
    return Call(function, parameters[0], dict(scenario.arguments), network_options(scenario))


def replay(item: pytest.Function, scenario: Scenario, settings: Settings) -> None:
    """Call a test with the script and arguments of its record.

    If the run leaves the record and the failure does not come back, it is looked for beside its anchors.
    What the test then raises has a note of that.  Raises Diverged if it is not found, or not looked for.
    """
    function = _program(item) if is_repeatable(item) else item.obj
    arguments = {name: item.funcargs[name] for name in item._fixtureinfo.argnames}
    network: object = item.funcargs.get("net")
    call = Call(function, "net", {}, {}) if is_repeatable(item) else None
    if hasattr(function, "hypothesis"):
        function = _plain(function)
        network = Network(scenario.script, **network_options(scenario))
        call = Call(function, _network_parameter(function, scenario), dict(scenario.arguments), {})
        arguments = {**scenario.arguments, call.parameter: network}
    error: BaseException | None = None
    try:
        function(**arguments)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as raised:
        error = raised
    if network is None and settings.networks:
        network = settings.networks[-1]
    if not isinstance(network, Network):
        raise Diverged(f"{scenario.name}: the test made no network") from error
    outcome = Outcome(network, error)
    if settings.updates or parting(scenario, outcome) or not judge(scenario, outcome).as_expected:
        error = _another_run(item, call, scenario, outcome, settings)
    if error is not None:
        raise error


def _another_run(
    item: pytest.Function, call: Call | None, scenario: Scenario, outcome: Outcome, settings: Settings
) -> BaseException | None:
    """What a test is to raise whose run is not the recorded one, or does not end as it should."""
    parted = parting(scenario, outcome)
    diverged = Diverged(f"{scenario.name}: diverged {parted}")
    if call is not None and not settings.is_strict:
        again = reproduce(scenario, call, bare_network)
        if again.is_back and (error := again.verdict.outcome.error) is not None:
            item.funcargs["net"] = again.verdict.outcome.network  # which the report is to show
            error.add_note(f"simnet: {again}")
            if settings.updates and scenario.path is not None:
                record = record_of(again.verdict.outcome, carried_in(again.scenario, call, bare_network))
                update(scenario.path, scenario, again.scenario, record)
                error.add_note(f"simnet: {scenario.path} is updated")
            return error
        diverged = Diverged(str(again))
    if not parted:
        return outcome.error
    if outcome.error is None:
        diverged.add_note("The test passes now.  To keep the scenario as a test, delete its [record].")
    raise diverged from outcome.error


def bare_network(scenario: Scenario, choices: Choices | None = None) -> Network:
    """The network of a test: it makes its hosts itself."""
    script = scenario.script if choices is None else None
    return Network(script, choices=choices, **network_options(scenario))


def _network_parameter(function: Callable[..., object], scenario: Scenario) -> str:
    """The one parameter of a test that its record has no argument for."""
    parameters = _open_parameters(function, scenario)
    if len(parameters) != 1:
        names = ", ".join(inspect.signature(function).parameters)
        raise Diverged(f"{scenario.name}: {scenario.test} takes {names}; the record is of another test")
    return parameters[0]


def run_twice(item: pytest.Function) -> None:
    """Call a test twice with equal networks; raise Diverged where the second run leaves the first."""
    first = item.funcargs["net"]
    assert isinstance(first, Network)
    program = _program(item)
    program(net=first)
    again = first.again()
    program(net=again)
    if first.trace.digest() == again.trace.digest():
        return
    raise Diverged(f"{item.nodeid} is not deterministic: {first_difference(first.trace, again.trace)}")


def _slug(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-").lower()


def _shown(path: Path, base: Path) -> str:
    return str(path.relative_to(base)) if path.is_relative_to(base) else str(path)
