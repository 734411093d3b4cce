"""Each property that a run is watched for: a canary that breaks it, a program that keeps it, its switch."""

import errno
import re
import socket
from pathlib import Path

import pytest
from click.testing import CliRunner

from simnet import (
    Network,
    PropertyViolated,
    UsageError,
    asynchat,
    asyncore,
    dispatcher,
    dispatcher_with_send,
    file_dispatcher,
)
from simnet.checks import PROPERTIES, SWITCHED, Checks
from simnet.cli import main
from simnet.fence import Fence
from simnet.scenario import load
from simnet.scenario.run import fingerprint

pytest_plugins = ["pytester"]

PORT = 7000
ROOT = Path(__file__).parents[2]


class Server(dispatcher):
    def __init__(self, make_channel):
        super().__init__()
        self.make_channel, self.channels = make_channel, []
        self.create_socket()
        self.bind(("", PORT))
        self.listen(5)

    def handle_accepted(self, sock, addr):
        self.channels.append(self.make_channel(sock))


class Client(dispatcher_with_send):
    """Sends, half-closes if it is told to, and closes when it has heard enough."""

    def __init__(self, request=b"hello", enough=None, half_closes=False):
        super().__init__()
        self.request, self.enough, self.half_closes = request, enough, half_closes
        self.received = b""
        self.create_socket()
        self.connect(("server", PORT))

    def handle_connect(self):
        self.send(self.request)
        if self.half_closes:
            self.socket.shutdown(1)
        elif self.enough == 0:
            self.close()

    def handle_read(self):
        self.received += self.recv(65_536)
        if self.enough is not None and len(self.received) >= self.enough:
            self.close()

    def handle_close(self):
        self.close()


class Echo(dispatcher_with_send):
    def handle_read(self):
        self.send(self.recv(65_536))

    def handle_close(self):
        self.close()


def run(net, make_channel, make_server=Server, **client):
    with net.host("server"):
        server = make_server(make_channel)
    with net.host("client"):
        made = Client(**client)
    net.run()
    return server, made


def broken(name, *arguments, net=None, **options):
    """The violation that a run ends with."""
    with pytest.raises(PropertyViolated) as caught:
        run(net or Network(check=f"-all {name}"), *arguments, **options)
    assert caught.value.name == name
    return str(caught.value)


class Deserter(Echo):
    """Leaves the map at the end of the stream, and forgets to close its socket."""

    def handle_close(self):
        self.del_channel()


class Burglar(Echo):
    """Closes the socket behind the back of its loop."""

    def handle_close(self):
        self.socket.close()


class Chatty(dispatcher):
    """Goes on after close()."""

    def handle_read(self):
        data = self.recv(65_536)
        if data:
            self.close()
            self.send(b"one more thing")


class Deaf(Echo):
    """Does not close when it is told of the end, and is told again."""

    told = 0

    def handle_read(self):
        self.recv(65_536)

    def handle_close(self):
        self.told += 1
        if self.told == 3:
            self.close()


class Forgetful(Echo):
    """Closes with output that its kernel had no room for."""

    def handle_read(self):
        if self.recv(65_536):
            self.send(bytes(1_000_000))


class Patient(Forgetful):
    half_close = True


class Mortal(Server):
    """Takes every error for its end."""

    def handle_accept(self):
        try:
            self.handle_accepted(*self.accept())
        except OSError:
            self.close()


CANARIES = {
    "no-leak": ((Deserter,), {"enough": 0}),
    "no-use-after-close": ((Chatty,), {}),
    "one-close": ((Deaf,), {"enough": 0}),
    "half-close": ((Forgetful,), {"half_closes": True}),
}


@pytest.mark.parametrize("name", CANARIES)
def test_a_canary_is_caught_by_the_property_that_it_breaks(name):
    arguments, client = CANARIES[name]
    broken(name, *arguments, **client)


@pytest.mark.parametrize("name", CANARIES)
def test_a_canary_is_left_alone_by_a_network_that_does_not_look(name):
    arguments, client = CANARIES[name]
    run(Network(check=f"all -{name}"), *arguments, **client)


@pytest.mark.parametrize("client", [{"enough": 0}, {"enough": 5}, {"half_closes": True}])
@pytest.mark.parametrize("channel", [Echo, Patient])
def test_a_program_that_is_right_breaks_no_property(channel, client):
    run(Network(check="all"), channel, **client)


def test_a_channel_whose_socket_was_closed_behind_its_back_is_a_leak():
    assert "is in the map of its loop under descriptor" in broken("no-leak", Burglar, enough=0)


class Reader(file_dispatcher):
    """Reads a pipe to its end."""

    def handle_read(self):
        self.recv(100)

    def handle_close(self):
        self.close()


