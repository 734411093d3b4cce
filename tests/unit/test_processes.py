"""Blocking code on a virtual host: processes that run, wait, end, fail, and are killed."""

from __future__ import annotations

import errno
import gc
import subprocess
import sys
import threading
import warnings
import weakref
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from simnet import Deadlock, Deviation, Host, Livelock, Network, Script, UsageError, current
from simnet.process import kept


def listener(host: Host, port: int = 7):
    sock = host.modules.socket.socket()
    sock.bind(("", port))
    sock.listen()
    return sock


def dial(host: Host, address=("server", 7)):
    return host.modules.socket.create_connection(address)


def echo(host: Host, connections: int = 1) -> None:
    listening = listener(host)
    for _ in range(connections):
        sock, _ = listening.accept()
        with sock:
            while data := sock.recv(100):
                sock.sendall(data)


def ask(host: Host, question: bytes = b"hello") -> bytes:
    with dial(host) as sock:
        sock.sendall(question)
        return sock.recv(100)


# --- running and waiting ---------------------------------------------------------------------------


def test_two_processes_talk_and_time_is_that_of_the_link(network, server, client):
    server.spawn(echo, server)
    asking = client.spawn(ask, client)
    network.run(until=lambda: not asking.is_alive)
    assert asking.result == b"hello"
    assert network.now == 0.004  # SYN, SYN-ACK, data, echo: 4 x 1 ms


def test_a_process_begins_when_time_passes_and_not_before(network, client):
    begun = []
    client.spawn(begun.append, 1)
    assert not begun
    network.run()
    assert begun == [1]


def test_several_processes_of_one_host_wait_side_by_side(network, client):
    done = []

    def nap(seconds: float) -> None:
        client.modules.time.sleep(seconds)
        done.append((network.now, seconds))

    for seconds in (3, 1, 2):
        client.spawn(nap, seconds)
    network.run()
    assert done == [(1.0, 1), (2.0, 2), (3.0, 3)]


def test_its_host_is_the_current_transport_and_that_of_nobody_else(network, server, client):
    seen = []

    def look(host: Host) -> None:
        seen.append(current().host is host)
        host.modules.time.sleep(1)
        seen.append(current().host is host)

    server.spawn(look, server)
    client.spawn(look, client)
    outside = current()
    network.run()
    assert seen == [True] * 4
    assert current() is outside


def test_arguments_and_keywords_reach_the_function(network, client):
    process = client.spawn(lambda *args, **kwargs: (args, kwargs), 1, 2, name="add", three=3)
    network.run()
    assert process.result == ((1, 2), {"three": 3})
    assert process.label == "client/add"


def test_names_are_those_of_the_functions_with_numbers(client):
    names = [client.spawn(function).name for function in (echo, ask, echo, lambda: None)]
    assert names == ["echo", "ask", "echo-2", "lambda"]
    with pytest.raises(UsageError, match="has a process called ask already"):
        client.spawn(ask, name="ask")


def test_what_is_no_function_is_refused(client):
    with pytest.raises(UsageError, match="runs a function, not 7"):
        client.spawn(7)


def test_a_timeout_ends_a_wait_at_its_time(network, server, client):
    server.spawn(echo, server, daemon=True)

    def wait() -> float:
        with dial(client) as sock:
            sock.settimeout(0.5)
            with pytest.raises(TimeoutError, match="timed out"):
                sock.recv(1)
        return network.now

    waiting = client.spawn(wait)
    network.run()
    assert waiting.result == 0.502  # 2 x 1 ms for the handshake


