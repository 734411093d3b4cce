"""Programs that call `loop` in a process: asyncore's as it was, simnet's, and the native one."""

from __future__ import annotations

import importlib
import socket
import sys
import threading
import time
import warnings

import pytest

import simnet
from simnet import Deadlock, Network, asynchat, asyncore, current, dispatcher_with_send
from simnet.loop import loop_for
from simnet.process.own_globals import own_globals

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    old = pytest.importorskip("asyncore", reason="neither Python's asyncore nor pyasyncore is installed")
    old_chat = pytest.importorskip("asynchat")
    if old is asyncore:  # another test has installed simnet's under that name, and it stays
        pytest.skip("asyncore is simnet's here", allow_module_level=True)

MODULES = {"old": old, "ours": asyncore, "native": simnet}
in_all_three = pytest.mark.parametrize("module", MODULES.values(), ids=MODULES)
by_select_and_by_poll = pytest.mark.parametrize("use_poll", [False, True], ids=["select", "poll"])
GENEROUS_S = 30


def serve(module, address, ready, use_poll=False, map=None):
    """An echo server, until a client says so; it is told of its address, and returns what it was told."""
    told = []

    class Echo(module.dispatcher_with_send):
        def handle_read(self):
            data = self.recv(100)
            told.append(data)
            if data == b"end":
                listener.close()
            if data:
                self.send(data)

        def handle_close(self):
            self.close()

    class Listener(module.dispatcher):
        def handle_accepted(self, sock, address):
            Echo(sock, map)

        def writable(self):
            return False

    listener = Listener(map=map)
    listener.create_socket()
    listener.set_reuse_addr()
    listener.bind(address)
    listener.listen(5)
    ready(listener.socket.getsockname())
    module.loop(timeout=5, use_poll=use_poll, map=map)
    return told


def ask(address, *questions):
    with socket.create_connection(address, timeout=GENEROUS_S) as sock:
        answers = []
        for question in questions:
            sock.sendall(question)
            answers.append(sock.recv(100))
    return answers


class Virtual:
    address = ("", 7)

    def __init__(self):
        self.network = Network()

    def run(self, server, client):
        ready = []
        serving = self.network.host("server").spawn(server, ready.append)
        asking = self.network.host("client").spawn(lambda: client(("server", 7)))
        self.network.run()
        return serving.result, asking.result


class Real:
    address = ("127.0.0.1", 0)

    def run(self, server, client):
        results, bound, is_ready = [], [], threading.Event()

        def ready(address):
            bound.append(address)
            is_ready.set()

        thread = threading.Thread(target=lambda: results.append(server(ready)))
        thread.start()
        assert is_ready.wait(GENEROUS_S)
        answer = client(bound[0])
        thread.join(GENEROUS_S)
        return results[0], answer


@pytest.mark.parametrize("world", [Virtual, Real])
@in_all_three
@by_select_and_by_poll
def test_a_program_with_a_map_of_its_own_serves_until_its_loop_is_left(world, module, use_poll):
    here = world()
    told, answers = here.run(
        lambda ready: serve(module, here.address, ready, use_poll, map={}),
        lambda address: ask(address, b"one", b"two", b"end"),
    )
    assert answers == [b"one", b"two", b"end"]
    assert told[:3] == [b"one", b"two", b"end"]  # the old ones are told of the end by b"" as well


@in_all_three
@by_select_and_by_poll
def test_several_hosts_run_the_default_loop_beside_handlers_of_the_network(module, use_poll):
    """All three kinds of descriptor have the same numbers on all hosts."""
    network = Network()
    network.host("a").spawn(serve, module, ("", 7), print, use_poll, name="serve", daemon=True)
    network.host("b").spawn(serve, module, ("", 7), print, use_poll, name="serve", daemon=True)
    heard = []

    class Client(dispatcher_with_send):
        def handle_connect(self):
            self.send(b"hello")

        def handle_read(self):
            heard.append((self.addr[0], self.recv(100), network.now))
            self.close()

    with network.host("c"):
        for name in ("a", "b"):
            client = Client()
            client.create_socket()
            client.connect((name, 7))
    network.run()
    assert heard == [
        ("a", b"hello", 0.004),
        ("b", b"hello", 0.004),
    ]  # SYN, SYN+ACK, question, answer: 4 x 1 ms


def test_all_three_leave_the_same_trace():
    def digest(module):
        network = Network()
        network.host("server").spawn(serve, module, ("", 7), lambda address: None, name="serve", daemon=True)
        asking = network.host("client").spawn(ask, ("server", 7), b"one", b"two")
        network.run()
        assert asking.result == [b"one", b"two"]
        return network.trace.digest()

    assert len({digest(module) for module in MODULES.values()}) == 1


