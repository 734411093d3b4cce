"""A scenario as a test that needs no file of its own: Python to be pasted among a project's tests.

Owns that text.  It does what `run_scenario` does, with the public names alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from textwrap import wrap
from typing import Any

from ..errors import UsageError
from .model import HostSpec, LinkSpec, Scenario

_WIDTH = 80  # of comments, without their margin


def as_test(scenario: Scenario) -> str:
    """A pytest function that makes the network of a scenario and runs its program there.

    It passes once the program does what it should, whatever the scenario expects of it today, and fails if a
    fault finds no moment.  Raises UsageError for a scenario of a test, which is one already.
    """
    if scenario.call is None:
        raise UsageError(f"{scenario.name}: {scenario.test} is a test already")
    return "\n".join([*_imports(scenario), "", "", *_function(scenario), ""])


def _imports(scenario: Scenario) -> Iterator[str]:
    assert scenario.call is not None
    names = "Network, Script, parse" if len(scenario.script) else "Network"
    yield f"from simnet import {names}"
    if scenario.fence is not None and scenario.fence.allow:
        yield "from simnet.fence import Fence"
    module, _, name = scenario.call.partition(":")
    if "::" in scenario.call:
        yield "from simnet.scenario import find_program"
        yield ""
        yield f"{_program(scenario)} = find_program({_text(scenario.call)})"
    else:
        yield ""
        yield f"from {module} import {name.partition('.')[0]}"


def _function(scenario: Scenario) -> Iterator[str]:
    slug = re.sub(r"[^a-z0-9]+", "_", scenario.title.lower()).strip("_")
    name = f"test_{slug or 'scenario'}"
    if name == _program(scenario).partition(".")[0]:
        name += "_as_recorded"  # else it would call itself
    yield f"def {name}():"
    for line in (scenario.title, *scenario.why.splitlines()):
        for part in wrap(line, _WIDTH, break_long_words=False) or [""]:
            yield f"    # {part}".rstrip()
    for name, sentences in _lists(scenario).items():
        yield f"    {name} = ["
        yield from (f"        {_text(sentence)}," for sentence in sentences)
        yield "    ]"
    yield f"    net = Network({', '.join(_network(scenario))})"
    for host in scenario.hosts:
        yield from _host(host)
    for link in scenario.links:
        yield f"    net.link({', '.join(_link(link))})"
    arguments = [f"{name}={_value(value)}" for name, value in scenario.arguments.items()]
    yield f"    {_program(scenario)}({', '.join(['net', *arguments])})"
    if len(scenario.script):
        yield "    assert not net.unmet()"


def _lists(scenario: Scenario) -> dict[str, list[str]]:
    """The sentences of a script, under the names that they have in a scenario file."""
    draws = [str(draw) for draw in scenario.script.draws]
    faults = [sentence for sentence in scenario.script.sentences() if sentence not in draws]
    return {name: each for name, each in (("faults", faults), ("workload", draws)) if each}


def _program(scenario: Scenario) -> str:
    """What the program is called in the test."""
    assert scenario.call is not None
    return "program" if "::" in scenario.call else scenario.call.partition(":")[2]


def _network(scenario: Scenario) -> Iterator[str]:
    if len(scenario.script):
        names = list(_lists(scenario))
        yield f"Script.of(map(parse, {' + '.join(names)}))"
    if scenario.seed is not None:
        yield f"seed={scenario.seed}"
    if scenario.latency != "1ms":
        yield f"latency={_value(scenario.latency)}"
    if scenario.fence is not None:
        level, allow = _text(scenario.fence.level), [*scenario.fence.allow]
        yield f"fence=Fence({level}, {_value(allow)})" if allow else f"fence={level}"
    if scenario.check:
        yield f"check={_text(' '.join(scenario.check))}"


def _host(host: HostSpec) -> Iterator[str]:
    yield f"    net.host({_text(host.name)})"
    if host.descriptors_max is not None:
        yield f"    net.host({_text(host.name)}).descriptors_max = {host.descriptors_max}"


def _link(link: LinkSpec) -> Iterator[str]:
    yield from map(_text, link.between)
    if link.latency is not None:
        yield f"latency={_value(link.latency)}"
    for name in ("jitter", "bandwidth", "capacity"):
        if value := getattr(link, name):
            yield f"{name}={_value(value)}"


def _text(text: str) -> str:
    """Between double quotes, as most people write it."""
    return json.dumps(text, ensure_ascii=False)


def _value(value: Any) -> str:
    return _text(value) if isinstance(value, str) else repr(value)
