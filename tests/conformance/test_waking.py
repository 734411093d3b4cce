"""Calls that wait, and what somebody else does meanwhile that ends the wait."""

from __future__ import annotations

import socket as std
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from simnet.transport import HUP, IN, NVAL, OUT, RDHUP

from .machine import Machine, outcome
from .sockets import STREAMS, connected, drain, fill, fill_datagrams, pair, udp, unix, unix_listener
from .states import RESET

AFTER_S = 0.02
PATIENCE_S = 30


@contextmanager
def woken(m: Machine, action: Callable[[], object]) -> Iterator[None]:
    """Assert that what the block waits for comes with the action, not before it and not with a time-out."""
    time = m.modules.time
    started_s = time.monotonic()
    m.meanwhile(action, AFTER_S)
    yield
    assert AFTER_S - 0.001 < time.monotonic() - started_s < 5


# --- sockets -------------------------------------------------------------------------------------


@STREAMS
@pytest.mark.parametrize("timeout", [None, PATIENCE_S])
def test_recv_waits_for_data(machine: Machine, stream: str, timeout: float | None) -> None:
    """recv(2): if no messages are available, the call waits for one to arrive."""
    one, other = connected(machine, stream)
    other.settimeout(timeout)
    with woken(machine, lambda: one.send(b"hello")):
        assert other.recv(10) == b"hello"


@STREAMS
def test_recv_waits_for_the_end(machine: Machine, stream: str) -> None:
    """recv(2): 0 when the peer has performed an orderly shutdown."""
    one, other = connected(machine, stream)
    other.setblocking(True)
    with woken(machine, lambda: one.shutdown(std.SHUT_WR)):
        assert other.recv(10) == b""


@pytest.mark.parametrize("stream", ["tcp4", "tcp6"])
def test_recv_waits_for_a_reset(machine: Machine, stream: str) -> None:
    """recv(2), ECONNRESET."""
    one, other = connected(machine, stream)
    one.setsockopt(std.SOL_SOCKET, std.SO_LINGER, RESET)
    other.setblocking(True)
    with woken(machine, one.close), pytest.raises(ConnectionResetError):
        other.recv(10)


@STREAMS
def test_recv_is_woken_by_the_own_shutdown(machine: Machine, stream: str) -> None:
    """shutdown(2): further receptions are disallowed, the one that waits included."""
    _, other = connected(machine, stream)
    other.setblocking(True)
    with woken(machine, lambda: other.shutdown(std.SHUT_RD)):
        assert other.recv(10) == b""


@STREAMS
def test_msg_waitall_waits_for_the_rest(machine: Machine, stream: str) -> None:
    """recv(2), MSG_WAITALL: block until the full request is satisfied."""
    one, other = connected(machine, stream)
    other.setblocking(True)
    one.send(b"abc")
    with woken(machine, lambda: one.send(b"def")):
        assert other.recv(6, std.MSG_WAITALL) == b"abcdef"


@STREAMS
def test_send_waits_for_room(machine: Machine, stream: str) -> None:
    """send(2): blocks when the message does not fit into the send buffer."""
    one, other = connected(machine, stream)
    fill(machine, one)
    one.settimeout(PATIENCE_S)
    with woken(machine, lambda: take_all(other)):
        assert one.send(b"x") == 1


def take_all(sock: Any) -> None:
    """Read what is there now."""
    while isinstance(data := outcome(sock.recv, 65536), bytes) and data:
        pass


@STREAMS
def test_sendall_waits_again_and_again(machine: Machine, stream: str) -> None:
    """socket.sendall: until all data has been sent."""
    one, other = connected(machine, stream)
    fill(machine, one)
    one.settimeout(PATIENCE_S)
    for number in range(2):
        machine.meanwhile(lambda: take_all(other), AFTER_S * (number + 1))
    assert one.sendall(bytes(100_000)) is None
    drain(machine, other)


