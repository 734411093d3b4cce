"""Numbers of descriptors in a process: those of its host are none of this computer, whoever closes them."""

from __future__ import annotations

import array
import asyncio
import errno
import fcntl
import gc
import io
import multiprocessing.connection
import os
import select
import socket
import sys
import tempfile
import time
from contextlib import suppress

import pytest

from simnet import Network, fence
from simnet.garbage import RARELY, YOUNG_MAX
from simnet.transport import HOSTED
from tests.unit.in_a_process import run

HIGH = 600
"""A number that nothing else in this interpreter has."""


@pytest.fixture
def real(tmp_path):
    """A descriptor of this computer."""
    low = os.open(tmp_path / "of the test", os.O_RDWR | os.O_CREAT)
    fd = fcntl.fcntl(low, fcntl.F_DUPFD, HIGH)
    os.close(low)
    os.write(fd, b"of the test")
    yield fd
    os.close(fd)


def as_in_the_test(fd: int) -> None:
    assert os.pread(fd, 100, 0) == b"of the test"


class Node:
    """Keeps itself and what it is given alive until the collector comes."""

    def __init__(self, kept: object) -> None:
        self.kept, self.myself = kept, self


# --- what is left behind closes nothing --------------------------------------------------------------


def leave_a_file() -> None:
    number = fcntl.fcntl(os.pipe()[0], fcntl.F_DUPFD, HIGH)
    Node(os.fdopen(number, "rb", 0))


def leave_an_object_of_c() -> None:
    number = fcntl.fcntl(os.pipe()[0], fcntl.F_DUPFD, HIGH)
    with pytest.raises(OSError, match="Bad file descriptor"):
        Node(io.FileIO(number))


def leave_a_number() -> None:
    class Closing:
        def __del__(self) -> None:
            with suppress(OSError):
                os.close(number)

    number = fcntl.fcntl(os.pipe()[0], fcntl.F_DUPFD, HIGH)
    Node(Closing())


@pytest.mark.parametrize("leave", [leave_a_file, leave_an_object_of_c, leave_a_number])
def test_what_a_process_leaves_to_the_collector_closes_nothing_of_this_computer(network, client, real, leave):
    run(network, client, leave)
    gc.collect()
    as_in_the_test(real)


def test_nor_does_what_a_killed_process_leaves(network, client, real):
    def wait() -> None:
        kept.append(Node(os.fdopen(fcntl.fcntl(os.pipe()[0], fcntl.F_DUPFD, HIGH), "rb", 0)))
        select.select([], [], [])

    kept: list[Node] = []
    process = client.spawn(wait)
    network.run(until=1)
    process.kill()
    kept.clear()
    gc.collect()
    as_in_the_test(real)


def test_a_connection_that_outlives_its_process_is_collected_in_silence(network, server, client):
    def leave() -> None:
        Node(multiprocessing.connection.Pipe())

    def collect() -> list[object]:
        kept = os.pipe()
        gc.collect()
        os.fstat(kept[0])
        return client.descriptors.items()

    run(network, client, leave)
    gc.collect()
    again = Network()
    run(again, again.host("client"), leave)
    run(network, server, collect)


def test_no_two_hosts_have_the_same_numbers_and_none_after_a_crash(network, server, client):
    def opens() -> None:
        numbers.append(os.dup(os.pipe()[0]))

    numbers: list[int] = []
    client.spawn(opens)
    server.boot(lambda: server.spawn(opens))
    network.run()
    server.crash()
    server.restart()
    network.run()
    assert len(set(numbers)) == 3
    assert min(numbers) > HOSTED


def test_numbers_repeat_from_network_to_network():
    def numbers() -> object:
        network = Network()
        return run(network, network.host("a"), os.pipe)

    assert numbers() == numbers() == (HOSTED + 3, HOSTED + 4)


def test_handlers_on_a_host_without_processes_have_small_numbers(server):
    assert server.modules.socket.socket().fileno() == 3


