"""The pytest plugin: what a user types, and what a user sees.  Each test runs a pytest of its own."""

import re

import pytest

from simnet.scenario import load

pytest_plugins = ["pytester"]

LINE_SERVER = '''
from simnet import dispatcher, dispatcher_with_send

class Line(dispatcher):
    """Takes one recv for one line: the classic framing mistake."""
    def handle_read(self):
        data = self.recv(1000)
        if data:
            self.send(data.strip().upper() + b"\\r\\n")

class Server(dispatcher):
    def __init__(self, address):
        super().__init__()
        self.create_socket()
        self.bind(address)
        self.listen(5)
    def handle_accepted(self, sock, address):
        Line(sock)

class Client(dispatcher_with_send):
    def __init__(self, address, line):
        super().__init__()
        self.line, self.got = line, b""
        self.create_socket()
        self.connect(address)
    def handle_connect(self):
        self.send(self.line + b"\\r\\n")
    def handle_read(self):
        self.got += self.recv(1000)

def ask(net, line):
    with net.host("server"):
        Server(("", 7))
    with net.host("client"):
        client = Client(("server", 7), line)
    net.run()
    return client.got
'''

GIVEN = """
from hypothesis import given, strategies as st
from simnet import Network
from simnet.fuzz import networks
from lines import ask

CUTS = {("segment", "cut"), ("segment", "late")}

@given(net=networks(CUTS), line=st.sampled_from([b"hello", b"goodbye"]))
def test_any_weather(net, line):
    assert ask(net, line) == line.upper() + b"\\r\\n"

class TestInAClass:
    @given(net=networks(CUTS, latency="5ms"))
    def test_method(self, net):
        assert ask(net, b"hello") == b"HELLO\\r\\n"
"""

FIXTURE = """
from lines import ask

def test_lines(net):
    assert ask(net, b"hello") == b"HELLO\\r\\n"
"""

REPLAY = re.compile(r"^reproduce:\s+pytest '(\S+)' --simnet-replay=(\S+)$", re.MULTILINE)


@pytest.fixture
def project(pytester, monkeypatch):
    """An empty folder with a small server that has a bug."""
    monkeypatch.setenv("HYPOTHESIS_STORAGE_DIRECTORY", str(pytester.path / ".hypothesis"))
    pytester.makepyfile(lines=LINE_SERVER)
    pytester.syspathinsert()
    return pytester


def run(project, *arguments):
    return project.runpytest_subprocess("-p", "no:cacheprovider", *arguments)


def replay_of(result):
    """The arguments of the `reproduce:` line."""
    match = REPLAY.search(result.stdout.str())
    assert match, result.stdout.str()
    return match[1], f"--simnet-replay={match[2]}"


def test_a_failure_under_given_is_reported_as_one_fault_and_can_be_replayed(project):
    project.makepyfile(test_given=GIVEN)
    result = run(project, "test_given.py::test_any_weather")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*- simnet -*",
            "simnet: failed with 1 fault (minimal*",
            "  1 * client:1 -> server:7 * segment #1 * is cut after 1 of *",
            "the nearest passing run is the same until *",
            "  with 1 * without 1",
            "passes without it",
            "reproduce:*",
            "keep it: *",
        ]
    )
    again = run(project, *replay_of(result))
    again.assert_outcomes(failed=1)
    again.stdout.no_fnmatch_line("*diverged*")


def test_a_state_machine_that_fails_shows_its_steps_what_befell_the_network_and_the_conversation(project):
    project.makepyfile(
        test_story="""
        from hypothesis import settings
        from hypothesis.stateful import rule
        from simnet.fuzz import NetworkMachine
        from lines import Client, Server

        class Story(NetworkMachine):
            operations = ("advance", "kill")

            def boot(self):
                self.clients = []
                self.net.host("server").boot(lambda: Server(("", 7)))

            @rule()
            def ask(self):
                with self.net.host("client"):
                    self.clients.append(Client(("server", 7), b"hello"))

            def settled(self):
                assert all(client.got == b"HELLO\\r\\n" for client in self.clients)

        TestStory = Story.TestCase
        TestStory.settings = settings(deadline=None, derandomize=True, stateful_step_count=10)
        """
    )
    result = run(project, "test_story.py")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "E * state.ask()",
            "E * state.kill(host='server')",
            "E * state.teardown()",
            "E * what befell the network:",
            "*- simnet -*",
            "simnet: failed with *",
            "*  network * kill server",
            "conversation client:1 -> server:7",
        ]
    )
    result.stdout.no_fnmatch_line("reproduce:*")  # what the rules did is in no script


def test_what_hypothesis_drew_and_shrank_besides_the_network_is_kept(project):
    """Any three bytes fail in weather that cuts; Hypothesis's simplest are zeros."""
    project.makepyfile(
        test_given="""
        from hypothesis import given, strategies as st
        from simnet.fuzz import GENTLE, networks
        from lines import ask

        @given(net=networks(GENTLE), line=st.binary(max_size=40))
        def test_lines(net, line):
            assert len(line) < 3 or ask(net, line.hex().encode()) == line.hex().upper().encode() + b"\\r\\n"
        """
    )
    result = run(project, "test_given.py")
    result.assert_outcomes(failed=1)
    _, replay = replay_of(result)
    assert load(project.path / replay.partition("=")[2]).arguments == {"line": bytes(3)}


