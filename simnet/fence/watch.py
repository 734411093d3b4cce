"""How the fence sees: an audit hook for what the interpreter tells of, checks in modules for the rest.

The hook is installed once and stays, as Python has it.  The checks are put up when a network is made or lets
time pass, and taken down by whoever knows that this was the last one for a while, as the pytest plugin does
after each test: to put them up and down for every run would cost a tenth of a short run.

Looked at is code whose current transport is a virtual host; and whatever is called in the thread in which a
network lets time pass, unless it has entered the transport that is this computer.

Owns the means.  Does not own what is made of what is seen (`guard`).
"""

from __future__ import annotations

import atexit
import sys
from _thread import get_ident
from collections.abc import Mapping
from functools import partial
from typing import Any, Protocol

from ..transport import chosen
from .guard import Fence, Guard
from .patches import Checks
from .ways import BY_EVENT, Way


class Watched(Protocol):
    """A network, as far as the fence knows it."""

    guard: Guard | None
    now_ns: int


passing: dict[int, Watched] = {}
"""By thread, the network that lets time pass in it."""


def guard_for(fence: Fence) -> Guard | None:
    """A guard for a new network, and everything that lets it see; None if nobody is to look."""
    if fence.level == "off":
        return None
    if not _hooked:
        _hooked.append(_hear)
        # It is called until the interpreter ends, when this module has lost its names.
        sys.addaudithook(partial(_hear, checks, BY_EVENT))
        atexit.register(checks.take_down)
    checks.put_up()
    return Guard(fence)


def begin(thread: int, network: Watched) -> Watched | None:
    """Time passes from now on in a thread.  Returns what `end` wants back."""
    if network.guard is not None:
        checks.put_up()
        network.guard.raised = None
    outer = passing.get(thread)
    passing[thread] = network
    return outer


def end(thread: int, outer: Watched | None) -> None:
    """It does not any more; that of an outer network may."""
    if outer is None:
        del passing[thread]
    else:
        passing[thread] = outer


def _hear(checks: Checks, ways: Mapping[str, Way], event: str, arguments: tuple[Any, ...]) -> None:
    __tracebackhide__ = True
    if checks.are_up and event in ways:
        _went(ways[event])


def _went(way: Way) -> None:
    """Somebody goes `way`: is it a program on a virtual host?"""
    __tracebackhide__ = True
    machine = chosen()
    if machine is None and not passing:
        return
    network: Any = passing.get(get_ident()) if machine is None else getattr(machine, "network", None)
    guard: Guard | None = getattr(network, "guard", None)
    if guard is not None:
        guard.see(way, getattr(machine, "name", ""), network.now_ns, sys._getframe(2))


def take_down() -> None:
    """Let the names in modules lead where they led before, until a network is made or lets time pass.

    While they lead through checks, real code works as ever, and calls of them take 0.2 µs longer.
    """
    checks.take_down()


_hooked: list[object] = []
checks = Checks(_went)