def test_who_closes_every_number_closes_those_of_its_host_alone(network, client, real):
    def daemonize() -> object:
        reader, _ = os.pipe()
        for fd in range(3, HIGH + 10):
            with pytest.raises(OSError):
                os.close(fd)
        os.fstat(reader)
        os.closerange(3, HIGH + 10)
        with pytest.raises(OSError):
            os.fstat(reader)
        return client.descriptors.items()

    assert run(network, client, daemonize) == []
    as_in_the_test(real)


def test_nothing_is_put_in_the_place_of_a_descriptor_of_the_test(network, client, real, tmp_path):
    def replace() -> None:
        with pytest.raises(NotImplementedError, match=str(HIGH)):
            os.dup2(os.pipe()[0], HIGH)
        fd = os.open(tmp_path / "other", os.O_RDWR | os.O_CREAT)
        with pytest.raises(NotImplementedError, match=str(HIGH)):
            os.dup2(fd, HIGH)
        os.close(fd)

    run(network, client, replace)
    as_in_the_test(real)


# --- files of this computer --------------------------------------------------------------------------


def test_files_of_this_computer_work_by_their_numbers(network, client, tmp_path):
    def use() -> object:
        fd, name = tempfile.mkstemp(dir=tmp_path)
        os.write(fd, b"one, two")
        os.lseek(fd, 0, os.SEEK_SET)
        found = [os.read(fd, 3), os.pread(fd, 3, 5), os.fstat(fd).st_size, os.isatty(fd)]
        twin = os.dup(fd)
        os.close(fd)
        os.ftruncate(twin, 5)
        with os.fdopen(twin, "r+b") as file:
            found.append(file.read())
        with open(name) as text:
            found += [text.read(), text.fileno() < HOSTED]
            os.close(os.dup(text.fileno()))
        return found

    assert run(network, client, use) == [b"one", b"two", 8, False, b", ", "one, ", True]


def test_a_file_is_sent_by_sendfile(network, client, tmp_path):
    (tmp_path / "menu").write_bytes(b"bread and butter" * 4096)  # 64 KiB

    def send() -> object:
        left, right = socket.socketpair()
        left.setblocking(False)
        with left, right, open(tmp_path / "menu", "rb") as file:
            sent = os.sendfile(left.fileno(), file.fileno(), 6, 10)
            whole = os.sendfile(left.fileno(), file.fileno(), None, 1 << 20)
            assert os.lseek(file.fileno(), 0, os.SEEK_CUR) == whole
            data = right.recv(10), len(right.recv(1 << 20, socket.MSG_WAITALL | socket.MSG_DONTWAIT))
            return sent, data, whole

    sent, (start, rest), whole = run(network, client, send)
    assert (sent, start) == (10, b"and butter")
    assert 0 < rest <= whole <= 65_536


def test_asyncio_sends_files(network, server, client, tmp_path):
    (tmp_path / "menu").write_bytes(b"bread and butter" * 65_536)  # 1 MiB, more than a buffer

    async def serve() -> None:
        done = asyncio.Event()

        async def handle(reader, writer) -> None:
            with open(tmp_path / "menu", "rb") as file:
                await asyncio.get_running_loop().sendfile(writer.transport, file)
            writer.close()
            done.set()

        async with await asyncio.start_server(handle, "", 7):
            await done.wait()

    async def fetch() -> int:
        reader, writer = await asyncio.open_connection("server", 7)
        size = len(await reader.read())
        writer.close()
        return size

    server.spawn(lambda: asyncio.run(serve()), daemon=True)
    assert run(network, client, lambda: asyncio.run(fetch())) == 16 * 65_536


# --- file objects on numbers of the host -------------------------------------------------------------


