"""Virtual time: take the earliest planned entry, set the clock, let it arrive.

When nothing more is due at that moment, every host whose channels or timers are ready makes passes of
its loops; and so on, until nothing is left.  Cost follows what happens, not what exists.

Owns time, the order of what happens, and what is told when nothing can happen any more.  Does not own
what is planned: hosts, links and faults are the `network`.
"""

from __future__ import annotations

import gc
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import cached_property, partial
from inspect import iscoroutinefunction
from itertools import count
from threading import get_ident
from typing import TYPE_CHECKING, Any

from ..checks import Checks
from ..errors import Deadlock, Livelock, UsageError
from ..fence import Fence, watch
from ..garbage import collector
from ..timers import name_of
from ..trace import Trace
from ..transport import Turner, enter_context, leave_context
from ..units import SECOND_NS, duration_ns, seconds
from .alarm import Alarm
from .daemons import only_daemons_wake, others, waiting
from .host import Host
from .netstat import netstat
from .patience import Patience
from .quiet import check_quiet
from .schedule import Schedule
from .witness import Witness

if TYPE_CHECKING:
    from ..process import Process

PASSES_MAX = 100_000
"""Passes of all loops at one moment of virtual time before a run is said to be stuck in it."""

IDLE_MAX = 10_000
"""Moments at which nothing happens but that daemons wake up, before whoever else waits waits for ever."""

MOMENTS_MAX = 200_000
"""Moments of virtual time in one call of `run` that has no time limit, before it is said that the program
has no end.  A second's work or two: a search has to get past a run that would never come back."""

_TIDY_EVERY = 64  # moments between two looks at the length of the trace
_COLLECT_EVERY = 65_536  # moments between two collections of cyclic garbage


