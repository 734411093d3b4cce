"""What a program draws: who decides it, how it is written down, replayed, kept, and shrunk."""

import random
import re

import pytest

from simnet import Draw, Network, ScenarioError, Script, UsageError, parse
from simnet.choices import Noting
from simnet.fuzz.campaign import search
from simnet.fuzz.searches.cuts import CUTS, RandomCuts
from simnet.fuzz.searches.novelty import Branching
from simnet.fuzz.searches.pct import Priorities
from simnet.fuzz.shrink import minimize
from simnet.outcomes import EVERY
from simnet.report.failure import failure_report, summary_line
from simnet.scenario import as_test, dumps, loads
from simnet.scenario.model import Scenario
from simnet.scenario.run import execute
from tests.unit.planted_bugs import one_recv_is_one_line

LINE = b"ab\r\n"
DRAWN_BY_SEED_7 = [785678, "DELETE", b"u_\xe4`\xc6I\x82\xb6K"]


def script(*sentences):
    return Script.of(map(parse, sentences))


def draw_some(net):
    count = net.draw.integer("count", 1, 9)
    return [net.draw.bytes("line", 20, least=1, among=LINE) for _ in range(count)], net.draw.choice(
        "verb", ["GET", "PUT", "DELETE"]
    )


# --- who decides ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "network", [Network(), Network(script()), Network(choices=Noting())], ids=["calm", "empty", "noting"]
)
def test_a_calm_network_draws_the_simplest_and_records_nothing(network):
    assert draw_some(network) == ([b"a"], "GET")
    assert network.script() == Script()
    assert network.unmet() == ()


def test_a_storm_draws_what_is_possible_and_now_and_then_what_is_extreme():
    counts, lengths, verbs = set(), set(), set()
    for seed in range(200):
        lines, verb = draw_some(Network(seed=seed))
        assert all(set(line) <= set(LINE) for line in lines)
        counts.add(len(lines))
        lengths.update(map(len, lines))
        verbs.add(verb)
    assert (counts, verbs) == (set(range(1, 10)), {"GET", "PUT", "DELETE"})
    assert lengths == set(range(1, 21))


def test_equal_seeds_draw_the_same_and_others_do_not():
    assert draw_some(Network(seed=7)) == draw_some(Network(seed=7))
    assert len({repr(draw_some(Network(seed=seed))) for seed in range(20)}) > 15


def test_a_seed_draws_the_same_on_every_python():
    """What a seed draws is told to others; a change of it is named in the changelog."""
    draw = Network(seed=7).draw
    drawn = [
        draw.integer("size", 0, 10**6),
        draw.choice("verb", ["GET", "PUT", "DELETE"]),
        draw.bytes("line", 9),
    ]
    assert drawn == DRAWN_BY_SEED_7


def test_one_more_draw_shifts_neither_faults_nor_the_draws_of_other_names():
    def program(net, more):
        first = net.draw.integer("size", 0, 1000)
        for _ in range(more):
            net.draw.integer("another", 0, 1000)
        outcome = execute(one_recv_is_one_line, net)
        return first, net.draw.integer("size", 0, 1000), net.recording.deviations, outcome.fingerprint

    for seed in range(30):
        assert program(Network(seed=seed), 0) == program(Network(seed=seed), 5)


@pytest.mark.parametrize(
    "choices",
    [
        Priorities(3, 2, 5, {"turn"}),
        RandomCuts(3, CUTS),
        Branching(Script(draws=[Draw("count", 1, 4)]), 3, EVERY),
    ],
    ids=lambda each: type(each).__name__,
)
def test_searches_that_draw_at_random_draw_the_workload_too(choices):
    network = Network(choices=choices)
    lines, _ = draw_some(network)
    assert network.script().draws[0] == Draw("count", 1, len(lines))
    assert draw_some(network.again()) == draw_some(Network(network.script()))


# --- written down and replayed -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (3, "the 2nd size drawn is 3"),
        (-3, "the 2nd size drawn is -3"),
        (True, "the 2nd size drawn is True"),
        ("a  b", r"the 2nd size drawn is 'a \x20b'"),
        (b"\xff\r\n' ", r"""the 2nd size drawn is b"\xff\r\n' " """.strip()),
        (b"   ", r"the 2nd size drawn is b' \x20 '"),
        (b"a" * 70_000, "the 2nd size drawn is b'a' * 70000"),
        (b"' * 3", """the 2nd size drawn is b"' * 3\""""),
        ("", "the 2nd size drawn is ''"),
    ],
)
def test_a_draw_is_a_sentence_that_reads_back(value, words):
    draw = Draw("size", 2, value)
    assert str(draw) == words
    read = parse(words)
    assert read == draw
    assert type(read.value) is type(value)
    assert eval(repr(Script(draws=[draw]))) == script(words)


