"""A thread of a process: one more greenlet on the same host, for which the process is its leader.

A thread runs until it has to wait, as a process does; who runs next is the same pick.  That alone would hide
what goes wrong between two threads that do not wait, so at calls that threads share their data by (locks,
queues, events, sockets) a thread may let the others go first, if the network picks that (`give_way_at`).

Owns the life of a thread.  What the modules `threading` and `_thread` make of it is `interposed.threads`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from contextvars import Context
from types import FrameType
from typing import Any

from ..fence.allowed import OWN, is_of_program
from .ending import beneath_programs
from .process import Process

_NO_NAME = re.compile(r"[^\w.:-]+")
_ADDRESS = re.compile(r"0x[0-9a-f]{6,}|\d{12,}")
"""What a name may have of an address in memory (as of a default repr), which is another one in every run."""


class Thread(Process):
    """A thread of `leader`; begins when the network next lets time pass.

    Args:
        name: what the program calls it.
        is_awaited: whether its process ends only when it has ended, as for a thread that is no daemon.

    Attributes:
        sentinel: a lock that is released when it has ended.
    """

    def __init__(self, leader: Process, name: str, function: Callable[[], object], is_awaited: bool) -> None:
        host = leader.host
        name = f"{leader.name}/{_NO_NAME.sub('-', _ADDRESS.sub('', name)).strip('-')}"
        name = host.name_for(name)
        super().__init__(host, name, leader.daemon, function, Context(), leader.machine)
        self.leader, self.is_awaited = leader, is_awaited
        self.own_globals, self.own_modules = leader.own_globals, leader.own_modules
        self.sentinel: Any = None
        leader.threads[self] = None
        host.processes[self] = self
        host.network.daemons += self.daemon
        self.wake()

    @beneath_programs
    def _run(self) -> None:
        try:
            self._function()
        except SystemExit:
            return  # the thread's end, and nothing else's

    def fail(self, exception: BaseException) -> None:
        """It has let an exception out, and nobody of the program wants to know: that ends the run."""
        self._exception = exception

    def _end(self) -> None:
        super()._end()
        self.leader.threads.pop(self, None)
        if self.sentinel is not None and self.sentinel.locked():
            self.sentinel.release()
        if self.leader.call == "exit":
            self.leader.wake()


def give_way_at(thread: Process, call: str, whoever_calls: bool = False) -> None:
    """Just here, the thread may let the other threads of its process go first; that is a pick (`switch`).

    Asked where a program makes such a call itself, unless it is asked `whoever_calls`: which locks the
    standard library takes inside one, and how often, differs from version to version.
    """
    if not thread.leader.threads or thread.was_killed:
        return
    if whoever_calls or _is_called_by_a_program(sys._getframe(2)):
        thread.may_switch(call)


def _is_called_by_a_program(frame: FrameType | None) -> bool:
    module = OWN
    while frame is not None and module.partition(".")[0] == OWN:
        module = str(frame.f_globals.get("__name__", ""))
        frame = frame.f_back
    return is_of_program(module)
