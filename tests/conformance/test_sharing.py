"""Several ways to one socket: dup(2), detach(), and numbers that somebody else closed."""

from __future__ import annotations

import socket as std

import pytest

from simnet.transport import IN, OUT, RDHUP

from .machine import Machine, outcome
from .sockets import STREAMS, connected, udp, unix_listener

FIN_SEEN = IN | OUT | RDHUP


# --- dup -----------------------------------------------------------------------------------------


@STREAMS
def test_the_fin_comes_with_the_last_descriptor(machine: Machine, stream: str) -> None:
    """close(2): resources are freed when the last descriptor of the open file description is closed."""
    one, other = connected(machine, stream)
    copy = machine.keep(one.dup())
    one.close()
    assert machine.mask(other) == "OUT"
    assert copy.send(b"x") == 1
    assert machine.eventually(lambda: outcome(other.recv, 10) == b"x")
    copy.close()
    assert machine.eventually(lambda: machine.poll_mask(other) & RDHUP)
    assert other.recv(10) == b""


@STREAMS
def test_shutdown_acts_on_every_duplicate(machine: Machine, stream: str) -> None:
    """shutdown(2) is about the connection, not the descriptor."""
    one, other = connected(machine, stream)
    copy = machine.keep(one.dup())
    copy.shutdown(std.SHUT_WR)
    assert outcome(one.send, b"x") == "EPIPE"
    machine.wait_for(other, FIN_SEEN)


def test_a_duplicate_has_a_number_of_its_own_and_the_same_names(machine: Machine) -> None:
    """socket.dup."""
    one, _ = machine.pair()
    copy = machine.keep(one.dup())
    assert copy.fileno() != one.fileno()
    assert copy.getsockname() == one.getsockname()
    assert copy.getpeername() == one.getpeername()
    assert (copy.family, copy.type, copy.proto) == (one.family, one.type, one.proto)


def test_duplicates_read_from_one_queue(machine: Machine) -> None:
    """dup(2): they refer to the same open file description."""
    one, other = machine.pair()
    copy = machine.keep(other.dup())
    one.send(b"abcdef")
    machine.wait_for(other, IN | OUT)
    machine.wait_for(copy, IN | OUT)
    assert (other.recv(3), copy.recv(3)) == (b"abc", b"def")


def test_duplicates_share_o_nonblock(machine: Machine) -> None:
    """fcntl(2): file status flags are those of the open file description."""
    one, _ = machine.pair()
    copy = one.dup()
    machine.keep(copy)
    os = machine.modules.os
    assert not os.get_blocking(copy.fileno())
    os.set_blocking(one.fileno(), True)
    assert os.get_blocking(copy.fileno())
    os.set_blocking(copy.fileno(), False)
    assert not os.get_blocking(one.fileno())


def test_duplicates_share_options_and_the_pending_error(machine: Machine) -> None:
    """The error is told once, whichever descriptor asks."""
    sock = machine.connecting(machine.closed_address())
    copy = machine.keep(sock.dup())
    sock.setsockopt(std.SOL_SOCKET, std.SO_KEEPALIVE, 1)
    assert copy.getsockopt(std.SOL_SOCKET, std.SO_KEEPALIVE) == 1
    assert machine.reaches(copy, "IN|OUT|ERR|HUP|RDHUP")
    assert outcome(copy.recv, 1) == "ECONNREFUSED"
    assert outcome(sock.recv, 1) == b""


def test_a_listener_with_a_duplicate_goes_on_listening(machine: Machine) -> None:
    """close(2) of one descriptor; what a server that forks relies on."""
    listener = machine.listener()
    copy = machine.keep(listener.dup())
    name = listener.getsockname()
    listener.close()
    machine.wait_for(machine.connecting(name), OUT)
    machine.accept(copy)


def test_two_owners_of_a_listener_are_both_told_and_one_gets_eagain(machine: Machine) -> None:
    """Readiness is a hint: between poll() and accept() somebody else may have been faster."""
    listener = machine.listener()
    copy = machine.keep(listener.dup())
    machine.connected(listener)
    machine.wait_for(listener, IN)
    machine.wait_for(copy, IN)
    machine.keep(listener.accept()[0])
    assert outcome(copy.accept) == "EAGAIN"


