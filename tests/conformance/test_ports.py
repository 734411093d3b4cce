"""bind(2) and ports: who may have which, with whom, and for how long (ip(7), socket(7) SO_REUSEADDR)."""

from __future__ import annotations

import socket as std
from collections.abc import Callable
from typing import Any

import pytest

from simnet.transport import HUP, IN, OUT, RDHUP

from .machine import Machine, outcome
from .states import DEAD, RESET

FIN_SEEN = IN | OUT | RDHUP


def socket(machine: Machine, reuse: bool = False) -> Any:
    sock = machine.socket()
    sock.setsockopt(std.SOL_SOCKET, std.SO_REUSEADDR, int(reuse))
    return sock


def bound(machine: Machine, reuse: bool = False, port: int = 0) -> Any:
    sock = socket(machine, reuse)
    sock.bind((machine.address, port))
    return sock


def explicit(machine: Machine) -> Any:
    """A socket that asked for its port by number."""
    return bound(machine, port=machine.closed_address()[1])


def test_a_fresh_socket_has_no_name_and_bind_gives_it_one(machine: Machine) -> None:
    """getsockname(2), bind(2), ip(7): port 0 means any free port."""
    sock = machine.socket()
    assert sock.getsockname() == ("0.0.0.0", 0)
    assert outcome(sock.bind, (machine.address, 0)) == "ok"
    host, port = sock.getsockname()
    assert host == machine.address
    assert port > 0
    assert outcome(sock.bind, (machine.address, 0)) == "EINVAL"
    assert outcome(machine.socket().bind, (host, port)) == "EADDRINUSE"


def test_bind_to_an_address_of_another_host_fails_and_can_be_repeated(machine: Machine) -> None:
    """bind(2), EADDRNOTAVAIL: a nonexistent interface was requested."""
    sock = machine.socket()
    assert outcome(sock.bind, ("192.0.2.1", 0)) == "EADDRNOTAVAIL"  # TEST-NET-1, RFC 5737
    assert outcome(sock.bind, (machine.address, 0)) == "ok"


def test_an_empty_host_is_the_wildcard_and_all_of_127_is_local(machine: Machine) -> None:
    """ip(7), INADDR_ANY; RFC 1122, section 3.2.1.3."""
    sock, other = machine.socket(), machine.socket()
    sock.bind(("", 0))
    assert sock.getsockname()[0] == "0.0.0.0"
    other.bind(("127.9.9.9", 0))
    assert other.getsockname()[0] == "127.9.9.9"


def test_a_failed_bind_loses_the_address_and_keeps_the_port(machine: Machine) -> None:
    """__inet_bind: inet_saddr is set back when the port cannot be had."""
    holder, sock = bound(machine), machine.socket()
    sock.connect_ex(machine.closed_address())
    machine.wait_for(sock, DEAD)
    port = sock.getsockname()[1]
    assert outcome(sock.bind, holder.getsockname()) == "EADDRINUSE"
    assert sock.getsockname() == ("0.0.0.0", port)


# --- who may share a port ------------------------------------------------------------------------


def is_bound(machine: Machine, reuse: bool) -> tuple[str, int]:
    return bound(machine, reuse).getsockname()  # type: ignore[no-any-return]


def is_listening(machine: Machine, reuse: bool) -> tuple[str, int]:
    sock = bound(machine, reuse)
    sock.listen(5)
    return sock.getsockname()  # type: ignore[no-any-return]


def connection(machine: Machine, reuse: bool) -> tuple[Any, Any]:
    """A bound socket that is connected, and its peer."""
    listener, sock = machine.listener(), bound(machine, reuse)
    sock.connect_ex(listener.getsockname())
    machine.wait_for(sock, OUT)
    return sock, machine.accept(listener)


def is_connected(machine: Machine, reuse: bool) -> tuple[str, int]:
    return connection(machine, reuse)[0].getsockname()  # type: ignore[no-any-return]


def is_accepted(machine: Machine, reuse: bool) -> tuple[str, int]:
    listener = bound(machine, reuse)
    listener.listen(5)
    _, sock = machine.pair(listener)
    listener.close()
    return sock.getsockname()  # type: ignore[no-any-return]


