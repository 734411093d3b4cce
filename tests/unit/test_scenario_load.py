"""A scenario file is read strictly, and all of its mistakes are told at once, each with its place."""

import pytest

from simnet.errors import ScenarioError
from simnet.fence import Fence
from simnet.scenario import Expect, HostSpec, LinkSpec, Record, load, loads
from simnet.scenario.operations import Carried
from simnet.script import Deviation, Happening, Script

HEAD = 'format = 1\ntitle = "t"\n'
PROGRAM = '[program]\ncall = "examples.stories:answer"\n'
RECORD = f'{HEAD}{PROGRAM}[record]\ndigest = "{"0" * 32}"\n'
ANCHOR = "the 2nd send of client:1 -> server:7"
CARRIED = f'[record.carried]\n"{ANCHOR}" '
HOSTS = "[hosts.client]\n[hosts.server]\n"


def mistakes(text):
    with pytest.raises(ScenarioError) as caught:
        loads(text)
    return list(caught.value.mistakes)


def only_mistake(text):
    (found,) = mistakes(text)
    return found


def test_everything_that_a_file_can_say_is_read():
    scenario = loads(
        """
format = 1
title = "An upload is cut"
why = '''
Because.
'''
latency = "5ms"
faults = ["the 2nd send of client:1 -> server:7 takes 1 byte", "at 1.5s partition client from server"]

[program]
call = "examples.stories:answer"
arguments = { is_careful = true, body = { bytes = "a\\r\\n" }, more = [{ hex = "00 ff" }, 7] }

[hosts.server]
descriptors_max = 16

[hosts.client]

[[links]]
between = ["client", "server"]
latency = "20ms"
jitter = "1ms"
bandwidth = "10Mbit/s"
capacity = "64KiB"

[expect]
outcome = "fails"
error = "AssertionError"
says = "answered"
unmet = ["at 1.5s partition client from server"]

[record]
digest = "00000000000000000000000000000000"
events = 12
python = "3.11.0"
simnet = "0.1.0"
log = '''
   1 00000000 0.000 name server
'''
"""
    )
    assert scenario.title == "An upload is cut"
    assert scenario.why == "Because."
    assert scenario.latency == "5ms"
    assert scenario.script == Script(
        [Deviation("client:1 -> server:7", "send", 2, "takes", 1)],
        [Happening(1_500_000_000, "partition", (("client",), ("server",)))],
    )
    assert scenario.call == "examples.stories:answer"
    assert scenario.arguments == {"is_careful": True, "body": b"a\r\n", "more": [b"\x00\xff", 7]}
    assert scenario.hosts == (HostSpec("server", 16), HostSpec("client"))
    assert scenario.links == (LinkSpec(("client", "server"), "20ms", "1ms", "10Mbit/s", "64KiB"),)
    unmet = ("at 1500ms partition client from server",)
    assert scenario.expect.error == "AssertionError"
    assert scenario.expect == Expect("fails", "AssertionError", "answered", unmet)
    assert scenario.record == Record("0" * 32, 12, ("   1 00000000 0.000 name server",), "3.11.0", "0.1.0")


def test_what_an_anchored_operation_carried_is_read():
    text = (
        RECORD
        + CARRIED
        + '= { bytes = "two\\r\\n" }\n'
        + '"the 1st recv of #1 client" = { hex = "00", of = 9 }'
    )
    record = loads(text.replace("[record.carried]", 'failure = "OSError in main"\n[record.carried]')).record
    assert record.failure == "OSError in main"
    assert record.carried == {ANCHOR: Carried(b"two\r\n", 5), "the 1st recv of #1 client": Carried(b"\0", 9)}


def test_a_file_may_be_as_short_as_this():
    scenario = loads(HEAD + PROGRAM)
    assert (scenario.why, scenario.script, scenario.seed) == ("", Script(), None)
    assert scenario.expect == Expect("passes")
    assert scenario.record is None


def test_a_test_may_stand_for_the_program():
    scenario = loads(HEAD + '[program]\ntest = "tests/test_x.py::test_y[1]"\n')
    assert (scenario.call, scenario.test) == (None, "tests/test_x.py::test_y[1]")


