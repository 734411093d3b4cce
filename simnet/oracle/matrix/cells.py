"""One cell of the table, and all of them.

Owns what a cell is: an operation on a socket that was brought into a state for it alone, written as what
the operation answered, then the readiness of the socket and of its peer where it changed:
``b'hello' => OUT;w (peer => IN|OUT;rw)``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import count
from typing import TypeAlias

import attrs

from . import (  # noqa: F401, they fill the two tables
    connected,
    datagrams,
    disconnected,
    lifecycle,
    reactions,
    receiving,
    sending,
    settings,
    unconnected,
)
from .bench import Bench, Situation
from .kinds import KINDS, Kind
from .registry import OPERATIONS, STATES, Build, Operation

BESIDE = "+"

NOT_SIMULATED = "NotImplementedError: "


@attrs.frozen(order=True)
class Place:
    """Where a cell is in the table.

    Operations with a + between are made one after the other.  The table has no such cell, but `sequences`
    draws some.
    """

    kind: str
    state: str
    operation: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.state}/{self.operation}"


Cells: TypeAlias = dict[Place, str]
MakeBench: TypeAlias = Callable[[Kind], Bench]


def places(kinds: Iterable[str] = tuple(KINDS)) -> list[Place]:
    """Every place of the table, in its order."""
    return [
        Place(kind, state, operation)
        for kind in kinds
        for state in STATES.of(KINDS[kind])
        for operation in OPERATIONS.of(KINDS[kind])
    ]


def in_table_order(cells: Cells) -> list[Place]:
    """The places of these cells as the table has them; then those that it has not."""
    known = [place for place in places() if place in cells]
    return known + sorted(cells.keys() - set(known))


def make(wanted: Iterable[Place], bench_for: MakeBench) -> Iterator[tuple[Place, str]]:
    """The cells at these places, but for those whose operation does not apply to their state."""
    for place in wanted:
        kind = KINDS[place.kind]
        bench = bench_for(kind)
        try:
            operations = [OPERATIONS.of(kind)[name] for name in place.operation.split(BESIDE)]
            cell = make_one(bench, STATES.of(kind)[place.state], *operations)
        finally:
            bench.clear()
        if cell is not None:
            yield place, cell


def make_one(bench: Bench, build: Build, *operations: Operation) -> str | None:
    """One cell; an exception that no kernel raises is what is in it."""
    try:
        situation = brought_about(bench, build)
        after = readiness(bench, situation)
        parts = []
        for operate in operations:
            before = after
            said = operate(bench, situation)
            if said is None:
                return None
            bench.settle()
            after = readiness(bench, situation)
            parts.append(written(said, before, after))
        return f" {BESIDE} ".join(parts)
    except NotImplementedError as missing:
        return f"{NOT_SIMULATED}{missing}"
    except Exception as broken:
        return f"{type(broken).__name__}: {broken}"


def brought_about(bench: Bench, build: Build) -> Situation:
    situation = build(bench)
    bench.settle()
    for sock, role in ((situation.sock, "self"), (situation.peer, "peer")):
        if sock is not None and sock.fileno() >= 0:
            bench.name(sock, role)
    return situation


def readiness(bench: Bench, situation: Situation) -> tuple[str, str]:
    """Of the socket, and of the peer if it is open."""
    peer = situation.peer
    there = peer is not None and peer.fileno() >= 0
    return bench.readiness(situation.sock), bench.readiness(peer) if there else ""


def written(said: list[str], before: tuple[str, str], after: tuple[str, str]) -> str:
    parts = [" ".join(said)]
    if after[0] != before[0]:
        parts.append(f"=> {after[0]}")
    if after[1] != before[1]:
        parts.append(f"(peer => {after[1] or 'closed'})")
    return " ".join(parts)


def names() -> Iterator[str]:
    """Names for sockets in the file system, each once."""
    return (f"s{number}" for number in count(1))
