"""epoll(7): level and edge, once and exclusive."""

from __future__ import annotations

import select as std
import socket

from simnet.transport import HUP, IN, OUT, PRI, RDHUP

from .epolls import masks, watching
from .machine import Machine, outcome
from .sockets import arrived, drain, fill, pair, udp
from .states import DEAD, RESET

ET, ONESHOT, EXCLUSIVE = std.EPOLLET, std.EPOLLONESHOT, std.EPOLLEXCLUSIVE


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
