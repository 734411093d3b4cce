"""epoll(7): errors, order, waiting, and what becomes of closed and reused descriptors."""

from __future__ import annotations

import select as std
from typing import Any

import pytest

from simnet.transport import ERR, HUP, IN, OUT

from .epolls import masks, order, watching
from .machine import Machine, outcome
from .sockets import not_simulated, pair, udp

ET, ONESHOT, EXCLUSIVE = std.EPOLLET, std.EPOLLONESHOT, std.EPOLLEXCLUSIVE


# --- errors --------------------------------------------------------------------------------------


def test_register_modify_and_unregister_have_their_errors(machine: Machine) -> None:
    """epoll_ctl(2): EEXIST, ENOENT."""
    one, other = pair(machine)
    epoll = watching(machine, one, IN)
    assert outcome(epoll.register, one, OUT) == "EEXIST"
    assert outcome(epoll.modify, other, IN) == "ENOENT"
    assert outcome(epoll.unregister, other) == "ENOENT"
    assert outcome(epoll.unregister, one) == "ok"
    assert outcome(epoll.unregister, one) == "ENOENT"


def test_a_closed_descriptor_is_ebadf_to_epoll(machine: Machine) -> None:
    """epoll_ctl(2), EBADF; and it is no longer reported (epoll(7), question 6)."""
    one, other = pair(machine)
    other.send(b"x")
    epoll = watching(machine, one, IN)
    number = one.fileno()
    one.close()
    assert epoll.poll(0) == []
    for call in (epoll.register, epoll.modify):
        assert outcome(call, number, IN) == "EBADF"
    assert outcome(epoll.unregister, number) == "EBADF"


def test_an_epoll_cannot_watch_itself(machine: Machine) -> None:
    """epoll_ctl(2), EINVAL: fd is the same as epfd."""
    epoll = machine.epoll()
    assert outcome(epoll.register, epoll.fileno(), IN) == "EINVAL"


def test_two_epolls_cannot_watch_each_other(machine: Machine) -> None:
    """epoll_ctl(2), ELOOP: a circular loop of instances monitoring one another."""
    first, second = machine.epoll(), machine.epoll()
    assert outcome(first.register, second.fileno(), IN) == "ok"
    assert outcome(second.register, first.fileno(), IN) == "ELOOP"


@not_simulated("os.open")
def test_an_epoll_cannot_watch_a_file_that_is_always_ready(machine: Machine) -> None:
    """epoll_ctl(2), EPERM: the file does not support epoll."""
    epoll, os = machine.epoll(), machine.modules.os
    file = machine.keep_descriptor(os.open(machine.path(), os.O_CREAT | os.O_RDWR))
    assert outcome(epoll.register, file, IN) == "EPERM"


def test_a_closed_epoll_is_a_value_error(machine: Machine) -> None:
    """select.epoll: I/O operation on closed epoll object."""
    one, _ = pair(machine)
    epoll = machine.epoll()
    assert not epoll.closed
    epoll.close()
    epoll.close()
    assert epoll.closed
    for call, arguments in (
        (epoll.register, (one, IN)),
        (epoll.modify, (one, IN)),
        (epoll.unregister, (one,)),
        (epoll.poll, (0,)),
        (epoll.fileno, ()),
    ):
        with pytest.raises(ValueError, match="closed epoll"):
            call(*arguments)


def test_arguments_of_epoll_are_looked_at(machine: Machine) -> None:
    """select.epoll: TypeError for what is no descriptor, ValueError for impossible limits."""
    epoll = machine.epoll()
    for wrong in ("1", None, 1.5):
        with pytest.raises(TypeError):
            epoll.register(wrong, IN)
    with pytest.raises(ValueError, match="negative"):
        epoll.register(-1, IN)
    with pytest.raises(ValueError, match="maxevents must be greater than 0"):
        epoll.poll(0, 0)
    with pytest.raises(TypeError):
        epoll.poll("soon")


def test_epoll_is_a_context_manager_and_has_a_descriptor(machine: Machine) -> None:
    """select.epoll."""
    with machine.modules.select.epoll() as epoll:
        assert epoll.fileno() >= 0
        assert epoll.poll(0) == []
    assert epoll.closed


# --- descriptors ---------------------------------------------------------------------------------


def test_a_closed_descriptor_whose_duplicate_lives_goes_on_being_reported(machine: Machine) -> None:
    """epoll(7), question 6: it is removed when all descriptors of the open file description are closed."""
    one, other = pair(machine)
    epoll = watching(machine, other, IN)
    number = other.fileno()
    copy = machine.keep(other.dup())
    other.close()
    one.send(b"x")
    assert epoll.poll(0) == [(number, IN)]
    assert outcome(epoll.unregister, number) == "EBADF"
    assert epoll.poll(0) == [(number, IN)]
    copy.close()
    assert epoll.poll(0) == []


