"""Examples: what Hypothesis takes for one, and what it takes with a network whose script is drawn.

An operation is one example.  That of a test that draws a number and does nothing is Hypothesis's own; the
echo on a calm network adds what a world costs; `networks` adds that the script is drawn, and what deviates.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from hypothesis import given, seed, settings
from hypothesis import strategies as st

from benchmarks.five_clients import converse
from benchmarks.measure import Contestant, Row, compare
from simnet import Network
from simnet.fuzz import networks, scripts


def run(quick: bool, said: Callable[[str], None]) -> list[Row]:
    """The rows for examples, of one echo of one message."""
    examples, rounds = (100, 3) if quick else (500, 7)
    contestants: dict[str, Contestant] = {
        "simnet": partial(many, examples, networks(), echo),
        "the script alone": partial(many, examples, scripts(), nothing),
        "an echo on a calm network": partial(many, examples, st.integers(), lambda number: echo(Network())),
        "an empty test": partial(many, examples, st.integers(), nothing),
    }
    return compare("a Hypothesis example with one echo", contestants, examples, rounds, said)


def many(examples: int, strategy: st.SearchStrategy[Any], test: Callable[[Any], object]) -> None:
    """A Hypothesis test of so many examples, the same in every round."""

    @seed(0)
    @settings(max_examples=examples, database=None, deadline=None)
    @given(drawn=strategy)
    def body(drawn: Any) -> None:
        test(drawn)

    body()


def nothing(drawn: object) -> None:
    """Only drawing is measured."""


def echo(net: Network) -> int:
    """One client, one message."""
    return converse(net, clients=1, messages=1)