@in_all_three
def test_a_pass_waits_as_long_as_it_is_told_and_count_counts_passes(module, network, server):
    def idle():
        channel = module.dispatcher()
        channel.create_socket()
        channel.bind(("", 7))
        channel.listen(1)
        module.loop(timeout=1.5, count=3)
        channel.close()
        return network.now

    process = server.spawn(idle)
    network.run()
    assert process.result == 4.5  # 3 x 1.5 s


@in_all_three
def test_a_map_of_ones_own_that_is_empty_is_no_loop_at_all(module, network, server):
    process = server.spawn(module.loop, timeout=5, map={})
    network.run()
    assert (process.result, network.now) == (None, 0)


@in_all_three
def test_nobody_is_told_anything_while_the_process_does_something_else(module, network, server, client):
    def busy_first():
        accepted = []

        class Listener(module.dispatcher):
            def handle_accepted(self, sock, address):
                accepted.append(network.now)
                sock.close()
                self.close()

            def writable(self):
                return False

        listener = Listener()
        listener.create_socket()
        listener.bind(("", 7))
        listener.listen(5)
        time.sleep(20)
        module.loop()
        return accepted

    process = server.spawn(busy_first)
    asking = client.spawn(ask, ("server", 7))
    network.run()
    assert asking.result == []
    assert process.result == [20.0]


@in_all_three
def test_processes_of_one_host_do_not_have_each_others_channels(module, network, server):
    maps = []

    def keep(port):
        channel = module.dispatcher()
        channel.create_socket()
        channel.bind(("", port))
        channel.listen(1)
        time.sleep(1)  # the other one has a channel meanwhile
        maps.append(len(channel._map))
        module.loop(timeout=1, count=1)
        channel.close()

    for port in (7, 8):
        server.spawn(keep, port)
    network.run()
    assert maps == [1, 1]


@in_all_three
def test_an_exception_of_a_handler_ends_the_run_but_for_the_old_one_which_prints(
    module, network, server, client, capsys
):
    def fail():
        class Listener(module.dispatcher):
            def handle_accepted(self, sock, address):
                sock.close()
                raise ZeroDivisionError("by mistake")

            def writable(self):
                return False

        listener = Listener()
        listener.create_socket()
        listener.bind(("", 7))
        listener.listen(5)
        module.loop()

    process = server.spawn(fail)
    client.spawn(ask, ("server", 7))
    if module is old:
        network.run()
        assert process.state == "ended"  # the default handle_error closes the channel, and none is left
        assert "by mistake" in capsys.readouterr().out
    else:
        with pytest.raises(ZeroDivisionError, match="by mistake"):
            network.run()


@in_all_three
def test_a_server_that_nobody_calls_is_a_deadlock_unless_it_is_a_daemon(module, network, server):
    # The old loop never returns: each pass ends after 5 s.  So time passes, and nothing else does.
    network.moments_max = 1000
    server.spawn(serve, module, ("", 7), lambda address: None, name="serve")
    with pytest.raises((Deadlock, simnet.Livelock), match="server/serve waits"):
        network.run()


@in_all_three
def test_close_all_closes_those_of_the_process(module, network, server):
    def close_all():
        for port in (7, 8):
            channel = module.dispatcher()
            channel.create_socket()
            channel.bind(("", port))
        (old if module is simnet else module).close_all(channel._map)
        module.loop()
        return len(channel._map)

    process = server.spawn(close_all)
    network.run()
    assert process.result == 0
    assert not server.descriptors.items() or all(fd < 3 for fd, _ in server.descriptors.items())


@pytest.mark.parametrize(("module", "chat"), [(old, old_chat), (asyncore, asynchat)], ids=["old", "ours"])
def test_asynchat_finds_its_terminators(module, chat, network, server, client):
    def shout():
        class Shouter(chat.async_chat):
            def __init__(self, sock):
                super().__init__(sock)
                self.set_terminator(b"\n")
                self.line = b""

            def collect_incoming_data(self, data):
                self.line += data

            def found_terminator(self):
                self.push(self.line.upper() + b"\n")
                self.line = b""

            def handle_close(self):
                self.close()
                listener.close()

        class Listener(module.dispatcher):
            def handle_accepted(self, sock, address):
                Shouter(sock)

        listener = Listener()
        listener.create_socket()
        listener.bind(("", 7))
        listener.listen(5)
        module.loop(timeout=1)

    server.spawn(shout)
    asking = client.spawn(ask, ("server", 7), b"one\n", b"two\n")
    network.on("client", "send", nth=1).take(2)
    network.run()
    assert asking.result == [b"ONE\n", b"TWO\n"]


# --- what is the process's own ---------------------------------------------------------------------


