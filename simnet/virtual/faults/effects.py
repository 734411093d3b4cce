"""What happenings do to hosts and paths, and how it is undone.

Owns the cuts that stand just now.  When a happening comes, and its words, are not known here.
"""

from __future__ import annotations

import random
import signal
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs

from ...errors import UsageError
from ...happenings import FOR_A_TIME
from ..kernel.datagrams import Datagram, PortUnreachable
from ..kernel.tcp_segments import SegmentEnd
from ..kernel.tcp_wire import Syn, Timer
from ..link import Path
from .happenings import Call

if TYPE_CHECKING:
    from ..host import Host
    from ..network import Network
    from ..schedule import Entry

Group = list["Host"]
Undo = Callable[[], object] | None


class Effects:
    """Everything that may be done to one network; each method returns what undoes it, or None."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._cuts: list[list[Path]] = []  # one list a partition, block or isolation
        self._limits: list[_Limit] = []

    def apply(self, what: str, groups: list[Group], amounts: tuple[int, ...]) -> Undo:
        """Let a kind of happening happen to these hosts."""
        method: Callable[..., Undo] = getattr(self, f"_{what.removesuffix(FOR_A_TIME)}")
        if not what.endswith(FOR_A_TIME):
            return method(*groups, *amounts)
        return method(*groups, *amounts[:-1]) or partial(self._run_again, *groups)

    # --- cutting ---------------------------------------------------------------------------------

    def _partition(self, left: Group, right: Group) -> Undo:
        return self._cut([*self._paths(left, right), *self._paths(right, left)])

    def _block(self, left: Group, right: Group) -> Undo:
        return self._cut(self._paths(left, right))

    def _isolate(self, group: Group) -> Undo:
        others = [host for host in self._network.hosts.values() if host not in group]
        return self._partition(group, others)

    def _cut(self, paths: list[Path]) -> Undo:
        self._cuts.append(paths)
        self._close(paths, paths)
        return partial(self._open, paths)

    def _open(self, cut: list[Path]) -> None:
        for path in cut:
            path.cut(-1)
        cut.clear()

    def _heal(self) -> Undo:
        for cut in self._cuts:
            self._open(cut)
        self._cuts.clear()
        return None

    def _rejoin(self, left: Group, right: Group) -> Undo:
        between = [*self._paths(left, right), *self._paths(right, left)]
        for cut in self._cuts:
            for path in [path for path in cut if path in between]:
                path.cut(-1)
                cut.remove(path)
        return None

    def _flap(self, left: Group, right: Group, times: int, each_ns: int) -> Undo:
        flapping = _Flapping(self._network, partial(self._partition, left, right))
        flapping.part()
        for turn in range(1, 2 * times):
            self._later(turn * each_ns, flapping.join if turn % 2 else flapping.part)
        return flapping.stop

    def _close(self, paths: list[Path], swept: list[Path]) -> None:
        """Close paths, and lose what is under way on the `swept` ones."""
        for path in paths:
            path.cut(1)
        lost: dict[SegmentEnd, list[Any]] = {}
        for _, _, target, item in self._network.schedule.extract(lambda entry: _path_of(entry) in swept):
            if isinstance(item, (Datagram, PortUnreachable)):
                continue  # nobody sends it again
            sender = item.opener if isinstance(item, Syn) else target.peer  # type: ignore[attr-defined]
            lost.setdefault(sender, []).append(item)
        for sender, items in lost.items():
            sender.lose_in_flight(items)

    # --- slowing ---------------------------------------------------------------------------------

    def _clog(self, left: Group, right: Group, time_ns: int) -> Undo:
        for path in self._paths(left, right):
            path.clog(self._network.now_ns + time_ns)
        return None

    def _swizzle(self, group: Group, time_ns: int) -> Undo:
        """In the first half they are clogged one by one, in the second they are let go, shuffled."""
        everyone = list(self._network.hosts.values())
        releases = list(range(1, len(group) + 1))
        random.Random(len(group)).shuffle(releases)
        for place, (host, release) in enumerate(zip(group, releases, strict=True)):
            others = [other for other in everyone if other is not host]
            begins_ns = place * time_ns // (2 * len(group))
            lasts_ns = time_ns // 2 + release * time_ns // (2 * len(group)) - begins_ns
            for left, right in (([host], others), (others, [host])) if others else ():
                self._later(begins_ns, self._clog_in_turn, (_names(left), _names(right)), lasts_ns)
        return None

    def _clog_in_turn(self, groups: tuple[tuple[str, ...], ...], time_ns: int) -> None:
        if self._network.cleared_up_ns is None:
            self._network.befall("clog", groups, (time_ns,))

    def _delay(self, left: Group, right: Group, time_ns: int) -> Undo:
        paths = self._paths(left, right)
        self._stretch(paths, time_ns)
        return partial(self._stretch, paths, -time_ns)

    def _stretch(self, paths: list[Path], more_ns: int) -> None:
        for path in paths:
            self._network.keep_order(path)
            path.stretch(more_ns, self._network.schedule)

    # --- hosts -----------------------------------------------------------------------------------

    def _crash(self, group: Group) -> Undo:
        (host,) = group
        if not host.is_up:
            raise UsageError(f"cannot crash host {host.name}: it is down")
        to_host, from_host = self._around(host)
        host.lose_power()
        self._close([*to_host, *from_host], to_host)
        return None

    def _kill(self, group: Group) -> Undo:
        (host,) = group
        if not host.runs:
            raise UsageError(f"cannot kill the programs of host {host.name}: none runs")
        host.end_programs()
        return None

    def _terminate(self, group: Group) -> Undo:
        return self._signal(group, signal.SIGTERM)

    def _interrupt(self, group: Group) -> Undo:
        return self._signal(group, signal.SIGINT)

    def _signal(self, group: Group, number: int) -> Undo:
        (host,) = group
        if not host.runs:
            raise UsageError(f"no program of host {host.name} can be sent a signal: none runs")
        host.signal_programs(number)
        return None

    def _restart(self, group: Group) -> Undo:
        (host,) = group
        if host.runs:
            raise UsageError(f"cannot restart host {host.name}: it is up")
        if not host.is_up:
            for path in (path for paths in self._around(host) for path in paths):
                path.cut(-1)
        host.power_on()
        return None

    def _run_again(self, group: Group) -> None:
        """The end of a crash or kill, unless somebody has restarted the host meanwhile.

        Of programs that were to end, those that are left end now.
        """
        (host,) = group
        if host.is_stopping:
            host.end_programs()
        if not host.runs:
            self._restart(group)

    def _around(self, host: Host) -> tuple[list[Path], list[Path]]:
        """The paths to a host, and those from it."""
        network = self._network
        others = [other for other in network.hosts.values() if other is not host]
        return [network.path(other, host) for other in others], [
            network.path(host, other) for other in others
        ]

    def _pause(self, group: Group) -> Undo:
        (host,) = group
        if not host.runs:
            raise UsageError(f"cannot pause the programs of host {host.name}: none runs")
        if host.is_paused:
            raise UsageError(f"cannot pause host {host.name}: it stands still already")
        host.stand_still()
        return partial(self._go_on, host, host.current_pause)

    def _resume(self, group: Group) -> Undo:
        (host,) = group
        if not host.is_paused:
            raise UsageError(f"cannot resume host {host.name}: it does not stand still")
        host.go_on()
        return None

    def _go_on(self, host: Host, pause: object) -> None:
        """End this pause, unless that has happened: there may be another one since."""
        if host.current_pause is pause:
            host.go_on()

    def _forward(self, group: Group, time_ns: int) -> Undo:
        return self._step(group, time_ns)

    def _back(self, group: Group, time_ns: int) -> Undo:
        return self._step(group, -time_ns)

    def _step(self, group: Group, time_ns: int) -> Undo:
        (host,) = group
        host.clock.step(time_ns)
        return partial(host.clock.step, -time_ns)

    def _hasten(self, group: Group, gain_ns: int) -> Undo:
        return self._drift(group, gain_ns)

    def _slow(self, group: Group, loss_ns: int) -> Undo:
        return self._drift(group, -loss_ns)

    def _drift(self, group: Group, gain_ns: int) -> Undo:
        (host,) = group
        host.clock.drift(gain_ns)
        return partial(host.clock.drift, -gain_ns)

    def _limit(self, group: Group, descriptors: int) -> Undo:
        return self._lower(group, "descriptors_max", descriptors)

    def _narrow(self, group: Group, buffer_bytes: int) -> Undo:
        return self._lower(group, "buffers_max", buffer_bytes)

    def _lower(self, group: Group, what: str, most: int) -> Undo:
        (host,) = group
        limit = _Limit(host, what, getattr(host, what))
        self._limits.append(limit)
        setattr(host, what, most)
        return partial(self._unlimit, limit)

    def _unlimit(self, limit: _Limit) -> None:
        """What was before this limit is what holds now, or what comes after a later one that still stands."""
        later = self._limits[self._limits.index(limit) + 1 :]
        self._limits.remove(limit)
        following = next((each for each in later if (each.host, each.what) == (limit.host, limit.what)), None)
        if following is None:
            setattr(limit.host, limit.what, limit.before)
        else:
            following.before = limit.before

    # --- helpers ---------------------------------------------------------------------------------

    def _paths(self, left: Group, right: Group) -> list[Path]:
        for host in left:
            if host in right:
                raise UsageError(f"host {host.name} is on both sides")
        return [self._network.path(a, b) for a in left for b in right]

    def _later(self, delay_ns: int, function: Callable[..., object], *args: Any) -> None:
        self._network.schedule.plan(self._network.now_ns + delay_ns, Call(function, args))


@attrs.define(eq=False)
class _Limit:
    """A limit of a host that stands: which attribute it is, and the limit before it."""

    host: Host
    what: str
    before: int | None


class _Flapping:
    """A partition that comes and goes."""

    def __init__(self, network: Network, cut: Callable[[], Undo]) -> None:
        self._network, self._cut = network, cut
        self._mend: Undo = None
        self._is_over = False

    def part(self) -> None:
        if not self._is_over and self._network.cleared_up_ns is None:
            self._mend = self._cut()
            self._network.refit()

    def join(self) -> None:
        if self._mend is not None:
            self._mend()
            self._mend = None
            self._network.refit()

    def stop(self) -> None:
        self._is_over = True
        self.join()


def _names(group: Group) -> tuple[str, ...]:
    return tuple(host.name for host in group)


def _path_of(entry: Entry) -> Path | None:
    """The path on which an entry of the schedule is under way, if it is a segment or a datagram."""
    _, _, target, item = entry
    if isinstance(item, (Datagram, PortUnreachable)):
        return item.path
    if isinstance(item, Syn):
        return item.opener.path
    if isinstance(target, SegmentEnd) and not isinstance(item, Timer):
        return target.peer.path if target.peer is not None else None
    return None
