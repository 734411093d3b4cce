"""Signals to processes: how a program is asked to end, and ends as on Linux."""

from __future__ import annotations

import _thread
import asyncio
import atexit
import http.server
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

import simnet
from simnet import Network, Script, UsageError
from simnet.script import parse

GENEROUS_S = 30


@pytest.fixture
def notes():
    return []


def nap(notes, seconds=60):
    try:
        time.sleep(seconds)
    except KeyboardInterrupt:
        notes.append(f"interrupted at {time.monotonic()}")
        raise
    finally:
        notes.append("finally")


def ended(network, process):
    network.run()
    return process.state, process.exitcode, network.now


# --- what a process without handlers does ------------------------------------------------------------


def test_sigint_raises_keyboard_interrupt_where_it_waits(network, client, notes):
    process = client.spawn(nap, notes)
    network.at("2s").call(process.interrupt)
    assert ended(network, process) == ("ended by SIGINT", -2, 2.0)
    assert notes == ["interrupted at 2.0", "finally"]
    with pytest.raises(UsageError, match="has no result: it ended by SIGINT"):
        assert process.result
    assert process.exception is None


def test_sigterm_ends_it_without_a_finally(network, client, notes):
    process = client.spawn(nap, notes)
    network.at("2s").call(process.terminate)
    assert ended(network, process) == ("was killed by SIGTERM", -15, 2.0)
    assert notes == []


@pytest.mark.parametrize("number", [signal.SIGCHLD, signal.SIGURG, signal.SIGWINCH, signal.SIGPIPE])
def test_what_does_nothing_by_default_does_nothing(network, client, notes, number):
    process = client.spawn(nap, notes)
    network.at("2s").call(process.send_signal, number)
    assert ended(network, process) == ("ended", 0, 60.0)


def test_what_stops_a_process_is_refused_by_name(network, client, notes):
    process = client.spawn(nap, notes)
    with pytest.raises(NotImplementedError, match=r"SIGSTOP is not simulated; Host\.pause"):
        process.send_signal(signal.SIGSTOP)
    with pytest.raises(UsageError, match="no signal has the number 99"):
        process.send_signal(99)


def test_the_exit_status_is_that_of_the_function_or_of_the_signal(network, client):
    def leave(status):
        sys.exit(status)

    ending = client.spawn(int)
    leaving = [client.spawn(leave, status) for status in (None, 0)]
    killed = client.spawn(time.sleep, 60)
    assert killed.exitcode is None
    network.at("1s").call(killed.kill)
    network.run()
    assert [each.exitcode for each in (ending, *leaving, killed)] == [0, 0, 0, -9]
    failing = client.spawn(leave, 3)
    with pytest.raises(SystemExit):
        failing.join()
    assert failing.exitcode == 3


# --- handlers ----------------------------------------------------------------------------------------


def test_a_call_waits_for_the_rest_of_its_time_after_a_handler(network, client):
    """PEP 475."""
    told = []

    def wait():
        signal.signal(signal.SIGTERM, lambda number, frame: told.append((number, time.monotonic())))
        began = time.monotonic()
        time.sleep(10)
        return time.monotonic() - began

    process = client.spawn(wait)
    for moment in ("2s", "3s"):
        network.at(moment).call(process.terminate)
    network.run()
    assert process.result == 10.0
    assert told == [(15, 2.0), (15, 3.0)]


def test_a_handler_may_wait_itself(network, client):
    def wait():
        signal.signal(signal.SIGTERM, lambda *_: time.sleep(5))
        time.sleep(10)
        return time.monotonic()

    process = client.spawn(wait)
    network.at("2s").call(process.terminate)
    network.run()
    assert process.result == 10.0  # 2 s, 5 s in the handler, and the 3 s that are left then

    late = client.spawn(wait)
    network.at("18s").call(late.terminate)
    network.run()
    assert late.result == 23.0  # 18 + 5 s: its time was over meanwhile


def test_what_a_handler_raises_the_call_raises(network, server, client):
    def serve():
        def stop(number, frame):
            raise SystemExit(0)

        signal.signal(signal.SIGTERM, stop)
        with socket.create_server(("", 7)) as listening:
            listening.accept()

    process = server.spawn(serve)
    network.at("2s").call(process.terminate)
    assert ended(network, process) == ("ended", 0, 2.0)
    assert not server.descriptors.items() or all(fd < 3 for fd, _ in server.descriptors.items())


