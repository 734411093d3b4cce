"""select, poll, epoll and selectors of a virtual host: what only a virtual machine can show.

What Linux does, too, is in tests/conformance.
"""

from __future__ import annotations

import errno
import select as std_select
import selectors as std_selectors
from typing import Any

import pytest

from simnet import Deadlock, Deviation, Livelock, Network, Script
from simnet.units import SECOND_NS
from simnet.virtual import patience

OTHER_FIRST = Script.of([Deviation("server", "turn", 1, "first", 2)])


class Pair:
    """A server's and a client's ends of one connection, 10 ms apart."""

    def __init__(self) -> None:
        self.net = Network()
        self.server, self.client = self.net.host("server"), self.net.host("client")
        self.net.link("server", "client", latency="10ms")
        listener = self.server.modules.socket.create_server(("", 7))
        self.far = self.client.modules.socket.create_connection(("server", 7))
        self.near, _ = listener.accept()
        listener.close()


@pytest.fixture
def pair() -> Pair:
    return Pair()


def seconds_of(net: Network, call: Any) -> float:
    """How much virtual time a call lets pass."""
    before = net.now_ns
    call()
    return (net.now_ns - before) / SECOND_NS


def poll_of(kind: str, pair: Pair, timeout: float | None) -> Any:
    """Wait for data at the near end, by one of the three calls; something false is a time-out."""
    select, near = pair.server.modules.select, pair.near
    if kind == "select":
        return any(select.select([near], [], [], timeout))
    poller: Any = select.poll() if kind == "poll" else select.epoll()
    poller.register(near, select.POLLIN)
    scale = 1000 if kind == "poll" and timeout is not None else 1
    return poller.poll(timeout if timeout is None else timeout * scale)


KINDS = ["select", "poll", "epoll"]


@pytest.mark.parametrize("kind", KINDS)
def test_time_passes_until_something_is_ready(pair: Pair, kind: str) -> None:
    pair.far.send(b"x")
    assert seconds_of(pair.net, lambda: poll_of(kind, pair, 5)) == 0.010  # the latency


@pytest.mark.parametrize("kind", KINDS)
def test_time_passes_until_the_time_out(pair: Pair, kind: str) -> None:
    assert seconds_of(pair.net, lambda: poll_of(kind, pair, 0.25)) == 0.25


@pytest.mark.parametrize("kind", KINDS)
def test_no_time_passes_where_the_time_out_is_zero(pair: Pair, kind: str) -> None:
    pair.far.send(b"x")
    assert seconds_of(pair.net, lambda: poll_of(kind, pair, 0)) == 0
    assert not poll_of(kind, pair, 0)


@pytest.mark.parametrize("kind", KINDS)
def test_a_wait_for_what_cannot_happen_is_a_deadlock(pair: Pair, kind: str) -> None:
    with pytest.raises(Deadlock, match=rf"{kind}.*waits, and nothing can happen any more"):
        poll_of(kind, pair, None)


@pytest.mark.parametrize("kind", KINDS)
def test_inside_a_handler_only_a_time_out_of_zero_is_possible(pair: Pair, kind: str) -> None:
    outcomes = []

    def handler() -> None:
        outcomes.append(poll_of(kind, pair, 0))
        with pytest.raises(NotImplementedError, match=rf"{kind}.*inside a handler"):
            poll_of(kind, pair, 1)

    pair.net.at("1s").call(handler)
    pair.net.run()
    assert outcomes in ([False], [[]])


@pytest.mark.parametrize(
    ("kind", "timeout", "passed"),
    [
        ("select", 0.000_000_1, 0.000_001),  # select(2) counts microseconds
        ("poll", 0.000_1, 0.001),  # poll(2) and epoll_wait(2) milliseconds
        ("epoll", 0.000_1, 0.001),
    ],
)
def test_a_wait_is_rounded_up_to_what_the_system_call_counts(
    pair: Pair, kind: str, timeout: float, passed: float
) -> None:
    assert seconds_of(pair.net, lambda: poll_of(kind, pair, timeout)) == passed


