"""The census: what processes call is counted by kind, and what was not simulated is told with its line."""

from __future__ import annotations

import asyncio
import gc
import os
import random
import socket
import ssl
import subprocess
import sys
import threading
import time
import weakref
from contextlib import suppress
from pathlib import Path

import pytest
from click.testing import CliRunner

from simnet import Escaped, EscapeWarning, Network, UsageError
from simnet.census import Census, of_every_network
from simnet.census.counting import kind_of
from simnet.cli import main
from simnet.loop import loop_for
from simnet.process.interposed.functions import stand_ins
from simnet.process.interposed.names import StandIn
from simnet.process.interposed.sockets import HostedSocket
from simnet.process.process import Process
from simnet.scenario import Scenario, save

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[2]


def echo():
    with socket.create_server(("", 7)) as listening:
        sock, _ = listening.accept()
        with sock:
            sock.sendall(sock.recv(100))


def ask():
    with socket.create_connection(("server", 7)) as sock:
        sock.sendall(b"hello")
        return sock.recv(100)


def counted(network, *functions):
    """The census of a run of some functions, each on a host of its own."""
    with Census(network) as census:
        for number, function in enumerate(functions):
            network.host("server" if number == 0 else f"client{number}").spawn(function)
        network.run()
    return census


def here(function, text):
    """The place of the line of a function that has `text`, as places are written."""
    lines = Path(__file__).read_text(encoding="utf-8").splitlines()
    first = function.__code__.co_firstlineno
    number = next(number for number in range(first, len(lines)) if text in lines[number - 1])
    return f"{__file__}:{number}"


# --- what was simulated ------------------------------------------------------------------------------


def test_calls_of_sockets_are_counted_one_by_one(network):
    census = counted(network, echo, ask)
    sockets = census.calls["sockets"]
    assert {call: sockets[call] for call in ("bind", "listen", "accept", "connect", "sendall", "recv")} == {
        **{"bind": 1, "listen": 1, "accept": 1, "connect": 1},
        **{"sendall": 2, "recv": 2},
    }
    assert sockets["socket"] == 3  # the listener, what it accepted, and the client's
    assert census.calls["names"] == {"getaddrinfo": 1}
    # The question comes with the third segment of the handshake, so the server's recv finds it there.
    assert census.waits == {"accept": 1, "recv": 1, "connect": 1}
    assert (census.escaped, census.refused) == ((), ())


def test_each_kind_is_counted(network):
    def use_everything():
        time.sleep(1)
        random.random()
        os.urandom(1)
        reader, writer = os.pipe()
        os.write(writer, b"x")
        os.read(reader, 1)
        threading.Thread(target=time.time).start()

    census = counted(network, use_everything)
    assert census.calls["time"] == {"sleep": 1, "time": 1}
    assert census.calls["random"] == {"random": 1, "urandom": 1}
    assert census.calls["descriptors"] == {"pipe": 1, "write": 1, "read": 1}
    assert census.calls["threads"]["start"] == 1


def test_a_signal_to_itself_is_none_to_a_file(network):
    census = counted(network, lambda: os.kill(os.getpid(), 0))
    assert census.calls["signals"] == {"kill": 1}
    assert census.escaped == ()


def test_asyncio_is_counted_by_what_its_loop_calls(network):
    async def nap():
        await asyncio.sleep(1)

    census = counted(network, lambda: asyncio.run(nap()))
    assert census.calls["select"]["poll"] > census.waits["epoll.poll"] >= 1  # some look, and do not wait
    assert census.calls["sockets"]["socketpair"] == 1


def test_a_directory_in_which_a_host_has_a_socket_is_of_this_computer(network, tmp_path):
    def look():
        with socket.socket(socket.AF_UNIX) as sock:
            sock.bind(str(tmp_path / "socket"))
            os.stat(tmp_path / "socket")
            os.stat(str(tmp_path))

    census = counted(network, look)
    assert census.calls["descriptors"] == {"stat": 1}
    escaped = [found.what for found in census.escaped]
    assert f"stat {str(tmp_path)!r}" in escaped
    assert not any("socket" in what for what in escaped)


def test_every_function_that_is_interposed_has_a_kind():
    kinds = {getattr(function, "__name__", "?"): kind_of(function) for function in stand_ins()}
    known = {
        *("sockets", "names", "select", "time", "random"),
        *("descriptors", "threads", "signals", "machine"),
    }
    others = {name: kind for name, kind in kinds.items() if kind not in known}
    assert others.keys() <= {"open"}  # of which the audit tells


