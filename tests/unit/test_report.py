"""The failure report: its text for a fixed script, its bounds, and that it says only what was measured."""

import re
from pathlib import Path

import pytest

from simnet import Deadlock, Network, Script, UsageError, parse
from simnet.fuzz.campaign import search
from simnet.fuzz.shrink import Shrunk, minimize
from simnet.properties import always
from simnet.report.failure import failure_report, summary_line
from simnet.scenario.run import execute
from tests.unit.planted_bugs import one_recv_is_one_line

ROOT = Path(__file__).parents[2]


def script(*sentences):
    return Script.of(map(parse, sentences))


def run(program, *sentences, **options):
    return execute(program, Network(script(*sentences), **options))


def stable(text):
    """A report without what a change elsewhere may change: line numbers, versions."""
    text = re.sub(r"planted_bugs\.py:\d+", "planted_bugs.py:NN", text)
    return re.sub(r"simnet [^,]+, Python [^,]+,", "simnet, Python,", text)


GOLDEN = """\
AssertionError: not a line: b'GET /'
  at tests/unit/planted_bugs.py:NN in handle_read: assert line.endswith(b"\\r\\n"), f"not a line: {li…
simnet: failed with 2 faults + 1 reordering (minimal; from 31, in 74 runs, 0.2 s)
  1  t=0.000  network                turn #1     ready host 2 of 2 goes first
  2  t=0.003  server:80 -> client:1  segment #1  comes 5ms late
  3  t=0.009  client:1 -> server:80  send #2     takes 5 of 10 bytes

conversation client:1 -> server:80
                   client:1                                                server:80
  t=0.000           connect │── SYN ─────────────────────▶               │
  t=0.000  ┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄ (1) network: ready host 2 of 2 goes first ┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄
  t=0.002         connected │◀───────────────── SYN+ACK ──               │
  t=0.002           send 10 │── "GET /one\\r\\n" ──────────▶               │
  t=0.003                   │               ── ACK ─────────────────────▶│ connected
  t=0.003                   │               ── "GET /one\\r\\n" ──────────▶│ accept, recv 10
  t=0.003  t=0.009: recv 13 │◀─── "ok GET /one\\r\\n" (2) comes 5ms late ──│ send 13
  t=0.009  (3) send 5 of 10 │── "GET /" ────────────────────────────────▶│ t=0.010: recv 5
  t=0.010  ✗ AssertionError: not a line: b'GET /'
sockets open at the end
  server  fd 3  LISTEN       server:80              LineServer
  server  fd 4  ESTABLISHED  server:80 -> client:1  LineChannel
  client  fd 3  ESTABLISHED  client:1 -> server:80  LineClient

passes without any one of 1, 2, 3
reproduce: pytest --simnet-replay=scenario.toml
keep it:   cp scenario.toml scenarios/
simnet, Python, seed 7, trace DIGEST"""

THREE = (
    "the 1st turn of network starts with ready number 2",
    "the 1st segment of server:80 -> client:1 comes 5ms late",
    "the 2nd send of client:1 -> server:80 takes 5 bytes",
)


def golden_report():
    outcome = run(one_recv_is_one_line, *THREE)
    shrunk = Shrunk(outcome.network.script(), outcome, 31, 74, 0.2, True, ("", "", ""))
    text = failure_report(
        outcome,
        shrunk=shrunk,
        replay="pytest --simnet-replay=scenario.toml",
        keep="cp scenario.toml scenarios/",
        seed=7,
        width=100,
        encoding="utf-8",
    )
    return stable(text).replace(outcome.network.trace.digest(), "DIGEST")


def test_the_report_of_a_fixed_script_is_this_text(monkeypatch):
    monkeypatch.chdir(ROOT)
    assert golden_report() == GOLDEN


def test_an_output_that_knows_only_ascii_gets_the_same_text_in_ascii():
    outcome = run(one_recv_is_one_line, *THREE)
    full, plain = (failure_report(outcome, encoding=encoding) for encoding in ("utf-8", "ascii"))
    assert plain.isascii()
    assert [len(line) for line in plain.split("\n")] == [len(line) for line in full.split("\n")]
    assert '|-- "GET /" -' in plain


def test_the_users_words_survive_an_output_that_cannot_show_them():
    def program(net):
        raise ValueError("größer als \N{SNOWMAN}")

    assert r"gr\xf6\xdfer als \u2603" in failure_report(run(program), encoding="ascii")


@pytest.mark.parametrize("lines_max", [12, 15, 20, 30, 40])
def test_a_report_has_at_most_the_lines_and_columns_that_it_may_have(lines_max):
    for seed in range(20):
        outcome = execute(many_lines, Network(seed=seed))
        lines = failure_report(outcome, lines_max=lines_max, encoding="utf-8").split("\n")
        assert len(lines) <= lines_max
        assert max(map(len, lines)) <= 100


def many_lines(net):
    one_recv_is_one_line(net, [b"%d\r\n" % number for number in range(50)])
    raise KeyError("at the end")


def test_what_deviated_early_in_a_long_conversation_is_shown_with_how_it_ended():
    outcome = run(many_lines, "the 3rd segment of client:1 -> server:80 is lost")
    text = failure_report(outcome, encoding="utf-8")
    assert "steps" in text
    assert "(1) is lost" in text
    assert re.search(r"⋮ +\d+ more +⋮", text)
    assert text.index("(1) is lost") < text.index('"49\\r\\n"') < text.index("✗ KeyError: 'at the end'")


