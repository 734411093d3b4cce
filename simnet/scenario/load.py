"""Read a scenario file: all of its mistakes at once, each with its line and key, or the scenario.

Nothing is coerced: 7 is not "7", and true is not 1.  What is written and not understood is a mistake.

Owns the meaning of keys.  What a sentence or a quantity says is known to `choices` and `units`; whether
the program can be imported turns out when it runs.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, cast

import attrs

from ..checks import Checks
from ..errors import ScenarioError, UsageError
from ..fence import Fence
from ..fence.allowed import misspelt
from ..fence.guard import LEVELS
from ..script import Deviation, Happening, Item, Script, parse
from ..units import duration_ns, rate_bits, size_bytes
from ..workload import Draw, parse_draw
from .anchors import unknown_names, wrong_place
from .lines import Key, lines_of
from .model import FORMAT, Expect, HostSpec, LinkSpec, Record, Scenario
from .operations import ANCHOR, Carried
from .tables import Mistakes, Table, meant
from .values import decode

_HOST_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?")
_CALL = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*|.+\.py::[^\W\d]\w*(\.[^\W\d]\w*)*")
_A_LIST = {"faults": "faults", "workload": "a workload"}
_A_DRAW = Draw("size", 2, 5)
_DIGEST = re.compile(r"[0-9a-f]{32}")


def load(path: str | os.PathLike[str]) -> Scenario:
    """The scenario in a file.

    Raises ScenarioError with everything that is wrong, also if the file is missing, is a directory, or is
    no UTF-8 or no TOML.
    """
    name = os.fspath(path)
    try:
        raw = Path(name).read_bytes()
    except OSError as error:
        raise ScenarioError(name, [("file", f"cannot be read: {error.strerror}")]) from None
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ScenarioError(name, [(f"line {line}", f"byte {raw[error.start]:#04x} is no UTF-8")]) from None
    return loads(text, name)


def loads(text: str, path: str = "scenario") -> Scenario:
    """The scenario in a text; `path` is what to call it."""
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ScenarioError(path, [_syntax(str(error), text)]) from None
    except RecursionError:
        raise ScenarioError(path, [("file", "arrays or tables are nested too deeply")]) from None
    mistakes = Mistakes(lines_of(text))
    scenario = _Reader(mistakes).scenario(values)
    if mistakes:
        raise ScenarioError(path, mistakes.in_order())
    assert scenario is not None, "no mistake was found, and nothing was read"
    return attrs.evolve(scenario, path=path)


def _syntax(message: str, text: str) -> tuple[str, str]:
    match = re.fullmatch(r"(.*) \(at (?:line (\d+), column \d+|end of document)\)", message, re.DOTALL)
    if match is None:
        return "file", message
    line = match[2] or text.count("\n") + 1
    return f"line {line}", f"no TOML: {match[1]}"


class _Reader:
    """Reads one file."""

    def __init__(self, mistakes: Mistakes) -> None:
        self._mistake = mistakes.add
        self._mistakes = mistakes

    def scenario(self, values: dict[str, Any]) -> Scenario | None:
        top = Table(self._mistakes, (), values)
        self._version(top)
        title, why = top.line("title"), top.text("why") or ""
        latency = top.quantity("latency", duration_ns, "1ms")
        program = top.table("program", required=True)
        call, test, arguments = self._program(program)
        hosts = self._hosts(top)
        names = [host.name for host in hosts]
        links = self._links(top, names)
        script, seed = self._faults(top, names)
        check, fence = self._check(top), self._fence(top)
        expect = self._expect(top, script)
        record = self._record(top)
        top.finish()
        if self._mistakes or title is None:
            return None
        return Scenario(
            title=title,
            why=why,
            call=call,
            test=test,
            arguments=arguments,
            hosts=hosts,
            links=links,
            latency=latency,
            script=script,
            seed=seed,
            check=check,
            fence=fence,
            expect=expect,
            record=record,
        )

    def _version(self, top: Table) -> None:
        version = top.whole("format", required=True)
        if version is not None and version != FORMAT:
            self._mistake(("format",), f"this simnet reads format {FORMAT}, not {version}")

    def _program(self, table: Table) -> tuple[str | None, str | None, dict[str, Any]]:
        call, test = table.text("call"), table.text("test")
        if call is not None and not _CALL.fullmatch(call):
            self._mistake(
                ("program", "call"), f"write 'module:callable' or 'file.py::callable', not {call!r}"
            )
        if test is not None and not re.fullmatch(r".+\.py::.+", test):
            self._mistake(("program", "test"), f"write 'tests/test_x.py::test_name', not {test!r}")
        if call is not None and test is not None:
            self._mistake(("program", "test"), "a scenario has a program to call or a test to run, not both")
        if not table.values.keys() & {"call", "test"} and table.is_given:
            self._mistake(("program", "call"), "missing: say which program runs, as 'module:callable'")
        arguments = table.table("arguments").remaining()
        table.finish()
        return call, test, decode(arguments, ("program", "arguments"), self._mistake)

    def _hosts(self, top: Table) -> tuple[HostSpec, ...]:
        table = top.table("hosts")
        hosts = []
        for name in list(table.values):
            settings = table.table(name)
            if not _HOST_NAME.fullmatch(name):
                words = f"a host name has letters, digits, '.', '_' and '-', not {name!r}"
                self._mistake(("hosts", name), words)
            hosts.append(HostSpec(name, settings.whole("descriptors_max", least=3)))
            settings.finish()
        return tuple(hosts)

    def _links(self, top: Table, names: list[str]) -> tuple[LinkSpec, ...]:
        links = []
        for table in top.tables("links"):
            between = table.texts("between", required=True)
            count = len(table.values["between"]) if between else 2
            if count != 2:
                self._mistake((*table.key, "between"), f"a link is between two hosts, not {count}")
            for index, name in between:
                if name not in names:
                    self._mistake((*table.key, "between", index), unknown_host(name, names))
            latency = table.quantity("latency", duration_ns, None)
            jitter = table.quantity("jitter", duration_ns, 0)
            bandwidth = table.quantity("bandwidth", rate_bits, 0)
            capacity = cast(str | int, table.quantity("capacity", _whole_bytes, 0))
            table.finish()
            if len(between) == 2:
                (_, left), (_, right) = between
                links.append(LinkSpec((left, right), latency, jitter, bandwidth, capacity))
        return tuple(links)

    def _faults(self, top: Table, names: list[str]) -> tuple[Script, int | None]:
        seed = top.whole("seed", least=0)
        items = [*self._sentences(top.texts("faults"), names), *self._draws(top.texts("workload"))]
        for key in ("faults", "workload"):
            if "seed" in top.values and key in top.values:
                self._mistake(("seed",), f"a scenario has {_A_LIST[key]} or a seed, not both")
                return Script(), None
        return Script.of(items), seed

    def _draws(self, sentences: Iterable[tuple[int, str]]) -> list[Draw]:
        draws: list[Draw] = []
        first: dict[object, int] = {}
        for index, sentence in sentences:
            try:
                draw = parse_draw(sentence)
            except UsageError as error:
                self._mistake(("workload", index), str(error))
                continue
            if draw is None:
                self._mistake(("workload", index), f"write {str(_A_DRAW)!r}, not {sentence!r}")
                continue
            earlier = first.setdefault((draw.name, draw.nth), index)
            if earlier != index:
                self._mistake(("workload", index), f"is the same draw as workload[{earlier}]")
            draws.append(draw)
        return draws

    def _sentences(self, sentences: Iterable[tuple[int, str]], names: list[str]) -> list[Item]:
        items: list[Item] = []
        first: dict[object, int] = {}
        for index, sentence in sentences:
            key: Key = ("faults", index)
            try:
                item = parse(sentence)
            except ValueError as error:
                self._mistake(key, str(error))
                continue
            if isinstance(item, Draw):
                self._mistake(key, "this is no fault: it belongs into workload = [...]")
                continue
            for name in unknown_names(item, names):
                self._mistake(key, unknown_host(name, names))
            if not isinstance(item, Happening) and (words := wrong_place(item)):
                self._mistake(key, words)
            if isinstance(item, Deviation):
                earlier = first.setdefault((item.where, item.op, item.nth), index)
                if earlier != index:
                    self._mistake(key, f"decides the same {item.op} as faults[{earlier}]")
            items.append(item)
        return items

    def _check(self, top: Table) -> tuple[str, ...]:
        words = []
        for index, word in top.texts("check"):
            try:
                Checks.of([word])
            except UsageError as error:
                self._mistake(("check", index), str(error))
            words.append(word)
        return tuple(words)

    def _fence(self, top: Table) -> Fence | None:
        table = top.table("fence")
        level = table.text("level") or LEVELS[0]
        if level not in LEVELS:
            hint = meant(level, LEVELS)
            words = f"a fence is error, warn or off, not {level!r}{f'; {hint}' if hint else ''}"
            self._mistake(("fence", "level"), words)
        allow = table.texts("allow")
        for index, name in allow:
            if way := misspelt(name):
                self._mistake(("fence", "allow", index), f"there is no {name!r}; did you mean {way!r}?")
        table.finish()
        is_whole = table.is_given and level in LEVELS
        return Fence(level, [name for _, name in allow]) if is_whole else None

    def _expect(self, top: Table, script: Script) -> Expect:
        table = top.table("expect")
        error, says = table.text("error"), table.text("says")
        outcome = table.text("outcome") or "passes"
        if outcome not in ("passes", "fails"):
            self._mistake(("expect", "outcome"), f"a run 'passes' or 'fails', not {outcome!r}")
        elif outcome == "passes":
            for key in ("error", "says"):
                if key in table.values:
                    self._mistake(("expect", key), 'a run that passes has no error; write outcome = "fails"')
        unmet = []
        for index, sentence in table.texts("unmet"):
            unmet.append(_normal(sentence))
            if unmet[-1] not in script.sentences():
                self._mistake(("expect", "unmet", index), f"is not one of the faults: {sentence!r}")
        table.finish()
        words: Literal["passes", "fails"] = "fails" if outcome == "fails" else "passes"
        return Expect(words, error, says, tuple(unmet))

    def _record(self, top: Table) -> Record | None:
        table = top.table("record")
        if not table.is_given:
            return None
        digest = table.text("digest", required=True) or ""
        if digest and not _DIGEST.fullmatch(digest):
            self._mistake(("record", "digest"), f"a digest is 32 hexadecimal digits, not {digest!r}")
        events = table.whole("events", least=0)
        log = tuple(filter(None, (table.text("log") or "").split("\n")))
        python, simnet, failure = table.text("python"), table.text("simnet"), table.text("failure")
        carried = self._carried(table.table("carried"))
        table.finish()
        return Record(digest, events, log, python, simnet, failure, carried)

    def _carried(self, table: Table) -> dict[str, Carried]:
        """By anchors, which need not be those of the file: a person may have edited its faults since."""
        found = {}
        for anchor in list(table.values):
            if not ANCHOR.fullmatch(anchor):
                words = "an anchor is wanted, such as 'the 2nd send of client:1 -> server:7'"
                self._mistake((*table.key, anchor), words)
            given = table.table(anchor)
            if not given.is_given:
                continue
            size = given.whole("of", least=1)
            text = {key: value for key, value in given.values.items() if key != "of"}
            data = decode(text, given.key, self._mistake)
            if not isinstance(data, bytes):
                self._mistake(given.key, 'bytes are wanted, as { bytes = "text" } or { hex = "00 ff" }')
                continue
            if size is not None and size < len(data):
                self._mistake((*given.key, "of"), f"these are {len(data)} bytes, and {size} are fewer")
            found[anchor] = Carried(data, len(data) if size is None else size)
        return found


def _normal(sentence: str) -> str:
    """A fault as `Script.sentences` spells it."""
    try:
        return str(parse(sentence))
    except ValueError:
        return sentence


def _whole_bytes(value: str | int | float) -> int:
    if isinstance(value, float):
        raise UsageError(f"a size is whole bytes or text like '64KiB', not {value!r}")
    return size_bytes(value)


def unknown_host(name: str, names: Iterable[str]) -> str:
    known = list(names)
    if not known:
        return f"no host is called {name!r}; the file names none: add [hosts.{name}]"
    return f"no host is called {name!r}; {meant(name, known) or 'there are ' + ', '.join(known)}"
