"""How the fence sees: an audit hook for what the interpreter tells of, checks in modules for the rest.

The hook is installed once and stays, as Python has it.  The checks are put up when a network is made or lets
time pass, and taken down when no network is left or somebody says so, as the pytest plugin does after each
test: to put them up and down for every run would cost as much as a short run does.

Looked at is code whose current transport is a virtual host; and whatever is called in the thread in which a
network lets time pass, unless it has entered the transport that is this computer.

Owns the means.  Does not own what is made of what is seen (`guard`).
"""

from __future__ import annotations

import sys
from _thread import get_ident
from typing import Any

from ..transport import chosen
from .guard import Clocked, Fence, Guard
from .patches import Checks
from .ways import BY_EVENT, Way

passing: dict[int, Guard | None] = {}
"""By thread, the guard of the network that lets time pass in it."""


def guard_for(fence: Fence, network: Clocked) -> Guard | None:
    """A guard for a new network, and everything that lets it see; None if nobody is to look."""
    if fence.level == "off":
        return None
    if not _hooked:
        _hooked.append(_hear)
        sys.addaudithook(_hear)
    checks.put_up()
    guard = Guard(fence, network, checks.let_go)
    checks.hold()
    return guard


def begin(thread: int, guard: Guard | None) -> Guard | None:
    """Time passes from now on in a thread.  Returns what `end` wants back."""
    if guard is not None:
        checks.put_up()
        guard.raised = None
    outer = passing.get(thread)
    passing[thread] = guard
    return outer


def end(thread: int, outer: Guard | None) -> None:
    """It does not any more; that of an outer network may."""
    passing[thread] = outer


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if checks.are_up and event in BY_EVENT:
        _went(BY_EVENT[event])


def _went(way: Way) -> None:
    """Somebody goes `way`: is it a program on a virtual host?"""
    machine: Any = chosen()
    guard = passing.get(get_ident()) if machine is None else getattr(machine, "guard", None)
    if guard is not None:
        guard.see(way, machine.name if machine is not None else "", sys._getframe(2))


_hooked: list[object] = []
checks = Checks(_went)
take_down = checks.take_down
