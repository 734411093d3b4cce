"""A scenario is run on the network that it describes, and judged by what it expects."""

import sys

import pytest

from simnet import Network, dispatcher_with_send
from simnet.choices import Calm
from simnet.errors import UsageError
from simnet.scenario import (
    Expect,
    HostSpec,
    LinkSpec,
    Scenario,
    find_program,
    make_network,
    run_scenario,
)
from simnet.script import Deviation, Happening, Script

HERE = f"{__file__}::"


class Talker(dispatcher_with_send):
    def __init__(self, data):
        super().__init__()
        self.create_socket()
        self.connect(("server", 7))
        self.data = data

    def handle_connect(self):
        self.send(self.data)

    def handle_read(self):
        self.recv(1024)

    def handle_close(self):
        self.close()


class Listening(dispatcher_with_send):
    def __init__(self):
        super().__init__()
        self.create_socket()
        self.bind(("", 7))
        self.listen(5)

    def handle_accepted(self, sock, address):
        sock.close()


def talk(net: Network, error: str = "") -> None:
    with net.host("server"):
        Listening()
    with net.host("client"):
        Talker(b"hello")
    net.run()
    if error:
        raise ConnectionResetError(error)


def is_interrupted(net: Network) -> None:
    raise KeyboardInterrupt


def stop_early(net: Network) -> None:
    net.run(until="1s")


not_callable = 3

FIRST_SEND = Deviation("client:1 -> server:7", "send", 1, "takes", 1)
SECOND_SEND = Deviation("client:1 -> server:7", "send", 9, "takes", 1)


def scenario(**changes):
    return Scenario(**{"title": "t", "call": f"{HERE}talk", **changes})


def problems(**changes):
    return list(run_scenario(scenario(**changes)).problems)


def failing(**expect):
    return {"arguments": {"error": "by peer"}, "expect": Expect("fails", **expect)}


def test_a_run_that_passes_is_as_expected():
    verdict = run_scenario(scenario())
    assert verdict.as_expected
    assert str(verdict) == "t: passes, as expected"


@pytest.mark.parametrize("error", [None, "ConnectionResetError", "OSError"])
def test_an_error_is_expected_by_its_name_or_that_of_a_base(error):
    assert problems(**failing(error=error, says="peer")) == []


def test_each_wrong_end_is_told_in_a_line():
    assert problems(expect=Expect("fails")) == ["it passes, and a failure is expected"]
    assert problems(expect=Expect("fails", error="OSError")) == ["it passes, and OSError is expected"]
    assert problems(arguments={"error": "x\ny"}) == ["it fails: ConnectionResetError: x"]
    wrong = "it fails with another error than KeyError: ConnectionResetError: by peer"
    assert problems(**failing(error="KeyError")) == [wrong]
    wrong = "its error does not say 'by you': ConnectionResetError: by peer"
    assert problems(**failing(says="by you")) == [wrong]


def test_a_fault_that_finds_no_moment_is_a_problem_unless_it_is_expected():
    script = Script([FIRST_SEND, SECOND_SEND])
    assert problems(script=script) == [f"never happened: {SECOND_SEND}"]
    assert problems(script=script, expect=Expect(unmet=(str(SECOND_SEND),))) == []
    both = (str(FIRST_SEND), str(SECOND_SEND))
    wrong = f"happened, and is expected not to: {FIRST_SEND}"
    assert problems(script=script, expect=Expect(unmet=both)) == [wrong]


def test_a_happening_after_the_end_is_a_problem():
    late = Happening(2_000_000_000, "heal")
    assert problems(call=f"{HERE}stop_early", script=Script([], [late])) == [f"never happened: {late}"]
    early = Happening(500_000_000, "heal")
    assert problems(call=f"{HERE}stop_early", script=Script([], [early])) == []


