"""Unmodified code in a process: the standard modules are those of its host, and only there."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import datetime
import gc
import http.client
import http.server
import os
import random
import secrets
import select
import selectors
import signal
import socket
import socketserver
import stat
import subprocess
import sys
import tempfile
import threading
import time
import types
import uuid
import warnings
import weakref
from multiprocessing.connection import Client, Listener
from time import monotonic as taken_before

import pytest

from simnet import Escaped, Network, fence
from simnet.process import kept
from simnet.process.interposed import hashes
from tests.unit.in_a_process import run

REAL = {"sleep": time.sleep, "urandom": os.urandom, "random": random.random, "pair": socket.socketpair}


KEPT = random.Random(7)


def drawn_by_default(generator=random.Random()) -> int:  # noqa: B008 - that is the case
    """As WebSocketWriter of aiohttp does it for its masks."""
    return generator.getrandbits(32)


class Keeper:
    """A class that kept a clock before anything was interposed."""

    clock = time.monotonic

    def read(self, clock=time.monotonic, *, other=time.monotonic):
        return clock(), other(), self.clock()


def echo() -> None:
    with socket.create_server(("", 7)) as listening:
        sock, _ = listening.accept()
        with sock:
            while data := sock.recv(100):
                sock.sendall(data)


# --- files of this computer ---------------------------------------------------------------------------


@pytest.mark.skipif(not hasattr(os, "sendfile"), reason="this system has no sendfile(2)")
def test_sendfile_sends_a_file_of_this_computer_by_a_socket_of_the_host(network, server, client, tmp_path):
    (tmp_path / "bread").write_bytes(b"brown bread, sliced")
    server.spawn(echo)

    def send() -> tuple[list[int], int, bytes]:
        with socket.create_connection(("server", 7)) as sock, open(tmp_path / "bread", "rb") as file:
            sent = [
                os.sendfile(sock.fileno(), file.fileno(), 6, 5),  # which does not move the file's position
                os.sendfile(sock.fileno(), file.fileno(), None, 5),
                os.sendfile(sock.fileno(), file.fileno(), None, 1),
                os.sendfile(sock.fileno(), file.fileno(), 100, 5),  # behind its end
            ]
            with pytest.raises(OSError, match="Invalid argument"):
                os.sendfile(sock.fileno(), sock.fileno(), None, 1)
            return sent, file.tell(), sock.recv(11, socket.MSG_WAITALL)

    sent, position, answer = run(network, client, send)
    assert (sent, position) == ([5, 5, 1, 0], 6)
    assert answer == b"breadbrown "


@pytest.mark.skipif(not hasattr(os, "sendfile"), reason="this system has no sendfile(2)")
def test_sendfile_is_short_where_the_kernel_takes_less(network, server, client, tmp_path):
    (tmp_path / "bread").write_bytes(b"brown bread")
    server.spawn(echo)

    def send() -> tuple[int, int]:
        with socket.create_connection(("server", 7)) as sock, open(tmp_path / "bread", "rb") as file:
            sock.setblocking(False)
            return os.sendfile(sock.fileno(), file.fileno(), None, 11), file.seek(0, os.SEEK_CUR)

    network.on("client", "send", nth=1).take(4)
    assert run(network, client, send) == (4, 4)


# --- sockets -----------------------------------------------------------------------------------------


def test_code_that_imports_socket_talks_on_the_virtual_network(network, server, client):
    def ask() -> tuple[bytes, object, str]:
        with socket.create_connection(("server", 7)) as sock:
            sock.sendall(b"hello")
            return sock.recv(100), sock.getpeername(), socket.gethostname()

    server.spawn(echo, daemon=True)
    assert run(network, client, ask) == (b"hello", ("10.0.0.1", 7), "client")
    assert network.now == 0.004  # SYN, SYN-ACK, data, echo: 4 x 1 ms


def test_a_socket_is_one_to_isinstance_and_to_its_subclasses(network, server, client):
    class Counting(socket.socket):
        sent = 0

        def send(self, data, *flags):
            self.sent += 1
            return super().send(data, *flags)

    def ask() -> object:
        with Counting() as sock:
            sock.connect(("server", 7))
            sock.send(b"x")
            return isinstance(sock, socket.socket), sock.recv(1), sock.sent, type(sock).__name__

    server.spawn(echo, daemon=True)
    assert run(network, client, ask) == (True, b"x", 1, "Counting")


def test_arguments_may_have_the_names_that_simnet_has_for_its_own(network, server, client):
    def ask() -> object:
        return socket.getaddrinfo(host="server", port=7, type=socket.SOCK_STREAM)[0][4]

    assert run(network, client, ask) == ("10.0.0.1", 7)


def test_a_class_that_is_put_in_the_place_of_the_sockets_keeps_its_methods(network, client, monkeypatch):
    class Slow(socket.socket):
        def connect(self, address: object) -> None:
            raise TimeoutError("timed out")

    def program() -> None:
        monkeypatch.setattr(socket, "socket", Slow)
        socket.create_connection(("client", 7))

    with pytest.raises(TimeoutError, match="timed out"):
        run(network, client, program)


def test_init_of_the_class_itself_makes_a_virtual_socket(network, client):
    class Old(socket.socket):
        def __init__(self):
            socket.socket.__init__(self, socket.AF_INET, socket.SOCK_DGRAM)

    def make() -> object:
        with Old() as sock:
            sock.bind(("", 9))
            return sock.getsockname(), sock.type, sock.family, sock.proto, sock.timeout

    assert run(network, client, make) == (("0.0.0.0", 9), socket.SOCK_DGRAM, socket.AF_INET, 0, None)


def test_pairs_files_and_duplicates_are_virtual(network, client):
    def use() -> object:
        left, right = socket.socketpair()
        twin = left.dup()
        left.close()
        with twin, right, right.makefile("rwb") as file:
            file.write(b"line\n")
            file.flush()
            twin.sendall(b"answer\n")
            return twin.recv(100), file.readline(), isinstance(left, socket.socket)

    assert run(network, client, use) == (b"line\n", b"answer\n", True)


def test_descriptors_are_the_hosts_and_files_are_of_this_computer(network, client, tmp_path):
    path = tmp_path / "text"

    def use() -> object:
        reader, writer = os.pipe()
        path.write_text("on disk")
        os.write(writer, b"in memory")
        found = os.read(reader, 100), path.read_text(), os.path.exists(path)
        os.close(reader)
        os.close(writer)
        return found, client.descriptors.items()

    assert run(network, client, use) == ((b"in memory", "on disk", True), [])


def test_code_outside_of_processes_is_untouched_meanwhile(network, client):
    before = time.monotonic()
    run(network, client, lambda: time.sleep(1000))
    assert time.monotonic() - before < 60
    with socket.socket() as real:
        assert real.fileno() >= 0
        assert type(real) is socket.socket
        assert os.get_inheritable(real.fileno()) is False
    assert datetime.datetime.now().year > 2020


def test_everything_is_as_before_when_the_fence_is_down(network, client):
    run(network, client, lambda: time.sleep(1))
    assert time.sleep is not REAL["sleep"]
    fence.take_down()
    assert time.sleep is REAL["sleep"]
    assert os.urandom is REAL["urandom"]
    assert random.random == REAL["random"]
    assert socket.socketpair is REAL["pair"]
    assert "__new__" not in vars(socket.socket)
    assert selectors.EpollSelector._selector_cls.__module__ == "select"
    assert not hasattr(selectors.EpollSelector._selector_cls, "original")
    assert Keeper.clock is time.monotonic is taken_before


def test_the_fence_sees_what_a_process_may_not_do(network, client):
    client.spawn(lambda: subprocess.run(["true"], check=True))
    with pytest.raises(Escaped, match="subprocess"):
        network.run()


def test_handlers_are_fenced_as_before_while_a_process_runs_beside_them(network, server, client):
    client.spawn(time.sleep, 1)
    with server:
        from simnet.loop import loop_for

        loop_for(server).call_later(0.5, lambda: time.time())
    with pytest.raises(Escaped, match=r"time\.time"):
        network.run()


def test_connections_of_multiprocessing_read_and_write_descriptors_of_the_host(network, server, client):
    """Their classes keep `os.read`, `os.write` and `os.close`."""

    def answer() -> None:
        with Listener(("", 7)) as listening, listening.accept() as connection:
            connection.send(connection.recv()[::-1])

    def ask() -> object:
        with Client(("server", 7)) as connection:
            connection.send([1, 2])
            return connection.recv(), client.descriptors.get(connection.fileno()) is not None

    server.spawn(answer)
    assert run(network, client, ask) == ([2, 1], True)


# --- clocks and entropy ------------------------------------------------------------------------------


def test_names_that_were_taken_before_tell_the_time_of_the_host(network, client):
    def read() -> object:
        time.sleep(2)
        return taken_before(), *Keeper().read()

    assert run(network, client, read) == (2.0, 2.0, 2.0, 2.0)


def test_the_wall_clock_is_the_hosts_however_it_is_read(network, client):
    client.clock.step(3600 * 10**9)

    def read() -> object:
        zone = datetime.timezone(datetime.timedelta(hours=2))
        return (
            datetime.datetime.now(),
            datetime.datetime.now(zone).isoformat(),
            datetime.datetime.now(tz=datetime.UTC).hour,
            datetime.date.today(),
            time.strftime("%H:%M"),
        )

    assert run(network, client, read) == (
        datetime.datetime(2020, 9, 13, 13, 26, 40),
        "2020-09-13T15:26:40+02:00",
        13,
        datetime.date(2020, 9, 13),
        "13:26",
    )


def test_who_only_reads_the_clock_gets_to_its_deadline(network, client):
    def spin() -> int:
        reads = 0
        while time.monotonic() < 0.001:
            reads += 1
        return reads

    assert run(network, client, spin) == 1_000 + 99  # at once, and one every 10 µs


def draws() -> object:
    return (
        os.urandom(8),
        random.random(),
        random.Random().random(),
        random.SystemRandom().random(),
        str(uuid.uuid4()),
        secrets.token_hex(8),
        tempfile.mktemp(),
    )


def test_entropy_is_the_same_in_every_run_and_another_on_every_host():
    def drawn(name: str) -> object:
        network = Network()
        return run(network, network.host(name), draws)

    assert drawn("a") == drawn("a")
    assert not set(drawn("a")) & set(drawn("b"))


def test_a_generator_that_a_module_keeps_is_the_hosts_in_a_process():
    def drawn() -> tuple[float, int, list[int]]:
        return KEPT.random(), drawn_by_default(), copy.copy(KEPT).sample(range(9), 3)

    before = KEPT.getstate()
    hosts = [Network().host(name) for name in ("server", "server", "client")]
    first, again, other = (run(host.network, host, drawn) for host in hosts)
    assert first == again
    assert first != other
    assert KEPT.getstate() == before
    assert KEPT.random() == random.Random(7).random()
    fence.take_down()
    assert type(KEPT) is random.Random


def test_the_generator_of_the_test_is_not_drawn_from(network, client):
    state = random.getstate()
    run(network, client, lambda: [random.random() for _ in range(10)])
    assert random.getstate() == state


def test_a_signal_handler_of_a_process_is_kept_for_its_host(network, client):
    before = signal.getsignal(signal.SIGTERM)

    def install() -> object:
        signal.signal(signal.SIGTERM, print)
        return signal.getsignal(signal.SIGTERM)

    assert run(network, client, install) is print
    assert signal.getsignal(signal.SIGTERM) == before


# --- what stands on them -----------------------------------------------------------------------------


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, *args):
        """Nothing is printed."""


def test_http_server_and_http_client_run_as_they_stand(network, server, client):
    def serve() -> None:
        with http.server.HTTPServer(("", 80), Handler) as listening:
            listening.serve_forever()

    def fetch() -> object:
        connection = http.client.HTTPConnection("server", timeout=5)
        connection.request("GET", "/")
        response = connection.getresponse()
        return response.status, response.read()

    server.spawn(serve, daemon=True)
    assert run(network, client, fetch) == (200, b"hello")


def test_a_stock_tcp_server_survives_a_reset(network, server, client):
    class Shout(socketserver.StreamRequestHandler):
        def handle(self):
            for line in self.rfile:
                self.wfile.write(line.upper())

    class Server(socketserver.TCPServer):
        def handle_error(self, request, client_address):
            failed.append(sys.exc_info()[0])

    failed: list[object] = []

    def serve() -> None:
        with Server(("", 7), Shout) as listening:
            listening.serve_forever()

    def ask() -> bytes:
        with socket.create_connection(("server", 7)) as sock, sock.makefile("rwb") as file:
            file.write(b"hello\n")
            file.flush()
            return file.readline()

    server.spawn(serve, daemon=True)
    network.on("server:7 -> client:1", "recv", nth=1).reset()
    first = client.spawn(ask)
    with pytest.raises(ConnectionResetError):
        first.join()
    assert run(network, client, ask) == b"HELLO\n"
    assert failed == [ConnectionResetError]


def test_asyncio_runs_its_own_selector_loop_in_virtual_time(network, server, client):
    async def serve() -> None:
        async def handle(reader, writer):
            while data := await reader.read(100):
                writer.write(data)
                await writer.drain()
            writer.close()

        async with await asyncio.start_server(handle, "", 7) as listening:
            await listening.serve_forever()

    async def ask() -> object:
        reader, writer = await asyncio.open_connection("server", 7)
        writer.write(b"hello")
        answer = await reader.read(100)
        writer.close()
        await writer.wait_closed()
        await asyncio.sleep(10)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), 5)
        loop = asyncio.get_running_loop()
        return answer, loop.time(), type(loop).__name__, type(writer.transport).__name__

    server.spawn(lambda: asyncio.run(serve()), daemon=True)
    answer, ended, loop, transport = run(network, client, lambda: asyncio.run(ask()))
    assert (answer, ended) == (b"hello", 15.004)
    assert (loop, transport) == ("_UnixSelectorEventLoop", "_SelectorSocketTransport")


def test_tasks_are_numbered_from_one_in_every_process(network, server, client):
    async def name_them() -> list[str]:
        loop = asyncio.get_running_loop()
        tasks = [asyncio.create_task(asyncio.sleep(0)), asyncio.Task(asyncio.sleep(0), loop=loop)]
        await asyncio.sleep(0)
        return [task.get_name() for task in (asyncio.current_task(), *tasks)]

    for host in (server, client, server):
        assert run(network, host, lambda: asyncio.run(name_them())) == ["Task-1", "Task-2", "Task-3"]


def test_timers_of_one_moment_fire_in_the_order_in_which_they_were_set(network, client):
    fired = []

    async def sleep(n: int) -> None:
        await asyncio.sleep(1)
        fired.append(n)

    async def set_them() -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        timers = [
            loop.call_at(now + 0.1 + 0.2, fired.append, "sum"),
            loop.call_at(now + 0.3, fired.append, "0.3"),
        ]
        assert timers[0].when() == now + 0.1 + 0.2
        loop.call_later(float("inf"), fired.append, "never")
        await asyncio.gather(*map(sleep, range(20)))

    run(network, client, lambda: asyncio.run(set_them()))
    assert fired == ["sum", "0.3", *range(20)]


class EarlierTask(asyncio.Task):
    """A class that was derived before anything was interposed."""


def test_objects_keep_their_classes_and_the_hash_that_they_have_told(network, client):
    with contextlib.closing(asyncio.new_event_loop()) as outside:
        earlier = outside.create_future()

        class Later(asyncio.Future):
            pass

        async def tell() -> object:
            loop = asyncio.get_running_loop()
            task = EarlierTask(asyncio.sleep(0), loop=loop)
            await task
            made = (asyncio.current_task(), task, loop.create_future(), Later(), earlier)
            return type(made[0]) is asyncio.Task, [hash(each) for each in made], made

        client.spawn(lambda: None)
        hash(earlier)
        is_task, told, made = run(network, client, lambda: asyncio.run(tell()))
        assert is_task
        assert told[4] == object.__hash__(earlier)
        assert [hash(each) for each in made] == told
        assert all(hash(each) != object.__hash__(each) for each in made[:4])
        fence.take_down()
        assert [hash(each) for each in made] == [object.__hash__(each) for each in made]
        assert "__hash__" not in {**vars(asyncio.Task), **vars(asyncio.Protocol), **vars(types.CoroutineType)}


def test_a_resolver_that_is_put_in_its_place_in_asyncio_is_asked(network, client, monkeypatch):
    """As tests of programs do it, with `mock.patch("asyncio.base_events.socket")`."""

    class Resolver(types.ModuleType):
        def getaddrinfo(self, *args: object) -> list[object]:
            return []

        def __getattr__(self, name: str) -> object:
            return getattr(socket, name)

    async def connect() -> None:
        await asyncio.open_connection("server", 7)

    monkeypatch.setattr(asyncio.base_events, "socket", Resolver("socket"))
    with pytest.raises(OSError, match=r"getaddrinfo\(\) returned empty list"):
        run(network, client, lambda: asyncio.run(connect()))


def test_names_are_looked_up_by_keywords_as_well(network, server, client):
    found = run(network, client, lambda: socket.getaddrinfo(host="server", port=7, type=socket.SOCK_STREAM))
    assert [address for *_, address in found] == [(server.address, 7)]


def test_an_epoll_is_made_of_a_descriptor_of_the_host(network, client):
    def program() -> list[int]:
        left, right = socket.socketpair()
        with left, right, select.epoll() as first, select.epoll.fromfd(os.dup(first.fileno())) as second:
            second.register(left, select.EPOLLOUT)
            return [events for _, events in first.poll()]

    assert run(network, client, program) == [select.EPOLLOUT]


def test_a_socket_is_bound_in_a_directory_of_this_computer(network, client):
    def program() -> object:
        with tempfile.TemporaryDirectory() as directory:
            path = f"{directory}/socket"
            with socket.socket(socket.AF_UNIX) as listening, socket.socket(socket.AF_UNIX) as sock:
                listening.bind(path)
                listening.listen()
                sock.connect(path)
                sock.sendall(b"hello")
                accepted, _ = listening.accept()
                with accepted:
                    return accepted.recv(100), stat.S_ISSOCK(os.stat(path).st_mode), os.listdir(directory)

    assert run(network, client, program) == (b"hello", True, [])


def test_a_file_of_this_computer_has_its_name(network, client, tmp_path):
    taken = tmp_path / "taken"
    taken.touch()

    def program() -> None:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.bind(str(taken))

    with pytest.raises(OSError, match="Address already in use"):
        run(network, client, program)


def test_asyncio_in_debug_mode_tells_who_has_made_a_task_or_set_a_timer(network, client):
    async def program() -> list[object]:
        loop = asyncio.get_running_loop()
        task = loop.create_task(asyncio.sleep(0))
        timers = [loop.call_later(1, print), loop.call_at(1, print)]
        await task
        for timer in timers:
            timer.cancel()
        return [made._source_traceback[-1].name for made in (task, *timers)]

    found = run(network, client, lambda: asyncio.run(program(), debug=True))
    assert found == ["program", "program", "program"]


def test_a_slow_name_holds_up_the_task_that_asks_and_no_other(network, server, client):
    async def ask() -> object:
        ticks: list[float] = []
        loop = asyncio.get_running_loop()

        async def tick() -> None:
            while True:
                await asyncio.sleep(1)
                ticks.append(loop.time())

        ticking = asyncio.create_task(tick())
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.open_connection("server", 7), 2.5)
        gave_up = loop.time()
        _, writer = await asyncio.open_connection("server", 7)
        connected = loop.time()
        writer.close()
        ticking.cancel()
        return gave_up, connected, ticks

    network.names.delay("server", "4s")
    server.spawn(echo, daemon=True)
    gave_up, connected, ticks = run(network, client, lambda: asyncio.run(ask()))
    assert (gave_up, connected) == (2.5, 6.502)  # 2.5 s + 4 s + a round trip of 2 ms
    assert ticks == [1, 2, 3, 4, 5, 6]


def test_a_name_that_is_known_at_once_needs_no_thread(network, server, client):
    async def ask() -> int:
        _, writer = await asyncio.open_connection("server", 7)
        writer.close()
        return threading.active_count()

    server.spawn(echo, daemon=True)
    assert run(network, client, lambda: asyncio.run(ask())) == 1


def test_a_crash_runs_no_finally_of_a_coroutine(network, client):
    said = []

    async def wait() -> None:
        try:
            async with asyncio.timeout(100):
                await asyncio.sleep(50)
        finally:
            said.append("finally")

    async def several() -> None:
        await asyncio.gather(wait(), asyncio.create_task(wait()))

    async def serve() -> None:
        accepted: list[object] = []
        async with await asyncio.start_server(lambda *streams: accepted.extend(streams), "", 7):
            _, writer = await asyncio.open_connection("127.0.0.1", 7)
            kept.append(weakref.ref(writer))
            await several()

    kept: list[weakref.ref] = []
    client.spawn(lambda: asyncio.run(serve()))
    network.run(until=1)
    client.crash()
    assert kept[0]() is None, "destructors have had their time"
    gc.collect()
    network.run(until=200)
    assert said == []


MIXED = """
import asyncio, socket
from simnet import Network, Script, dispatcher, dispatcher_with_send, parse

