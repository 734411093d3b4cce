"""poll(2), select(2) and the selectors module: sets, orders, time-outs and wrong arguments."""

from __future__ import annotations

import socket as std
from typing import Any

import pytest

from simnet.transport import IN, NVAL, OUT, PRI, RDHUP

from .machine import Machine, outcome
from .sockets import STREAMS, connected, pair, udp

# --- poll ----------------------------------------------------------------------------------------


def test_poll_reports_in_the_order_of_registration(machine: Machine) -> None:
    """poll(2): the array; select.poll keeps a dictionary, in which modify() and register() keep the place."""
    socks = [udp(machine) for _ in range(4)]
    poller = machine.modules.select.poll()
    for number in (2, 0, 3, 1):
        poller.register(socks[number], OUT)
    poller.modify(socks[2], IN | OUT)
    poller.register(socks[0], OUT)
    assert [fd for fd, _ in poller.poll(0)] == [socks[number].fileno() for number in (2, 0, 3, 1)]


def test_poll_reports_only_what_was_asked_for(machine: Machine) -> None:
    """poll(2), events and revents."""
    one, other = pair(machine)
    one.send(b"x")
    poller = machine.modules.select.poll()
    poller.register(other, IN)
    assert poller.poll(0) == [(other.fileno(), IN)]
    poller.modify(other, OUT)
    assert poller.poll(0) == [(other.fileno(), OUT)]
    poller.modify(other, PRI)
    assert poller.poll(0) == []
    poller.unregister(other)
    assert poller.poll(0) == []


def test_poll_without_a_mask_asks_for_in_pri_and_out(machine: Machine) -> None:
    """select.poll.register: the default event mask."""
    one, other = pair(machine)
    one.send(b"x")
    poller = machine.modules.select.poll()
    poller.register(other)
    assert poller.poll(0) == [(other.fileno(), IN | OUT)]


def test_a_number_that_is_not_open_is_nval(machine: Machine) -> None:
    """poll(2), POLLNVAL: always reported, and no error of the call."""
    sock = machine.socket()
    number = sock.fileno()
    poller = machine.modules.select.poll()
    poller.register(sock, 0)
    sock.close()
    assert poller.poll(0) == [(number, NVAL)]


def test_a_reused_number_is_what_it_is_now_to_poll(machine: Machine) -> None:
    """poll(2) looks the number up at every call, unlike epoll."""
    sock = machine.socket()
    poller = machine.modules.select.poll()
    poller.register(sock, OUT)
    number = sock.fileno()
    sock.close()
    new = udp(machine)
    assert new.fileno() == number
    assert poller.poll(0) == [(number, OUT)]


def test_modify_and_unregister_of_what_is_not_registered(machine: Machine) -> None:
    """select.poll: ENOENT of modify(), KeyError of unregister()."""
    sock = udp(machine)
    poller = machine.modules.select.poll()
    with pytest.raises(FileNotFoundError):
        poller.modify(sock, IN)
    with pytest.raises(KeyError):
        poller.unregister(sock)


def test_poll_takes_milliseconds(machine: Machine) -> None:
    """select.poll.poll: of at most so many milliseconds; negative or None waits for ever."""
    sock = udp(machine)
    poller = machine.modules.select.poll()
    poller.register(sock, IN)
    started_s = machine.modules.time.monotonic()
    assert poller.poll(20) == []
    assert 0.019 < machine.modules.time.monotonic() - started_s < 2
    poller.modify(sock, OUT)
    for timeout in (None, -1, 0, 1000):
        assert poller.poll(timeout) == [(sock.fileno(), OUT)]


def test_poll_takes_any_object_with_a_fileno_and_looks_at_it(machine: Machine) -> None:
    """select.poll.register: an int, or an object whose fileno() returns one; masks are unsigned shorts."""
    sock = udp(machine)
    poller = machine.modules.select.poll()
    poller.register(sock.fileno(), OUT)
    assert poller.poll(0) == [(sock.fileno(), OUT)]
    for wrong, error in (("1", TypeError), (None, TypeError), (-1, ValueError)):
        with pytest.raises(error):
            poller.register(wrong, IN)
    with pytest.raises(OverflowError):
        poller.register(sock, 1 << 16)
    with pytest.raises(ValueError, match=r"."):
        poller.register(sock, -1)
    with pytest.raises(TypeError):
        poller.poll("soon")


# --- select --------------------------------------------------------------------------------------


