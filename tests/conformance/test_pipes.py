"""Pipes: capacity, end of file, EPIPE and readiness (pipe(7))."""

from __future__ import annotations

import array
from typing import Any

import pytest

from simnet.transport import ERR, HUP, IN, OUT

from .machine import FIONREAD, Machine, outcome
from .sockets import integer

CAPACITY = 65536
PIPE_BUF = 4096


def fill(m: Machine, writer: int) -> int:
    """Write until EAGAIN."""
    total = 0
    while isinstance(taken := outcome(m.modules.os.write, writer, bytes(PIPE_BUF)), int):
        total += taken
        assert total <= 1 << 21
    assert taken == "EAGAIN"
    return total


def test_a_pipe_gives_the_reading_end_first_and_the_lowest_numbers(machine: Machine) -> None:
    """pipe(2): pipefd[0] refers to the read end."""
    reader, writer = machine.pipe()
    assert reader < writer
    assert machine.modules.os.write(writer, b"hello") == 5
    assert machine.modules.os.read(reader, 10) == b"hello"


def test_a_pipe_keeps_no_boundaries(machine: Machine) -> None:
    """pipe(7): a byte stream."""
    reader, writer = machine.pipe()
    for piece in (b"000", b"111", b"222"):
        machine.modules.os.write(writer, piece)
    assert machine.modules.os.read(reader, 4) == b"0001"
    assert machine.modules.os.read(reader, 100) == b"11222"


def test_an_empty_pipe_with_a_writer_is_eagain(machine: Machine) -> None:
    """pipe(7), O_NONBLOCK."""
    reader, writer = machine.pipe()
    assert outcome(machine.modules.os.read, reader, 1) == "EAGAIN"
    assert machine.mask(reader) == "-"
    assert machine.mask(writer) == "OUT"


def test_an_empty_pipe_without_a_writer_is_at_its_end(machine: Machine) -> None:
    """pipe(7): read(2) returns 0; poll(2) says HUP, and IN only as long as there is data."""
    reader, writer = machine.pipe()
    machine.modules.os.write(writer, b"last")
    machine.close_descriptor(writer)
    assert machine.mask(reader) == "IN|HUP"
    assert machine.modules.os.read(reader, 10) == b"last"
    assert machine.mask(reader) == "HUP"
    assert [machine.modules.os.read(reader, 10) for _ in "12"] == [b"", b""]


def test_writing_without_a_reader_is_epipe(machine: Machine) -> None:
    """pipe(7): SIGPIPE, which Python ignores, and EPIPE; poll(2) says ERR of a writing end, and OUT."""
    reader, writer = machine.pipe()
    machine.close_descriptor(reader)
    assert machine.mask(writer) == "OUT|ERR"
    assert [outcome(machine.modules.os.write, writer, b"x") for _ in "12"] == ["EPIPE", "EPIPE"]


def test_a_full_pipe_whose_reader_is_gone_shows_only_the_error(machine: Machine) -> None:
    """pipe_poll: OUT as long as there is room, ERR without readers."""
    reader, writer = machine.pipe()
    fill(machine, writer)
    assert machine.mask(writer) == "-"
    machine.close_descriptor(reader)
    assert machine.mask(writer) == "ERR"


def test_a_pipe_holds_65536_bytes(machine: Machine) -> None:
    """pipe(7): 16 pages of 4096 bytes since Linux 2.6.11."""
    reader, writer = machine.pipe()
    assert fill(machine, writer) == CAPACITY
    assert machine.mask(writer) == "-"
    assert integer(machine, reader, FIONREAD) == CAPACITY


def test_a_full_pipe_is_writable_again_when_a_page_of_it_was_read(machine: Machine) -> None:
    """pipe(7): poll() says OUT if a page is free; a part of a page is not enough."""
    reader, writer = machine.pipe()
    fill(machine, writer)
    machine.modules.os.read(reader, PIPE_BUF - 1)
    assert machine.mask(writer) == "-"
    assert outcome(machine.modules.os.write, writer, b"x") == "EAGAIN"
    machine.modules.os.read(reader, 1)
    assert machine.mask(writer) == "OUT"
    assert machine.modules.os.write(writer, bytes(PIPE_BUF)) == PIPE_BUF


def test_a_write_of_up_to_pipe_buf_is_all_or_nothing(machine: Machine) -> None:
    """pipe(7), PIPE_BUF: POSIX says atomic; with too little room, EAGAIN."""
    reader, writer = machine.pipe()
    fill(machine, writer)
    machine.modules.os.read(reader, PIPE_BUF)
    machine.modules.os.write(writer, b"x" * 100)
    answer = outcome(machine.modules.os.write, writer, bytes(PIPE_BUF))
    assert answer == "EAGAIN"
    assert machine.modules.os.write(writer, bytes(PIPE_BUF - 100)) == PIPE_BUF - 100


def test_a_longer_write_may_be_cut(machine: Machine) -> None:
    """pipe(7), n > PIPE_BUF: a partial write."""
    reader, writer = machine.pipe()
    assert machine.modules.os.write(writer, bytes(CAPACITY + 1)) == CAPACITY
    assert len(machine.modules.os.read(reader, CAPACITY + 1)) == CAPACITY


