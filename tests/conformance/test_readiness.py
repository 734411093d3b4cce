"""Readiness is one function: select(2) and epoll(7) say what poll(2) says, in every state of a socket."""

from __future__ import annotations

import socket as std
from collections.abc import Callable
from typing import Any

import pytest

from simnet.transport import ERR, HUP, IN, OUT, PRI

from . import datagram_states, states, unix_states
from .machine import EVERYTHING, Machine, mask_name

Builder = Callable[[Machine], Any]

STATES: list[tuple[int, Builder]] = [
    (family, builder)
    for family, builders in (
        (std.AF_INET, states.BUILDERS),
        (std.AF_INET6, states.BUILDERS),
        (std.AF_UNIX, unix_states.BUILDERS),
        (std.AF_INET, datagram_states.UDP),
        (std.AF_INET6, datagram_states.UDP),
        (std.AF_UNIX, datagram_states.UNIX),
    )
    for name, builder in builders.items()
    if name != "closed"
]


def by_poll(m: Machine, sock: Any) -> int:
    poller = m.modules.select.poll()
    poller.register(sock, EVERYTHING)
    return dict(poller.poll(0)).get(sock.fileno(), 0)


def by_epoll(m: Machine, sock: Any) -> int:
    epoll = m.epoll()
    epoll.register(sock, EVERYTHING)
    return dict(epoll.poll(0)).get(sock.fileno(), 0)


def by_select(m: Machine, sock: Any) -> str:
    sets = m.modules.select.select([sock], [sock], [sock], 0)
    return "".join(letter for letter, ready in zip("rwx", sets, strict=True) if ready)


def sets_of(mask: int) -> str:
    """select(2), NOTES: POLLIN_SET, POLLOUT_SET and POLLEX_SET."""
    bits = ((IN | HUP | ERR, "r"), (OUT | ERR, "w"), (PRI, "x"))
    return "".join(letter for bit, letter in bits if mask & bit)


@pytest.mark.parametrize(
    ("family", "state"),
    STATES,
    ids=[
        f"{family}-{builder.__module__.rpartition('.')[2]}-{builder.__name__}" for family, builder in STATES
    ],
)
def test_poll_select_and_epoll_agree(machine: Machine, family: int, state: Builder) -> None:
    """select(2), NOTES, Correspondence between select() and poll() notifications; epoll(7)."""
    if family == std.AF_INET6:
        machine.over(family)
    machine.family = family
    situation = state(machine)
    for sock in (situation.sock, situation.peer):
        if sock is not None:
            assert machine.eventually(lambda sock=sock: agree(machine, sock)), mask_name(
                by_poll(machine, sock)
            )


def agree(m: Machine, sock: Any) -> bool:
    mask = by_poll(m, sock)
    return by_epoll(m, sock) == mask and by_select(m, sock) == sets_of(mask)
