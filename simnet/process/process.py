"""A process: a function that runs on a host until it has to wait, and goes on when what it waits for comes.

To the network it is a `Turner` like a loop: it is runnable or not, its turn is a switch into its greenlet,
and its earliest deadline is that of the call it waits in.

Owns the life of a process.  How it waits is `waiting`.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from contextvars import Context, ContextVar, copy_context
from itertools import count
from typing import TYPE_CHECKING, Any

from greenlet import GreenletExit, error, getcurrent, greenlet

from ..errors import UsageError
from ..trace import Kind
from ..transport import enter_context, leave_context
from ..units import duration_ns
from .ending import Killed, accept_lines, beneath_programs, collect_young, refuse_lines
from .exits import Exits, status_of
from .kept import release
from .locals import Locals
from .machine import Machine
from .own_globals import own_globals
from .own_modules import OwnModules
from .signals import Signals
from .standing import library_call, place_of
from .waiting import ANY, Waits

if TYPE_CHECKING:
    from ..virtual.host import Host
    from .thread import Thread

_HAPPEN = int(Kind.HAPPEN)
IDENT = 1_000
"""Below what `threading.get_ident` tells the first process."""

_process: ContextVar[Process | None] = ContextVar("simnet_process", default=None)


def running() -> Process | None:
    """The process, or the thread of one, whose code is running; None outside of processes.

    A context may have been copied from another thread of the same process; who runs there the network knows.
    """
    process = _process.get()
    return None if process is None else process.host.network.process


at_end: list[Callable[[Process], None]] = []
"""What is told of every process and thread that has ended."""


class Process(Waits, Exits):
    """Blocking code on a host; made by `Host.spawn`.

    Attributes:
        name: its own, on its host.
        label: the host's and its own: ``client/fetch``.
        alias: what a script that does not know its name may call it: ``#2 thread``, the second that begins.
        number: of its host, in the trace.
        leader: the process that a thread is of; a process is its own.
        threads: those of a process that are alive, itself not among them.
        ident: what `threading.get_ident` tells it.
        machine: its host as it sees it, with the loops that it runs.
        daemon: whether it may wait for ever: a run ends without it.
        call: what it waits in, such as ``recv``; empty while it does not wait.
        waits: in how many calls it has stood still so far.
        spins: whether it stands still only because it has polled again and again without doing anything.
    """

    poller = None
    is_default = asks = False

    def __init__(
        self,
        host: Host,
        name: str,
        daemon: bool,
        function: Callable[[], object],
        context: Context | None = None,
        machine: Machine | None = None,
    ) -> None:
        self.host, self.name, self.daemon = host, name, daemon
        self.label = f"{host.name}/{name}"
        self.number = host.number
        self.leader: Process = self
        self.threads: dict[Thread, None] = {}
        nth = next(host.network.idents)
        self.alias, self.ident = f"#{nth} thread", IDENT + nth
        self.at_exit: list[Callable[[], None]] = []  # before threads are waited for
        self.exit_calls: list[Any] = []  # what it has registered with `atexit`, each with its arguments
        self.threading: Any = None  # what `threading` keeps of it, if it is asked
        self.hashes: dict[str, int] = {}  # the last number of an object that is kept in sets, by kind
        self.tasks, self.timers = count(1), count()  # of asyncio, that are made
        self.passes = 0  # of asyncio's loops
        self.holder: Callable[[], Process | None] | None = None  # of the lock that it waits for
        self._switches, self._gives_way = 0, False
        self._locals = Locals()
        self.map: dict[int, Any] = {}
        self.call, self.waits, self.spins = "", 0, False
        self.events = ANY  # of the files that it waits for; with `queued` what a Watcher has
        self.queued = False  # it is runnable, and need not be woken
        self.is_alive = True
        self.was_killed = False  # from then on, what its frames drop closes nothing
        self._function: Callable[[], object] = function
        self._greenlet: greenlet | None = None  # from its first turn to its end
        self._hub: greenlet | None = None  # who let it go on
        self._deadline_ns: int | None = None
        self._result: Any = None
        self._exception: BaseException | None = None
        self._reads, self._read_ns = 0, -1  # of clocks, and what else it asks in vain, at a moment
        self.signals = Signals(self)
        self._joining: list[Process] = []
        self._take_down: Callable[[], None] | None = None  # of what asyncio keeps, if it is killed
        self._context = copy_context() if context is None else context
        self.own_modules: OwnModules | None = None
        self.own_globals: dict[Any, Any] = {}  # the values of some, while it does not run
        self.machine = Machine(host) if machine is None else machine
        self._context.run(enter_context, self.machine)
        self._context.run(_process.set, self)
        self._wake = host.network.waker(host, self)
        self.note("begins")

    def __repr__(self) -> str:
        return f"<Process {self.label} {self.state}>"

    def lend_context(self) -> Callable[[], None]:
        """Make contexts that are copied from the current one those of this process; returns what ends that.

        For code that is handed a context from outside and called by the process.
        """
        transport, process = enter_context(self.machine), _process.set(self)

        def take_back() -> None:
            _process.reset(process)
            leave_context(transport)

        return take_back

    # --- what became of it -----------------------------------------------------------------------

    @property
    def state(self) -> str:
        """In words: ready, waits in recv, ended, failed, was killed; with the signal that was sent to it, was
        killed by SIGTERM, ended by SIGINT."""
        if self.is_alive:
            return f"waits in {self.call}" if self.call else "ready"
        if (by := self.ended_by()) is not None:
            return by
        return "failed" if self._exception is not None else "ended"

    @property
    def result(self) -> Any:
        """What its function returned.

        Raises:
            UsageError: it has not ended, was killed, or a signal has ended it.
            Whatever its function let out.
        """
        if self._exception is not None:
            raise self._exception
        if self.is_alive or self.was_killed or self.exit_signal or self.exit_status:
            status = f" with status {self.exit_status}" if self.exit_status else ""
            raise UsageError(f"process {self.label} has no result: it {self._in_words}{status}")
        return self._result

    @property
    def _in_words(self) -> str:
        return f"is {self.state}" if self.state == "ready" else self.state

    @property
    def exception(self) -> BaseException | None:
        """What its function let out; None if it did not fail."""
        return self._exception

    def join(self, timeout: str | float | None = None) -> bool:
        """Wait until it has ended, at most so long; whether it has.

        In a process that process waits; outside, the network runs meanwhile.  Whoever joins a process
        collects its exception.

        Raises:
            Deadlock: nothing can happen any more, and there is no time-out.
            Whatever its function let out.
        """
        network = self.host.network
        deadline_ns = None if timeout is None else network.now_ns + duration_ns(timeout)
        waiting: Process | None = network.process
        if waiting is self:
            raise UsageError(f"process {self.label} cannot join itself")
        if waiting is not None:
            self._joining.append(waiting)
            try:
                waiting.wait("join", self._is_over, deadline_ns)
            finally:
                self._joining = [other for other in self._joining if other is not waiting]
        else:
            network.wait("join", self._is_over, deadline_ns)
        if self._exception is not None:
            raise self._exception
        return not self.is_alive

    def _is_over(self) -> bool:
        return not self.is_alive

    # --- ending it -------------------------------------------------------------------------------

    def kill(self) -> None:
        """End it as SIGKILL does: no ``finally`` of it is run.

        The kernel closes what it has opened, so peers get a FIN, or a RST where something was not read
        (RFC 2525, section 2.17).  The process itself may call this; the line that does is its last one.
        """
        current = self.host.network.process
        for each in sorted((*self.threads, self), key=lambda each: each is current):
            if each.is_alive:
                each.close()
                self.host.network.forget(each)
        self.host.descriptors.close_those_of(self)

    def close(self) -> None:
        """What its host does when it ends its programs."""
        if not self.is_alive or self.was_killed:
            return
        self.was_killed = True
        self.signals.clear()
        network = self.host.network
        if network.process is self:
            self._let_go_of_loop()
            refuse_lines()
        elif not self._greenlet:
            self._end()
        else:
            outer: Process | None = network.process
            self._switch()
            network.process = outer

    def _end(self) -> None:
        self.is_alive = False
        for call in at_end:
            call(self)
        if self.leader is self:
            self.machine.close()
            self.signals.clear()
        if self.host.processes.pop(self, None) is not None:
            self.host.network.daemons -= self.daemon
            release(self.host.network)
        self.note("was killed" if self.was_killed else "ends" if self._exception is None else "fails")
        for other in self._joining:
            other.wake()
        self.host.process_has_ended()

    def note(self, what: str) -> None:
        """Tell the trace."""
        network = self.host.network
        if network.log is not None:
            network.log((network.now_ns, _HAPPEN, self.host.number, 0, f"{self.label} {what}"))

    # --- its turn --------------------------------------------------------------------------------

    def turn(self, timeout: float | None) -> bool:
        """Let it go on until it waits or ends; for the network, which counts this as a pass."""
        if self._greenlet is None:
            self._greenlet = greenlet(self._main)
            self._greenlet.gr_context = self._context
        self._switch()
        if not self.is_alive and self._exception is not None and not self._joining:
            raise self._exception
        return True

    def _switch(self) -> None:
        network, mine = self.host.network, self._greenlet
        assert mine is not None
        hub = getcurrent()
        if self._hub is not hub:
            self._settle_under(hub)
        network.process = self
        exchange = self._locals.exchange
        exchange()
        own_globals.exchange(self.own_globals)
        if self.own_modules is not None:
            self.own_modules.exchange()
        try:
            mine.switch()
        finally:
            if self.own_modules is not None:
                self.own_modules.exchange()
            own_globals.exchange(self.own_globals)
            exchange()
            network.process = None
        if not self.is_alive:
            self._locals.drop()
            self._greenlet = self._hub = None  # which would keep its last exception, and by that its frames

    def _settle_under(self, hub: greenlet) -> None:
        """From now on `hub` lets it go on, and is switched to when it waits or ends."""
        assert self._greenlet is not None
        try:
            self._greenlet.parent = hub
        except (error, ValueError) as failure:  # what greenlet says of another thread's
            raise UsageError(f"{self.label} runs in another thread of this computer: {failure}") from None
        self._hub = hub
        self._locals.settle()

    @beneath_programs
    def _main(self) -> None:
        """What the greenlet runs."""
        try:
            try:
                self._run()
            finally:
                while self.exit_calls and not self.was_killed:
                    call, args, kwargs = self.exit_calls.pop()
                    call(*args, **kwargs)
        except (Killed, GreenletExit):
            pass
        except BaseException as exception:
            self._exception = exception
        del self._function
        if not self.was_killed:
            self._leave_threads()
            if self.leader is self and (self._exception is None or self._joining):  # else the run is over
                self.host.descriptors.close_those_of(self)
        else:
            self._exception = None
            accept_lines(self._take_down or collect_young)
        self._end()

    @beneath_programs
    def _run(self) -> None:
        """Its function, and what the interpreter does then: it waits for threads that are no daemons."""
        try:
            if self.signals.pending:  # before its first line
                self._tell_signals()
            self._result = self._function()
        except SystemExit as exit:
            if self.signals.has_come:
                self.exit_status = status_of(exit)
            else:
                self._exception = exit if exit.code else None
        except KeyboardInterrupt:
            if not self.signals.has_come:  # else somebody has interrupted the test
                raise
            self.exit_signal = signal.SIGINT
        if self.threads:
            for call in self.at_exit:
                call()
            self.wait("exit", lambda: not any(thread.is_awaited for thread in self.threads), None)

    def _leave_threads(self) -> None:
        """It has ended: of the threads that are left not a line is run any more."""
        for thread in list(self.threads):
            thread.close()
            self.host.network.forget(thread)

    def next_timer(self) -> str | None:
        return None

    @property
    def loops(self) -> list[Any]:
        """Those of dispatchers that it runs; its threads have the same."""
        return self.machine.loops if self.leader is self else []

    def next_deadline_ns(self) -> int | None:
        """When its wait is over, whatever has come."""
        return self._deadline_ns

    def describe(self, fd: int) -> str | None:
        """Descriptors are the host's."""
        return None

    # --- for reports -----------------------------------------------------------------------------

    def standing(self) -> str:
        """A line for reports: who it is, what it waits in, and where."""
        still = ", and its host stands still" if self.host.is_paused else ""
        frame = self._greenlet.gr_frame if self._greenlet is not None and self.call else None
        place = place_of(frame)
        words = self._in_words
        if self.holder is not None:
            holder = self.holder()
            if holder is None or holder is self:
                words = f"waits in {library_call(frame) or self.call}"
            else:
                words = f"waits for a lock that {holder.label} holds"
        return f"{self.label} {words}{f' at {place}' if place else ''}{still}"