def test_to_exit_with_a_status_after_a_signal_ends_no_run(network, client):
    def wait():
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        time.sleep(60)

    process = client.spawn(wait)
    network.at("2s").call(process.terminate)
    assert ended(network, process) == ("ended", 143, 2.0)
    with pytest.raises(UsageError, match="ended with status 143"):
        assert process.result


def test_what_is_ignored_is_ignored(network, client, notes):
    def deaf():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        nap(notes)

    process = client.spawn(deaf)
    network.at("2s").call(process.terminate)
    network.at("3s").call(process.interrupt)
    assert ended(network, process) == ("ended", 0, 60.0)


def test_several_that_came_while_the_host_stood_still_are_told_in_the_order_of_their_numbers(network, client):
    told = []

    def wait():
        for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT):
            signal.signal(number, lambda number, frame: told.append((number, time.monotonic())))
        time.sleep(60)

    process = client.spawn(wait)
    network.at("1s").pause("client", "4s")
    for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT, signal.SIGTERM):
        network.at("2s").call(process.send_signal, number)
    network.run()
    assert told == [(2, 5.0), (10, 5.0), (15, 5.0)]  # one that comes twice is one


def test_a_host_that_stands_still_ends_nothing_before_it_goes_on(network, client, notes):
    process = client.spawn(nap, notes)
    network.at("1s").pause("client", "4s")
    network.at("2s").call(process.terminate)
    network.run(until="3s")
    assert process.is_alive
    assert ended(network, process) == ("was killed by SIGTERM", -15, 5.0)


def test_the_main_thread_calls_handlers_whoever_the_signal_finds(network, client):
    seen = []

    def work():
        time.sleep(1)
        signal.raise_signal(signal.SIGTERM)
        with pytest.raises(ValueError, match="signal only works in main thread"):
            signal.signal(signal.SIGTERM, print)

    def main():
        signal.signal(signal.SIGTERM, lambda *_: seen.append(threading.current_thread()))
        worker = threading.Thread(target=work)
        worker.start()
        worker.join()
        return seen == [threading.main_thread()]

    process = client.spawn(main)
    network.run()
    assert process.result is True


def test_a_lock_is_waited_for_until_a_signal_raises(network, client):
    def main():
        lock = threading.Lock()
        lock.acquire()
        with pytest.raises(KeyboardInterrupt):
            lock.acquire()
        return time.monotonic()

    process = client.spawn(main)
    network.at("2s").call(process.interrupt)
    network.run()
    assert process.result == 2.0


def test_threads_that_are_no_daemons_are_waited_for_after_an_interrupt(network, client, notes):
    def main():
        threading.Thread(target=nap, args=(notes, 7)).start()
        time.sleep(60)

    process = client.spawn(main)
    network.at("2s").call(process.interrupt)
    assert ended(network, process) == ("ended by SIGINT", -2, 7.0)
    assert notes == ["finally"]


SELF = {
    "os.kill": lambda number: os.kill(os.getpid(), number),
    "raise_signal": lambda number: signal.raise_signal(number),
    "pthread_kill": lambda number: signal.pthread_kill(threading.get_ident(), number),
    "interrupt_main": lambda number: _thread.interrupt_main(number),
}


@pytest.mark.parametrize("send", SELF)
def test_a_process_that_sends_itself_a_signal_gets_it_at_once(network, client, send):
    told = []

    def main():
        signal.signal(signal.SIGUSR1, lambda number, frame: told.append(number))
        SELF[send](signal.SIGUSR1)
        return list(told)

    process = client.spawn(main)
    network.run()
    assert process.result == [signal.SIGUSR1]


@pytest.mark.parametrize("send", SELF)
def test_a_process_that_ends_itself_goes_no_further(network, client, send, notes):
    def main():
        try:
            SELF[send](signal.SIGTERM), notes.append("went on")
        finally:
            notes.append("finally")

    process = client.spawn(main)
    assert ended(network, process) == ("was killed by SIGTERM", -15, 0.0)
    assert notes == []


def test_a_process_that_ends_itself_within_a_coroutine_leaves_no_running_loop(network, client):
    async def end():
        signal.raise_signal(signal.SIGTERM)

    async def nap():
        await asyncio.sleep(1)
        return "slept"

    ending = client.spawn(lambda: asyncio.run(end()))
    network.run()
    napping = client.spawn(lambda: asyncio.run(nap()))
    network.run()
    assert (ending.exitcode, napping.result) == (-15, "slept")


