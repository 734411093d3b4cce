"""How a process is asked to end, and with which status it does.

Owns what is sent to it, and its exit status.  What a signal does is the business of `signals`, and how a
process ends without a line of it being run that of `ending`.
"""

from __future__ import annotations

import signal
from abc import ABC, abstractmethod

from .signals import Signals, name_of, number_of


def status_of(exit: SystemExit) -> int:
    """What the parent of a process is told (sys.exit)."""
    code = exit.code
    return 0 if code is None else code & 0xFF if isinstance(code, int) else 1


class Exits(ABC):
    """That part of a process."""

    leader: Exits
    signals: Signals
    is_alive: bool
    was_killed: bool

    exit_signal = exit_status = 0
    """The signal that has ended it, and the status that it has exited with after one."""

    @property
    @abstractmethod
    def exception(self) -> BaseException | None:
        """What its function let out; None if it did not fail."""

    @abstractmethod
    def kill(self) -> None:
        """End it as SIGKILL does."""

    @property
    def exitcode(self) -> int | None:
        """As that of `multiprocessing.Process`: None while it is alive; 0 if its function returned, the
        status of `sys.exit`, 1 after an exception; -15 if SIGTERM has ended it, -9 if it was killed."""
        if self.is_alive:
            return None
        if self.was_killed or self.exit_signal:
            return -(self.exit_signal or signal.SIGKILL)
        if isinstance(self.exception, SystemExit):
            return status_of(self.exception)
        return self.exit_status if self.exception is None else 1

    def ended_by(self) -> str | None:
        """In words, if it was killed, or a signal has ended it."""
        if self.was_killed:
            by = "" if self.exit_signal in (0, signal.SIGKILL) else f" by {name_of(self.exit_signal)}"
            return f"was killed{by}"
        return f"ended by {name_of(self.exit_signal)}" if self.exit_signal else None

    def send_signal(self, signalnum: int) -> None:
        """Send it a signal, as kill(2); nothing happens if it has ended.

        A handler that the program has installed (`signal.signal`, `loop.add_signal_handler`) is called by its
        main thread, at this moment of virtual time, where it stands; what that raises, its call raises.
        Without one, SIGINT raises KeyboardInterrupt there, and most others end it as `kill` does.

        KeyboardInterrupt or SystemExit that it lets out then ends it and not the run; see `exitcode`.

        Raises:
            UsageError: there is no such signal.
            NotImplementedError: SIGSTOP and SIGCONT; `Host.pause` does that.
        """
        if self.leader.is_alive:
            self.leader.signals.come(number_of(signalnum))

    def interrupt(self) -> None:
        """Send it SIGINT, as Ctrl-C does: KeyboardInterrupt where it waits, unless it has a handler.

        `asyncio.run` has one: it cancels its main task.
        """
        self.send_signal(signal.SIGINT)

    def terminate(self) -> None:
        """Send it SIGTERM: its handler is called; if it has none, no ``finally`` of it is run."""
        self.send_signal(signal.SIGTERM)

    def end_by(self, number: int) -> None:
        """What a signal does that has no handler."""
        self.exit_signal = number
        self.kill()
