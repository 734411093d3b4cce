"""Several ways to one socket: dup, detach, makefile and the modes that they share (dup(2), fcntl(2))."""

from __future__ import annotations

import fcntl as constants
import os as system
import socket as std
import struct
from typing import Any

import pytest

from simnet.transport import IN, OUT, RDHUP

from .machine import Machine, outcome
from .sockets import FIONBIO, STREAMS, connected, fill, udp, unix_listener

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


# --- the modes of a socket -----------------------------------------------------------------------


def test_setblocking_and_settimeout_set_o_nonblock(machine: Machine) -> None:
    """socket.settimeout: with a time-out the descriptor itself does not block."""
    sock = machine.open(std.AF_INET, std.SOCK_STREAM)
    os = machine.modules.os
    for call, argument, blocking, timeout in (
        (sock.setblocking, True, True, None),
        (sock.setblocking, False, False, 0.0),
        (sock.settimeout, None, True, None),
        (sock.settimeout, 0, False, 0.0),
        (sock.settimeout, 1.5, False, 1.5),
    ):
        call(argument)
        assert os.get_blocking(sock.fileno()) == blocking
        assert sock.gettimeout() == timeout
        assert sock.timeout == timeout


def test_new_sockets_block_unless_a_default_or_a_flag_says_otherwise(machine: Machine) -> None:
    """socket(2), SOCK_NONBLOCK; socket.setdefaulttimeout."""
    socket = machine.modules.socket
    with socket.socket() as sock:
        assert sock.getblocking()
        assert sock.gettimeout() is None
    with socket.socket(std.AF_INET, std.SOCK_STREAM | std.SOCK_NONBLOCK) as sock:
        assert not sock.getblocking()
        assert sock.type == std.SOCK_STREAM


def test_the_default_timeout_is_that_of_new_sockets(machine: Machine) -> None:
    """socket.setdefaulttimeout, getdefaulttimeout."""
    socket = machine.modules.socket
    assert socket.getdefaulttimeout() is None
    socket.setdefaulttimeout(2.5)
    try:
        assert socket.getdefaulttimeout() == 2.5
        with socket.socket() as sock:
            assert sock.gettimeout() == 2.5
    finally:
        socket.setdefaulttimeout(None)


def test_fionbio_is_o_nonblock(machine: Machine) -> None:
    """ioctl_fionbio(2): the same flag as fcntl(2) sets."""
    one, _ = machine.pair()
    one.setblocking(True)
    fcntl = machine.modules.fcntl
    for value in (1, 0, 1):
        fcntl.ioctl(one.fileno(), FIONBIO, struct.pack("i", value))
        flags = fcntl.fcntl(one.fileno(), constants.F_GETFL)
        assert bool(flags & system.O_NONBLOCK) == bool(value)
    assert outcome(one.recv, 1, std.MSG_DONTWAIT) == "EAGAIN"


def test_fcntl_sets_and_gets_the_flags_of_a_descriptor(machine: Machine) -> None:
    """fcntl(2): O_NONBLOCK of the description, FD_CLOEXEC of the descriptor; a socket is O_RDWR."""
    sock = machine.open(std.AF_INET, std.SOCK_STREAM)
    fcntl = machine.modules.fcntl.fcntl
    flags = fcntl(sock.fileno(), constants.F_GETFL)
    assert flags & system.O_ACCMODE == system.O_RDWR
    assert flags & system.O_NONBLOCK
    assert fcntl(sock.fileno(), constants.F_SETFL, flags & ~system.O_NONBLOCK) == 0
    assert machine.modules.os.get_blocking(sock.fileno())
    assert fcntl(sock.fileno(), constants.F_GETFD) == constants.FD_CLOEXEC
    fcntl(sock.fileno(), constants.F_SETFD, 0)
    assert fcntl(sock.fileno(), constants.F_GETFD) == 0


def test_descriptors_are_not_inherited_unless_asked_for(machine: Machine) -> None:
    """PEP 446: Python sets FD_CLOEXEC on every descriptor that it makes."""
    listener = machine.listener()
    machine.connected(listener)
    fcntl = machine.modules.fcntl.fcntl
    accepted = machine.accept(listener)
    copy = machine.keep(accepted.dup())
    for fd in (listener.fileno(), accepted.fileno(), copy.fileno(), *machine.pipe()):
        assert fcntl(fd, constants.F_GETFD) == constants.FD_CLOEXEC
    listener.set_inheritable(True)
    assert listener.get_inheritable()
    assert fcntl(listener.fileno(), constants.F_GETFD) == 0