def test_a_duplicate_can_be_registered_beside_the_original(machine: Machine) -> None:
    """epoll(7), question 1: the key is the number and the open file description together."""
    one, other = pair(machine)
    copy = machine.keep(other.dup())
    epoll = watching(machine, other, IN)
    assert outcome(epoll.register, copy, IN | OUT) == "ok"
    one.send(b"x")
    assert dict(epoll.poll(0)) == {other.fileno(): IN, copy.fileno(): IN | OUT}


def test_a_reused_number_is_a_new_file(machine: Machine) -> None:
    """The old registration went with its file."""
    one, other = pair(machine)
    epoll = watching(machine, other, IN)
    number = other.fileno()
    other.close()
    new = machine.socket()
    assert new.fileno() == number
    assert outcome(epoll.modify, new, IN) == "ENOENT"
    assert epoll.poll(0) == []
    assert outcome(epoll.register, new, OUT) == "ok"
    assert epoll.poll(0) == [(number, OUT | HUP)]
    assert outcome(one.send, b"x") == "EPIPE"


def test_a_number_reused_while_a_duplicate_lives_has_two_registrations(machine: Machine) -> None:
    """epoll(7), question 6: the stale one is reported under the same number."""
    one, other = pair(machine)
    epoll = watching(machine, other, IN)
    number = other.fileno()
    machine.keep(other.dup())
    other.close()
    new = machine.socket()
    assert new.fileno() == number
    assert outcome(epoll.register, new, OUT) == "ok"
    one.send(b"x")
    assert sorted(epoll.poll(0)) == [(number, IN), (number, OUT | HUP)]


def test_an_epoll_can_be_watched(machine: Machine) -> None:
    """epoll(7), question 3: it is readable while it has events."""
    one, other = pair(machine)
    inner = watching(machine, other, IN)
    outer = watching(machine, inner, IN)
    assert outer.poll(0) == []
    one.send(b"x")
    assert outer.poll(0) == [(inner.fileno(), IN)]
    assert machine.modules.select.select([inner], [], [], 0) == ([inner], [], [])
    other.recv(1)
    assert outer.poll(0) == []


def test_two_epolls_watch_one_descriptor(machine: Machine) -> None:
    """epoll(7), question 2: events are reported to both."""
    one, other = pair(machine)
    first, second = (watching(machine, other, IN | ET) for _ in "12")
    one.send(b"x")
    assert [masks(first), masks(second), masks(first)] == [["IN"], ["IN"], []]


def test_an_epoll_outlives_what_it_watched(machine: Machine) -> None:
    """close(2) removes the descriptor from every epoll."""
    epoll = machine.epoll()
    for _ in "123":
        one, other = pair(machine)
        epoll.register(other, IN)
        one.send(b"x")
        assert masks(epoll) == ["IN"]
        other.close()
        assert masks(epoll) == []


# --- numbers that others closed ------------------------------------------------------------------


def test_an_epoll_whose_descriptor_somebody_closed_is_closed_without_complaint(machine: Machine) -> None:
    """select.epoll.close looks for a negative errno, which there is never."""
    epoll = machine.modules.select.epoll()
    machine.modules.os.close(epoll.fileno())
    assert outcome(epoll.poll, 0) == "EBADF"
    assert outcome(epoll.close) == "ok"


def test_a_descriptor_that_is_no_epoll_is_einval_and_a_closed_one_comes_first(machine: Machine) -> None:
    """do_epoll_ctl: EBADF of either, EPERM of the target, and then EINVAL."""
    os = machine.modules.os
    epoll = machine.modules.select.epoll()
    os.close(epoll.fileno())
    other = udp(machine)
    assert other.fileno() == epoll.fileno()
    assert outcome(epoll.poll, 0) == "EINVAL"
    assert outcome(epoll.register, udp(machine), IN) == "EINVAL"
    closed = udp(machine)
    number = closed.fileno()
    closed.close()
    assert outcome(epoll.register, number, IN) == "EBADF"
    other.detach()
    epoll.close()


# --- order ---------------------------------------------------------------------------------------


def five(machine: Machine) -> tuple[list[Any], list[Any]]:
    """Five pairs: who sends, and who is watched."""
    pairs = [pair(machine) for _ in range(5)]
    return [one for one, _ in pairs], [other for _, other in pairs]


