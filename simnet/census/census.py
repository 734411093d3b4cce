"""A census of one network, and its table.

Owns what was found, and the words.  How anything comes here is `counting` and `audit`.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import attrs

from ..fence import Escape
from ..fence.allowed import STANDARD, is_tool
from ..units import seconds
from ..virtual import Network
from ..virtual.network import observers
from . import audit, counting

_NAMES_SHOWN = 6  # of calls, in a row of the table
_LINES_SHOWN = 30  # of a program, that escaped or were refused
_OWN = {"greenlet", "hypothesis", "attr"}  # extension modules that simnet has brought along


@attrs.frozen
class Found:
    """One line of a program at which something was not simulated.

    Attributes:
        kind: of what: ``files``, ``sockets``, ``processes``; or that it was refused.
        what: the call, and what it was about: ``open 'menu.txt'``; or the reason.
        place: the line of the program, as ``path:line``.
        host: whose program it was.
        at_ns: the virtual time of the first call there.
        times: how many there were.
    """

    kind: str
    what: str
    place: str
    host: str
    at_ns: int
    times: int

    def __str__(self) -> str:
        often = f"{self.times} times, first at t={seconds(self.at_ns)}" if self.times > 1 else ""
        where = f"{self.place}, host {self.host}, {often or f't={seconds(self.at_ns)}'}"
        return f"{self.what}: {where}"


class Census:
    """What the processes of a network call from now on, until `end` or the end of a ``with`` block, at the
    latest until nobody has it any more.

    Attributes:
        calls: what was simulated: by kind (``sockets``, ``select``, ``time``, ``names``, ``random``,
            ``descriptors``, ``threads``, ``tls``, ``signals``, ``machine``), how often each function was
            called.
        waits: how often a process has stood still in which call.

    Raises UsageError if the network has one already.
    """

    def __init__(self, network: Network) -> None:
        self.network = network
        self.calls: dict[str, Counter[str]] = {}
        self.waits: Counter[str] = Counter()
        self._lines: dict[tuple[bool, str, str, str], Found] = {}
        audit.listen()
        counting.begin(network, self)

    def end(self) -> None:
        """Count no more."""
        counting.end(self.network, self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.end()

    # --- what comes in ---------------------------------------------------------------------------

    def count(self, kind: str, call: str) -> None:
        """A call was simulated."""
        counts = self.calls.get(kind)
        if counts is None:
            counts = self.calls[kind] = Counter()
        counts[call] += 1

    def note(self, is_refusal: bool, kind: str, what: str, place: str, host: str) -> None:
        """A line has gone past the simulation, or was refused."""
        key = is_refusal, kind, what, place
        found = self._lines.get(key) or Found(kind, what, place, host, self.network.now_ns, 0)
        self._lines[key] = attrs.evolve(found, times=found.times + 1)

    # --- what comes out --------------------------------------------------------------------------

    @property
    def escaped(self) -> tuple[Found, ...]:
        """What was asked of this computer, in the order of first calls."""
        return (*self._of(is_refusal=False), *self._from_fence(raises=False))

    @property
    def refused(self) -> tuple[Found, ...]:
        """What raised NotImplementedError or `Escaped`, in the order of first calls."""
        return (*self._of(is_refusal=True), *self._from_fence(raises=True))

    def _of(self, is_refusal: bool) -> list[Found]:
        return [found for (refused, *_), found in self._lines.items() if refused == is_refusal]

    def _from_fence(self, raises: bool) -> list[Found]:
        if (self.network.fence.level == "error") != raises:
            return []
        known = {(found.kind, found.place) for found in self._lines.values()}
        found = [_as_found(escape) for escape in self.network.escapes]
        return [each for each in found if (each.kind, each.place) not in known]

    @property
    def unseen(self) -> dict[str, int]:
        """By package, how many extension modules are loaded, which may ask the system without being seen."""
        packages: Counter[str] = Counter()
        for name, module in sorted(sys.modules.items()):
            file = str(getattr(module, "__file__", None) or "")
            top = name.partition(".")[0]
            is_known = top in STANDARD or top.lstrip("_") in STANDARD or top in _OWN or is_tool(top)
            if file.endswith((".so", ".pyd")) and not is_known:
                packages[top] += 1
        return dict(packages)

    def __str__(self) -> str:
        return "\n".join(_table(self))


def _as_found(escape: Escape) -> Found:
    called, name = escape.place.called, escape.way.name
    what = called if called == name else f"{called} ({name})"
    return Found(escape.way.family, what, str(escape.place), escape.host, escape.at_ns, 1)


def _table(census: Census) -> Iterator[str]:
    """The report, line by line."""
    total = sum(counts.total() for counts in census.calls.values())
    now = seconds(census.network.now_ns)
    yield f"until t={now}: {_many(total, 'call')} simulated, {_many(census.waits.total(), 'wait')}"
    for kind, counts in sorted(census.calls.items(), key=lambda row: (-row[1].total(), row[0])):
        yield f"  {kind:<12}{counts.total():>8,}   {_most(counts)}"
    if census.waits:
        yield f"  {'waits':<12}{census.waits.total():>8,}   {_most(census.waits)}"
    for title, lines in (("escaped to this computer", census.escaped), ("refused", census.refused)):
        yield f"{title}: {'' if lines else 'nothing'}".rstrip()
        width = max((len(found.kind) for found in lines), default=0)
        for found in lines[:_LINES_SHOWN]:
            yield f"  {found.kind:<{width}}  {found}"
        if len(lines) > _LINES_SHOWN:
            yield f"  and {len(lines) - _LINES_SHOWN} more"
    if census.unseen:
        packages = ", ".join(f"{name} ({count})" for name, count in census.unseen.items())
        yield f"not seen is what extension modules ask the system themselves: {packages}"


def _many(count: int, thing: str) -> str:
    return f"{count:,} {thing}{'s' * (count != 1)}"


def _most(counts: Counter[str]) -> str:
    """The calls that were made most often, with their numbers; ties by name."""
    ordered = sorted(counts.items(), key=lambda row: (-row[1], row[0]))
    shown = ", ".join(f"{name} {count:,}" for name, count in ordered[:_NAMES_SHOWN])
    return shown if len(ordered) <= _NAMES_SHOWN else f"{shown}, and {len(ordered) - _NAMES_SHOWN} more"


@contextmanager
def of_every_network() -> Iterator[list[Census]]:
    """A census of each network that is made in the ``with`` block, in their order."""
    made: list[Census] = []

    def begin(network: Any) -> None:
        made.append(Census(network))

    observers.append(begin)
    try:
        yield made
    finally:
        observers.remove(begin)
        for census in made:
            census.end()
