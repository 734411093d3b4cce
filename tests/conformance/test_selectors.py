"""The selectors module: every class over the same readiness."""

from __future__ import annotations

from typing import Any

import pytest

from .machine import Machine
from .sockets import pair

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