def test_pipes_are_files_as_os_fdopen_makes_them(network, client):
    def use() -> object:
        reader, writer = os.pipe()
        with os.fdopen(reader) as source, os.fdopen(writer, "w", 1) as target:
            target.write("bread\nbutter")
            target.flush()
            found = [source.readline(), source.fileno() == reader, source.mode, target.name == writer]
            assert type(source.buffer.raw).__name__ == "FileIO"
            with pytest.raises(OSError, match="Illegal seek"):
                source.buffer.raw.seek(0)
            with pytest.raises(io.UnsupportedOperation):
                source.buffer.raw.write(b"x")
            target.close()
            found.append(source.read())
        with pytest.raises(OSError):
            os.fstat(reader)
        return found, client.descriptors.items()

    assert run(network, client, use) == (["bread\n", True, "r", True, "butter"], [])


def test_a_reader_waits_for_another_thread_to_write(network, client):
    import threading
    import time

    def use() -> object:
        reader, writer = os.pipe()

        def write() -> None:
            time.sleep(2)
            with open(writer, "wb", 0) as target:
                target.write(b"late")

        threading.Thread(target=write).start()
        with open(reader, "rb") as source:
            return source.read(), time.monotonic()

    assert run(network, client, use) == (b"late", 2.0)


def test_a_number_that_is_not_open_makes_no_file(network, client):
    def use() -> None:
        reader, writer = os.pipe()
        os.close(reader)
        os.close(writer)
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fdopen(reader)
        with pytest.raises(ValueError, match="unbuffered text"):
            os.fdopen(os.dup(os.pipe()[0]), "r", 0)

    run(network, client, use)


def test_asyncio_reads_and_writes_pipes(network, client):
    async def use() -> object:
        loop = asyncio.get_running_loop()
        reader, writer = os.pipe()
        stream = asyncio.StreamReader()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stream), os.fdopen(reader, "rb", 0))
        transport, _ = await loop.connect_write_pipe(asyncio.Protocol, os.fdopen(writer, "wb", 0))
        transport.write(b"through a pipe")
        transport.close()
        return await stream.read()

    assert run(network, client, lambda: asyncio.run(use())) == b"through a pipe"


def test_connections_of_multiprocessing_are_virtual(network, client):
    def use() -> object:
        left, right = multiprocessing.connection.Pipe()
        with left, right:
            left.send({"answer": 42})
            return right.poll(1), right.recv(), client.descriptors.items() != []

    assert run(network, client, use) == (True, {"answer": 42}, True)


def test_what_a_killed_process_had_in_a_buffer_is_lost(network, client):
    def wait() -> None:
        file = os.fdopen(writer[1], "wb")
        file.write(b"not flushed")
        kept.append(file)
        select.select([], [], [])

    kept: list[object] = []
    writer = client.modules.os.pipe()
    process = client.spawn(wait)
    network.run(until=1)
    process.kill()
    kept.clear()
    gc.collect()
    client.modules.os.set_blocking(writer[0], False)
    with pytest.raises(BlockingIOError):
        client.modules.os.read(writer[0], 100)


def test_no_finally_of_a_killed_process_is_run_by_the_collector(network, client):
    def wait() -> None:
        def generate():
            try:
                yield
            finally:
                said.append("finally")

        generator = generate()
        next(generator)
        Node(generator)
        select.select([], [], [])

    said: list[str] = []
    process = client.spawn(wait)
    network.run(until=1)
    process.kill()
    gc.collect()
    assert said == []


# --- what is asked of a number -----------------------------------------------------------------------


def test_calls_on_a_virtual_number_answer_as_for_a_socket_or_say_what_is_not_simulated(network, client):
    def ask() -> object:
        with socket.socket() as sock:
            fd = sock.fileno()
            found = [os.isatty(fd), os.path.exists(fd), fcntl.fcntl(sock, fcntl.F_GETFL)]
            with pytest.raises(OSError) as seek:
                os.lseek(fd, 0, 0)
            for call in (os.pread, os.fsync, os.ttyname, os.fpathconf):
                with pytest.raises(NotImplementedError, match=call.__name__):
                    call(fd, 1, 0) if call is os.pread else call(fd)
            with pytest.raises(NotImplementedError, match="flock"):
                fcntl.flock(fd, fcntl.LOCK_SH)
            return *found, seek.value.errno

    assert run(network, client, ask) == (False, True, os.O_RDWR, errno.ESPIPE)


