"""ioctl(2) on sockets and pipes: what can be read, and what was not taken yet (tcp(7), udp(7), unix(7))."""

from __future__ import annotations

import socket as std
import struct

import pytest

from simnet.transport import IN, OUT, RDHUP

from .machine import FIONREAD, Machine, outcome
from .sockets import (
    SIOCATMARK,
    SIOCOUTQ,
    STREAMS,
    arrived,
    connected,
    integer,
    pair,
    udp,
    unix,
    unix_listener,
)


def ioctl(m: Machine, sock: object, request: int) -> object:
    """The int that was stored, or the name of the errno."""
    return outcome(integer, m, sock, request)


def test_a_listener_has_no_bytes_to_count(machine: Machine, family: int) -> None:
    """tcp_ioctl: EINVAL in LISTEN."""
    listener = machine.over(family).listener()
    assert ioctl(machine, listener, FIONREAD) == "EINVAL"
    assert ioctl(machine, listener, SIOCOUTQ) == "EINVAL"


def test_a_unix_listener_has_none_either(machine: Machine) -> None:
    """unix_inq_len: EINVAL in LISTEN."""
    listener = unix_listener(machine)
    assert ioctl(machine, listener, FIONREAD) == "EINVAL"


def test_a_fresh_socket_has_nothing_to_read_or_to_send(machine: Machine, family: int) -> None:
    """tcp_ioctl, udp_ioctl."""
    for sock in (machine.over(family).socket(), machine.open(family, std.SOCK_DGRAM), unix(machine)):
        assert ioctl(machine, sock, FIONREAD) == 0
        assert ioctl(machine, sock, SIOCOUTQ) == 0


@STREAMS
def test_the_end_counts_for_no_byte(machine: Machine, stream: str) -> None:
    """tcp_inq subtracts the FIN."""
    one, other = connected(machine, stream)
    one.send(b"abc")
    one.shutdown(std.SHUT_WR)
    machine.wait_for(other, IN | OUT | RDHUP)
    arrived(machine, other, 3)
    other.recv(3)
    arrived(machine, other, 0)


def test_what_came_before_a_reset_can_be_counted(machine: Machine) -> None:
    """tcp_inq: the receive queue is kept."""
    one, other = machine.pair()
    one.send(b"abc")
    one.setsockopt(std.SOL_SOCKET, std.SO_LINGER, struct.pack("ii", 1, 0))
    one.close()
    machine.reaches(other, "IN|OUT|ERR|HUP|RDHUP")
    arrived(machine, other, 3)


def test_an_empty_datagram_looks_like_none(machine: Machine, family: int) -> None:
    """udp(7), FIONREAD: it cannot be told from no datagram; poll(2) can."""
    one, other = udp(machine, family), udp(machine, family)
    one.sendto(b"", other.getsockname())
    machine.wait_for(other, IN | OUT)
    assert ioctl(machine, other, FIONREAD) == 0


def test_siocoutq_counts_what_a_closed_window_keeps_back(machine: Machine) -> None:
    """tcp(7), SIOCOUTQ: unsent data in the socket queue; reading on the other side empties it."""
    one, other = machine.pair()
    sent = one.send(bytes(1 << 24))
    machine.wait_for(other, IN | OUT)
    assert 0 < integer(machine, one, SIOCOUTQ) <= sent
    received = 0
    while received < sent and machine.eventually(lambda: machine.poll_mask(other) & IN):
        received += len(other.recv(1 << 20))
    assert received == sent
    assert machine.eventually(lambda: integer(machine, one, SIOCOUTQ) == 0)


def test_siocoutq_of_datagrams_that_arrived_is_0(machine: Machine) -> None:
    """udp(7), SIOCOUTQ: loopback has taken them."""
    one, other = udp(machine), udp(machine)
    one.sendto(b"abc", other.getsockname())
    machine.wait_for(other, IN | OUT)
    assert ioctl(machine, one, SIOCOUTQ) == 0


def test_only_tcp_and_unix_streams_have_a_mark(machine: Machine) -> None:
    """sockatmark(3): SIOCATMARK is ENOTTY where there is no urgent data."""
    assert ioctl(machine, machine.socket(), SIOCATMARK) == 0
    assert ioctl(machine, pair(machine)[0], SIOCATMARK) == 0
    assert ioctl(machine, udp(machine), SIOCATMARK) == "ENOTTY"


def test_pipes_count_what_can_be_read_at_both_ends(machine: Machine) -> None:
    """pipe_ioctl, FIONREAD; nothing else is known of a pipe."""
    reader, writer = machine.pipe()
    machine.modules.os.write(writer, b"abc")
    assert ioctl(machine, reader, FIONREAD) == ioctl(machine, writer, FIONREAD) == 3
    assert ioctl(machine, writer, SIOCOUTQ) == "ENOTTY"


@pytest.mark.parametrize("kind", ["tcp", "udp", "unix", "pipe"])
def test_a_request_that_nobody_knows_is_enotty(machine: Machine, kind: str) -> None:
    """ioctl(2), ENOTTY: the request does not apply to the kind of object."""
    made = {"tcp": machine.socket, "udp": lambda: udp(machine), "unix": lambda: unix(machine)}
    fd = machine.pipe()[0] if kind == "pipe" else made[kind]()
    tcgets = 0x5401
    assert ioctl(machine, fd, tcgets) == "ENOTTY"


def test_ioctl_changes_a_buffer_in_place_or_returns_it(machine: Machine) -> None:
    """fcntl.ioctl: bytes in, bytes out; a mutable buffer is filled and the code returned."""
    one, other = pair(machine)
    one.send(b"abc")
    module, buffer = machine.modules.fcntl, bytearray(4)
    assert module.ioctl(other.fileno(), FIONREAD, bytes(4)) == struct.pack("i", 3)
    assert module.ioctl(other, FIONREAD, buffer) == 0
    assert struct.unpack("i", buffer) == (3,)


def test_a_unix_listener_is_at_its_mark_while_somebody_waits(machine: Machine) -> None:
    """unix_ioctl, SIOCATMARK: the first buffer of the queue is empty, as of a listener it is a connection."""
    listener = unix_listener(machine)
    assert ioctl(machine, listener, SIOCATMARK) == 0
    unix(machine).connect(listener.getsockname())
    assert ioctl(machine, listener, SIOCATMARK) == 1


def test_a_refused_socket_still_counts_what_it_never_got_through(machine: Machine) -> None:
    """tcp(7), SIOCOUTQ: write_seq - snd_una, as the SYN left them."""
    sock = machine.connecting(machine.closed_address())
    machine.reaches(sock, "IN|OUT|ERR|HUP|RDHUP")
    count = ioctl(machine, sock, SIOCOUTQ)
    assert isinstance(count, int)
    assert count > 0
