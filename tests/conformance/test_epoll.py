"""epoll(7): level and edge, once and exclusive, order, and what becomes of closed and reused descriptors."""

from __future__ import annotations

import select as std
import socket
from typing import Any

import pytest

from simnet.transport import ERR, HUP, IN, OUT, PRI, RDHUP

from .machine import Machine, mask_name, outcome
from .sockets import arrived, drain, fill, not_simulated, pair, udp
from .states import DEAD, RESET

ET, ONESHOT, EXCLUSIVE = std.EPOLLET, std.EPOLLONESHOT, std.EPOLLEXCLUSIVE


def watching(m: Machine, sock: Any, mask: int) -> Any:
    """An epoll instance that watches one descriptor."""
    epoll = m.epoll()
    epoll.register(sock, mask)
    return epoll


def masks(epoll: Any, most: int = -1) -> list[str]:
    """The events that there are now, without the numbers."""
    return [mask_name(mask) for _, mask in epoll.poll(0, most)]


def order(epoll: Any, socks: list[Any], most: int = -1) -> list[int]:
    """Which of the sockets are reported now, in the order of the report."""
    numbers = [sock.fileno() for sock in socks]
    return [numbers.index(fd) for fd, _ in epoll.poll(0, most)]


# --- level ---------------------------------------------------------------------------------------


def test_a_level_is_reported_as_long_as_it_lasts(machine: Machine) -> None:
    """epoll(7), level-triggered: a faster poll(2)."""
    one, other = pair(machine)
    epoll = watching(machine, other, IN)
    assert masks(epoll) == []
    one.send(b"ab")
    assert [masks(epoll), masks(epoll)] == [["IN"], ["IN"]]
    other.recv(1)
    assert masks(epoll) == ["IN"]
    other.recv(1)
    assert masks(epoll) == []


def test_epoll_says_what_poll_says(machine: Machine) -> None:
    """Both ask the file's poll operation."""
    one, other = pair(machine)
    everything = IN | PRI | OUT | RDHUP
    epoll = watching(machine, other, everything)
    for change in (
        lambda: None,
        lambda: one.send(b"x"),
        lambda: one.shutdown(socket.SHUT_WR),
        lambda: other.recv(1),
        lambda: one.close(),
    ):
        change()
        assert masks(epoll) == [machine.mask(other)]


def test_err_and_hup_are_reported_unasked_and_rdhup_is_not(machine: Machine) -> None:
    """epoll_ctl(2): EPOLLERR and EPOLLHUP need not be set."""
    one, other = machine.pair()
    epoll = watching(machine, other, 0)
    one.shutdown(socket.SHUT_WR)
    machine.wait_for(other, IN | OUT | RDHUP)
    assert masks(epoll) == []
    for asked, answer in ((IN, ["IN"]), (OUT, ["OUT"]), (RDHUP, ["RDHUP"])):
        epoll.modify(other, asked)
        assert masks(epoll) == answer
    other.shutdown(socket.SHUT_WR)
    machine.wait_for(other, IN | OUT | HUP | RDHUP)
    epoll.modify(other, 0)
    assert masks(epoll) == ["HUP"]


def test_a_reset_is_err_and_hup_to_who_asked_for_nothing(machine: Machine) -> None:
    """epoll_ctl(2)."""
    one, other = machine.pair()
    epoll = watching(machine, other, 0)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    one.close()
    machine.wait_for(other, DEAD)
    assert masks(epoll) == ["ERR|HUP"]
    other.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    assert masks(epoll) == ["HUP"]


def test_a_fresh_tcp_socket_has_hung_up(machine: Machine) -> None:
    """tcp_poll in CLOSE; the classic surprise of registering before connect()."""
    assert masks(watching(machine, machine.socket(), IN)) == ["HUP"]
    assert masks(watching(machine, udp(machine), IN | OUT)) == ["OUT"]


def test_connect_and_accept_are_out_and_in(machine: Machine) -> None:
    """connect(2): writability says that the connection is there; accept(2): readability."""
    listener = machine.listener()
    epoll = watching(machine, listener, IN)
    assert masks(epoll) == []
    sock = machine.connecting(listener.getsockname())
    epoll.register(sock, OUT)
    assert machine.eventually(lambda: len(epoll.poll(0)) == 2)
    assert dict(epoll.poll(0)) == {listener.fileno(): IN, sock.fileno(): OUT}


def test_writability_comes_back_when_there_is_room(machine: Machine) -> None:
    """sk_stream_write_space."""
    one, other = pair(machine)
    epoll = watching(machine, one, OUT)
    fill(machine, one)
    assert masks(epoll) == []
    drain(machine, other)
    assert masks(epoll) == ["OUT"]


def test_modify_replaces_what_is_asked_for(machine: Machine) -> None:
    """epoll_ctl(2), EPOLL_CTL_MOD."""
    one, other = pair(machine)
    one.send(b"x")
    epoll = watching(machine, other, IN)
    epoll.modify(other, OUT)
    assert masks(epoll) == ["OUT"]
    epoll.modify(other, 0)
    assert masks(epoll) == []
    epoll.modify(other, IN | OUT)
    assert masks(epoll) == ["IN|OUT"]


def test_register_without_a_mask_asks_for_in_pri_and_out(machine: Machine) -> None:
    """select.epoll.register: the default event mask."""
    one, other = pair(machine)
    epoll = machine.epoll()
    epoll.register(other)
    assert masks(epoll) == ["OUT"]
    one.send(b"x")
    one.send(b"!", socket.MSG_OOB)
    assert masks(epoll) == ["IN|PRI|OUT"]


# --- edge ----------------------------------------------------------------------------------------