def test_ioctl_and_fcntl_of_a_closed_descriptor_are_ebadf(machine: Machine) -> None:
    """ioctl(2), fcntl(2)."""
    reader, _ = machine.pipe()
    machine.close_descriptor(reader)
    fcntl = machine.modules.fcntl
    assert outcome(fcntl.fcntl, reader, constants.F_GETFL) == "EBADF"
    assert outcome(fcntl.ioctl, reader, FIONBIO, bytes(4)) == "EBADF"


# --- makefile ------------------------------------------------------------------------------------


def test_a_file_of_a_non_blocking_socket_reads_none_when_there_is_nothing(machine: Machine) -> None:
    """io.RawIOBase.read: None if no bytes are available; so says a buffered reader too."""
    one, other = machine.pair()
    raw = other.makefile("rb", buffering=0)
    assert raw.read(10) is None
    one.send(b"abc")
    machine.wait_for(other, IN | OUT)
    assert raw.read(10) == b"abc"
    with other.makefile("rb") as buffered:
        assert buffered.read(10) is None
    raw.close()


def test_a_file_keeps_the_socket_open(machine: Machine) -> None:
    """socket.makefile: close() of the socket waits for its files."""
    one, other = machine.pair()
    raw = other.makefile("rwb", buffering=0)
    number = other.fileno()
    other.close()
    assert raw.fileno() == number
    assert raw.write(b"x") == 1
    assert machine.eventually(lambda: outcome(one.recv, 10) == b"x")
    assert machine.mask(one) == "OUT"
    raw.close()
    machine.wait_for(one, FIN_SEEN)


def test_closing_the_file_keeps_the_socket_open(machine: Machine) -> None:
    """socket.makefile: the file and the socket are closed separately."""
    one, other = machine.pair()
    with other.makefile("wb") as file:
        file.write(b"line\n")
    assert machine.eventually(lambda: outcome(one.recv, 10) == b"line\n")
    assert other.send(b"more") == 4


def test_a_buffered_file_sends_when_it_is_flushed(machine: Machine) -> None:
    """io.BufferedWriter."""
    one, other = machine.pair()
    file = other.makefile("wb")
    file.write(b"abc")
    assert machine.mask(one) == "OUT"
    file.flush()
    machine.wait_for(one, IN | OUT)
    assert one.recv(10) == b"abc"
    file.close()


def test_a_file_in_text_reads_lines(machine: Machine) -> None:
    """socket.makefile: mode, encoding and newline as of open()."""
    one, other = machine.pair()
    one.send("größe\r\nnext\n".encode())
    one.shutdown(std.SHUT_WR)
    machine.wait_for(other, FIN_SEEN)
    other.setblocking(True)
    with other.makefile("r", encoding="utf-8") as file:
        assert file.readlines() == ["größe\n", "next\n"]


def test_a_raw_file_that_cannot_write_returns_none(machine: Machine) -> None:
    """io.RawIOBase.write: None if not even one byte could be written."""
    one, _ = machine.pair()
    fill(machine, one)
    raw = one.makefile("wb", buffering=0)
    assert raw.write(b"x") is None
    raw.close()


def test_a_file_has_the_modes_of_makefile_only(machine: Machine) -> None:
    """socket.makefile: r, w, b and their combinations."""
    one, _ = machine.pair()
    for mode, readable, writable in (("rb", True, False), ("wb", False, True), ("rwb", True, True)):
        raw = one.makefile(mode, buffering=0)
        assert (raw.readable(), raw.writable()) == (readable, writable)
        raw.close()
    with pytest.raises(ValueError, match="invalid mode"):
        one.makefile("a")