@pytest.mark.parametrize("value", ["1.5", "[1]", "None", "spam", "open('x')", "b'a' * b", "'a"])
def test_what_is_no_value_is_a_mistake(value):
    with pytest.raises(UsageError, match="a number, text or bytes as Python writes them"):
        parse(f"the 1st size drawn is {value}")


def test_the_recorded_script_alone_makes_the_same_run():
    def program(net):
        lines, verb = draw_some(net)
        one_recv_is_one_line(net, [f"{verb} {len(line)}\r\n".encode() for line in lines])

    for seed in range(20):
        first = execute(program, Network(seed=seed))
        again = execute(program, Network(first.network.script()))
        assert again.network.trace.digest() == first.network.trace.digest()
        assert again.network.script() == first.network.script()
        assert again.network.unmet() == ()


def test_a_draw_that_is_not_made_or_not_possible_is_unmet_and_the_simplest_is_drawn():
    given = script("the 1st count drawn is 99", "the 1st verb drawn is 'PUT'", "the 7th line drawn is b'b'")
    network = Network(given)
    assert draw_some(network) == ([b"a"], "PUT")
    assert set(map(str, network.unmet())) == {"the 1st count drawn is 99", "the 7th line drawn is b'b'"}
    assert network.script() == script("the 1st verb drawn is 'PUT'")


def test_a_choice_is_known_by_what_it_is_and_not_by_its_place():
    network = Network(script("the 1st verb drawn is 'PUT'"))
    assert network.draw.choice("verb", ["HEAD", "GET", "PUT"]) == "PUT"


@pytest.mark.parametrize(
    ("draw", "words"),
    [
        (lambda draw: draw.integer("n", 2, 1), "no n is from 2 to 1"),
        (lambda draw: draw.bytes("n", -1), "no n has from 0 to -1 bytes"),
        (lambda draw: draw.bytes("n", 3, among=b""), "bytes of 0"),
        (lambda draw: draw.choice("n", []), "one of some numbers, texts or byte strings"),
        (lambda draw: draw.choice("n", [1, 2.5]), "one of some numbers, texts or byte strings"),
        (lambda draw: draw.integer("no name", 0, 1), "named by letters, digits and '_', not 'no name'"),
    ],
)
def test_wrong_use_is_said_at_once(draw, words):
    for network in (Network(), Network(seed=1)):
        with pytest.raises(UsageError, match=words):
            draw(network.draw)


# --- kept ----------------------------------------------------------------------------------------


def scenario(*sentences):
    return Scenario(title="drawn", call="programs:draw", script=script(*sentences))


def test_a_scenario_file_has_the_workload_in_a_list_of_its_own():
    kept = scenario("the 1st turn of network starts with ready number 2", "the 1st line drawn is b'\\r\\n'")
    text = dumps(kept)
    assert "workload = [\n    \"the 1st line drawn is b'\\\\r\\\\n'\",\n]" in text
    assert loads(text).script == kept.script


@pytest.mark.parametrize(
    ("lines", "mistake"),
    [
        ('workload = ["the 1st line is 3"]', "workload[0]: write 'the 2nd size drawn is 5', not"),
        ('workload = ["the 1st line drawn is x"]', "workload[0]: what is drawn is a number, text or bytes"),
        (
            'workload = ["the 1st a drawn is 1", "the 1st a drawn is 2"]',
            "workload[1]: is the same draw as workload[0]",
        ),
        ('faults = ["the 1st a drawn is 1"]', "faults[0]: this is no fault: it belongs into workload"),
        (
            'seed = 1\nworkload = ["the 1st a drawn is 1"]',
            "seed: a scenario has a workload or a seed, not both",
        ),
    ],
)
def test_a_mistake_in_a_workload_is_told_with_its_place(lines, mistake):
    with pytest.raises(ScenarioError) as error:
        loads(f'format = 1\ntitle = "x"\n{lines}\n[program]\ncall = "a:b"\n')
    assert mistake in str(error.value)


