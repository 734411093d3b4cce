"""TCP and UDP over IPv6, and IPv4 by sockets of IPv6 (ipv6(7), RFC 3493)."""

from __future__ import annotations

import socket as std
from typing import Any

import pytest

from simnet.transport import HUP, IN, OUT, RDHUP

from .machine import Machine, outcome
from .sockets import take, udp
from .states import DEAD

MAPPED = "::ffff:127.0.0.1"


@pytest.fixture(autouse=True)
def _over_ipv6(machine: Machine) -> None:
    machine.over(std.AF_INET6)


def stream(m: Machine, family: int = std.AF_INET6, only: int | None = None) -> Any:
    sock = m.open(family, std.SOCK_STREAM)
    if only is not None:
        sock.setsockopt(std.IPPROTO_IPV6, std.IPV6_V6ONLY, only)
    return sock


def wide_listener(m: Machine, only: int) -> tuple[Any, int]:
    """Who listens at ``[::]``, and its port."""
    sock = stream(m, only=only)
    sock.bind(("::", 0))
    sock.listen(5)
    return sock, sock.getsockname()[1]


def dial(m: Machine, address: Any, family: int = std.AF_INET) -> Any:
    sock = m.open(family, std.SOCK_STREAM)
    assert outcome(sock.connect, address) == "EINPROGRESS"
    return sock


# --- names ---------------------------------------------------------------------------------------


def test_a_name_has_four_parts(machine: Machine) -> None:
    """ipv6(7), sockaddr_in6: address, port, flow information, scope."""
    sock = stream(machine)
    assert sock.getsockname() == ("::", 0, 0, 0)
    sock.bind(("::1", 0))
    host, port, flow, scope = sock.getsockname()
    assert (host, flow, scope) == ("::1", 0, 0)
    assert port > 0


def test_an_address_may_be_given_with_two_three_or_four_parts(machine: Machine) -> None:
    """The socket module: flowinfo and scope_id can be left out."""
    for address in (("::1", 0), ("::1", 0, 0), ("::1", 0, 0, 0)):
        assert outcome(stream(machine).bind, address) == "ok"
    for wrong in (("::1",), ("::1", 0, 0, 0, 0)):
        with pytest.raises(TypeError):
            stream(machine).bind(wrong)


def test_a_connection_over_ipv6_has_the_names_of_both_ends(machine: Machine) -> None:
    """getsockname(2), getpeername(2), accept(2)."""
    listener = machine.listener()
    opener = machine.connected(listener)
    assert opener.getpeername() == listener.getsockname()
    machine.wait_for(listener, IN)
    accepted, address = listener.accept()
    machine.keep(accepted)
    assert address == opener.getsockname() == accepted.getpeername()
    assert accepted.family == std.AF_INET6


def test_the_empty_host_is_the_wildcard_of_ipv6(machine: Machine) -> None:
    """The socket module: '' stands for in6addr_any."""
    sock = stream(machine)
    sock.bind(("", 0))
    assert sock.getsockname()[0] == "::"


def test_the_wildcard_of_ipv6_means_loopback(machine: Machine) -> None:
    """tcp_v6_connect: the unspecified address becomes ::1."""
    _, port = wide_listener(machine, only=1)
    sock = dial(machine, ("::", port), std.AF_INET6)
    machine.wait_for(sock, OUT)
    assert sock.getpeername() == ("::1", port, 0, 0)
    assert sock.getsockname()[0] == "::1"


def test_addresses_of_ipv6_are_written_in_their_shortest_form(machine: Machine) -> None:
    """RFC 5952, by inet_ntop(3)."""
    sock = stream(machine)
    sock.bind(("0:0:0:0:0:0:0:1", 0))
    assert sock.getsockname()[0] == "::1"


def test_an_ipv6_address_that_is_not_here_is_eaddrnotavail(machine: Machine) -> None:
    """bind(2), EADDRNOTAVAIL: of ::1 there is one, not a net as of 127.0.0.1."""
    for foreign in ("2001:db8::1", "::2"):
        assert outcome(stream(machine).bind, (foreign, 0)) == "EADDRNOTAVAIL"


def test_an_address_of_the_other_family_is_no_name(machine: Machine) -> None:
    """getaddrinfo(3), EAI_ADDRFAMILY or EAI_NONAME: the socket module looks it up in the socket's family."""
    with pytest.raises(std.gaierror):
        stream(machine, std.AF_INET).connect(("::1", 9))
    with pytest.raises(std.gaierror):
        stream(machine).connect(("127.0.0.1", 9))