@STREAMS
def test_sendmsg_that_may_wait_returns_when_everything_is_queued(machine: Machine, stream: str) -> None:
    """send(2): it blocks until the message fits; a part is for who does not want to wait."""
    one, other = connected(machine, stream)
    whole, is_sent = bytes(1 << 20), False

    def take() -> None:
        take_all(other)
        if not is_sent:
            machine.meanwhile(take, 0.002)

    one.setblocking(True)
    machine.meanwhile(take)
    assert one.sendmsg([whole[:1000], whole[1000:]]) == len(whole)
    is_sent = True


@STREAMS
@pytest.mark.parametrize("call", ["send", "sendmsg"])
def test_a_blocking_send_returns_when_all_of_it_is_queued(machine: Machine, stream: str, call: str) -> None:
    """send(2): blocks until there is room, again and again; a part is what non-blocking sockets are told."""
    one, other = connected(machine, stream)
    fill(machine, one)
    one.setblocking(True)
    size = 100_000
    for number in range(1, 6):
        machine.meanwhile(lambda: take_all(other), AFTER_S * number)
    assert (one.send(bytes(size)) if call == "send" else one.sendmsg([bytes(size)])) == size


@pytest.mark.parametrize("stream", ["unix", "socketpair"])
def test_send_that_waits_is_told_that_the_peer_is_gone(machine: Machine, stream: str) -> None:
    """unix_release_sock: the peer had unread data, so there is an error; the next send() says EPIPE."""
    one, other = connected(machine, stream)
    fill(machine, one)
    one.setblocking(True)
    with woken(machine, other.close):
        assert outcome(one.send, b"x") == "ECONNRESET"
    assert outcome(one.send, b"x") == "EPIPE"


def test_accept_waits_for_a_connection(machine: Machine, family: int) -> None:
    """accept(2): blocks until a connection is present."""
    listener = machine.over(family).listener()
    sock = machine.socket()
    for timeout in (None, PATIENCE_S):
        listener.settimeout(timeout)
        sock = machine.socket()
        with woken(machine, lambda sock=sock: sock.connect_ex(listener.getsockname())):
            accepted = machine.keep(listener.accept()[0])
        assert accepted.getpeername() == sock.getsockname()


def test_accept_is_woken_by_the_shutdown_of_the_listener(machine: Machine) -> None:
    """inet_shutdown: the listener is in CLOSE afterwards, and accept() says EINVAL."""
    listener = machine.listener()
    listener.setblocking(True)
    with woken(machine, lambda: listener.shutdown(std.SHUT_RD)):
        assert outcome(listener.accept) == "EINVAL"


def test_unix_accept_waits_for_a_connection(machine: Machine) -> None:
    """accept(2)."""
    listener, sock = unix_listener(machine), unix(machine)
    listener.setblocking(True)
    with woken(machine, lambda: sock.connect(listener.getsockname())):
        machine.keep(listener.accept()[0])


def test_a_unix_connect_waits_for_room_in_the_backlog(machine: Machine) -> None:
    """unix_stream_connect: a blocking socket waits where a non-blocking one says EAGAIN."""
    listener, sock = unix_listener(machine, backlog=0), unix(machine)
    unix(machine).connect(listener.getsockname())
    sock.setblocking(True)
    with woken(machine, lambda: machine.keep(listener.accept()[0])):
        assert outcome(sock.connect, listener.getsockname()) == "ok"


def test_a_shutdown_wakes_a_connect_that_waits(machine: Machine) -> None:
    """inet_wait_for_connect: the state is no longer SYN_SENT; the pending error is ECONNRESET."""
    full, sock = machine.listener(backlog=0), machine.socket()
    machine.connected(full)
    sock.setblocking(True)
    with woken(machine, lambda: sock.shutdown(std.SHUT_RDWR)):
        assert outcome(sock.connect, full.getsockname()) == "ECONNRESET"


def test_recvfrom_waits_for_a_datagram(machine: Machine, family: int) -> None:
    """udp(7)."""
    sock, sender = udp(machine, family), udp(machine, family)
    for timeout in (None, PATIENCE_S):
        sock.settimeout(timeout)
        with woken(machine, lambda: sender.sendto(b"x", sock.getsockname())):
            assert sock.recvfrom(10) == (b"x", sender.getsockname())


