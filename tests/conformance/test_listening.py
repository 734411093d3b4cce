"""listen(2) and accept(2): the queue, its limit, and what may become of a connection in it."""

from __future__ import annotations

import socket as std
import struct

import pytest

from simnet.transport import HUP, IN, OUT, RDHUP

from .machine import Machine, outcome
from .sockets import ANY
from .states import DEAD, RESET


@pytest.fixture(autouse=True)
def _over_both(machine: Machine, family: int) -> None:
    """Over both versions of IP: TCP is the same above."""
    machine.over(family)


@pytest.mark.parametrize(
    ("backlog", "expected"),
    [(0, "Esss"), (1, "EEsss"), (2, "EEEsss"), (5, "EEEEEEsss"), (-1, "Esss")],
)
def test_a_backlog_of_n_admits_n_plus_1(machine: Machine, backlog: int, expected: str) -> None:
    """listen(2); sk_acceptq_is_full in include/net/sock.h asks for "more than"; CPython clamps -1 to 0."""
    listener = machine.listener(backlog)
    sockets = [machine.connecting(listener.getsockname()) for _ in expected]
    masks = [OUT if letter == "E" else 0 for letter in expected]
    machine.eventually(lambda: [machine.poll_mask(sock) for sock in sockets] == masks)
    assert "".join("E" if machine.poll_mask(sock) else "s" for sock in sockets) == expected
    assert len(list(accepted(machine, listener))) == expected.count("E")


def accepted(machine: Machine, listener: std.socket) -> list[std.socket]:
    """Everything that can be accepted now."""
    found = []
    while machine.poll_mask(listener) & IN:
        found.append(machine.accept(listener))
    assert outcome(listener.accept) == "EAGAIN"
    return found


def test_listen_again_changes_the_backlog(machine: Machine) -> None:
    """inet_listen: on a listener only the backlog is adjusted."""
    listener = machine.listener(backlog=0)
    first, stuck = (machine.connecting(listener.getsockname()) for _ in "12")
    machine.wait_for(first, OUT)
    machine.wait_for(stuck, 0)
    assert outcome(listener.listen, 3) == "ok"
    for sock in [machine.connecting(listener.getsockname()) for _ in "123"]:
        machine.wait_for(sock, OUT)


def test_a_connection_that_found_the_queue_full_completes_a_second_later(machine: Machine) -> None:
    """RFC 6298, section 2: the SYN is sent again after 1 s; making room alone changes nothing."""
    listener = machine.listener(backlog=0)
    machine.connected(listener)
    stuck = machine.connecting(listener.getsockname())
    started_s = machine.now_s()
    machine.accept(listener)
    machine.wait_for(stuck, 0)
    assert machine.eventually(lambda: machine.poll_mask(stuck) == OUT, within_s=3.0)
    assert 0.7 < machine.now_s() - started_s < 1.5


def test_connections_are_accepted_in_the_order_in_which_they_came(machine: Machine) -> None:
    """accept(2): extracts the first connection request of the queue."""
    listener = machine.listener()
    names = [machine.connected(listener).getsockname() for _ in range(4)]
    assert [machine.accept(listener).getpeername() for _ in range(4)] == names
    assert outcome(listener.accept) == "EAGAIN"


def test_accept_returns_the_address_of_the_peer(machine: Machine) -> None:
    """accept(2): addr is filled in with the address of the peer socket."""
    listener = machine.listener()
    opener = machine.connected(listener)
    machine.wait_for(listener, IN)
    sock, address = listener.accept()
    machine.keep(sock)
    assert address == opener.getsockname() == sock.getpeername()
    assert sock.getsockname() == opener.getpeername() == listener.getsockname()


def test_accept_of_a_connection_that_was_reset_succeeds(machine: Machine) -> None:
    """accept(2), NOTES: Linux passes the error to the new socket; ECONNABORTED never comes."""
    listener = machine.listener()
    opener = machine.connected(listener)
    name = opener.getsockname()
    machine.wait_for(listener, IN)
    opener.send(b"hi")
    opener.setsockopt(std.SOL_SOCKET, std.SO_LINGER, RESET)
    opener.close()
    machine.wait_for(listener, IN)
    sock, address = listener.accept()
    machine.keep(sock)
    assert address == name
    machine.wait_for(sock, DEAD)
    assert outcome(sock.getpeername) == "ENOTCONN"
    assert [outcome(sock.recv, 10) for _ in "123"] == [b"hi", "ECONNRESET", b""]