def test_a_refusal_over_ipv6(machine: Machine) -> None:
    """connect(2), ECONNREFUSED."""
    sock = machine.connecting(machine.closed_address())
    machine.wait_for(sock, DEAD)
    assert sock.getsockname()[0] == "::1"
    assert outcome(sock.connect, machine.closed_address()) == "ECONNREFUSED"
    assert sock.getsockname()[0] == "::"


def test_ports_of_ipv6_and_of_ipv4_are_apart_for_single_addresses(machine: Machine) -> None:
    """ipv6_rcv_saddr_equal: ::1 and 127.0.0.1 do not overlap."""
    answers = []
    # On a real machine another process may have the port that the kernel chose.
    for _ in range(machine.attempts):
        port = machine.listener().getsockname()[1]
        answers.append(outcome(stream(machine, std.AF_INET).bind, ("127.0.0.1", port)))
    assert "ok" in answers


# --- both families by one socket -----------------------------------------------------------------


def test_v6only_is_off_at_first_and_fixed_by_bind(machine: Machine) -> None:
    """ipv6(7), IPV6_V6ONLY: /proc/sys/net/ipv6/bindv6only is 0; EINVAL once the socket is bound."""
    sock = stream(machine)
    assert sock.getsockopt(std.IPPROTO_IPV6, std.IPV6_V6ONLY) == 0
    sock.setsockopt(std.IPPROTO_IPV6, std.IPV6_V6ONLY, 1)
    assert sock.getsockopt(std.IPPROTO_IPV6, std.IPV6_V6ONLY) == 1
    sock.bind(("::1", 0))
    assert outcome(sock.setsockopt, std.IPPROTO_IPV6, std.IPV6_V6ONLY, 0) == "EINVAL"


def test_a_listener_at_the_wildcard_takes_clients_of_ipv4_as_mapped(machine: Machine) -> None:
    """RFC 3493, section 3.7: ::ffff:a.b.c.d."""
    listener, port = wide_listener(machine, only=0)
    client = dial(machine, ("127.0.0.1", port))
    machine.wait_for(client, OUT)
    machine.wait_for(listener, IN)
    accepted, address = listener.accept()
    machine.keep(accepted)
    assert address[:2] == (MAPPED, client.getsockname()[1])
    assert accepted.getsockname()[:2] == (MAPPED, port)
    assert accepted.family == std.AF_INET6
    assert client.getpeername() == ("127.0.0.1", port)
    client.send(b"hello")
    machine.wait_for(accepted, IN | OUT)
    assert accepted.recv(10) == b"hello"


def test_a_listener_at_the_wildcard_takes_clients_of_ipv6_too(machine: Machine) -> None:
    """ipv6(7): one socket for both."""
    listener, port = wide_listener(machine, only=0)
    client = dial(machine, ("::1", port), std.AF_INET6)
    machine.wait_for(client, OUT)
    assert machine.accept(listener).getpeername() == client.getsockname()


def test_with_v6only_clients_of_ipv4_are_refused(machine: Machine) -> None:
    """ipv6(7), IPV6_V6ONLY."""
    listener, port = wide_listener(machine, only=1)
    machine.wait_for(dial(machine, ("127.0.0.1", port)), DEAD)
    assert outcome(listener.accept) == "EAGAIN"


def test_the_wildcard_of_ipv6_holds_the_port_of_ipv4_too(machine: Machine) -> None:
    """inet_rcv_saddr_equal: [::] without V6ONLY overlaps every address of IPv4."""
    _, port = wide_listener(machine, only=0)
    for host in ("0.0.0.0", "127.0.0.1"):
        assert outcome(stream(machine, std.AF_INET).bind, (host, port)) == "EADDRINUSE"


def test_the_wildcard_of_ipv4_holds_the_port_of_ipv6_unless_v6only(machine: Machine) -> None:
    """inet_rcv_saddr_equal, the other way round."""
    four = stream(machine, std.AF_INET)
    four.bind(("", 0))
    port = four.getsockname()[1]
    assert outcome(stream(machine, only=0).bind, ("::", port)) == "EADDRINUSE"
    assert outcome(stream(machine, only=0).bind, ("::1", port)) == "ok"
    # ::1 has the port now, so the wildcard has to ask for another one that is free.
    other = stream(machine, std.AF_INET)
    other.bind(("", 0))
    assert outcome(stream(machine, only=1).bind, ("::", other.getsockname()[1])) == "ok"


def test_with_v6only_both_wildcards_may_listen(machine: Machine) -> None:
    """What a server with a socket for each family does."""
    listener, port = wide_listener(machine, only=1)
    four = stream(machine, std.AF_INET)
    assert outcome(four.bind, ("", port)) == "ok"
    assert outcome(four.listen, 5) == "ok"
    machine.wait_for(dial(machine, ("127.0.0.1", port)), OUT)
    machine.wait_for(dial(machine, ("::1", port), std.AF_INET6), OUT)
    assert len(machine.accept(listener).getpeername()) == 4
    assert len(machine.accept(four).getpeername()) == 2


