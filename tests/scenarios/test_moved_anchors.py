"""Edits that take an anchor away from its operation: the failure is looked for beside it, and found or not.

The program fails if a line is cut between its CR and its LF, and in no other case: so a fault that is moved
to a neighbouring operation, or by one byte, brings nothing back.
"""

import re

import attrs
import pytest
from click.testing import CliRunner

from simnet import parse
from simnet.cli import main
from simnet.scenario import (
    Expect,
    Scenario,
    carried_in,
    execute,
    load,
    look_near,
    make_network,
    program_of,
    record_of,
    reproduce,
    save,
)
from simnet.scenario.operations import Carried
from simnet.script import Script

PROGRAM = """
from simnet import dispatcher, dispatcher_with_send


class Line(dispatcher):
    def __init__(self, sock, log):
        super().__init__(sock)
        self.log = log

    def handle_read(self):
        data = self.recv(4096)
        if data:
            self.log.append(data)

    def handle_close(self):
        self.close()


class Server(dispatcher):
    def __init__(self, port, log):
        super().__init__()
        self.log = log
        self.create_socket()
        self.bind(("", port))
        self.listen(5)

    def handle_accepted(self, sock, address):
        Line(sock, self.log)


class Client(dispatcher_with_send):
    def __init__(self, address, *lines):
        super().__init__()
        self.lines = lines
        self.create_socket()
        self.connect(address)

    def handle_connect(self):
        for number, line in enumerate(self.lines):
            self.call_later(f"{number * 100}ms", self.send, line)


def check(log):
    halves = [data for data in log if data.startswith(b"\\n")]
    assert not halves, log


def talk(net):
    log = []
    server, client = net.host("server"), net.host("client")
    with server:
        Server(80, log)
    with client:
        Client(("server", 80), b"first\\r\\n", b"two\\r\\n")
    net.run()
    check(log)


def work(net):
    log = []
    with net.host("server"):
        Server(80, log)
    workers = 2
    for number in range(1, workers + 1):
        with net.host(f"worker{number}"):
            Client(("server", 80), b"two\\r\\n" if number == workers else b"busy\\r\\n")
    net.run()
    check(log)


def talk_twice(net):
    log = []
    server, client = net.host("server"), net.host("client")
    with server:
        Server(80, log)
    with client:
        Client(("server", 80), b"first\\r\\n", b"two\\r\\n")
    net.run()
    assert sum(data.startswith(b"\\n") for data in log) < 2, log


def tell(net):
    from socket import SOCK_DGRAM

    listening, telling = (net.host(name).socket(type=SOCK_DGRAM) for name in ("server", "client"))
    listening.bind(("", 53))
    for word in (b"first", b"second"):
        telling.sendto(word, ("server", 53))
    net.run()
    assert listening.recv(100) == b"first"
"""

CUT = "the 2nd segment of client:1 -> server:80 is cut after 4 bytes"
CUT_OF_WORKER = "the 1st segment of worker2:1 -> server:80 is cut after 4 bytes"
CUTS = ["the 1st segment of client:1 -> server:80 is cut after 6 bytes", CUT]

CONNECT = r'        Client\(\("server", 80\), b"first\\r\\n", b"two\\r\\n"\)\n'
EARLIER = """\
        Client(("server", 80), b"early\\r\\n")
        Client(("server", 80), b"first\\r\\n", b"two\\r\\n")
"""
RETRY = """\
        first = Client(("server", 80))
        first.handle_connect = first.close
        first.call_later("50ms", Client, ("server", 80), b"first\\r\\n", b"two\\r\\n")
"""
GREETED = """\
        Client(("server", 80), b"hello\\r\\n", b"first\\r\\n", b"two\\r\\n")
"""
THREE_BEFORE = """\
        Client(("server", 80), b"a\\r\\n", b"b\\r\\n", b"c\\r\\n", b"first\\r\\n", b"two\\r\\n")
"""
HANDSHAKE = """\
    def handle_connect(self):
        self.send(b"HELO\\r\\n")
"""
ORDER = """\
        Client(("server", 80), b"two\\r\\n", b"first\\r\\n")
"""