def test_two_networks_are_counted_apart():
    first, second = Network(), Network()
    with Census(first) as of_first, Census(second) as of_second:
        first.host("a").spawn(lambda: time.sleep(1))
        second.host("a").spawn(lambda: [time.sleep(1), time.sleep(1)])
        first.run()
        second.run()
    assert (of_first.waits, of_second.waits) == ({"sleep": 1}, {"sleep": 2})


def test_a_run_that_is_counted_is_the_same_run():
    def digest(*, is_counted):
        network = Network(seed=7)
        census = Census(network) if is_counted else None
        network.host("server").spawn(echo)
        network.host("client").spawn(ask, daemon=True)
        with suppress(OSError):
            network.run()
        if census is not None:
            assert census.calls
            census.end()
        return network.trace.digest()

    assert digest(is_counted=False) == digest(is_counted=True)


def test_without_a_census_every_method_is_the_original_one(network):
    before = StandIn.__call__, Process._stand_still, HostedSocket.recv, HostedSocket.__init__
    with Census(network):
        assert StandIn.__call__ is not before[0]
        assert HostedSocket.recv is not before[2]
        with pytest.raises(UsageError, match="has a census already"):
            Census(network)
    assert (StandIn.__call__, Process._stand_still, HostedSocket.recv, HostedSocket.__init__) == before


def test_nothing_is_counted_after_its_end(network, client):
    census = Census(network)
    census.end()
    client.spawn(lambda: time.sleep(1))
    network.run()
    assert census.calls == {}


def test_a_census_that_nobody_has_any_more_has_ended():
    before = StandIn.__call__
    network = Network()
    network.host("a").spawn(lambda: time.sleep(1))
    census = Census(network)
    network.run()
    assert StandIn.__call__ is not before
    seen = weakref.ref(census)
    del census
    gc.collect()
    assert seen() is None
    assert StandIn.__call__ is before


# --- what was not ------------------------------------------------------------------------------------


def test_files_of_this_computer_are_told_with_their_lines(network, tmp_path):
    path = str(tmp_path / "menu")

    def write():
        with open(path, "w", encoding="utf-8") as file:
            file.write("bread")
        os.listdir(str(tmp_path))
        os.stat(path)

    census = counted(network, write)
    found = {(each.kind, each.what): each.place for each in census.escaped}
    assert found == {
        ("files", f"open {path!r}"): here(write, "with open"),
        ("files", f"os.listdir {str(tmp_path)!r}"): here(write, "os.listdir"),
        ("files", f"stat {path!r}"): here(write, "os.stat"),
    }
    assert {each.host for each in census.escaped} == {"server"}


def test_what_the_fence_stops_was_refused_and_what_it_lets_through_has_escaped():
    def call():
        subprocess.run([sys.executable, "-c", ""], check=False)

    network = Network()
    with Census(network) as census:
        network.host("a").spawn(call)
        with pytest.raises(Escaped):
            network.run()
    assert [(each.kind, each.place) for each in census.refused] == [
        ("processes", here(call, "subprocess.run"))
    ]
    assert census.escaped == ()

    network = Network(fence="off")
    with Census(network) as census:
        network.host("a").spawn(call)
        network.run()
    assert ("processes", here(call, "subprocess.run")) in [(each.kind, each.place) for each in census.escaped]
    assert census.refused == ()


def test_what_the_fence_warns_of_has_escaped_and_is_told_once():
    def call():
        subprocess.run([sys.executable, "-c", ""], check=False)

    network = Network(fence="warn")
    with Census(network) as census:
        network.host("a").spawn(call)
        with pytest.warns(EscapeWarning):
            network.run()
    processes = [each.what for each in census.escaped if each.kind == "processes"]
    assert f"subprocess.Popen {sys.executable!r}" in processes
    assert not [what for what in processes if what.startswith("subprocess.run")]  # as the fence calls it


def test_what_is_not_simulated_was_refused_with_the_reason_once(network):
    def open_two():
        for _ in range(2):
            with pytest.raises(NotImplementedError):
                socket.socket(socket.AF_INET, socket.SOCK_RAW)

    census = counted(network, open_two)
    (found,) = census.refused
    assert found.kind == "not simulated"
    assert "SOCK_RAW" in found.what
    assert (found.place, found.times) == (here(open_two, "socket.socket"), 2)


