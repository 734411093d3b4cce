"""UDP over both versions of IP: names and datagrams, and what a full buffer keeps (udp(7))."""

from __future__ import annotations

import socket as std

from simnet.transport import IN, OUT

from .machine import Machine, outcome
from .sockets import (
    ANY,
    LARGEST_DATAGRAM,
    arrived,
    loopback,
    take,
    udp,
    udp_pair,
)

# --- names ---------------------------------------------------------------------------------------


def test_a_fresh_udp_socket_is_writable_and_has_no_name(machine: Machine, family: int) -> None:
    """udp(7): a socket is unbound at first; there is no connection to wait for."""
    sock = machine.open(family, std.SOCK_DGRAM)
    assert machine.mask(sock) == "OUT"
    assert sock.getsockname()[:2] == (ANY[family], 0)
    assert outcome(sock.getpeername) == "ENOTCONN"
    assert outcome(sock.recv, 1) == "EAGAIN"


def test_sendto_binds_to_an_ephemeral_port_of_every_address(machine: Machine, family: int) -> None:
    """udp(7): automatically bound on the first send."""
    receiver, sock = udp(machine, family), machine.open(family, std.SOCK_DGRAM)
    assert sock.sendto(b"x", receiver.getsockname()) == 1
    host, port, *_ = sock.getsockname()
    assert host == ANY[family]
    assert port > 0
    assert take(machine, receiver)[1][1] == port


def test_connect_binds_and_picks_the_source_address(machine: Machine, family: int) -> None:
    """connect(2) on a datagram socket; ip_route_connect chooses the address of the route."""
    receiver, sock = udp(machine, family), machine.open(family, std.SOCK_DGRAM)
    assert outcome(sock.connect, receiver.getsockname()) == "ok"
    assert sock.getsockname()[0] == {std.AF_INET: "127.0.0.1", std.AF_INET6: "::1"}[family]
    assert sock.getsockname()[1] > 0
    assert sock.getpeername() == receiver.getsockname()


def test_connect_of_a_socket_bound_to_every_address_narrows_it(machine: Machine, family: int) -> None:
    """__ip4_datagram_connect: an unset source address becomes the route's; the port stays."""
    receiver, sock = udp(machine, family), machine.open(family, std.SOCK_DGRAM)
    sock.bind((ANY[family], 0))
    port = sock.getsockname()[1]
    sock.connect(receiver.getsockname())
    assert sock.getsockname()[0] != ANY[family]
    assert sock.getsockname()[1] == port


def test_a_udp_port_is_bound_once(machine: Machine, family: int) -> None:
    """bind(2): EINVAL for a bound socket, EADDRINUSE for a taken port."""
    sock = udp(machine, family)
    assert outcome(sock.bind, (loopback(machine, family), 0)) == "EINVAL"
    assert outcome(machine.open(family, std.SOCK_DGRAM).bind, sock.getsockname()) == "EADDRINUSE"
    assert outcome(machine.open(family, std.SOCK_DGRAM).bind, (ANY[family], sock.getsockname()[1])) == (
        "EADDRINUSE"
    )


def test_bind_of_a_socket_that_sendto_bound_is_einval(machine: Machine, family: int) -> None:
    """bind(2), EINVAL: the socket is already bound to an address."""
    sock = machine.open(family, std.SOCK_DGRAM)
    sock.sendto(b"x", udp(machine, family).getsockname())
    assert outcome(sock.bind, (loopback(machine, family), 0)) == "EINVAL"


def test_a_udp_port_is_free_at_once_when_its_socket_closes(machine: Machine, family: int) -> None:
    """Without connections there is no TIME_WAIT."""
    sock = udp(machine, family)
    name = sock.getsockname()
    sock.close()
    assert outcome(machine.open(family, std.SOCK_DGRAM).bind, name) == "ok"


def test_udp_and_tcp_have_ports_of_their_own(machine: Machine, family: int) -> None:
    """RFC 768 and RFC 9293: a port belongs to a protocol."""
    sock = udp(machine, family)
    stream = machine.open(family, std.SOCK_STREAM)
    stream.setsockopt(std.SOL_SOCKET, std.SO_REUSEADDR, 1)
    # On a real machine another process may have the same number for TCP; then nothing can be said.
    answers = [outcome(stream.bind, sock.getsockname())]
    for _ in range(machine.attempts - 1):
        if answers[-1] != "ok":
            sock = udp(machine, family)
            answers.append(outcome(stream.bind, sock.getsockname()))
    assert answers[-1] == "ok"


