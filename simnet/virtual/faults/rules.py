"""Faults of operations that a test asks for: ``net.on("client", "send", nth=2).take(1)``.

A `Rule` watches for operations of a kind at a place and decides some of them; it comes before the
supplier of the run's choices.  What it decided is recorded like any other deviation, anchored on the
connection on which it happened: so a run with rules has a script without them.

Owns the words of tests.  What a deviation does is the business of the end where it happens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from ...errors import UsageError
from ...outcomes import OUTCOMES, outcome_of
from ...script import Deviation
from ...units import duration_ns
from ..kernel.buffers import ByteQueue

if TYPE_CHECKING:
    from ..network import Network


@attrs.define(eq=False)
class Rule:
    """Decides the `nth` matching operation, or each one if `nth` is None."""

    where: str
    op: str
    nth: int | None
    containing: bytes | None
    outcome: str
    amount: int
    _seen: int = 0

    def covers(self, label: str, host: str) -> bool:
        """Whether an end or listener with this label, on this host, is meant."""
        return self.where in ("*", label, host)

    def decides(self, label: str, host: str, op: str, data: Any) -> bool:
        """Count one operation, and say whether it is the one."""
        if op != self.op or not self.covers(label, host):
            return False
        if self.containing is not None:
            raw = data.peek(data.size) if isinstance(data, ByteQueue) else bytes(data or b"")
            if self.containing not in raw:
                return False
        self._seen += 1
        return self.nth is None or self._seen == self.nth


class On:
    """The half of a sentence before its verb; each method is one verb.  Made by `Network.on`."""

    def __init__(
        self, network: Network, where: str, op: str, nth: int | None, containing: bytes | None
    ) -> None:
        if op not in OUTCOMES:
            raise UsageError(f"no operation {op!r}; there are {', '.join(OUTCOMES)}")
        if nth is not None and nth < 1:
            raise UsageError(f"nth counts from 1, not {nth}")
        self._network = network
        self._head = (where, op, nth, containing)

    def take(self, count: int) -> None:
        """send: the kernel takes `count` bytes, 1 or more.  More than are offered takes all."""
        self._decide("takes", _positive(count))

    def again(self) -> None:
        """send, recv, accept: EAGAIN, although poll said ready."""
        self._decide("again")

    def reset(self) -> None:
        """send, recv, segment: the connection is reset; both ends learn it."""
        self._decide("reset")

    def late(self, delay: str | float) -> None:
        """segment: it arrives `delay` later than it would, and what follows waits behind it.

        Delays are rounded up to the next of those that a script can name (1ms ... 60s).
        """
        wanted = duration_ns(delay)
        possible = OUTCOMES["segment"][0].amounts(0)
        self._decide("late", next((ns for ns in possible if ns >= wanted), possible[-1]))

    def cut(self, count: int) -> None:
        """segment: the first `count` bytes, 1 or more, arrive alone, the rest a moment later."""
        self._decide("cut", _positive(count))

    def lose(self, times: int = 0) -> None:
        """segment: lost, and sent again after a time-out.  connect: `times` SYNs are lost (1 to 3)."""
        if self._head[1] == "connect":
            self._decide("loses", times or 1)
        else:
            self._decide("lost")

    def refuse(self) -> None:
        """connect: answered by a RST."""
        self._decide("refused")

    def fail(self, reason: int) -> None:
        """accept: fails with this errno."""
        self._decide("fails", reason)

    def _decide(self, outcome: str, amount: int = 0) -> None:
        where, op, nth, containing = self._head
        if outcome not in [known.name for known in OUTCOMES[op]]:
            known = ", ".join(each.name for each in OUTCOMES[op])
            raise UsageError(f"a {op} cannot be {outcome!r}; it has the outcomes {known}")
        possible = outcome_of(op, outcome).amounts(0)
        if possible and amount not in possible:
            known = ", ".join(Deviation(where, op, 1, outcome, each).effect for each in possible)
            raise UsageError(f"not possible for a {op}: {outcome} {amount}; what is: {known}")
        self._network.add_rule(Rule(where, op, nth, containing, outcome, amount))


def _positive(count: int) -> int:
    if count < 1:
        raise UsageError(f"a number of bytes from 1 on is wanted, not {count!r}")
    return count