def test_a_port_is_held_until_the_last_duplicate_is_closed(machine: Machine, family: int) -> None:
    """close(2)."""
    sock = udp(machine, family)
    name = sock.getsockname()
    copy = machine.keep(sock.dup())
    sock.close()
    assert outcome(machine.open(family, std.SOCK_DGRAM).bind, name) == "EADDRINUSE"
    copy.close()
    assert outcome(machine.open(family, std.SOCK_DGRAM).bind, name) == "ok"


def test_a_descriptor_can_be_wrapped_again(machine: Machine) -> None:
    """socket.socket(fileno=fd): family, type and protocol are asked of the kernel."""
    for sock in (machine.listener(), udp(machine, std.AF_INET6), unix_listener(machine)):
        family, kind, proto, fd = sock.family, sock.type, sock.proto, sock.fileno()
        again = machine.modules.socket.socket(fileno=machine.modules.os.dup(fd))
        machine.keep(again)
        assert (again.family, again.type) == (family, kind)
        assert again.proto in (proto, again.getsockopt(std.SOL_SOCKET, std.SO_PROTOCOL))
        assert again.getsockname() == sock.getsockname()


def test_a_number_that_is_no_descriptor_cannot_be_wrapped(machine: Machine) -> None:
    """socket.socket(fileno=fd): EBADF; a negative number is ValueError."""
    sock = machine.socket()
    number = sock.fileno()
    sock.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        machine.modules.socket.socket(fileno=number)
    with pytest.raises(ValueError, match="negative file descriptor"):
        machine.modules.socket.socket(fileno=-1)


def test_sockets_are_read_and_written_as_files(machine: Machine) -> None:
    """read(2), write(2): recv() and send() without flags."""
    one, other = machine.pair()
    os = machine.modules.os
    assert os.write(one.fileno(), b"hello") == 5
    machine.wait_for(other, IN | OUT)
    assert os.read(other.fileno(), 10) == b"hello"
    assert outcome(os.read, other.fileno(), 10) == "EAGAIN"
    one.close()
    machine.wait_for(other, FIN_SEEN)
    assert os.read(other.fileno(), 10) == b""


def test_closing_a_number_under_a_socket_object_leaves_ebadf(machine: Machine) -> None:
    """What os.close(sock.fileno()) does: the object does not know."""
    sock = machine.open(std.AF_INET, std.SOCK_DGRAM)
    number = sock.fileno()
    machine.modules.os.close(number)
    assert sock.fileno() == number
    assert outcome(sock.getsockname) == "EBADF"
    assert outcome(sock.close) == "EBADF"
    assert sock.fileno() == -1


def test_a_socket_object_acts_on_whatever_has_its_number(machine: Machine) -> None:
    """A descriptor is a number: closed behind the object's back and given away, it is somebody else's."""
    os = machine.modules.os
    first = machine.open(std.AF_INET, std.SOCK_DGRAM)
    number = first.fileno()
    os.close(number)
    assert outcome(first.send, b"x") == "EBADF"
    second = machine.open(std.AF_INET, std.SOCK_DGRAM)
    assert second.fileno() == number
    second.bind((machine.address, 0))
    assert first.getsockname() == second.getsockname()
    first.close()
    assert outcome(second.getsockname) == "EBADF"
    second.detach()


# --- detach --------------------------------------------------------------------------------------


@STREAMS
def test_detach_closes_the_object_and_not_the_connection(machine: Machine, stream: str) -> None:
    """socket.detach: returns the descriptor, which can be reused for other purposes."""
    one, other = connected(machine, stream)
    number = one.detach()
    assert one.fileno() == -1
    assert one.detach() == -1
    assert outcome(one.send, b"x") == "EBADF"
    assert outcome(one.close) == "ok"
    assert machine.mask(other) == "OUT"
    again = machine.keep(machine.modules.socket.socket(fileno=number))
    assert (again.family, again.type) == (other.family, other.type)
    assert again.send(b"x") == 1
    again.close()
    assert machine.eventually(lambda: machine.poll_mask(other) & RDHUP)