def test_numbers_go_through_messages_and_select_as_they_do_on_linux(network, client):
    def use() -> object:
        left, right = socket.socketpair()
        with left, right:
            socket.send_fds(left, [b"x"], [left.fileno()])
            _, (twin,), *_ = socket.recv_fds(right, 1, 1)
            taken = array.array("i", [twin])
            with socket.socket(fileno=taken[0]) as third:
                third.send(b"y")
                return select.select([left, right.fileno()], [], [], 0)[0] == [right.fileno()]

    assert run(network, client, use) is True


# --- when the collector closes -----------------------------------------------------------------------


def dials_and_leaves_it_in_a_cycle() -> None:
    for _ in range(3):
        Node(socket.create_connection(("server", 7)))
    import time

    time.sleep(5)


def outcome_with_collections(collections: list[int], function=dials_and_leaves_it_in_a_cycle) -> object:
    """How a run goes on after some collections that the interpreter made by itself."""

    def serve() -> None:
        with socket.create_server(("", 7)) as listening:
            accepted = [listening.accept()[0] for _ in range(3)]
            ended.append([select.select([sock], [], [], 1) != ([], [], []) for sock in accepted])

    ended: list[object] = []
    network = Network()
    network.host("server").spawn(serve, daemon=True)
    network.host("client").spawn(function, daemon=True)
    network.run(until=1)
    for generation in collections:
        real_collect(generation)
    network.run(until=20)
    return ended, network.trace.digest()


real_collect = gc.collect


def test_a_run_is_the_same_whenever_the_collector_comes():
    calm = outcome_with_collections([])
    assert calm[0] == [[False, False, False]]
    assert outcome_with_collections([0]) == outcome_with_collections([2, 2]) == calm


def keeps_a_file_that_is_in_a_cycle_too() -> None:
    """What is freed when the cycle is collected is one reference of two: the other one closes the socket."""
    import time

    file = socket.create_connection(("server", 7)).makefile("rb")
    Node(file)
    time.sleep(2)
    del file
    time.sleep(2)


def test_a_run_is_the_same_whatever_is_allocated_between_two_runs():
    def digest(allocations: int) -> str:
        network = Network()
        listening = network.host("server").modules.socket.create_server(("", 7))
        network.host("client").spawn(keeps_a_file_that_is_in_a_cycle_too)
        network.run(until=1)
        junk = [[] for _ in range(allocations)]
        network.run()
        assert len(junk) == allocations
        listening.close()
        return network.trace.digest()

    before = gc.get_threshold()
    assert digest(0) == digest(50_000)
    assert gc.get_threshold() == before, "no process is alive"


def test_the_collector_comes_as_ever_when_the_fence_is_down(network, client):
    before = gc.get_threshold()
    client.spawn(select.select, [], [], [], daemon=True)
    network.run()
    assert gc.get_threshold()[0] == RARELY
    fence.take_down()
    assert gc.get_threshold() == before


def test_garbage_of_networks_does_not_pile_up():
    def serve() -> None:
        with socket.create_server(("", 7)) as listening:
            listening.accept()

    most = 0
    for _ in range(100):
        network = Network()
        network.host("server").spawn(serve, daemon=True)
        network.run()
        junk: list[list[object]] = [[None] for _ in range(3000)]
        junk.append(junk)
        most = max(most, gc.get_count()[0])
    assert most < 2 * YOUNG_MAX  # of more than 300,000 that are garbage