def test_the_selectors_are_the_standard_library_s_own(pair: Pair) -> None:
    selectors = pair.server.modules.selectors
    assert selectors.DefaultSelector is selectors.EpollSelector
    for name in ("SelectSelector", "PollSelector", "EpollSelector"):
        assert issubclass(getattr(selectors, name), getattr(std_selectors, name))


@pytest.mark.parametrize("name", ["SelectSelector", "PollSelector", "EpollSelector"])
def test_a_selector_lets_time_pass(pair: Pair, name: str) -> None:
    selectors = pair.server.modules.selectors
    with getattr(selectors, name)() as selector:
        selector.register(pair.near, selectors.EVENT_READ, "near")
        assert seconds_of(pair.net, lambda: selector.select(0.5)) == 0.5
        pair.far.send(b"x")
        [(key, events)] = selector.select(0.5)
        assert (key.data, events) == ("near", selectors.EVENT_READ)
        assert seconds_of(pair.net, lambda: selector.select(0.5)) == 0  # still unread


@pytest.mark.parametrize("name", ["devpoll", "kqueue", "kevent"])
def test_what_linux_has_not_the_host_has_not(pair: Pair, name: str) -> None:
    assert not hasattr(pair.server.modules.select, name) or hasattr(std_select, name)


def test_descriptors_of_another_host_mean_nothing(pair: Pair) -> None:
    far_fds = [pair.far, *(pair.client.modules.socket.socket() for _ in range(3))]
    with pytest.raises(OSError, match=r".*") as raised:
        pair.server.modules.select.select(far_fds, [], [], 0)
    assert raised.value.errno == errno.EBADF


@pytest.mark.parametrize(("script", "order"), [(None, [0, 1]), (OTHER_FIRST, [1, 0])])
def test_the_order_of_what_is_ready_at_one_moment_is_a_pick(script: Script | None, order: list[int]) -> None:
    net = Network(script)
    server, client = net.host("server"), net.host("client")
    listener = server.modules.socket.create_server(("", 7))
    far = [client.modules.socket.create_connection(("server", 7)) for _ in range(2)]
    near = [listener.accept()[0] for _ in far]
    epoll = server.modules.select.epoll()
    for sock in near:
        epoll.register(sock, server.modules.select.EPOLLIN)
    for sock in far:  # both arrive 1 ms later
        sock.send(b"x")
    net.run(until=net.now + 1)
    for _ in range(2):  # a level-triggered order stays as it is
        assert [[sock.fileno() for sock in near].index(fd) for fd, _ in epoll.poll(0)] == order


def test_an_epoll_is_forgotten_with_its_last_reference(pair: Pair) -> None:
    select = pair.server.modules.select
    epoll = select.epoll()
    fd = epoll.fileno()
    epoll.register(pair.near, select.EPOLLIN)
    del epoll
    assert select.epoll().fileno() == fd


def test_a_crash_takes_the_epolls_along(pair: Pair) -> None:
    select = pair.server.modules.select
    epoll = select.epoll()
    epoll.register(pair.near, select.EPOLLIN)
    pair.server.crash()
    pair.server.restart()
    epoll.close()
    with pytest.raises(ValueError, match="closed epoll"):
        epoll.poll(0)


def test_the_program_that_waits_gets_an_exclusive_event_alone(pair: Pair) -> None:
    """EPOLLEXCLUSIVE wakes one of several that wait; who does not wait learns of it before, as all do."""
    select = pair.server.modules.select
    before, waiting, after = (select.epoll() for _ in range(3))
    for epoll in (before, waiting, after):
        epoll.register(pair.near, select.EPOLLIN | select.EPOLLET | select.EPOLLEXCLUSIVE)
    pair.far.send(b"x")
    ready = [(pair.near.fileno(), select.EPOLLIN)]
    assert waiting.poll(1) == ready
    assert (before.poll(0), after.poll(0)) == (ready, [])


def _look(selector: Any, times: int) -> None:
    for _ in range(times):
        assert selector.select(0) == []


POLLING = pytest.mark.parametrize("name", ["SelectSelector", "PollSelector", "EpollSelector"])