def test_two_udp_sockets_share_a_port_if_both_reuse_it(machine: Machine, family: int) -> None:
    """socket(7), SO_REUSEADDR: for UDP nobody listens, so the last one bound gets what is sent to one."""
    first, second, third = (machine.open(family, std.SOCK_DGRAM) for _ in "123")
    for sock in (first, second):
        sock.setsockopt(std.SOL_SOCKET, std.SO_REUSEADDR, 1)
    first.bind((loopback(machine, family), 0))
    assert outcome(second.bind, first.getsockname()) == "ok"
    assert outcome(third.bind, first.getsockname()) == "EADDRINUSE"
    sender = udp(machine, family)
    for number in range(4):
        sender.sendto(bytes([number]), first.getsockname())
    assert [take(machine, second)[0] for _ in range(4)] == [b"\0", b"\1", b"\2", b"\3"]
    assert outcome(first.recv, 1) == "EAGAIN"


def test_when_the_last_of_two_closes_the_other_gets_the_datagrams(machine: Machine, family: int) -> None:
    """udp4_lib_lookup2 looks through what is there now."""
    first, second = (machine.open(family, std.SOCK_DGRAM) for _ in "12")
    for sock in (first, second):
        sock.setsockopt(std.SOL_SOCKET, std.SO_REUSEADDR, 1)
        sock.bind(first.getsockname() if sock is second else (loopback(machine, family), 0))
    second.close()
    udp(machine, family).sendto(b"x", first.getsockname())
    assert take(machine, first)[0] == b"x"


def test_both_of_two_with_reuseport_may_bind_and_each_datagram_reaches_one(
    machine: Machine, family: int
) -> None:
    """socket(7), SO_REUSEPORT: datagrams are spread; how is not said."""
    first, second = (machine.open(family, std.SOCK_DGRAM) for _ in "12")
    for sock in (first, second):
        sock.setsockopt(std.SOL_SOCKET, std.SO_REUSEPORT, 1)
    first.bind((loopback(machine, family), 0))
    assert outcome(second.bind, first.getsockname()) == "ok"
    for number in range(8):
        udp(machine, family).sendto(bytes([number]), first.getsockname())
    got: list[bytes] = []

    def all_came() -> bool:
        for _ in range(8):
            answers = [outcome(sock.recv, 1) for sock in (first, second)]
            got.extend(data for data in answers if isinstance(data, bytes))
        return len(got) == 8

    assert machine.eventually(all_came)
    assert sorted(got) == [bytes([number]) for number in range(8)]


def test_a_socket_bound_to_the_address_comes_before_one_bound_to_all(machine: Machine, family: int) -> None:
    """compute_score in net/ipv4/udp.c: the more that is fixed, the better the match."""
    wide, narrow = (machine.open(family, std.SOCK_DGRAM) for _ in "12")
    for sock in (wide, narrow):
        sock.setsockopt(std.SOL_SOCKET, std.SO_REUSEADDR, 1)
    narrow.bind((loopback(machine, family), 0))
    wide.bind((ANY[family], narrow.getsockname()[1]))
    udp(machine, family).sendto(b"x", narrow.getsockname())
    assert take(machine, narrow)[0] == b"x"
    assert outcome(wide.recv, 1) == "EAGAIN"


def test_a_connected_socket_comes_before_an_unconnected_one_for_its_peer(
    machine: Machine, family: int
) -> None:
    """compute_score: a matching peer counts, a different one excludes."""
    server, worker = (machine.open(family, std.SOCK_DGRAM) for _ in "12")
    for sock in (worker, server):
        sock.setsockopt(std.SOL_SOCKET, std.SO_REUSEADDR, 1)
        sock.bind(worker.getsockname() if sock is server else (loopback(machine, family), 0))
    client, stranger = udp(machine, family), udp(machine, family)
    worker.connect(client.getsockname())
    client.sendto(b"client", server.getsockname())
    stranger.sendto(b"stranger", server.getsockname())
    assert take(machine, worker)[0] == b"client"
    assert take(machine, server)[0] == b"stranger"


def test_bind_to_an_address_that_is_not_here_is_eaddrnotavail(machine: Machine, family: int) -> None:
    """bind(2), EADDRNOTAVAIL."""
    foreign = {std.AF_INET: "192.0.2.1", std.AF_INET6: "2001:db8::1"}[family]  # RFC 5737, RFC 3849
    sock = machine.open(family, std.SOCK_DGRAM)
    assert outcome(sock.bind, (foreign, 0)) == "EADDRNOTAVAIL"
    assert outcome(sock.bind, (loopback(machine, family), 0)) == "ok"