def test_select_poll_and_epoll_park_the_process(network, server, client):
    woken = []

    def serve() -> None:
        listening = listener(server)
        select = server.modules.select
        woken.append((select.select([listening], [], [])[0] == [listening], network.now))
        sock, _ = listening.accept()
        poll = select.poll()
        poll.register(sock, select.POLLIN)
        woken.append(([event for _, event in poll.poll()], network.now))
        sock.recv(1)
        with select.epoll() as epoll:
            epoll.register(sock, select.EPOLLIN)
            woken.append(([event for _, event in epoll.poll()], network.now))
        sock.recv(1)
        woken.append((select.select([sock], [], [], 0.25), network.now))

    def talk() -> None:
        sock = dial(client)
        for _ in range(2):
            client.modules.time.sleep(1)
            sock.send(b"x")
        client.modules.time.sleep(9)

    server.spawn(serve)
    client.spawn(talk)
    network.run()
    # The handshake takes 2 ms, and its last part 1 more: the client sends at 1.002 and 2.002.
    assert woken == [(True, 0.003), ([1], 1.003), ([1], 2.003), (([], [], []), 2.253)]


def test_a_pipe_wakes_its_reader_and_its_writer(network, client):
    os = client.modules.os
    reader, writer = os.pipe()

    def write() -> int:
        return os.write(writer, bytes(100_000))  # more than the 65536 bytes that a pipe holds

    def read() -> int:
        client.modules.time.sleep(1)
        return sum(len(os.read(reader, 65536)) for _ in range(2))

    writing, reading = client.spawn(write), client.spawn(read)
    network.run()
    assert (writing.result, reading.result) == (100_000, 100_000)


def test_a_full_backlog_of_af_unix_is_waited_for(network, client):
    socket = client.modules.socket

    def serve() -> None:
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind("/run/x")
            listening.listen(0)
            client.modules.time.sleep(1)
            for _ in range(2):
                listening.accept()[0].close()
                client.modules.time.sleep(1)

    def call() -> float:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect("/run/x")
            return network.now

    client.spawn(serve)
    calling = [client.spawn(call) for _ in range(2)]
    network.run()
    assert [process.result for process in calling] == [0.0, 1.0]


def test_a_close_that_lingers_waits_for_the_last_acknowledgement(network, server, client):
    server.spawn(echo, server)

    def leave() -> float:
        sock = dial(client)
        sock.setsockopt(1, 13, bytes([1, 0, 0, 0, 9, 0, 0, 0]))  # SOL_SOCKET, SO_LINGER: on, 9 s
        sock.close()
        return network.now

    leaving = client.spawn(leave)
    network.run()
    assert leaving.result == 0.004  # the handshake; FIN and its ACK


def test_a_socket_that_another_process_closes_stays_open_for_the_call_that_waits(network, server, client):
    """As in a kernel: the call holds the file, and the peer's data still comes."""
    listening = listener(server)

    def answer() -> None:
        sock, _ = listening.accept()
        server.modules.time.sleep(1)
        sock.send(b"late")

    sock = dial(client)
    reading = client.spawn(sock.recv, 100)
    client.spawn(sock.close)
    server.spawn(answer)
    network.run()
    assert reading.result == b"late"


def test_sleeping_for_nothing_lets_others_run(network, client):
    order = []

    def count(name: str) -> None:
        for number in range(3):
            order.append(f"{name}{number}")
            client.modules.time.sleep(0)

    client.spawn(count, "a")
    client.spawn(count, "b")
    network.run()
    assert order == ["a0", "b0", "a1", "b1", "a2", "b2"]


def test_who_polls_without_waiting_gets_to_its_deadline(network, client):
    def spin() -> int:
        time, looks = client.modules.time, 0
        while time.monotonic() < 0.001:
            client.modules.select.select([], [], [], 0)
            looks += 1
        return looks

    spinning = client.spawn(spin)
    network.run()
    assert spinning.result == 100_000  # 100 looks a microsecond


def test_processes_that_wake_each_other_for_ever_at_one_moment_are_a_livelock(network, client):
    os = client.modules.os
    pipes = [os.pipe(), os.pipe()]

    def pass_on(reader: int, writer: int) -> None:
        os.write(writer, b"x")
        while True:
            os.write(writer, os.read(reader, 1))

    client.spawn(pass_on, pipes[0][0], pipes[1][1])
    client.spawn(pass_on, pipes[1][0], pipes[0][1])
    with pytest.raises(Livelock, match="passes at t=0"):
        network.run()