def test_an_edge_is_reported_once_for_each_arrival(machine: Machine) -> None:
    """epoll(7), edge-triggered: changes only; what else is ready is reported along with it."""
    one, other = pair(machine)
    epoll = watching(machine, other, IN | OUT | ET)
    assert [masks(epoll), masks(epoll)] == [["OUT"], []]
    one.send(b"ab")
    assert [masks(epoll), masks(epoll)] == [["IN|OUT"], []]
    one.send(b"c")
    assert [masks(epoll), masks(epoll)] == [["IN|OUT"], []]
    other.recv(1)
    assert masks(epoll) == []


def test_modify_arms_an_edge_again(machine: Machine) -> None:
    """ep_modify asks the file anew."""
    one, other = pair(machine)
    one.send(b"x")
    epoll = watching(machine, other, IN | ET)
    assert [masks(epoll), masks(epoll)] == [["IN"], []]
    epoll.modify(other, IN | ET)
    assert [masks(epoll), masks(epoll)] == [["IN"], []]


def test_two_arrivals_before_the_call_are_one_edge(machine: Machine) -> None:
    """epoll(7): events may be combined if several come before epoll_wait(2)."""
    one, other = pair(machine)
    epoll = watching(machine, other, IN | ET)
    one.send(b"a")
    one.send(b"b")
    assert [masks(epoll), masks(epoll)] == [["IN"], []]


def test_an_edge_that_is_gone_again_is_not_reported(machine: Machine) -> None:
    """ep_send_events asks the file once more when it reports."""
    one, other = pair(machine)
    epoll = watching(machine, other, IN | ET)
    one.send(b"a")
    other.recv(1)
    assert masks(epoll) == []
    one.send(b"b")
    assert masks(epoll) == ["IN"]


def test_a_fin_is_an_edge(machine: Machine) -> None:
    """epoll(7)."""
    one, other = pair(machine)
    epoll = watching(machine, other, IN | RDHUP | ET)
    one.shutdown(socket.SHUT_WR)
    assert [masks(epoll), masks(epoll)] == [["IN|RDHUP"], []]


def test_room_is_an_edge_when_there_was_none(machine: Machine) -> None:
    """epoll(7): after EAGAIN of write(2), the edge says when to go on."""
    one, other = machine.pair()
    epoll = watching(machine, one, OUT | ET)
    assert [masks(epoll), masks(epoll)] == [["OUT"], []]
    fill(machine, one)
    masks(epoll)
    assert masks(epoll) == []
    drain(machine, other)
    assert machine.eventually(lambda: masks(epoll) == ["OUT"])
    assert masks(epoll) == []


def test_sending_is_no_edge_of_the_sender(machine: Machine) -> None:
    """Nothing became possible that was not."""
    one, _ = pair(machine)
    epoll = watching(machine, one, OUT | ET)
    assert masks(epoll) == ["OUT"]
    one.send(b"x")
    assert masks(epoll) == []


# --- once ----------------------------------------------------------------------------------------


def test_oneshot_reports_once_until_it_is_armed_again(machine: Machine) -> None:
    """epoll_ctl(2), EPOLLONESHOT: disabled after one report, and so are ERR and HUP."""
    one, other = machine.pair()
    epoll = watching(machine, other, IN | ONESHOT)
    one.send(b"x")
    arrived(machine, other, 1)
    assert [masks(epoll), masks(epoll)] == [["IN"], []]
    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    one.close()
    machine.wait_for(other, DEAD)
    assert masks(epoll) == []
    epoll.modify(other, IN | ONESHOT)
    assert [masks(epoll), masks(epoll)] == [["IN|ERR|HUP"], []]


def test_a_oneshot_that_was_reported_is_still_registered(machine: Machine) -> None:
    """epoll_ctl(2): the user must call EPOLL_CTL_MOD; ADD is EEXIST."""
    one, other = pair(machine)
    epoll = watching(machine, other, IN | ONESHOT)
    one.send(b"x")
    assert masks(epoll) == ["IN"]
    assert outcome(epoll.register, other, IN) == "EEXIST"


def test_oneshot_waits_for_an_event(machine: Machine) -> None:
    """A call that reports nothing disarms nothing."""
    one, other = pair(machine)
    epoll = watching(machine, other, IN | ONESHOT)
    assert masks(epoll) == []
    one.send(b"x")
    assert masks(epoll) == ["IN"]


# --- exclusive -----------------------------------------------------------------------------------


def test_exclusive_reports_like_any_other(machine: Machine) -> None:
    """epoll_ctl(2), EPOLLEXCLUSIVE: which of several waiting processes is woken; a level stays a level."""
    one, other = pair(machine)
    first = watching(machine, other, IN | EXCLUSIVE)
    second = watching(machine, other, IN | EXCLUSIVE)
    one.send(b"x")
    ready = masks(first) + masks(second)
    assert 1 <= len(ready) <= 2
    assert set(ready) == {"IN"}


def test_exclusive_cannot_be_modified_or_combined(machine: Machine) -> None:
    """epoll_ctl(2), EINVAL: with EPOLL_CTL_MOD, with EPOLLONESHOT or EPOLLRDHUP."""
    _, other = pair(machine)
    epoll = machine.epoll()
    assert outcome(epoll.register, other, IN | EXCLUSIVE | ONESHOT) == "EINVAL"
    assert outcome(epoll.register, other, IN | EXCLUSIVE | RDHUP) == "EINVAL"
    assert outcome(epoll.register, other, IN | EXCLUSIVE | ET) == "ok"
    assert outcome(epoll.modify, other, IN) == "EINVAL"
    epoll.unregister(other)
    epoll.register(other, IN)
    assert outcome(epoll.modify, other, IN | EXCLUSIVE) == "EINVAL"


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
