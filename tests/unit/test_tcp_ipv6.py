"""TCP over IPv6 between hosts, and which address of several a connection comes from."""

from __future__ import annotations

import errno
import socket as std
from typing import Any

import pytest

from simnet import Network
from simnet.transport import ERR, IN, OUT
from tests.conformance.machine import outcome

from .two_hosts import World, ms


def world() -> World:
    net = Network()
    net.host("server", addresses=["10.1.0.1", "2001:db8::1"])
    net.host("client", addresses=["2001:db8::2"])
    return World(net=net)


def stream(host: Any, family: int = std.AF_INET6) -> Any:
    sock = host.socket(family, std.SOCK_STREAM)
    sock.setblocking(False)
    return sock


def listener(world: World, address: str, family: int = std.AF_INET6) -> Any:
    sock = stream(world.server, family)
    sock.bind((address, 80))
    sock.listen(5)
    world.kept.append(sock)
    return sock


def dial(world: World, address: str, family: int = std.AF_INET6) -> Any:
    sock = stream(world.client, family)
    assert sock.connect_ex((address, 80)) == errno.EINPROGRESS
    return sock


def test_a_connection_over_ipv6_takes_a_round_trip() -> None:
    """SYN and SYN+ACK: 2 x 20 ms; the name leads to the address of IPv6 that the host was given."""
    w = world()
    served, opener = listener(w, "::"), dial(w, "server")
    assert w.until(opener, OUT) == ms(2 * 20)
    assert opener.getpeername()[0] == "2001:db8::1"
    w.until(served, IN)
    accepted, address = served.accept()
    assert address == opener.getsockname() == accepted.getpeername()


@pytest.mark.parametrize(
    ("target", "source"),
    [("fd00::1", "fd00::2"), ("2001:db8::1", "2001:db8::2"), ("::ffff:10.1.0.1", "::ffff:10.0.0.2")],
)
def test_a_connection_comes_from_the_address_that_is_nearest_to_its_target(target: str, source: str) -> None:
    """RFC 6724, section 5; IPv4 has one address here, and it is mapped."""
    w = world()
    listener(w, "::")
    opener = dial(w, target)
    w.until(opener, OUT)
    assert (opener.getsockname()[0], opener.getpeername()[0]) == (source, target)


def test_a_listener_at_one_address_is_not_at_another_of_its_host() -> None:
    w = world()
    listener(w, "2001:db8::1")
    for target, events in (("2001:db8::1", OUT), ("fd00::1", ERR)):
        opener = dial(w, target)
        w.until(opener, OUT | ERR)
        assert w.mask(opener) & (events | ERR) == events


def test_a_client_of_ipv4_reaches_a_listener_of_both() -> None:
    """RFC 3493, section 3.7."""
    w = world()
    served, opener = listener(w, "::"), dial(w, "10.1.0.1", std.AF_INET)
    w.until(served, IN)
    accepted, address = served.accept()
    assert address[0] == "::ffff:10.0.0.2"
    assert accepted.getsockname()[:2] == ("::ffff:10.1.0.1", 80)
    assert opener.getpeername() == ("10.1.0.1", 80)


def test_addresses_of_one_link_need_their_interface_and_are_nobodys() -> None:
    """__inet6_bind and tcp_v6_connect: EINVAL without; with it ENODEV, EADDRNOTAVAIL and ENETUNREACH."""
    w = world()
    for address, bound, connected in (
        (("fe80::1", 80), "EINVAL", "EINVAL"),
        (("fe80::1", 80, 0, 1), "EADDRNOTAVAIL", "ENETUNREACH"),
        (("fe80::1", 80, 0, 77), "ENODEV", "ENETUNREACH"),
        (("ff02::1", 80), "EINVAL", "ENETUNREACH"),
    ):
        assert outcome(stream(w.client).bind, address) == bound
        assert outcome(stream(w.client).connect, address) == connected


def test_what_is_bound_to_ipv4_does_not_connect_to_ipv6() -> None:
    """Measured on Linux 6.18: EAFNOSUPPORT; ENETUNREACH the other way, since bind() set V6ONLY."""
    w = world()
    four, six = stream(w.client), stream(w.client)
    four.bind(("::ffff:10.0.0.2", 0))
    assert outcome(four.connect, ("fd00::1", 80)) == "EAFNOSUPPORT"
    six.bind(("fd00::2", 0))
    assert six.getsockopt(std.IPPROTO_IPV6, std.IPV6_V6ONLY) == 1
    assert outcome(six.connect, ("::ffff:10.0.0.1", 80)) == "ENETUNREACH"


def test_a_connection_from_loopback_to_another_host_is_named() -> None:
    """RFC 4291, section 2.5.3: what comes from ::1 is dropped there, so Linux waits for ever."""
    w = world()
    sock = stream(w.client)
    sock.bind(("::1", 0))
    with pytest.raises(NotImplementedError, match="from ::1 to another host"):
        sock.connect(("fd00::1", 80))


def test_a_socket_that_has_connected_by_ipv4_stays_with_it() -> None:
    """Measured on Linux 6.18: no SYN leaves for an address of IPv6 any more; to listen is not simulated."""
    w = world()
    listener(w, "fd00::1")
    sock = dial(w, "::ffff:10.1.0.1")
    w.until(sock, ERR)
    assert [outcome(sock.connect, ("fd00::1", 80)) for _ in "123"] == [
        "ECONNREFUSED", "EINPROGRESS", "EALREADY"]  # fmt: skip
    w.pass_time(5)
    assert w.mask(sock) == 0
    sock.shutdown(std.SHUT_RDWR)
    with pytest.raises(NotImplementedError, match="listen"):
        sock.listen()


def test_time_wait_over_ipv6_bars_the_port_unless_both_reuse() -> None:
    """socket(7), SO_REUSEADDR: as over IPv4, and for the address that it was at."""
    w = world()
    served, opener = listener(w, "fd00::1"), dial(w, "fd00::1")
    w.until(served, IN)
    accepted, _ = served.accept()
    served.close()
    accepted.close()
    opener.close()
    w.pass_time(0.1)
    assert w.server.ports.time_waits(w.net.now_ns) == [("fd00::1", 80)]
    assert outcome(stream(w.server).bind, ("fd00::1", 80)) == "EADDRINUSE"
    assert outcome(stream(w.server).bind, ("::", 80)) == "EADDRINUSE"
    assert outcome(stream(w.server, std.AF_INET).bind, ("", 80)) == "ok"
    w.pass_time(60)
    assert outcome(stream(w.server).bind, ("fd00::1", 80)) == "ok"


def test_netstat_shows_addresses_of_ipv6_in_brackets() -> None:
    w = world()
    listener(w, "2001:db8::1")
    assert "[2001:db8::1]:80" in w.net.netstat()