def test_no_other_process_is_known(network, client):
    def main():
        with pytest.raises(ProcessLookupError):
            os.kill(4711, signal.SIGTERM)
        os.kill(os.getpid(), 0)

    process = client.spawn(main)
    network.run()
    assert process.exitcode == 0


def test_pause_waits_for_a_handler(network, client):
    def main():
        signal.signal(signal.SIGUSR1, lambda *_: None)
        signal.pause()
        return time.monotonic()

    process = client.spawn(main)
    network.at("3s").call(process.send_signal, signal.SIGUSR1)
    network.run()
    assert process.result == 3.0


def test_an_alarm_comes_once_after_whole_seconds(network, client):
    def main():
        told = []
        signal.signal(signal.SIGALRM, lambda *_: told.append(time.monotonic()))
        assert signal.alarm(9) == 0
        time.sleep(1.5)
        assert signal.alarm(3) == 8  # 7.5 s were left
        time.sleep(20)
        assert signal.alarm(0) == 0
        return told

    process = client.spawn(main)
    network.run()
    assert process.result == [4.5]
    assert network.now == 21.5


def test_an_interval_timer_comes_again_and_again_until_it_is_unset(network, client):
    def main():
        told = []
        signal.signal(signal.SIGALRM, lambda *_: told.append(time.monotonic()))
        assert signal.setitimer(signal.ITIMER_REAL, 0.25, 1) == (0.0, 0.0)
        time.sleep(3)
        assert signal.getitimer(signal.ITIMER_REAL) == (0.25, 1.0)
        assert signal.setitimer(signal.ITIMER_REAL, 0) == (0.25, 1.0)
        time.sleep(3)
        with pytest.raises(NotImplementedError, match="only ITIMER_REAL"):
            signal.setitimer(signal.ITIMER_PROF, 1)
        return told

    process = client.spawn(main)
    network.run()
    assert process.result == [0.25, 1.25, 2.25]


def test_an_alarm_without_a_handler_ends_the_process_and_goes_with_it(network, client):
    def main(seconds):
        signal.setitimer(signal.ITIMER_REAL, 5, 5)
        time.sleep(seconds)

    ending, returning = client.spawn(main, 60), client.spawn(main, 1)
    network.run()
    assert (ending.exitcode, returning.exitcode, network.now) == (-14, 0, 5.0)


def test_what_signal_refuses_is_refused(network, client):
    def main():
        with pytest.raises(OSError, match="Invalid argument"):
            signal.signal(signal.SIGKILL, print)
        with pytest.raises(ValueError, match="signal number out of range"):
            signal.signal(99, print)
        with pytest.raises(TypeError, match="signal handler must be"):
            signal.signal(signal.SIGTERM, 7)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
        left, right = socket.socketpair()
        with left, right, pytest.raises(ValueError, match="must be in non-blocking mode"):
            signal.set_wakeup_fd(left.fileno())

    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    process = client.spawn(main)
    network.run()
    assert process.exitcode == 0
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


# --- as on this computer -----------------------------------------------------------------------------

PROGRAM = """
import asyncio, signal, sys, time

def by_sleep():
    try:
        time.sleep(60)
    except KeyboardInterrupt:
        print("interrupted")
        raise
    finally:
        print("finally")

def by_handler():
    def stop(number, frame):
        print("told", number)
        raise SystemExit(3)
    signal.signal(signal.SIGTERM, stop)
    by_sleep()

async def nap():
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        print("cancelled")
        raise
    finally:
        await asyncio.sleep(0)
        print("clean")

def by_asyncio():
    asyncio.run(nap())

async def stopped():
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()
    print("stopped")

def by_add_signal_handler():
    asyncio.run(stopped())
"""
WAYS = ("by_sleep", "by_handler", "by_asyncio", "by_add_signal_handler")
STARTED = "print('ready', flush=True)"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
@pytest.mark.parametrize("way", WAYS)
def test_a_program_ends_as_on_this_computer(network, client, way, number):
    namespace = {"__name__": "program"}
    printed: list[str] = []
    exec(PROGRAM, namespace)
    namespace["print"] = lambda *words: printed.append(" ".join(map(str, words)))
    process = client.spawn(namespace[way])
    network.at("1s").call(process.send_signal, number)
    network.run()

    # The last thing before it waits is to say so; what comes to pass between is a handler that is installed.
    waiting = (
        "import time; really_sleep = time.sleep\n"
        "def sleep(seconds):\n    print('ready', flush=True)\n    really_sleep(seconds)\n"
        "time.sleep = sleep"
    )
    hook = (
        "import asyncio; real = asyncio.sleep, asyncio.Event.wait\n"
        "async def sleep(s):\n    if s: print('ready', flush=True)\n    await real[0](s)\n"
        "async def wait(self):\n    print('ready', flush=True)\n    await real[1](self)\n"
        "asyncio.sleep, asyncio.Event.wait = sleep, wait\n"
    )
    # Who runs the tests may ignore SIGINT, as a shell does for what is in its background: that is inherited.
    heard = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    script = f"{heard}\n{waiting}\n{hook}\n{PROGRAM}\n{way}()\n"
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as real:
        assert real.stdout is not None
        assert real.stdout.readline() == b"ready\n"
        real.send_signal(number)
        told = real.stdout.read().decode().split("\n")[:-1]
        assert (real.wait(GENEROUS_S), told) == (process.exitcode, printed)


