"""What befalls a network, as methods: of a `Network` for now, of `At` for a moment to come.

Owns the arguments of tests.  The words are in `simnet.happenings`, and what is done is in `effects`.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import attrs

from ...errors import UsageError
from ...happenings import FOR_A_TIME
from ...units import duration_ns
from .fault import Fault

if TYPE_CHECKING:
    from ..names import Zone
    from ..network import Network

Hosts = str | Iterable[str]
"""A host name, or several; a set is taken in alphabetical order."""

Time = str | float | None
"""How long something takes: seconds, or text with a unit; None is until somebody ends it."""


class Happenings(ABC):
    """Everything that may befall hosts, and the ways between them.

    Each method returns a `Fault`, which ends what it began, also at the end of a ``with`` block; what cannot
    be undone says so there.  Where there is a `time`, it ends by itself after that.  Each is a line in a
    scenario file as well: ``at 1.5s partition a from b for 10s``.
    """

    @abstractmethod
    def befall(
        self, what: str, groups: tuple[tuple[str, ...], ...] = (), amounts: tuple[int, ...] = ()
    ) -> Fault:
        """Let a kind of happening happen; see `simnet.happenings.HAPPENINGS`."""

    def _befall(
        self, what: str, groups: tuple[tuple[str, ...], ...], time: Time, amounts: tuple[int, ...] = ()
    ) -> Fault:
        if time is None:
            return self.befall(what, groups, amounts)
        return self.befall(f"{what}{FOR_A_TIME}", groups, (*amounts, duration_ns(time)))

    # --- ways ------------------------------------------------------------------------------------

    def partition(self, left: Hosts, right: Hosts, time: Time = None) -> Fault:
        """Cut every path between two groups of hosts; what is under way on them gets lost."""
        return self._befall("partition", (names(left), names(right)), time)

    def block(self, left: Hosts, right: Hosts, time: Time = None) -> Fault:
        """Cut every path from `left` to `right`; what `right` sends arrives.  What is under way gets lost."""
        return self._befall("block", (names(left), names(right)), time)

    def isolate(self, host: str, time: Time = None) -> Fault:
        """Cut every path between one host and the others that there are."""
        return self._befall("isolate", (names(host),), time)

    def heal(self) -> Fault:
        """Undo every partition, block and isolation.

        What got lost comes again when its sender's time-out fires.
        """
        return self.befall("heal")

    def rejoin(self, left: Hosts, right: Hosts) -> Fault:
        """Undo what cuts the paths between two groups of hosts, and leave the others cut."""
        return self.befall("rejoin", (names(left), names(right)))

    def flap(self, left: Hosts, right: Hosts, times: int, each: str | float) -> Fault:
        """Part two groups of hosts `times` times, for `each`, with as much time in between."""
        return self.befall("flap", (names(left), names(right)), (_positive(times), duration_ns(each)))

    def clog(self, left: Hosts, right: Hosts, time: str | float) -> Fault:
        """What leaves `left` for `right` waits for `time`, and then arrives in order.  Nothing gets lost."""
        return self.befall("clog", (names(left), names(right)), (duration_ns(time),))

    def swizzle(self, hosts: Hosts, time: str | float) -> Fault:
        """Clog several hosts one after the other, and let them go in another order, all within `time`.

        After "swizzle-clogging", which finds bugs of distributed systems (Wilson, "Testing Distributed
        Systems w/ Deterministic Simulation", Strange Loop 2014).
        """
        return self.befall("swizzle", (names(hosts),), (duration_ns(time),))

    def delay(self, left: Hosts, right: Hosts, by: str | float, time: Time = None) -> Fault:
        """From now on, what leaves `left` for `right` takes `by` longer than its link says."""
        return self._befall("delay", (names(left), names(right)), time, (duration_ns(by),))

    # --- hosts -----------------------------------------------------------------------------------

    def crash(self, host: str, time: Time = None) -> Fault:
        """As `Host.crash`.  After `time`, as `Host.restart`."""
        return self._befall("crash", (names(host),), time)

    def kill(self, host: str, time: Time = None) -> Fault:
        """As `Host.kill`.  After `time`, as `Host.restart`."""
        return self._befall("kill", (names(host),), time)

    def terminate(self, host: str, time: Time = None) -> Fault:
        """As `Host.terminate`.  After `time` whoever is left is killed, and then as `Host.restart`."""
        return self._befall("terminate", (names(host),), time)

    def interrupt(self, host: str) -> Fault:
        """As `Host.interrupt`."""
        return self.befall("interrupt", (names(host),))

    def restart(self, host: str) -> Fault:
        """As `Host.restart`."""
        return self.befall("restart", (names(host),))

    def pause(self, host: str, time: Time = None) -> Fault:
        """As `Host.pause`.  After `time`, as `Host.resume`."""
        return self._befall("pause", (names(host),), time)

    def resume(self, host: str) -> Fault:
        """As `Host.resume`."""
        return self.befall("resume", (names(host),))

    def set_forward(self, host: str, time: str | float) -> Fault:
        """The wall clock of a host jumps ahead by `time`; monotonic clocks do not."""
        return self.befall("forward", (names(host),), (duration_ns(time),))

    def set_back(self, host: str, time: str | float) -> Fault:
        """The wall clock of a host jumps back by `time`; monotonic clocks do not."""
        return self.befall("back", (names(host),), (duration_ns(time),))

    def hasten(self, host: str, a_day: str | float) -> Fault:
        """From now on the wall clock of a host gains `a_day` in a day of 24 hours."""
        return self.befall("hasten", (names(host),), (duration_ns(a_day),))

    def slow(self, host: str, a_day: str | float) -> Fault:
        """From now on the wall clock of a host loses `a_day` in a day of 24 hours."""
        return self.befall("slow", (names(host),), (duration_ns(a_day),))

    def limit(self, host: str, descriptors: int, time: Time = None) -> Fault:
        """A host may have so many descriptors open, the three standard streams included (EMFILE)."""
        return self._befall("limit", (names(host),), time, (_positive(descriptors),))

    def narrow(self, host: str, buffer_bytes: int, time: Time = None) -> Fault:
        """The buffers of a host's TCP sockets hold so many bytes each, those that are open included.

        As where tcp_wmem and tcp_rmem are small, or memory is short (tcp(7)).  A buffer that a program has
        set (SO_SNDBUF, SO_RCVBUF) stays as it is, and none gets smaller than these two can make it: 2304
        bytes to send and 1152 to receive.  What a buffer holds already stays in it.
        """
        return self._befall("narrow", (names(host),), time, (_positive(buffer_bytes),))


class At(Happenings):
    """A moment; each method is something that happens then.  Made by `Network.at`."""

    def __init__(self, network: Network, time_ns: int) -> None:
        if time_ns < network.now_ns:
            raise UsageError("that moment has passed already")
        self._network, self._time_ns = network, time_ns

    def befall(
        self, what: str, groups: tuple[tuple[str, ...], ...] = (), amounts: tuple[int, ...] = ()
    ) -> Fault:
        fault = Fault(what, is_planned=True)
        self.call(self._begin, fault, what, groups, amounts)
        return fault

    def _begin(
        self, fault: Fault, what: str, groups: tuple[tuple[str, ...], ...], amounts: tuple[int, ...]
    ) -> None:
        if not fault.is_lifted:
            fault.begin(self._network.befall(what, groups, amounts))

    @property
    def names(self) -> Zone:
        """Edits of the network's names: ``net.at("3s").names.remove("db.example")``."""
        return cast("Zone", _Later(self, self._network.names))

    def call(self, function: Callable[..., object], *args: Any) -> None:
        """Call `function`, at network level: no host is current."""
        self._network.schedule.plan(self._time_ns, Call(function, args))


class _Later:
    """Stands for an object at a moment to come: the methods that are called on it are called then."""

    def __init__(self, moment: At, target: object) -> None:
        self._moment, self._target = moment, target

    def __getattr__(self, name: str) -> Callable[..., None]:
        method = getattr(self._target, name)
        return lambda *args, **named: self._moment.call(partial(method, *args, **named))


@attrs.define(eq=False)
class Call:
    """Something planned that is neither a segment nor a timer of a loop."""

    function: Callable[..., object]
    args: tuple[Any, ...]

    def arrive(self, item: object) -> None:
        self.function(*self.args)


def _positive(count: int) -> int:
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise UsageError(f"a whole number from 1 on is wanted, not {count!r}")
    return count


def names(group: Hosts) -> tuple[str, ...]:
    """Host names in a fixed order, from a name, a list, or a set, whose own order is chance."""
    found = (group,) if isinstance(group, str) else tuple(sorted(group))
    if not found or not all(isinstance(name, str) and re.fullmatch(r"\S+", name) for name in found):
        raise UsageError(f"a side of a partition is host names, not {group!r}")
    return found