def test_writing_nothing_is_nothing(machine: Machine) -> None:
    """pipe_write: a null write succeeds, even without a reader."""
    reader, writer = machine.pipe()
    assert machine.modules.os.write(writer, b"") == 0
    machine.close_descriptor(reader)
    assert machine.modules.os.write(writer, b"") == 0


def test_each_end_has_one_direction(machine: Machine) -> None:
    """read(2) and write(2), EBADF: not open for reading, for writing."""
    reader, writer = machine.pipe()
    assert outcome(machine.modules.os.write, reader, b"x") == "EBADF"
    assert outcome(machine.modules.os.read, writer, 1) == "EBADF"


def test_the_end_comes_with_the_last_writing_descriptor(machine: Machine) -> None:
    """close(2), dup(2): descriptors refer to one open file description."""
    os = machine.modules.os
    reader, writer = machine.pipe()
    copy = machine.keep_descriptor(os.dup(writer))
    machine.close_descriptor(writer)
    assert outcome(os.read, reader, 1) == "EAGAIN"
    os.write(copy, b"x")
    machine.close_descriptor(copy)
    assert [os.read(reader, 1), os.read(reader, 1)] == [b"x", b""]


def test_o_nonblock_is_of_the_description_and_each_end_has_its_own(machine: Machine) -> None:
    """fcntl(2), F_SETFL: shared by duplicates."""
    os = machine.modules.os
    reader, writer = os.pipe()
    machine.keep_descriptor(reader)
    machine.keep_descriptor(writer)
    assert os.get_blocking(reader)
    copy = machine.keep_descriptor(os.dup(reader))
    os.set_blocking(copy, False)
    assert not os.get_blocking(reader)
    assert os.get_blocking(writer)


def test_a_closed_end_is_ebadf(machine: Machine) -> None:
    """close(2), EBADF."""
    reader, writer = machine.pipe()
    machine.close_descriptor(reader)
    assert outcome(machine.modules.os.read, reader, 1) == "EBADF"
    assert outcome(machine.modules.os.close, reader) == "EBADF"
    assert outcome(machine.modules.os.dup, reader) == "EBADF"
    machine.close_descriptor(writer)
    assert outcome(machine.modules.os.write, writer, b"x") == "EBADF"


def test_select_knows_pipes(machine: Machine) -> None:
    """select(2): readable at the end of file, writable where write would say EPIPE."""
    select = machine.modules.select.select
    reader, writer = machine.pipe()
    assert select([reader], [writer], [], 0) == ([], [writer], [])
    machine.modules.os.write(writer, b"x")
    assert select([reader], [], [reader], 0) == ([reader], [], [])
    machine.close_descriptor(writer)
    machine.modules.os.read(reader, 1)
    assert select([reader], [], [], 0) == ([reader], [], [])


def test_epoll_tells_the_error_of_a_writing_end_unasked(machine: Machine) -> None:
    """epoll_ctl(2): EPOLLERR and EPOLLHUP are always reported."""
    reader, writer = machine.pipe()
    epoll = machine.epoll()
    epoll.register(writer, 0)
    assert epoll.poll(0) == []
    machine.close_descriptor(reader)
    assert epoll.poll(0) == [(writer, ERR)]


@pytest.mark.parametrize(("data", "mask"), [(b"", HUP), (b"x", IN | HUP)])
def test_poll_of_a_reading_end_without_writers(machine: Machine, data: bytes, mask: int) -> None:
    """poll(2), POLLHUP: subsequent reads return 0 only after all outstanding data is consumed."""
    reader, writer = machine.pipe()
    machine.modules.os.write(writer, data)
    machine.close_descriptor(writer)
    assert machine.poll_mask(reader) == mask


def test_write_takes_any_contiguous_buffer(machine: Machine) -> None:
    """os.write takes bytes-like objects, and counts bytes."""
    reader, writer = machine.pipe()
    data: list[Any] = [bytearray(b"ab"), memoryview(b"xcdx")[1:3], array.array("I", [0])]
    assert [machine.modules.os.write(writer, item) for item in data] == [2, 2, 4]
    assert machine.modules.os.read(reader, 100) == b"abcd\0\0\0\0"


def test_a_pipe_is_no_socket(machine: Machine) -> None:
    """socket(2) calls on another descriptor: ENOTSOCK."""
    reader, _ = machine.pipe()
    socket = machine.modules.socket
    with pytest.raises(OSError) as caught:
        socket.socket(fileno=reader)
    assert outcome(_raise, caught.value) == "ENOTSOCK"
    assert machine.poll_mask(reader) == 0


def _raise(error: OSError) -> None:
    raise error


def test_a_pipe_that_is_writable_is_not_readable(machine: Machine) -> None:
    """pipe_poll: each end shows its own direction."""
    reader, writer = machine.pipe()
    machine.modules.os.write(writer, b"x")
    assert machine.poll_mask(reader) == IN
    assert machine.poll_mask(writer) == OUT