EDITS = {
    "the same host opens a connection to the same port, earlier": (
        {CONNECT: EARLIER},
        "the 2nd segment of client:2 -> server:80 is cut after 4 bytes",
    ),
    "the first connection is given up, and there is a second try": (
        {CONNECT: RETRY},
        "the 2nd segment of client:2 -> server:80 is cut after 4 bytes",
    ),
    "a line is sent before the one that matters": (
        {CONNECT: GREETED},
        "the 3rd segment of client:1 -> server:80 is cut after 4 bytes",
    ),
    "so many lines are sent before it that no count near it will do": (
        {CONNECT: THREE_BEFORE},
        "the 5th segment of client:1 -> server:80 is cut after 4 bytes",
    ),
    "every connection begins with a handshake": (
        {r"    def handle_connect\(self\):\n": HANDSHAKE},
        "the 3rd segment of client:1 -> server:80 is cut after 4 bytes",
    ),
    "lines are sent in another order": (
        {CONNECT: ORDER},
        "the 1st segment of client:1 -> server:80 is cut after 4 bytes",
    ),
    "the client is on a host of another name": (
        {r'"client"': '"laptop"'},
        "the 2nd segment of laptop:1 -> server:80 is cut after 4 bytes",
    ),
    "the server is on a host of another name": (
        {r'"server"': '"gateway"'},
        "the 2nd segment of client:1 -> gateway:80 is cut after 4 bytes",
    ),
    "the server listens to another port": (
        {r"\b80\b": "8080"},
        "the 2nd segment of client:1 -> server:8080 is cut after 4 bytes",
    ),
    "the line is two bytes longer": (
        {r"two\\r": r"two!!\r"},
        "the 2nd segment of client:1 -> server:80 is cut after 6 bytes",
    ),
    "two lines are sent as one": (
        {r'b"first\\r\\n", b"two': r'b"first\r\ntwo'},
        "the 1st segment of client:1 -> server:80 is cut after 11 bytes",
    ),
    "an earlier connection, a line before it, and a longer line": (
        {CONNECT: EARLIER, r'b"first\\r\\n", b"two': r'b"zero\r\n", b"first\r\n", b"two!!'},
        "the 3rd segment of client:2 -> server:80 is cut after 6 bytes",
    ),
}
BY_BYTES_ALONE = ("so many lines", "the line is two bytes", "two lines are sent", "an earlier connection, a")


def edited(tmp_path, name, edits):
    text = PROGRAM
    for pattern, replacement in edits.items():
        text, count = re.subn(pattern, lambda match, new=replacement: new, text)
        assert count, f"nothing to edit: {pattern}"
    file = tmp_path / f"{name}.py"
    file.write_text(text)
    return file


def recorded(tmp_path, *faults, program="talk"):
    """A scenario with the record of its run, before any edit."""
    file = edited(tmp_path, "before", {})
    scenario = Scenario(
        title="a line is cut in its end",
        call=f"{file}::{program}",
        script=Script.of(map(parse, faults)),
        expect=Expect("fails", error="AssertionError"),
    )
    outcome = execute(program_of(scenario), make_network(scenario))
    assert outcome.error is not None
    return attrs.evolve(scenario, record=record_of(outcome, carried_in(scenario, program_of(scenario))))


def after(scenario, tmp_path, edits):
    """The same scenario of the edited program."""
    file, name = edited(tmp_path, "after", edits), scenario.call.partition("::")[2]
    return attrs.evolve(scenario, call=f"{file}::{name}")


def again(scenario):
    return reproduce(scenario, program_of(scenario))


def test_a_record_tells_where_it_failed_and_what_its_anchored_operations_carried(tmp_path):
    record = recorded(tmp_path, CUT).record
    assert record.failure == "AssertionError in check"
    assert record.carried == {"the 2nd segment of client:1 -> server:80": Carried(b"two\r\n", 5)}


@pytest.mark.parametrize("edit", EDITS)
def test_a_failure_is_found_where_its_anchor_is_now(edit, tmp_path):
    edits, moved = EDITS[edit]
    found = again(after(recorded(tmp_path, CUT), tmp_path, edits))
    assert found.is_back
    assert found.is_moved
    assert found.scenario.script.sentences() == [moved]
    assert f"  was     {CUT}\n  is now  {moved}\n" in str(found)
    assert "the run parted from its record at event " in str(found)
    assert found.verdict.outcome.fingerprint == "AssertionError in check"


@pytest.mark.parametrize("has_bytes", [True, False])
def test_a_udp_socket_that_has_the_name_of_its_ephemeral_port_is_found(has_bytes, tmp_path):
    """As files have it that were kept before such a socket was named by its order."""
    scenario = recorded(tmp_path, "the 1st datagram of client:1/udp is lost", program="tell")
    was = "the 1st datagram of client:46883/udp"
    carried = {was: Carried(b"first", 5)} if has_bytes else {}
    old = attrs.evolve(
        scenario,
        script=Script.of([parse(f"{was} is lost")]),
        record=attrs.evolve(scenario.record, carried=carried),
    )
    found = again(old)
    assert found.is_moved
    assert found.scenario.script == scenario.script