def test_accept_of_a_connection_that_was_closed_gives_its_data(machine: Machine) -> None:
    """The queue holds whole connections, with what came on them."""
    listener = machine.listener()
    opener = machine.connected(listener)
    opener.send(b"hi")
    name = opener.getsockname()
    opener.close()
    sock = machine.accept(listener)
    machine.wait_for(sock, IN | OUT | RDHUP)
    assert sock.getpeername() == name
    assert [sock.recv(10) for _ in "12"] == [b"hi", b""]


def test_closing_a_listener_resets_who_waits(machine: Machine) -> None:
    """inet_csk_listen_stop."""
    listener = machine.listener()
    waiting = machine.connected(listener)
    machine.wait_for(listener, IN)
    listener.close()
    machine.wait_for(waiting, DEAD)
    assert outcome(waiting.recv, 1) == "ECONNRESET"


def test_shutdown_for_reading_ends_listening_and_for_writing_does_nothing(machine: Machine) -> None:
    """inet_shutdown, TCP_LISTEN."""
    listener = machine.socket()
    listener.bind((machine.address, machine.closed_address()[1]))
    listener.listen(5)
    name = listener.getsockname()
    assert outcome(listener.shutdown, std.SHUT_WR) == "ok"
    assert machine.mask(listener) == "-"
    waiting = machine.connected(listener)
    assert outcome(listener.shutdown, std.SHUT_RD) == "ok"
    machine.wait_for(listener, OUT | HUP)
    machine.wait_for(waiting, DEAD)
    assert outcome(listener.accept) == "EINVAL"
    refused = machine.connecting(name)
    machine.wait_for(refused, DEAD)
    assert outcome(listener.listen, 5) == "ok"
    assert listener.getsockname() == name
    assert outcome(listener.accept) == "EAGAIN"
    machine.connected(listener)


def test_accept_and_listen_are_for_the_right_sockets_only(machine: Machine) -> None:
    """accept(2) and listen(2), EINVAL; connect(2), EISCONN."""
    listener = machine.listener()
    one, _ = machine.pair(listener)
    assert outcome(machine.socket().accept) == "EINVAL"
    assert outcome(one.accept) == "EINVAL"
    assert outcome(one.listen, 5) == "EINVAL"
    assert outcome(listener.connect, one.getsockname()) == "EISCONN"


def test_listen_on_a_socket_without_a_port_gets_one(machine: Machine) -> None:
    """inet_csk_listen_start binds to an ephemeral port of every address."""
    sock = machine.socket()
    assert outcome(sock.listen, 5) == "ok"
    host, port, *_ = sock.getsockname()
    assert host == ANY[machine.family]
    assert port > 0


def test_an_accepted_socket_inherits_options_but_blocks(machine: Machine) -> None:
    """accept(2), NOTES: on Linux O_NONBLOCK is not inherited."""
    listener = machine.socket()
    listener.bind((machine.address, 0))
    listener.setsockopt(std.SOL_SOCKET, std.SO_REUSEADDR, 1)
    listener.setsockopt(std.SOL_SOCKET, std.SO_LINGER, struct.pack("ii", 1, 5))
    for option in (std.SO_SNDBUF, std.SO_RCVBUF):
        listener.setsockopt(std.SOL_SOCKET, option, 20_000)
    listener.listen(5)
    machine.connected(listener)
    machine.wait_for(listener, IN)
    sock, _ = listener.accept()
    assert sock.getblocking()
    machine.keep(sock)
    assert sock.getsockopt(std.SOL_SOCKET, std.SO_REUSEADDR) == 1
    assert sock.getsockopt(std.SOL_SOCKET, std.SO_LINGER, 8) == struct.pack("ii", 1, 5)
    assert sock.getsockopt(std.SOL_SOCKET, std.SO_SNDBUF) == 40_000
    assert sock.getsockopt(std.SOL_SOCKET, std.SO_RCVBUF) == 40_000
    assert listener.getsockopt(std.SOL_SOCKET, std.SO_ACCEPTCONN) == 1
    assert sock.getsockopt(std.SOL_SOCKET, std.SO_ACCEPTCONN) == 0
    sock.setsockopt(std.SOL_SOCKET, std.SO_LINGER, struct.pack("ii", 0, 0))  # close() would wait


def test_without_descriptors_accept_fails_and_the_connection_stays_queued(machine: Machine) -> None:
    """accept(2), EMFILE: the listener stays readable, which makes a naive loop spin."""
    listener = machine.listener()
    opener = machine.connected(listener)
    machine.wait_for(listener, IN)
    with machine.descriptors_exhausted():
        assert outcome(listener.accept) == "EMFILE"
        assert outcome(machine.transport.socket, std.AF_INET, std.SOCK_STREAM) == "EMFILE"
        assert machine.mask(listener) == "IN"
    assert machine.accept(listener).getpeername() == opener.getsockname()