def test_recv_of_a_datagram_socket_is_woken_by_its_shutdown(machine: Machine) -> None:
    """__skb_wait_for_more_packets: RCV_SHUTDOWN ends the wait with 0."""
    sock = udp(machine)
    sock.connect(udp(machine).getsockname())
    sock.setblocking(True)
    with woken(machine, lambda: sock.shutdown(std.SHUT_RD)):
        assert sock.recv(10) == b""


def test_recv_of_a_datagram_socket_is_woken_by_a_refusal(machine: Machine) -> None:
    """udp(7): the ICMP message of a datagram that was sent meanwhile."""
    sock, gone = udp(machine), udp(machine)
    sock.connect(gone.getsockname())
    gone.close()
    sock.settimeout(1)
    for _ in range(machine.attempts):  # a computer may send too many ICMP messages just then
        machine.meanwhile(lambda: sock.send(b"x"), AFTER_S)
        try:
            sock.recv(10)
        except ConnectionRefusedError:
            return
        except TimeoutError:
            continue
    pytest.fail("nobody refuses")


def test_a_unix_datagram_sender_waits_for_the_receiver(machine: Machine) -> None:
    """unix(7): reliable; unix_wait_for_peer."""
    one, other = pair(machine, std.SOCK_DGRAM)
    fill_datagrams(one)
    one.setblocking(True)
    with woken(machine, lambda: take_datagrams(other)):
        assert one.send(b"x") == 1


def take_datagrams(sock: Any) -> None:
    while isinstance(outcome(sock.recv, 10), bytes):
        pass


# --- pipes ---------------------------------------------------------------------------------------


def test_a_blocking_read_of_a_pipe_waits_for_a_writer(machine: Machine) -> None:
    """pipe(7)."""
    reader, writer = machine.pipe()
    os = machine.modules.os
    os.set_blocking(reader, True)
    with woken(machine, lambda: os.write(writer, b"x")):
        assert os.read(reader, 10) == b"x"
    with woken(machine, lambda: machine.close_descriptor(writer)):
        assert os.read(reader, 10) == b""


def test_a_blocking_write_into_a_full_pipe_waits_for_a_reader(machine: Machine) -> None:
    """pipe(7): all of it is written, or EPIPE."""
    reader, writer = machine.pipe()
    os = machine.modules.os
    while isinstance(outcome(os.write, writer, bytes(4096)), int):
        pass
    os.set_blocking(writer, True)
    with woken(machine, lambda: os.read(reader, 65536)):
        assert os.write(writer, b"x" * 10) == 10
    assert os.read(reader, 100) == b"x" * 10


# --- readiness -----------------------------------------------------------------------------------


def ways(m: Machine) -> dict[str, Callable[[Any, int], Any]]:
    """Every way to wait for one descriptor; each returns whether it was reported."""
    select, selectors = m.modules.select, m.modules.selectors

    def by_select(sock: Any, mask: int) -> bool:
        ready = select.select([sock] if mask & IN else [], [sock] if mask & OUT else [], [], PATIENCE_S)
        return any(ready)

    def by_poll(sock: Any, mask: int) -> bool:
        poller = select.poll()
        poller.register(sock, mask)
        return bool(poller.poll(PATIENCE_S * 1000))

    def by_epoll(sock: Any, mask: int) -> bool:
        epoll = m.epoll()
        epoll.register(sock, mask)
        return bool(epoll.poll(PATIENCE_S))

    def by_selector(sock: Any, mask: int) -> bool:
        with selectors.DefaultSelector() as selector:
            selector.register(sock, (1 if mask & IN else 0) | (2 if mask & OUT else 0))
            return bool(selector.select(PATIENCE_S))

    return {"select": by_select, "poll": by_poll, "epoll": by_epoll, "selector": by_selector}


WAYS = pytest.mark.parametrize("way", ["select", "poll", "epoll", "selector"])