def is_in_fin_wait_2(machine: Machine, reuse: bool) -> tuple[str, int]:
    sock, peer = connection(machine, reuse)
    name = sock.getsockname()
    sock.close()
    machine.wait_for(peer, FIN_SEEN)
    return name  # type: ignore[no-any-return]


def is_in_time_wait(machine: Machine, reuse: bool) -> tuple[str, int]:
    sock, peer = connection(machine, reuse)
    name = sock.getsockname()
    sock.close()
    machine.wait_for(peer, FIN_SEEN)
    peer.close()
    return name  # type: ignore[no-any-return]


def is_in_close_wait(machine: Machine, reuse: bool) -> tuple[str, int]:
    sock, peer = connection(machine, reuse)
    peer.close()
    machine.wait_for(sock, FIN_SEEN)
    return sock.getsockname()  # type: ignore[no-any-return]


FIRST: tuple[Callable[[Machine, bool], tuple[str, int]], ...] = (
    is_bound,
    is_listening,
    is_connected,
    is_accepted,
    is_in_fin_wait_2,
    is_in_time_wait,
    is_in_close_wait,
)


@pytest.mark.parametrize("second_reuses", [False, True], ids=["exclusive", "reuse"])
@pytest.mark.parametrize("first_reuses", [False, True], ids=["exclusive", "reuse"])
@pytest.mark.parametrize("first", FIRST, ids=lambda first: first.__name__)
def test_a_port_is_shared_only_if_both_reuse_it_and_the_first_does_not_listen(
    machine: Machine,
    first: Callable[[Machine, bool], tuple[str, int]],
    first_reuses: bool,
    second_reuses: bool,
) -> None:
    """socket(7), SO_REUSEADDR; inet_csk_bind_conflict.

    The second asks for the same address, for all, for another.
    """
    shared = first_reuses and second_reuses and first is not is_listening
    expected = ["ok" if shared else "EADDRINUSE"] * 2 + ["ok"]
    # On a real machine another process may have the port that the kernel chose, on another address.
    for _ in range(machine.attempts):
        host, port = first(machine, first_reuses)
        answers = []
        for address in (host, "0.0.0.0", "127.99.99.99"):
            second = socket(machine, second_reuses)
            answers.append(outcome(second.bind, (address, port)))
            second.close()
        if answers == expected:
            break
    assert answers == expected


def test_of_two_that_reuse_a_port_the_first_to_listen_wins(machine: Machine) -> None:
    """listen(2), EADDRINUSE: another socket is already listening on the same port."""
    first = bound(machine, reuse=True)
    second = bound(machine, reuse=True, port=first.getsockname()[1])
    assert outcome(first.listen, 5) == "ok"
    assert outcome(second.listen, 5) == "EADDRINUSE"
    machine.wait_for(second, OUT | HUP)


def test_listen_asks_for_conflicts_that_came_after_bind(machine: Machine) -> None:
    """inet_csk_listen_start calls get_port again: here the option was taken back meanwhile."""
    first = bound(machine, reuse=True)
    bound(machine, reuse=True, port=first.getsockname()[1])
    first.setsockopt(std.SOL_SOCKET, std.SO_REUSEADDR, 0)
    assert outcome(first.listen, 5) == "EADDRINUSE"


def test_time_wait_belongs_to_the_side_that_closed_first(machine: Machine) -> None:
    """RFC 9293, section 3.6.1: the passive closer's port is free at once."""
    active, passive = connection(machine, reuse=False)
    passive_name, active_name = passive.getpeername(), active.getsockname()
    active.close()
    machine.wait_for(passive, FIN_SEEN)
    passive.close()
    assert passive_name == active_name
    assert outcome(socket(machine).bind, active_name) == "EADDRINUSE"
    sock, peer = connection(machine, reuse=False)
    name = sock.getsockname()
    peer.close()
    machine.wait_for(sock, FIN_SEEN)
    sock.close()
    assert outcome(socket(machine).bind, name) == "ok"


def test_a_reset_leaves_no_time_wait(machine: Machine) -> None:
    """RFC 9293, section 3.10.7.4: a reset connection is deleted."""
    sock, peer = connection(machine, reuse=False)
    name = sock.getsockname()
    sock.setsockopt(std.SOL_SOCKET, std.SO_LINGER, RESET)
    sock.close()
    machine.wait_for(peer, DEAD)
    assert outcome(socket(machine).bind, name) == "ok"


