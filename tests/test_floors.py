"""The floors: which module of simnet may import which.

Owns the table of floors and the exceptions to it. An import points to a strictly lower floor or stays within
its package; where it is written (in a function, under `if TYPE_CHECKING:`, as a string given to
`import_module`) makes no difference. `simnet/__init__.py` gathers the public names and may import anything;
so nothing imports from it.
"""

import ast
from collections.abc import Iterator, Set
from pathlib import Path

import attrs
import pytest

pytestmark = pytest.mark.once

SOURCE = Path(__file__).parent.parent / "simnet"

# Lowest first. A name is a module of simnet, or a package with everything in it.
FLOORS = (
    {"errors", "garbage", "units", "words"},
    {
        "transport",
        "calls",
        "channels",
        "timers",
        "ways",
        "outcomes",
        "happenings",
        "rules",
        "script",
        "workload",
        "checks",
        "choices",
        "trace",
        "fence",
        "undriven",
    },
    {"loop", "passes", "machine", "process", "real", "virtual"},
    {"dispatchers", "stage"},
    {"asyncore", "asynchat", "installing", "properties"},
    {"scenario", "fuzz", "report", "oracle", "census"},
    {"pytest_plugin", "pytest_census", "pytest_failures", "pytest_hosts", "pytest_sometimes", "cli"},
)
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}

# Imports between rooms of one floor, (importer, imported), each with its reason.
WITHIN_A_FLOOR = {
    ("script", "outcomes"): "a deviation is an outcome in words",
    ("script", "happenings"): "a happening is in words as well",
    ("script", "rules"): "a rule is one more sentence",
    ("script", "workload"): "so is what was drawn",
    ("choices", "workload"): "who decides a run decides its workload",
    ("rules", "outcomes"): "a rule is an outcome that is asked for",
    ("choices", "outcomes"): "a pick is one of an operation's options",
    ("choices", "script"): "a supplier reads one script and records another",
    ("units", "errors"): "a quantity that cannot be read is a mistake of whoever wrote it",
    ("words", "errors"): "so is a word that has no meaning",
    ("words", "units"): "sentences name quantities",
    ("ways", "transport"): "what is asked for are a machine's events",
    ("timers", "transport"): "timers go by a machine's clock",
    ("calls", "transport"): "a call ends the wait of a loop by its machine's wakeup",
    ("undriven", "transport"): "it is a kind of transport",
    ("fence", "transport"): "who is on a virtual machine has it as the current transport",
    ("asynchat", "asyncore"): "the old asynchat imports the old asyncore, and programs reach it that way",
    ("fuzz", "scenario"): "what a search finds is kept as a scenario",
    ("fuzz", "report"): "what a search finds is reported",
    ("virtual", "process"): "a host spawns processes",
    ("pytest_plugin", "pytest_sometimes"): "a part of the plugin that has state of its own",
    ("pytest_plugin", "pytest_census"): "so is this",
    ("pytest_plugin", "pytest_hosts"): "and this",
    ("pytest_failures", "pytest_hosts"): "what calls a test again calls it where it was called",
    ("pytest_plugin", "pytest_failures"): "the plugin says when, its other half does it",
    ("cli", "pytest_failures"): "a test that was kept is a program like any other",
    ("report", "scenario"): "a report ends with the scenario that replays it",
}

# Imports that only a type checker follows, (importer, imported), each with its reason.
FOR_TYPES_ONLY: dict[tuple[str, str], str] = {
    ("process", "virtual"): "a process is handed its host",
    ("pytest_failures", "pytest_plugin"): "what explains a failure is handed the plugin's settings",
}

NEVER_MEET = {"real", "virtual"}


@attrs.frozen
class Import:
    """One import statement: the dotted name that it reaches for, within simnet."""

    target: str
    line: int
    for_types_only: bool


def violations(source: Path) -> list[str]:
    """Every import under `source` that breaks a floor and every module on none, as `module:line: why`."""
    files = {dotted_name(source, path): path for path in sorted(source.rglob("*.py"))}
    importers = [name for name in files if name != "simnet"]
    return [problem for name in importers for problem in check(name, files[name], files.keys())]