def test_a_collection_that_is_asked_for_closes_what_was_left(monkeypatch):
    def collects() -> None:
        dials_and_leaves_it_in_a_cycle()
        gc.collect()

    def serve_to_the_end() -> None:
        with socket.create_server(("", 7)) as listening:
            for sock in [listening.accept()[0] for _ in range(3)]:
                ended.append(sock.recv(1))

    def run(collections: list[int]) -> str:
        network = Network()
        network.host("server").spawn(serve_to_the_end)
        network.host("client").spawn(collects)
        network.run(until=1)
        for generation in collections:
            real_collect(generation)
        network.run()
        return network.trace.digest()

    ended: list[bytes] = []
    assert run([]) == run([2]) == run([0, 1])
    assert ended == [b""] * 9


def test_the_test_asks_for_a_collection_as_well(network, server, client):
    def dial() -> None:
        Node(socket.socket())
        select.select([], [], [])

    client.spawn(dial, daemon=True)
    network.run()
    assert len(client.descriptors.items()) == 1
    gc.collect()
    assert client.descriptors.items() == []


def test_an_epoll_is_made_of_a_number(network, client):
    def use() -> object:
        left, right = socket.socketpair()
        with left, right, select.epoll() as epoll:
            epoll.register(left, select.EPOLLIN)
            with select.epoll.fromfd(os.dup(epoll.fileno())) as twin:
                right.send(b"x")
                return twin.poll(0) == [(left.fileno(), select.EPOLLIN)]

    assert run(network, client, use) is True


# --- paths -------------------------------------------------------------------------------------------


def test_a_socket_is_bound_in_a_directory_of_this_computer(network, client, tmp_path):
    def use() -> object:
        with tempfile.TemporaryDirectory(dir=tmp_path) as directory:
            path = os.path.join(directory, "socket")
            with socket.socket(socket.AF_UNIX) as listening, socket.socket(socket.AF_UNIX) as sock:
                listening.bind(path)
                listening.listen()
                os.chmod(path, 0o660)
                sock.connect(path)
                mode = os.stat(path).st_mode
            os.unlink(path)
            with open(path, "w") as file:
                file.write("of this computer")
            size = os.stat(path).st_size
        return oct(mode), size, os.path.exists(directory)

    assert run(network, client, use) == (oct(0o140660), 16, False)
    assert os.listdir(tmp_path) == []


def test_a_server_of_asyncio_has_a_path_in_a_directory_of_the_test(network, client, tmp_path):
    async def use() -> bytes:
        async def greet(reader, writer) -> None:
            writer.write(b"hello")
            writer.close()

        for _ in range(2):  # the second finds the socket of the first, and takes its place
            await asyncio.start_unix_server(greet, tmp_path / "socket")
        reader, writer = await asyncio.open_unix_connection(tmp_path / "socket")
        answer = await reader.read()
        writer.close()
        return answer

    assert run(network, client, lambda: asyncio.run(use())) == b"hello"
    assert os.listdir(tmp_path) == []


def test_no_socket_is_bound_where_there_is_no_directory(network, client, tmp_path):
    def use() -> None:
        with socket.socket(socket.AF_UNIX) as sock, pytest.raises(FileNotFoundError):
            sock.bind(str(tmp_path / "nowhere" / "socket"))

    run(network, client, use)


class Closing:
    """As file_wrapper in asyncore: it closes its descriptor when it is collected."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.itself = self

    def __del__(self) -> None:
        os.close(self.fd)


def test_a_destructor_of_what_a_killed_process_had_has_nothing_to_close(network, client, monkeypatch):
    def program() -> None:
        made.append(Closing(os.pipe()[0]))
        time.sleep(9)

    made: list[Closing] = []
    unraisable: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", unraisable.append)
    process = client.spawn(program)
    network.run(until=1)
    process.kill()
    made.clear()
    gc.collect()
    assert unraisable == []
