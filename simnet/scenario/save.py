"""Write a scenario so that a person likes to read it: the story first, its sentences one a line.

What `write` writes, `load` reads back to an equal scenario.  A record can also be put into a file that a
person wrote, without touching anything else in it.

Owns the layout.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs
import tomli_w

from ..fence import Fence
from .lines import lines_of
from .model import FORMAT, Expect, HostSpec, LinkSpec, Record, Scenario
from .operations import Carried
from .values import encode, spelled

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def save(scenario: Scenario, path: str | os.PathLike[str]) -> None:
    """Write a scenario to a file, whole or not at all.

    Raises UsageError if an argument of the program has no spelling in TOML, OSError if the file cannot
    be written.
    """
    replace_file(Path(path), dumps(scenario))


def save_record(path: str | os.PathLike[str], record: Record) -> None:
    """Put a record into a scenario file in place of the one that it has; the rest stays as it is."""
    text = Path(path).read_bytes().decode("utf-8")
    replace_file(Path(path), with_record(text, record))


def dumps(scenario: Scenario) -> str:
    """The text of a scenario file."""
    return "\n".join("".join(f"{line}\n" for line in section) for section in _sections(scenario) if section)


def with_record(text: str, record: Record) -> str:
    """The text of a scenario file with this record, at its end."""
    places = lines_of(text)
    start = places.get(("record",))
    if start is not None:
        lines = text.split("\n")
        others = [line for key, line in places.items() if key[0] != "record" and line > start]
        text = "\n".join(lines[: start - 1] + lines[min(others, default=len(lines) + 1) - 1 :])
    return "\n".join([text.rstrip(), "", *_record(record), ""])


def replace_file(path: Path, text: str) -> None:
    """Write beside it and move: a reader never sees half a file."""
    unfinished = path.with_name(f".{path.name}.unfinished")
    unfinished.write_text(text, encoding="utf-8", newline="\n")
    unfinished.replace(path)


def _sections(scenario: Scenario) -> Iterator[list[str]]:
    yield _head(scenario)
    yield _run(scenario)
    yield ["[program]", *_pair("call", scenario.call), *_pair("test", scenario.test)]
    if scenario.arguments:
        encoded = {name: encode(value, ("arguments", name)) for name, value in scenario.arguments.items()}
        yield ["[program.arguments]", *_inline_pairs(encoded)]
    for host in scenario.hosts:
        yield _host(host)
    for link in scenario.links:
        yield _link(link)
    if scenario.fence is not None:
        yield _fence(scenario.fence)
    yield _expect(scenario.expect)
    if scenario.record is not None:
        yield _record(scenario.record)


def _head(scenario: Scenario) -> list[str]:
    why = _pair("why", scenario.why, multiline="\n" in scenario.why or len(scenario.why) > 80)
    return [*_pair("format", FORMAT), *_pair("title", scenario.title), *(why if scenario.why else ())]


def _run(scenario: Scenario) -> list[str]:
    """What decides the run, but for the tables."""
    latency = _pair("latency", scenario.latency) if scenario.latency != "1ms" else []
    draws = [str(draw) for draw in scenario.script.draws]
    faults = [sentence for sentence in scenario.script.sentences() if sentence not in draws]
    lists = [*(_pair("faults", faults) if faults else ()), *(_pair("workload", draws) if draws else ())]
    check = _pair("check", list(scenario.check)) if scenario.check else []
    return [*_pair("seed", scenario.seed), *lists, *latency, *check]


def _host(host: HostSpec) -> list[str]:
    return [f"[hosts.{_key(host.name)}]", *_pair("descriptors_max", host.descriptors_max)]


def _link(link: LinkSpec) -> list[str]:
    between = f"between = [{_inline(link.between[0])}, {_inline(link.between[1])}]"
    defaults = attrs.asdict(LinkSpec(link.between))
    rest = {name: value for name, value in attrs.asdict(link).items() if value != defaults[name]}
    return ["[[links]]", between, *(line for name, value in rest.items() for line in _pair(name, value))]


def _fence(fence: Fence) -> list[str]:
    allow = _pair("allow", list(fence.allow)) if fence.allow else []
    return ["[fence]", *_pair("level", fence.level), *allow]


def _expect(expect: Expect) -> list[str]:
    unmet = _pair("unmet", list(expect.unmet)) if expect.unmet else []
    return [
        "[expect]",
        *_pair("outcome", expect.outcome),
        *_pair("error", expect.error),
        *_pair("says", expect.says),
        *unmet,
    ]


def _record(record: Record) -> list[str]:
    return [
        "[record]",
        *_pair("digest", record.digest),
        *_pair("events", record.events),
        *_pair("python", record.python),
        *_pair("simnet", record.simnet),
        *_pair("failure", record.failure),
        *(_log(record.log) if record.log else ()),
        *_carried(record.carried),
    ]


def _carried(carried: Mapping[str, Carried]) -> list[str]:
    """A table within the record, so at its end."""
    if not carried:
        return []
    pairs = {}
    for anchor, each in carried.items():
        rest = {} if each.is_whole else {"of": each.size}
        pairs[anchor] = {**spelled(each.data), **rest}
    return ["", "[record.carried]", *_inline_pairs(pairs)]


def _log(lines: tuple[str, ...]) -> list[str]:
    """Literal, so that backslashes in it stand for themselves; the basic form where that is not possible."""
    text = "\n".join(lines)
    if "'''" in text or re.search(r"[^\t\n -~]", text):
        return _pair("log", text, multiline=True)
    return ["log = '''", *lines, "'''"]


def _pair(key: str, value: Any, multiline: bool = False) -> list[str]:
    if value is None:
        return []
    if multiline and not value.endswith("\n"):
        value += "\n"
    return tomli_w.dumps({key: value}, multiline_strings=multiline).removesuffix("\n").split("\n")


def _inline_pairs(values: Mapping[str, Any]) -> list[str]:
    return [f"{_key(name)} = {_inline(value)}" for name, value in values.items()]


def _inline(value: Any) -> str:
    """A value on one line, tables within it as well."""
    if isinstance(value, dict):
        pairs = ", ".join(_inline_pairs(value))
        return f"{{ {pairs} }}" if pairs else "{}"
    if isinstance(value, list):
        return f"[{', '.join(_inline(item) for item in value)}]"
    return tomli_w.dumps({"x": value}).removeprefix("x = ").removesuffix("\n")


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _inline(name)