def test_a_socket_of_ipv6_connects_to_ipv4_by_a_mapped_address(machine: Machine) -> None:
    """RFC 3493, section 3.7; tcp_v6_connect goes over to tcp_v4_connect."""
    listener = stream(machine, std.AF_INET)
    listener.bind(("127.0.0.1", 0))
    listener.listen(5)
    port = listener.getsockname()[1]
    sock = dial(machine, (MAPPED, port), std.AF_INET6)
    machine.wait_for(sock, OUT)
    assert sock.getpeername() == (MAPPED, port, 0, 0)
    assert sock.getsockname()[0] == MAPPED
    accepted = machine.keep(listener.accept()[0])
    assert accepted.getpeername() == ("127.0.0.1", sock.getsockname()[1])


def test_with_v6only_a_mapped_address_is_enetunreach(machine: Machine) -> None:
    """tcp_v6_connect: ENETUNREACH."""
    sock = stream(machine, only=1)
    assert outcome(sock.connect, (MAPPED, 9)) == "ENETUNREACH"
    assert machine.mask(sock) == "OUT|HUP"


def test_bind_to_a_mapped_address_takes_the_port_of_ipv4(machine: Machine) -> None:
    """__inet6_bind: a mapped address is an IPv4 address, and EINVAL with V6ONLY."""
    sock = stream(machine)
    assert outcome(sock.bind, (MAPPED, 0)) == "ok"
    assert sock.getsockname()[0] == MAPPED
    port = sock.getsockname()[1]
    assert outcome(stream(machine, std.AF_INET).bind, ("127.0.0.1", port)) == "EADDRINUSE"
    assert outcome(stream(machine, only=1).bind, (MAPPED, 0)) == "EINVAL"


def test_a_listener_at_a_mapped_address_serves_ipv4(machine: Machine) -> None:
    """RFC 3493, section 3.7."""
    listener = stream(machine)
    listener.bind((MAPPED, 0))
    listener.listen(5)
    client = dial(machine, ("127.0.0.1", listener.getsockname()[1]))
    machine.wait_for(client, OUT)
    assert machine.accept(listener).getpeername()[0] == MAPPED


def test_a_mapped_connection_ends_like_any_other(machine: Machine) -> None:
    """TCP is the same below."""
    listener, port = wide_listener(machine, only=0)
    client = dial(machine, ("127.0.0.1", port))
    machine.wait_for(client, OUT)
    accepted = machine.accept(listener)
    client.close()
    machine.wait_for(accepted, IN | OUT | RDHUP)
    accepted.shutdown(std.SHUT_WR)
    machine.wait_for(accepted, IN | OUT | HUP | RDHUP)


def test_a_datagram_socket_of_ipv6_hears_ipv4_as_mapped(machine: Machine) -> None:
    """udpv6_recvmsg: the sender's address is mapped."""
    receiver = machine.open(std.AF_INET6, std.SOCK_DGRAM)
    receiver.bind(("::", 0))
    sender = machine.open(std.AF_INET, std.SOCK_DGRAM)
    sender.bind(("127.0.0.1", 0))
    sender.sendto(b"x", ("127.0.0.1", receiver.getsockname()[1]))
    data, address = take(machine, receiver)
    assert (data, address[:2]) == (b"x", (MAPPED, sender.getsockname()[1]))
    assert receiver.sendto(b"back", address) == 4
    assert take(machine, sender)[0] == b"back"


def test_a_datagram_socket_of_ipv6_with_v6only_does_not(machine: Machine) -> None:
    """IPV6_V6ONLY of udp; sendto() a mapped address is ENETUNREACH."""
    receiver = machine.open(std.AF_INET6, std.SOCK_DGRAM)
    receiver.setsockopt(std.IPPROTO_IPV6, std.IPV6_V6ONLY, 1)
    receiver.bind(("::", 0))
    port = receiver.getsockname()[1]
    assert outcome(receiver.sendto, b"x", (MAPPED, port)) == "ENETUNREACH"
    four = machine.open(std.AF_INET, std.SOCK_DGRAM)
    assert outcome(four.bind, ("", port)) == "ok"