def test_a_method_under_given_is_replayed_with_its_latency(project):
    project.makepyfile(test_given=GIVEN)
    result = run(project, "test_given.py::TestInAClass::test_method")
    result.assert_outcomes(failed=1)
    again = run(project, *replay_of(result))
    again.assert_outcomes(failed=1)
    again.stdout.no_fnmatch_line("*diverged*")


def test_seeds_of_the_net_fixture_are_tests_of_their_own_and_each_replays(project):
    project.makepyfile(test_fixture=FIXTURE)
    result = run(project, "test_fixture.py", "--simnet-seed=0", "--simnet-runs=12")
    outcomes = result.parseoutcomes()
    assert outcomes["failed"] >= 1
    assert outcomes["failed"] + outcomes.get("passed", 0) == 12
    again = run(project, *replay_of(result))
    again.assert_outcomes(failed=1)
    again.stdout.no_fnmatch_line("*diverged*")


def test_the_net_fixture_is_calm_by_default(project):
    project.makepyfile(test_fixture=FIXTURE)
    run(project, "test_fixture.py").assert_outcomes(passed=1)


def test_the_marker_makes_storms_and_bounds_them(project):
    project.makepyfile(
        test_marked="""
        import pytest
        from simnet.outcomes import GENTLE

        @pytest.mark.simnet(runs=3, seed=5, only="gentle", latency="7ms")
        def test_marked(net):
            assert net.recording.inner.only == GENTLE
            assert net.latency_ns == 7_000_000
        """
    )
    result = run(project, "-v")
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(["*test_marked[[]seed5]*", "*test_marked[[]seed7]*"])


def test_a_replay_of_a_mended_program_says_where_it_left_the_record(project):
    project.makepyfile(test_fixture=FIXTURE)
    result = run(project, "test_fixture.py", "--simnet-runs=12")
    project.makepyfile(lines=LINE_SERVER.replace("data.strip()", "data.strip() + b'!'"))
    again = run(project, *replay_of(result))
    again.assert_outcomes(failed=1)
    again.stdout.fnmatch_lines(["*Diverged:*diverged at event*"])


def test_reports_cross_from_the_workers_of_xdist(project):
    pytest.importorskip("xdist")
    project.makepyfile(test_fixture=FIXTURE)
    result = run(project, "-n2", "test_fixture.py", "--simnet-runs=12")
    result.stdout.fnmatch_lines(
        ["*- simnet -*", "simnet: failed with*", "*simnet: reproduce*", "reproduce:*"]
    )


def test_a_failure_whose_arguments_no_file_can_hold_is_reported_all_the_same(project):
    project.makepyfile(
        test_given="""
        from hypothesis import given, strategies as st
        from simnet import Network
        from simnet.fuzz import GENTLE, networks
        from lines import ask

        @given(net=networks(GENTLE), nothing=st.none())
        def test_any_weather(net, nothing):
            assert ask(net, b"hello") == b"HELLO\\r\\n"
        """
    )
    result = run(project, "test_given.py")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["simnet: failed with 1 fault*", "not kept: *nothing*"])


def test_the_stage_runs_one_body_on_both_transports(project):
    project.makepyfile(
        test_stage="""
        from lines import Client, Server

        def test_upper(stage):
            with stage.server:
                server = Server(stage.address)
            with stage.client:
                client = Client(stage.reach(server.socket), b"hello")
            stage.run(lambda: client.got == b"HELLO\\r\\n")
        """
    )
    result = run(project, "-v", "--simnet-transport=both")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*[[]virtual]*PASSED*", "*[[]real]*PASSED*"])


def test_check_determinism_finds_a_test_that_does_not_do_the_same_twice(project):
    project.makepyfile(
        test_order="""
        from lines import ask
        runs = []

        def test_steady(net):
            ask(net, b"hello")

        def test_changing(net):
            runs.append(1)
            ask(net, b"x" * len(runs))
        """
    )
    result = run(project, "--simnet-check-determinism")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*test_changing is not deterministic: event * was*", "*and is*"])


def test_scenario_files_are_tests(project):
    scenarios = project.mkdir("scenarios")
    good = """
        format = 1
        title = "A line comes back in capitals"
        [program]
        call = "story:program"
        """
    (scenarios / "good.toml").write_text(good)
    (scenarios / "bad.toml").write_text(good + '[expect]\noutcome = "fails"\n')
    (scenarios / "wrong.toml").write_text(good + "[expekt]\nlinks = 7\n")
    project.makepyfile(
        story="""
        from lines import ask

        def program(net):
            assert ask(net, b"hello") == b"HELLO\\r\\n"
        """
    )
    result = run(project, "scenarios", "-v")
    result.assert_outcomes(passed=1, failed=2)
    result.stdout.fnmatch_lines(["*bad*not as expected*", "*wrong.toml: 1 mistake*"])
    result.stdout.no_fnmatch_line("*Traceback*")