def pipe_with_reader(net, reader, closes):
    """A pipe between channels of the server, whose writer is closed; the descriptors that were opened."""
    run(net, Echo, enough=0)
    server = net.host("server")
    fds = server.modules.os.pipe()
    with server:
        if reader is not None:
            reader(fds[0])  # which has a descriptor of its own
    for fd in fds[0 if closes else 1 :]:
        server.modules.os.close(fd)
    net.run()


def test_the_end_of_a_pipe_that_nobody_reads_is_a_leak():
    with pytest.raises(PropertyViolated, match="no-leak: server: a pipe is over, nobody watches it"):
        pipe_with_reader(Network(), None, closes=False)
    with pytest.raises(PropertyViolated, match="no-leak"):
        pipe_with_reader(Network(), Reader, closes=False)  # the one that the test has forgotten
    pipe_with_reader(Network(check="-no-leak"), None, closes=False)


def test_a_pipe_that_is_read_to_its_end_and_closed_is_none():
    pipe_with_reader(Network(check="all"), Reader, closes=True)


def test_a_pipe_of_which_both_ends_are_kept_is_none():
    net = Network(check="all")
    run(net, Echo, enough=0)
    net.host("server").modules.os.pipe()
    net.run()


def pair_of_channels(net, channel):
    """A pair of AF_UNIX between channels of the server, of which one closes."""
    server = net.host("server")
    one, other = server.modules.socket.socketpair()
    with server:
        channel(one)
        closing = Echo(other)
    net.at("1s").call(closing.close)
    net.run()


def test_a_connection_of_af_unix_that_is_over_and_left_open_is_a_leak():
    with pytest.raises(PropertyViolated, match=r"no-leak: server: .* is over, nobody watches it"):
        pair_of_channels(Network(), Deserter)
    pair_of_channels(Network(check="-no-leak"), Deserter)


def test_a_connection_of_af_unix_that_is_closed_at_its_end_is_none():
    pair_of_channels(Network(check="all"), Echo)


def test_a_connection_that_nobody_watches_is_no_leak_while_its_peer_is_there():
    net = Network(check="all")
    kept = []
    run(net, kept.append, half_closes=False)
    assert kept[0].recv(10) == b"hello"


class Newsreader(dispatcher):
    """Sends line after line, whatever becomes of the connection meanwhile."""

    def handle_read(self):
        if self.recv(65_536):
            for _ in range(3):
                self.send(b"news\r\n")

    def handle_close(self):
        self.close()
        self.send(b"never mind")


@pytest.mark.parametrize("nth", [1, 2, 3])
def test_whoever_goes_on_sending_while_the_connection_is_reset_uses_nothing(nth):
    net = Network(check="all")
    net.on("server", "send", nth=nth).reset()
    run(net, Newsreader)


def test_whoever_answers_at_the_end_of_a_connection_uses_nothing():
    run(Network(check="all"), Newsreader, enough=6)


def test_a_heartbeat_that_goes_on_after_the_end_uses_nothing():
    class Beats(Echo):
        def handle_read(self):
            self.recv(100)
            self.call_later("1s", self.send, b"beat")
            self.close()

    run(Network(check="all"), Beats)


def test_nothing_is_not_sent_after_close_either():
    class Silent(Echo):
        def handle_read(self):
            self.recv(100)
            self.close()
            self.send(b"")

    run(Network(check="all"), Silent)


def test_a_listener_that_an_error_of_accept_closes_does_not_survive():
    net = Network()
    net.on("server", "accept", nth=1).fail(errno.EMFILE)
    told = broken("listener-survives", Echo, Mortal, net=net)
    assert "server:7000 is closed because accept() has failed with EMFILE" in told


def test_a_listener_of_the_old_asyncore_that_an_error_closes_does_not_survive():
    class Old(asyncore.dispatcher):
        def __init__(self, make_channel):
            asyncore.dispatcher.__init__(self)
            self.create_socket()
            self.bind(("", PORT))
            self.listen(5)

        def handle_error(self):
            self.close()

    net = Network()
    net.on("server", "accept", nth=1).fail(errno.ENFILE)
    assert "ENFILE" in broken("listener-survives", Echo, Old, net=net)


def test_a_listener_that_runs_out_of_descriptors_does_not_survive_if_it_closes():
    net = Network()
    net.host("server").descriptors_max = 4
    assert "EMFILE" in broken("listener-survives", Echo, Mortal, net=net)


def test_a_listener_that_is_closed_after_the_next_accept_was_not_closed_for_the_error():
    def serve_one():
        with socket.create_server(("", PORT)) as listener:
            try:
                taken, _ = listener.accept()
            except OSError:
                taken, _ = listener.accept()
        taken.close()

    def come():
        socket.create_connection(("server", PORT)).close()

    net = Network(check="all")
    net.on("server", "accept", nth=1).fail(errno.EMFILE)
    net.host("server").spawn(serve_one)
    net.host("client").spawn(come)
    net.run()