def check(importer: str, path: Path, modules: Set[str]) -> Iterator[str]:
    room = room_of(importer)
    if room not in FLOOR_OF:
        yield f"{importer}: {room} is on no floor"
        return
    for found in imports_of(importer, path, modules):
        problem = problem_with(room, found)
        if problem:
            yield f"{importer}:{found.line}: {problem}"


def problem_with(room: str, found: Import) -> str | None:
    target = room_of(found.target)
    edge = (room, target)
    if target == "":
        return "imports from simnet itself, which only gathers names"
    if target == room:
        return None
    if target not in FLOOR_OF:
        return f"imports {target}, which is on no floor"
    if set(edge) == NEVER_MEET:
        return f"imports {target}: real and virtual never meet"
    if FLOOR_OF[target] < FLOOR_OF[room] or edge in WITHIN_A_FLOOR:
        return None
    if found.for_types_only and edge in FOR_TYPES_ONLY:
        return None
    return f"imports {target} (floor {FLOOR_OF[target]}) from floor {FLOOR_OF[room]}"


def dotted_name(source: Path, path: Path) -> str:
    parts = path.relative_to(source).with_suffix("").parts
    return ".".join(("simnet", *(parts[:-1] if parts[-1] == "__init__" else parts)))


def room_of(dotted: str) -> str:
    """The name that is on a floor: `virtual` for `simnet.virtual.tcp`, nothing for `simnet`."""
    return dotted.partition(".")[2].partition(".")[0]


def imports_of(importer: str, path: Path, modules: Set[str]) -> Iterator[Import]:
    package = importer if path.name == "__init__.py" else importer.rpartition(".")[0]
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    for_types = [inside for node in ast.walk(tree) if is_typing_block(node) for inside in walk_body(node)]
    for node in ast.walk(tree):
        for target in targets_of(node, package, modules):
            if target.split(".")[0] == "simnet":
                yield Import(target, node.lineno, for_types_only=node in for_types)


def targets_of(node: ast.AST, package: str, modules: Set[str]) -> Iterator[str]:
    """The dotted names that a node imports: `a.b` for `from a import b` if that is a module, else `a`."""
    match node:
        case ast.Import(names=names):
            yield from (alias.name for alias in names)
        case ast.ImportFrom(module=module, names=names, level=level):
            base = absolute(package, module, level)
            for alias in names:
                whole = f"{base}.{alias.name}"
                is_module = any(name == whole or name.startswith(whole + ".") for name in modules)
                yield whole if is_module else base
        case ast.Call(func=function, args=[ast.Constant(value=str(target)), *_]):
            if ast.unparse(function) in ("import_module", "importlib.import_module", "__import__"):
                yield package + target if target.startswith(".") else target


def absolute(package: str, module: str | None, level: int) -> str:
    if level == 0:
        return module or ""
    parents = package.split(".")
    return ".".join([*parents[: len(parents) - level + 1], *([module] if module else [])])