# --- closed --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("family", "kind"),
    [(f, k) for f in (std.AF_INET, std.AF_INET6, std.AF_UNIX) for k in (std.SOCK_STREAM, std.SOCK_DGRAM)],
)
def test_every_kind_of_closed_socket_is_ebadf(machine: Machine, family: int, kind: int) -> None:
    """close(2), EBADF; recv(0) asks nobody, send(b"") does."""
    sock = machine.open(family, kind)
    sock.close()
    sock.close()
    calls: list[tuple[Any, ...]] = [
        (sock.recv, 1),
        (sock.recvfrom, 1),
        (sock.recvmsg, 1),
        (sock.send, b"x"),
        (sock.send, b""),
        (sock.sendmsg, [b"x"]),
        (sock.shutdown, std.SHUT_WR),
        (sock.getsockname,),
        (sock.getpeername,),
        (sock.accept,),
        (sock.listen,),
        (sock.dup,),
        (sock.setblocking, False),
        (sock.settimeout, 1),
        (sock.getsockopt, std.SOL_SOCKET, std.SO_ERROR),
    ]
    for call, *arguments in calls:
        assert outcome(call, *arguments) == "EBADF", call
    assert sock.recv(0) == b""
    assert sock.recv_into(bytearray()) == 0
    assert (sock.fileno(), sock.detach()) == (-1, -1)


def test_a_closed_socket_has_no_readiness(machine: Machine) -> None:
    """The socket and select modules: fileno() is -1, which is no file descriptor (ValueError)."""
    sock = machine.socket()
    sock.close()
    select = machine.modules.select
    poller, epoll = select.poll(), machine.epoll()
    with pytest.raises(ValueError, match="negative"):
        poller.register(sock)
    with pytest.raises(ValueError, match="negative"):
        select.select([sock], [], [], 0)
    with pytest.raises(ValueError, match="negative"):
        epoll.register(sock)


def test_sockets_of_every_kind_are_context_managers(machine: Machine) -> None:
    """socket objects close at the end of a with statement."""
    for family in (std.AF_INET, std.AF_INET6, std.AF_UNIX):
        for kind in (std.SOCK_STREAM, std.SOCK_DGRAM):
            with machine.modules.socket.socket(family, kind) as sock:
                assert sock.fileno() >= 0
            assert sock.fileno() == -1


def test_a_socket_of_an_unknown_kind_is_refused(machine: Machine) -> None:
    """socket(2): EAFNOSUPPORT, EINVAL or EPROTONOSUPPORT, ESOCKTNOSUPPORT."""
    socket = machine.modules.socket.socket
    for family in (std.AF_UNSPEC, 45, 255):
        assert outcome(socket, family, std.SOCK_STREAM) == "EAFNOSUPPORT"
    for kind in (11, 99):
        assert outcome(socket, std.AF_INET, kind) == "EINVAL"
    assert outcome(socket, 255, 99) == "EINVAL"
    for family in (std.AF_INET, std.AF_INET6):
        assert outcome(socket, family, std.SOCK_STREAM, std.IPPROTO_UDP) == "EPROTONOSUPPORT"
        assert outcome(socket, family, std.SOCK_DGRAM, std.IPPROTO_TCP) == "EPROTONOSUPPORT"
        for kind in (0, std.SOCK_RDM, 6, 9):
            assert outcome(socket, family, kind) == "ESOCKTNOSUPPORT"


def test_a_unix_socket_of_an_unknown_kind_is_refused(machine: Machine) -> None:
    """unix_create: EPROTONOSUPPORT, ESOCKTNOSUPPORT; the protocol may be that of the family."""
    socket = machine.modules.socket.socket
    assert outcome(socket, std.AF_UNIX, std.SOCK_STREAM, std.IPPROTO_TCP) == "EPROTONOSUPPORT"
    for kind in (0, std.SOCK_RDM, 6):
        assert outcome(socket, std.AF_UNIX, kind) == "ESOCKTNOSUPPORT"
    machine.keep(socket(std.AF_UNIX, std.SOCK_STREAM, std.AF_UNIX))


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


def test_setblocking_of_a_closed_socket_fails_and_is_remembered(machine: Machine) -> None:
    """sock_settimeout sets the object's time-out before it asks the kernel."""
    sock = machine.open(std.AF_INET, std.SOCK_STREAM)
    sock.close()
    assert outcome(sock.settimeout, 7) == "EBADF"
    assert sock.gettimeout() == 7
    assert outcome(sock.setblocking, False) == "EBADF"
    assert sock.gettimeout() == 0