# --- a port that the kernel chose is only lent ---------------------------------------------------


def refused(machine: Machine, sock: Any) -> None:
    assert outcome(sock.connect, machine.closed_address()) == "EINPROGRESS"
    machine.wait_for(sock, DEAD)


def test_a_port_that_the_kernel_chose_is_given_back_with_the_connection(machine: Machine) -> None:
    """SOCK_BINDPORT_LOCK is set for an explicit port only; tcp_set_state(TCP_CLOSE) puts others back."""
    sock = bound(machine)
    name = sock.getsockname()
    refused(machine, sock)
    assert sock.getsockname() == name
    assert outcome(socket(machine).bind, name) == "ok"
    assert outcome(sock.bind, (machine.address, 0)) == "ok"


def test_an_explicit_port_is_kept_until_close(machine: Machine) -> None:
    """SOCK_BINDPORT_LOCK."""
    sock = explicit(machine)
    name = sock.getsockname()
    refused(machine, sock)
    assert outcome(socket(machine).bind, name) == "EADDRINUSE"
    assert outcome(sock.bind, (machine.address, 0)) == "EINVAL"
    sock.close()
    assert outcome(socket(machine).bind, name) == "ok"


def test_listening_again_on_a_port_that_the_kernel_chose_gives_another_port(machine: Machine) -> None:
    """Un-listening gives the port back; getsockname() shows the old one until the second listen()."""
    listener = machine.listener()
    name = listener.getsockname()
    listener.shutdown(std.SHUT_RD)
    assert listener.getsockname() == name
    taken = socket(machine)
    assert outcome(taken.bind, name) == "ok"
    assert outcome(listener.listen, 5) == "ok"
    assert listener.getsockname() != name
    refusal = machine.connecting(name)
    machine.wait_for(refusal, DEAD)


# --- what else the kernel asks, and in which order -----------------------------------------------


def test_an_address_of_another_host_is_noticed_before_a_second_bind(machine: Machine) -> None:
    """__inet_bind: EADDRNOTAVAIL comes before EINVAL."""
    sock = bound(machine)
    assert outcome(sock.bind, ("192.0.2.1", 0)) == "EADDRNOTAVAIL"  # TEST-NET-1, RFC 5737
    assert outcome(sock.bind, (machine.address, 0)) == "EINVAL"


def test_a_socket_that_connects_to_its_own_name_is_no_client_of_a_listener_there(machine: Machine) -> None:
    """__inet_lookup_established comes before the listeners: the SYN finds the socket that sent it."""
    sock = bound(machine, reuse=True)
    listener = bound(machine, reuse=True, port=sock.getsockname()[1])
    listener.listen(5)
    assert outcome(sock.connect, sock.getsockname()) == "EINPROGRESS"
    machine.wait_for(sock, OUT)
    assert sock.getpeername() == sock.getsockname()
    assert outcome(listener.accept) == "EAGAIN"


def test_a_socket_of_every_address_may_become_the_one_that_it_connects_to(machine: Machine) -> None:
    """tcp_v4_connect: an unset source is taken from the route, here 127.0.0.1 with the own port."""
    listener, sock = socket(machine, reuse=True), socket(machine, reuse=True)
    listener.bind(("127.0.0.1", 0))
    name = listener.getsockname()
    sock.bind(("0.0.0.0", name[1]))
    listener.listen(5)
    assert outcome(sock.connect, name) == "EINPROGRESS"
    machine.wait_for(sock, OUT)
    assert sock.getsockname() == sock.getpeername() == name
    assert outcome(listener.accept) == "EAGAIN"


def test_reuse_that_was_taken_back_after_bind_bars_others(machine: Machine) -> None:
    """inet_csk_bind_conflict asks what the options are now."""
    first = bound(machine, reuse=True)
    first.setsockopt(std.SOL_SOCKET, std.SO_REUSEADDR, 0)
    assert outcome(socket(machine, reuse=True).bind, first.getsockname()) == "EADDRINUSE"