# --- atexit ------------------------------------------------------------------------------------------


def registering(notes, end):
    def note(word, seconds=0):
        time.sleep(seconds)
        notes.append(f"{word} at {time.monotonic()}")

    def unwanted():
        notes.append("unwanted")

    def main():
        atexit.register(note, "first")
        atexit.register(note, "second", seconds=2)
        atexit.register(unwanted)
        atexit.unregister(unwanted)
        threading.Thread(target=time.sleep, args=(3,)).start()
        end()

    return main


def fail():
    raise ZeroDivisionError


@pytest.mark.parametrize(
    ("end", "told", "code"),
    [
        (lambda: None, ["second at 5.0", "first at 5.0"], 0),  # the thread's 3 s, and 2 s
        (lambda: sys.exit(0), ["second at 5.0", "first at 5.0"], 0),
        (lambda: signal.raise_signal(signal.SIGINT), ["second at 5.0", "first at 5.0"], -2),
        (lambda: signal.raise_signal(signal.SIGTERM), [], -15),
        (lambda: os.kill(os.getpid(), signal.SIGKILL), [], -9),
    ],
    ids=["return", "exit", "interrupt", "terminate", "kill"],
)
def test_what_is_registered_with_atexit_is_called_last_first_unless_it_is_killed(
    network, client, notes, end, told, code
):
    process = client.spawn(registering(notes, end))
    network.run()
    assert (notes, process.exitcode) == (told, code)


def test_it_is_called_after_an_exception_too(network, client, notes):
    process = client.spawn(registering(notes, fail))
    with pytest.raises(ZeroDivisionError):
        process.join()
    assert notes == ["second at 2.0", "first at 2.0"]  # nobody waits for the thread of who has failed


def test_nothing_of_a_process_is_registered_with_the_interpreter(network, client, notes):
    before = atexit._ncallbacks()
    client.spawn(registering(notes, lambda: None))
    network.run()
    assert atexit._ncallbacks() == before


# --- what the kernel closes --------------------------------------------------------------------------


def greet_for_ever(port=7):
    with socket.create_server(("", port)) as listening:
        sock, _ = listening.accept()
        sock.sendall(b"hello")
        duplicate = os.dup(sock.fileno())
        time.sleep(600)
        os.close(duplicate)


@pytest.mark.parametrize("way", ["kill", "terminate"])
def test_the_peers_of_a_process_that_is_killed_alone_get_a_fin(network, server, client, way):
    serving = server.spawn(greet_for_ever)
    beside = server.spawn(greet_for_ever, 8)

    def ask(port):
        with socket.create_connection(("server", port)) as sock:
            sock.settimeout(5)
            return sock.recv(100), sock.recv(100), network.now

    asking, other = client.spawn(ask, 7), client.spawn(ask, 8, daemon=True)
    network.at("2s").call(getattr(serving, way))
    assert asking.join()
    assert asking.result == (b"hello", b"", 2.001)  # 1 ms on the way
    with pytest.raises(TimeoutError):
        other.join()  # of the process beside it nothing was closed
    assert beside.is_alive
    assert len(server.descriptors.items()) == 3  # its listener, and the connection twice


