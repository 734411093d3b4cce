"""Limits of descriptors: who gets EMFILE, and what is left as it was (getrlimit(2), RLIMIT_NOFILE)."""

from __future__ import annotations

import socket as std

from simnet.transport import IN

from .machine import Machine, outcome
from .sockets import pair, udp, unix_connected, unix_listener


def test_without_descriptors_nothing_that_makes_one_succeeds(machine: Machine) -> None:
    """socket(2), dup(2), pipe(2), socketpair(2), epoll_create(2): EMFILE."""
    sock = machine.socket()
    modules = machine.modules
    with machine.descriptors_exhausted():
        for family in (std.AF_INET, std.AF_INET6, std.AF_UNIX):
            assert outcome(modules.socket.socket, family, std.SOCK_STREAM) == "EMFILE"
            assert outcome(modules.socket.socket, family, std.SOCK_DGRAM) == "EMFILE"
        assert outcome(modules.socket.socketpair) == "EMFILE"
        assert outcome(sock.dup) == "EMFILE"
        assert outcome(modules.os.dup, sock.fileno()) == "EMFILE"
        assert outcome(modules.os.pipe) == "EMFILE"
        assert outcome(modules.select.epoll) == "EMFILE"
    assert outcome(machine.socket) != "EMFILE"


def test_without_descriptors_open_sockets_go_on(machine: Machine) -> None:
    """The limit is about new ones."""
    one, other = machine.pair()
    with machine.descriptors_exhausted():
        one.send(b"x")
        assert machine.eventually(lambda: outcome(other.recv, 1) == b"x")
        assert machine.mask(one) == "OUT"
    sender, receiver = udp(machine), udp(machine)
    with machine.descriptors_exhausted():
        sender.sendto(b"x", receiver.getsockname())
        assert machine.eventually(lambda: outcome(receiver.recv, 1) == b"x")


def test_a_unix_connection_stays_queued_when_accept_has_no_descriptor(machine: Machine) -> None:
    """accept(2), EMFILE."""
    listener = unix_listener(machine)
    unix_connected(machine, listener)
    with machine.descriptors_exhausted():
        assert [outcome(listener.accept) for _ in "12"] == ["EMFILE", "EMFILE"]
        assert machine.mask(listener) == "IN"
    machine.keep(listener.accept()[0])
    assert outcome(listener.accept) == "EAGAIN"


def test_an_empty_queue_without_descriptors_is_emfile_too(machine: Machine) -> None:
    """__sys_accept4 takes the descriptor first, and then looks into the queue."""
    for listener in (machine.listener(), unix_listener(machine)):
        with machine.descriptors_exhausted():
            assert outcome(listener.accept) == "EMFILE"
        assert outcome(listener.accept) == "EAGAIN"


def test_connections_keep_coming_while_accept_fails(machine: Machine) -> None:
    """The queue is the kernel's; the program sees it when it has descriptors again."""
    listener = machine.listener()
    openers = [machine.connected(listener) for _ in "123"]
    with machine.descriptors_exhausted():
        assert outcome(listener.accept) == "EMFILE"
        openers[0].send(b"first")
    names = [machine.accept(listener).getpeername() for _ in "123"]
    assert names == [opener.getsockname() for opener in openers]


def test_a_closed_descriptor_makes_room_for_one(machine: Machine) -> None:
    """close(2): the number can be used again at once."""
    one, other = pair(machine)
    spare = machine.socket()
    with machine.descriptors_exhausted():
        assert outcome(one.dup) == "EMFILE"
        number = spare.fileno()
        spare.close()
        copy = machine.keep(one.dup())
        assert copy.fileno() == number
        assert outcome(one.dup) == "EMFILE"
    assert other.send(b"x") == 1


def test_received_descriptors_that_find_no_number_are_lost(machine: Machine) -> None:
    """unix(7), SCM_RIGHTS: MSG_CTRUNC; the data arrives all the same."""
    one, other = pair(machine)
    writer = machine.pipe()[1]
    machine.modules.socket.send_fds(one, [b"x"], [writer])
    with machine.descriptors_exhausted():
        data, ancillary, flags, _ = other.recvmsg(10, std.CMSG_SPACE(4))
    assert (data, ancillary) == (b"x", [])
    assert flags & std.MSG_CTRUNC


def test_a_listener_is_readable_again_after_a_failed_accept(machine: Machine) -> None:
    """accept(2): a loop that only waits for readability spins."""
    listener = machine.listener()
    machine.connected(listener)
    machine.wait_for(listener, IN)
    poller = machine.modules.select.poll()
    poller.register(listener, IN)
    with machine.descriptors_exhausted():
        for _ in "123":
            assert poller.poll(0) == [(listener.fileno(), IN)]
            assert outcome(listener.accept) == "EMFILE"
    machine.accept(listener)
