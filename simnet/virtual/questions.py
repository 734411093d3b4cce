"""What a network may decide of one of its hosts: in which order, how soon, and whether at all.

Each question has a number, counted on a calm network as well, where nobody is asked: a rule may come later,
and its record is replayed without it.

Owns the questions and their numbers.  Who answers is the business of the `network`, and how a host is held
up that of `pauses`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..transport import Turner
    from .network import Network


class Questions:
    """That part of a host."""

    network: Network
    steps: int
    watches_steps: bool
    accepts: dict[str, int]
    calls: dict[str, int]

    turns = nexts = timer_turns = lookups = 0
    """How often it was asked."""

    parked: dict[Turner, None] | None
    goes_on: Callable[[], bool]
    hold_up: Callable[..., None]
    wait: Callable[..., bool]

    def choose_first(self, ready: int, events: Sequence[tuple[int, int]] = ()) -> int:
        """Which of several ready channels goes first."""
        self.turns += 1
        effect = self.network.choose("turn", self, self.turns, ready, events)
        return effect[1] - 1 if effect else 0

    def order(self, events: list[tuple[int, int]]) -> list[tuple[int, int]]:
        """In which order several ready channels are told.

        A turn says which goes first, and then the others follow as they are ready, those before it last; of
        them it is asked again which is next.
        """
        first = self.choose_first(len(events), events)
        if first:
            events = events[first:] + events[:first]
        before, last = self.nexts, len(events) - 2
        if last > 0:
            self.nexts += last
            if not self.network.is_calm:
                for place in range(1, last + 1):
                    left = events[place:]
                    effect = self.network.choose("next", self, before + place, len(left), left)
                    if effect:
                        events[place:] = left[effect[1] - 1 :] + left[: effect[1] - 1]
        return events

    def step(self, call: str, found: int) -> None:
        """A program has found out by itself how many are ready: it may be held up before it does anything
        about it.  What is found within a pass is the business of its loop."""
        network = self.network
        if not found or (network.process is None and network.is_passing) or self.parked is not None:
            return
        self.steps += 1
        time_ns = self.choose_hold(self.steps, found) if self.watches_steps else 0
        if time_ns:
            self.hold_up(None, time_ns)
            if network.process is not None:
                network.process.hold_up(call, None, self.goes_on)
            else:
                self.wait(call, self.goes_on, None)

    def choose_hold(self, nth: int, left: int, data: Any = None) -> int:
        effect = self.network.choose("step", self, nth, left, data)
        return effect[1] if effect else 0

    def timers_first(self, ready: int) -> bool:
        self.timer_turns += 1
        return self.network.choose("timer", self, self.timer_turns, ready) is not None

    def begin_call(self, call: str) -> None:
        """A program makes one of `simnet.outcomes.CALLS`; raise OSError if it is to fail."""
        self.calls[call] = nth = self.calls.get(call, 0) + 1
        effect = self.network.choose(call, self, nth, 0)
        if effect is not None:
            raise OSError(effect[1], os.strerror(effect[1]))

    def choose_lookup(self) -> tuple[str, int] | None:
        """What becomes of a look-up that asks the name server."""
        self.lookups += 1
        return self.network.choose("lookup", self, self.lookups, 0)

    def count_accept(self, listener: str) -> int:
        """One more accept that a script may name; listeners made again on a port count on."""
        nth = self.accepts[listener] = self.accepts.get(listener, 0) + 1
        return nth
