"""Worlds: a network, two hosts, one connection, one echo of one message, and everything torn down again.

An operation is one world.  It is what a search pays for every run, however little the program does.

simloop collects all garbage in every `run_until_complete`; that is most of its time here.  It is measured
as it is, and once more with that collection left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from types import SimpleNamespace

from benchmarks.echo import MESSAGE
from benchmarks.measure import Contestant, Row, compare
from benchmarks.peers import on_simloop, why_no_simloop
from benchmarks.virtual import on_simnet


def run(quick: bool, said: Callable[[str], None]) -> list[Row]:
    """The rows for the start of a world."""
    worlds, rounds = (25, 3) if quick else (50, 7)
    contestants: dict[str, Contestant] = {
        "simnet": partial(many, worlds, partial(on_simnet, 1, 1, MESSAGE, trace=True)),
        "simnet, no trace": partial(many, worlds, partial(on_simnet, 1, 1, MESSAGE, trace=False)),
    }
    if why_no_simloop() is None:
        world = partial(on_simloop, 1, 1, MESSAGE)
        contestants["simloop"] = partial(many, worlds, world)
        contestants["simloop, no collection"] = partial(without_collections, worlds, world)
    return compare("a world with one echo", contestants, worlds, rounds, said)


def many(worlds: int, world: Contestant) -> None:
    for _ in range(worlds):
        world()


def without_collections(worlds: int, world: Contestant) -> None:
    with _no_collections_of_simloop():
        many(worlds, world)


@contextmanager
def _no_collections_of_simloop() -> Iterator[None]:
    """Make simloop's own gc.collect() do nothing; the interpreter's stays as it is."""
    module = import_module("simloop._loop")
    original = module.gc
    vars(module)["gc"] = SimpleNamespace(collect=int)
    try:
        yield
    finally:
        vars(module)["gc"] = original