# --- outside of processes --------------------------------------------------------------------------


def test_a_blocking_call_of_the_test_lets_processes_run(network, server, client):
    server.spawn(echo, server)
    assert ask(client) == b"hello"


def test_processes_and_handlers_share_a_network(network, server, client):
    from simnet import dispatcher

    class Echo(dispatcher):
        def handle_accepted(self, sock, address):
            Channel(sock)

    class Channel(dispatcher):
        def handle_read(self):
            self.send(self.recv(100))

        def writable(self):
            return False

    with server:
        listening = Echo()
        listening.create_socket()
        listening.bind(("", 7))
        listening.listen(5)
    asking = client.spawn(ask, client)
    network.run()
    assert asking.result == b"hello"


# --- ends --------------------------------------------------------------------------------------------


def test_an_exception_ends_the_run_with_the_traceback_of_the_process(network, client):
    def fail() -> None:
        client.modules.time.sleep(1)
        raise ValueError("no good")

    failing = client.spawn(fail)
    with pytest.raises(ValueError, match="no good") as raised:
        network.run()
    assert network.now == 1
    assert failing.exception is raised.value
    assert "fail" in [entry.name for entry in raised.traceback]
    with pytest.raises(ValueError, match="no good"):
        failing.result  # noqa: B018


def test_whoever_joins_a_process_collects_its_exception(network, client):
    def fail() -> None:
        client.modules.time.sleep(1)
        raise ValueError("no good")

    def look_after() -> str:
        failing = client.spawn(fail)
        with pytest.raises(ValueError, match="no good"):
            failing.join()
        return "collected"

    looking = client.spawn(look_after)
    network.run()
    assert looking.result == "collected"


def test_join_waits_for_the_end_or_for_its_timeout(network, client):
    sleeping = client.spawn(client.modules.time.sleep, 2)

    def look_after() -> list[tuple[bool, float]]:
        return [(sleeping.join("1s"), network.now), (sleeping.join(), network.now)]

    looking = client.spawn(look_after)
    network.run()
    assert looking.result == [(False, 1.0), (True, 2.0)]


def test_the_test_may_join_as_well(network, client):
    sleeping = client.spawn(client.modules.time.sleep, 2)
    assert not sleeping.join(1.5)
    assert sleeping.join()
    assert network.now == 2


def test_a_process_cannot_join_itself(network, client):
    mine = []
    mine.append(client.spawn(lambda: mine[0].join()))
    with pytest.raises(UsageError, match="cannot join itself"):
        network.run()


def test_a_process_that_exits_well_has_no_exception(network, client):
    exiting = client.spawn(sys.exit)
    network.run()
    assert exiting.state == "ended"
    client.spawn(sys.exit, "trouble")
    with pytest.raises(SystemExit, match="trouble"):
        network.run()


def test_there_is_no_result_before_the_end(client):
    with pytest.raises(UsageError, match="client/ask has no result: it is ready"):
        client.spawn(ask, client).result  # noqa: B018


def test_who_waits_for_what_never_comes_is_a_deadlock_that_names_call_and_line(network, server, client):
    server.spawn(echo, server, daemon=True)

    def wait() -> None:
        with dial(client) as sock:
            sock.recv(1)  # nothing was asked

    client.spawn(wait)
    with pytest.raises(Deadlock) as raised:
        network.run()
    text = str(raised.value)
    line = wait.__code__.co_firstlineno + 2
    assert "client/wait waits" in text
    assert f"client/wait waits in recv at {__file__}:{line}" in text
    assert "server/echo waits in recv" in text
    assert "ESTABLISHED" in text  # and the sockets of every host


def test_a_run_ends_when_only_daemons_wake_up_by_themselves(network, server, client):
    def poll() -> None:
        while True:
            server.modules.time.sleep(0.5)

    server.spawn(poll, daemon=True)
    client.spawn(client.modules.time.sleep, 2)
    network.run()
    assert network.now == 2