def test_the_network_has_the_hosts_and_links_of_the_scenario():
    described = scenario(
        hosts=(HostSpec("b", 16), HostSpec("a"), HostSpec("c")),
        links=(LinkSpec(("a", "b"), "20ms", "1ms", "10Mbit/s", "64KiB"),),
        latency="5ms",
    )
    network = make_network(described)
    assert list(network.hosts) == ["b", "a", "c"]
    assert network.host("b").descriptors_max == 16
    for ends in (("a", "b"), ("b", "a")):
        path = network.path(*map(network.host, ends))
        assert (path.latency_ns, path.jitter_ns) == (20_000_000, 1_000_000)
        assert (path.bits_per_second, path.capacity_bytes) == (10_000_000, 65_536)
    assert network.path(network.host("a"), network.host("c")).latency_ns == 5_000_000


def test_what_decides_the_run_can_be_replaced():
    scripted = scenario(script=Script([FIRST_SEND]))
    assert not make_network(scripted).is_calm
    assert make_network(scripted, script=Script()).is_calm
    assert make_network(scripted, choices=Calm()).is_calm
    assert make_network(scripted, seed=7).recording.inner.seed == 7
    assert make_network(scenario(seed=7)).recording.inner.seed == 7
    assert make_network(scenario(seed=7), script=Script([FIRST_SEND])).unmet() == (FIRST_SEND,)
    assert make_network(scenario(), trace=False).log is None


def test_an_interrupt_passes_through():
    with pytest.raises(KeyboardInterrupt):
        run_scenario(scenario(call=f"{HERE}is_interrupted"))


def test_a_test_is_not_run_here():
    with pytest.raises(UsageError, match="which pytest runs"):
        run_scenario(Scenario("t", test="tests/test_x.py::test_y"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [({"eror": "x"}, "unexpected keyword argument 'eror'"), ({"net": 1}, "multiple values")],
)
def test_arguments_that_the_program_does_not_take_are_no_run(arguments, words):
    with pytest.raises(UsageError, match=words):
        run_scenario(scenario(arguments=arguments))


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("no_such_module:f", "cannot be imported: No module named 'no_such_module'"),
        ("json:no_such_name", "there is no 'no_such_name' in json"),
        ("json", "'module:callable' or 'file.py::callable'"),
        (":f", "'module:callable' or 'file.py::callable'"),
        (f"{HERE}no_such_name", "there is no 'no_such_name' in .*test_scenario_run.py"),
        (f"{HERE}not_callable", "is a int, which cannot be called"),
        ("no_such_file.py::f", "the file no_such_file.py does not exist"),
        ("tests::f", "the file tests is a directory"),
        ("README.md::f", "README.md is no Python file"),
    ],
)
def test_a_program_that_cannot_be_found_is_told_in_one_line(target, words, monkeypatch, request):
    monkeypatch.chdir(request.config.rootpath)
    with pytest.raises(UsageError, match=words) as caught:
        find_program(target)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("import no_such_module", "cannot be imported: No module named 'no_such_module'"),
        ("\n\n1 / 0", r"importing it failed: ZeroDivisionError: division by zero \(broken.py, line 3\)"),
        ("def", "importing it failed: SyntaxError"),
    ],
)
def test_a_module_that_cannot_be_imported_says_why_in_one_line(source, words, tmp_path):
    path = tmp_path / "broken.py"
    path.write_text(source)
    for _ in range(2):  # and a second attempt does not find half a module
        with pytest.raises(UsageError, match=words) as caught:
            find_program(f"{path}::f")
        assert "\n" not in str(caught.value)


def test_a_program_in_a_file_may_import_its_neighbours(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "a_neighbour_of_it.py").write_text("def f(net): pass")
    (tmp_path / "it.py").write_text("from a_neighbour_of_it import f\nclass C:\n    g = staticmethod(f)")
    assert find_program(f"{tmp_path / 'it.py'}::f") is find_program(f"{tmp_path / 'it.py'}::C.g")