# --- datagrams -----------------------------------------------------------------------------------


def test_a_datagram_arrives_whole_with_the_address_of_its_sender(machine: Machine, family: int) -> None:
    """udp(7), recvfrom(2)."""
    one, other = udp(machine, family), udp(machine, family)
    assert one.sendto(b"hello", other.getsockname()) == 5
    machine.wait_for(other, IN | OUT)
    assert other.recvfrom(100) == (b"hello", one.getsockname())
    assert machine.mask(other) == "OUT"
    assert outcome(other.recvfrom, 100) == "EAGAIN"


def test_datagrams_keep_their_boundaries_and_their_order(machine: Machine, family: int) -> None:
    """socket(2), SOCK_DGRAM; loopback reorders nothing."""
    one, other = udp_pair(machine, family)
    for data in (b"one", b"two", b"three"):
        one.send(data)
    assert [take(machine, other)[0] for _ in "123"] == [b"one", b"two", b"three"]


def test_what_does_not_fit_the_buffer_of_recv_is_lost(machine: Machine, family: int) -> None:
    """udp(7): all receive operations return only one packet; the rest of it is discarded."""
    one, other = udp_pair(machine, family)
    one.send(b"abcdef")
    one.send(b"next")
    assert take(machine, other, 2)[0] == b"ab"
    assert take(machine, other)[0] == b"next"


def test_msg_trunc_returns_the_length_of_the_whole(machine: Machine, family: int) -> None:
    """recv(2), MSG_TRUNC."""
    one, other = udp_pair(machine, family)
    one.send(b"abcdef")
    machine.wait_for(other, IN | OUT)
    buffer = bytearray(2)
    assert other.recv_into(buffer, 2, std.MSG_TRUNC) == 6
    assert buffer == b"ab"


def test_recvmsg_returns_no_more_than_it_was_asked_for(machine: Machine, family: int) -> None:
    """makeval_recvmsg in socketmodule.c; recv() and recvfrom() return bytes of the real length."""
    one, other = udp_pair(machine, family)
    for data in (b"abcdef", b"ghijkl"):
        one.send(data)
    machine.wait_for(other, IN | OUT)
    assert other.recvmsg(2, 0, std.MSG_TRUNC)[:3] == (b"ab", [], std.MSG_TRUNC)
    assert len(other.recv(2, std.MSG_TRUNC)) == 6


def test_a_peeked_datagram_stays(machine: Machine, family: int) -> None:
    """recv(2), MSG_PEEK; a short peek cuts nothing off."""
    one, other = udp_pair(machine, family)
    one.send(b"abcdef")
    machine.wait_for(other, IN | OUT)
    assert other.recv(3, std.MSG_PEEK) == b"abc"
    assert other.recvfrom(10, std.MSG_PEEK) == (b"abcdef", one.getsockname())
    assert other.recv(10) == b"abcdef"
    assert outcome(other.recv, 10, std.MSG_PEEK) == "EAGAIN"


def test_recvmsg_marks_what_was_truncated(machine: Machine, family: int) -> None:
    """recvmsg(2), msg_flags."""
    one, other = udp_pair(machine, family)
    one.send(b"abcdef")
    one.send(b"ok")
    machine.wait_for(other, IN | OUT)
    data, ancillary, flags, sender = other.recvmsg(4)
    assert (data, ancillary, flags & std.MSG_TRUNC) == (b"abcd", [], std.MSG_TRUNC)
    assert sender == one.getsockname()
    machine.wait_for(other, IN | OUT)
    assert other.recvmsg(4)[2] & std.MSG_TRUNC == 0


def test_an_empty_datagram_is_a_datagram(machine: Machine, family: int) -> None:
    """send(2): zero-length datagrams are permitted; recv(2) returns 0 for them."""
    one, other = udp_pair(machine, family)
    assert one.send(b"") == 0
    assert one.send(b"end") == 3
    machine.wait_for(other, IN | OUT)
    assert other.recvfrom(10) == (b"", one.getsockname())
    assert take(machine, other)[0] == b"end"


def test_recv_of_0_asks_nobody_and_recvfrom_of_0_takes_a_datagram(machine: Machine, family: int) -> None:
    """CPython returns from recv(0) without a call of the kernel, and not from recvfrom(0)."""
    one, other = udp_pair(machine, family)
    one.send(b"lost")
    one.send(b"kept")
    machine.wait_for(other, IN | OUT)
    assert other.recv(0) == b""
    assert other.recvfrom(0) == (b"", one.getsockname())
    assert take(machine, other)[0] == b"kept"


