"""Faults of operations that a test asks for: ``net.on("client", "send", nth=2).take(1)``.

A rule stands until it is lifted; it watches for operations of a kind at a place and decides some of them,
before the supplier of the run's choices is asked.  What it decided is recorded like any other deviation,
anchored on the connection on which it happened: so a run with rules has a script without them.

Owns the words of tests, and who is next.  What a deviation does is the business of the end where it happens.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, Any

import attrs

from ...errors import UsageError
from ...outcomes import OUTCOMES, check_amount, outcome_of
from ...rules import ANYWHERE, Rule
from ...units import duration_ns
from ..kernel.buffers import ByteQueue
from .fault import Fault

if TYPE_CHECKING:
    from ..network import Network


@attrs.define(eq=False)
class Standing:
    """A rule that stands on a network, and how far it has counted.

    `when` is asked at each operation that matches all else; `random` says which of them are meant, if not
    every one is.  `met` is how many it has decided.
    """

    rule: Rule
    random: Random
    when: Callable[[], object] | None = None
    met: int = 0
    _seen: int = 0

    def covers(self, label: str, host: str) -> bool:
        """Whether an end or listener with this label, on this host, is meant."""
        return self.rule.where in (ANYWHERE, label, host)

    def decides(self, label: str, host: str, op: str, now_ns: int, data: Any) -> bool:
        """Count one operation, and say whether it is one that the rule decides."""
        rule = self.rule
        if op != rule.op or not self.covers(label, host) or not self._applies(now_ns, data):
            return False
        self._seen += 1
        if rule.nth is not None and self._seen != rule.nth:
            return False
        return rule.percent == 100 or self.random.random() * 100 < rule.percent

    def _applies(self, now_ns: int, data: Any) -> bool:
        rule = self.rule
        if now_ns < rule.start_ns or (rule.end_ns is not None and now_ns >= rule.end_ns):
            return False
        if rule.times is not None and self.met >= rule.times:
            return False
        if rule.containing is not None:
            raw = data.peek(data.size) if isinstance(data, ByteQueue) else bytes(data or b"")
            if rule.containing not in raw:
                return False
        return self.when is None or bool(self.when())


class On:
    """The half of a sentence before its verb; each method is one verb, and returns the `Fault`.

    Made by `Network.on`.
    """

    def __init__(
        self,
        network: Network,
        where: str,
        op: str,
        when: Callable[[], object] | None,
        conditions: dict[str, Any],
    ) -> None:
        if op not in OUTCOMES:
            raise UsageError(f"no operation {op!r}; there are {', '.join(OUTCOMES)}")
        if when is not None and not callable(when):
            raise UsageError(f"`when` is a function without arguments, not {when!r}")
        self._network, self._where, self._op, self._when = network, where, op, when
        self._conditions = conditions

    def take(self, count: int) -> Fault:
        """send: the kernel takes `count` bytes, 1 or more.  More than are offered takes all."""
        return self._decide("takes", _positive(count))

    def again(self) -> Fault:
        """send, recv, accept: EAGAIN, although poll said ready.  lookup: EAI_AGAIN."""
        return self._decide("again")

    def fail(self, reason: int = 0) -> Fault:
        """send, accept, connect, datagram, and `simnet.outcomes.CALLS`: fails with this errno.

        recv: the same, and it is the end of the connection.

        lookup: there is no such name (EAI_NONAME), and no errno is given.
        """
        return self._decide("fails", reason)

    def reset(self) -> Fault:
        """send, recv, segment: the connection is reset; both ends learn it.

        accept: what it returns was reset while it waited to be accepted.
        life: see `reset_after`.
        """
        return self._decide("reset")

    def reset_after(self, delay: str | float) -> Fault:
        """life: the connection is reset so long after it was established, whatever it does then.

        Delays are rounded as those of `late`.
        """
        return self._decide("reset", self._delay(delay, "reset"))

    def late(self, delay: str | float) -> Fault:
        """segment: it arrives `delay` later than it would, and what follows waits behind it.

        datagram: it arrives `delay` later, and what follows may overtake it.
        Delays are rounded up to the next of those that a script can name (1ms ... 60s).
        """
        return self._decide("late", self._delay(delay, "late"))

    def cut(self, count: int) -> Fault:
        """segment: the first `count` bytes, 1 or more, arrive alone, the rest a moment later."""
        return self._decide("cut", _positive(count))

    def crumble(self) -> Fault:
        """segment: it arrives byte by byte, or in 64 parts if it has more bytes than that."""
        return self._decide("crumbles")

    def lose(self, times: int = 0) -> Fault:
        """segment: lost, and sent again after a time-out.  datagram: lost.

        connect: `times` SYNs are lost (1 to 3).
        """
        if self._op == "connect":
            return self._decide("loses", times or 1)
        return self._decide("lost")

    def duplicate(self) -> Fault:
        """datagram: it arrives twice."""
        return self._decide("twice")

    def refuse(self) -> Fault:
        """connect: answered by a RST.  datagram: by ICMP, as if nobody had the port."""
        return self._decide("refused")

    def no_route(self) -> Fault:
        """connect: answered by ICMP, and fails with EHOSTUNREACH."""
        return self._decide("unreachable")

    def burst(self, count: int) -> Fault:
        """segment: it is lost `count` times in a row, 2, 3, 5 or 8.

        datagram: it is lost, and so are the `count` that follow, 1, 3 or 7.
        """
        return self._decide("burst", count)

    def tear(self, count: int) -> Fault:
        """segment: its first `count` bytes, 1 or more, arrive, and a RST right behind; both ends learn it."""
        return self._decide("torn", _positive(count))

    def end(self, count: int) -> Fault:
        """segment: its first `count` bytes, 1 or more, arrive, and a FIN behind them.

        A middlebox has closed: the other end gets a FIN too, and what either sends then is answered by RST.
        """
        return self._decide("ended", _positive(count))

    def end_after(self, delay: str | float) -> Fault:
        """life: as `end`, so long after the connection was established.

        Delays are rounded as those of `late`.
        """
        return self._decide("ended", self._delay(delay, "ended"))

    def block(self, delay: str | float) -> Fault:
        """send: EAGAIN, and there is no room for so long: what a full buffer before a slow reader looks like.

        Delays are rounded as those of `late`.
        """
        return self._decide("blocks", self._delay(delay, "blocks"))

    def truncate(self, count: int) -> Fault:
        """datagram: only its first `count` bytes, 1 or more, arrive."""
        return self._decide("truncated", _positive(count))

    def hang(self) -> Fault:
        """connect: never answered; it fails with ETIMEDOUT, after 131 s unless TCP_SYNCNT says otherwise."""
        return self._decide("hangs")

    def silence(self) -> Fault:
        """segment: it is the last that arrives, in either direction; neither end is told (half-open)."""
        return self._decide("last")

    def flip(self, bit: int) -> Fault:
        """segment, datagram: one bit is the other way round; bit 0 is the lowest of the first byte."""
        return self._decide("flipped", bit)

    def hold_up(self, delay: str | float) -> Fault:
        """step: the host does nothing for `delay`, between the answer of poll and what follows from it.
        switch: the thread does nothing for `delay`, and the others of its process go on.

        Delays are rounded up to the next of those that a script can name (1ms ... 2s); for longer ones see
        `Network.pause`.
        """
        return self._decide("held", self._delay(delay, "held"))

    def give_way(self) -> Fault:
        """switch: the other threads of the process that are ready go first."""
        return self._decide("yields")

    def first(self, number: int = 0) -> Fault:
        """turn: the channel (or host) with this number among those that are ready goes first, from 2 on.

        next: the same of the channels that are left when the first was told, or one more.
        timer: timers that are due come before what is ready.
        wake: the task with this number among those of an asyncio loop that can go on goes first, from 2 on.
        """
        return self._decide("first", number)

    def _delay(self, delay: str | float, outcome: str) -> int:
        """The next of the delays that a script can name."""
        wanted = duration_ns(delay)
        possible = outcome_of(self._op, outcome).amounts(0)
        return next((ns for ns in possible if ns >= wanted), possible[-1])

    def _decide(self, outcome: str, amount: int = 0) -> Fault:
        op = self._op
        if outcome not in [known.name for known in OUTCOMES[op]]:
            known = ", ".join(each.name for each in OUTCOMES[op])
            raise UsageError(f"a {op} cannot be {outcome!r}; it has the outcomes {known}")
        check_amount(op, outcome_of(op, outcome), amount)
        rule = Rule(where=self._where, op=op, outcome=outcome, amount=amount, **self._conditions)
        return self._network.add_rule(rule, self._when)


def _positive(count: int) -> int:
    if count < 1:
        raise UsageError(f"a number of bytes from 1 on is wanted, not {count!r}")
    return count