def test_a_connected_datagram_socket_of_ipv6_talks_to_ipv4(machine: Machine) -> None:
    """udpv6_pre_connect, __ip6_datagram_connect: a mapped peer."""
    peer = machine.open(std.AF_INET, std.SOCK_DGRAM)
    peer.bind(("127.0.0.1", 0))
    sock = machine.open(std.AF_INET6, std.SOCK_DGRAM)
    assert outcome(sock.connect, (MAPPED, peer.getsockname()[1])) == "ok"
    assert sock.getsockname()[0] == MAPPED
    assert sock.getpeername()[:2] == (MAPPED, peer.getsockname()[1])
    sock.send(b"x")
    assert take(machine, peer) == (b"x", ("127.0.0.1", sock.getsockname()[1]))


def test_a_datagram_cannot_be_sent_to_ipv6_from_ipv4(machine: Machine) -> None:
    """The socket module refuses the address (getaddrinfo(3))."""
    with pytest.raises(std.gaierror):
        machine.open(std.AF_INET, std.SOCK_DGRAM).sendto(b"x", udp(machine, std.AF_INET6).getsockname()[:2])


def test_a_stream_goes_to_no_group_of_ipv6(machine: Machine) -> None:
    """tcp_v6_connect: ENETUNREACH for multicast."""
    sock = stream(machine)
    assert outcome(sock.connect, ("ff02::1", 9)) == "ENETUNREACH"


def test_v6only_is_an_option_of_ipv6_only(machine: Machine) -> None:
    """getsockopt(2), ENOPROTOOPT or EOPNOTSUPP for another family."""
    sock = stream(machine, std.AF_INET)
    assert outcome(sock.setsockopt, std.IPPROTO_IPV6, std.IPV6_V6ONLY, 1) == "ENOPROTOOPT"
    assert outcome(sock.getsockopt, std.IPPROTO_IPV6, std.IPV6_V6ONLY) == "ENOTSUP"


# --- corners -------------------------------------------------------------------------------------


def test_a_socket_bound_to_loopback_of_ipv6_has_no_way_to_ipv4(machine: Machine) -> None:
    """tcp_v6_connect: a source that is not mapped cannot speak to a mapped destination: ENETUNREACH."""
    sock = stream(machine)
    sock.bind(("::1", 0))
    assert outcome(sock.connect, (MAPPED, 9)) == "ENETUNREACH"


def test_a_socket_that_tried_ipv4_once_stays_with_it(machine: Machine) -> None:
    """tcp_v6_connect: ipv6_mapped is put in place and never taken back; real IPv6 does not get out."""
    full = stream(machine, std.AF_INET)
    full.bind(("127.0.0.1", 0))
    full.listen(0)
    machine.wait_for(dial(machine, full.getsockname()), OUT)
    sock = dial(machine, (MAPPED, full.getsockname()[1]), std.AF_INET6)
    assert outcome(sock.shutdown, std.SHUT_RD) == "ok"
    assert outcome(sock.connect, machine.listener().getsockname()) == "EINPROGRESS"
    assert machine.mask(sock) == "-"
    assert outcome(sock.connect, machine.listener().getsockname()) == "EALREADY"


def test_every_holder_that_is_not_for_ipv6_alone_bars_the_wildcard_of_ipv4(machine: Machine) -> None:
    """ipv4_rcv_saddr_equal sees the wildcard on one side, and asks for V6ONLY only."""
    listener, port = wide_listener(machine, only=0)
    client = dial(machine, ("::1", port), std.AF_INET6)
    machine.wait_for(client, OUT)
    accepted = machine.accept(listener)
    listener.close()
    assert accepted.getsockname()[0] == "::1"
    assert outcome(stream(machine, std.AF_INET).bind, ("0.0.0.0", port)) == "EADDRINUSE"


def test_v6only_of_a_bound_datagram_socket_is_fixed_too(machine: Machine) -> None:
    """do_ipv6_setsockopt: EINVAL once there is a port."""
    sock = udp(machine, std.AF_INET6)
    assert outcome(sock.setsockopt, std.IPPROTO_IPV6, std.IPV6_V6ONLY, 1) == "EINVAL"


def test_the_wildcard_is_ipv4s_loopback_to_a_datagram_socket_with_a_mapped_name(machine: Machine) -> None:
    """udpv6_sendmsg: any becomes ::ffff:127.0.0.1 if the socket's own address is mapped."""
    receiver, peer = udp_of_ipv4(machine), udp_of_ipv4(machine)
    sock = machine.open(std.AF_INET6, std.SOCK_DGRAM)
    sock.connect(("::ffff:127.0.0.1", peer.getsockname()[1]))
    assert sock.sendto(b"x", ("::", receiver.getsockname()[1])) == 1
    assert take(machine, receiver) == (b"x", ("127.0.0.1", sock.getsockname()[1]))


def udp_of_ipv4(m: Machine) -> Any:
    sock = m.open(std.AF_INET, std.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    return sock