@WAYS
@STREAMS
def test_every_poller_is_woken_by_data(machine: Machine, way: str, stream: str) -> None:
    """select(2), poll(2), epoll_wait(2)."""
    one, other = connected(machine, stream)
    with woken(machine, lambda: one.send(b"x")):
        assert ways(machine)[way](other, IN)
    assert other.recv(1) == b"x"


@WAYS
def test_every_poller_is_woken_by_room(machine: Machine, way: str) -> None:
    """unix_write_space."""
    one, other = pair(machine)
    fill(machine, one)
    with woken(machine, lambda: take_all(other)):
        assert ways(machine)[way](one, OUT)


@WAYS
def test_every_poller_is_woken_by_a_connection(machine: Machine, way: str) -> None:
    """accept(2), readable."""
    listener, sock = machine.listener(), machine.socket()
    with woken(machine, lambda: sock.connect_ex(listener.getsockname())):
        assert ways(machine)[way](listener, IN)
    machine.accept(listener)


@WAYS
def test_every_poller_is_woken_by_a_datagram(machine: Machine, way: str) -> None:
    """udp(7)."""
    sock, sender = udp(machine), udp(machine)
    with woken(machine, lambda: sender.sendto(b"x", sock.getsockname())):
        assert ways(machine)[way](sock, IN)


@WAYS
def test_every_poller_is_woken_by_the_end_of_a_pipe(machine: Machine, way: str) -> None:
    """pipe(7), POLLHUP."""
    reader, writer = machine.pipe()
    with woken(machine, lambda: machine.close_descriptor(writer)):
        assert ways(machine)[way](reader, IN)


def test_poll_is_woken_by_hup_that_it_did_not_ask_for(machine: Machine) -> None:
    """poll(2), events: POLLHUP and POLLERR are always reported."""
    one, other = pair(machine)
    poller = machine.modules.select.poll()
    poller.register(other, 0)
    with woken(machine, one.close):
        assert poller.poll(PATIENCE_S * 1000) == [(other.fileno(), HUP)]


def test_poll_is_not_woken_by_what_it_did_not_ask_for(machine: Machine) -> None:
    """poll(2): RDHUP and OUT only if asked."""
    one, other = pair(machine)
    poller = machine.modules.select.poll()
    poller.register(other, RDHUP)
    machine.meanwhile(lambda: one.send(b"x"), AFTER_S)
    assert poller.poll(AFTER_S * 3000) == []
    with woken(machine, lambda: one.shutdown(std.SHUT_WR)):
        assert poller.poll(PATIENCE_S * 1000) == [(other.fileno(), RDHUP)]


def test_an_epoll_that_waits_sees_what_is_registered_meanwhile(machine: Machine) -> None:
    """epoll_wait(2), NOTES: while one thread waits, another may add a descriptor that is ready."""
    epoll = machine.epoll()
    sock = udp(machine)
    with woken(machine, lambda: epoll.register(sock, OUT)):
        assert epoll.poll(PATIENCE_S) == [(sock.fileno(), OUT)]


def test_closing_a_descriptor_wakes_no_poll(machine: Machine) -> None:
    """select(2), NOTES: unspecified in general; Linux goes on waiting, and finds it gone at the end."""
    sock = udp(machine)
    number = sock.fileno()
    poller = machine.modules.select.poll()
    poller.register(sock, IN)
    machine.meanwhile(sock.close, AFTER_S)
    time = machine.modules.time
    started_s = time.monotonic()
    assert poller.poll(AFTER_S * 3000) == [(number, NVAL)]
    assert time.monotonic() - started_s > AFTER_S * 2.9


def test_the_first_of_several_wakes_and_is_reported_alone(machine: Machine) -> None:
    """select(2): returns as soon as one is ready."""
    pairs = [pair(machine) for _ in "123"]
    watched = [other for _, other in pairs]
    with woken(machine, lambda: pairs[1][0].send(b"x")):
        assert machine.modules.select.select(watched, [], [], PATIENCE_S) == ([watched[1]], [], [])
