"""Which handlers ran under which faults: counted by run, of the program's own handlers alone."""

import sys

from click.testing import CliRunner

from simnet import Network, Script, dispatcher, parse
from simnet.cli import main
from simnet.fuzz.campaign import search
from simnet.fuzz.coverage import CALM, HandlerCoverage, kind_of
from simnet.loop import loop_for
from simnet.outcomes import GENTLE


class Channel(dispatcher):
    def handle_read(self):
        self.recv(100)

    def handle_close(self):
        self.close()


class Server(dispatcher):
    def __init__(self):
        super().__init__()
        self.create_socket()
        self.bind(("", 80))
        self.listen(5)

    def handle_accepted(self, sock, address):
        Channel(sock)


def talk(net):
    server, client = net.host("server"), net.host("client")
    with server:
        Server()
    with client:
        channel = dispatcher()
        channel.create_socket()
        channel.connect(("server", 80))
        loop_for(client).call_later(1, lambda: channel.send(b"hello"))
        loop_for(client).call_later(2, channel.close)
    net.run()


def covered(*scripts):
    coverage = HandlerCoverage()
    for sentences in scripts:
        net = Network(Script.of(map(parse, sentences)))
        with coverage.watch(net):
            talk(net)
    return coverage


CUT = "the 1st segment of client:1 -> server:80 is cut after 1 byte"
AGAIN = "the 1st accept of server:80 is told to try again"


def test_what_ran_before_anything_deviated_is_calm():
    coverage = covered(())
    assert coverage.handlers == ["Channel.handle_close", "Channel.handle_read", "Server.handle_accepted"]
    assert coverage.kinds == [CALM]


def test_a_handler_is_counted_under_every_kind_that_came_before_it_and_once_a_run():
    coverage = covered((CUT,), (CUT, AGAIN), ())
    assert coverage.runs == 3
    assert coverage.kinds == [CALM, "accept again", "segment cut"]
    assert coverage.count("Server.handle_accepted", CALM) == 2
    assert coverage.count("Server.handle_accepted", "accept again") == 1
    assert coverage.count("Server.handle_accepted", "segment cut") == 0
    assert coverage.count("Channel.handle_read", "segment cut") == 2
    assert coverage.count("Channel.handle_read", "accept again") == 1
    assert coverage.count("Channel.handle_read", CALM) == 1


def test_the_table_shows_what_never_came_together():
    assert covered((CUT,), ()).table() == (
        "                         1  calm\n"
        "                         2  segment cut\n"
        "\n"
        "                           1     2\n"
        "Channel.handle_close       1     1\n"
        "Channel.handle_read        1     1\n"
        "Server.handle_accepted     2     ·"
    )


def test_a_program_without_handlers_is_told():
    assert HandlerCoverage().table() == "no handler of the program ran"


def test_whoever_profiled_before_goes_on():
    def own(frame, event, arg):
        """Somebody else's."""

    sys.setprofile(own)
    try:
        covered(())
        assert sys.getprofile() is own
    finally:
        sys.setprofile(None)


def test_a_search_has_some_of_its_runs_watched():
    coverage = HandlerCoverage()
    assert search(talk, runs_max=21, seeds=range(100), coverage=coverage, make_network=gentle) is None
    assert coverage.runs == 3
    assert "Server.handle_accepted" in coverage.table()


def gentle(**supplier):
    return Network(**supplier, only=GENTLE)


def test_the_command_shows_the_table(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    command = ["fuzz", "tests.unit.test_coverage:talk", "--runs", "11", "--gentle", "--coverage"]
    shown = CliRunner().invoke(main, command, standalone_mode=False).output
    assert "handlers by faults, in 2 watched runs:" in shown
    assert "Channel.handle_read" in shown


def test_watching_changes_nothing_of_a_run():
    plain = Network(seed=3)
    talk(plain)
    watched = Network(seed=3)
    with HandlerCoverage().watch(watched):
        talk(watched)
    assert watched.trace.digest() == plain.trace.digest()


def test_kinds_are_words():
    assert kind_of(parse(CUT)) == "segment cut"
    assert kind_of(parse("at 1s crash server")) == "crash"
