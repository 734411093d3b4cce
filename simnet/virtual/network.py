"""The network: virtual time, the hosts, the paths between them, and who decides what it may decide.

`Network.run` is the simulation: take the earliest planned entry, set the clock, let it arrive; when
nothing more is due at that moment, let every host whose channels or timers are ready make passes of its
loops; go on until nothing is left.  Cost follows what happens, not what exists.

Owns time, topology, labels and choices.  Does not own what one machine owns (`host`), nor what a
connection does (`tcp`).
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from ..choices import (
    EVERY,
    GENTLE,
    Calm,
    Choices,
    Deviation,
    Happening,
    Point,
    Recording,
    Script,
    Scripted,
    Seeded,
    option,
    option_index,
    options,
)
from ..errors import Deadlock, Livelock, UsageError
from ..trace import Kind, Trace
from ..transport import IN, OUT, Turner, enter_context, leave_context
from ..units import SECOND_NS, duration, duration_ns, rate_bits, seconds, size_bytes
from .faults import At, Call, On, Rule, names
from .host import Host
from .link import Path
from .netstat import netstat
from .schedule import Entry, Schedule
from .tcp import TcpEnd
from .tcp_segments import Segment, SegmentEnd, Syn, Timer
from .tcp_states import State

PASSES_MAX = 100_000
"""Passes of all loops at one moment of virtual time before a run is said to be stuck in it."""

_HAPPEN, _DEVIATE = int(Kind.HAPPEN), int(Kind.DEVIATE)

LATENCY_NS = duration_ns("1ms")

_TIDY_EVERY = 64  # moments between two looks at the length of the trace
_COLLECT_EVERY = 65_536  # moments between two collections of cyclic garbage


observers: list[Callable[[Network], object]] = []
"""Called with every network that is made: how a test runner learns of those that a test makes itself."""


class _Alarm:
    """Wakes a loop when its earliest timer is due."""

    __slots__ = ("host", "loop", "planned_ns", "wake")

    def __init__(self, host: Host, loop: Turner) -> None:
        self.host, self.loop = host, loop
        self.wake = host.waker(loop)
        self.planned_ns = -1

    def is_due(self, time_ns: int) -> bool:
        """Whether the entry for `time_ns` is still wanted: timers may have been cancelled since."""
        if self.planned_ns != time_ns or not self.host.is_up:
            return False
        deadline_ns = self.loop.next_deadline_ns()
        return deadline_ns is not None and deadline_ns <= time_ns

    def lapse(self, time_ns: int) -> None:
        """The entry for `time_ns` is gone: plan the next one."""
        if self.planned_ns == time_ns:
            self.planned_ns = -1
            self.host.network.set_alarm(self)

    def arrive(self, item: object) -> None:
        now_ns = self.host.network.now_ns
        if self.is_due(now_ns):
            self.planned_ns = -1
            self.wake()
        else:
            self.lapse(now_ns)


class Network:
    """Hosts and what connects them, in memory, in virtual time.

    Args:
        script: deviations from the textbook network; see `simnet.Script`.
        seed: instead of a script, a storm that this number reproduces.
        choices: instead of both, any supplier of picks.
        only: what a storm may do, as (operation, outcome): `EVERY` kind of deviation, the `GENTLE`
            ones, or a choice of these.
        latency: of every link that `link` does not say otherwise of.
        trace: False keeps no record: no digest, no report, and a third more speed.

    Hosts are 10.0.0.1, 10.0.0.2, ... in the order in which they are made, and know each other by name.
    """

    def __init__(
        self,
        script: Script | None = None,
        *,
        seed: int | None = None,
        choices: Choices | None = None,
        only: Collection[tuple[str, str]] = EVERY,
        latency: str | float = "1ms",
        trace: bool = True,
    ) -> None:
        if sum(argument is not None for argument in (script, seed, choices)) > 1:
            raise UsageError("give one of script, seed and choices, not several")
        self._given = (script, seed, only)
        self.now_ns = 0
        self.hosts: dict[str, Host] = {}
        self._by_address: dict[str, Host] = {}
        self.schedule = Schedule()
        self.trace = Trace()
        self.log = self.trace.events.append if trace else None
        self.recording = Recording(choices or _supplier(script, seed, only))
        self.is_calm = isinstance(self.recording.inner, Calm)
        self.happened: list[Happening] = []
        self.latency_ns = duration_ns(latency)
        self._rules: list[Rule] = []
        self._cuts: list[tuple[Path, ...]] = []
        self.runnable: dict[Turner, Host] = {}
        self.is_alone = False  # what arrives just now is all that is due at this moment
        self._alarms: dict[Turner, _Alarm] = {}
        self._ends: list[SegmentEnd] = []
        self._connections = self._listeners = self._turns = 0
        self.alias = "#1 network"
        self.label = "network"
        for happening in script.happenings if script is not None else ():
            self.schedule.plan(happening.at_ns, Call(self._happen_as_scripted, (happening,)))
        for observer in observers:
            observer(self)

    def __repr__(self) -> str:
        script, seed, only = self._given
        words = []
        if script is not None:
            words.append(f"script={script!r}")
        if seed is not None:
            words.append(f"seed={seed}")
        if only is not EVERY:
            words.append("only=GENTLE" if only is GENTLE else f"only={sorted(only)}")
        if self.latency_ns != LATENCY_NS:
            words.append(f"latency={duration(self.latency_ns)!r}")
        return f"Network({', '.join(words)})"

    def again(self) -> Network:
        """A fresh network with the same choices, before anything was made on it."""
        script, seed, only = self._given
        given = self.recording.inner.again() if script is None and seed is None else None
        return Network(script, seed=seed, choices=given, only=only, latency=self.latency_ns / SECOND_NS)

    # --- making it -------------------------------------------------------------------------------

    def host(self, name: str) -> Host:
        """The host of that name; it is made at the first call."""
        host = self.hosts.get(name)
        if host is None:
            number = len(self.hosts) + 1
            if number > 0xFFFF:
                raise UsageError("a network has at most 65535 hosts")
            address = f"10.0.{number >> 8}.{number & 0xFF}"
            host = self.hosts[name] = self._by_address[address] = Host(self, name, number, address)
        return host

    def link(
        self,
        left: str,
        right: str,
        *,
        latency: str | float | None = None,
        jitter: str | float = 0,
        bandwidth: str | float = 0,
        capacity: str | int = 0,
    ) -> None:
        """Say how two hosts are connected, the same in both directions.

        Args:
            latency: one way, for the first bit of a segment.
            jitter: at most so much is added, segment by segment; 0 on a calm network.
            bandwidth: 0 is infinite; else serialising a segment takes time, and segments queue.
            capacity: how many bytes that queue holds; what comes on top is lost (and sent again).
                0 is unbounded.
        """
        for source, target in ((left, right), (right, left)):
            path = self.path(self._known(source), self._known(target))
            if latency is not None:
                for end in self._ends:
                    end.keep_order(path)
                path.set_latency(duration_ns(latency), self.schedule)
            path.shape(duration_ns(jitter), rate_bits(bandwidth), size_bytes(capacity))
        self._refit()

    def path(self, source: Host, target: Host) -> Path:
        """One direction between two hosts."""
        path = source.paths.get(target.name)
        if path is None:
            latency_ns = 0 if source is target else self.latency_ns
            path = source.paths[target.name] = Path(source, target, self.schedule, latency_ns)
            down = (not source.is_up) + (not target.is_up)
            if down:
                path.cut(down)
        return path

    def _known(self, name: str) -> Host:
        host = self.hosts.get(name)
        if host is None:
            raise UsageError(f"no host is called {name!r}; there are {', '.join(self.hosts) or 'none'}")
        return host

    def lookup(self, name: str) -> str | None:
        """The address of a host name."""
        host = self.hosts.get(name)
        return host.address if host is not None else None

    def host_at(self, address: str) -> Host | None:
        """The host that has an address."""
        return self._by_address.get(address)

    # --- faults ----------------------------------------------------------------------------------

    def on(self, where: str, op: str, *, nth: int | None = None, containing: bytes | None = None) -> On:
        """Name operations, and say with a verb what happens to them: ``on("client", "send", nth=2).take(1)``.

        Args:
            where: a host, an end (``"client:1 -> server:80"``), a listener (``"server:80"``) or ``"*"``.
            op: connect, accept, send, recv or segment.
            nth: which of the matching operations, from 1 on; without it, every one.
            containing: only operations whose bytes contain these.
        """
        return On(self, where, op, nth, containing)

    def at(self, time: str | float) -> At:
        """Name a moment (seconds, or text with a unit), to say what happens then: ``net.at("3s").heal()``."""
        return At(self, duration_ns(time))

    def partition(self, left: str | Iterable[str], right: str | Iterable[str]) -> None:
        """Cut every path between two groups of hosts; what is under way on them gets lost."""
        self.happen("partition", (names(left), names(right)))

    def heal(self) -> None:
        """Undo every partition.  What got lost comes again when its sender's time-out fires."""
        self.happen("heal", ())

    def happen(self, what: str, groups: tuple[tuple[str, ...], ...]) -> None:
        """Let something befall the network now: a `Happening` without its time."""
        if what == "partition":
            left, right = ([self._known(name) for name in group] for group in groups)
            paths = [self.path(*pair) for a in left for b in right for pair in ((a, b), (b, a))]
            self._cuts.append(tuple(paths))
            self._cut(paths, paths)
        elif what == "heal":
            for path in (path for cut in self._cuts for path in cut):
                path.cut(-1)
            self._cuts.clear()
        else:
            host = self._known(groups[0][0])
            if host.is_up is (what == "restart"):
                raise UsageError(f"cannot {what} host {host.name}: it is {'up' if host.is_up else 'down'}")
            others = [other for other in self.hosts.values() if other is not host]
            to_host = [self.path(other, host) for other in others]
            paths = [*to_host, *(self.path(host, other) for other in others)]
            if what == "crash":
                host.lose_power()
                self._cut(paths, to_host)
            else:
                for path in paths:
                    path.cut(-1)
                host.power_on()
        if self.log is not None:
            self.log((self.now_ns, _HAPPEN, 0, 0, str(Happening(self.now_ns, what, groups))))
        self._refit()

    def _happen_as_scripted(self, happening: Happening) -> None:
        self.happen(happening.what, happening.groups)
        self.happened.append(happening)

    def _cut(self, paths: list[Path], swept: list[Path]) -> None:
        """Close paths, and lose what is under way on the `swept` ones."""
        for path in paths:
            path.cut(1)
        lost: dict[SegmentEnd, list[Any]] = {}
        for _, _, target, item in self.schedule.extract(lambda entry: _path_of(entry) in swept):
            sender = item.opener if isinstance(item, Syn) else target.peer  # type: ignore[attr-defined]
            lost.setdefault(sender, []).append(item)
        for sender, items in lost.items():
            sender.lose_in_flight(items)

    def add_rule(self, rule: Rule) -> None:
        """What `on` ends in."""
        self._rules.append(rule)
        self._refit()

    def _refit(self) -> None:
        """Paths or rules changed: every end finds out anew whether it may take the fast path."""
        self._ends = [end for end in self._ends if not (end.orphan and end.state is State.CLOSED)]
        for end in self._ends:
            end.watched = end.watched or self._is_watched(end.label, end.alias, end.host.name)
            end.refit()

    def _is_watched(self, label: str, alias: str, host: str) -> bool:
        return self.recording.watches(label, alias) or any(rule.covers(label, host) for rule in self._rules)

    # --- choices ---------------------------------------------------------------------------------

    def choose(self, op: str, place: Any, nth: int, size: int, data: Any = None) -> tuple[str, int] | None:
        """Ask what happens at an operation: None for the textbook, else an outcome and its amount."""
        if self.is_calm and not self._rules:
            return None
        count = options(op, size)
        if count < 2:
            return None
        point = Point(place.label, place.alias, op, nth, size)
        index = self._ruled(point, place, data)
        if not index:
            before = len(self.recording.deviations)
            index = self.recording.pick(point, count)
            if not index:
                return None
            deviation = self.recording.deviations[before]
        else:
            deviation = self.recording.record(point, index)
        if self.log is not None:
            self.log((self.now_ns, _DEVIATE, place.number, size, str(deviation)))
        return option(op, size, index)

    def _ruled(self, point: Point, place: Any, data: Any) -> int:
        """The option that the first rule which decides this operation wants; 0 if none does."""
        host = place.host if isinstance(place, SegmentEnd) else place
        for rule in self._rules:
            if rule.decides(point.where, host.label, point.op, data):
                return option_index(point.op, point.size, rule.outcome, rule.amount)
        return 0

    number = 0  # in the trace, where the network itself is the place of a pick

    def script(self) -> Script:
        """The run so far as the script that repeats it: its deviations, and the given script's happenings.

        What the program itself lets happen is not in it: a replay runs the program again.
        """
        return Script(self.recording.deviations, self.happened)

    def unmet(self) -> tuple[Deviation, ...]:
        """The deviations of the given script that have not happened (yet)."""
        inner = self.recording.inner
        return inner.unmet() if isinstance(inner, Scripted) else ()

    # --- labels ----------------------------------------------------------------------------------

    def register_opener(self, end: TcpEnd, target: Host) -> None:
        """Name the end that opens a connection: ``client:1 -> server:80``."""
        key = (target.name, end.remote[1])
        nth = end.host.connections[key] = end.host.connections.get(key, 0) + 1
        self._connections += 1
        self._register(end, f"{end.host.name}:{nth} -> {key[0]}:{key[1]}", f"#{self._connections} client")

    def register_acceptor(self, end: TcpEnd, opener: SegmentEnd) -> None:
        """Name the end that a listener makes: ``server:80 -> client:1``."""
        left, _, right = opener.label.partition(" -> ")
        self._register(end, f"{right} -> {left}", opener.alias.replace("client", "server"))

    def register_listener(self, end: TcpEnd) -> None:
        """Name a listener: ``server:80``."""
        self._listeners += 1
        self._register(end, f"{end.host.name}:{end.local[1]}", f"#{self._listeners} listener")

    def _register(self, end: TcpEnd, label: str, alias: str) -> None:
        end.label, end.alias = label, alias
        if self.log is not None:
            end.number = self.trace.name(self.now_ns, label)
        if not self.is_calm or self._rules:
            end.watched = self._is_watched(label, alias, end.host.name)
        self._ends.append(end)

    def refuse(self, host: Host, syn: Syn) -> None:
        """Nobody listens: the SYN is answered by a RST."""
        path = self.path(host, syn.opener.host)
        if path.latency_ns:
            self.schedule.plan(self.now_ns + path.latency_ns, syn.opener, Segment.RST)
        else:
            syn.opener.arrive(Segment.RST)

    # --- running ---------------------------------------------------------------------------------

    @property
    def now(self) -> float:
        """Virtual seconds since the network was made."""
        return self.now_ns / SECOND_NS

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
            Whatever a handler lets out.
        """
        condition = until if callable(until) else None
        limit_ns = duration_ns(until) if isinstance(until, (str, int, float)) else None
        with _collector_paused():
            for instants in self._instants(limit_ns):
                if condition is not None and condition():
                    return
                if instants % _TIDY_EVERY == 0:
                    self._tidy(instants)
        if limit_ns is not None:
            self.now_ns = max(self.now_ns, limit_ns)
        elif condition is not None:
            raise Deadlock(
                f"nothing can happen any more, and {_describe(condition)} is not true\n{self.netstat()}"
            )
        else:
            self._check_quiet()

    def _tidy(self, instants: int) -> None:
        """Bound the memory of a long run, at moments that depend on nothing but the run."""
        self.trace.trim()
        if instants % _COLLECT_EVERY == 0 and instants:
            gc.collect(1)

    def step(self) -> bool:
        """Let the next planned thing happen, and whatever follows from it at once.  False if nothing can."""
        with _collector_paused():
            self._look_around()
            self._turn_loops()
            if not self._advance(None):
                return False
            self._turn_loops()
        return True

    def netstat(self) -> str:
        """The sockets of every host, as a table."""
        return netstat(self)

    def _look_around(self) -> None:
        """Between two runs a test may have changed what some channels answer when they are asked."""
        for host in self.hosts.values():
            for loop in host.loops:
                if loop.asks:
                    self.runnable[loop] = host

    def _instants(self, limit_ns: int | None) -> Iterator[int]:
        """Let one moment after the other happen."""
        self._look_around()
        instants = 0
        while True:
            self._turn_loops()
            yield instants
            if not self._advance(limit_ns):
                return
            instants += 1

    def _advance(self, limit_ns: int | None) -> bool:
        """Go to the next moment at which something is planned, and let all of it arrive."""
        schedule = self.schedule
        first = schedule.first
        while (queue := first()) is not None:
            time_ns, _, target, item = queue[0]
            if limit_ns is not None and time_ns > limit_ns:
                return False
            schedule.drop(queue)
            if target.__class__ is _Alarm and not target.is_due(time_ns):
                # An alarm that nobody wants any more does not move the clock.
                target.lapse(time_ns)
                continue
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

    def sleep(self, loop: Turner) -> None:
        """A loop is gone."""
        self.runnable.pop(loop, None)
        self._alarms.pop(loop, None)

    def _turn_loops(self) -> None:
        """Let every loop that has something to do make passes, until none has at this moment."""
        passes = 0
        while self.runnable:
            loop = self._next_loop()
            host = self.runnable.pop(loop)
            if loop in host.loops:  # else the host has crashed, and this is a ghost
                self._turn(host, loop)
            passes += 1
            if passes > PASSES_MAX:
                raise Livelock(
                    f"{passes} passes at t={seconds(self.now_ns)}, and time does not move\n{self.netstat()}"
                )

    def _next_loop(self) -> Turner:
        if self.is_calm or len(self.runnable) == 1:
            return next(iter(self.runnable))
        self._turns += 1
        effect = self.choose("turn", self, self._turns, len(self.runnable))
        return list(self.runnable)[effect[1] - 1 if effect else 0]

    def _turn(self, host: Host, loop: Turner) -> bool:
        """One pass of a loop, with its host as the current transport."""
        token = enter_context(host)
        try:
            return loop.turn(0.0)
        finally:
            leave_context(token)
            if host.is_up:
                if loop.poller.settle():  # type: ignore[attr-defined]
                    self.runnable[loop] = host
                if loop.next_deadline_ns() is not None:
                    self.set_alarm(self._alarms.get(loop) or _Alarm(host, loop))

    def set_alarm(self, alarm: _Alarm) -> None:
        """Plan to wake a loop when its earliest timer is due."""
        self._alarms[alarm.loop] = alarm
        deadline_ns = alarm.loop.next_deadline_ns()
        if deadline_ns is not None and (alarm.planned_ns < 0 or deadline_ns < alarm.planned_ns):
            alarm.planned_ns = max(deadline_ns, self.now_ns)
            self.schedule.plan(alarm.planned_ns, alarm)

    def drive(self, host: Host, loop: Turner, timeout: float | None) -> bool:
        """Let time pass until `loop` has a pass to make, or for `timeout` seconds.

        False if nothing can happen any more.
        """
        limit_ns = None if timeout is None else self.now_ns + duration_ns(timeout)
        self.runnable[loop] = host
        if self._turn(self.runnable.pop(loop), loop):
            return True
        for _ in self._instants(limit_ns):
            if loop in self.runnable:
                return True
        if limit_ns is not None and self.schedule.next_time() is not None:
            self.now_ns = max(self.now_ns, limit_ns)
            return True
        return False

    def _check_quiet(self) -> None:
        """Nothing can happen any more: is that all right?"""
        for host in self.hosts.values():
            for loop in host.loops:
                for fd, events in loop.poller.spinning():  # type: ignore[attr-defined]
                    if events & IN:
                        raise Livelock(
                            f"{host.name}: {loop.describe(fd)} is readable and is never read: "
                            f"its loop would spin for ever\n{self.netstat()}"
                        )
            for fd, end in host.sockets():
                if fd is not None and end.waiting and any(w.events & OUT for w in end.watchers):
                    raise Deadlock(
                        f"{host.name}: {host.owner(fd) or end.label} waits for room that will never come\n"
                        f"{self.netstat()}"
                    )


def _supplier(script: Script | None, seed: int | None, only: Collection[tuple[str, str]]) -> Choices:
    if seed is not None:
        return Seeded(seed, only)
    return Scripted(script) if script is not None and script.deviations else Calm()


def _path_of(entry: Entry) -> Path | None:
    """The path on which an entry of the schedule is under way, if it is a segment."""
    _, _, target, item = entry
    if isinstance(item, Syn):
        return item.opener.path
    if isinstance(target, SegmentEnd) and not isinstance(item, Timer):
        return target.peer.path if target.peer is not None else None
    return None


def _describe(condition: Callable[[], object]) -> str:
    name = getattr(condition, "__qualname__", repr(type(condition)))
    code = getattr(condition, "__code__", None)
    place = f" ({code.co_filename}:{code.co_firstlineno})" if code is not None else ""
    return f"{name}{place}"


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Keep cyclic garbage from closing sockets at moments that depend on the interpreter's memory."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
