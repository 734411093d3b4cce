"""The network: what befalls its hosts and the paths between them, and who decides what it may decide.

Owns faults and choices.  Does not own who is there and how they are connected (`topology`), time (`engine`),
what one machine owns (`host`), nor what a connection does (`tcp`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from functools import cached_property, partial
from random import Random
from typing import TYPE_CHECKING, Any

from ..checks import Checks
from ..checks import default as default_checks
from ..choices import Calm, Choices, Point, Recording, Scripted, Seeded
from ..errors import UsageError
from ..fence import Escape, Fence, default
from ..happenings import FOR_A_TIME
from ..outcomes import EVERY, GENTLE, option_index, options
from ..rules import Rule
from ..script import Happening, Item, Script
from ..trace import Kind
from ..units import SECOND_NS, duration, duration_ns
from ..workload import Draw, Workload
from .faults import At, Call, Fault, Happenings, On, Standing
from .host import Host
from .topology import Topology

if TYPE_CHECKING:
    from .faults.effects import Effects

_HAPPEN, _DEVIATE, _DRAW = int(Kind.HAPPEN), int(Kind.DEVIATE), int(Kind.DRAW)

LATENCY_NS = duration_ns("1ms")
_SEEDS_APART = 1 << 20  # rules of one run, whose chances are apart from those of the next seed

observers: list[Callable[[Network], object]] = []
"""Called with every network that is made: how a test runner learns of those that a test makes itself."""


class Network(Happenings, Topology):
    """Hosts and what connects them, in memory, in virtual time.

    Args:
        script: deviations from the textbook network; see `simnet.Script`.
        seed: instead of a script, a storm that this number reproduces.
        choices: instead of both, any supplier of picks.
        only: what a storm may do, as (operation, outcome): `EVERY` kind of deviation, the `GENTLE`
            ones, or a choice of these.
        latency: of every link that `link` does not say otherwise of.
        trace: False keeps no record: no digest, no report, and a third more speed.
        fence: what is made of a program that goes past its host to this computer: a `Fence`, or ``"error"``
            (raise `Escaped` there), ``"warn"`` or ``"off"``.  Without it, `simnet.fence.default`.
        check: which properties are looked for, in the words of `simnet.checks.Checks.of`: ``"all"``,
            ``"-no-leak"``.  Without it, `simnet.checks.default`.

    Hosts are 10.0.0.1, 10.0.0.2, ... in the order in which they are made, and know each other by name.  They
    are fd00::1, fd00::2, ... as well; no name leads there unless a test says so.

    Attributes:
        names: what hosts learn when they look names up; tests edit it.
        moments_max: so many moments of virtual time may pass in one call of `run` that has no time limit, or
            while one call waits without one, before it is a Livelock: a program that tries again for ever has
            no end.  None is no bound.
        fence: what is made of a program that goes past its host.
        cleared_up_ns: when the bad weather was over; see `clear_up`.  None is not yet.
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
        fence: Fence | str | None = None,
        check: Checks | str | Iterable[str] | None = None,
    ) -> None:
        if sum(argument is not None for argument in (script, seed, choices)) > 1:
            raise UsageError("give one of script, seed and choices, not several")
        if script is not None and not isinstance(script, Script):
            raise UsageError(f"a script is a Script, not {script!r}; Script.of([parse(sentence)]) makes one")
        self.fence = Fence.of(fence)
        super().__init__(trace, self.fence, Checks.of(check), duration_ns(latency))
        self._given = (script, seed, only)
        self.recording = Recording(choices or _supplier(script, seed, only))
        self.is_calm = isinstance(self.recording.inner, Calm)
        self.watches_steps = not self.is_calm and self.recording.considers("step")
        self.watches_wakes = not self.is_calm and self.recording.considers("wake")
        self.happened: list[Happening] = []
        self.cleared_up_ns: int | None = None
        self._brief: list[Fault] = []  # what ends by itself
        self._rules: list[Standing] = []
        self._added = 0
        for happening in script.happenings if script is not None else ():
            self.schedule.plan(happening.at_ns, Call(self._happen_as_scripted, (happening,)))
        for happening in self.recording.inner.happenings:
            self.schedule.plan(happening.at_ns, Call(self._happen_if_possible, (happening,)))
        self._scripted_rules = [self._stand(rule) for rule in script.rules] if script is not None else []
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
        if self.fence != default():
            words.append(f"fence={self.fence!r}")
        if self.checks != default_checks():
            words.append(f"check={str(self.checks)!r}")
        return f"Network({', '.join(words)})"

    def again(self) -> Network:
        """A fresh network with the same choices, before anything was made on it."""
        script, seed, only = self._given
        given = self.recording.inner.again() if script is None and seed is None else None
        return Network(
            script,
            seed=seed,
            choices=given,
            only=only,
            latency=self.latency_ns / SECOND_NS,
            trace=self.log is not None,
            fence=self.fence,
            check=self.checks,
        )

    # --- faults ----------------------------------------------------------------------------------

    def on(
        self,
        where: str,
        op: str,
        *,
        nth: int | None = None,
        containing: bytes | None = None,
        start: str | float = 0,
        end: str | float | None = None,
        when: Callable[[], object] | None = None,
        chance: float = 1.0,
        times: int | None = None,
    ) -> On:
        """Name operations, and say with a verb what happens to them: ``on("client", "send", nth=2).take(1)``.

        The verb returns a `Fault`: the rule stands until it is lifted, or to the end of a ``with`` block.

        Args:
            where: a host, an end (``"client:1 -> server:80"``), a listener (``"server:80"``) or ``"*"``.
            op: an operation of `simnet.outcomes.OUTCOMES`.
            nth: which of the matching operations, from 1 on; without it, every one.
            containing: only operations whose bytes contain these.
            start, end: only from this moment on, and before that one (virtual time).
            when: only while this function, which is called without arguments, returns something true.
            chance: how often, of the operations that match, from 0 to 1.  A storm's seed decides as well
                which ones; without a seed they are always the same.
            times: how often at most.
        """
        conditions = {
            "nth": nth,
            "containing": containing,
            "start_ns": duration_ns(start),
            "end_ns": None if end is None else duration_ns(end),
            "percent": chance * 100,
            "times": times,
        }
        return On(self, where, op, when, conditions)

    def at(self, time: str | float) -> At:
        """Name a moment (seconds, or text with a unit), to say what happens then: ``net.at("3s").heal()``."""
        return At(self, duration_ns(time))

    def befall(
        self, what: str, groups: tuple[tuple[str, ...], ...] = (), amounts: tuple[int, ...] = ()
    ) -> Fault:
        """Let something befall the network now: a `Happening` without its time.

        Raises UsageError if it makes no sense: a host that is not known, or to crash one that is down.
        """
        happening = Happening(self.now_ns, what, groups, amounts)
        undo = self._effects.apply(what, [[self._known(name) for name in group] for group in groups], amounts)
        if self.log is not None:
            self.log((self.now_ns, _HAPPEN, 0, 0, str(happening)))
        self.refit()
        fault = Fault(what, None if undo is None else partial(self._undo, happening, undo))
        if what.endswith(FOR_A_TIME):
            self.schedule.plan(self.now_ns + amounts[-1], Call(fault.lift, ()))
            self._brief.append(fault)
        return fault

    def _undo(self, happening: Happening, undo: Callable[[], object]) -> None:
        undo()
        if self.log is not None:
            ended = f"at {duration(self.now_ns)} no longer {happening.effect}"
            self.log((self.now_ns, _HAPPEN, 0, 0, ended))
        self.refit()

    @cached_property
    def _effects(self) -> Effects:
        from .faults.effects import Effects  # most worlds are calm, and many

        return Effects(self)

    def _happen_as_scripted(self, happening: Happening) -> None:
        self.befall(happening.what, happening.groups, happening.amounts)
        self.happened.append(happening)

    def _happen_if_possible(self, happening: Happening) -> None:
        """What was drawn may make no sense when its moment comes: its host is down, or not there yet."""
        if self.cleared_up_ns is None:
            with suppress(UsageError):
                self._happen_as_scripted(happening)

    def add_rule(self, rule: Rule, when: Callable[[], object] | None = None) -> Fault:
        """Let a rule stand; what `on` ends in."""
        standing = self._stand(rule, when)
        self.refit()
        return Fault("a rule", partial(self._rules.remove, standing))

    def _stand(self, rule: Rule, when: Callable[[], object] | None = None) -> Standing:
        self._added += 1
        chance = Random(self._added + (self._given[1] or 0) * _SEEDS_APART)
        standing = Standing(rule, chance, when)
        self._rules.append(standing)
        if rule.op in ("turn", "next", "switch"):
            self.is_calm = False  # else nobody asks who is next
        elif rule.op == "wake":
            self.watches_wakes = True
        elif rule.op == "step":
            self._watch_steps(True)
        return standing

    def _watch_steps(self, watches: bool) -> None:
        self.watches_steps = watches
        for host in self.hosts.values():
            host.watches_steps = watches

    def _is_watched(self, label: str, alias: str, host: str) -> bool:
        if self.is_calm and not self._rules:
            return False
        return self.recording.watches(label, alias) or any(rule.covers(label, host) for rule in self._rules)

    def clear_up(self) -> None:
        """The weather clears up: from now on nothing deviates, nobody is parted, and nobody stands still.

        Rules are lifted, and what supplies the picks is not asked any more.  What is under way goes on: a
        segment that is late stays late.  What has an end comes to it now: no way is clogged, and hosts run
        that were down for a time.  Those that are down for ever stay so, and what a script or `at` has
        planned still happens.
        """
        self.cleared_up_ns = self.now_ns
        self._rules = []
        self.recording.clear_up()
        self.is_calm = True
        self.watches_wakes = False
        self._watch_steps(False)
        for fault in self._brief:
            fault.lift()
        self.heal()
        for path in [path for host in self.hosts.values() for path in host.paths.values()]:
            path.unclog()
        for name in [host.name for host in self.hosts.values() if host.is_paused]:
            self.resume(name)

    # --- the workload ----------------------------------------------------------------------------

    @cached_property
    def draw(self) -> Workload:
        """What the program's workload is drawn from: the simplest on a calm network; see `Workload`."""
        return Workload(self.recording.inner.workload, self._drawn)

    def _drawn(self, draw: Draw) -> None:
        self.recording.draws.append(draw)
        if self.log is not None:
            self.log((self.now_ns, _DRAW, 0, 0, str(draw)))

    # --- choices ---------------------------------------------------------------------------------

    def choose(self, op: str, place: Any, nth: int, size: int, data: Any = None) -> tuple[str, int] | None:
        if self.is_calm and not self._rules:
            return None
        count = options(op, size)
        if count < 2 or (not self._rules and self.recording.asked.spares(op)):
            return None
        point = Point(place.label, place.alias, op, nth, size, data)
        index = self._ruled(point, place, data) if self._rules else 0
        if index:
            deviation = self.recording.record(point, index)
        else:
            before = len(self.recording.deviations)
            if not self.recording.pick(point, count):
                return None
            deviation = self.recording.deviations[before]
        if self.log is not None:
            self.log((self.now_ns, _DEVIATE, place.number, size, str(deviation)))
        return deviation.outcome, deviation.amount

    def _ruled(self, point: Point, place: Any, data: Any) -> int:
        """The option that the first rule which decides this operation wants; 0 if none does."""
        host = (place if place is self or isinstance(place, Host) else place.host).label
        found = 0
        for standing in self._rules:  # all of them count
            if standing.decides(point.where, host, point.op, self.now_ns, data) and not found:
                rule = standing.rule
                found = option_index(point.op, point.size, rule.outcome, rule.amount)
                standing.met += bool(found)
        return found

    @property
    def escapes(self) -> tuple[Escape, ...]:
        """The lines of the program that went past their hosts so far, in the order of their first calls."""
        return self.guard.escapes if self.guard is not None else ()

    def script(self) -> Script:
        """The run so far as the script that repeats it: its deviations, its draws, and the given script's
        happenings.

        What the program itself lets happen is not in it: a replay runs the program again.
        """
        return Script(self.recording.deviations, self.happened, draws=self.recording.draws)

    def unmet(self) -> tuple[Item, ...]:
        """What of the given script has not happened (yet): deviations, happenings, rules that decided
        nothing, and draws that were not made or could not be that."""
        inner = self.recording.inner
        script = self._given[0]
        return (
            *(inner.unmet() if isinstance(inner, Scripted) else ()),
            *(each for each in (script.happenings if script else ()) if each not in self.happened),
            *(standing.rule for standing in self._scripted_rules if not standing.met),
            *(each for each in (script.draws if script else ()) if not self.draw.has(each)),
        )


def _supplier(script: Script | None, seed: int | None, only: Collection[tuple[str, str]]) -> Choices:
    if seed is not None:
        return Seeded(seed, only)
    return Scripted(script) if script is not None and (script.deviations or script.draws) else Calm()
