"""Readiness: epoll(7) with its modes, select(2), and poll(2) with less interest than everything."""

from __future__ import annotations

from functools import cache
from typing import Any

from ...transport import ERR, HUP, IN, OUT, PRI, RDHUP
from ..draws import Draws
from ..operations import ANYTHING, EPOLL, Scene, another, any_of, operation

BITS = {
    "IN": IN,
    "PRI": PRI,
    "OUT": OUT,
    "ERR": ERR,
    "HUP": HUP,
    "RDHUP": RDHUP,
    "ET": 1 << 31,
    "ONESHOT": 1 << 30,
    "EXCLUSIVE": 1 << 28,
}
INTEREST = ("IN", "IN", "OUT", "IN|OUT", "IN|OUT", "IN|PRI|OUT|RDHUP", "IN|RDHUP", "PRI", "", "ERR|HUP")
MODES = ("", "", "|ET", "|ET", "|ONESHOT", "|ONESHOT", "|ET|ONESHOT", "|EXCLUSIVE")


@cache
def mask_of(text: str) -> int:
    return sum(BITS[name] for name in text.split("|") if name)


def _interest(draws: Draws, scene: Scene) -> str:
    return (draws.pick(INTEREST) + draws.pick(MODES)).removeprefix("|")


def _descriptor(session: Any, slot: int) -> int:
    held = session.held[slot]
    return -1 if held is None else int(held.fileno())


def of_program(session: Any, events: Any) -> list[tuple[Any, int]]:
    """Events, each with the number that its descriptor has in the program."""
    return [(session.names.descriptor(fd), mask) for fd, mask in events]


@operation(another, _interest, on=(EPOLL,))
def register(session: Any, epoll: Any, slot: int, events: str) -> Any:
    return epoll.register(_descriptor(session, slot), mask_of(events))


@operation(another, _interest, on=(EPOLL,))
def modify(session: Any, epoll: Any, slot: int, events: str) -> Any:
    return epoll.modify(_descriptor(session, slot), mask_of(events))


@operation(another, on=(EPOLL,))
def unregister(session: Any, epoll: Any, slot: int) -> Any:
    return epoll.unregister(_descriptor(session, slot))


@operation(any_of(-1, -1, -1, 1, 2, 0, -2), on=(EPOLL,))
def wait(session: Any, epoll: Any, maxevents: int) -> Any:
    """epoll_wait(2) that does not wait, in the order of the events."""
    return of_program(session, epoll.poll(0, maxevents))


@operation(any_of(*INTEREST), on=ANYTHING)
def poll(session: Any, held: Any, events: str) -> Any:
    poller = session.modules.select.poll()
    poller.register(held, mask_of(events))
    return of_program(session, poller.poll(0))


@operation(another, another, on=ANYTHING)
def select(session: Any, held: Any, second: int, third: int) -> Any:
    """select(2) on three slots for everything; a list of slots for each of the three sets."""
    several = [held, *(session.held[slot] for slot in (second, third) if session.held[slot] is not None)]
    ready = session.modules.select.select(several, several, several, 0)
    return [[session.names.descriptor(one.fileno()) for one in found] for found in ready]
