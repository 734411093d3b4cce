"""Who is at the other end of an AF_UNIX socket (unix(7), SO_PEERCRED, SO_PASSCRED, SCM_CREDENTIALS)."""

from __future__ import annotations

import array
import socket as std
import struct
from typing import Any

import pytest

from .machine import Machine, outcome
from .sockets import pair, unix, unix_connected, unix_listener, unix_pair

ROOM = 256

KINDS = pytest.mark.parametrize("kind", [std.SOCK_STREAM, std.SOCK_DGRAM, std.SOCK_SEQPACKET])


def peer_of(sock: Any) -> tuple[int, ...]:
    """What SO_PEERCRED says: process, user, group."""
    return struct.unpack("iII", sock.getsockopt(std.SOL_SOCKET, std.SO_PEERCRED, 12))


def senders(ancillary: list[tuple[int, int, bytes]]) -> list[int]:
    """The processes that the credentials of a message name."""
    return [
        struct.unpack("iII", data)[0]
        for level, kind, data in ancillary
        if (level, kind) == (std.SOL_SOCKET, std.SCM_CREDENTIALS)
    ]


@KINDS
def test_the_ends_of_a_pair_know_each_other(machine: Machine, kind: int) -> None:
    """unix_socketpair: both ends are the caller's."""
    one, other = pair(machine, kind)
    assert peer_of(one) == peer_of(other)
    assert peer_of(one)[0] == machine.modules.os.getpid()


def test_both_ends_of_a_connection_know_each_other(machine: Machine) -> None:
    """unix(7): the opener learns who called listen(), the other end who called connect()."""
    opener, accepted = unix_pair(machine)
    assert peer_of(opener)[0] == peer_of(accepted)[0] == machine.modules.os.getpid()


@KINDS
def test_without_a_peer_there_are_no_credentials(machine: Machine, kind: int) -> None:
    """sk_getsockopt: no process, and the IDs that nobody has."""
    assert peer_of(unix(machine, kind)) == (0, 0xFFFF_FFFF, 0xFFFF_FFFF)


def test_so_peercred_cannot_be_set(machine: Machine) -> None:
    """unix(7): a read-only option."""
    assert outcome(unix(machine).setsockopt, std.SOL_SOCKET, std.SO_PEERCRED, 1) == "ENOPROTOOPT"


@KINDS
def test_who_asks_for_credentials_gets_the_senders(machine: Machine, kind: int) -> None:
    """unix(7), SO_PASSCRED: without a word of the sender."""
    one, other = pair(machine, kind)
    other.setsockopt(std.SOL_SOCKET, std.SO_PASSCRED, 1)
    one.send(b"x")
    data, ancillary, _, _ = other.recvmsg(10, ROOM)
    assert (data, senders(ancillary)) == (b"x", [machine.modules.os.getpid()])


def test_what_was_sent_before_somebody_asked_has_no_sender(machine: Machine) -> None:
    """unix_skb_scm_eq: nor is it joined with what has one."""
    one, other = pair(machine)
    one.send(b"before")
    other.setsockopt(std.SOL_SOCKET, std.SO_PASSCRED, 1)
    one.send(b"after")
    answers = [other.recvmsg(20, ROOM) for _ in "12"]
    assert [data for data, *_ in answers] == [b"before", b"after"]
    assert [senders(ancillary) for _, ancillary, *_ in answers] == [[0], [machine.modules.os.getpid()]]


def test_what_was_sent_before_accept_has_its_sender(machine: Machine) -> None:
    """unix_passcred_enabled: it may be asked for yet; the listener hands its wish on."""
    listener = unix_listener(machine)
    listener.setsockopt(std.SOL_SOCKET, std.SO_PASSCRED, 1)
    unix_connected(machine, listener).send(b"early")
    accepted = machine.keep(listener.accept()[0])
    assert accepted.getsockopt(std.SOL_SOCKET, std.SO_PASSCRED) == 1
    assert senders(accepted.recvmsg(10, ROOM)[1]) == [machine.modules.os.getpid()]


def test_credentials_come_in_front_of_descriptors(machine: Machine) -> None:
    """scm_recv_unix."""
    one, other = pair(machine)
    other.setsockopt(std.SOL_SOCKET, std.SO_PASSCRED, 1)
    fds = array.array("i", [machine.pipe()[1]])
    one.sendmsg([b"x"], [(std.SOL_SOCKET, std.SCM_RIGHTS, fds)])
    ancillary = other.recvmsg(10, ROOM)[1]
    assert [kind for _, kind, _ in ancillary] == [std.SCM_CREDENTIALS, std.SCM_RIGHTS]
    machine.keep_descriptor(array.array("i", ancillary[1][2])[0])


@pytest.mark.parametrize(("room", "kinds"), [(0, []), (8, []), (20, [std.SCM_CREDENTIALS])])
def test_credentials_without_room_are_cut(machine: Machine, room: int, kinds: list[int]) -> None:
    """put_cmsg: MSG_CTRUNC, and what there is room for."""
    one, other = pair(machine)
    other.setsockopt(std.SOL_SOCKET, std.SO_PASSCRED, 1)
    one.send(b"x")
    _, ancillary, flags, _ = other.recvmsg(10, room)
    assert [kind for _, kind, _ in ancillary] == kinds
    assert flags & std.MSG_CTRUNC


def test_a_socket_that_asks_for_credentials_gets_a_name_when_it_connects(machine: Machine) -> None:
    """unix(7), autobind: so that it can be answered."""
    listener, sock = unix_listener(machine), unix(machine)
    sock.setsockopt(std.SOL_SOCKET, std.SO_PASSCRED, 1)
    sock.connect(listener.getsockname())
    assert len(sock.getsockname()) == 6
    accepted, address = listener.accept()
    assert address == machine.keep(accepted).getpeername() == sock.getsockname()


def test_nobody_sends_the_credentials_of_a_process_that_is_not_there(machine: Machine) -> None:
    """__scm_send: ESRCH (EPERM without privileges); EINVAL for what is no struct ucred."""
    one, other = pair(machine)
    nobody = struct.pack("iII", 0x3FFF_FFFF, 0, 0)
    message = (std.SOL_SOCKET, std.SCM_CREDENTIALS, nobody)
    assert outcome(one.sendmsg, [b"x"], [message]) in ("ESRCH", "EPERM")
    assert outcome(one.sendmsg, [b"x"], [(*message[:2], b"short")]) == "EINVAL"
    assert outcome(one.sendmsg, [b"x"], [(std.SOL_SOCKET, 77, b"")]) == "EINVAL"
    assert outcome(other.recv, 1) == "EAGAIN"
