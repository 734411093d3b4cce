"""Options: what each is at first, what it takes, and what accepted sockets inherit (socket(7), tcp(7))."""

from __future__ import annotations

import socket as std
import struct
from typing import Any

import pytest

from simnet.transport import IN

from .machine import Machine, outcome
from .sockets import STREAMS, connected, fill, udp, unix

SOL, TCP = std.SOL_SOCKET, std.IPPROTO_TCP

DEFAULTS: list[tuple[str, int, int, int]] = [
    ("SO_REUSEADDR", SOL, std.SO_REUSEADDR, 0),
    ("SO_REUSEPORT", SOL, std.SO_REUSEPORT, 0),
    ("SO_KEEPALIVE", SOL, std.SO_KEEPALIVE, 0),
    ("SO_OOBINLINE", SOL, std.SO_OOBINLINE, 0),
    ("SO_BROADCAST", SOL, std.SO_BROADCAST, 0),
    ("SO_RCVLOWAT", SOL, std.SO_RCVLOWAT, 1),
    ("SO_ACCEPTCONN", SOL, std.SO_ACCEPTCONN, 0),
    ("SO_ERROR", SOL, std.SO_ERROR, 0),
    ("SO_TYPE", SOL, std.SO_TYPE, std.SOCK_STREAM),
    ("SO_PROTOCOL", SOL, std.SO_PROTOCOL, std.IPPROTO_TCP),
    ("TCP_NODELAY", TCP, std.TCP_NODELAY, 0),
    ("TCP_KEEPIDLE", TCP, std.TCP_KEEPIDLE, 7200),
    ("TCP_KEEPINTVL", TCP, std.TCP_KEEPINTVL, 75),
    ("TCP_KEEPCNT", TCP, std.TCP_KEEPCNT, 9),
    ("TCP_USER_TIMEOUT", TCP, std.TCP_USER_TIMEOUT, 0),
]
FLAGS = [
    (SOL, std.SO_REUSEADDR),
    (SOL, std.SO_REUSEPORT),
    (SOL, std.SO_KEEPALIVE),
    (SOL, std.SO_OOBINLINE),
    (SOL, std.SO_BROADCAST),
    (TCP, std.TCP_NODELAY),
]


def fresh(m: Machine, family: int = std.AF_INET) -> Any:
    """A TCP socket on which nothing was set, Nagle's algorithm included."""
    sock = m.open(family, std.SOCK_STREAM)
    sock.setsockopt(TCP, std.TCP_NODELAY, 0)
    return sock


# --- values --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "level", "option", "value"), DEFAULTS, ids=lambda item: str(item))
def test_what_an_option_is_at_first(
    machine: Machine, family: int, name: str, level: int, option: int, value: int
) -> None:
    """socket(7), tcp(7)."""
    assert fresh(machine, family).getsockopt(level, option) == value


@pytest.mark.parametrize(("level", "option"), FLAGS)
def test_a_flag_is_1_for_everything_but_0(machine: Machine, family: int, level: int, option: int) -> None:
    """socket(7): an integer boolean flag; the kernel keeps one bit of it."""
    sock = fresh(machine, family)
    for value, expected in ((1, 1), (0, 0), (7, 1), (-1, 1), (0, 0)):
        sock.setsockopt(level, option, value)
        assert sock.getsockopt(level, option) == expected


def test_the_kind_of_a_socket_can_be_asked(machine: Machine) -> None:
    """socket(7), SO_TYPE, SO_DOMAIN and SO_PROTOCOL."""
    for family, kind, protocol in (
        (std.AF_INET, std.SOCK_STREAM, std.IPPROTO_TCP),
        (std.AF_INET6, std.SOCK_STREAM, std.IPPROTO_TCP),
        (std.AF_INET, std.SOCK_DGRAM, std.IPPROTO_UDP),
        (std.AF_INET6, std.SOCK_DGRAM, std.IPPROTO_UDP),
        (std.AF_UNIX, std.SOCK_STREAM, 0),
        (std.AF_UNIX, std.SOCK_DGRAM, 0),
    ):
        sock = machine.open(family, kind)
        assert sock.getsockopt(SOL, std.SO_DOMAIN) == family
        assert sock.getsockopt(SOL, std.SO_TYPE) == kind
        assert sock.getsockopt(SOL, std.SO_PROTOCOL) == protocol