def test_who_waits_while_only_daemons_wake_up_waits_for_ever(network, server, client):
    def poll() -> None:
        while True:
            server.modules.time.sleep(0.5)

    server.spawn(poll, daemon=True)
    client.spawn(listener(client).accept)
    with pytest.raises(Deadlock, match="client/accept waits"):
        network.run()


def test_a_daemon_that_does_something_is_waited_for_by_others(network, server, client):
    def serve() -> None:
        sock, _ = listener(server).accept()
        for _ in range(3):
            server.modules.time.sleep(60)
            sock.send(b"x")

    def collect() -> bytes:
        with dial(client) as sock:
            return b"".join(sock.recv(1) for _ in range(3))

    server.spawn(serve, daemon=True)
    collecting = client.spawn(collect)
    network.run()
    assert collecting.result == b"xxx"


# --- being killed ------------------------------------------------------------------------------------


class Thing:
    """Something that frames hold on to."""


def nested(host: Host, said: list[str], thing: Thing) -> None:
    """A call that waits, in every construct that wants to have a last word."""

    @contextmanager
    def generator() -> Iterator[None]:
        try:
            yield
        finally:
            said.append("generator")

    class Manager:
        def __enter__(self) -> None: ...

        def __exit__(self, *exc_info: object) -> None:
            said.append("__exit__")

    class Dropped:
        def __del__(self) -> None:
            said.append("__del__")

    dropped = Dropped()  # noqa: F841
    while True:
        try:
            try:
                with Manager(), generator():
                    sorted([2, 1], key=lambda number: host.modules.time.sleep(9) or number)
            finally:
                said.append("inner finally")
                said.append("its second line")
        except Exception:
            said.append("Exception")
        except BaseException as exception:
            said.append(repr(exception))
        except:  # noqa: E722
            said.append("bare except")
        finally:
            said.append("outer finally")


@pytest.mark.parametrize("end", [Host.crash, Host.kill])
def test_not_a_line_of_a_process_runs_when_its_host_ends(network, client, end):
    said: list[str] = []
    thing = Thing()
    dies = weakref.ref(thing)
    process = client.spawn(nested, client, said, thing)
    del thing
    network.run(until=1)
    end(client)
    assert process.state == "was killed"
    assert said == []
    gc.collect()
    assert dies() is None, "what its frames held is free"
    network.run(until=20)
    assert said == []


def test_not_a_line_of_a_process_runs_after_kill(network, client):
    said: list[str] = []
    process = client.spawn(nested, client, said, Thing())
    network.run(until=1)
    process.kill()
    process.kill()  # the second time means nothing
    assert (process.state, process.exception, said) == ("was killed", None, [])
    with pytest.raises(UsageError, match="has no result: it was killed"):
        process.result  # noqa: B018


def test_tracing_goes_on_as_before_after_a_kill(network, client):
    process = client.spawn(nested, client, [], Thing())
    network.run(until=1)
    lines: list[str] = []
    before = sys.gettrace()

    def trace(frame, event, argument):
        lines.append(event)
        return trace

    def traced() -> None:
        lines.append("traced")

    sys.settrace(trace)
    try:
        process.kill()
        lines.clear()
        traced()
    finally:
        sys.settrace(before)
    assert "call" in lines
    assert "traced" in lines


def test_a_process_that_crashes_its_own_host_gets_no_further(network, server, client):
    said = []

    def suicide() -> None:
        try:
            client.crash()
            said.append("after")
        finally:
            said.append("finally")

    process = client.spawn(suicide)
    other = client.spawn(nested, client, said, Thing())
    bystander = server.spawn(server.modules.time.sleep, 1)
    network.run()
    assert said == []
    assert (process.state, other.state, bystander.state) == ("was killed", "was killed", "ended")