def test_the_port_of_a_process_that_was_killed_can_be_bound_again(network, server):
    first = server.spawn(greet_for_ever)
    network.run(until="1s")
    first.kill()
    second = server.spawn(greet_for_ever)
    network.run(until="2s")
    assert (first.state, second.state) == ("was killed", "waits in accept")


def test_a_process_that_kills_itself_leaves_nothing_open(network, server):
    def main():
        reader, writer = os.pipe()
        os.kill(os.getpid(), signal.SIGKILL)
        os.close(reader)
        os.close(writer)

    process = server.spawn(main)
    network.run()
    assert process.state == "was killed"
    assert not server.descriptors.items()


def test_who_crashes_with_its_host_tells_no_peer(network, server, client):
    server.spawn(greet_for_ever)

    def ask():
        with socket.create_connection(("server", 7)) as sock:
            sock.settimeout(5)
            with pytest.raises(TimeoutError):
                sock.recv(100), sock.recv(100)

    asking = client.spawn(ask)
    network.at("2s").crash("server")
    assert asking.join()


# --- hosts -------------------------------------------------------------------------------------------


def serve_http(notes):
    with http.server.HTTPServer(("", 80), http.server.BaseHTTPRequestHandler) as server:
        try:
            server.serve_forever()
        finally:
            notes.append("closing")


def closed_at(network, host="server"):
    """When a client that has connected finds the connection closed."""
    with socket.create_connection((host, 7)) as sock:
        try:
            return sock.recv(1), network.now
        except ConnectionResetError:
            return "reset", network.now


def holding(notes):
    """A server that says goodbye for two seconds when it is asked to end."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    with socket.create_server(("", 7)) as listening:
        sock, _ = listening.accept()
        notes.append(sock)
        try:
            listening.accept()
        finally:
            time.sleep(2)


def test_a_host_that_is_terminated_closes_what_it_has_when_the_last_process_has_ended(
    network, server, client, notes
):
    server.spawn(holding, notes)
    asking = client.spawn(closed_at, network)
    network.at("1s").terminate("server")
    network.run()
    assert asking.result == (b"", 3.001)  # 1 s, 2 s of goodbye, 1 ms on the way
    assert not server.runs
    assert server.is_up


def test_who_is_left_after_the_time_is_killed_and_the_host_boots_again(network, server, client, notes):
    server.boot(lambda: server.spawn(holding, notes, daemon=True))
    asking = client.spawn(closed_at, network)
    network.at("1s").terminate("server", "500ms")
    network.run()
    assert asking.result == (b"", 1.501)
    assert server.runs
    assert [process.state for process in server.processes] == ["waits in accept"]


def test_an_interrupt_runs_finally_and_a_kill_does_not(notes):
    for happening in ("interrupt", "terminate", "kill", "crash"):
        network = Network()
        network.host("server").spawn(serve_http, notes, daemon=True)
        getattr(network.at("1s"), happening)("server")
        network.run()
        notes.append(happening)
    assert notes == ["closing", "interrupt", "terminate", "kill", "crash"]


def test_handlers_on_the_host_itself_have_no_say(network, server, client):
    class Listener(simnet.dispatcher):
        def handle_accepted(self, sock, address):
            Channel(sock)

    class Channel(simnet.dispatcher):
        def handle_close(self):
            raise AssertionError("nothing is called any more")

    with server:
        listener = Listener()
        listener.create_socket()
        listener.bind(("", 7))
        listener.listen(5)
    asking = client.spawn(closed_at, network)
    network.at("1s").terminate("server")
    network.run()
    assert asking.result == (b"", 1.001)
    assert not server.runs


def test_a_script_says_it_in_words(notes):
    sentences = ["at 1s terminate server for 4s", "at 9s interrupt server"]
    network = Network(Script.of([parse(sentence) for sentence in sentences]))
    server = network.host("server")
    server.boot(lambda: server.spawn(serve_http, notes, daemon=True))
    network.run()
    assert [str(happening) for happening in network.happened] == sentences
    assert notes == ["closing"]  # the second program's
    assert not network.unmet()
    with pytest.raises(UsageError, match="no program of host server can be sent a signal: none runs"):
        network.terminate("server")


def test_it_repeats(notes):
    def digest():
        network = Network(seed=7)
        network.host("server").spawn(asyncio.run, asyncio.sleep(60), name="nap")
        network.at("1s").interrupt("server")
        network.run()
        return network.trace.digest()

    assert digest() == digest()