@pytest.mark.parametrize(
    "option", [std.SO_TYPE, std.SO_ERROR, std.SO_ACCEPTCONN, std.SO_DOMAIN, std.SO_PROTOCOL]
)
def test_what_can_only_be_read_cannot_be_set(machine: Machine, option: int) -> None:
    """socket(7): SO_ERROR, SO_TYPE, SO_ACCEPTCONN, SO_DOMAIN and SO_PROTOCOL are read-only: ENOPROTOOPT."""
    assert outcome(fresh(machine).setsockopt, SOL, option, 1) == "ENOPROTOOPT"


def test_an_option_that_does_not_exist_is_enoprotoopt(machine: Machine) -> None:
    """getsockopt(2), ENOPROTOOPT: the option is unknown at the level indicated."""
    sock = fresh(machine)
    assert outcome(sock.getsockopt, SOL, 9999) == "ENOPROTOOPT"
    assert outcome(sock.setsockopt, SOL, 9999, 1) == "ENOPROTOOPT"
    assert outcome(sock.getsockopt, TCP, 9999) == "ENOPROTOOPT"
    assert outcome(sock.setsockopt, TCP, 9999, 1) == "ENOPROTOOPT"


def test_options_of_tcp_are_not_of_udp_or_unix(machine: Machine) -> None:
    """sock_common_getsockopt reaches the protocol of the socket; IP reads and sets no level but its own."""
    assert outcome(udp(machine).getsockopt, TCP, std.TCP_NODELAY) == "ENOTSUP"
    assert outcome(udp(machine).setsockopt, TCP, std.TCP_NODELAY, 1) == "ENOPROTOOPT"
    assert outcome(unix(machine).getsockopt, TCP, std.TCP_NODELAY) == "ENOTSUP"
    assert outcome(unix(machine).setsockopt, TCP, std.TCP_NODELAY, 1) == "ENOTSUP"


def test_a_short_buffer_is_einval_to_set_and_cut_to_get(machine: Machine) -> None:
    """sk_setsockopt: less than an int is EINVAL; sk_getsockopt copies what fits."""
    sock = fresh(machine)
    assert outcome(sock.setsockopt, SOL, std.SO_REUSEADDR, b"\1") == "EINVAL"
    assert sock.getsockopt(SOL, std.SO_TYPE, 2) == struct.pack("i", std.SOCK_STREAM)[:2]
    assert sock.getsockopt(SOL, std.SO_TYPE, 16) == struct.pack("i", std.SOCK_STREAM)


def test_no_level_but_the_first_is_for_unix_sockets(machine: Machine) -> None:
    """sock_no_setsockopt: EOPNOTSUPP, whatever the number."""
    sock = unix(machine)
    for level in (std.IPPROTO_IP, std.IPPROTO_IPV6, TCP, std.IPPROTO_UDP, 255):
        for option in (1, 2, 9999):
            assert outcome(sock.getsockopt, level, option) == "ENOTSUP"
            assert outcome(sock.setsockopt, level, option, 1) == "ENOTSUP"


def test_a_length_may_be_given_with_none_and_then_there_is_nothing_to_read(machine: Machine) -> None:
    """socket.setsockopt(level, optname, None, optlen): EFAULT where an int should be, else EINVAL."""
    sock = fresh(machine)
    for level, option in ((SOL, std.SO_REUSEADDR), (SOL, std.SO_LINGER), (TCP, std.TCP_NODELAY)):
        assert outcome(sock.setsockopt, level, option, None, 4) == "EFAULT"
        assert outcome(sock.setsockopt, level, option, None, 0) == "EINVAL"
    with pytest.raises(TypeError):
        sock.setsockopt(SOL, std.SO_REUSEADDR, 1, 4)


@pytest.mark.parametrize("value", [1 << 31, -(1 << 31) - 1, 1.5, "1", None])
def test_what_is_no_int_of_c_is_taken_for_bytes(machine: Machine, value: Any) -> None:
    """socket.setsockopt tries an int, and then a bytes-like object: TypeError."""
    with pytest.raises(TypeError):
        fresh(machine).setsockopt(SOL, std.SO_REUSEADDR, value)


def test_an_option_may_be_set_as_bytes(machine: Machine) -> None:
    """socket.setsockopt: an int, or a bytes-like object that represents a buffer."""
    sock = fresh(machine)
    sock.setsockopt(SOL, std.SO_KEEPALIVE, struct.pack("i", 1))
    assert sock.getsockopt(SOL, std.SO_KEEPALIVE) == 1


