"""When a failure was certain: measured by repeating the beginning of a run, and letting chance decide."""

from __future__ import annotations

import attrs
import pytest
from click.testing import CliRunner

from simnet import Network, Script, UsageError, parse
from simnet.choices import Calm, Seeded
from simnet.cli import main
from simnet.errors import Diverged
from simnet.fuzz.bisect import Beginning, Step, bisect, certain_from, in_order
from simnet.outcomes import GENTLE
from simnet.scenario import Scenario, execute, load, save
from simnet.virtual.faults import At

from .test_network import conversation

FIRST = "the 1st send of client:1 -> server:80 takes 4 bytes"
SECOND = "the 2nd send of client:1 -> server:80 takes 1 byte"


def small(net: Network) -> None:
    """Wrong once a send took one byte after another one took four."""
    server, _ = conversation(net, outgoing=b"hello world")
    net.run()
    assert server.channels[0].received == b"hello world"
    taken = [
        d.amount for d in net.script().deviations if (d.where, d.op) == ("client:1 -> server:80", "send")
    ]
    assert taken[:2] != [4, 1], "both"


def steps_of(*sentences: str, runs: int = 10, program: object = small) -> list[Step]:
    outcome = execute(program, Network(Script.of(map(parse, sentences))))  # type: ignore[arg-type]

    def attempt(choices, happenings):  # type: ignore[no-untyped-def]
        net = Network(choices=choices)
        for each in happenings:
            At(net, each.at_ns).befall(each.what, each.groups, each.amounts)
        return execute(program, net)  # type: ignore[arg-type]

    return list(bisect(outcome, attempt, lambda seed: Seeded(seed, GENTLE), runs=runs))


def test_the_share_of_failures_is_told_for_each_step() -> None:
    steps = steps_of(FIRST, SECOND)
    assert [str(step.item) for step in steps] == ["None", FIRST, SECOND]
    assert [step.alone for step in steps] == [False] * (len(steps) - 1) + [True]
    assert steps[0].failed < 10
    assert steps[-1].failed == 10
    assert certain_from(steps) is steps[-1]


def test_what_a_long_trace_has_dropped_came_first() -> None:
    items = [parse(each) for each in (FIRST, SECOND, "at 5s heal", "at 5s heal")]
    outcome = execute(small, Network(Script.of(items)))  # type: ignore[arg-type]
    assert in_order(outcome) == items
    events = outcome.network.trace.events
    del events[: 1 + next(place for place, event in enumerate(events) if event[4] == FIRST)]
    assert in_order(outcome) == items


def test_a_failure_that_chance_may_still_avert_is_not_certain() -> None:
    first, last = Step(None, 10, 10, True), Step(parse(SECOND), 9, 10, True)
    assert certain_from([first, last]) is None
    assert certain_from([last, first]) is first
    assert not Step(None, 10, 10, False).is_certain


def test_happenings_are_steps_as_well() -> None:
    def cut_off(net: Network) -> None:
        server, _ = conversation(net, outgoing=b"hello")
        net.run(until=10)
        assert [channel.received for channel in server.channels] == [b"hello"], "nothing came"

    steps = steps_of("at 0s partition client from server", runs=3, program=cut_off)
    assert [str(step.item) for step in steps] == ["None", "at 0s partition client from server"]
    assert (steps[0].alone, steps[1].alone, steps[1].failed) == (False, True, 3)


def test_the_rest_decides_only_after_the_beginning() -> None:
    net = Network(choices=Beginning(Script.of([parse(FIRST)]), Seeded(6, GENTLE)))
    conversation(net, outgoing=bytes(500_000))
    net.run(until=100)
    assert str(net.script().deviations[0]) == FIRST
    assert len(net.script().deviations) > 1
    again = net.again()
    conversation(again, outgoing=bytes(500_000))
    again.run(until=100)
    assert again.script() == net.script()


def test_a_run_that_passes_or_does_not_deviate_has_no_steps() -> None:
    passed = execute(small, Network())
    with pytest.raises(UsageError, match="a run that passed"):
        next(bisect(passed, lambda *_: passed, lambda seed: Calm()))
    failed = execute(lambda net: 1 / 0, Network())
    with pytest.raises(UsageError, match="fails on a calm network"):
        next(bisect(failed, lambda *_: failed, lambda seed: Calm()))