class Engine(ABC):
    """What runs a network: its clock, its schedule, and the loops that have something to do."""

    label = "network"
    alias = "#1 network"
    number = 0  # in the trace, where the network itself is the place of a pick

    def __init__(self, trace: bool, fence: Fence, checks: Checks) -> None:
        self.now_ns = 0
        self.guard = watch.guard_for(fence)
        self.checks = checks
        self.witness = Witness(self) if checks.watches else None  # type: ignore[arg-type]
        self.hosts: dict[str, Host] = {}
        self.schedule = Schedule()
        self.trace = Trace()
        self.log = self.trace.events.append if trace else None
        self.runnable: dict[Turner, Host] = {}
        self.process: Process | None = None  # whose code is running just now
        self.idents = count(1)  # of processes and threads
        self.tables = count()  # of descriptors that processes use
        self.daemons = 0  # processes that may wait for ever
        self.is_alone = False  # what arrives just now is all that is due at this moment
        self.is_calm = True  # nobody decides anything but the textbook
        self._alarms: dict[Turner, Alarm] = {}
        self._turns = 0
        self._is_passing = False
        self._thread = get_ident()
        self.moments_max: int | None = MOMENTS_MAX
        self.invariants: list[Callable[[], None]] = []  # asked after every moment, and raise
        self.seen_sometimes: dict[str, bool] = {}  # what a test wants to see, and whether it has

    watches_steps = False
    """Whether a host may be held up between the answer of poll and what follows from it."""

    @abstractmethod
    def choose(self, op: str, place: Any, nth: int, size: int, data: Any = None) -> tuple[str, int] | None:
        """Ask what happens at an operation: None for the textbook, else an outcome and its amount."""

    @cached_property
    def patience(self) -> Patience:
        """With programs that poll and do not wait."""
        return Patience(self)

    @property
    def now(self) -> float:
        """Virtual seconds since the network was made."""
        return self.now_ns / SECOND_NS

    @property
    def is_passing(self) -> bool:
        """Whether time passes just now: a handler, a timer or a condition is being called."""
        return self._is_passing

    def run(self, until: str | float | Callable[[], object] | None = None) -> None:
        """Let time pass.

        Args:
            until: nothing: until nothing can happen any more.  A time (seconds since the start, or text
                with a unit): until then, and `now` is that time.  A callable: until it returns something
                true; it is asked after every moment.

        Raises:
            Deadlock: nothing can happen any more, and `until` was not reached, or a sender waits for room
                that will never come.
            Livelock: handlers are called for ever while neither bytes nor time move.
            PropertyViolated: the program breaks a property that it is checked for; see `simnet.checks`.
            UsageError: `until` is something else, or a handler called this: time passes already.
            Whatever a handler lets out.
        """
        condition = until if callable(until) else None
        if condition is not None and iscoroutinefunction(condition):
            raise UsageError("until is an async function, and nobody would await it")
        limit_ns = None if until is None or condition is not None else duration_ns(until)  # type: ignore[arg-type]
        with self._passing():
            for _ in self._moments(limit_ns, rests=until is None):
                if condition is not None and condition():
                    return
            self._reach(limit_ns)
        if limit_ns is not None:
            return
        if condition is not None:
            raise Deadlock(
                f"nothing can happen any more, and {_describe(condition)} is not true\n{self.standstill()}"
            )
        check_quiet(self)  # type: ignore[arg-type]

    def _reach(self, limit_ns: int | None) -> None:
        """Nothing happens any more until then; said before the collector may close anything."""
        if limit_ns is not None:
            self.now_ns = max(self.now_ns, limit_ns)

    def wait(self, call: str, condition: Callable[[], object], deadline_ns: int | None) -> bool:
        """Let time pass until `condition` is true, at the latest until `deadline_ns`; whether it is true.

        Raises:
            Deadlock: nothing can happen any more, and there is no deadline.
            NotImplementedError: a handler or a timer runs just now, and time passes only without it.
        """
        if condition():
            return True
        if self._is_passing:
            raise NotImplementedError(
                f"{call}() that has to wait inside a handler is not simulated: it would stop the loop"
            )
        with self._passing():
            for _ in self._moments(deadline_ns):
                if condition():
                    return True
            self._reach(deadline_ns)
        if deadline_ns is None:
            raise Deadlock(f"{call}() waits, and nothing can happen any more\n{self.standstill()}")
        return False

    @contextmanager
    def _passing(self) -> Iterator[None]:
        """Time passes: once at a time, and without cyclic garbage that closes sockets at moments which
        depend on the interpreter's memory.  What comes in between is the business of `garbage`."""
        if self._is_passing:
            raise UsageError("the network runs already: a handler or a timer cannot let time pass")
        was = gc.isenabled()
        gc.disable()
        self._is_passing = True
        self._thread = thread = get_ident()
        outer = watch.begin(thread, self)
        try:
            try:
                yield
            finally:
                self._is_passing = False
                watch.end(thread, outer)
            if self.guard is not None:
                self.guard.check_swallowed()
            if self.witness is not None:
                self.witness.check()
        finally:
            collector.hold_back(any(host.processes for host in self.hosts.values()))
            if was:
                gc.enable()

    @property
    def has_processes(self) -> bool:
        """Whether there has been any."""
        return any(host.descriptors.base for host in self.hosts.values())

    def check_thread(self, call: str) -> None:
        """Raise NotImplementedError outside of the thread that lets time pass: when others get a turn is
        nobody's choice here, and would not be the same in the next run."""
        if get_ident() != self._thread:
            raise NotImplementedError(f"{call}() from another thread is not simulated: there are no threads")

    def _tidy(self, instants: int) -> None:
        """Bound the memory of a long run, at moments that depend on nothing but the run."""
        self.trace.trim()
        if instants % _COLLECT_EVERY == 0 and instants:
            collector.collect(2 if self.has_processes else 1)

    def step(self) -> bool:
        """Let the next planned thing happen, and whatever follows from it at once.  False if nothing can."""
        with self._passing():
            self._turn_loops()
            if not self._advance(None):
                return False
            self._turn_loops()
            for check in self.invariants:
                check()
        return True

    def netstat(self) -> str:
        """The sockets of every host, as a table."""
        return netstat(self.hosts.values(), self.now_ns)

    def standstill(self) -> str:
        """Who waits in what, and the sockets of every host."""
        return "\n".join([*waiting(self.hosts.values()), self.netstat()])

    def _look_around(self) -> None:
        """Between two runs a test may have changed what some channels answer when they are asked."""
        for host in self.hosts.values():
            for loop in host.loops:
                if loop.asks:
                    self.runnable[loop] = host

    def _moments(
        self, limit_ns: int | None, held: Turner | None = None, rests: bool = False
    ) -> Iterator[int]:
        """Let one moment after the other happen; `held` makes no pass.

        If it `rests`, that ends when nobody goes on but processes that may wait for ever.
        """
        moments = self._instants(limit_ns, held, rests)
        return self._checked(moments) if self.invariants else moments

    def _moments_of(self, host: Host, loop: Turner, limit_ns: int | None) -> Iterator[int]:
        """The moments in which a program waits for a pass of its loop; while its host stands still it does
        not notice that its time is over."""
        yield from self._moments(limit_ns, held=loop)
        while not host.goes_on() and self.schedule.next_time() is not None:
            for moment in self._moments(None, held=loop):
                yield moment
                if host.goes_on():
                    break

    def _checked(self, moments: Iterator[int]) -> Iterator[int]:
        """Ask after each whether all is as it always is."""
        for moment in moments:
            for check in self.invariants:
                check()
            yield moment

    def _instants(self, limit_ns: int | None, held: Turner | None, rests: bool) -> Iterator[int]:
        """The moments, one after the other, without a look at what must always be."""
        self._look_around()
        instants = idle = 0
        while True:
            if self.runnable:
                self._turn_loops(held)
            if instants % _TIDY_EVERY == 0:
                self._tidy(instants)
                if limit_ns is None and self.moments_max is not None and instants >= self.moments_max:
                    raise Livelock(self._no_end(instants))
            yield instants
            if self.daemons and limit_ns is None:
                # What they wake up by is in the heap.
                idle = idle + 1 if self.schedule.heap and only_daemons_wake(self) else 0
                if idle > IDLE_MAX or (idle and rests and not others(self.hosts.values())):
                    return
            if not self._advance(limit_ns):
                return
            instants += 1

    def _no_end(self, instants: int) -> str:
        """What is said of a run that goes on and on: what it waits for, most likely what it does not stop."""
        loops = [(host, loop) for host in self.hosts.values() for loop in host.loops]
        timers = [f"{host.name}: {name}" for host, loop in loops if (name := loop.next_timer())]
        due = f"due next are {', '.join(timers)}\n" if timers else ""
        return (
            f"no end: {instants:,} moments have passed until t={seconds(self.now_ns)}, and there is always "
            f"one more\n{due}a run that is to be longer has run(until=time), or Network.moments_max\n"
            f"{self.standstill()}"
        )

    def _advance(self, limit_ns: int | None) -> bool:
        """Go to the next moment at which something is planned, and let all of it arrive."""
        schedule = self.schedule
        first = schedule.first
        while (queue := first()) is not None:
            time_ns, _, target, item = queue[0]
            if limit_ns is not None and time_ns > limit_ns:
                return False
            schedule.drop(queue)
            if target.__class__ is Alarm and not target.is_due(time_ns):
                # An alarm that nobody wants any more does not move the clock.
                target.lapse(time_ns)
                continue
            assert time_ns >= self.now_ns, f"{time_ns} after {self.now_ns}"
            self.now_ns = time_ns
            following = first()
            if following is None or following[0][0] != time_ns:
                self.is_alone = True
                try:
                    target.arrive(item)
                finally:
                    self.is_alone = False
            else:
                target.arrive(item)
                schedule.deliver(time_ns)
            return True
        return False

    def waker(self, host: Host, loop: Turner) -> Callable[[], None]:
        """What says that a loop has something to do at this moment."""
        return partial(self.runnable.__setitem__, loop, host)

    def forget(self, loop: Turner) -> None:
        """A loop is gone."""
        self.runnable.pop(loop, None)
        self._alarms.pop(loop, None)

    def _turn_loops(self, held: Turner | None = None) -> None:
        """Let every loop that has something to do make passes, until none but `held` has at this moment."""
        passes = 0
        runnable = self.runnable
        while runnable:
            if held is None and len(runnable) == 1:  # the usual case
                loop, host = runnable.popitem()
            else:
                chosen = self._next_loop(held)
                if chosen is None:
                    return
                loop, host = chosen, runnable.pop(chosen)
            if host.has(loop):  # else the host has crashed, and this is a ghost
                self._turn(host, loop)
            passes += 1
            if passes > PASSES_MAX:
                raise Livelock(
                    f"{passes} passes at t={seconds(self.now_ns)}, and time does not move\n{self.netstat()}"
                )

    def _next_loop(self, held: Turner | None) -> Turner | None:
        runnable: Collection[Turner] = self.runnable
        if held is not None:
            runnable = [loop for loop in runnable if loop is not held]
        if len(runnable) <= 1:
            return next(iter(runnable), None)
        self._turns += 1  # on a calm network as well: a rule may come later
        labels = None if self.is_calm else [loop.label or self.runnable[loop].label for loop in runnable]
        effect = self.choose("turn", self, self._turns, len(runnable), labels)
        return list(runnable)[effect[1] - 1 if effect else 0]

    def _turn(self, host: Host, loop: Turner) -> bool:
        """One pass of a loop, with its host as the current transport; none while the host stands still."""
        parked = host.parked
        if parked is not None:
            parked[loop] = None
            return False
        poller = loop.poller
        if poller is None:
            return self._go_on(host, loop)
        token = enter_context(host)
        try:
            return loop.turn(0.0)
        finally:
            leave_context(token)
            if host.runs:
                if host.parked is not None:
                    host.parked[loop] = None  # it is not over
                elif poller.settle():
                    self.runnable[loop] = host
                if loop.next_deadline_ns() is not None:
                    self.set_alarm(self._alarms.get(loop) or Alarm(host, loop))

    def _go_on(self, host: Host, process: Turner) -> bool:
        """The same of a process, which has a context of its own, and waits by itself."""
        try:
            return process.turn(0.0)
        finally:
            if host.runs:
                if host.parked is not None:
                    host.parked[process] = None
                if process.next_deadline_ns() is not None:
                    self.set_alarm(self._alarms.get(process) or Alarm(host, process))

    def set_alarm(self, alarm: Alarm) -> None:
        """Plan to wake a loop when its earliest timer is due."""
        self._alarms[alarm.loop] = alarm
        deadline_ns = alarm.loop.next_deadline_ns()
        if deadline_ns is not None and (alarm.planned_ns < 0 or deadline_ns < alarm.planned_ns):
            alarm.planned_ns = max(deadline_ns, self.now_ns)
            self.schedule.plan(alarm.planned_ns, alarm)

    def drive(self, host: Host, loop: Turner, timeout: float | None) -> bool:
        """Let time pass until a pass of `loop` finds something, or for `timeout` seconds.

        False if nothing can happen any more.
        """
        limit_ns = None if timeout is None else self.now_ns + duration_ns(timeout)
        with self._passing():
            self.runnable.pop(loop, None)
            if self._turn(host, loop):
                return True
            for _ in self._moments_of(host, loop, limit_ns):
                if self.runnable.pop(loop, None) and loop in host.loops and self._turn(host, loop):
                    return True
            goes_on = limit_ns is not None and self.schedule.next_time() is not None
            if goes_on:
                self._reach(limit_ns)
        if timeout == 0:
            self.patience.looked_in_vain("loop")
        return goes_on


def _describe(condition: Callable[[], object]) -> str:
    name = name_of(condition)
    code = getattr(condition, "__code__", None)
    place = f" ({code.co_filename}:{code.co_firstlineno})" if code is not None else ""
    return f"{name}{place}"
