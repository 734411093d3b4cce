"""A scenario outlives edits of its program: what it names is still found, and it fails as it did.

And where an edit takes the moment away, the run says which fault never happened.
"""

import re

import pytest

from simnet import parse
from simnet.scenario import Expect, Scenario, run_scenario
from simnet.script import Script

PROGRAM = '''
from simnet import dispatcher, dispatcher_with_send


class Line(dispatcher):
    """Takes what one recv returns for a line: the bug."""

    def __init__(self, sock, log):
        super().__init__(sock)
        self.log = log

    def handle_read(self):
        data = self.recv(4096)
        if data:
            self.log.append(data)


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


def talk(net):
    log = []
    server, client = net.host("server"), net.host("client")
    with server:
        Server(80, log)
    with client:
        Client(("server", 80), b"one\\n", b"two\\n")
    net.run()
    assert log == [b"one\\n", b"two\\n"], log
'''

FAULT = "the 2nd segment of client:1 -> server:80 is cut after 1 byte"

ELSEWHERE = """\
    with server:
        Server(81, [])
    with client:
        Client(("server", 81), b"x")
    with client:
"""
MONITOR = """\
    with net.host("monitor"):
        Client(("server", 80), b"")
    with client:
"""
TIMER = """\
    def handle_read(self):
        self.call_later("1ms", self.log_info, "read")
"""
PEEK = """\
        self.socket.recv(1, 2)
        data = self.recv(64)
"""
ANSWER = """\
            self.log.append(data)
            self.socket.setsockopt(6, 1, 1)
            self.send(b"ok")
"""
READ = """\
    def handle_read(self):
        self.recv(10)

    def handle_connect(self):
"""
OTHER_ORDER = """\
    client, server = net.host("client"), net.host("server")
"""

EDITS = {
    "none": {},
    "another connection is opened earlier, to another port": {r"    with client:\n": ELSEWHERE},
    "another host talks to the same server, earlier": {r"    with client:\n": MONITOR},
    "a timer and a log line are added": {r"    def handle_read\(self\):\n": TIMER},
    "lines are read in smaller pieces, and peeked at": {r"        data = self.recv\(4096\)\n": PEEK},
    "the server asks for no delay, and answers": {
        r"            self.log.append\(data\)\n": ANSWER,
        r"    def handle_connect\(self\):\n": READ,
    },
    "a class has another name, and hosts are made in another order": {
        r"\bLine\b": "Session",
        r"    server, client = .*\n": OTHER_ORDER,
    },
}


def run(tmp_path, edits):
    """Run the scenario with an edited program: texts that are put in the places that match."""
    text = PROGRAM
    for pattern, replacement in edits.items():
        text, count = re.subn(pattern, lambda match, new=replacement: new, text)
        assert count, f"nothing to edit: {pattern}"
    file = tmp_path / "talk.py"
    file.write_text(text)
    return run_scenario(
        Scenario(
            title="a line in two parts",
            call=f"{file}::talk",
            script=Script.of([parse(FAULT)]),
            expect=Expect("fails", error="AssertionError", says="[b'one\\n', b't', b'wo\\n']"),
        )
    )


@pytest.mark.parametrize("edit", EDITS)
def test_a_scenario_still_fails_as_it_did_after_an_edit(edit, tmp_path):
    verdict = run(tmp_path, EDITS[edit])
    assert verdict.as_expected, verdict


def test_an_edit_that_takes_the_moment_away_is_told(tmp_path):
    verdict = run(tmp_path, {r', b"two\\n"\)': ")", r', b"two\\n"\]': "]"})
    assert f"never happened: {FAULT}" in str(verdict)


def test_an_edit_that_mends_the_program_is_told(tmp_path):
    verdict = run(tmp_path, {r"    assert log ==.*": r"    assert b''.join(log) == b'one\ntwo\n'"})
    assert "it passes, and AssertionError is expected" in str(verdict)
