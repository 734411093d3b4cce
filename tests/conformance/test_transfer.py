"""Much data through small buffers: nothing is lost, doubled or out of order, whatever the calls' sizes."""

from __future__ import annotations

import socket as std
from collections.abc import Iterator
from typing import Any

import pytest

from simnet.transport import IN, OUT

from .machine import Machine, outcome
from .sockets import STREAMS, connected, pair

SIZE = 300_000


def numbered(size: int) -> bytes:
    """Data of which every four bytes are another number."""
    return b"".join(number.to_bytes(4, "big") for number in range(size // 4))


def sizes(*cycle: int) -> Iterator[int]:
    """The sizes of calls, over and over again."""
    while True:
        yield from cycle


def transfer(m: Machine, sender: Any, receiver: Any, data: bytes, send_by: Any, receive_by: Any) -> bytes:
    """Send all of it, as far as there is room, and receive in turns."""
    received, at = bytearray(), 0

    def moves() -> bool:
        return bool(m.poll_mask(receiver) & IN or (at < len(data) and m.poll_mask(sender) & OUT))

    while len(received) < len(data):
        if at < len(data):
            taken = outcome(sender.send, data[at : at + next(send_by)])
            at += taken if isinstance(taken, int) else 0
        got = outcome(receiver.recv, next(receive_by))
        if isinstance(got, bytes):
            assert got, "the end came too early"
            received += got
        else:
            assert m.eventually(moves), "nothing moves any more"
    return bytes(received)


@STREAMS
@pytest.mark.parametrize(
    ("send_sizes", "receive_sizes"),
    [((65536,), (65536,)), ((1000, 1, 7000), (3, 10_000)), ((100_000,), (1500,)), ((1460,), (100_000,))],
    ids=["equal", "odd", "large-small", "small-large"],
)
def test_a_stream_carries_every_byte_once_and_in_order(
    machine: Machine, stream: str, send_sizes: tuple[int, ...], receive_sizes: tuple[int, ...]
) -> None:
    """tcp(7), unix(7): a reliable, sequenced byte stream."""
    one, other = connected(machine, stream)
    data = numbered(SIZE)
    assert transfer(machine, one, other, data, sizes(*send_sizes), sizes(*receive_sizes)) == data
    assert outcome(other.recv, 1) == "EAGAIN"


@STREAMS
def test_small_buffers_only_make_it_take_longer(machine: Machine, stream: str) -> None:
    """socket(7), SO_SNDBUF, SO_RCVBUF."""
    one, other = connected(machine, stream)
    one.setsockopt(std.SOL_SOCKET, std.SO_SNDBUF, 5000)
    other.setsockopt(std.SOL_SOCKET, std.SO_RCVBUF, 5000)
    data = numbered(40_000)
    assert transfer(machine, one, other, data, sizes(1000), sizes(1000)) == data


@STREAMS
def test_both_directions_are_independent(machine: Machine, stream: str) -> None:
    """RFC 9293, section 3.1: full duplex; one full direction does not stop the other."""
    one, other = connected(machine, stream)
    while isinstance(outcome(one.send, bytes(1 << 16)), int):
        pass
    data = numbered(SIZE)
    assert transfer(machine, other, one, data, sizes(5000), sizes(5000)) == data


@STREAMS
def test_the_end_comes_behind_all_of_the_data(machine: Machine, stream: str) -> None:
    """shutdown(2), close(2): what was taken is delivered first."""
    one, other = connected(machine, stream)
    data = numbered(SIZE)
    taken = one.send(data)
    one.close()
    received = bytearray()
    while machine.eventually(lambda: machine.poll_mask(other) & IN):
        piece = other.recv(7777)
        if not piece:
            break
        received += piece
    assert bytes(received) == data[:taken]
    assert other.recv(1) == b""


@STREAMS
def test_sendall_and_readers_of_files_pass_lines_through(machine: Machine, stream: str) -> None:
    """socket.sendall, socket.makefile."""
    one, other = connected(machine, stream)
    one.settimeout(30)
    other.settimeout(30)
    lines = [f"line {number}\n".encode() for number in range(2000)]
    for at in range(0, len(lines), 100):
        one.sendall(b"".join(lines[at : at + 100]))
    one.shutdown(std.SHUT_WR)
    with other.makefile("rb") as file:
        assert file.readlines() == lines


def test_a_pipe_carries_every_byte_once_and_in_order(machine: Machine) -> None:
    """pipe(7)."""
    reader, writer = machine.pipe()
    os, data = machine.modules.os, numbered(SIZE)
    received, at = bytearray(), 0
    for write_size, read_size in zip(sizes(70_000, 1, 5000), sizes(3, 65_536, 4096), strict=False):
        if at < len(data):
            taken = outcome(os.write, writer, data[at : at + write_size])
            at += taken if isinstance(taken, int) else 0
        received += os.read(reader, read_size)
        if len(received) == len(data):
            break
    assert bytes(received) == data


def test_datagrams_of_unix_are_none_lost_under_flow_control(machine: Machine) -> None:
    """unix(7): reliable, and in order; the sender is told to wait."""
    one, other = pair(machine, std.SOCK_DGRAM)
    received: list[int] = []
    sent = 0
    while len(received) < 2000:
        while sent < 2000 and isinstance(outcome(one.send, sent.to_bytes(4, "big")), int):
            sent += 1
        received.append(int.from_bytes(other.recv(4), "big"))
    assert received == list(range(2000))