@POLLING
def test_code_that_polls_without_waiting_gets_past_its_deadline(name: str) -> None:
    """A hundred looks at one moment, and then a microsecond: on a real machine each look takes time."""
    pair = Pair()
    modules = pair.client.modules
    with getattr(modules.selectors, name)() as selector:
        selector.register(pair.far, std_selectors.EVENT_READ)
        deadline_ns = modules.time.monotonic_ns()
        _look(selector, 99)
        assert modules.time.monotonic_ns() == deadline_ns
        _look(selector, 1)
        assert modules.time.monotonic_ns() == deadline_ns + 1_000


@POLLING
def test_code_that_polls_without_waiting_learns_of_what_needs_time(name: str) -> None:
    """100 us, of which each costs a hundred looks."""
    pair = Pair()
    pair.net.link("server", "client", latency="100us")
    pair.client.modules.time.sleep(1)  # nothing that left before may be overtaken
    with getattr(pair.client.modules.selectors, name)() as selector:
        selector.register(pair.far, std_selectors.EVENT_READ)
        pair.near.send(b"x")
        looks = 0
        while not selector.select(0):
            looks += 1
        assert 100 * 99 < looks <= 100 * 100


@POLLING
def test_code_that_leaves_what_is_ready_as_it_is_is_stopped(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "FINDS_MAX", 1_000)
    pair = Pair()
    with getattr(pair.client.modules.selectors, name)() as selector:
        selector.register(pair.far, std_selectors.EVENT_READ)
        pair.near.send(b"x")
        pair.client.modules.time.sleep(1)
        for _ in range(998):
            assert selector.select()
        pair.client.modules.time.sleep(1)  # at another moment it counts anew
        for _ in range(999):
            selector.select()
        with pytest.raises(Livelock, match="has found something ready 1,000 times at t=2"):
            selector.select()


@POLLING
def test_code_that_polls_for_what_can_never_come_is_stopped(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "LOOKS_MAX", 1_000)
    pair = Pair()
    with getattr(pair.client.modules.selectors, name)() as selector:
        selector.register(pair.far, std_selectors.EVENT_READ)
        with pytest.raises(Livelock, match="has found nothing 1,000 times, and nothing is planned"):
            _look(selector, 1_001)


# --- an invented EAGAIN --------------------------------------------------------------------------


def test_who_is_told_to_read_again_sees_an_edge(pair: Pair) -> None:
    """EAGAIN is taken for the end of what is there by whoever is told of each event once; so more is told."""
    select = pair.server.modules.select
    pair.near.setblocking(False)
    pair.net.on("server", "recv", nth=1).again()
    with select.epoll() as epoll:
        epoll.register(pair.near, select.EPOLLIN | select.EPOLLET)
        pair.far.send(b"hello")
        assert epoll.poll(1) == [(pair.near.fileno(), select.EPOLLIN)]
        with pytest.raises(BlockingIOError):
            pair.near.recv(100)
        assert epoll.poll(1) == [(pair.near.fileno(), select.EPOLLIN)]
        assert pair.near.recv(100) == b"hello"
        assert epoll.poll(1) == []


def test_who_is_told_to_send_again_sees_an_edge(pair: Pair) -> None:
    select = pair.server.modules.select
    pair.near.setblocking(False)
    pair.net.on("server", "send", nth=1).again()
    with select.epoll() as epoll:
        epoll.register(pair.near, select.EPOLLOUT | select.EPOLLET)
        assert epoll.poll(1) == [(pair.near.fileno(), select.EPOLLOUT)]
        with pytest.raises(BlockingIOError):
            pair.near.send(b"hello")
        assert epoll.poll(1) == [(pair.near.fileno(), select.EPOLLOUT)]
        assert pair.near.send(b"hello") == 5


def test_who_is_told_to_accept_again_sees_an_edge() -> None:
    net = Network()
    server, client = net.host("server"), net.host("client")
    listener = server.modules.socket.create_server(("", 7))
    listener.setblocking(False)
    net.on("server", "accept", nth=1).again()
    select = server.modules.select
    with select.epoll() as epoll:
        epoll.register(listener, select.EPOLLIN | select.EPOLLET)
        client.modules.socket.create_connection(("server", 7))
        assert epoll.poll(1) == [(listener.fileno(), select.EPOLLIN)]
        with pytest.raises(BlockingIOError):
            listener.accept()
        assert epoll.poll(1) == [(listener.fileno(), select.EPOLLIN)]
        listener.accept()[0].close()
