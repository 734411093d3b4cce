"""The network: the hosts, the paths between them, what befalls them, and who decides what it may decide.

Owns topology, labels, faults and choices.  Does not own time (`engine`), what one machine owns (`host`),
nor what a connection does (`tcp`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from functools import cached_property, partial
from random import Random
from typing import TYPE_CHECKING, Any

from ..checks import Checks
from ..checks import default as default_checks
from ..choices import Calm, Choices, Point, Recording, Scripted, Seeded
from ..errors import UsageError
from ..fence import Escape, Fence, default
from ..outcomes import EVERY, GENTLE, option, option_index, options
from ..rules import Rule
from ..script import Happening, Item, Script
from ..trace import Kind
from ..units import SECOND_NS, duration, duration_ns, rate_bits, size_bytes
from .engine import Engine
from .faults import At, Call, Fault, Happenings, On, Standing
from .host import Host
from .kernel.file import File
from .kernel.tcp_segments import SegmentEnd
from .kernel.tcp_states import State
from .kernel.tcp_wire import Segment, Syn
from .link import Path
from .names import Zone
from .names.numeric import family_of, is_loopback
from .names.zone import address_of_record

if TYPE_CHECKING:
    from .faults.effects import Effects
    from .kernel.udp_addressing import AddressedEnd

_HAPPEN, _DEVIATE = int(Kind.HAPPEN), int(Kind.DEVIATE)

LATENCY_NS = duration_ns("1ms")
_SEEDS_APART = 1 << 20  # rules of one run, whose chances are apart from those of the next seed
_PRUNE_AT = 256  # ends, before those that are over are looked for

observers: list[Callable[[Network], object]] = []
"""Called with every network that is made: how a test runner learns of those that a test makes itself."""


class Network(Happenings, Engine):
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
        moments_max: so many moments of virtual time may pass in one call of `run`, or while one call waits,
            before it is a Livelock: a program that tries again for ever has no end.  None is no bound.
        fence: what is made of a program that goes past its host.
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
        super().__init__(trace, self.fence, Checks.of(check))
        self._given = (script, seed, only)
        self.names = Zone()
        self._by_address: dict[str, Host] = {}
        self.recording = Recording(choices or _supplier(script, seed, only))
        self.is_calm = isinstance(self.recording.inner, Calm)
        self.watches_steps = not self.is_calm and self.recording.considers("step")
        self.happened: list[Happening] = []
        self.latency_ns = duration_ns(latency)
        self._rules: list[Standing] = []
        self._added = 0
        self._ends: list[SegmentEnd] = []
        self._prune_at = _PRUNE_AT
        self._has_given_addresses = False
        self._connections = self._listeners = self._datagram_sockets = 0
        for happening in script.happenings if script is not None else ():
            self.schedule.plan(happening.at_ns, Call(self._happen_as_scripted, (happening,)))
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

    # --- making it -------------------------------------------------------------------------------

    def host(self, name: str, *, addresses: Iterable[str] = ()) -> Host:
        """The host of that name; it is made at the first call.

        Args:
            addresses: IPv4 and IPv6 addresses that it is to have besides its automatic ones.  Its name leads
                to them too.
        """
        host = self.hosts.get(name)
        if host is None:
            host = self._new_host(name, [address_of_record(address) for address in addresses])
        elif not set(addresses) <= set(host.addresses):
            raise UsageError(f"host {name} exists already, with the addresses {', '.join(host.addresses)}")
        return host

    def _new_host(self, name: str, given: list[str]) -> Host:
        number = len(self.hosts) + 1
        if number > 0xFFFF:
            raise UsageError("a network has at most 65535 hosts")
        four, six = f"10.0.{number >> 8}.{number & 0xFF}", f"fd00::{number:x}"
        if given or self._has_given_addresses:  # the automatic ones differ from each other
            self._check_addresses(name, [four, six], given)
            self._has_given_addresses = True
        addresses = (four, six) if not given else tuple(sorted((four, six, *given), key=family_of))
        host = Host(self, name, number, addresses)
        # Not `six`: a program that tries one address after the other would begin there, and fail wherever
        # its peer listens on IPv4 alone.
        self.names.add_host(name, [four, *given], six)
        self.hosts[name] = host
        for address in host.addresses:
            self._by_address[address] = host
        return host

    def _check_addresses(self, name: str, own: list[str], given: list[str]) -> None:
        """Raise UsageError if a host cannot have an address: every one is of one host."""
        for address in own + given:
            if address in self._by_address:
                raise UsageError(f"{address} is an address of host {self._by_address[address].name} already")
        for place, address in enumerate(given):
            if is_loopback(address) or address in own or address in given[:place]:
                raise UsageError(f"host {name} cannot be given {address}: it has it already")

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
                self.keep_order(path)
                path.set_latency(duration_ns(latency), self.schedule)
            path.shape(duration_ns(jitter), rate_bits(bandwidth), size_bytes(capacity))
        self.refit()

    def keep_order(self, path: Path) -> None:
        """Before the latency of a path changes: what is on it already is not overtaken."""
        for end in self._ends:
            end.keep_order(path)

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

    def host_at(self, address: str) -> Host | None:
        """The host that has an address."""
        return self._by_address.get(address)

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
        return Fault(what, None if undo is None else partial(self._undo, happening, undo))

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
        if rule.op in ("turn", "next"):
            self.is_calm = False  # else nobody asks who is next
        elif rule.op == "step":
            self._watch_steps(True)
        return standing

    def _watch_steps(self, watches: bool) -> None:
        self.watches_steps = watches
        for host in self.hosts.values():
            host.watches_steps = watches

    def refit(self) -> None:
        """Paths or rules changed: every end finds out anew whether it may take the fast path."""
        self._prune()
        for end in self._ends:
            end.watched = end.watched or self._is_watched(end.label, end.alias, end.host.name)
            end.refit()
            end.path_changed()

    def _prune(self) -> None:
        """Forget the ends of connections that are over."""
        self._ends = [end for end in self._ends if not (end.orphan and end.state is State.CLOSED)]
        self._prune_at = max(2 * len(self._ends), _PRUNE_AT)

    def _is_watched(self, label: str, alias: str, host: str) -> bool:
        return self.recording.watches(label, alias) or any(rule.covers(label, host) for rule in self._rules)

    def clear_up(self) -> None:
        """The weather clears up: from now on nothing deviates, nobody is parted, and nobody stands still.

        Rules are lifted, and what supplies the picks is not asked any more.  What is under way goes on: a
        segment that is late stays late.  Hosts that are down stay down, and what a script or `at` has planned
        still happens.
        """
        self._rules = []
        self.recording.clear_up()
        self.is_calm = True
        self._watch_steps(False)
        self.heal()
        for name in [host.name for host in self.hosts.values() if host.is_paused]:
            self.resume(name)

    # --- choices ---------------------------------------------------------------------------------

    def choose(self, op: str, place: Any, nth: int, size: int, data: Any = None) -> tuple[str, int] | None:
        if self.is_calm and not self._rules:
            return None
        count = options(op, size)
        if count < 2:
            return None
        point = Point(place.label, place.alias, op, nth, size, data)
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
        host = (place.host if isinstance(place, File) else place).label
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
        """The run so far as the script that repeats it: its deviations, and the given script's happenings.

        What the program itself lets happen is not in it: a replay runs the program again.
        """
        return Script(self.recording.deviations, self.happened)

    def unmet(self) -> tuple[Item, ...]:
        """What of the given script has not happened (yet): deviations, happenings, and rules that decided
        nothing."""
        inner = self.recording.inner
        script = self._given[0]
        return (
            *(inner.unmet() if isinstance(inner, Scripted) else ()),
            *(each for each in (script.happenings if script else ()) if each not in self.happened),
            *(standing.rule for standing in self._scripted_rules if not standing.met),
        )

    # --- labels ----------------------------------------------------------------------------------

    def register_opener(self, end: SegmentEnd, target: Host) -> None:
        """Name the end that opens a connection: ``client:1 -> server:80``."""
        key = (target.name, end.remote[1])
        nth = end.host.connections[key] = end.host.connections.get(key, 0) + 1
        self._connections += 1
        self._register(end, f"{end.host.name}:{nth} -> {key[0]}:{key[1]}", f"#{self._connections} client")

    def register_acceptor(self, end: SegmentEnd, opener: SegmentEnd) -> None:
        """Name the end that a listener makes: ``server:80 -> client:1``."""
        left, _, right = opener.label.partition(" -> ")
        self._register(end, f"{right} -> {left}", opener.alias.replace("client", "server"))

    def register_listener(self, end: SegmentEnd) -> None:
        """Name a listener: ``server:80``."""
        self._listeners += 1
        self._register(end, f"{end.host.name}:{end.local[1]}", f"#{self._listeners} listener")

    def register_datagrams(self, end: AddressedEnd) -> None:
        """Name a socket of UDP, which has a port now: ``client:53/udp``."""
        self._datagram_sockets += 1
        end.label, end.alias = f"{end.host.name}:{end.local[1]}/udp", f"#{self._datagram_sockets} udp"
        if self.log is not None:
            end.number = self.trace.name(self.now_ns, end.label)

    def _register(self, end: SegmentEnd, label: str, alias: str) -> None:
        end.label, end.alias = label, alias
        if self.log is not None:
            end.number = self.trace.name(self.now_ns, label)
        if not self.is_calm or self._rules:
            end.watched = self._is_watched(label, alias, end.host.name)
        self._ends.append(end)
        if len(self._ends) >= self._prune_at:
            self._prune()

    def refuse(self, host: Host, syn: Syn) -> None:
        """Nobody listens: the SYN is answered by a RST."""
        path = self.path(host, syn.opener.host)
        if path.latency_ns:
            self.schedule.plan(self.now_ns + path.latency_ns, syn.opener, Segment.RST)
        else:
            syn.opener.arrive(Segment.RST)


def _supplier(script: Script | None, seed: int | None, only: Collection[tuple[str, str]]) -> Choices:
    if seed is not None:
        return Seeded(seed, only)
    return Scripted(script) if script is not None and script.deviations else Calm()
