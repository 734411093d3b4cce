"""A scenario whose program is a test is run and replayed by pytest."""

import subprocess
import sys

import pytest

from simnet.scenario import Expect, Record, Scenario, load, save, save_record
from simnet.script import Deviation, Script

pytest_plugins = ["pytester"]

TEST = """
from simnet import dispatcher_with_send

class Echo(dispatcher_with_send):
    def handle_read(self):
        self.send(self.recv(100))
    def handle_close(self):
        self.close()

class Listening(dispatcher_with_send):
    def __init__(self):
        super().__init__()
        self.create_socket()
        self.bind(("", 7))
        self.listen(5)
    def handle_accepted(self, sock, address):
        Echo(sock)

class Talker(dispatcher_with_send):
    received = b""
    def __init__(self):
        super().__init__()
        self.create_socket()
        self.connect(("server", 7))
    def handle_connect(self):
        self.socket.send(b"hello")
    def handle_read(self):
        self.received += self.recv(100)
    def handle_close(self):
        self.close()

def test_echo(net):
    with net.host("server"):
        Listening()
    with net.host("client"):
        talker = Talker()
    net.run()
    assert talker.received == b"hello"
"""
SHORT_SEND = Script([Deviation("client:1 -> server:7", "send", 1, "takes", 2)])


@pytest.fixture
def scenario(tmp_path):
    (tmp_path / "test_echo.py").write_text(TEST)
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = -p no:cacheprovider\n")
    path = tmp_path / "a.toml"
    expect = Expect("fails", error="AssertionError")
    save(Scenario("t", test="test_echo.py::test_echo", script=SHORT_SEND, expect=expect), path)
    return path


def simnet(scenario, *arguments):
    command = [sys.executable, "-m", "simnet.cli", *arguments, scenario.name]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=scenario.parent)


@pytest.mark.parametrize("command", ["run", "replay"])
def test_a_test_that_fails_as_its_scenario_expects_is_a_success(scenario, command):
    done = simnet(scenario, command)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("$ pytest test_echo.py::test_echo --simnet-replay=a.toml\n")
    assert "ok    a.toml: fails, as expected" in done.stdout


def test_a_test_is_verified_in_a_new_process(scenario):
    assert "has no record to verify" in simnet(scenario, "replay", "--verify").stderr
    assert simnet(scenario, "replay", "--update").returncode == 0
    done = simnet(scenario, "replay", "--verify")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "also in a new process under PYTHONHASHSEED=" in done.stdout
    assert "Warning" not in done.stdout
    unruly = TEST.replace(
        "    with net.host",
        "    for name in {*'abcdefghijkl'}:\n        net.host(name)\n    with net.host",
        1,
    )
    (scenario.parent / "test_echo.py").write_text(unruly)
    assert simnet(scenario, "replay", "--update").returncode == 0
    done = simnet(scenario, "replay", "--verify")
    assert done.returncode == 1
    assert "did not repeat the record" in done.stderr


def test_a_test_that_passes_and_should_not_is_told(scenario):
    (scenario.parent / "test_echo.py").write_text(TEST.replace("self.socket.send", "self.send"))
    done = simnet(scenario, "replay")
    assert done.returncode == 1
    assert "it passes, and AssertionError is expected" in done.stdout


def test_a_test_that_leaves_its_record_is_told(scenario):
    save_record(scenario, Record("0" * 32))
    done = simnet(scenario, "replay", "--strict")
    assert done.returncode == 1
    assert "it fails with another error than AssertionError: Diverged" in done.stdout
    done = simnet(scenario, "replay")
    assert done.returncode == 0, done.stdout
    assert "simnet: a.toml: fails, as expected" in done.stdout
    assert "the run parted from its record somewhere: expected digest 0000" in done.stdout


EARLIER = "    with net.host('client'):\n        Talker().handle_connect = lambda: None\n    net.run()\n"


@pytest.mark.parametrize("is_given", [False, True])
def test_the_failure_of_a_test_is_found_where_its_anchor_is_now(scenario, is_given):
    test = scenario.parent / "test_echo.py"
    if is_given:
        test.write_text(
            TEST.replace("def test_echo(net)", "@given(net=networks())\ndef test_echo(net)").replace(
                "from simnet",
                "from hypothesis import given\nfrom simnet.fuzz import networks\nfrom simnet",
                1,
            )
        )
    edited = test.read_text().replace(
        '    with net.host("client"):\n', EARLIER + "    with net.host('client'):\n"
    )
    assert edited != test.read_text()
    test.write_text(edited)
    done = simnet(scenario, "replay")
    assert done.returncode == 0, done.stdout
    assert "simnet: a.toml: fails, as expected, with 1 anchor moved" in done.stdout
    assert "client:2 -> server:7  send #1  takes " in done.stdout  # the report is of that run
    assert "client:1" in scenario.read_text()
    assert simnet(scenario, "replay", "--update").returncode == 0
    assert load(scenario).script.sentences() == ["the 1st send of client:2 -> server:7 takes 2 bytes"]
    done = simnet(scenario, "replay", "--strict")
    assert done.returncode == 0, done.stdout
    assert "anchor moved" not in done.stdout


@pytest.mark.parametrize("option", ["--simnet-strict", "--simnet-update"])
def test_what_is_for_replays_is_refused_elsewhere(pytester, option):
    result = pytester.runpytest_inprocess("-p", "no:xdist", option)
    result.stderr.fnmatch_lines(["*--simnet-strict and --simnet-update go with --simnet-replay*"])


def test_a_test_that_is_no_more_is_told(scenario):
    (scenario.parent / "test_echo.py").write_text("")
    done = simnet(scenario, "replay")
    assert done.returncode == 1
    assert "pytest did not run test_echo.py::test_echo (exit status 4)" in done.stdout
    assert load(scenario).test == "test_echo.py::test_echo"