@STREAMS
def test_the_three_sets_follow_from_the_mask(machine: Machine, stream: str) -> None:
    """select(2), NOTES: readable is IN, HUP or ERR; writable OUT or ERR; exceptional PRI."""
    one, other = connected(machine, stream)
    select = machine.modules.select.select

    def sets(sock: Any) -> str:
        answer = select([sock], [sock], [sock], 0)
        return "".join(letter for letter, ready in zip("rwx", answer, strict=True) if ready)

    assert sets(other) == "w"
    one.send(b"x")
    assert machine.eventually(lambda: sets(other) == "rw")
    one.send(b"!", std.MSG_OOB)
    assert machine.eventually(lambda: sets(other) == "rwx")
    other.recv(1, std.MSG_OOB)
    one.close()
    assert machine.eventually(lambda: machine.poll_mask(other) & RDHUP)
    assert sets(other) == "rw"


def test_select_of_a_fresh_socket_and_of_a_listener(machine: Machine) -> None:
    """tcp_poll: HUP makes a fresh TCP socket readable and writable; a listener is neither."""
    select = machine.modules.select.select
    fresh, listener = machine.socket(), machine.listener()
    assert select([fresh], [fresh], [fresh], 0) == ([fresh], [fresh], [])
    assert select([listener], [listener], [listener], 0) == ([], [], [])


def test_select_gives_back_what_it_was_given_in_its_order(machine: Machine) -> None:
    """select.select: the same objects, in the order of the arguments, repeated if they were."""
    socks = [udp(machine) for _ in range(4)]
    wanted: list[Any] = [socks[3], socks[0].fileno(), socks[2], socks[3]]
    assert machine.modules.select.select([], wanted, [], 0) == ([], wanted, [])


def test_select_of_a_number_that_is_not_open_is_ebadf(machine: Machine) -> None:
    """select(2), EBADF."""
    sock, other = udp(machine), udp(machine)
    number = sock.fileno()
    sock.close()
    select = machine.modules.select.select
    assert outcome(select, [number], [], [], 0) == "EBADF"
    assert outcome(select, [], [other, number], [], 0) == "EBADF"


def test_select_looks_at_its_arguments(machine: Machine) -> None:
    """select.select: TypeError for what is no descriptor, ValueError for a negative number or time-out."""
    select = machine.modules.select.select
    sock = udp(machine)
    for wrong in (["1"], [None], [1.5], 7):
        with pytest.raises(TypeError):
            select(wrong, [], [], 0)
    with pytest.raises(ValueError, match="negative"):
        select([-1], [], [], 0)
    with pytest.raises(ValueError, match="non-negative"):
        select([sock], [], [], -1)
    with pytest.raises(TypeError):
        select([sock], [], [], "soon")
    with pytest.raises(ValueError, match="out of range"):
        select([1 << 14], [], [], 0)


def test_select_with_nothing_to_watch_waits_for_its_timeout(machine: Machine) -> None:
    """select(2): the portable sleep."""
    started_s = machine.modules.time.monotonic()
    assert machine.modules.select.select([], [], [], 0.02) == ([], [], [])
    assert 0.019 < machine.modules.time.monotonic() - started_s < 2


def test_select_returns_as_soon_as_something_is_ready(machine: Machine) -> None:
    """select(2)."""
    sock = udp(machine)
    for timeout in (None, 30, 0):
        assert machine.modules.select.select([], [sock], [], timeout) == ([], [sock], [])


def test_select_takes_any_iterable(machine: Machine) -> None:
    """select.select: iterables of waitable objects."""
    sock = udp(machine)
    assert machine.modules.select.select((), {sock}, iter([]), 0) == ([], [sock], [])


# --- selectors -----------------------------------------------------------------------------------

SELECTORS = pytest.mark.parametrize(
    "kind", ["SelectSelector", "PollSelector", "EpollSelector", "DefaultSelector"]
)


@pytest.fixture
def selector(machine: Machine, kind: str) -> Any:
    with getattr(machine.modules.selectors, kind)() as selector:
        yield selector


def found(selector: Any, timeout: float | None = 0) -> dict[Any, int]:
    """Objects and their events, of one select()."""
    return {key.fileobj: events for key, events in selector.select(timeout)}


@SELECTORS
def test_a_selector_reports_keys_and_events(machine: Machine, selector: Any) -> None:
    """selectors.BaseSelector.select: (key, events), key with fileobj, fd, events and data."""
    one, other = pair(machine)
    key = selector.register(other, 1 | 2, "data")
    assert (key.fileobj, key.fd, key.events, key.data) == (other, other.fileno(), 3, "data")
    assert selector.select(0) == [(key, 2)]
    one.send(b"x")
    assert selector.select(0) == [(key, 3)]


@SELECTORS
def test_a_selector_reports_only_what_was_asked_for(machine: Machine, selector: Any) -> None:
    """selectors.EVENT_READ, EVENT_WRITE."""
    one, other = pair(machine)
    selector.register(one, 1)
    selector.register(other, 2)
    assert found(selector) == {other: 2}
    one.send(b"x")
    other.send(b"x")
    assert found(selector) == {one: 1, other: 2}
    selector.modify(one, 2, "new")
    assert selector.get_key(one).data == "new"
    assert found(selector) == {one: 2, other: 2}