def test_events_come_in_the_order_in_which_they_happened(machine: Machine) -> None:
    """The ready list of struct eventpoll, not the order of registration or of the numbers."""
    senders, watched = five(machine)
    epoll = machine.epoll()
    for sock in watched:
        epoll.register(sock, IN)
    for number in (3, 0, 4, 1, 2):
        senders[number].send(b"x")
    assert order(epoll, watched) == [3, 0, 4, 1, 2]
    assert order(epoll, watched) == [3, 0, 4, 1, 2]


def test_with_a_limit_the_events_take_turns(machine: Machine) -> None:
    """epoll_wait(2): if more are ready than asked for, successive calls go round."""
    senders, watched = five(machine)
    epoll = machine.epoll()
    for sock in watched:
        epoll.register(sock, IN)
    for number in (3, 0, 4, 1, 2):
        senders[number].send(b"x")
    assert [order(epoll, watched, 2) for _ in "123"] == [[3, 0], [4, 1], [2, 3]]


def test_who_was_drained_and_filled_again_goes_to_the_end(machine: Machine) -> None:
    """It left the ready list and came back."""
    senders, watched = five(machine)
    epoll = machine.epoll()
    for sock in watched:
        epoll.register(sock, IN)
    for number in (3, 0, 4, 1, 2):
        senders[number].send(b"x")
    watched[3].recv(1)
    assert order(epoll, watched) == [0, 4, 1, 2]
    senders[3].send(b"x")
    assert order(epoll, watched) == [0, 4, 1, 2, 3]


def test_more_data_moves_nobody(machine: Machine) -> None:
    """A descriptor that is in the ready list stays where it is."""
    senders, watched = five(machine)
    epoll = machine.epoll()
    for sock in watched:
        epoll.register(sock, IN)
    for number in (2, 1, 0, 1, 2):
        senders[number].send(b"x")
    assert order(epoll, watched) == [2, 1, 0]


def test_what_is_ready_when_it_is_registered_comes_in_that_order(machine: Machine) -> None:
    """ep_insert puts it into the ready list."""
    senders, watched = five(machine)
    for number in (0, 1, 2, 3):
        senders[number].send(b"x")
    epoll = machine.epoll()
    for number in (2, 0, 3, 1):
        epoll.register(watched[number], IN)
    assert order(epoll, watched) == [2, 0, 3, 1]


# --- waiting -------------------------------------------------------------------------------------


def test_poll_waits_no_longer_than_its_timeout(machine: Machine) -> None:
    """select.epoll.poll: seconds; epoll_wait(2) returns 0."""
    epoll = watching(machine, pair(machine)[0], IN)
    started_s = machine.modules.time.monotonic()
    assert epoll.poll(0.02) == []
    assert 0.019 < machine.modules.time.monotonic() - started_s < 2


def test_poll_does_not_wait_when_something_is_ready(machine: Machine) -> None:
    """epoll_wait(2)."""
    epoll = watching(machine, pair(machine)[0], OUT)
    assert len(epoll.poll()) == 1
    assert len(epoll.poll(None)) == 1
    assert len(epoll.poll(-1)) == 1


@pytest.mark.parametrize("stream", ["tcp", "unix", "pipe"])
def test_err_of_a_dead_peer_is_there_without_asking(machine: Machine, stream: str) -> None:
    """epoll_ctl(2), EPOLLERR, EPOLLHUP; "Also reported for the write end of a pipe"."""
    if stream == "pipe":
        reader, writer = machine.pipe()
        epoll = watching(machine, writer, 0)
        machine.close_descriptor(reader)
        assert masks(epoll) == ["ERR"]
        return
    one, other = machine.pair() if stream == "tcp" else pair(machine)
    other.send(b"unread")
    machine.eventually(lambda: machine.poll_mask(one) & IN)
    epoll = watching(machine, other, 0)
    one.close()
    machine.eventually(lambda: machine.poll_mask(other) & ERR)
    assert masks(epoll) == ["ERR|HUP"]


def test_an_epoll_object_does_not_mind_that_its_descriptor_is_gone(machine: Machine) -> None:
    """select.epoll.close: says nothing, whatever close(2) said."""
    epoll = machine.modules.select.epoll()
    machine.modules.os.close(epoll.fileno())
    epoll.close()
    assert epoll.closed


def test_what_to_watch_is_looked_up_before_who_is_to_watch_it(machine: Machine) -> None:
    """do_epoll_ctl: EBADF for the target comes before EINVAL for a descriptor that is no epoll any more."""
    epoll, sock = machine.modules.select.epoll(), machine.socket()
    number = epoll.fileno()
    machine.modules.os.dup2(sock.fileno(), number)
    closed = sock.fileno()
    sock.close()
    assert outcome(epoll.register, closed) == "EBADF"
    assert outcome(epoll.register, number) == "EINVAL"
    epoll.close()
