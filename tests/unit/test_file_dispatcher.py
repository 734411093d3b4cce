"""Dispatchers of pipes and other files, one body on every kind of stage."""

import errno
import os

import pytest

from simnet import dispatcher_with_send, file_dispatcher
from simnet.loop import loop_for
from tests.unit.stages import STAGES, everywhere, on_this_computer


@pytest.fixture
def stage(request):
    made = STAGES[request.param]()
    yield made
    made.close()


class Told(file_dispatcher):
    """Writes down what it is told, and reads."""

    def __init__(self, *args, **kwargs):
        self.told, self.received = [], b""
        super().__init__(*args, **kwargs)

    def handle_read(self):
        self.received += self.recv(4096)

    def handle_close(self):
        self.told.append("close")
        self.close()


class Writer(Told):
    """Writes all of `data`."""

    data = b""

    def writable(self):
        return bool(self.data)

    def handle_write(self):
        self.data = self.data[self.send(self.data) :]


def pipe(stage):
    """The ends of a pipe of the server's machine, that the test has to close."""
    return stage.server.modules.os.pipe()


def ends(stage, reader_kind=Told, writer_kind=Writer):
    """A channel for each end of a pipe; nobody else has it open."""
    machine = stage.server.modules.os
    fds = pipe(stage)
    with stage.server:
        channels = reader_kind(fds[0]), writer_kind(fds[1])
    for fd in fds:
        machine.close(fd)
    return channels


@everywhere
def test_a_megabyte_goes_through_a_pipe_and_then_its_end(stage):
    reader, writer = ends(stage)
    data = bytes(range(256)) * 4096
    writer.data = data
    stage.run(lambda: len(reader.received) == len(data))
    assert reader.received == data
    assert reader.told == []
    writer.close()
    stage.run(lambda: reader.told)
    assert reader.told == ["close"]
    assert loop_for(stage.server).map == {}


@everywhere
def test_the_end_of_an_empty_pipe_is_told(stage):
    reader, writer = ends(stage)
    writer.close()
    stage.run(lambda: reader.told == ["close"])
    assert reader.received == b""


@everywhere
def test_what_was_written_before_the_end_is_read_first(stage):
    reader, writer = ends(stage)
    assert writer.send(b"last words") == 10
    writer.close()
    stage.run(lambda: reader.told)
    assert (reader.received, reader.told) == (b"last words", ["close"])


@everywhere
def test_a_writing_end_with_nothing_to_write_is_told_that_nobody_reads_any_more(stage):
    reader, writer = ends(stage)
    reader.close()
    stage.run(lambda: writer.told == ["close"])


@everywhere
def test_a_writing_end_that_never_reads_is_told_of_it_too(stage):
    class WritesOnly(file_dispatcher):
        is_over = False

        def handle_close(self):
            self.is_over = True
            self.close()

    reader, writer = ends(stage, Told, WritesOnly)
    reader.close()
    stage.run(lambda: writer.is_over)


@everywhere
def test_a_writing_end_in_the_middle_is_told_once(stage):
    class Slow(Told):
        def readable(self):
            return False

    reader, writer = ends(stage, Slow)
    writer.data = bytes(200_000)
    stage.run(lambda: len(writer.data) < 200_000)
    reader.close()
    stage.run(lambda: writer.told)
    assert writer.told == ["close"]
    assert writer.socket.fileno() == -1


@everywhere
def test_a_send_after_the_last_reader_is_gone_closes_the_channel(stage):
    reader, writer = ends(stage)
    reader.close()
    assert writer.send(b"x") == 0  # EPIPE
    assert writer.told == ["close"]


@everywhere
def test_a_full_pipe_takes_nothing_and_raises_nothing(stage):
    _, writer = ends(stage)
    while writer.send(bytes(65_536)):
        pass
    assert writer.told == []


@everywhere
def test_the_channel_has_a_duplicate_and_the_given_descriptor_stays_the_programs(stage):
    machine = stage.server.modules.os
    reading, writing = pipe(stage)
    with stage.server:
        reader = Told(reading)
    assert reader.socket.fileno() != reading
    reader.close()
    reader.close()
    machine.write(writing, b"x")
    assert machine.read(reading, 10) == b"x"
    machine.close(reading)
    machine.close(writing)


@everywhere
def test_the_file_does_not_block_any_more(stage):
    machine = stage.server.modules.os
    reading, writing = pipe(stage)
    assert machine.get_blocking(reading)
    with stage.server:
        Told(reading)
    assert not machine.get_blocking(reading)
    machine.close(reading)
    machine.close(writing)


@everywhere
def test_a_file_object_is_taken_by_its_descriptor(stage):
    class Object:
        def __init__(self, fd):
            self.fd = fd

        def fileno(self):
            return self.fd

    machine = stage.server.modules.os
    reading, writing = pipe(stage)
    with stage.server:
        reader = Told(Object(reading))
    machine.write(writing, b"x")
    stage.run(lambda: reader.received == b"x")
    machine.close(reading)
    machine.close(writing)


@everywhere
def test_a_descriptor_that_is_not_open_is_ebadf(stage):
    with stage.server, pytest.raises(OSError) as caught:
        Told(1_000)
    assert caught.value.errno == errno.EBADF


@everywhere
def test_a_pipe_feeds_a_socket(stage):
    """Channels of both kinds in one loop: what comes out of a pipe goes to a peer."""

    class Feeds(Told):
        def handle_read(self):
            self.sink.send(self.recv(4096))

        def handle_close(self):
            super().handle_close()
            self.sink.close()

    class Reader(dispatcher_with_send):
        received, is_over = b"", False

        def handle_read(self):
            self.received += self.recv(4096)

        def handle_close(self):
            self.is_over = True
            self.close()

    reader, writer = ends(stage, Feeds)
    left, right = stage.server.modules.socket.socketpair()
    with stage.server:
        reader.sink, peer = dispatcher_with_send(left), Reader(right)
    writer.data = b"through a pipe and a pair of sockets"
    stage.run(lambda: len(peer.received) == 36)
    writer.close()
    stage.run(lambda: peer.is_over)
    assert peer.received == b"through a pipe and a pair of sockets"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no FIFOs")
@on_this_computer
def test_a_fifo_is_read_from_its_first_writer_to_its_last(stage):
    path = stage.path("fifo")
    os.mkfifo(path)
    reading = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with stage.server:
        reader = Told(reading)
    os.close(reading)
    waited = []
    reader.call_later("5ms", waited.append, True)
    stage.run(lambda: waited)
    assert reader.told == []  # nobody has opened it to write yet: that is not its end
    writing = os.open(path, os.O_WRONLY)
    os.write(writing, b"hello")
    os.close(writing)
    stage.run(lambda: reader.told == ["close"])
    assert reader.received == b"hello"


@on_this_computer
def test_a_regular_file_is_read_to_its_end(stage, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(bytes(10_000))
    with path.open("rb") as file, stage.server:
        reader = Told(file)
    stage.run(lambda: reader.told == ["close"])
    assert reader.received == bytes(10_000)
