"""A scenario as a pytest function: it runs as the scenario does, and needs no file."""

import pytest

from simnet import Network, Script, UsageError, parse
from simnet.fence import Fence
from simnet.scenario import HostSpec, LinkSpec, Scenario, as_test, execute, load, make_network
from simnet.scenario.program import find_program

FAULT = 'every send on client containing "x" takes 1 byte'


def test_the_whole_of_a_scenario_is_written():
    scenario = Scenario(
        title="It's late: 20 ms",
        why="First.\n\nSecond.",
        call="package.module:Class.method",
        arguments={"size": 3, "data": b"\0", "name": "x"},
        hosts=(HostSpec("a", 5), HostSpec("b")),
        links=(LinkSpec(("a", "b"), latency="20ms", bandwidth=1000),),
        latency="5ms",
        script=Script.of([parse(FAULT)]),
    )
    assert as_test(scenario) == (
        """from simnet import Network, Script, parse

from package.module import Class


def test_it_s_late_20_ms():
    # It's late: 20 ms
    # First.
    #
    # Second.
    faults = [
        "every send on client containing 'x' takes 1 byte",
    ]
    net = Network(Script.of(map(parse, faults)), latency="5ms")
    net.host("a")
    net.host("a").descriptors_max = 5
    net.host("b")
    net.link("a", "b", latency="20ms", bandwidth=1000)
    Class.method(net, size=3, data=b'\\x00', name="x")
    assert not net.unmet()
"""
    )


def test_a_program_in_a_file_and_a_seed():
    text = as_test(Scenario(title="1", call="dir/file.py::f", seed=7))
    assert 'program = find_program("dir/file.py::f")' in text
    assert "net = Network(seed=7)\n    program(net)\n" in text


def test_what_is_looked_for_is_written():
    check = ("one-close", "-no-leak")
    text = as_test(Scenario(title="1", call="m:f", check=check, fence=Fence("warn", ["clocks"])))
    assert "from simnet.fence import Fence\n" in text
    assert 'net = Network(fence=Fence("warn", [\'clocks\']), check="one-close -no-leak")\n' in text
    assert 'net = Network(fence="off")\n' in as_test(Scenario(title="1", call="m:f", fence=Fence("off")))


def test_long_prose_is_wrapped():
    text = as_test(Scenario(title="a " * 60, why="word " * 40 + "x" * 120, call="m:f"))
    comments = [line for line in text.splitlines() if line.startswith("    #")]
    assert [len(line) for line in comments] == [85, 45, 85, 85, 45, 126]
    assert " ".join(line[6:] for line in comments).split()[60:100] == ["word"] * 40


def test_a_test_does_not_take_the_name_of_its_program():
    text = as_test(Scenario(title="talk", call="programs:test_talk"))
    assert "from programs import test_talk\n" in text
    assert "def test_talk_as_recorded():" in text


def test_a_scenario_of_a_test_is_one_already():
    with pytest.raises(UsageError, match=r"tests/test_x\.py::test_y is a test already"):
        as_test(Scenario(title="x", test="tests/test_x.py::test_y"))


@pytest.mark.parametrize("name", ["short-send-ignored", "transfer-through-a-partition", "upload-cut-in-crlf"])
def test_the_function_makes_the_run_of_the_scenario(name, monkeypatch):
    scenario = load(f"scenarios/{name}.toml")
    made: list[Network] = []

    def noted(*args, **options):
        made.append(Network(*args, **options))
        return made[-1]

    namespace: dict[str, object] = {}
    exec(as_test(scenario), namespace)
    monkeypatch.setitem(namespace, "Network", noted)
    (function,) = [value for key, value in namespace.items() if key.startswith("test_")]
    ended = execute(lambda net: function(), Network())
    program = find_program(scenario.call)
    expected = execute(program, make_network(scenario), scenario.arguments)
    assert made[0].trace.digest() == expected.network.trace.digest()
    assert str(ended.error) == str(expected.error)
