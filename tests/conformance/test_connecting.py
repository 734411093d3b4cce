"""connect(2) on sockets that do not block: what it says, to whom, and how often."""

from __future__ import annotations

import errno
import socket as std
from typing import Any

import pytest

from simnet.transport import ERR, HUP, IN, OUT, RDHUP

from .machine import Machine, outcome
from .states import DEAD, refused_unobserved


def error_of(sock: std.socket) -> int:
    return sock.getsockopt(std.SOL_SOCKET, std.SO_ERROR)


def test_connect_says_einprogress_then_0_once_then_eisconn(machine: Machine) -> None:
    """connect(2): EINPROGRESS even on loopback; inet_stream_connect in net/ipv4/af_inet.c."""
    address, sock = machine.listener().getsockname(), machine.socket()
    assert outcome(sock.connect, address) == "EINPROGRESS"
    machine.wait_for(sock, OUT)
    assert error_of(sock) == 0
    assert outcome(sock.connect, address) == "ok"
    assert outcome(sock.connect, address) == "EISCONN"


def test_the_connect_that_reports_success_ignores_its_address(machine: Machine) -> None:
    """inet_stream_connect: in state SS_CONNECTING the address is not looked at."""
    first, second = machine.listener(), machine.listener()
    sock = machine.connected(first)
    assert outcome(sock.connect, second.getsockname()) == "ok"
    assert sock.getpeername() == first.getsockname()


def test_connect_ex_returns_what_connect_raises(machine: Machine) -> None:
    """The socket module: like connect(), but returns the error number."""
    address, sock = machine.listener().getsockname(), machine.socket()
    assert sock.connect_ex(address) == errno.EINPROGRESS
    machine.wait_for(sock, OUT)
    assert sock.connect_ex(address) == 0
    assert sock.connect_ex(address) == errno.EISCONN


def test_a_refusal_is_reported_once_and_the_socket_may_connect_again(machine: Machine) -> None:
    """connect(2): ECONNREFUSED; on Linux the same socket may be used again."""
    sock = refused_unobserved(machine).sock
    address = sock.getsockname()
    assert address[0] == "127.0.0.1"
    assert outcome(sock.connect, address) == "ECONNREFUSED"
    assert machine.mask(sock) == "OUT|HUP"
    assert outcome(sock.recv, 1) == "ENOTCONN"
    assert outcome(sock.send, b"x") == "EPIPE"
    listener = machine.listener()
    assert outcome(sock.connect, listener.getsockname()) == "EINPROGRESS"
    machine.wait_for(sock, OUT)
    assert outcome(sock.connect, listener.getsockname()) == "ok"
    assert sock.getpeername() == listener.getsockname()


def test_a_refusal_that_so_error_took_leaves_econnaborted_for_connect(machine: Machine) -> None:
    """socket(7), SO_ERROR: gets and clears; inet_stream_connect then has only ECONNABORTED to say."""
    sock, address = refused_unobserved(machine).sock, machine.listener().getsockname()
    assert [error_of(sock), error_of(sock)] == [errno.ECONNREFUSED, 0]
    assert outcome(sock.connect, address) == "ECONNABORTED"
    assert outcome(sock.connect, address) == "EINPROGRESS"
    machine.wait_for(sock, OUT)
    assert outcome(sock.connect, address) == "ok"
    assert outcome(sock.connect, address) == "EISCONN"


def test_a_refusal_that_recv_took_leaves_econnaborted_for_connect(machine: Machine) -> None:
    """tcp_recvmsg takes the pending error as SO_ERROR does."""
    sock, address = refused_unobserved(machine).sock, machine.listener().getsockname()
    assert outcome(sock.recv, 1) == "ECONNREFUSED"
    assert outcome(sock.recv, 1) == b""
    assert outcome(sock.connect, address) == "ECONNABORTED"
    assert outcome(sock.connect, address) == "EINPROGRESS"


def test_a_bound_socket_keeps_its_address_over_a_refusal(machine: Machine) -> None:
    """SOCK_BINDADDR_LOCK in include/net/sock.h: what bind() gave is not taken away."""
    sock = machine.socket()
    sock.bind((machine.address, 0))
    name = sock.getsockname()
    assert outcome(sock.connect, machine.closed_address()) == "EINPROGRESS"
    machine.wait_for(sock, DEAD)
    assert outcome(sock.connect, machine.closed_address()) == "ECONNREFUSED"
    assert sock.getsockname() == name


def test_an_address_that_nobody_bound_is_lost_with_the_connection(machine: Machine) -> None:
    """inet_bhash2_reset_saddr, called by tcp_disconnect."""
    sock = refused_unobserved(machine).sock
    assert sock.getsockname()[0] == "127.0.0.1"
    assert outcome(sock.connect, machine.closed_address()) == "ECONNREFUSED"
    assert sock.getsockname()[0] == "0.0.0.0"