@pytest.mark.parametrize("edit", [edit for edit in EDITS if not edit.startswith(BY_BYTES_ALONE)])
def test_most_are_found_without_knowing_what_was_carried(edit, tmp_path):
    edits, moved = EDITS[edit]
    scenario = recorded(tmp_path, CUT)
    scenario = attrs.evolve(scenario, record=attrs.evolve(scenario.record, carried={}))
    found = again(after(scenario, tmp_path, edits))
    assert found.scenario.script.sentences() == [moved]


def test_one_more_worker_moves_the_anchor_to_another_host(tmp_path):
    scenario = recorded(tmp_path, CUT_OF_WORKER, program="work")
    found = again(after(scenario, tmp_path, {"workers = 2": "workers = 3"}))
    assert found.scenario.script.sentences() == [
        "the 1st segment of worker3:1 -> server:80 is cut after 4 bytes"
    ]


@pytest.mark.parametrize("has_bytes", [True, False])
def test_two_anchors_are_moved_together(tmp_path, has_bytes):
    scenario = recorded(tmp_path, *CUTS, program="talk_twice")
    if not has_bytes:
        scenario = attrs.evolve(scenario, record=attrs.evolve(scenario.record, carried={}))
    found = again(after(scenario, tmp_path, {CONNECT: EARLIER}))
    assert found.scenario.script.sentences() == [
        "the 1st segment of client:2 -> server:80 is cut after 6 bytes",
        "the 2nd segment of client:2 -> server:80 is cut after 4 bytes",
    ]
    assert len(found.near.moves) == 2


def test_an_edit_that_moves_no_anchor_is_another_run_with_the_same_failure(tmp_path):
    found = again(after(recorded(tmp_path, CUT), tmp_path, {r'b"first\\r\\n"': r'b"FIRST\r\n"'}))
    assert found.is_back
    assert found.near is None
    assert "fails, as expected\nthe run parted from its record at event " in str(found)


def test_a_mended_program_is_not_taken_for_one_whose_anchors_moved(tmp_path):
    mended = {r"data.startswith\(b.....": "False"}
    found = again(after(recorded(tmp_path, CUT), tmp_path, {**mended, CONNECT: EARLIER}))
    assert not found.is_back
    assert "\nit passes, and AssertionError is expected\n" in str(found)
    assert f"\nnever happened: {CUT}\n" in str(found)
    assert re.search(r"diverged at event \d+: expected\n", str(found))
    assert re.search(r"nor does it fail so with its anchors moved \(\d+ runs\)", str(found))
    assert found.near.runs <= 200


def test_the_same_error_at_another_place_is_another_failure(tmp_path):
    """The edit moves the anchor, and `talk` looks for half lines itself; it was `check` that failed."""
    inlined = {r"    check\(log\)\n": "    assert not [data for data in log if data.startswith(b'\\n')]\n"}
    scenario = after(recorded(tmp_path, CUT), tmp_path, {**inlined, CONNECT: GREETED})
    found = again(scenario)
    assert not found.is_moved
    assert found.near.runs > 5
    no_place = attrs.evolve(scenario, record=attrs.evolve(scenario.record, failure=None))
    assert again(no_place).is_moved


def test_a_program_that_fails_without_any_deviation_has_no_anchors_to_look_for(tmp_path):
    always = {"assert not halves": "assert halves == 0", CONNECT: EARLIER}
    found = again(after(recorded(tmp_path, CUT), tmp_path, always))
    assert found.near.needs_no_faults
    assert "it fails like that without any of its deviations" in str(found)


def test_another_run_that_fails_without_any_deviation_is_not_the_failure(tmp_path):
    """Its fault meets what it met; but now every run ends like that."""
    always = {"assert not halves": "assert halves == 0", r'b"first': r'b"furst'}
    found = again(after(recorded(tmp_path, CUT), tmp_path, always))
    assert found.verdict.as_expected
    assert not found.is_back
    assert "it fails like that without any of its deviations" in str(found)


def guard(tmp_path):
    """The scenario of the mended program, recorded anew: it passes."""
    mended = {"assert not halves": "assert True or halves"}
    scenario = after(recorded(tmp_path, CUT), tmp_path, mended)
    scenario = attrs.evolve(scenario, expect=Expect("passes"), record=None)
    outcome = execute(program_of(scenario), make_network(scenario))
    record = record_of(outcome, carried_in(scenario, program_of(scenario)))
    return attrs.evolve(scenario, record=record), mended


