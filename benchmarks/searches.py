"""Searches: so many runs of a test, as `simnet fuzz` makes them, beside the same test over loopback.

An operation is one run of the test of `five_clients`: five clients, twenty messages each, everything made
anew.  simnet's runs are campaigns as users get them: with the fence, the checks and the recording of every
deviation, and without a trace, as searches run that do not look at one; calm runs keep one, as tests do.
The runs of a sweep are a sample of all, evenly spread: the first ones differ only in how connections begin.
A storm may have far more work than a calm run, or end it early; how many messages come back, on an average,
is in its name.  *Gentle* storms do what TCP hides, so every message comes back, mostly in many pieces.

Over loopback it is the same handlers on simnet's real loop, and the same conversation in asyncio's protocols;
the server is a fresh one in each run, and both ends share a process and a loop.  *The handlers alone* have no
network under them: no loop, no kernel, nothing that could go wrong.  Nothing that calls them can be faster.

Beside simloop the test is one client and ten messages, each run under a seed of its own.  A seed of simloop
decides in which order tasks run, as seeds of *order* do here; storms may do anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from statistics import fmean
from typing import Any

from benchmarks.echo import MESSAGE
from benchmarks.five_clients import (
    CLIENTS,
    MESSAGES,
    converse,
    converse_over_loopback,
    converse_over_nothing,
)
from benchmarks.measure import Contestant, Row, compare
from benchmarks.peers import on_simloop, over_loopback, why_no_simloop
from benchmarks.worlds import many
from simnet import Network
from simnet.choices import Noted, Noting
from simnet.fuzz.campaign import findings
from simnet.fuzz.searches import Case, Search, Storm
from simnet.fuzz.searches.sweep import Listed, branches_of, case_of, rounds
from simnet.outcomes import EVERY, GENTLE, ORDER

ROUND_TRIPS = {"clients": 1, "messages": 10}


class Spread(Listed):
    """So many runs of a sweep, evenly spread over all of them, which a calm run is made for beforehand."""

    name = "spread"

    def __init__(self, runs: int) -> None:
        super().__init__()
        calm = Noting()
        converse(Network(choices=calm))
        deviations = list(rounds(list(branches_of(calm.places, EVERY))))
        self._sample = deviations[:: len(deviations) // runs][:runs]
        self.rewind()

    def _list(self, places: Sequence[Noted]) -> tuple[int, Iterator[Case]]:
        return len(self._sample), map(case_of, self._sample)

    def rewind(self) -> Spread:
        """Begin again, behind the calm run."""
        self._total, self._cases = self._list(())
        return self


def run(quick: bool, said: Callable[[str], None]) -> list[Row]:
    """The rows for searches over the two tests."""
    runs, repeats = (20, 3) if quick else (150, 5)
    rows = []
    for name, simnet in {
        "calm": partial(many, runs, calm),
        "sweep": partial(campaign, Spread(runs).rewind, runs),
        f"storms ({messages_of(Storm, runs):.0f} come back)": partial(campaign, Storm, runs),
        "gentle storms": partial(campaign, partial(Storm, only=GENTLE), runs),
    }.items():
        contestants: dict[str, Contestant] = {
            "simnet": simnet,
            "the same handlers over loopback": partial(many, runs, converse_over_loopback),
            "asyncio over loopback": partial(many, runs, partial(over_loopback, CLIENTS, MESSAGES, MESSAGE)),
        }
        if name == "calm":
            contestants["the handlers alone"] = partial(many, runs, converse_over_nothing)
        rows += compare(f"{CLIENTS} clients x {MESSAGES}, {name}", contestants, runs, repeats, said)
    for name, simnet in {
        "order": partial(campaign, partial(Storm, only=ORDER), runs, ROUND_TRIPS),
        f"storms ({messages_of(Storm, runs, ROUND_TRIPS):.0f} come back)": partial(
            campaign, Storm, runs, ROUND_TRIPS
        ),
    }.items():
        contestants = {"simnet": simnet}
        if why_no_simloop() is None:
            contestants["simloop"] = partial(seeds_of_simloop, runs)
        rows += compare(f"10 round trips, {name}", contestants, runs, repeats, said)
    return rows


def calm() -> None:
    """One run on the textbook network, with a trace."""
    converse(Network())


def campaign(
    search: Callable[[], Search], runs: int, arguments: dict[str, int] | None = None, program: Any = converse
) -> None:
    """So many runs, of which none may fail."""
    for found in findings(program, by=search(), arguments=arguments, runs_max=runs):
        raise AssertionError(f"{found.case.name} fails") from found.outcome.error


def messages_of(search: Callable[[], Search], runs: int, arguments: dict[str, int] | None = None) -> float:
    """How many messages come back in a run of a campaign, on an average."""
    counts: list[int] = []

    def counted(net: Network, **arguments: int) -> None:
        counts.append(converse(net, **arguments))

    campaign(search, runs, arguments, counted)
    return fmean(counts)


def seeds_of_simloop(runs: int) -> None:
    for seed in range(runs):
        on_simloop(1, 10, MESSAGE, seed)
