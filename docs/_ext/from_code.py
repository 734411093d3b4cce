"""Directives whose content is read from the code, so that a page cannot contradict it.

``{outcomes}``          what a network may decide, from `simnet.outcomes.OUTCOMES`
``{happenings}``        what may befall a network, from `simnet.happenings.HAPPENINGS`
``{public-names}``      what `simnet` exports
``{pytest-options}``    options and ini settings, as the plugin registers them
``{pytest-marker}``     the marker
``{simplified}``        every paragraph of a module that begins with "Simplified"
``{not-simulated}``     everything that a virtual host says it does not simulate
``{profiles}``          the profiles of random programs, from `simnet.oracle.profiles`
``{ways}``              what the fence sees, from `simnet.fence.ways`
``{callers}``           who may go past the fence, from `simnet.fence.allowed`
``{let-through}``       what it does not watch, and why, from there too
``{properties}``        the properties that come with the box, from `simnet.checks`
``{put-aside}``         what is put aside before kernels are compared, from `simnet.oracle.normal`
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from typing import Any

import absent
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

import simnet
import simnet.virtual
from simnet import Deviation, pytest_plugin
from simnet.checks import PROPERTIES
from simnet.fence.allowed import CALLERS, LET_THROUGH, TOOLS, WATCHED_MODULES
from simnet.fence.ways import FAMILIES, WAYS, Way
from simnet.happenings import HAPPENINGS
from simnet.oracle.normal import RULES
from simnet.oracle.profiles import PROFILES
from simnet.outcomes import BEFALLS, CORRUPTION, EVERY, GENTLE, HARSH, OUTCOMES, RESTARTS, WAKES, Outcome

SIMPLIFIED = "Simplified"
_SIZE = 4  # of an operation, to show the amounts that an outcome has


_WEATHER = {
    **{"GENTLE": GENTLE, "EVERY": EVERY, "HARSH": HARSH},
    **{"CORRUPTION": CORRUPTION, "WAKES": WAKES, "RESTARTS": RESTARTS},
}


class FromCode(SphinxDirective):
    """A directive without arguments that is replaced by Markdown."""

    def run(self) -> list[nodes.Node]:
        return self.parse_text_to_nodes("\n".join(self.markdown()))

    def markdown(self) -> Iterator[str]:
        raise NotImplementedError


def table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"


def weather(op: str, kind: str) -> str:
    """The mildest weather that a deviation or happening belongs to, if there is any."""
    return next((f"`{name}`" for name, kinds in _WEATHER.items() if (op, kind) in kinds), "")


class Outcomes(FromCode):
    def markdown(self) -> Iterator[str]:
        rows = (self.row(op, outcome) for op, outcomes in OUTCOMES.items() for outcome in outcomes)
        yield from table(("operation", "outcome", "in a sentence", "amounts", "weather"), rows)

    def row(self, op: str, outcome: Outcome) -> tuple[str, ...]:
        sentence = Deviation("PLACE", op, 2, outcome.name, outcome.amounts(_SIZE)[0])
        amounts = self.amounts(op, outcome)
        return f"`{op}`", f"`{outcome.name}`", str(sentence), amounts, weather(op, outcome.name)

    def amounts(self, op: str, outcome: Outcome) -> str:
        amounts = list(outcome.amounts(_SIZE))
        if amounts == [0]:
            return ""
        if amounts != list(outcome.amounts(2 * _SIZE)):
            return f"{amounts[0]} … {amounts[-1]} of {_SIZE}"
        return ", ".join(
            Deviation("PLACE", op, 2, outcome.name, n).effect.rpartition(
                outcome.words.text.partition("{")[0]
            )[2]
            for n in amounts
        )


class HappeningsTable(FromCode):
    def markdown(self) -> Iterator[str]:
        rows = (
            (f"`{kind.words.example}`", kind.doc, weather(BEFALLS, name)) for name, kind in HAPPENINGS.items()
        )
        yield from table(("in a sentence, after `at 1s`", "what it does", "weather"), rows)


class PublicNames(FromCode):
    def markdown(self) -> Iterator[str]:
        yield from table(("name", "promise", "documented in"), map(self.row, simnet.__all__))

    def row(self, name: str) -> tuple[str, ...]:
        value = getattr(simnet, name)
        promise = (inspect.getdoc(value) or "").partition("\n\n")[0].replace("\n", " ")
        return f"`{name}`", promise, f"`{page_of(value.__module__)}`"


def page_of(module: str) -> str:
    """The module under which a name is documented: packages document what they export."""
    return ".".join(module.split(".")[:2])


class Registered:
    """Stands in for pytest's parser and configuration, and keeps what the plugin registers."""

    def __init__(self) -> None:
        self.options: list[tuple[str, ...]] = []
        self.settings: list[tuple[str, ...]] = []
        self.markers: list[str] = []

    def getgroup(self, *names: str) -> Registered:
        return self

    def addoption(self, name: str, metavar: str = "", help: str = "", **rest: Any) -> None:
        self.options.append((f"`{name}{' ' + metavar if metavar else ''}`", help))

    def addini(self, name: str, help: str, type: str = "string", default: Any = "") -> None:
        self.settings.append((f"`{name}`", help, f"`{default}`" if default else ""))

    def addinivalue_line(self, name: str, line: str) -> None:
        self.markers.append(line)