class Echo(dispatcher):
    def handle_accepted(self, sock, address):
        Channel(sock)

class Channel(dispatcher_with_send):
    def handle_read(self):
        self.send(self.recv(100))
    def handle_close(self):
        self.close()

def blocking():
    with socket.create_connection(("server", 7)) as sock:
        sock.sendall(b"blocking")
        return sock.recv(3) + sock.recv(100)

def asynchronous():
    async def ask():
        reader, writer = await asyncio.open_connection("server", 7)
        writer.write(b"asynchronous")
        answer = await reader.readexactly(12)
        writer.close()
        await writer.wait_closed()
        return answer
    return asyncio.run(ask())

network = Network(Script.of(map(parse, [
    "the 1st send of server:7 -> b:1 takes 5 bytes",
    "the 1st segment of a:1 -> server:7 is cut after 2 bytes",
    "the 1st segment of server:7 -> a:1 comes 20ms late",
])))
server = network.host("server")
with server:
    listening = Echo()
    listening.create_socket()
    listening.bind(("", 7))
    listening.listen(5)
clients = [network.host("a").spawn(blocking), network.host("b").spawn(lambda: asynchronous())]
network.run()
assert not network.unmet(), network.unmet()
print(*(client.result for client in clients), network.trace.digest())
"""


def test_an_asynchronous_generator_is_of_the_loop_it_began_in(network, server, client):
    ended = []

    async def numbers():
        try:
            for number in range(3):
                await asyncio.sleep(2)
                yield number
        finally:
            ended.append((socket.gethostname(), time.monotonic()))

    async def first() -> None:
        await asyncio.sleep(1)  # by then the loop of the client runs
        async for _ in (kept := numbers()):
            await asyncio.sleep(100)
            assert kept is not None
            break

    async def wait() -> None:
        await asyncio.sleep(10)

    server.spawn(lambda: asyncio.run(first()))
    client.spawn(lambda: asyncio.run(wait()))
    network.run()
    assert ended == [("server", 103.0)]
    assert sys.get_asyncgen_hooks() == (None, None)


def test_a_loop_without_tasks_is_killed_as_any_other(network, client):
    def serve() -> None:
        asyncio.new_event_loop().run_forever()

    process = client.spawn(serve, daemon=True)
    network.run()
    process.kill()
    assert process.state == "was killed"


def test_a_process_that_imports_asyncio_itself_runs_as_one_that_finds_it_imported():
    program = """
