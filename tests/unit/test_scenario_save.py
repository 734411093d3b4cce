"""What is saved is read back the same, and people like to read it."""

import datetime

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simnet.errors import UsageError
from simnet.fence import Fence
from simnet.outcomes import OUTCOMES, PLACES
from simnet.rules import Rule
from simnet.scenario import (
    Expect,
    HostSpec,
    LinkSpec,
    Record,
    Scenario,
    dumps,
    load,
    loads,
    save,
    save_record,
)
from simnet.scenario.operations import Carried
from simnet.scenario.save import with_record
from simnet.script import Deviation, Happening, Script

TEXT = st.text(max_size=20)
WORD = st.from_regex(r"[a-z][a-z0-9_]{0,5}", fullmatch=True)
NAMES = ("client", "server", "third")
WHERE = {
    "end": ("client:1 -> server:7", "server:7 -> client:1", "#1 client", "#2 server"),
    "listener": ("server:7", "#1 listener"),
    "socket": ("client:53/udp", "#1 udp"),
    "host": ("client", "network", "#1 host"),
    "thread": ("server/serve/worker-1", "#1 thread"),
}


@st.composite
def deviations(draw):
    op = draw(st.sampled_from(sorted(OUTCOMES)))
    outcome = draw(st.sampled_from(OUTCOMES[op]))
    amounts = outcome.amounts(draw(st.integers(2, 40))) or (0,)
    amount = draw(st.sampled_from(list(amounts)))
    return Deviation(
        draw(st.sampled_from(WHERE[PLACES[op]])), op, draw(st.integers(1, 99)), outcome.name, amount
    )


RULES = st.builds(
    Rule,
    where=st.sampled_from(("*", "client", "server:7 -> client:1")),
    op=st.just("send"),
    outcome=st.just("takes"),
    amount=st.integers(1, 99),
    times=st.none() | st.integers(1, 9),
    containing=st.none() | st.binary(min_size=1, max_size=5),
)
HAPPENINGS = st.builds(Happening, st.integers(0, 10**12), st.just("heal")) | st.builds(
    Happening,
    st.integers(0, 10**12),
    st.just("partition"),
    st.sampled_from(((("client",), ("server",)), (("client", "third"), ("server",)))),
)


@st.composite
def scripts(draw):
    drawn = draw(st.lists(deviations(), max_size=5, unique_by=lambda each: (each.where, each.op, each.nth)))
    return Script(drawn, draw(st.lists(HAPPENINGS, max_size=3)), draw(st.lists(RULES, max_size=2)))


ARGUMENTS = st.recursive(
    st.integers()
    | st.booleans()
    | st.floats(allow_nan=False)
    | TEXT
    | st.binary(max_size=20)
    | st.dates()
    | st.times()
    | st.datetimes(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(TEXT.filter(lambda key: key not in ("bytes", "hex")), inner, max_size=3)
    ),
    max_leaves=8,
)
LINKS = st.builds(
    LinkSpec,
    st.sampled_from((("client", "server"), ("server", "third"))),
    latency=st.sampled_from((None, "20ms", 0.5, 3)),
    jitter=st.sampled_from((0, "1ms")),
    bandwidth=st.sampled_from((0, "10Mbit/s", 1e6)),
    capacity=st.sampled_from((0, "64KiB", 1000)),
)
FENCES = st.builds(
    Fence, st.sampled_from(("error", "warn", "off")), st.lists(st.sampled_from(("clocks", "m.*")), max_size=2)
)
LOG = st.lists(st.text(st.characters(exclude_characters="\r\n"), min_size=1, max_size=20), max_size=4)
CARRIED = st.builds(
    lambda data, more: Carried(data, len(data) + more), st.binary(min_size=1, max_size=9), st.integers(0, 9)
)
RECORDS = st.builds(
    Record,
    digest=st.from_regex(r"[0-9a-f]{32}", fullmatch=True),
    events=st.none() | st.integers(0, 10**6),
    log=LOG.map(tuple),
    python=st.none() | TEXT,
    simnet=st.none() | TEXT,
    failure=st.none() | TEXT,
    carried=st.dictionaries(
        st.sampled_from(("the 1st send of client:1 -> server:7", "the 22nd recv of #1 client")),
        CARRIED,
        max_size=1,
    ),
)