def test_a_program_that_does_something_else_each_time_is_told_apart() -> None:
    outcome = execute(small, Network(Script.of(map(parse, (FIRST, SECOND)))))
    passed = execute(small, Network())
    with pytest.raises(Diverged, match="not deterministic"):
        list(bisect(outcome, lambda *_: passed, lambda seed: Calm(), runs=1))


def test_what_happened_is_put_in_order() -> None:
    sentences = ["at 1s partition client from server", FIRST]
    net = Network(Script.of(map(parse, sentences)))
    conversation(net, outgoing=b"hello world")
    net.run(until=3)
    assert [str(item) for item in in_order(execute(lambda net: None, net))] == [FIRST, sentences[0]]


# --- the command ---------------------------------------------------------------------------------

PROGRAM = """
from simnet import dispatcher

class Server(dispatcher):
    def __init__(self):
        super().__init__()
        self.lines = []
        self.create_socket()
        self.bind(("", 80))
        self.listen(5)
    def handle_accepted(self, sock, address):
        Channel(sock, self.lines)

class Channel(dispatcher):
    def __init__(self, sock, lines):
        super().__init__(sock)
        self.lines = lines
    def handle_read(self):
        self.lines.append(self.recv(100))

class Client(dispatcher):
    def __init__(self):
        super().__init__()
        self.create_socket()
        self.connect(("server", 80))
    def handle_connect(self):
        self.send(b"hello\\n")

def talk(net):
    server, client = net.host("server"), net.host("client")
    with server:
        listener = Server()
    with client:
        Client()
    net.run()
    assert listener.lines in ([], [b"hello\\n"]), listener.lines
"""


@pytest.fixture
def failing(tmp_path, monkeypatch):  # type: ignore[no-untyped-def]
    (tmp_path / "talk.py").write_text(PROGRAM)
    monkeypatch.chdir(tmp_path)
    script = Script.of([parse("the 1st segment of client:1 -> server:80 is cut after 2 bytes")])
    save(Scenario(title="cut", call="talk.py::talk", script=script), "cut.toml")
    save(Scenario(title="calm", call="talk.py::talk"), "calm.toml")
    return tmp_path


def test_the_command_shows_each_step_and_where_it_was_certain(failing) -> None:  # type: ignore[no-untyped-def]
    result = CliRunner().invoke(
        main, ["bisect", "cut.toml", "--runs", "5", "--gentle"], standalone_mode=False
    )
    lines = result.output.splitlines()
    assert lines[0].startswith("AssertionError in talk: [b'he', b'llo")
    assert lines[2] == "storms that fail  if calm  repeated so far"
    assert lines[3].endswith("of 5  not      0  nothing")
    assert lines[4] == (
        "          5 of 5  fails    1  the 1st segment of client:1 -> server:80 is cut after 2 bytes"
    )
    assert lines[-1].startswith("certain from step 1 on: the 1st segment")
    assert result.return_value == 0


def test_a_test_that_was_kept_is_bisected_like_a_program(failing) -> None:  # type: ignore[no-untyped-def]
    cut = load("cut.toml")
    (failing / "test_talk.py").write_text(PROGRAM.replace("def talk(net)", "def test_talk(net)"))
    save(attrs.evolve(cut, call=None, test="test_talk.py::test_talk"), "kept.toml")
    result = CliRunner().invoke(
        main, ["bisect", "kept.toml", "--runs", "5", "--gentle"], standalone_mode=False
    )
    assert result.output.startswith("AssertionError in test_talk: [b'he', b'llo")
    assert "certain from step 1 on: the 1st segment" in result.output
    (failing / "test_fixed.py").write_text("def test_talk(net, tmp_path):\n    pass\n")
    save(attrs.evolve(cut, call=None, test="test_fixed.py::test_talk"), "kept.toml")
    result = CliRunner().invoke(main, ["bisect", "kept.toml"], standalone_mode=False)
    assert result.return_value == 2
    assert "test_fixed.py::test_talk needs fixtures, and bisect cannot make them" in result.output


def test_the_command_says_why_it_cannot(failing) -> None:  # type: ignore[no-untyped-def]
    result = CliRunner().invoke(main, ["bisect", "calm.toml"], standalone_mode=False)
    assert result.return_value == 2
    assert "calm.toml: its run passes, so there is no failure to look for" in result.output