def test_data_sent_before_accept_is_readable_after_it(machine: Machine) -> None:
    """listen(2): the queue holds established connections."""
    listener = machine.listener()
    sock = machine.connected(listener)
    assert sock.send(b"early") == 5
    accepted = machine.accept(listener)
    machine.wait_for(accepted, IN | OUT)
    assert accepted.recv(10) == b"early"


def test_the_wildcard_address_means_loopback(machine: Machine) -> None:
    """ip(7), INADDR_ANY; ip_route_output_key: no destination is loopback."""
    listener = machine.socket()
    listener.bind(("", 0))
    listener.listen(5)
    port = listener.getsockname()[1]
    sock = machine.connecting(("0.0.0.0", port))
    machine.wait_for(sock, OUT)
    assert sock.getpeername() == ("127.0.0.1", port)
    assert sock.getsockname()[0] == "127.0.0.1"


def test_the_wildcard_address_means_oneself_to_a_bound_socket(machine: Machine) -> None:
    """ip_route_output_key: no destination is the source, if there is one."""
    listener, sock = machine.listener(), machine.socket()
    sock.bind((machine.address, 0))
    assert outcome(sock.connect, ("0.0.0.0", listener.getsockname()[1])) == "EINPROGRESS"
    machine.wait_for(sock, OUT)
    assert sock.getpeername() == listener.getsockname()


def test_all_of_127_is_this_host(machine: Machine) -> None:
    """RFC 1122, section 3.2.1.3 (g)."""
    listener = machine.socket()
    listener.bind(("", 0))
    listener.listen(5)
    sock = machine.connecting(("127.1.2.3", listener.getsockname()[1]))
    machine.wait_for(sock, OUT)
    assert sock.getpeername()[0] == "127.1.2.3"
    assert sock.getsockname()[0] == "127.0.0.1"


def test_port_0_refuses_asynchronously(machine: Machine) -> None:
    """connect(2): an attempt to port 0 is made, and refused."""
    sock = machine.connecting((machine.address, 0))
    machine.wait_for(sock, DEAD)
    assert error_of(sock) == errno.ECONNREFUSED


def test_a_socket_that_is_connecting_says_ealready(machine: Machine) -> None:
    """connect(2), EALREADY: a previous attempt has not yet been completed."""
    listener = machine.listener(backlog=0)
    machine.connected(listener)
    sock = machine.connecting(listener.getsockname())
    assert [outcome(sock.connect, listener.getsockname()) for _ in "12"] == ["EALREADY", "EALREADY"]
    assert machine.mask(sock) == "-"


@pytest.mark.parametrize("how", [std.SHUT_WR, std.SHUT_RD, std.SHUT_RDWR])
def test_shutdown_of_a_connecting_socket_aborts_the_attempt(machine: Machine, how: int) -> None:
    """inet_shutdown, TCP_SYN_SENT: disconnects, and the socket may connect again."""
    full = machine.listener(backlog=0)
    machine.connected(full)
    sock = machine.connecting(full.getsockname())
    assert outcome(sock.shutdown, how) == "ok"
    machine.wait_for(sock, OUT | ERR | HUP)
    assert error_of(sock) == errno.ECONNRESET
    assert outcome(sock.recv, 1) == "ENOTCONN"
    assert outcome(sock.send, b"x") == "EPIPE"
    listener = machine.listener()
    assert outcome(sock.connect, listener.getsockname()) == "EINPROGRESS"
    machine.wait_for(sock, OUT)
    assert [outcome(sock.connect, listener.getsockname()) for _ in "12"] == ["ok", "EISCONN"]


def test_shutdown_after_an_unnoticed_refusal_bars_connect_with_einval(machine: Machine) -> None:
    """inet_shutdown sets SS_DISCONNECTING, for which inet_stream_connect knows only EINVAL."""
    sock = refused_unobserved(machine).sock
    assert outcome(sock.shutdown, std.SHUT_WR) == "ENOTCONN"
    assert outcome(sock.connect, machine.listener().getsockname()) == "EINVAL"


def test_nobody_shows_up_when_a_connecting_socket_is_closed(machine: Machine) -> None:
    """tcp_close in SYN_SENT: there is nobody to tell."""
    listener = machine.listener(backlog=0)
    first = machine.connected(listener)
    machine.connecting(listener.getsockname()).close()
    machine.accept(listener)
    first.close()
    assert outcome(listener.accept) == "EAGAIN"