def test_the_users_error_comes_first_with_type_message_and_place():
    def program(net):
        raise RuntimeError("first\nsecond")

    first, second, place, *_ = failure_report(run(program)).split("\n")
    assert (first, second) == ("RuntimeError: first", "second")
    assert re.match(r"  at \S*test_report\.py:\d+ in program: raise RuntimeError", place)


def test_a_long_message_is_shortened_and_says_so():
    def program(net):
        raise RuntimeError("\n".join(map(str, range(100))))

    lines = failure_report(run(program)).split("\n")
    assert lines[:2] == ["RuntimeError: 0", "1"]
    assert "  … 91 more lines" in lines  # 100 - 9


def test_what_an_error_came_from_is_told():
    def program(net):
        try:
            {}["missing"]
        except KeyError as error:
            raise RuntimeError("outer") from error

    assert "  after KeyError: 'missing'" in failure_report(run(program)).split("\n")


def test_nothing_is_said_to_be_minimal_or_needed_that_was_not_measured():
    outcome = run(one_recv_is_one_line, *THREE)
    for text in (
        failure_report(outcome),
        failure_report(outcome, shrunk=Shrunk(outcome.network.script(), outcome, 31, 200, 9.9, False)),
    ):
        assert "minimal" not in text
        assert "passes without" not in text


def test_a_run_that_fails_otherwise_without_an_item_is_not_said_to_pass():
    outcome = run(one_recv_is_one_line, *THREE)
    shrunk = Shrunk(outcome.network.script(), outcome, 3, 9, 0.0, True, ("", "KeyError in f", ""))
    text = failure_report(outcome, shrunk=shrunk)
    assert "passes without any one of 1, 3; fails otherwise without 2: KeyError in f\n" in text


def test_the_shrunk_run_is_the_one_that_is_shown():
    given = script("the 1st send of #1 client takes 4 bytes", "the 1st connect of #1 client loses 3 SYN")
    outcome = execute(one_recv_is_one_line, Network(given))
    shrunk = minimize(
        given, lambda each: execute(one_recv_is_one_line, Network(each)), wanted=outcome.fingerprint
    )
    text = failure_report(outcome, shrunk=shrunk)
    assert text.startswith("AssertionError: not a line: b'G'\n")
    assert "failed with 1 fault (minimal; from 2, in " in text
    assert text.endswith(shrunk.outcome.network.trace.digest())


def test_a_failure_on_the_calm_network_is_called_that():
    assert "simnet: failed without any deviation from the calm network\n" in failure_report(run(many_lines))


def test_a_deadlock_shows_the_socket_table_once():
    def program(net):
        one_recv_is_one_line(net)
        net.run(until=lambda: False)

    outcome = run(program)
    assert isinstance(outcome.error, Deadlock)
    text = failure_report(outcome)
    assert text.count("LISTEN") == 1
    assert "sockets open at the end" not in text


def test_a_broken_property_of_a_test_shows_the_socket_table_once():
    def program(net):
        always(net, lambda: net.now_ns < 2_000_000, "all is over in 2 ms")
        one_recv_is_one_line(net)

    text = failure_report(run(program))
    assert text.startswith(
        "simnet.errors.PropertyViolated: all is over in 2 ms: not true at t=0.002\nsockets at"
    )
    assert text.count("ESTABLISHED") == 1
    assert "sockets open at the end" not in text


def test_a_deviation_that_never_found_its_moment_is_named():
    text = failure_report(run(many_lines, "the 999th send of client:1 -> server:80 takes 1 byte"))
    assert "never happened: the 999th send of client:1 -> server:80 takes 1 byte" in text


def test_a_run_without_a_trace_still_has_a_report():
    outcome = execute(one_recv_is_one_line, Network(script(*THREE), trace=False))
    text = failure_report(outcome)
    assert "no trace was kept" in text
    assert re.search(r"client:1 -> server:80  send #2 +takes 5 bytes", text)
    assert "trace " not in text.split("\n")[-1]


def test_the_seed_of_a_storm_is_told():
    found = search(one_recv_is_one_line, shrink=False, seeds=range(1000))
    assert f", seed {found.seed}, " in failure_report(found.outcome).split("\n")[-1]


def test_a_run_that_passed_has_no_report():
    def program(net):
        pass

    with pytest.raises(UsageError, match="passed"):
        failure_report(run(program))
    with pytest.raises(UsageError, match="at least 12 lines"):
        failure_report(run(many_lines), lines_max=11)


@pytest.mark.parametrize(
    ("sentences", "words"),
    [
        ((), "no deviation"),
        (THREE[1:2], "1 fault"),
        (THREE, "2 faults + 1 reordering"),
        (
            (
                "the 1st timer of a comes before what is ready",
                "the 2nd next of a goes on with ready number 2",
            ),
            "2 reorderings",
        ),
        (("the 2nd step of a is held up for 5ms",), "1 fault"),
        ((*THREE, "at 1s partition a from b", "at 2s heal"), "2 faults + 1 reordering + 2 happenings"),
        (("at 1s crash a",), "1 happening"),
    ],
)
def test_a_script_is_summed_up_in_words(sentences, words):
    assert summary_line(script(*sentences)) == words
