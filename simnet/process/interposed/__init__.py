"""The standard modules, as code in a process finds them: those of its host.

Unmodified code says ``import socket`` and calls what it finds there.  While interposition is up, the names by
which code reaches this computer lead through a stand-in: in a process it calls the function of that name of
the host that the process runs on, anywhere else what was there before, a check of the fence included.

Names are changed where they are owned, and in every module that took them from there before, be it as a
global, as an attribute of a class, or as the default of an argument (`names`).  What is interposed is listed
in `functions`.  Cases of their own are descriptors (`descriptors`), sockets (`sockets`), TLS over them
(`tls`), generators without a seed (`entropy`), a type made in C that reads the clock (`wall_clock`), the
look-ups of asyncio (`lookups`), what it keeps of tasks (`tasks`), its timers (`timers`), which of
them goes on (`wakes`), objects in sets (`hashes`), and threads: those of the process (`threads`), with the
locks (`locks`) and queues (`queues`) of this computer.

Owns when all that is up.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ...fence import watch
from ...garbage import collector
from . import (
    descriptors,
    entropy,
    environment,
    hashes,
    locks,
    lookups,
    queues,
    sockets,
    tasks,
    threads,
    timers,
    tls,
    wakes,
    wall_clock,
)
from .functions import stand_ins
from .names import Names

if TYPE_CHECKING:
    from ...virtual.host import Host

_ROOMS = ("socket", "select", "selectors", "time", "os", "fcntl")
_CHANGES = (
    *(collector.watch, descriptors.change, sockets.change, tls.change, entropy.change),
    *(wall_clock.change, wall_clock.change_time, wall_clock.change_logging, environment.change),
    *(locks.change, queues.change, threads.change, threads.change_methods, threads.change_pools),
    *(lookups.change, hashes.change, tasks.change, timers.change, wakes.change),
)


class Interposition:
    """Everything that is changed in this interpreter for the sake of processes."""

    def __init__(self) -> None:
        self.is_up = False
        self._names: Names | None = None
        self._undo: list[Callable[[], None]] = []

    def put_up_for(self, host: Host, function: Callable[..., object]) -> Callable[..., object]:
        """Before a process of a host runs a function; returns what that is in the process."""
        if self._names is None:
            for room in _ROOMS:  # what these take from the real modules is real: they are imported before
                getattr(host.modules, room)
            self._names = Names(stand_ins(), descriptors.outsides())
            watch.checks.above = self
        self.put_up()
        return self._names.meant_by(function)  # type: ignore[no-any-return]

    def put_up(self) -> None:
        """Change everything; again, for modules that have come since."""
        assert self._names is not None
        if not self.is_up:
            self.is_up = True
            self._undo = [change() for change in _CHANGES]
        self._names.put_up()

    def take_down(self) -> None:
        """Change everything back."""
        if not self.is_up or self._names is None:
            return
        self.is_up = False
        self._names.take_down()
        for undo in reversed(self._undo):
            undo()
        self._undo = []


interposition = Interposition()