class PytestOptions(FromCode):
    def markdown(self) -> Iterator[str]:
        found: Any = Registered()
        pytest_plugin.pytest_addoption(found)
        yield from table(("option", "meaning"), iter(found.options))
        yield ""
        yield from table(("ini setting", "meaning", "default"), iter(found.settings))
        yield ""


class PytestMarker(FromCode):
    def markdown(self) -> Iterator[str]:
        found: Any = Registered()
        with suppress(AttributeError):  # it goes on to read the settings, which are not there
            pytest_plugin.pytest_configure(found)
        for line in found.markers:
            marker, _, meaning = line.partition("): ")
            yield f"`@pytest.mark.{marker})`\n: {meaning}"


class Simplified(FromCode):
    def markdown(self) -> Iterator[str]:
        for module in pkgutil.walk_packages(simnet.virtual.__path__, "simnet.virtual."):
            text = inspect.getdoc(importlib.import_module(module.name)) or ""
            for paragraph in text.split("\n\n"):
                if paragraph.startswith(SIMPLIFIED):
                    what = " ".join(paragraph.partition(": ")[2].split())
                    yield f"`{module.name}`\n: {what[0].upper()}{what[1:]}\n"


class NotSimulated(FromCode):
    def markdown(self) -> Iterator[str]:
        yield from self.entry("Families of sockets", absent.families())
        yield from self.entry("Types of sockets", absent.types())
        yield from self.entry("Methods of sockets", absent.methods())
        for call, ask in {
            "recv": lambda sock, flag: sock.recv(1, flag),
            "send": lambda sock, flag: sock.send(b"x", flag),
        }.items():
            for kind, names in absent.flags(ask):
                yield from self.entry(f"Flags of `{call}` on {kind} sockets", names)
        for prefix in absent.LEVELS:
            yield from self.entry(f"Options `{prefix}...`", absent.options(prefix))
        for module in absent.MODULES:
            yield from self.entry(f"Functions and classes of `{module.__name__}`", absent.functions(module))

    def entry(self, what: str, names: Iterable[str]) -> Iterator[str]:
        if listed := ", ".join(f"`{name}`" for name in names):
            yield f"{what}\n: {listed}\n"


class Profiles(FromCode):
    def markdown(self) -> Iterator[str]:
        yield from table(
            ("profile", "favours"), ((f"`{name}`", profile.about) for name, profile in PROFILES.items())
        )


class PutAside(FromCode):
    def markdown(self) -> Iterator[str]:
        for what, why in RULES.items():
            yield f"{what[0].upper()}{what[1:]}\n: {why[0].upper()}{why[1:]}.\n"


class Properties(FromCode):
    def markdown(self) -> Iterator[str]:
        switches = {True: "on", False: "off", None: ""}
        rows = (
            (f"`{each.name}`", each.says, each.seen, switches[each.is_on]) for each in PROPERTIES.values()
        )
        yield from table(("name", "property", "how a violation shows", "switch"), rows)


class Ways(FromCode):
    def markdown(self) -> Iterator[str]:
        for family, what in FAMILIES.items():
            rows = [way for way in WAYS if way.family == family]
            yield f"`{family}`: what {what}."
            yield ""
            yield from table(("function", "seen by", "instead"), (self.row(way) for way in rows))
            yield ""

    def row(self, way: Way) -> tuple[str, ...]:
        means = [f"`{way.within}`"] if way.within else [f"event `{event}`" for event in way.events]
        means += ["check"] * bool(way.patches)
        instead = f"`host.modules.{way.name}`" if way.on_host else ""
        return f"`{way.name}`", " or ".join(means), "; ".join(filter(None, (instead, way.hint)))


class Callers(FromCode):
    def markdown(self) -> Iterator[str]:
        rows = ((f"`{name}`", self.families(families)) for name, families in CALLERS.items())
        yield from table(("module, and what it calls", "families"), rows)
        yield ""
        tools = ", ".join(f"`{name}`" for name in sorted(TOOLS))
        yield f"Tools, and packages called `pytest_...`, which run programs and are no part of them: {tools}."

    def families(self, families: Collection[str]) -> str:
        return "all" if set(families) == set(FAMILIES) else ", ".join(families)


class LetThrough(FromCode):
    def markdown(self) -> Iterator[str]:
        for module in WATCHED_MODULES:
            reasons: dict[str, list[str]] = {}
            for owner, names, why in LET_THROUGH:
                if owner == module:
                    reasons.setdefault(why, []).extend(names.split())
            lines = (f"{', '.join(f'`{name}`' for name in names)} ({why})" for why, names in reasons.items())
            yield f"`{module}`\n: {'; '.join(lines)}.\n"


def setup(app: Sphinx) -> dict[str, object]:
    app.add_directive("outcomes", Outcomes)
    app.add_directive("happenings", HappeningsTable)
    app.add_directive("public-names", PublicNames)
    app.add_directive("pytest-options", PytestOptions)
    app.add_directive("pytest-marker", PytestMarker)
    app.add_directive("simplified", Simplified)
    app.add_directive("not-simulated", NotSimulated)
    app.add_directive("profiles", Profiles)
    app.add_directive("properties", Properties)
    app.add_directive("put-aside", PutAside)
    app.add_directive("ways", Ways)
    app.add_directive("callers", Callers)
    app.add_directive("let-through", LetThrough)
    return {"version": simnet.__version__, "parallel_read_safe": True}
