"""Descriptors that travel over AF_UNIX sockets (unix(7), SCM_RIGHTS; cmsg(3))."""

from __future__ import annotations

import array
import socket as std
from typing import Any

from simnet.transport import HUP

from .machine import Machine, outcome
from .sockets import pair, unix_pair

ONE = std.CMSG_SPACE(array.array("i").itemsize)
"""Room for one descriptor."""


def rights(*numbers: int) -> list[tuple[int, int, bytes]]:
    """The ancillary data that sends these descriptors."""
    return [(std.SOL_SOCKET, std.SCM_RIGHTS, array.array("i", numbers).tobytes())]


def received(m: Machine, ancillary: list[tuple[int, int, bytes]]) -> list[int]:
    """The descriptors that came, which are closed at the end."""
    numbers = array.array("i")
    for level, kind, data in ancillary:
        assert (level, kind) == (std.SOL_SOCKET, std.SCM_RIGHTS)
        numbers.frombytes(data[: len(data) - len(data) % numbers.itemsize])
    return [m.keep_descriptor(fd) for fd in numbers]


def give(m: Machine, sender: Any, *numbers: int, data: bytes = b"x") -> None:
    assert sender.sendmsg([data], rights(*numbers)) == len(data)


def test_a_descriptor_arrives_under_a_new_number_for_the_same_file(machine: Machine) -> None:
    """unix(7): as though it had been created with dup(2)."""
    one, other = pair(machine)
    reader, writer = machine.pipe()
    give(machine, one, writer)
    data, ancillary, flags, _ = other.recvmsg(10, ONE)
    (number,) = received(machine, ancillary)
    assert (data, flags & std.MSG_CTRUNC) == (b"x", 0)
    assert number not in (reader, writer)
    machine.modules.os.write(number, b"through")
    assert machine.modules.os.read(reader, 10) == b"through"


def test_a_socket_can_travel(machine: Machine) -> None:
    """unix(7): any descriptor; who receives it has the connection."""
    one, other = unix_pair(machine)
    near, far = machine.pair()
    give(machine, one, far.fileno())
    (number,) = received(machine, other.recvmsg(10, ONE)[1])
    far.close()
    sock = machine.keep(machine.modules.socket.socket(fileno=machine.modules.os.dup(number)))
    sock.send(b"moved")
    assert machine.eventually(lambda: outcome(near.recv, 10) == b"moved")


def test_a_descriptor_in_flight_keeps_its_file_open(machine: Machine) -> None:
    """unix(7): the sender may close its own at once."""
    one, other = pair(machine)
    reader, writer = machine.pipe()
    give(machine, one, writer)
    machine.close_descriptor(writer)
    assert outcome(machine.modules.os.read, reader, 1) == "EAGAIN"
    (number,) = received(machine, other.recvmsg(10, ONE)[1])
    machine.close_descriptor(number)
    assert machine.modules.os.read(reader, 1) == b""


def test_several_descriptors_travel_with_one_message_in_their_order(machine: Machine) -> None:
    """cmsg(3): an array."""
    one, other = pair(machine)
    first, second = machine.pipe(), machine.pipe()
    give(machine, one, first[1], second[1])
    numbers = received(machine, other.recvmsg(10, 2 * ONE)[1])
    for number, data in zip(numbers, (b"1st", b"2nd"), strict=True):
        machine.modules.os.write(number, data)
    assert machine.modules.os.read(first[0], 9) == b"1st"
    assert machine.modules.os.read(second[0], 9) == b"2nd"


def test_recv_without_room_for_them_closes_the_descriptors(machine: Machine) -> None:
    """unix(7): excess descriptors are closed; with the last one the pipe has no writer."""
    one, other = pair(machine)
    reader, writer = machine.pipe()
    give(machine, one, writer)
    machine.close_descriptor(writer)
    assert other.recv(10) == b"x"
    assert machine.modules.os.read(reader, 1) == b""


def test_what_does_not_fit_is_closed_and_marked(machine: Machine) -> None:
    """recvmsg(2), MSG_CTRUNC."""
    one, other = pair(machine)
    reader, writer = machine.pipe()
    spare = machine.pipe()[1]
    give(machine, one, spare, writer)
    machine.close_descriptor(writer)
    _, ancillary, flags, _ = other.recvmsg(10, std.CMSG_LEN(4))
    assert len(received(machine, ancillary)) == 1
    assert flags & std.MSG_CTRUNC
    assert machine.modules.os.read(reader, 1) == b""