def test_the_old_map_of_the_test_is_its_own(network, server):
    outside = old.socket_map
    mine = object()
    outside[-7] = mine
    try:

        def look():
            old.socket_map[-8] = None
            time.sleep(1)
            return old.socket_map is not outside, list(old.socket_map)

        processes = [server.spawn(look, name=name) for name in ("a", "b")]
        network.run()
        assert [process.result for process in processes] == [(True, [-8])] * 2
        assert (old.socket_map is outside, outside) == (True, {-7: mine})
    finally:
        del outside[-7]


def test_a_module_that_a_process_has_imported_is_its_own_from_the_start(network, server, client, monkeypatch):
    """`import asyncore` in the function: what it has made before it first waits is not lost."""
    monkeypatch.delitem(sys.modules, "asyncore")
    monkeypatch.setattr(own_globals, "_places", [])

    def serve_one():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            fresh = importlib.import_module("asyncore")
        assert fresh is not old
        before = fresh.socket_map
        before[-7] = None
        time.sleep(1)
        return fresh.socket_map is before

    serving = server.spawn(serve_one)
    other = client.spawn(lambda: time.sleep(0.5) or list(sys.modules["asyncore"].socket_map))
    network.run()
    assert serving.result is True
    assert other.result == []


def test_the_machine_of_a_process_is_its_host_and_runs_no_loop(network, server):
    seen = []

    def look():
        seen.append((current().host, current().drives_loops, current().name))
        with server:
            seen.append(current())

    server.spawn(look)
    network.run()
    assert seen == [(server, False, "server"), server]


@pytest.mark.parametrize("module", [asyncore, simnet], ids=["ours", "native"])
def test_reports_name_the_class_that_has_a_descriptor(module, network, server):
    server.spawn(serve, module, ("", 7), lambda address: None, name="serve", daemon=True)
    network.run()
    assert "LISTEN" in network.netstat()
    assert "Listener" in network.netstat()


# --- what only the native loop has -----------------------------------------------------------------


def test_timers_of_the_loop_end_its_wait(network, server):
    def serve_until_a_timer():
        listener = simnet.dispatcher()
        listener.create_socket()
        listener.bind(("", 7))
        listener.listen(1)
        listener.call_later("7s", listener.close)
        simnet.loop(timeout=None)
        return network.now

    process = server.spawn(serve_until_a_timer)
    network.run()
    assert process.result == 7.0


def test_another_thread_of_the_process_wakes_the_loop(network, server):
    def serve_until_a_thread_says_so():
        listener = simnet.dispatcher()
        listener.create_socket()
        listener.bind(("", 7))
        listener.listen(1)

        def work():
            time.sleep(3)
            listener.call_soon_threadsafe(listener.close)

        threading.Thread(target=work).start()
        simnet.loop(timeout=None)
        return network.now

    process = server.spawn(serve_until_a_thread_says_so)
    network.run()
    assert process.result == 3.0


def test_which_of_two_channels_is_told_first_is_a_pick(network, server, client):
    order = []

    def serve_two():
        class Channel(simnet.dispatcher):
            def handle_read(self):
                order.append(self.recv(10))
                self.close()

        class Listener(simnet.dispatcher):
            def handle_accepted(self, sock, address):
                Channel(sock)
                self.accepted = getattr(self, "accepted", 0) + 1
                if self.accepted == 2:
                    self.close()

        listener = Listener()
        listener.create_socket()
        listener.bind(("", 7))
        listener.listen(5)
        simnet.loop()

    def talk(word):
        with socket.create_connection(("server", 7)) as sock:
            time.sleep(1 - network.now)
            sock.sendall(word)
            sock.recv(1)

    def told(*rules):
        nonlocal network
        network, order[:] = Network(), []
        for nth in rules:
            network.on("server", "turn", nth=nth).first(2)
        network.host("server").spawn(serve_two)
        for word in (b"one", b"two"):
            network.host("client").spawn(talk, word)
        network.run()
        return list(order)

    assert told() == [b"one", b"two"]
    assert [b"two", b"one"] in [told(nth) for nth in (1, 2, 3)]


@in_all_three
def test_a_process_that_is_killed_in_its_loop_runs_no_line_more(module, network, server):
    ends = []

    def serve_for_ever():
        try:
            serve(module, ("", 7), lambda address: None)
        finally:
            ends.append("finally")

    process = server.spawn(serve_for_ever, daemon=True)
    network.run(until=2)
    process.kill()
    assert (process.state, ends) == ("was killed", [])


@in_all_three
def test_a_host_that_restarts_runs_its_loop_again(module, network, server, client):
    server.boot(lambda: server.spawn(serve, module, ("", 7), lambda address: None, daemon=True))
    network.at("1s").crash("server")
    network.at("2s").restart("server")

    def ask_later():
        time.sleep(3)
        return ask(("server", 7), b"again")

    asking = client.spawn(ask_later)
    network.run()
    assert asking.result == [b"again"]
    assert loop_for(server).map == {}  # none of it is the host's own