def test_a_process_kills_another_and_goes_on(network, client):
    said: list[str] = []
    victim = client.spawn(nested, client, said, Thing())

    def shoot() -> str:
        client.modules.time.sleep(1)
        victim.kill()
        client.modules.time.sleep(1)
        return f"{victim.state} at {network.now}"

    shooting = client.spawn(shoot)
    network.run()
    assert shooting.result == "was killed at 2.0"
    assert said == []


def test_what_is_left_of_a_network_that_was_ended_does_nothing_in_the_next(network, client):
    told = []

    class Cycle:
        def __init__(self) -> None:
            self.itself = self

        def __del__(self) -> None:
            told.append("gone")

    def hold() -> None:
        cycle = Cycle()
        client.modules.time.sleep(100)
        del cycle

    process = client.spawn(hold)
    network.run(until="1s")
    kept.end(network)
    gc.collect()
    assert (process.state, told) == ("was killed", [])


def test_who_joins_a_process_that_is_killed_goes_on(network, client):
    victim = client.spawn(nested, client, [], Thing())
    joining = client.spawn(victim.join)
    network.run(until=1)
    victim.kill()
    network.run()
    assert joining.result is True


def test_a_process_that_has_not_begun_can_be_killed(network, client):
    begun = []
    process = client.spawn(begun.append, 1)
    process.kill()
    network.run()
    assert (begun, process.state) == ([], "was killed")


@pytest.mark.parametrize(("is_read", "seen"), [(True, b""), (False, ConnectionResetError)])
def test_what_a_process_that_returns_has_left_open_is_closed(network, server, client, is_read, seen):
    """exit(3); and RFC 2525, section 2.17, of what was not read.  What it returns cannot hold it open."""
    found: list[object] = []

    def serve():
        sock, _ = listener(server).accept()
        server.modules.time.sleep(1)
        if is_read:
            sock.recv(100)
        return sock

    def look():
        with dial(client) as sock:
            sock.sendall(b"hello")
            try:
                found.append(sock.recv(100))
            except ConnectionResetError as error:
                found.append(type(error))

    serving = server.spawn(serve)
    client.spawn(look)
    network.run()
    assert found == [seen]
    assert server.descriptors.items() == []
    with pytest.raises(OSError) as caught:
        serving.result.send(b"x")
    assert caught.value.errno == errno.EBADF


def test_the_number_of_what_was_closed_so_is_not_closed_twice(network, client):
    first = client.spawn(listener, client, 7)
    network.run()
    second = client.spawn(lambda: (listener(client, 8), first.result.close(), client.modules.time.sleep(9)))
    network.run(until="1s")
    assert second.is_alive
    assert len(client.descriptors.items()) == 1


def test_what_fails_and_ends_the_run_is_left_open_for_the_report(network, client):
    def fail():
        sock = listener(client)
        raise ValueError(f"of {sock.getsockname()[1]}")

    client.spawn(fail)
    with pytest.raises(ValueError, match="of 7"):
        network.run()
    assert "LISTEN" in str(network.netstat())


def test_a_file_of_this_computer_that_a_killed_process_had_is_closed_without_a_word(
    network, client, tmp_path, monkeypatch
):
    def write():
        file = open(tmp_path / "diary", "w")  # noqa: SIM115
        client.modules.time.sleep(9)
        file.close()

    process = client.spawn(write)
    network.run(until="1s")
    told: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", told.append)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        process.kill()
        gc.collect()
    assert told == []


def test_peers_of_a_killed_host_see_its_sockets_closed_and_those_of_a_crashed_one_nothing(
    network, server, client
):
    for end, told in ((Host.kill, b""), (Host.crash, TimeoutError)):
        net = Network()
        machine, peer = net.host("server"), net.host("client")
        machine.spawn(echo, machine, daemon=True)

        def ask_for_nothing(peer: Host = peer) -> object:
            with dial(peer) as sock:
                sock.settimeout(5)
                try:
                    return sock.recv(1)
                except TimeoutError:
                    return TimeoutError

        asking = peer.spawn(ask_for_nothing)
        net.run(until=1)
        end(machine)
        net.run()
        assert asking.result == told