def test_recvmsg_stops_before_and_behind_descriptors(machine: Machine) -> None:
    """unix_stream_read_generic: data of two messages is not joined over SCM_RIGHTS."""
    one, other = pair(machine)
    writer = machine.pipe()[1]
    give(machine, one, writer, data=b"one")
    one.send(b"two")
    data, ancillary, _, _ = other.recvmsg(100, ONE)
    assert (data, len(received(machine, ancillary))) == (b"one", 1)
    assert other.recvmsg(100, ONE)[:2] == (b"two", [])


def test_data_in_front_of_descriptors_comes_along(machine: Machine) -> None:
    """unix_stream_read_generic: what was sent before, without descriptors, is joined."""
    one, other = pair(machine)
    one.send(b"zero")
    give(machine, one, machine.pipe()[1], data=b"one")
    data, ancillary, _, _ = other.recvmsg(100, ONE)
    assert (data, len(received(machine, ancillary))) == (b"zeroone", 1)


def test_a_part_of_the_data_brings_the_descriptors_at_once(machine: Machine) -> None:
    """unix_detach_fds happens with the first byte."""
    one, other = pair(machine)
    give(machine, one, machine.pipe()[1], data=b"abc")
    data, ancillary, _, _ = other.recvmsg(1, ONE)
    assert (data, len(received(machine, ancillary))) == (b"a", 1)
    assert other.recvmsg(10, ONE)[:2] == (b"bc", [])


def test_peeking_duplicates_the_descriptors(machine: Machine) -> None:
    """unix_peek_fds: each peek installs them anew."""
    one, other = pair(machine)
    give(machine, one, machine.pipe()[1])
    peeked = received(machine, other.recvmsg(10, ONE, std.MSG_PEEK)[1])
    taken = received(machine, other.recvmsg(10, ONE)[1])
    assert len({*peeked, *taken}) == 2


def test_descriptors_travel_with_datagrams_too(machine: Machine) -> None:
    """unix(7)."""
    one, other = pair(machine, std.SOCK_DGRAM)
    reader, writer = machine.pipe()
    give(machine, one, writer, data=b"")
    give(machine, one, writer, data=b"second")
    for expected in (b"", b"second"):
        data, ancillary, _, _ = other.recvmsg(10, ONE)
        (number,) = received(machine, ancillary)
        assert data == expected
        machine.modules.os.write(number, b"x")
    assert machine.modules.os.read(reader, 9) == b"xx"


def test_a_stream_does_not_send_descriptors_without_data(machine: Machine) -> None:
    """unix(7): at least one byte of real data; without it nothing is sent."""
    one, other = pair(machine)
    assert one.sendmsg([b""], rights(machine.pipe()[1])) == 0
    assert outcome(other.recvmsg, 10, ONE) == "EAGAIN"


def test_a_closed_descriptor_cannot_be_sent(machine: Machine) -> None:
    """scm_fp_copy: EBADF, and no data either."""
    one, other = pair(machine)
    writer = machine.pipe()[1]
    machine.close_descriptor(writer)
    assert outcome(one.sendmsg, [b"x"], rights(writer)) == "EBADF"
    assert outcome(other.recv, 1) == "EAGAIN"


def test_descriptors_that_nobody_received_are_closed_with_the_socket(machine: Machine) -> None:
    """unix_release_sock purges the queue."""
    one, other = pair(machine)
    reader, writer = machine.pipe()
    give(machine, one, writer)
    machine.close_descriptor(writer)
    other.close()
    one.close()
    assert machine.modules.os.read(reader, 1) == b""
    assert machine.poll_mask(reader) & HUP


def test_send_fds_and_recv_fds_do_the_same_in_one_line(machine: Machine) -> None:
    """socket.send_fds, socket.recv_fds."""
    one, other = pair(machine)
    reader, writer = machine.pipe()
    socket = machine.modules.socket
    assert socket.send_fds(one, [b"x"], [writer]) == 1
    data, numbers, _, _ = socket.recv_fds(other, 10, 1)
    machine.keep_descriptor(numbers[0])
    assert (data, len(numbers)) == (b"x", 1)
    machine.modules.os.write(numbers[0], b"y")
    assert machine.modules.os.read(reader, 1) == b"y"


def test_other_sockets_carry_no_descriptors(machine: Machine) -> None:
    """ip_cmsg_send and __sock_cmsg_send: SCM_RIGHTS is silently skipped where files do not travel."""
    one, other = machine.pair()
    assert outcome(one.sendmsg, [b"x"], rights(machine.pipe()[1])) == 1
    machine.eventually(lambda: machine.readable_bytes(other) == 1)
    assert other.recvmsg(10, ONE)[:2] == (b"x", [])