def test_five_mistakes_are_all_named_from_the_top_of_the_file_down():
    text = """format = 1
title = 7
falts = []
faults = [
    "the 1st send of client:1 -> server:7 takes 1 byte",
    "the 1st sned of client:1 -> server:7 takes 1 byte",
]

[program]
call = "examples.stories:answer"

[hosts.client]
[hosts.server]

[[links]]
between = ["client", "serve"]
latency = "20 parsecs"
"""
    places = [place for place, _ in mistakes(text)]
    assert places == [
        "line 2, title",
        "line 3, falts",
        "line 6, faults[1]",
        "line 16, links[0].between[1]",
        "line 17, links[0].latency",
    ]
    words = [words for _, words in mistakes(text)]
    assert "text is wanted, not 7" in words[0]
    assert "did you mean 'faults'?" in words[1]
    assert "no operation 'sned'" in words[2]
    assert "did you mean 'server'?" in words[3]
    assert "no duration" in words[4]


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("", "format", "missing"),
        (HEAD.replace("1", "true") + PROGRAM, "line 1, format", "a whole number is wanted, not true"),
        (HEAD.replace("1", "1.0") + PROGRAM, "line 1, format", "a whole number is wanted, not 1.0"),
        (HEAD.replace("1", "2") + PROGRAM, "line 1, format", "reads format 1, not 2"),
        ("format = 1\n" + PROGRAM, "title", "missing"),
        ('format = 1\ntitle = " "\n' + PROGRAM, "line 2, title", "one line"),
        ('format = 1\ntitle = """a\nb"""\n' + PROGRAM, "line 2, title", "one line"),
        (HEAD, "program", "missing"),
        (HEAD + "program = 3", "line 3, program", "a table is wanted, not 3"),
        (HEAD + "[program]\n", "line 3, program.call", "missing"),
        (HEAD + '[program]\ncall = "answer"', "line 4, program.call", "module:callable"),
        (HEAD + '[program]\ntest = "answer"', "line 4, program.test", "tests/test_x.py::test_name"),
        (HEAD + PROGRAM + 'test = "t.py::t"', "line 5, program.test", "not both"),
        (HEAD + PROGRAM + "arguments = 3", "line 5, program.arguments", "a table is wanted"),
        (HEAD + PROGRAM + 'arguments = { a = { hex = "0" } }', "line 5, program.arguments.a.hex", "two hexa"),
        (
            HEAD + PROGRAM + 'arguments = { a = { bytes = "€" } }',
            "line 5, program.arguments.a.bytes",
            "U+00FF",
        ),
        (HEAD + PROGRAM + "arguments = { a = [{ hex = 7 }] }", "line 5, program.arguments.a[0].hex", "text"),
        (HEAD + "seed = -1\n" + PROGRAM, "line 3, seed", "at least 0"),
        (HEAD + 'seed = "7"\n' + PROGRAM, "line 3, seed", "a whole number is wanted, not '7'"),
        (HEAD + "seed = true\n" + PROGRAM, "line 3, seed", "not true"),
        (HEAD + "seed = 7\nfaults = []\n" + PROGRAM, "line 3, seed", "not both"),
        (HEAD + "latency = true\n" + PROGRAM, "line 3, latency", "not True"),
        (HEAD + "latency = nan\n" + PROGRAM, "line 3, latency", "finite"),
        (HEAD + 'faults = "at 1s heal"\n' + PROGRAM, "line 3, faults", "an array of texts is wanted"),
        (HEAD + 'faults = ["at 1s heal", 7]\n' + PROGRAM, "line 3, faults[1]", "text is wanted, not 7"),
        (HEAD + PROGRAM + HOSTS + "port = 7", "line 7, hosts.server.port", "unknown key"),
        (
            HEAD + PROGRAM + HOSTS + "descriptors_max = 1",
            "line 7, hosts.server.descriptors_max",
            "at least 3",
        ),
        (HEAD + PROGRAM + '[hosts."a b"]', "line 5, hosts.a b", "letters, digits"),
        (HEAD + PROGRAM + "[links]", "line 5, links", "an array of tables is wanted, not a table"),
        (HEAD + PROGRAM + "[[links]]", "line 5, links[0].between", "missing"),
        (HEAD + PROGRAM + '[expect]\noutcome = "fail"', "line 6, expect.outcome", "'passes' or 'fails'"),
        (HEAD + PROGRAM + '[expect]\nsays = "x"', "line 6, expect.says", "passes has no error"),
        (
            HEAD + PROGRAM + '[expect]\nunmet = ["at 1s heal"]',
            "line 6, expect.unmet[0]",
            "not one of the faults",
        ),
        (HEAD + PROGRAM + '[expect]\ndigset = ""', "line 6, expect.digset", "unknown key"),
        (HEAD + PROGRAM + '[record]\ndigest = "xyz"', "line 6, record.digest", "32 hexadecimal digits"),
        (HEAD + PROGRAM + "[record]\nevents = 3", "line 5, record.digest", "missing"),
        (RECORD + "[record.carried]\nit = { bytes = 'a' }", "line 8, record.carried.it", "anchor is wanted"),
        (RECORD + CARRIED + '= "a"', f"line 8, record.carried.{ANCHOR}", "a table is wanted, not 'a'"),
        (RECORD + CARRIED + "= { of = 3 }", f"line 8, record.carried.{ANCHOR}", "bytes are wanted"),
        (RECORD + CARRIED + "= { hex = '0' }", f"line 8, record.carried.{ANCHOR}.hex", "two hexadecimal"),
        (RECORD + CARRIED + "= { bytes = 'ab', of = 1 }", f"line 8, record.carried.{ANCHOR}.of", "are fewer"),
        (RECORD + CARRIED + "= { hex = '00', of = 0 }", f"line 8, record.carried.{ANCHOR}.of", "at least 1"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_key(text, place, words):
    found = dict(mistakes(text))
    assert place in found
    assert words in found[place]
    assert len(found) == 1 or not text


def test_what_is_looked_for_is_read():
    scenario = loads(
        HEAD
        + 'check = ["all", "-half-close"]\n'
        + PROGRAM
        + '[fence]\nlevel = "warn"\nallow = ["clocks", "time.sleep", "metrics", "myapp.*"]\n'
    )
    assert scenario.check == ("all", "-half-close")
    assert scenario.fence == Fence("warn", ["clocks", "time.sleep", "metrics", "myapp.*"])
    assert loads(HEAD + PROGRAM + "[fence]").fence == Fence()


def test_every_mistake_in_what_is_looked_for_is_named_with_what_was_meant():
    text = (
        HEAD
        + 'check = [\n  "all",\n  "one-clos",\n  "-no-leaks",\n  7,\n]\n'
        + PROGRAM
        + '[fence]\nlevel = "warning"\nallow = ["time.slep", "time"]\nalow = []\n'
    )
    assert [(place, words.rpartition("; ")[2]) for place, words in mistakes(text)] == [
        ("line 5, check[1]", "did you mean 'one-close'?"),
        ("line 6, check[2]", "did you mean 'no-leak'?"),
        ("line 7, check[3]", "text is wanted, not 7"),
        ("line 12, fence.level", "did you mean 'warn'?"),
        ("line 13, fence.allow[0]", "did you mean 'time.sleep'?"),
        ("line 14, fence.alow", "did you mean 'allow'?"),
    ]


@pytest.mark.parametrize(
    ("sentence", "words"),
    [
        ("it rains", "not understood"),
        ("the 0th send of client:1 -> server:7 takes 1 byte", "nth counts from 1, not 0"),
        ("the 1st send of client:1 -> server:7 explodes", "a send takes"),
        ("the 1st send of clint:1 -> server:7 takes 1 byte", "did you mean 'client'?"),
        ("the 1st send of client takes 1 byte", "the place of a send is an end such as"),
        ("the 1st accept of client:1 -> server:7 is told to try again", "is a listener such as"),
        ("the 1st turn of server:7 starts with ready number 2", "is a host, or 'network'"),
        ("at 1s partition client from sever", "did you mean 'server'?"),
        ("at 1s crash", "write crash a"),
        ("at 1 fortnight heal", "no duration"),
    ],
)
def test_a_fault_that_could_never_happen_is_a_mistake(sentence, words):
    place, found = only_mistake(f'{HEAD}faults = ["""{sentence}"""]\n{PROGRAM}{HOSTS}')
    assert place == "line 3, faults[0]"
    assert words in found


@pytest.mark.parametrize(
    "sentence",
    [
        "the 1st send of #2 client takes 1 byte",
        "the 3rd accept of #1 listener fails with EMFILE",
        "the 1st turn of network starts with ready number 2",
        "the 4th turn of client starts with ready number 2",
        "at 1s crash server",
    ],
)
def test_a_fault_at_any_kind_of_place_is_read(sentence):
    scenario = loads(f'{HEAD}faults = ["{sentence}"]\n{PROGRAM}{HOSTS}')
    assert scenario.script.sentences() == [sentence]


def test_two_faults_at_one_operation_are_a_mistake():
    fault = "the 1st send of client:1 -> server:7"
    text = f'{HEAD}faults = ["{fault} takes 1 byte", "{fault} is reset"]\n{PROGRAM}{HOSTS}'
    assert only_mistake(text) == ("line 3, faults[1]", "decides the same send as faults[0]")


def test_host_names_are_not_checked_where_a_file_names_no_hosts():
    text = f'{HEAD}faults = ["at 1s crash anybody"]\n{PROGRAM}'
    assert loads(text).script.sentences() == ["at 1s crash anybody"]


def test_a_link_needs_hosts():
    text = f'{HEAD}{PROGRAM}[[links]]\nbetween = ["a", "b"]'
    assert [words for _, words in mistakes(text)] == [
        "no host is called 'a'; the file names none: add [hosts.a]",
        "no host is called 'b'; the file names none: add [hosts.b]",
    ]


def test_a_file_that_is_no_toml_is_told_with_its_line(tmp_path):
    path = tmp_path / "a.toml"
    path.write_text("format = 1\ntitle = \n")
    with pytest.raises(ScenarioError) as caught:
        load(path)
    ((place, words),) = caught.value.mistakes
    assert place == "line 2"
    assert words.startswith("no TOML: ")


def test_a_file_that_ends_too_early_is_told_with_its_last_line():
    place, _ = only_mistake('format = 1\nwhy = """\nonce')
    assert place == "line 3"


def test_a_file_that_is_no_utf8_is_told_with_its_line(tmp_path):
    path = tmp_path / "a.toml"
    path.write_bytes(b"format = 1\ntitle = '\xff'\n")
    with pytest.raises(ScenarioError) as caught:
        load(path)
    assert caught.value.mistakes == (("line 2", "byte 0xff is no UTF-8"),)


def test_a_directory_is_no_scenario(tmp_path):
    with pytest.raises(ScenarioError, match="Is a directory"):
        load(tmp_path)


def test_a_missing_file_is_no_scenario(tmp_path):
    with pytest.raises(ScenarioError, match="No such file"):
        load(tmp_path / "a.toml")


def test_arrays_without_end_are_a_mistake():
    place, words = only_mistake("a = " + "[" * 100_000)
    assert place == "file"
    assert "nested too deeply" in words


def test_the_example_of_the_documentation_is_read(request):
    page = (request.config.rootpath / "docs/reference/scenario-format.md").read_text(encoding="utf-8")
    example = page.split("```toml\n")[1].split("```")[0]
    scenario = loads(example)
    assert len(scenario.script) == 3
    assert scenario.expect.outcome == "fails"


def test_every_sentence_of_the_documentation_is_read(request):
    page = (request.config.rootpath / "docs/reference/scenario-format.md").read_text(encoding="utf-8")
    sentences = page.split("## Faults")[1].split("```text\n")[1].split("```")[0].splitlines()
    listed = "".join(f'    "{sentence}",\n' for sentence in sentences)
    assert len(loads(f"{HEAD}faults = [\n{listed}]\n{PROGRAM}").script) == len(sentences) == 7