def is_typing_block(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def walk_body(node: ast.If) -> Iterator[ast.AST]:
    for statement in node.body:
        yield from ast.walk(statement)


def plant(tmp_path: Path, sources: dict[str, str]) -> Path:
    """A source tree of one package or empty module per room, but for the files given by their path."""
    source = tmp_path / "simnet"
    given = {path.partition("/")[0] for path in sources}
    empty = {f"{room}.py": "" for room in FLOOR_OF if not {room, f"{room}.py"} & given}
    for path, text in {"__init__.py": "", **empty, **sources}.items():
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        (source / path).write_text(text, encoding="utf-8")
    return source


def test_every_import_of_simnet_keeps_its_floor():
    assert violations(SOURCE) == []


@pytest.mark.parametrize(
    "upward",
    [
        "import simnet.loop",
        "import simnet.loop as the_loop",
        "from simnet import loop",
        "from simnet.loop import poll",
        "from . import loop",
        "from .loop import poll",
        "def later():\n    from simnet.loop import poll",
        "if TYPE_CHECKING:\n    from simnet.loop import poll",
        "import importlib\nimportlib.import_module('simnet.loop')",
        "from importlib import import_module\nimport_module('.loop', __package__)",
    ],
)
def test_an_upward_import_is_reported_however_it_is_written(tmp_path, upward):
    last_line = upward.count("\n") + 1
    expected = [f"simnet.units:{last_line}: imports loop (floor 2) from floor 0"]
    assert violations(plant(tmp_path, {"units.py": upward})) == expected


def test_an_upward_import_out_of_a_package_is_reported(tmp_path):
    source = plant(tmp_path, {"virtual/tcp.py": "from ..dispatchers import dispatcher"})
    assert violations(source) == ["simnet.virtual.tcp:1: imports dispatchers (floor 3) from floor 2"]


def test_an_import_by_a_package_itself_is_reported(tmp_path):
    source = plant(tmp_path, {"virtual/__init__.py": "from ..cli import main"})
    assert violations(source) == ["simnet.virtual:1: imports cli (floor 6) from floor 2"]


def test_an_import_along_a_floor_is_reported_unless_listed(tmp_path):
    source = plant(tmp_path, {"scenario.py": "import simnet.fuzz", "fuzz.py": "import simnet.scenario"})
    assert violations(source) == ["simnet.scenario:1: imports fuzz (floor 5) from floor 5"]


@pytest.mark.parametrize(("importer", "imported"), [("real", "virtual"), ("virtual", "real")])
def test_real_and_virtual_never_meet_even_if_listed(tmp_path, monkeypatch, importer, imported):
    monkeypatch.setitem(WITHIN_A_FLOOR, (importer, imported), "no reason is good enough")
    source = plant(tmp_path, {f"{importer}/udp.py": f"import simnet.{imported}"})
    expected = [f"simnet.{importer}.udp:1: imports {imported}: real and virtual never meet"]
    assert violations(source) == expected


@pytest.mark.parametrize("of_the_root", ["import simnet", "from simnet import Network", "from . import *"])
def test_an_import_from_the_root_is_reported(tmp_path, of_the_root):
    source = plant(tmp_path, {"cli.py": of_the_root})
    assert violations(source) == ["simnet.cli:1: imports from simnet itself, which only gathers names"]


def test_a_module_on_no_floor_is_reported_with_whoever_imports_it(tmp_path):
    source = plant(tmp_path, {"attic.py": "", "cli.py": "from simnet.attic import trunk"})
    assert violations(source) == [
        "simnet.attic: attic is on no floor",
        "simnet.cli:1: imports attic, which is on no floor",
    ]


def test_an_import_for_types_only_needs_its_own_listing(tmp_path, monkeypatch):
    monkeypatch.setitem(FOR_TYPES_ONLY, ("transport", "loop"), "planted")
    for_types = "if TYPE_CHECKING:\n    import simnet.loop\n"
    assert violations(plant(tmp_path, {"transport.py": for_types})) == []
    source = plant(tmp_path, {"transport.py": for_types + "else:\n    import simnet.loop"})
    assert violations(source) == ["simnet.transport:4: imports loop (floor 2) from floor 1"]


def test_imports_that_keep_the_floors_are_not_reported(tmp_path):
    sources = {
        "__init__.py": "from simnet.cli import main",
        "cli.py": "import socket\nfrom simnet import units, fuzz\nfrom .virtual import tcp",
        "stage.py": "from simnet.real import RealTransport",
        "report.py": "import simnet.scenario",
        "virtual/tcp.py": "from . import udp\nfrom .udp import Datagram\nfrom ..units import seconds",
        "virtual/udp.py": "import simnet.virtual.tcp",
    }
    assert violations(plant(tmp_path, sources)) == []


def test_every_exception_is_between_rooms_that_exist_on_the_plan():
    assert {room for edge in [*WITHIN_A_FLOOR, *FOR_TYPES_ONLY] for room in edge} <= FLOOR_OF.keys()
    assert all(FLOOR_OF[importer] == FLOOR_OF[imported] for importer, imported in WITHIN_A_FLOOR)