def test_the_largest_datagram_is_what_the_headers_leave(machine: Machine, family: int) -> None:
    """send(2), EMSGSIZE; RFC 768: the length field has 16 bits."""
    one, other = udp(machine, family), udp(machine, family)
    size = LARGEST_DATAGRAM[family]
    assert outcome(one.sendto, bytes(size + 1), other.getsockname()) == "EMSGSIZE"
    assert one.sendto(bytes(size), other.getsockname()) == size
    assert len(take(machine, other, 70000)[0]) == size


def test_sendmsg_gathers_one_datagram_and_recvmsg_into_scatters_it(machine: Machine, family: int) -> None:
    """sendmsg(2), recvmsg(2)."""
    one, other = udp(machine, family), udp(machine, family)
    assert one.sendmsg([b"ab", b"cd", b"e"], [], 0, other.getsockname()) == 5
    machine.wait_for(other, IN | OUT)
    first, second = bytearray(2), bytearray(2)
    size, ancillary, flags, sender = other.recvmsg_into([first, second])
    assert (size, ancillary, flags & std.MSG_TRUNC) == (4, [], std.MSG_TRUNC)
    assert (first, second, sender) == (b"ab", b"cd", one.getsockname())


def test_recvfrom_into_fills_a_buffer(machine: Machine, family: int) -> None:
    """socket.recvfrom_into."""
    one, other = udp_pair(machine, family)
    one.send(b"abc")
    machine.wait_for(other, IN | OUT)
    buffer = bytearray(b"......")
    assert other.recvfrom_into(buffer) == (3, one.getsockname())
    assert buffer == b"abc..."


def test_fionread_is_the_size_of_the_next_datagram(machine: Machine, family: int) -> None:
    """udp(7), FIONREAD: of the next pending datagram; 0 if none is pending, or if it is empty."""
    one, other = udp_pair(machine, family)
    arrived(machine, other, 0)
    one.send(b"abc")
    one.send(b"defgh")
    arrived(machine, other, 3)
    other.recv(1)
    arrived(machine, other, 5)


def test_a_socket_can_send_to_itself(machine: Machine, family: int) -> None:
    """Nothing in UDP says that the peer is somebody else."""
    sock = udp(machine, family)
    sock.connect(sock.getsockname())
    assert sock.send(b"me") == 2
    assert take(machine, sock) == (b"me", sock.getsockname())


def test_a_full_buffer_keeps_the_first_datagrams_and_the_sender_is_not_told(
    machine: Machine, family: int
) -> None:
    """udp(7): packets that do not fit are dropped, silently; how many fit is the kernel's accounting."""
    one, other = udp_pair(machine, family)
    other.setsockopt(std.SOL_SOCKET, std.SO_RCVBUF, 8192)
    sent = 200
    for number in range(sent):
        assert one.send(bytes([number]) * 100) == 100
    kept: list[int] = []
    while machine.poll_mask(other) & IN:
        kept.append(other.recv(100)[0])
    assert 1 < len(kept) < sent
    assert kept == list(range(len(kept)))
    assert machine.mask(one) == machine.mask(other) == "OUT"
    one.send(b"again")
    assert take(machine, other)[0] == b"again"


def test_msg_dontwait_does_not_wait_on_a_blocking_socket(machine: Machine, family: int) -> None:
    """recv(2), MSG_DONTWAIT."""
    sock = udp(machine, family)
    sock.setblocking(True)
    assert outcome(sock.recv, 1, std.MSG_DONTWAIT) == "EAGAIN"
    assert sock.getblocking()


def test_there_is_no_urgent_datagram(machine: Machine) -> None:
    """udp_sendmsg: MSG_OOB is EOPNOTSUPP (send(2)); and there is none to receive."""
    one, other = udp_pair(machine)
    assert outcome(one.send, b"!", std.MSG_OOB) == "ENOTSUP"
    assert machine.mask(other) == "OUT"


def test_over_ipv6_an_urgent_datagram_is_a_datagram(machine: Machine) -> None:
    """udpv6_sendmsg does not look at MSG_OOB."""
    one, other = udp_pair(machine, std.AF_INET6)
    assert outcome(one.send, b"!", std.MSG_OOB) == 1
    assert take(machine, other)[0] == b"!"