def test_a_failing_shutdown_marks_the_socket_for_its_next_connection(machine: Machine) -> None:
    """inet_shutdown: in CLOSE the answer is ENOTCONN, and sk_shutdown is set all the same."""
    sock = machine.socket()
    assert outcome(sock.recv, 1) == "ENOTCONN"
    assert outcome(sock.shutdown, std.SHUT_RD) == "ENOTCONN"
    assert machine.mask(sock) == "IN|OUT|HUP|RDHUP"
    assert outcome(sock.recv, 1) == b""
    assert outcome(sock.connect, machine.listener().getsockname()) == "EINPROGRESS"
    machine.wait_for(sock, IN | OUT | RDHUP)
    assert outcome(sock.recv, 1) == b""


def test_a_socket_that_connects_to_itself_talks_to_itself(machine: Machine) -> None:
    """RFC 9293, section 3.5: simultaneous open, of one socket."""
    sock = machine.socket()
    sock.bind((machine.address, 0))
    name = sock.getsockname()
    assert outcome(sock.connect, name) == "EINPROGRESS"
    machine.wait_for(sock, OUT)
    assert sock.getpeername() == name
    assert sock.send(b"me") == 2
    machine.wait_for(sock, IN | OUT)
    assert sock.recv(10) == b"me"
    sock.shutdown(std.SHUT_WR)
    machine.wait_for(sock, IN | OUT | HUP | RDHUP)
    assert sock.recv(10) == b""


@pytest.mark.parametrize("destination", ["224.0.0.1", "255.255.255.255"])
def test_a_stream_goes_to_no_group_of_hosts(machine: Machine, destination: str) -> None:
    """tcp_v4_connect: ENETUNREACH for multicast and broadcast, at once."""
    sock = machine.socket()
    assert outcome(sock.connect, (destination, 9)) == "ENETUNREACH"
    assert machine.mask(sock) == "OUT|HUP"


def test_two_sockets_cannot_have_the_same_addresses_at_both_ends(machine: Machine) -> None:
    """connect(2), EADDRNOTAVAIL; __inet_check_established."""
    listener, other = machine.listener(), machine.listener()
    first, second = machine.socket(), machine.socket()
    for sock in (first, second):
        sock.setsockopt(std.SOL_SOCKET, std.SO_REUSEADDR, 1)
    first.bind((machine.address, 0))
    second.bind(first.getsockname())
    assert outcome(first.connect, listener.getsockname()) == "EINPROGRESS"
    machine.wait_for(first, OUT)
    assert outcome(second.connect, listener.getsockname()) == "EADDRNOTAVAIL"
    assert outcome(second.connect, other.getsockname()) == "EINPROGRESS"
    machine.wait_for(second, OUT)


def test_the_same_addresses_connect_again_after_the_peer_closed_too_and_not_before(machine: Machine) -> None:
    """connect(2), EADDRNOTAVAIL in FIN_WAIT_2; in TIME_WAIT timestamps tell both apart (tcp_twsk_unique)."""
    listener, port = machine.listener(), machine.closed_address()[1]

    def connect() -> tuple[Any, Any]:
        sock = machine.socket()
        sock.setsockopt(std.SOL_SOCKET, std.SO_REUSEADDR, 1)
        sock.bind((machine.address, port))
        return sock, outcome(sock.connect, listener.getsockname())

    first, _ = connect()
    machine.wait_for(first, OUT)
    peer = machine.accept(listener)
    first.close()
    machine.wait_for(peer, IN | OUT | RDHUP)
    assert connect()[1] == "EADDRNOTAVAIL"
    peer.close()
    second, answer = connect()
    assert answer == "EINPROGRESS"
    machine.wait_for(second, OUT)


def test_connect_needs_a_pair_of_host_and_port(machine: Machine) -> None:
    """The socket module: arguments are looked at before the kernel is asked."""
    sock = machine.socket()
    for wrong, error in (
        ("host:1", TypeError),
        (("127.0.0.1", "x"), TypeError),
        (("127.0.0.1", 70000), OverflowError),
    ):
        with pytest.raises(error):
            sock.connect(wrong)


def test_two_sockets_that_connect_to_each_other_are_connected(machine: Machine) -> None:
    """RFC 9293, figure 8: simultaneous open; here the first SYN had found a full backlog."""
    listener = machine.socket()
    listener.bind((machine.address, machine.closed_address()[1]))
    listener.listen(0)
    machine.connected(listener)
    first = machine.socket()
    first.bind((machine.address, machine.closed_address()[1]))
    assert outcome(first.connect, listener.getsockname()) == "EINPROGRESS"
    machine.wait_for(first, 0)
    listener.shutdown(std.SHUT_RD)
    assert outcome(listener.connect, first.getsockname()) == "EINPROGRESS"
    for one, other in ((first, listener), (listener, first)):
        machine.wait_for(one, OUT)
        assert one.getpeername() == other.getsockname()
    first.send(b"crossed")
    machine.wait_for(listener, IN | OUT)
    assert listener.recv(10) == b"crossed"