@pytest.mark.parametrize(
    ("option", "least", "most"),
    [(std.TCP_KEEPIDLE, 1, 32767), (std.TCP_KEEPINTVL, 1, 32767), (std.TCP_KEEPCNT, 1, 127)],
)
def test_keepalive_times_have_limits(machine: Machine, option: int, least: int, most: int) -> None:
    """tcp(7); MAX_TCP_KEEPIDLE, MAX_TCP_KEEPINTVL and MAX_TCP_KEEPCNT in include/net/tcp.h."""
    sock = fresh(machine)
    for value in (least, most, 5):
        sock.setsockopt(TCP, option, value)
        assert sock.getsockopt(TCP, option) == value
    for value in (least - 1, most + 1, -1):
        assert outcome(sock.setsockopt, TCP, option, value) == "EINVAL"
    assert sock.getsockopt(TCP, option) == 5


def test_the_user_timeout_is_in_milliseconds_and_not_negative(machine: Machine) -> None:
    """tcp(7), TCP_USER_TIMEOUT; RFC 5482."""
    sock = fresh(machine)
    sock.setsockopt(TCP, std.TCP_USER_TIMEOUT, 30_000)
    assert sock.getsockopt(TCP, std.TCP_USER_TIMEOUT) == 30_000
    assert outcome(sock.setsockopt, TCP, std.TCP_USER_TIMEOUT, -1) == "EINVAL"
    sock.setsockopt(TCP, std.TCP_USER_TIMEOUT, 0)
    assert sock.getsockopt(TCP, std.TCP_USER_TIMEOUT) == 0


# --- buffers -------------------------------------------------------------------------------------


BUFFERS = [
    (std.AF_INET, std.SOCK_STREAM, 16384, 131072),
    (std.AF_INET6, std.SOCK_STREAM, 16384, 131072),
    (std.AF_INET, std.SOCK_DGRAM, 212992, 212992),
    (std.AF_INET6, std.SOCK_DGRAM, 212992, 212992),
    (std.AF_UNIX, std.SOCK_STREAM, 212992, 212992),
    (std.AF_UNIX, std.SOCK_DGRAM, 212992, 212992),
]


@pytest.mark.parametrize(("family", "kind", "send", "receive"), BUFFERS)
def test_buffers_have_a_size_at_first(
    machine: Machine, family: int, kind: int, send: int, receive: int
) -> None:
    """tcp(7), tcp_wmem and tcp_rmem; socket(7), wmem_default and rmem_default."""
    if machine.name == "real" and _defaults() != (16384, 131072, 212992, 212992):
        pytest.skip("this computer has other defaults")
    sock = machine.open(family, kind)
    assert sock.getsockopt(SOL, std.SO_SNDBUF) == send
    assert sock.getsockopt(SOL, std.SO_RCVBUF) == receive