@st.composite
def scenarios(draw):
    script, seed = draw(st.tuples(scripts(), st.none()) | st.tuples(st.just(Script()), st.integers(0, 2**70)))
    fails = draw(st.booleans())
    error, says = draw(st.tuples(st.none() | TEXT, st.none() | TEXT)) if fails else (None, None)
    unmet = tuple(draw(st.sets(st.sampled_from(script.sentences())))) if len(script) else ()
    is_test = draw(st.booleans())
    return Scenario(
        title=draw(TEXT.filter(lambda text: not text.isspace() and text)),
        why=draw(st.text(max_size=200)),
        call=None if is_test else draw(st.sampled_from(("a.b:c", "m:C.run", "dir/a b.py::f"))),
        test=draw(st.sampled_from(("t.py::t", "tests/test_x.py::test_y[a-b]"))) if is_test else None,
        arguments=draw(st.dictionaries(WORD, ARGUMENTS, max_size=3)),
        hosts=tuple(HostSpec(name, draw(st.none() | st.integers(3, 99))) for name in NAMES),
        links=tuple(draw(st.lists(LINKS, max_size=2))),
        latency=draw(st.sampled_from(("1ms", "5ms", 0, 0.25))),
        script=script,
        seed=seed,
        check=tuple(draw(st.lists(st.sampled_from(("all", "-no-leak", "one-close")), max_size=2))),
        fence=draw(st.none() | FENCES),
        expect=Expect("fails" if fails else "passes", error, says, unmet),
        record=draw(st.none() | RECORDS),
    )


@given(scenarios())
def test_what_is_saved_is_loaded_the_same(scenario):
    assert loads(dumps(scenario)) == scenario


@given(scenarios(), RECORDS)
def test_a_record_that_is_put_into_a_file_changes_nothing_else(scenario, record):
    once = with_record(dumps(scenario), record)
    assert loads(once) == attrs.evolve(scenario, record=record)
    assert with_record(once, record) == once


def test_a_saved_file_tells_the_story_first_and_one_fault_a_line():
    scenario = Scenario(
        title="An upload is cut",
        why="First line.\nSecond line.",
        call="examples.stories:answer",
        arguments={"body": b"a\r\n", "raw": b"\x00\xff", "when": datetime.date(2020, 9, 13)},
        hosts=(HostSpec("client"), HostSpec("server", 16)),
        links=(LinkSpec(("client", "server"), latency="20ms"),),
        script=Script([Deviation("client:1 -> server:7", "send", n, "takes", 1) for n in (1, 2)]),
        expect=Expect("fails", error="AssertionError"),
        record=Record("0" * 32, events=1, log=(r"   1 00000000 0.000 client send 1 b'\r'",)),
    )
    assert (
        dumps(scenario)
        == r'''format = 1
title = "An upload is cut"
why = """
First line.
Second line.
"""

faults = [
    "the 1st send of client:1 -> server:7 takes 1 byte",
    "the 2nd send of client:1 -> server:7 takes 1 byte",
]

[program]
call = "examples.stories:answer"

[program.arguments]
body = { bytes = "a\r\n" }
raw = { hex = "00 ff" }
when = 2020-09-13

[hosts.client]

[hosts.server]
descriptors_max = 16

[[links]]
between = ["client", "server"]
latency = "20ms"

[expect]
outcome = "fails"
error = "AssertionError"

[record]
digest = "00000000000000000000000000000000"
events = 1
log = \'\'\'
   1 00000000 0.000 client send 1 b'\r'
\'\'\'
'''.replace(r"\'", "'")
    )


def test_a_record_replaces_the_old_one_and_leaves_comments_alone(tmp_path):
    path = tmp_path / "a.toml"
    written = '# mine\nformat = 1 # one\ntitle="[record]"\nprogram.call = "m:f"\n'
    path.write_text(f'{written}\n[record]\ndigest = "{"1" * 32}"\n')
    save_record(path, Record("0" * 32))
    assert path.read_text() == f'{written}\n[record]\ndigest = "{"0" * 32}"\n'
    assert [file.name for file in tmp_path.iterdir()] == ["a.toml"]


@pytest.mark.parametrize("value", [None, (1, 2), {1: 2}, {"bytes": "a"}, [object()], 1j])
def test_an_argument_without_a_spelling_in_toml_is_refused(value, tmp_path):
    scenario = Scenario("t", call="m:f", arguments={"a": value})
    with pytest.raises(UsageError, match=r"^arguments\.a"):
        save(scenario, tmp_path / "a.toml")
    assert not any(tmp_path.iterdir())


def test_a_scenario_is_loaded_with_its_path(tmp_path):
    path = tmp_path / "a.toml"
    save(Scenario("t", call="m:f"), path)
    assert load(path).path == str(path)


@pytest.mark.parametrize(
    "arguments",
    [
        {"title": "t"},
        {"title": "t", "call": "m:f", "test": "t.py::t"},
        {"title": " ", "call": "m:f"},
        {"title": "t", "call": "m:f", "seed": 1, "script": Script([], [Happening(0, "heal")])},
    ],
)
def test_a_scenario_that_means_nothing_cannot_be_made(arguments):
    with pytest.raises(UsageError):
        Scenario(**arguments)
