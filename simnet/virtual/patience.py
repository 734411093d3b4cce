"""Patience with programs that poll without waiting, again and again.

On a real machine time passes with every call.  Here it stands still while a program runs; so whoever looks
until something has changed, and does not wait for it, would look for ever.

Owns when time passes for such a program, and when it is said to be stuck.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import Livelock
from ..units import seconds

if TYPE_CHECKING:
    from .engine import Engine

LOOKS_MAX = 10_000_000
"""Polls that do not wait and find nothing, before their program is said to wait for what cannot come."""

FINDS_MAX = 1_000_000
"""Polls at one moment that find something ready, before their program is said to do nothing with it."""

_LOOKS_AT_ONCE, _LOOK_NS = 100, 1_000  # after so many at one moment, so much time passes
_FINDS_AT_ONCE, _FINDS_NS = 1_000, 1_000_000  # the same, of a process whose polls find something
_FINDS_IN_A_ROW = 100  # and after so many others have a turn


class Patience:
    """With the programs of one network."""

    __slots__ = ("_finds", "_found_ns", "_looks", "_network")

    def __init__(self, network: Engine) -> None:
        self._network = network
        self._looks = 0
        self._finds, self._found_ns = 0, -1

    def looked_in_vain(self, call: str) -> None:
        """A call that does not wait has found nothing ready.

        Now and then such calls let a little time pass, outside of handlers, as each does on a real machine:
        so whoever looks until the clock is past a deadline gets there.

        Raises:
            Livelock: that has gone on for long, and nothing is planned that could end it.
        """
        network = self._network
        self._looks += 1
        if self._looks % _LOOKS_AT_ONCE:
            return
        if self._looks >= LOOKS_MAX:
            found = f"{call}() with a time-out of 0 has found nothing {LOOKS_MAX:,} times"
            raise Livelock(
                f"{found}, and nothing is planned at t={seconds(network.now_ns)}\n{network.netstat()}"
            )
        process = network.process
        if process is not None or not network.is_passing:
            if network.schedule.next_time() is not None:
                self._looks = 0
            wait = network.wait if process is None else process.wait
            wait(call, lambda: False, network.now_ns + _LOOK_NS)

    def looked_and_found(self, call: str) -> None:
        """A call outside of handlers has found something ready, and time has not passed for it.

        A process that always finds something never waits, and the others of its network would never go on:
        after some finds who is ready has a turn, and after many it stands still for a moment, as it is
        interrupted on a real machine.

        Raises:
            Livelock: that has gone on for long at one moment: what is ready is left as it is.
        """
        network = self._network
        if self._found_ns != network.now_ns:
            self._found_ns, self._finds = network.now_ns, 0
        self._finds += 1
        if self._finds >= FINDS_MAX:
            self._finds = 0
            raise Livelock(
                f"{call}() has found something ready {FINDS_MAX:,} times at t={seconds(network.now_ns)}, "
                f"and time does not move\n{network.netstat()}"
            )
        process = network.process
        if process is None or self._finds % _FINDS_IN_A_ROW:
            return
        if self._finds % _FINDS_AT_ONCE:
            process.give_way()
        else:
            process.wait(call, bool, network.now_ns + _FINDS_NS)
            self._found_ns = network.now_ns  # that time moved by itself is no sign of life