def test_the_listener_of_a_native_dispatcher_survives(capsys):
    net = Network()
    net.on("server", "accept", nth=1).fail(errno.EMFILE)
    server, client = run(net, Echo, enough=5)
    assert server.accepting
    assert client.received == b"hello"


def test_a_listener_that_closes_when_all_have_come_has_survived():
    class Once(Server):
        def handle_accepted(self, sock, addr):
            super().handle_accepted(sock, addr)
            self.close()

    _, client = run(Network(check="all"), Echo, Once, enough=5)
    assert client.received == b"hello"


def test_a_violation_that_a_handler_swallows_is_raised_when_time_stops():
    class Swallows(Forgetful):
        def handle_error(self):
            pass

    assert "Swallows closes with output" in broken("half-close", Swallows, half_closes=True)


def test_output_is_not_missed_by_a_peer_that_has_closed():
    run(Network(check="all"), Forgetful, enough=0)


def test_a_violation_is_an_assertion_that_names_its_property_and_groups_by_it():
    with pytest.raises(AssertionError) as caught:
        run(Network(), Deserter, enough=0)
    assert isinstance(caught.value, PropertyViolated)
    assert fingerprint(caught.value).startswith("PropertyViolated no-leak in ")


def test_the_old_asyncore_is_watched_for_leaks_too():
    class Old(asyncore.dispatcher):
        def handle_read(self):
            self.recv(100)

        def writable(self):
            return False

        def handle_close(self):
            self.del_channel()

    broken("no-leak", Old, enough=0)


def test_a_command_behind_quit_is_found_by_a_channel_that_is_closed():
    class Session(asynchat.async_chat):
        def __init__(self, sock):
            asynchat.async_chat.__init__(self, sock)
            self.set_terminator(b"\n")
            self.line = b""

        def collect_incoming_data(self, data):
            self.line = data

        def found_terminator(self):
            if self.line == b"QUIT":
                self.close()

    told = broken("no-use-after-close", Session, request=b"HELP\nQUIT\nDELE 1\n")
    assert "found_terminator of Session, after close()" in told
    run(Network(check="all"), Session, request=b"HELP\nDELE 1\nQUIT\n")


# --- switches ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("-all", set()),
        ("all", set(SWITCHED)),
        ("-all half-close", {"half-close"}),
        (["all", "-no-leak"], set(SWITCHED) - {"no-leak"}),
        ("", {name for name in SWITCHED if PROPERTIES[name].is_on}),
    ],
)
def test_switches_are_read_from_left_to_right(words, expected):
    assert Checks.of(words).names == expected


@pytest.mark.parametrize("word", ["half", "progress", "--no-leak", "-"])
def test_a_switch_that_there_is_not_is_named_with_those_that_there_are(word):
    with pytest.raises(UsageError, match="no-leak, no-use-after-close"):
        Checks.of([word])


def test_checks_are_shown_as_what_makes_them():
    checks = Checks.of("-all no-leak")
    assert eval(repr(checks)) == checks


def test_a_network_made_again_looks_for_the_same():
    net = Network(check="-all no-leak")
    assert net.again().checks == net.checks
    assert repr(net) == "Network(check='-all no-leak')", "which the plugin reads back from an example"


def test_every_property_that_has_a_switch_has_a_canary():
    assert {*CANARIES, "listener-survives"} == set(SWITCHED)


def test_the_page_tells_of_each_property_its_default_its_canary_and_who_is_left_alone():
    page = (ROOT / "docs/reference/properties.md").read_text(encoding="utf-8")
    rows = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| `")]
    rows = [row for row in rows if row[0].strip("`") in PROPERTIES]
    assert [row[0].strip("`") for row in rows] == [*PROPERTIES]
    for name, default, *shown_by in rows:
        switch = {True: ["on"], False: ["off"], None: ["always", "called"]}[PROPERTIES[name.strip("`")].is_on]
        assert default.split(";")[0] in switch
        for file, test in re.findall(r"`(\w+\.py)::(\w+)`", " ".join(shown_by)):
            assert f"def {test}(" in (ROOT / "tests/unit" / file).read_text(encoding="utf-8")
        assert all("::" in tests for tests in shown_by)


# --- where it is said ----------------------------------------------------------------------------

LEAKS = """
from tests.unit.test_properties import Deserter, run
from simnet.properties import sometimes

def test_a_server_that_forgets(net):
    run(net, Deserter, enough=0)

def program(net):
    sometimes(net, "the sun shines", False)
    run(net, Deserter, enough=0)
"""


@pytest.fixture
def suite(pytester):
    pytester.makepyfile(test_leaks=LEAKS)
    pytester.syspathinsert(ROOT)
    return pytester