def later(scenario, tmp_path, edits):
    file = edited(tmp_path, "later", edits)
    return attrs.evolve(scenario, call=f"{file}::talk")


def test_the_faults_of_a_scenario_that_passes_are_found_by_their_bytes(tmp_path):
    scenario, mended = guard(tmp_path)
    found = again(later(scenario, tmp_path, {**mended, CONNECT: EARLIER}))
    assert found.is_back
    assert found.scenario.script.sentences() == [CUT.replace("client:1", "client:2")]
    assert ": passes, as expected, with 1 anchor moved\n" in str(found)


def test_a_scenario_that_passes_is_told_if_its_faults_meet_other_bytes(tmp_path):
    scenario, mended = guard(tmp_path)
    found = again(later(scenario, tmp_path, {**mended, r'b"two': r'b"quite another'}))
    assert not found.is_back
    assert "diverged at event" in str(found)


def test_a_scenario_that_passes_and_meets_what_it_met_is_back(tmp_path):
    scenario, mended = guard(tmp_path)
    found = again(later(scenario, tmp_path, {**mended, r'b"first': r'b"furst'}))
    assert found.is_back
    assert found.near.moves == ()
    assert ": passes, as expected\nthe run parted from its record at event " in str(found)


def test_two_searches_make_the_same_runs(tmp_path):
    scenario = after(recorded(tmp_path, CUT), tmp_path, {CONNECT: EARLIER})
    scenario = attrs.evolve(scenario, record=attrs.evolve(scenario.record, carried={}))
    first, second = (look_near(scenario, program_of(scenario)) for _ in range(2))
    assert (first.runs, first.scenario) == (second.runs, second.scenario)


def test_a_search_stops_at_its_bound(tmp_path):
    scenario = after(recorded(tmp_path, CUT), tmp_path, {CONNECT: EARLIER})
    near = look_near(scenario, program_of(scenario), runs_max=2)
    assert (near.scenario, near.runs) == (None, 2)


# --- the command ---------------------------------------------------------------------------------


def simnet(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def kept(tmp_path):
    """A file whose program was edited, with what a person wrote into it."""
    scenario = after(recorded(tmp_path, CUT), tmp_path, {CONNECT: EARLIER})
    path = tmp_path / "kept.toml"
    save(scenario, path)
    text = path.read_text().replace("\n[program]", "\n# the program of the tests\n[program]")
    path.write_text(text.replace("the 2nd segment of", "2nd segment  of", 1))
    return path


def test_a_replay_tells_what_moved_and_how_to_keep_it(kept):
    result = simnet("replay", kept)
    assert result.exit_code == 0, result.output
    assert result.stdout.endswith(
        f"not as recorded\nto keep it as it is now: simnet replay --update {kept}\n"
    )
    assert f"{kept}: fails, as expected, with 1 anchor moved\n" in result.stdout
    assert load(kept).script.sentences() == [CUT]


def test_update_writes_the_anchors_and_a_record_and_nothing_else(kept):
    assert simnet("replay", "--update", kept).exit_code == 0
    scenario = load(kept)
    assert scenario.script.sentences() == ["the 2nd segment of client:2 -> server:80 is cut after 4 bytes"]
    assert [*scenario.record.carried] == ["the 2nd segment of client:2 -> server:80"]
    assert "# the program of the tests\n" in kept.read_text()
    replayed = simnet("replay", "--strict", "--verify", kept)
    assert replayed.exit_code == 0, replayed.output
    assert "as recorded\n" in replayed.stdout


def test_update_writes_hosts_of_another_name(tmp_path):
    renamed = {r'"client"': '"laptop"'}
    path = tmp_path / "kept.toml"
    save(after(recorded(tmp_path, CUT), tmp_path, renamed), path)
    assert simnet("replay", "--update", path).exit_code == 0
    assert simnet("replay", "--strict", path).exit_code == 0


def test_a_strict_replay_looks_for_nothing(kept):
    result = simnet("replay", "--strict", kept)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"simnet: {kept}: diverged at event ")


def test_what_is_strict_updates_nothing(kept):
    result = simnet("replay", "--strict", "--update", kept)
    assert result.exit_code == 2
    assert "give --update or --strict, not both" in result.stderr


def test_a_run_that_is_not_the_recorded_one_is_not_verified(kept):
    result = simnet("replay", "--verify", kept)
    assert result.exit_code == 2
    assert "give --update as well" in result.stderr
    assert simnet("replay", "--verify", "--update", kept).exit_code == 0