def test_a_kept_failure_is_a_test_that_tells_when_it_is_mended(project):
    project.makepyfile(test_given=GIVEN)
    result = run(project, "test_given.py")
    result.assert_outcomes(failed=2)
    scenarios = project.mkdir("scenarios")
    found = sorted((project.path / ".simnet" / "failures").glob("*/scenario.toml"))
    for path in found:
        (scenarios / f"{path.parent.name}.toml").write_bytes(path.read_bytes())
    run(project, "scenarios").assert_outcomes(passed=len(found))
    project.makepyfile(
        lines=LINE_SERVER.replace(
            "data = self.recv(1000)",
            "self.line = getattr(self, 'line', b'') + self.recv(1000)\n        "
            "data = self.line if self.line.endswith(b'\\n') else b''",
        )
    )
    result = run(project, "scenarios")
    result.assert_outcomes(failed=len(found))
    result.stdout.fnmatch_lines(["*passes now; to keep it as a test*"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--simnet-seed=many"], "*--simnet-seed takes a whole number from 0 on, not 'many'*"),
        (["--simnet-runs=0"], "*--simnet-runs takes a whole number from 1 on, not '0'*"),
        (["--simnet-transport=tcp"], "*--simnet-transport takes virtual, real or both, not 'tcp'*"),
        (["--simnet-replay=missing.toml"], "*missing.toml: 1 mistake*"),
    ],
)
def test_a_wrong_option_is_one_clear_error(project, arguments, message):
    project.makepyfile(test_fixture=FIXTURE)
    result = run(project, *arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([message])
    result.stderr.no_fnmatch_line("*Traceback*")


def test_the_plugin_imports_nothing_heavy_until_a_test_needs_it(project):
    project.makepyfile(
        test_light="""
        import sys

        def test_light():
            assert "simnet.fuzz" not in sys.modules
            assert "simnet.scenario" not in sys.modules
            assert "cattrs" not in sys.modules
        """
    )
    run(project, "-p", "no:hypothesispytest").assert_outcomes(passed=1)


# --- the fence -----------------------------------------------------------------------------------

PAST_THE_HOST = """
import time
from simnet import Network

def clock(net):
    with net.host("server"):
        return time.time()

def test_clock(net):
    clock(net)

def test_clock_of_a_network_of_its_own():
    clock(Network())
"""


def test_a_program_that_goes_past_its_host_fails_with_the_line(project):
    project.makepyfile(test_past=PAST_THE_HOST)
    result = run(project)
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(
        ["*Escaped: time.time reads a clock of this computer: *test_past.py:6, host *"]
    )


@pytest.mark.parametrize("allowed", ["clocks", "time.time", "test_past"])
def test_the_ini_file_says_what_is_let_through(project, allowed):
    project.makepyfile(test_past=PAST_THE_HOST)
    project.makeini(f"[pytest]\nsimnet_fence_allow = {allowed}\n")
    run(project).assert_outcomes(passed=2)


def test_the_ini_file_says_the_level_and_the_command_line_another(project):
    project.makepyfile(test_past=PAST_THE_HOST)
    project.makeini("[pytest]\nsimnet_fence = off\n")
    run(project).assert_outcomes(passed=2)
    run(project, "--simnet-fence=error").assert_outcomes(failed=2)


def test_a_fence_that_warns_is_in_pytests_summary_of_warnings(project):
    project.makepyfile(test_past=PAST_THE_HOST)
    result = run(project, "--simnet-fence=warn")
    result.assert_outcomes(passed=2, warnings=2)
    result.stdout.fnmatch_lines(["*EscapeWarning: time.time reads a clock of this computer: *"])


def test_the_marker_gives_the_net_fixture_a_fence(project):
    project.makepyfile(
        """
        import time
        import pytest

        @pytest.mark.simnet(fence="off")
        def test_clock(net):
            with net.host("server"):
                time.time()
        """
    )
    run(project).assert_outcomes(passed=1)


def test_a_level_that_is_none_is_a_mistake_of_the_command_line(project):
    result = run(project, "--simnet-fence=high")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--simnet-fence takes error, warn or off, not 'high'*"])


def test_after_a_test_every_name_means_what_it_meant(project):
    project.makepyfile(
        """
        import time

        def test_first(net):
            net.run()
            assert type(time.time) is not type(len)

        def test_second():
            assert type(time.time) is type(len)
        """
    )
    run(project).assert_outcomes(passed=2)


def test_what_a_program_did_past_its_host_is_in_its_report(project):
    project.makepyfile(
        """
        import time
        from lines import ask

        def test_shout(net):
            with net.host("server"):
                time.time()
            assert ask(net, b"hello") == b"no"
        """
    )
    result = run(project, "--simnet-fence=warn")
    result.stdout.fnmatch_lines(["past its host, the program called", "  time.time at test_*.py:6"])