@SELECTORS
def test_an_end_or_an_error_is_whatever_was_asked_for(machine: Machine, selector: Any) -> None:
    """selectors: HUP and ERR are EVENT_READ and EVENT_WRITE."""
    one, other = pair(machine)
    other.send(b"unread")
    selector.register(other, 1)
    one.close()
    assert found(selector) == {other: 1}
    selector.modify(other, 2)
    assert found(selector) == {other: 2}
    selector.modify(other, 3)
    assert found(selector) == {other: 3}


@SELECTORS
def test_a_selector_knows_what_is_registered(machine: Machine, selector: Any) -> None:
    """selectors.BaseSelector.get_map, get_key: KeyError for the unknown."""
    one, other = pair(machine)
    selector.register(one, 1)
    assert len(selector.get_map()) == 1
    assert selector.get_key(one.fileno()).fileobj is one
    with pytest.raises(KeyError):
        selector.register(one, 2)
    for call in (selector.get_key, selector.unregister):
        with pytest.raises(KeyError):
            call(other)
    with pytest.raises(KeyError):
        selector.modify(other, 1)
    assert selector.unregister(one).fileobj is one
    assert len(selector.get_map()) == 0


@SELECTORS
def test_a_selector_refuses_wrong_events_and_wrong_objects(machine: Machine, selector: Any) -> None:
    """selectors.BaseSelector.register: ValueError."""
    one, _ = pair(machine)
    for events in (0, 4, 7):
        with pytest.raises(ValueError, match="Invalid events"):
            selector.register(one, events)
    for wrong in ("1", None, -1):
        with pytest.raises(ValueError, match="Invalid file"):
            selector.register(wrong, 1)


@SELECTORS
def test_a_socket_that_was_closed_can_still_be_unregistered(machine: Machine, selector: Any) -> None:
    """selectors._BaseSelectorImpl looks through its map for the object."""
    one, _ = pair(machine)
    selector.register(one, 1)
    one.close()
    assert selector.unregister(one).fileobj is one


@SELECTORS
def test_a_selector_waits_for_its_timeout(machine: Machine, selector: Any) -> None:
    """selectors.BaseSelector.select: seconds; 0 or less does not wait, None waits for ever."""
    one, other = pair(machine)
    selector.register(one, 1)
    started_s = machine.modules.time.monotonic()
    assert selector.select(0.02) == []
    assert 0.019 < machine.modules.time.monotonic() - started_s < 2
    assert selector.select(-1) == []
    other.send(b"x")
    assert found(selector, None) == {one: 1}


@SELECTORS
def test_a_selector_is_done_when_it_is_closed(machine: Machine, kind: str) -> None:
    """selectors.BaseSelector.close: it shall not be used any more."""
    selector = getattr(machine.modules.selectors, kind)()
    one, _ = pair(machine)
    selector.register(one, 1)
    selector.close()
    with pytest.raises(RuntimeError):
        selector.get_key(one)
    assert selector.get_map() is None


@SELECTORS
def test_a_listener_and_a_connection_in_a_selector(machine: Machine, selector: Any) -> None:
    """What every server does."""
    listener = machine.listener()
    selector.register(listener, 1)
    assert found(selector) == {}
    client = machine.connecting(listener.getsockname())
    selector.register(client, 2)
    assert machine.eventually(lambda: found(selector) == {listener: 1, client: 2})
    server = machine.accept(listener)
    assert found(selector) == {client: 2}
    selector.register(server, 1)
    client.send(b"x")
    assert machine.eventually(lambda: found(selector) == {client: 2, server: 1})


def test_the_default_selector_is_the_one_for_epoll(machine: Machine) -> None:
    """selectors.DefaultSelector: the most efficient one of the platform."""
    selectors = machine.modules.selectors
    assert selectors.DefaultSelector is selectors.EpollSelector
    assert (selectors.EVENT_READ, selectors.EVENT_WRITE) == (1, 2)


def test_poll_knows_the_normal_and_the_band_events(machine: Machine) -> None:
    """poll(2), POLLRDNORM and POLLWRNORM: equal to POLLIN and POLLOUT; POLLRDBAND is for no socket."""
    select = machine.modules.select
    one, other = machine.pair()
    one.send(b"x")
    machine.wait_for(other, IN | OUT)
    poller = select.poll()
    for asked, reported in (
        (select.POLLRDNORM, select.POLLRDNORM),
        (select.POLLWRNORM, select.POLLWRNORM),
        (select.POLLRDBAND, 0),
        (select.POLLIN | select.POLLRDNORM, select.POLLIN | select.POLLRDNORM),
    ):
        poller.register(other, asked)
        assert dict(poller.poll(0)).get(other.fileno(), 0) == reported