def test_a_boot_program_spawns_anew_at_each_restart(network, server, client):
    server.boot(lambda: server.spawn(echo, server, daemon=True))

    def ask_twice() -> list[bytes]:
        answers = [ask(client)]
        client.modules.time.sleep(5)
        return [*answers, ask(client, b"again")]

    asking = client.spawn(ask_twice)
    network.at("1s").crash("server")
    network.at("2s").restart("server")
    network.run()
    assert asking.result == [b"hello", b"again"]


def test_nothing_is_spawned_on_a_host_that_is_down(network, client):
    client.crash()
    with pytest.raises(UsageError, match="host client is down"):
        client.spawn(ask, client)


def test_a_paused_host_wakes_nobody_until_it_goes_on(network, client):
    sleeping = client.spawn(client.modules.time.sleep, 2)
    network.at("1s").pause("client")
    network.at("5s").resume("client")
    network.run()
    assert (sleeping.state, network.now) == ("ended", 5.0)


# --- order and repetition ------------------------------------------------------------------------


def race(network: Network) -> str:
    client = network.host("client")
    order = []

    def run(name: str) -> None:
        client.modules.time.sleep(1)
        order.append(name)

    for name in "abc":
        client.spawn(run, name, name=name)
    network.run()
    return "".join(order)


def test_which_of_several_goes_first_is_a_pick():
    assert race(Network()) == "abc"
    # The first of the network's turns is at the beginning, among all three; the third at t=1 s.
    script = Script([Deviation("network", "turn", 3, "first", 3)])
    network = Network(script)
    assert race(network) == "cab"
    assert network.unmet() == ()


def test_a_storm_shuffles_processes_and_its_script_repeats_it():
    orders = {}
    for seed in range(40):
        network = Network(seed=seed)
        order = race(network)
        orders.setdefault(order, network.script())
        assert race(Network(network.script())) == order
    assert len(orders) > 2


def test_a_run_with_processes_repeats_to_the_byte():
    def digest(hash_seed: str) -> str:
        program = (
            "from tests.unit.test_processes import *\n"
            "network = Network(seed=5)\n"
            "server, client = network.host('server'), network.host('client')\n"
            "server.spawn(echo, server, 3, daemon=True)\n"
            "def several():\n"
            "    for _ in range(3):\n"
            "        try: ask(client)\n"
            "        except OSError: client.modules.time.sleep(1)\n"
            "client.spawn(several)\n"
            "network.run(until=600)\n"
            "print(network.trace.digest())"
        )
        done = subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": hash_seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert digest("1") == digest("2") != ""


def test_the_trace_tells_when_a_process_begins_and_ends(network, client):
    client.spawn(client.modules.time.sleep, 1, name="nap")
    network.run()
    told = [event[4] for event in network.trace.events if str(event[4]).startswith("client/")]
    assert told == ["client/nap begins", "client/nap ends"]


def test_faults_reach_a_process_as_they_are_on_linux(network, server, client):
    server.spawn(echo, server, daemon=True)
    network.on("client", "recv").reset()
    asking = client.spawn(ask, client)
    with pytest.raises(ConnectionResetError) as raised:
        network.run()
    assert raised.value.errno == errno.ECONNRESET
    assert asking.exception is raised.value


# --- limits ------------------------------------------------------------------------------------------


def test_a_run_in_another_thread_says_so(network, client):
    client.spawn(client.modules.time.sleep, 2)
    network.run(until=1)
    caught = []

    def go_on() -> None:
        try:
            network.run()
        except UsageError as error:
            caught.append(str(error))

    thread = threading.Thread(target=go_on)
    thread.start()
    thread.join()
    assert "client/sleep runs in another thread" in caught[0]


def test_importing_simnet_imports_no_greenlet():
    program = "import sys, simnet; simnet.Network().host('a'); print('greenlet' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
