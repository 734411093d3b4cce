"""Happenings: runs in which something befalls the hosts, or the ways between them, for a while.

What may happen to whom, and when, is not known before a program has run.  So the first run is calm; it shows
which hosts there are, which of them can be started again, and at which moments anything goes on.  Every
further run has a few happenings at such moments, or halfway between two.  In every second run operations
deviate too, as in a storm.

Each happening but those of clocks and buffers ends by itself within a minute: then everything that TCP can
deliver arrives, and whoever looks after its connections has new ones.  Hosts are killed only if they `boot`
a program: no other host would ever come back.

A RST is sent once.  Where it gets lost, the peer is left with half of a connection, and a program without a
time-out waits for ever, by right.  So in all but harsh weather nothing is reset in a run in which ways are
cut.  For the same reason no way is cut for a minute: what a program has left behind by `close` is sent again
after 51 s for the last time (tcp_orphan_retries in tcp(7)), and who waits for it would never hear of it.

Owns what is drawn.  What a happening does is known to `simnet.virtual.faults`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection
from itertools import pairwise
from typing import Any

import attrs

from ...choices import Calm, Choices, Seeded
from ...outcomes import BEFALLS, EVERY, GENTLE
from ...scenario.run import Outcome
from ...script import Happening
from ...units import SECOND_NS, duration_ns
from ...virtual import Network
from .search import Case, Search, whole_number

MOMENTS_MAX = 4096
"""Of so many moments of the calm run, from the first on, something may happen."""

_AT_ONCE = (1, 1, 1, 2, 2, 3)
_FINE_NS = 1000
_TIMES_NS = tuple(duration_ns(text) for text in ("5ms", "20ms", "100ms", "500ms", "2s", "10s", "60s"))
_CUT_TIMES_NS = (*_TIMES_NS[:-1], duration_ns("30s"))
_DELAYS_NS = tuple(duration_ns(text) for text in ("5ms", "50ms", "500ms", "2s"))
_JUMPS_NS = tuple(duration_ns(text) for text in ("1s", "60s", "1h", "24h"))
_DRIFTS_NS = tuple(duration_ns(text) for text in ("1s", "40s"))  # a day; what NTP corrects at most is 43 s
_TURNS = (2, 3, 5)
_BUFFERS = (4096, 16_384)  # the least of tcp_wmem and tcp_rmem, and what tcp_wmem begins with
_DESCRIPTORS = (3, 4, 5, 6, 8, 10)


@attrs.frozen
class Stage:
    """What a run showed: its hosts, those that boot a program, and its moments in ns."""

    hosts: tuple[str, ...]
    bootable: tuple[str, ...]
    moments: tuple[int, ...]

    @classmethod
    def of(cls, network: Network) -> Stage:
        """That of a run with a trace."""
        times = dict.fromkeys(event[0] for event in network.trace.events)
        end_ns = network.cleared_up_ns
        moments = sorted(ns for ns in times if end_ns is None or ns < end_ns)
        names = tuple(network.hosts)
        boots = tuple(name for name in names if network.hosts[name].boots)
        moments = moments[:MOMENTS_MAX]
        return cls(names, boots, (*moments, (moments[-1] if moments else 0) + SECOND_NS))


class Happenings(Search):
    """Runs with happenings, one seed after the other.

    Args:
        seed: the first one.
        only: what may happen, as (`BEFALLS`, kind), and what else a run may do, as (operation, outcome).
    """

    name = "happenings"

    def __init__(self, seed: int = 0, only: Collection[tuple[str, str]] = EVERY) -> None:
        self._seed, self._next, self._only = seed, seed, only
        self._stage: Stage | None = None

    @property
    def wants_trace(self) -> bool:  # type: ignore[override]
        return self._stage is None

    def next(self) -> Case | None:
        if self._stage is None:
            return Case("the calm run", choices=Calm())
        self._seed = seed = self._next
        self._next += 1
        happenings = drawn(seed, self._stage, self._only)
        if not happenings:
            return None
        choices: Choices = Calm(happenings)
        if seed % 2:
            is_gentle = any(each.what in _CUTS for each in happenings) and not _is_harsh(self._only)
            choices = Seeded(seed, GENTLE.intersection(self._only) if is_gentle else self._only, happenings)
        return Case(f"happenings {seed}", choices=choices)

    def learn(self, outcome: Outcome) -> None:
        if self._stage is None:
            self._stage = Stage.of(outcome.network)

    def state(self) -> int:
        """The last seed."""
        return self._seed

    def resume(self, state: Any) -> None:
        """Go on with that seed, after the calm run."""
        self._seed = self._next = whole_number(state, self.name)


def drawn(seed: int, stage: Stage, only: Collection[tuple[str, str]]) -> tuple[Happening, ...]:
    """What happens under a seed; nothing if nothing of `only` is possible on this stage."""
    draw = random.Random(f"happenings {seed}")
    possible = [kind for kind in _DRAWS if (BEFALLS, kind) in only and _is_possible(kind, stage)]
    if not _is_harsh(only):
        left_out = draw.choice((_CUTS, _ENDS))
        possible = [kind for kind in possible if kind not in left_out] or possible
    kinds = [kind for kind in possible if draw.getrandbits(1)] or possible
    found = []
    for _ in range(draw.choice(_AT_ONCE) if kinds else 0):
        kind = draw.choice(kinds)
        groups, amounts = _DRAWS[kind](draw, stage)
        found.append(Happening(_moment(draw, stage), kind, groups, amounts))
    return tuple(sorted(found))


def _moment(draw: random.Random, stage: Stage) -> int:
    """Before everything else at a moment of the calm run, or halfway to the next one."""
    earlier, later = draw.choice(tuple(pairwise(stage.moments)))
    halfway = earlier + (later - earlier) // 2
    return draw.choice((earlier, halfway - halfway % _FINE_NS if later - earlier > 2 * _FINE_NS else halfway))


Drawn = tuple[tuple[tuple[str, ...], ...], tuple[int, ...]]


def _host(draw: random.Random, stage: Stage) -> tuple[tuple[str, ...], ...]:
    return ((draw.choice(stage.hosts),),)


def _two_sides(draw: random.Random, stage: Stage) -> tuple[tuple[str, ...], ...]:
    """One host, and some or all of the others."""
    hosts = list(stage.hosts)
    draw.shuffle(hosts)
    size = draw.choice((1, len(hosts) - 1))
    return ((hosts[0],), tuple(sorted(hosts[1 : 1 + size])))


def _everyone(draw: random.Random, stage: Stage) -> tuple[tuple[str, ...], ...]:
    return (stage.hosts,)


def _bootable(draw: random.Random, stage: Stage) -> tuple[tuple[str, ...], ...]:
    return ((draw.choice(stage.bootable),),)


def _drawing(
    who: Callable[[random.Random, Stage], tuple[tuple[str, ...], ...]], *amounts: tuple[int, ...]
) -> Callable[[random.Random, Stage], Drawn]:
    return lambda draw, stage: (who(draw, stage), tuple(draw.choice(each) for each in amounts))


_DRAWS: dict[str, Callable[[random.Random, Stage], Drawn]] = {
    "clog": _drawing(_two_sides, _TIMES_NS),
    "delay_for": _drawing(_two_sides, _DELAYS_NS, _TIMES_NS),
    "swizzle": _drawing(_everyone, _TIMES_NS),
    "pause_for": _drawing(_host, _TIMES_NS),
    "forward": _drawing(_host, _JUMPS_NS),
    "back": _drawing(_host, _JUMPS_NS),
    "hasten": _drawing(_host, _DRIFTS_NS),
    "slow": _drawing(_host, _DRIFTS_NS),
    "partition_for": _drawing(_two_sides, _CUT_TIMES_NS),
    "block_for": _drawing(_two_sides, _CUT_TIMES_NS),
    "isolate_for": _drawing(_host, _CUT_TIMES_NS),
    "flap": _drawing(_two_sides, _TURNS, _TIMES_NS[:-2]),
    "kill_for": _drawing(_bootable, _TIMES_NS),
    "terminate_for": _drawing(_bootable, _TIMES_NS),
    "crash_for": _drawing(_bootable, _TIMES_NS),
    "limit_for": _drawing(_host, _DESCRIPTORS, _TIMES_NS),
    "narrow": _drawing(_host, _BUFFERS),
}
_CUTS = ("partition_for", "block_for", "isolate_for", "flap")
_ENDS = ("kill_for", "crash_for", "terminate_for")  # of connections
_OF_SEVERAL = ("clog", "delay_for", "swizzle", "partition_for", "block_for", "isolate_for", "flap")


def _is_harsh(only: Collection[tuple[str, str]]) -> bool:
    """Whether connections may be left half-open."""
    return ("segment", "last") in only


def _is_possible(kind: str, stage: Stage) -> bool:
    """Whether there are the hosts for it."""
    if kind in _OF_SEVERAL:
        return len(stage.hosts) > 1
    return bool(stage.bootable if kind in _ENDS else stage.hosts)
