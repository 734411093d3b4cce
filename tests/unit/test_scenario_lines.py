"""Every key of a TOML file is found on its line, however it is written."""

import tomllib

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from simnet.scenario.lines import lines_of, spell


@pytest.mark.parametrize(
    ("text", "key", "line"),
    [
        ("a = 1\nb = 2", ("b",), 2),
        ("# a\n\na = 1", ("a",), 3),
        ('a = """\nb = 1\n"""\nc = 3', ("c",), 4),
        ("a = '''\n'''\nc = 3", ("c",), 3),
        ('a = "x # \\" [y]"\nc = 3', ("c",), 2),
        ("[t]\na = 1", ("t",), 1),
        ("[t]\na = 1", ("t", "a"), 2),
        ('[t."u.v"]\na = 1', ("t", "u.v", "a"), 2),
        ("t.'u'.v = 1", ("t", "u", "v"), 1),
        ("[[l]]\na = 1\n[[l]]\na = 2", ("l", 1, "a"), 4),
        ("[[l]]\n[l.t]\na = 1\n[[l]]\n[l.t]\na = 2", ("l", 1, "t", "a"), 6),
        ("a = [\n  1, # one\n  [2,\n  3],\n]", ("a", 1, 1), 4),
        ("a = { b = 1, c = { d = 2 } }", ("a", "c", "d"), 1),
        ("a = [\n  { b = 1 },\n  { b = 2 },\n]", ("a", 1, "b"), 3),
        ("a = 1979-05-27 07:32:00\nb = 1.5e3", ("b",), 2),
        ("a = ''\nb = \"\"\nc = 1", ("c",), 3),
    ],
)
def test_a_key_is_found_on_its_line(text, key, line):
    tomllib.loads(text)  # or the example is wrong
    assert lines_of(text)[key] == line


KEYS = st.text("ab .\"'#=[]\\é\n", min_size=1, max_size=4)
VALUES = st.recursive(
    st.integers()
    | st.booleans()
    | st.floats(allow_nan=False)
    | st.text("a\"'\\\n#[]{},= ", max_size=8)
    | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(KEYS, VALUES, max_size=4), st.booleans())
def test_every_key_of_any_file_has_a_line(values, multiline):
    text = tomli_w.dumps(values, multiline_strings=multiline)
    lines = lines_of(text)
    missing = [key for key in keys_of(tomllib.loads(text)) if key not in lines]
    assert missing == []


def keys_of(value, key=()):
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, inner in pairs:
        yield (*key, step)
        yield from keys_of(inner, (*key, step))


def test_a_key_is_spelled_as_people_write_it():
    assert spell(("links", 0, "latency")) == "links[0].latency"