def test_extension_modules_that_are_not_seen_are_named(network):
    with Census(network) as census:
        assert "greenlet" not in census.unseen
        assert not sys.stdlib_module_names & {*census.unseen}


def test_handlers_are_fenced_while_processes_beside_them_are_counted(network, server, client):
    client.spawn(lambda: time.sleep(1))
    loop_for(server).call_later(0.5, lambda: time.time())
    with Census(network), pytest.raises(Escaped, match=r"time\.time"):
        network.run()


# --- the table ---------------------------------------------------------------------------------------


def test_the_table_says_it_all(network, tmp_path):
    path = str(tmp_path / "menu")

    def serve():
        echo()
        with open(path, "w", encoding="utf-8"), pytest.raises(NotImplementedError):
            socket.socket(socket.AF_INET, socket.SOCK_RAW)

    head, *rows = str(counted(network, serve, ask)).splitlines()
    assert head.startswith("until t=60.")  # a minute of TIME_WAIT
    assert head.endswith(" calls simulated, 3 waits")
    kinds = [row.split()[0] for row in rows if row.startswith("  ")]
    assert kinds[:2] == ["sockets", "names"]
    assert "waits" in kinds
    assert rows.index("escaped to this computer:") < rows.index("refused:")
    text = "\n".join(rows)
    assert f"files  open {path!r}: {here(serve, 'with open')}, host server, " in text
    assert "sendall 2" in text


def test_where_nothing_has_escaped_it_says_so(network):
    text = str(counted(network, echo, ask))
    assert "escaped to this computer: nothing\nrefused: nothing" in text


def test_every_network_that_is_made_has_one():
    with of_every_network() as made:
        for _ in range(2):
            network = Network()
            network.host("a").spawn(lambda: time.sleep(1))
            network.run()
    assert [census.waits for census in made] == [{"sleep": 1}] * 2
    with of_every_network() as none:
        pass
    assert none == []


def test_tls_is_counted(network):
    trustme = pytest.importorskip("trustme")
    authority = trustme.CA(key_type=trustme.KeyType.RSA)
    of_server, of_client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("server", key_type=trustme.KeyType.RSA).configure_cert(of_server)
    authority.configure_trust(of_client)

    def serve():
        listening = socket.create_server(("", 7))
        with listening, of_server.wrap_socket(listening.accept()[0], server_side=True) as sock:
            sock.sendall(b"hello")

    def ask_secretly():
        plain = socket.create_connection(("server", 7))
        with plain, of_client.wrap_socket(plain, server_hostname="server") as sock:
            sock.recv(5)

    census = counted(network, serve, ask_secretly)
    assert {call: census.calls["tls"][call] for call in ("do_handshake", "write", "read")} == {
        "do_handshake": 2,
        "write": 1,
        "read": 1,
    }


# --- on request --------------------------------------------------------------------------------------

TESTS = """
import time
from simnet import Network

def test_a_nap():
    network = Network()
    network.host("a").spawn(lambda: time.sleep(1))
    network.run()

def test_nothing():
    pass
"""


def test_pytest_prints_the_tables_of_tests_with_processes_if_it_is_asked(pytester):
    pytester.makepyfile(test_naps=TESTS)
    pytester.syspathinsert(ROOT)
    asked = pytester.runpytest_inprocess("-p", "no:xdist", "--simnet-census")
    asked.assert_outcomes(passed=2)
    asked.stdout.fnmatch_lines(
        ["*simnet: census of test_naps.py::test_a_nap*", "until t=1.000: 1 call simulated, 1 wait"]
    )
    asked.stdout.no_fnmatch_line("*census of test_naps.py::test_nothing*")
    unasked = pytester.runpytest_inprocess("-p", "no:xdist")
    unasked.stdout.no_fnmatch_line("*census*")


PROGRAM = """
import time

def nap(network):
    network.host("a").spawn(lambda: time.sleep(1))
    network.run()
"""


@pytest.mark.parametrize("command", ["run", "replay"])
def test_a_command_prints_it_if_it_is_asked(tmp_path, monkeypatch, command):
    (tmp_path / "napping_program.py").write_text(PROGRAM)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    save(Scenario(title="t", call="napping_program:nap"), tmp_path / "a.toml")
    asked = CliRunner().invoke(main, [command, "--census", "a.toml"])
    assert "1 call simulated, 1 wait\n" in asked.output
    assert "simulated" not in CliRunner().invoke(main, [command, "a.toml"]).output
