"""Signals to a process: what it has said that they do, and what they do when one comes.

As CPython has it (docs.python.org/3/library/signal.html; signal(7)): a signal that has a handler is noted,
and a byte with its number is written to the wake-up descriptor if there is one.  The main thread is woken,
and calls the handlers where it stands, those of lower numbers first; then the call that it waits in goes on
waiting for the rest of its time (PEP 475), unless a handler raised.  A signal that comes twice before that is
one.

Without a handler SIGINT raises KeyboardInterrupt, and most others end the process as SIGKILL does, without a
``finally``.  What stops a process or lets it go on (SIGSTOP, SIGTSTP, SIGCONT) is `Host.pause`, and refused.

Owns the handlers of one process, and what has come and not been told yet.
"""

from __future__ import annotations

import errno
import os
import signal
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ..errors import UsageError
from .ending import Killed

if TYPE_CHECKING:
    from .interval_timer import IntervalTimer
    from .process import Process

_SIGNALS_MAX = 64  # _NSIG of <signal.h> on Linux, without 0
_IGNORED = {"SIGCHLD", "SIGURG", "SIGWINCH", "SIGPIPE", "SIGXFSZ"}
"""What does nothing by default; the last two Python ignores (Py_InitializeSignals)."""

_STOPPING = {"SIGSTOP", "SIGTSTP", "SIGTTIN", "SIGTTOU", "SIGCONT"}


def number_of(signalnum: Any) -> int:
    """The number of a signal.

    Raises:
        UsageError: there is none such.
    """
    number = int(signalnum)
    if not 1 <= number <= _SIGNALS_MAX:
        raise UsageError(f"no signal has the number {number}")
    return number


def name_of(number: int) -> str:
    """``SIGTERM`` for 15."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


class Signals:
    """Those of one process, which all its threads share.

    Attributes:
        timer: what sends it SIGALRM.
        wakeup_fd: what `signal.set_wakeup_fd` was told; -1 if nothing.
        told: how many have had their handlers called.
        has_come: whether any has come that was not ignored.
    """

    __slots__ = ("_handlers", "_process", "has_come", "pending", "timer", "told", "wakeup_fd")

    def __init__(self, process: Process) -> None:
        self._process = process
        self._handlers: dict[int, Any] = {}
        self.pending: list[int] = []
        self.timer: IntervalTimer | None = None
        self.wakeup_fd = -1
        self.told = 0
        self.has_come = False

    def handler(self, number: int) -> Any:
        """What the program has said: a function, SIG_IGN or SIG_DFL."""
        found = self._handlers.get(number)
        if found is not None:
            return found
        if number == signal.SIGINT:
            return signal.default_int_handler
        return signal.SIG_IGN if name_of(number) in ("SIGPIPE", "SIGXFSZ") else signal.SIG_DFL

    def install(self, number: int, handler: Any) -> Any:
        """As `signal.signal`; returns what was there before.

        Raises:
            OSError: EINVAL, nobody can say what SIGKILL and SIGSTOP do.
        """
        if name_of(number) in ("SIGKILL", "SIGSTOP"):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        before = self.handler(number)
        self._handlers[number] = handler
        return before

    def come(self, number: int) -> None:
        """One is sent to the process."""
        name, handler = name_of(number), self.handler(number)
        if handler == signal.SIG_IGN or (handler == signal.SIG_DFL and name in _IGNORED):
            return
        if handler == signal.SIG_DFL and name in _STOPPING:
            raise NotImplementedError(f"{name} is not simulated; Host.pause and Host.resume do it")
        self.has_come = True
        process = self._process
        process.note(f"gets {name}")
        stands_still = process.host.is_paused and name != "SIGKILL"
        if handler == signal.SIG_DFL and not stands_still:
            process.end_by(number)
            return
        if number not in self.pending:
            self.pending.append(number)
        if self.wakeup_fd >= 0:
            with suppress(OSError):  # a full pipe wakes as well
                process.host.modules.os.write(self.wakeup_fd, bytes([number]))
        process.wake()

    def tell(self) -> None:
        """Call the handlers of what has come; in the main thread, which has just gone on."""
        while self.pending:
            number = min(self.pending)
            self.pending.remove(number)
            handler = self.handler(number)
            self.told += 1
            if callable(handler):
                handler(number, None)
            elif handler == signal.SIG_DFL:  # it came while the host stood still
                self._process.end_by(number)
                raise Killed

    def clear(self) -> None:
        """The process has ended: nobody is told anything any more."""
        self._handlers, self.pending, self.wakeup_fd = {}, [], -1
        if self.timer is not None:
            self.timer.set(0)