def _defaults() -> tuple[int, int, int, int]:
    def middle(name: str) -> int:
        with open(f"/proc/sys/net/{name}") as file:
            values = file.read().split()
        return int(values[len(values) // 2])

    return (
        middle("ipv4/tcp_wmem"),
        middle("ipv4/tcp_rmem"),
        middle("core/wmem_default"),
        middle("core/rmem_default"),
    )


@pytest.mark.parametrize(("family", "kind", "send", "receive"), BUFFERS)
def test_buffer_sizes_double_and_have_limits(
    machine: Machine, family: int, kind: int, send: int, receive: int
) -> None:
    """socket(7): doubled; at least SOCK_MIN_SNDBUF and SOCK_MIN_RCVBUF; at most twice wmem_max, rmem_max."""
    sock = machine.open(family, kind)
    for option, minimum in ((std.SO_SNDBUF, 4608), (std.SO_RCVBUF, 2304)):
        for value, expected in (
            (0, minimum),
            (minimum // 2 + 1, minimum + 2),
            (5000, 10000),
            (100_000, 200_000),
        ):
            sock.setsockopt(SOL, option, value)
            assert sock.getsockopt(SOL, option) == expected, value
        largest = []
        for value in (1 << 30, -1):  # compared as unsigned
            sock.setsockopt(SOL, option, value)
            largest.append(sock.getsockopt(SOL, option))
        assert 200_000 < largest[0] == largest[1] < 1 << 30


@STREAMS
def test_a_smaller_send_buffer_holds_less(machine: Machine, stream: str) -> None:
    """socket(7), SO_SNDBUF: how much exactly is the kernel's accounting."""
    one, other = connected(machine, stream)
    other.setsockopt(SOL, std.SO_RCVBUF, 5000)
    one.setsockopt(SOL, std.SO_SNDBUF, 5000)
    assert one.send(bytes(1 << 20)) < 1 << 18


def test_a_full_sender_that_gets_a_smaller_buffer_stays_full_when_it_gets_a_larger_one(
    machine: Machine,
) -> None:
    """sk_wmem_free_skb: what is queued counts as before; the size alone makes no room."""
    one, _ = machine.pair()
    fill(machine, one)
    for size in (1, 10_000):
        one.setsockopt(SOL, std.SO_SNDBUF, size)
    assert outcome(one.send, b"x") == "EAGAIN"


# --- inheritance ---------------------------------------------------------------------------------


INHERITED: list[tuple[int, int, int, int]] = [
    (SOL, std.SO_KEEPALIVE, 1, 1),
    (SOL, std.SO_REUSEADDR, 1, 1),
    (SOL, std.SO_REUSEPORT, 1, 1),
    (SOL, std.SO_OOBINLINE, 1, 1),
    (SOL, std.SO_BROADCAST, 1, 1),
    (SOL, std.SO_RCVLOWAT, 7, 7),
    (SOL, std.SO_SNDBUF, 20_000, 40_000),
    (SOL, std.SO_RCVBUF, 20_000, 40_000),
    (TCP, std.TCP_NODELAY, 1, 1),
    (TCP, std.TCP_KEEPIDLE, 11, 11),
    (TCP, std.TCP_KEEPINTVL, 12, 12),
    (TCP, std.TCP_KEEPCNT, 3, 3),
    (TCP, std.TCP_USER_TIMEOUT, 1234, 1234),
]


@pytest.mark.parametrize(("level", "option", "value", "expected"), INHERITED)
def test_an_accepted_socket_has_the_options_of_its_listener(
    machine: Machine, family: int, level: int, option: int, value: int, expected: int
) -> None:
    """accept(2) and socket(7): sk_clone_lock copies the listener."""
    listener = machine.over(family).listener()
    listener.setsockopt(level, option, value)
    machine.connected(listener)
    machine.wait_for(listener, IN)
    sock, _ = listener.accept()
    machine.keep(sock)
    assert sock.getsockopt(level, option) == expected


def test_an_option_set_after_the_handshake_is_not_inherited(machine: Machine) -> None:
    """The copy is made when the connection is, not by accept()."""
    listener = machine.listener()
    machine.connected(listener)
    machine.wait_for(listener, IN)
    listener.setsockopt(SOL, std.SO_KEEPALIVE, 1)
    assert machine.accept(listener).getsockopt(SOL, std.SO_KEEPALIVE) == 0


def test_an_accepted_unix_socket_is_new(machine: Machine) -> None:
    """unix_stream_connect makes it with unix_create1: nothing is copied but the buffers' sizes."""
    listener = unix(machine)
    listener.bind(machine.path())
    listener.setsockopt(SOL, std.SO_KEEPALIVE, 1)
    listener.setsockopt(SOL, std.SO_LINGER, struct.pack("ii", 1, 5))
    listener.listen(1)
    unix(machine).connect(listener.getsockname())
    sock = machine.keep(listener.accept()[0])
    assert sock.getsockopt(SOL, std.SO_KEEPALIVE) == 0
    assert sock.getsockopt(SOL, std.SO_LINGER, 8) == bytes(8)


def test_ip_gives_a_small_value_as_one_byte_if_there_is_no_room_for_an_int(machine: Machine) -> None:
    """do_ip_getsockopt: less than an int, and a value up to 255; SOL_SOCKET cuts the int instead."""
    sock = fresh(machine)
    assert [sock.getsockopt(std.IPPROTO_IP, std.IP_TTL, size) for size in (1, 2, 3)] == [b"@"] * 3
    assert sock.getsockopt(std.IPPROTO_IP, std.IP_TTL, 4) == struct.pack("i", 64)
    assert sock.getsockopt(SOL, std.SO_TYPE, 3) == struct.pack("i", std.SOCK_STREAM)[:3]
