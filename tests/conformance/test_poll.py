"""poll(2): what is reported, of whom, in which order, and when."""

from __future__ import annotations

import pytest

from simnet.transport import IN, NVAL, OUT, PRI

from .machine import Machine
from .sockets import pair, udp


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
