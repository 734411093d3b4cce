"""From the script of a failing run to the few deviations that matter, by running it again and again.

Three things are done, each only as long as the run keeps failing in the same way:

1. Leave out.  Delta debugging (ddmin: Zeller and Hildebrandt, "Simplifying and Isolating
   Failure-Inducing Input", IEEE TSE 28(2), 2002) over all deviations and happenings.  Then each alone, and
   earlier: a local minimum of many is often a single one that came at another moment.
2. Make simpler.  A milder outcome, a place that people would name (1 byte, all but one, at a line end, the
   half), one cut where a segment comes in crumbs, the smallest delay, an earlier operation, a rounder time;
   and what was an operation more is left out.  Of the workload, smaller numbers, fewer and simpler bytes.
3. Measure.  The script without each single item must not fail in that way any more; only then is it
   said that every item is needed.

After each success the script that the run *recorded* is preferred: it names what happened and where in
the words of that run, and what never found its moment is gone from it.

Owns the search.  It does not know what the program is: an `attempt` runs it anew.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from itertools import pairwise

import attrs

from ..errors import Diverged
from ..happenings import HAPPENINGS
from ..outcomes import DELAYS_NS, OUTCOMES
from ..outcomes import Outcome as Effect
from ..report.difference import Nearest
from ..scenario.run import Outcome
from ..script import Deviation, Happening, Item, Script
from ..trace import Kind
from ..units import SECOND_NS
from ..workload import Draw
from .nearest import nearest_passing
from .searches.amounts import at_line_ends

_ROUND_NS = tuple(SECOND_NS // part for part in (1, 10, 100, 1000, 1_000_000))


@attrs.frozen(eq=False)
class Shrunk:
    """A script that fails as the original did, and how it was come by.

    `outcome` is the run of `script`; `before` the length of the original, in deviations and
    happenings; `runs` and `seconds` are what the shrinking cost.  `without` tells of each item, in
    order, how the run without it ended: a fingerprint, empty if it passed.  It is empty, and
    `each_needed` False, if there were not enough runs or seconds to measure that.  `nearest` is the
    nearest run that passes, if that was measured and there is one.
    """

    script: Script
    outcome: Outcome
    before: int
    runs: int
    seconds: float
    each_needed: bool
    without: tuple[str, ...] = ()
    nearest: Nearest | None = None


def minimize(
    script: Script,
    attempt: Callable[[Script], Outcome],
    *,
    wanted: str,
    runs_max: int = 200,
    seconds_max: float = 10.0,
    on_progress: Callable[[Script, int], object] | None = None,
) -> Shrunk:
    """The shortest and simplest script found that ends with the fingerprint `wanted`.

    Args:
        attempt: runs the program anew on a network with the script given.  Networks that keep their
            trace let amounts be simplified further.
        wanted: the `Outcome.fingerprint` of the failure.
        runs_max, seconds_max: when to stop; what was found until then is returned.
        on_progress: called with the best script and the number of runs whenever there is a better one.

    Raises Diverged if `script` itself does not end as wanted: then the program does not do the same thing
    twice, and nothing can be shrunk.
    """
    search = _Search(attempt, wanted, runs_max, seconds_max, on_progress)
    search.begin(script)
    without: tuple[str, ...] | None = None
    nearest = None
    with suppress(_Exhausted):
        search.leave_out()
        search.leave_one()
        search.make_simpler()
        without = search.measure()
        nearest = nearest_passing(search.outcome, search.script, search.again)
    return Shrunk(
        script=search.script,
        outcome=search.outcome,
        before=len(script),
        runs=search.runs,
        seconds=search.seconds,
        each_needed=without is not None,
        without=without or (),
        nearest=nearest,
    )


class _Exhausted(Exception):
    """There are no runs or seconds left."""


class _Search:
    """The best script so far, its run, and what was tried."""

    outcome: Outcome

    def __init__(
        self,
        attempt: Callable[[Script], Outcome],
        wanted: str,
        runs_max: int,
        seconds_max: float,
        on_progress: Callable[[Script, int], object] | None,
    ) -> None:
        self.script = Script()
        self.runs = 0
        self._attempt, self._wanted, self._on_progress = attempt, wanted, on_progress
        self._runs_max, self._seconds_max = runs_max, seconds_max
        self._began = time.perf_counter()
        self._rejected: dict[Script, str] = {}  # with the fingerprints that they ended with
        self._searched: set[tuple[Script, Draw]] = set()  # in which no simpler value is left

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self._began

    # --- trying ----------------------------------------------------------------------------------

    def begin(self, script: Script) -> None:
        """Run the original; the first run is made whatever the bounds are."""
        self.runs += 1
        outcome = self._attempt(script)
        if outcome.fingerprint != self._wanted:
            raise Diverged(_not_again(len(script), self._wanted, outcome))
        self.script, self.outcome = script, outcome
        with suppress(_Exhausted):
            self._prefer_recorded()
        self._report()

    def accepts(self, candidate: Script) -> bool:
        """Whether `candidate` fails as wanted; if so, it is the best from now on."""
        if candidate == self.script:
            return False
        outcome = self._run(candidate)
        if outcome is None:
            return False
        self.script, self.outcome = candidate, outcome
        self._prefer_recorded()
        self._report()
        return True

    def _run(self, candidate: Script) -> Outcome | None:
        """The run of `candidate` if it ends as wanted."""
        if candidate in self._rejected:
            return None
        self._take_run()
        outcome = self._attempt(candidate)
        if outcome.fingerprint == self._wanted:
            return outcome
        self._rejected[candidate] = outcome.fingerprint
        return None

    def again(self, candidate: Script) -> Outcome:
        """A run that is wanted for its own sake, whatever it comes to."""
        self._take_run()
        return self._attempt(candidate)

    def _take_run(self) -> None:
        if self.runs >= self._runs_max or self.seconds >= self._seconds_max:
            raise _Exhausted
        self.runs += 1

    def _prefer_recorded(self) -> None:
        recorded = self.outcome.network.script()
        if recorded != self.script and len(recorded) <= len(self.script):
            outcome = self._run(recorded)
            if outcome is not None:
                self.script, self.outcome = recorded, outcome

    def _report(self) -> None:
        if self._on_progress is not None:
            self._on_progress(self.script, self.runs)

    # --- the three parts -------------------------------------------------------------------------

    def leave_out(self) -> None:
        """ddmin: try every n-th part alone, then everything but one part, then smaller parts."""
        if not len(self.script) or self.accepts(Script()):
            return
        parts = 2
        while len(self.script) > 1:
            items = self.script.items()
            parts = min(parts, len(items))
            pieces = _split(items, parts)
            if any(self.accepts(Script.of(piece)) for piece in pieces):
                parts = 2
            elif parts > 2 and any(self.accepts(Script.of(rest)) for rest in _complements(pieces)):
                parts -= 1
            elif parts == len(items):
                return
            else:
                parts *= 2

    def leave_one(self) -> None:
        """Try each item alone, at each operation up to its own: the others may only shift the order."""
        items = self.script.items() if len(self.script) > 1 else ()
        for item in items:
            if isinstance(item, Deviation):
                for nth in range(1, min(item.nth, _ALONE_MAX) + 1):
                    if self.accepts(Script.of([attrs.evolve(item, nth=nth)])):
                        return

    def make_simpler(self) -> None:
        """Replace each item by the simplest that will do, until none can be replaced any more."""
        progress = True
        while progress:
            progress = False
            position = 0
            while position < len(self.script):
                progress |= self._close_up(position) or self._simplify(position)
                position += 1

    def _close_up(self, position: int) -> bool:
        items = self.script.items()
        return len(items) > 1 and any(self.accepts(each) for each in _closed_up(items, position))

    def _simplify(self, position: int) -> bool:
        items = self.script.items()
        item = items[position]
        if isinstance(item, Draw) and self._simplify_value(item):
            return True
        others = [other for index, other in enumerate(items) if index != position]
        taken = {_key(other) for other in others}
        for simpler in _simpler(item, self._size_of(item), self._content_of(item)):
            candidate = [*items[:position], simpler, *items[position + 1 :]]
            if _key(simpler) not in taken and self.accepts(Script.of(candidate)):
                return True
        return False

    def _simplify_value(self, draw: Draw) -> bool:
        """Search for a simpler value of a draw, once for each script that has it."""
        network = self.outcome.network
        if (self.script, draw) in self._searched or not network.draw.has(draw):
            return False
        before, search = self.script, network.draw.simpler(draw)
        with suppress(StopIteration):
            value = next(search)
            while True:
                value = search.send(self._accepts_value(attrs.evolve(draw, value=value)))
        self._searched.update((self.script, each) for each in self.script.draws if _key(each) == _key(draw))
        return self.script != before

    def _accepts_value(self, draw: Draw) -> bool:
        items = self.script.items()
        return self.accepts(Script.of(draw if _key(item) == _key(draw) else item for item in items))

    def _size_of(self, item: Item) -> int:
        """The size of the operation that deviated, as far as the run tells."""
        sentence = str(item)
        for _, kind, _, n, data in self.outcome.network.trace.events:
            if kind == Kind.DEVIATE and data == sentence:
                return n
        return 0

    def _content_of(self, item: Item) -> bytes:
        """The bytes of the operation that deviated; none if it was about none, or did not come up."""
        recording = self.outcome.network.recording
        met = zip(recording.deviations, recording.contents, strict=True)
        return next((content for deviation, content in met if deviation == item), b"")

    def measure(self) -> tuple[str, ...]:
        """How the run ends without each item; an item without which it still fails as wanted goes."""
        while True:
            items = self.script.items()
            without = []
            for rest in _complements([[item] for item in items]):
                script = Script.of(rest)
                if self.accepts(script):
                    break
                without.append(self._rejected[script])
            else:
                return tuple(without)


def _not_again(length: int, wanted: str, outcome: Outcome) -> str:
    items = f"{length} deviation{'s' * (length != 1)}"
    came = f"with {outcome.fingerprint!r} ({outcome.error})" if outcome.error else "without an error"
    return (
        f"not deterministic: a run with {items} failed with {wanted!r}, and the next run with the same "
        f"{items} ended {came}; does the program use a clock, random numbers, or the order of a set "
        "that are not the network's?"
    )


def _split(items: Sequence[Item], parts: int) -> list[Sequence[Item]]:
    """`parts` pieces of nearly equal length, in order."""
    bounds = [len(items) * part // parts for part in range(parts + 1)]
    return [items[start:stop] for start, stop in pairwise(bounds)]


def _complements(pieces: Sequence[Sequence[Item]]) -> Iterator[list[Item]]:
    for left_out in range(len(pieces)):
        yield [item for index, piece in enumerate(pieces) if index != left_out for item in piece]


# --- what is simpler -----------------------------------------------------------------------------


def _key(item: Item) -> object:
    """Two items with the same key cannot both be in one script."""
    match item:
        case Deviation():
            return item.where, item.op, item.nth
        case Draw():
            return item.name, item.nth
    return item


def _closed_up(items: Sequence[Item], position: int) -> Iterator[Script]:
    """Without one item, and with what comes after it at its place counted as one operation less.

    What is tried again is an operation more, and so is the rest of a short send.
    """
    gone = items[position]
    if isinstance(gone, Deviation):
        for ops in (tuple(OUTCOMES), (gone.op,)):
            yield Script.of(_counted_without(gone, item, ops) for item in items if item is not gone)
    elif isinstance(gone, Draw):
        yield Script.of(_drawn_without(gone, item) for item in items if item is not gone)


def _counted_without(gone: Deviation, item: Item, ops: Collection[str]) -> Item:
    if not isinstance(item, Deviation) or item.where != gone.where or item.op not in ops:
        return item
    return attrs.evolve(item, nth=item.nth - 1) if item.nth > gone.nth else item


def _drawn_without(gone: Draw, item: Item) -> Item:
    if not isinstance(item, Draw) or item.name != gone.name or item.nth < gone.nth:
        return item
    return attrs.evolve(item, nth=item.nth - 1)


def _simpler(item: Item, size: int, content: bytes) -> Iterator[Item]:
    """Simpler items that may do instead, the simplest first."""
    if isinstance(item, Happening):
        yield from _simpler_happening(item)
    if isinstance(item, (Deviation, Draw)):
        for nth in _earlier(item.nth):
            yield attrs.evolve(item, nth=nth)
    if not isinstance(item, Deviation):
        return
    for outcome in OUTCOMES[item.op]:
        is_same = outcome.name == item.outcome
        amounts = _canonical(outcome, size or item.amount + 1, content)
        if item.outcome == "crumbles" and outcome.name == "cut":
            amounts = [*dict.fromkeys((*amounts, *_sample(outcome.amounts(size), _CUTS_MAX)))]
        for amount in amounts:
            if is_same and amount == item.amount:
                return
            yield attrs.evolve(item, outcome=outcome.name, amount=amount)
        if is_same:
            return


def _simpler_happening(item: Happening) -> Iterator[Happening]:
    """At a rounder time, with fewer hosts, for a shorter time, fewer times."""
    for unit_ns in _ROUND_NS:
        if item.at_ns % unit_ns:
            yield attrs.evolve(item, at_ns=item.at_ns - item.at_ns % unit_ns)
    for side, group in enumerate(item.groups):
        for left_out in group if len(group) > 1 else ():
            fewer = tuple(name for name in group if name != left_out)
            yield attrs.evolve(item, groups=(*item.groups[:side], fewer, *item.groups[side + 1 :]))
    holes = HAPPENINGS[item.what].words.holes[len(item.groups) :]
    for place, (hole, amount) in enumerate(zip(holes, item.amounts, strict=True)):
        if hole == "bytes":
            continue  # smaller buffers are no simpler
        for less in DELAYS_NS if hole == "duration" else sorted({1, amount // 2, amount - 1}):
            if 0 < less < amount:
                yield attrs.evolve(item, amounts=(*item.amounts[:place], less, *item.amounts[place + 1 :]))


def _earlier(nth: int) -> list[int]:
    return [each for each in sorted({1, nth // 2, nth - 1}) if 0 < each < nth]


def _canonical(outcome: Effect, size: int, content: bytes) -> Sequence[int]:
    """The amounts of an outcome that are worth a try, the simplest first."""
    amounts = outcome.amounts(size)
    if len(amounts) > 1 and "bytes" in outcome.words.holes:
        ends = [at for at in at_line_ends(content) if at in amounts]
        return tuple(dict.fromkeys((1, size - 1, *_sample(ends, _LINE_ENDS_MAX), size // 2)))
    return _sample(amounts, _AMOUNTS_MAX)  # of a jitter there are many: nanoseconds


def _sample(amounts: Sequence[int], amounts_max: int) -> Sequence[int]:
    """All of them, or so many from end to end."""
    if len(amounts) <= amounts_max:
        return amounts
    return tuple(amounts[len(amounts) * part // amounts_max] for part in range(amounts_max))


_AMOUNTS_MAX = 8
_LINE_ENDS_MAX = 24  # of them the places of eight CRLFs
_CUTS_MAX = 32
_ALONE_MAX = 8