def test_a_test_fails_by_a_property_that_is_on(suite):
    result = suite.runpytest_inprocess("-p", "no:xdist")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*PropertyViolated: no-leak: server: server:7000 -> client:1 is over, *"])


@pytest.mark.parametrize("where", ["option", "ini"])
def test_properties_are_switched_for_all_tests(suite, where):
    options = ["--simnet-check=-no-leak"] if where == "option" else []
    if where == "ini":
        suite.makeini("[pytest]\nsimnet_check = -no-leak")
    suite.runpytest_inprocess("-p", "no:xdist", *options).assert_outcomes(passed=1)


def test_properties_are_switched_for_one_test_by_its_marker(suite):
    marked = LEAKS.replace("def test_a", "import pytest\n@pytest.mark.simnet(check='-no-leak')\ndef test_a")
    suite.makepyfile(test_leaks=marked)
    suite.runpytest_inprocess("-p", "no:xdist").assert_outcomes(passed=1)


def test_a_switch_that_there_is_not_is_wrong_use_of_the_command(suite):
    result = suite.runpytest_inprocess("-p", "no:xdist", "--simnet-check=leaks")
    result.stderr.fnmatch_lines(
        ["*--simnet-check: a check is one of all, no-leak, *not 'leaks'; did you mean 'no-leak'?"]
    )


DOUBTS = """
import time

from simnet import dispatcher, dispatcher_with_send


class Deaf(dispatcher_with_send):
    told = 0

    def handle_read(self):
        self.recv(65_536)

    def handle_close(self):
        time.time()
        self.told += 1
        if self.told == 3:
            self.close()


class Server(dispatcher):
    def __init__(self):
        super().__init__()
        self.create_socket()
        self.bind(("", 7000))
        self.listen(5)

    def handle_accepted(self, sock, address):
        Deaf(sock)
        self.close()


def program(net):
    server, client = net.host("server"), net.host("client")
    with server:
        Server()
    with client:
        caller = dispatcher_with_send()
        caller.create_socket()
        caller.connect(("server", 7000))
        caller.handle_connect = caller.close
        caller.handle_close = lambda: None
    net.run(until="1s")


def test_a(net):
    program(net)
"""


def test_a_failure_is_kept_with_what_was_looked_for_and_replays_without_being_told_again(
    tmp_path, monkeypatch
):
    (tmp_path / "doubts.py").write_text(DOUBTS, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(ROOT)
    fuzz = ["fuzz", "doubts.py::program", "--runs=20"]
    found = CliRunner().invoke(main, ["--check=one-close", "--fence=warn", "--allow=clocks", *fuzz])
    assert "PropertyViolated: one-close" in found.stdout
    (file,) = tmp_path.glob(".simnet/failures/*/scenario.toml")
    scenario = load(file)
    assert (scenario.check, scenario.fence) == (("one-close",), Fence("warn", ["clocks"]))
    again = CliRunner().invoke(main, ["replay", str(file)])
    assert again.exit_code == 0, again.output
    assert "fails, as expected" in again.stdout


def test_a_test_that_fails_is_kept_with_what_was_looked_for(pytester):
    pytester.makepyfile(test_doubts=DOUBTS)
    pytester.syspathinsert(ROOT)
    options = ["--simnet-check=one-close", "--simnet-fence=off"]
    pytester.runpytest_inprocess("-p", "no:xdist", *options).assert_outcomes(failed=1)
    (file,) = pytester.path.glob(".simnet/failures/*/scenario.toml")
    scenario = load(file)
    assert (scenario.check, scenario.fence) == (("one-close",), Fence("off"))
    again = pytester.runpytest_inprocess("-p", "no:xdist", f"--simnet-replay={file}")
    again.stdout.fnmatch_lines(["*PropertyViolated: one-close*"])
    again.stdout.no_fnmatch_line("*iverged*")


def test_the_command_line_has_the_switch_and_tells_what_was_never_seen(tmp_path, monkeypatch):
    (tmp_path / "leaks.py").write_text(LEAKS, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(ROOT)
    fuzz = ["fuzz", "leaks.py::program", "--runs=3", "--no-shrink"]
    assert CliRunner().invoke(main, fuzz).exit_code == 1
    kept_going = CliRunner().invoke(main, [*fuzz, "--keep-going"])
    assert kept_going.exit_code == 1, "a failure counts more than what was not seen"
    assert "  never seen in any run: the sun shines\n" in kept_going.stdout
    result = CliRunner().invoke(main, ["--check=-no-leak", *fuzz])
    assert result.exit_code == 3, result.output
    assert result.stdout.endswith("  never seen in any run: the sun shines\n")
    assert result.stderr == "simnet: no failure, but never seen in any run: the sun shines\n"
    assert Checks.of(None).names >= {"no-leak"}, "the next command has the default again"