def test_an_exported_test_has_faults_and_workload():
    text = as_test(scenario("the 1st turn of network starts with ready number 2", "the 1st n drawn is 3"))
    assert '    workload = [\n        "the 1st n drawn is 3",\n    ]\n' in text
    assert "Network(Script.of(map(parse, faults + workload)))" in text


# --- shrunk --------------------------------------------------------------------------------------


def shrunk(program, seeds=range(1000)):
    found = search(program, seeds=seeds)
    assert found is not None
    assert found.shrunk.each_needed
    return found


def test_only_the_bytes_that_matter_are_left_and_in_the_simplest_place():
    def program(net):
        count = net.draw.integer("count", 1, 9)
        for line in [net.draw.bytes("line", 60) for _ in range(count)]:
            assert b"\xff" not in line

    assert shrunk(program).script.sentences() == [r"the 1st line drawn is b'\xff'"]


def test_a_length_becomes_the_least_that_fails_and_its_bytes_the_simplest():
    def program(net):
        assert len(net.draw.bytes("body", 100_000)) < 12_345

    found = shrunk(program)
    assert found.script.sentences() == ["the 1st body drawn is b'0' * 12345"]
    assert found.shrunk.runs < 60


def test_a_number_becomes_the_least_that_fails():
    def program(net):
        assert net.draw.integer("size", 10, 1_000_000) < 777_777

    found = shrunk(program)
    assert found.script.sentences() == ["the 1st size drawn is 777777"]
    assert found.shrunk.runs < 60


def test_what_is_one_of_some_becomes_the_first_that_fails():
    def program(net):
        assert net.draw.choice("verb", ["GET", "HEAD", "PUT", "POST", "DELETE"]) in ("GET", "HEAD")

    assert shrunk(program).script.sentences() == ["the 1st verb drawn is 'PUT'"]


def test_fewer_draws_are_left_where_one_of_a_list_will_do():
    def program(net):
        sizes = [net.draw.integer("size", 0, 100) for _ in range(net.draw.integer("count", 0, 20))]
        assert len([size for size in sizes if size >= 50]) < 2

    assert shrunk(program).script.sentences() == [
        "the 1st count drawn is 2",
        "the 1st size drawn is 50",
        "the 2nd size drawn is 50",
    ]


def test_faults_and_workload_are_shrunk_together():
    def program(net):
        lines = [net.draw.bytes("line", 30, least=2, among=b"ab") for _ in range(net.draw.integer("n", 1, 5))]
        one_recv_is_one_line(net, [line + b"\r\n" for line in lines])

    found = shrunk(program)
    (fault,) = found.script.items()
    assert fault in script("the 1st segment of client:1 -> server:80 is cut after 1 byte").deviations + (
        script("the 1st send of client:1 -> server:80 takes 1 byte").deviations
    )


def test_a_large_workload_is_shrunk_in_a_bounded_number_of_runs():
    def program(net):
        data = [net.draw.bytes("line", 200) for _ in range(net.draw.integer("count", 50, 100))]
        assert sum(map(len, data)) < 3000

    given = execute(program, Network(seed=1))
    attempts = []

    def attempt(candidate):
        attempts.append(candidate)
        return execute(program, Network(candidate))

    best = minimize(given.network.script(), attempt, wanted=given.fingerprint, runs_max=200)
    assert len(attempts) == best.runs <= 200
    assert len(best.script) < len(given.network.script()) / 2


# --- reported ------------------------------------------------------------------------------------


def test_a_report_tells_what_was_drawn_and_where_the_simplest_goes_another_way():
    def program(net):
        size = net.draw.integer("size", 1, 9)
        one_recv_is_one_line(net, [b"x" * size + b"\r\n"])
        assert size < 5

    found = shrunk(program)
    text = failure_report(
        found.outcome, shrunk=found.shrunk, nearest=found.shrunk.nearest, width=100, encoding="utf-8"
    )
    assert "failed with 1 draw (minimal" in text
    assert "  1  t=0.000  workload  size #1  is 5\n" in text
    assert re.search(r'client  send 7 "xxxxx\\r\\n" +│ t=0.002  client  send 3 "x\\r\\n"', text)
    assert summary_line(found.script) == "1 draw"


def test_the_words_of_random_draws_never_break_a_sentence():
    stream = random.Random(1)
    for _ in range(300):
        value = stream.randbytes(stream.randrange(40)).replace(b"a", b"  ")
        assert parse(str(Draw("x", 1, value))).value == value