from simnet import Network

def look_up():
    import asyncio
    async def ask():
        loop = asyncio.get_running_loop()
        await loop.getaddrinfo("client", 7)
        await loop.run_in_executor(None, print, "asked")
    asyncio.run(ask())

for _ in range(2):
    network = Network()
    network.host("client").spawn(look_up)
    network.run()
    print(network.trace.digest())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    _, first, _, again = done.stdout.split()
    assert first == again


def test_a_loop_of_a_killed_process_that_a_package_keeps_goes_without_a_word(network, client):
    """As tornado keeps them; warnings are errors here, and one of a destructor is reported after the test."""
    kept = []

    async def serve() -> None:
        kept.append(asyncio.get_running_loop())
        await asyncio.Event().wait()

    process = client.spawn(lambda: asyncio.run(serve()), daemon=True)
    network.run()
    process.kill()
    kept.clear()
    gc.collect()


def test_looks_that_find_nothing_cost_time_only_where_many_are_made_at_one_moment(network, client):
    def look_now_and_then() -> float:
        for _ in range(300):
            select.select([], [], [], 0)
            time.sleep(1)
        return time.monotonic()

    assert run(network, client, look_now_and_then) == 300


def test_a_function_that_a_program_has_put_into_the_socket_module_does_not_reach_the_kernel():
    program = """
import socket
socket.inet_ntop = socket.inet_pton = None
from simnet import Network

network = Network()
serving = network.host("server").spawn(lambda: socket.create_server(("10.0.0.1", 80)).getsockname())
network.run()
print(serving.result)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "('10.0.0.1', 80)\n"


def test_three_kinds_in_one_run_have_one_digest_whatever_the_hash_seed():
    def outcome(hash_seed: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", MIXED],
            env={"PYTHONHASHSEED": hash_seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert outcome("1") == outcome("2") == MIXED_OUTCOME


MIXED_OUTCOME = "b'blocking' b'asynchronous' 97839b9475e51302df2cb0972f257d86\n"
"""The same on every Python."""


# --- the end of it -----------------------------------------------------------------------------------


def test_networks_whose_servers_wait_for_ever_do_not_pile_up(monkeypatch):
    monkeypatch.setattr(kept, "KEPT_MAX", 3)
    said, alive = [], []
    for _ in range(300):
        network = Network()
        host = network.host("server")

        def serve() -> None:
            try:
                with socket.create_server(("", 7)) as listening:
                    listening.accept()
            finally:
                said.append("finally")

        host.spawn(serve, daemon=True)
        network.run()
        alive.append(weakref.ref(network))
        del network, host, serve
    gc.collect()
    assert (
        sum(reference() is not None for reference in alive) <= 3 + 2
    )  # those that are kept, and what a frame of this test may still hold
    assert said == []


def test_a_server_of_files_tells_the_size_of_a_file_and_not_of_a_socket(network, server, client, tmp_path):
    """It asks fstat of the number of the file, which a socket of the host might have as well."""
    (tmp_path / "menu").write_bytes(b"bread and butter")

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=tmp_path)

        def log_message(self, *args):
            """Nothing is printed."""

    def serve():
        taken = [socket.socket() for _ in range(64)]
        with http.server.HTTPServer(("", 80), Quiet) as serving:
            serving.handle_request()
        for sock in taken:
            sock.close()

    def fetch():
        connection = http.client.HTTPConnection("server")
        connection.request("GET", "/menu")
        with connection.getresponse() as response:
            answer = response.getheader("Content-Length"), response.read()
        connection.close()
        return answer

    server.spawn(serve)
    assert run(network, client, fetch) == ("16", b"bread and butter")


def test_a_file_of_this_computer_is_not_closed_in_the_place_of_a_socket(client, network, tmp_path):
    """Sockets of the host have had the lowest numbers; a file of this computer has another one than they."""

    def program():
        taken = [socket.socket() for _ in range(64)]
        file = os.open(tmp_path / "file", os.O_WRONLY | os.O_CREAT)
        os.write(file, b"of this computer")
        os.close(file)
        numbers = [sock.fileno() for sock in taken]
        states = [sock.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE) for sock in taken]
        for sock in taken:
            sock.close()
        return file in numbers, set(states), (tmp_path / "file").read_bytes()

    assert run(network, client, program) == (False, {socket.SOCK_STREAM}, b"of this computer")


@pytest.mark.parametrize(("module", "names"), hashes._OF_PACKAGES.items())
def test_classes_of_packages_are_numbered_in_every_process(network, client, server, module, names):
    pytest.importorskip(module)

    def number() -> object:
        classes = [type("Own", (getattr(sys.modules[module], name),), {}) for name in names]
        made = [cls.__new__(cls) for cls in classes for _ in range(3)]
        return [hash(each) % (1 << hashes._PROCESS_BITS) for each in made]

    for host in (client, server):
        assert run(network, host, number) == [0, 1, 2] * len(names)


def test_the_finalizer_of_a_killed_loop_says_nothing(network, client):
    kept = []

    async def main() -> None:
        kept.append(asyncio.get_running_loop())  # so that it outlives the process
        await asyncio.sleep(60)

    process = client.spawn(lambda: asyncio.run(main()))
    network.run(until="1s")
    process.kill()
    assert kept[0].is_closed()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        kept[0].__del__()
