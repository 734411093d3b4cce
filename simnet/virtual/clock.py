"""The clocks of a host: one that runs with the network, and one on the wall, which may be wrong.

Owns what they say.  Time itself is the business of the `engine`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..units import SECOND_NS

if TYPE_CHECKING:
    from .engine import Engine

EPOCH_NS = 1_600_000_000 * 1_000_000_000
"""What the clock on the wall says when a network starts: 2020-09-13 12:26:40 UTC."""

DAY_NS = 24 * 3600 * SECOND_NS


class HostClock:
    """The clocks of one host: virtual time, and a wall clock that started at `EPOCH_NS`.

    The wall clock may be wrong: it jumps (`step`), and goes too fast or too slowly (`drift`).
    """

    __slots__ = ("_gain_ns", "_network", "_offset_ns", "_since_ns")

    def __init__(self, network: Engine) -> None:
        self._network = network
        self._offset_ns = EPOCH_NS
        self._gain_ns = self._since_ns = 0  # so much a day, from then on

    def monotonic_ns(self) -> int:
        return self._network.now_ns

    def time_ns(self) -> int:
        now_ns = self._network.now_ns
        if self._gain_ns:
            return self._offset_ns + now_ns + (now_ns - self._since_ns) * self._gain_ns // DAY_NS
        return self._offset_ns + now_ns

    def step(self, ahead_ns: int) -> None:
        """Set the wall clock ahead, or (negative) back."""
        self._offset_ns += ahead_ns

    def drift(self, gain_ns: int) -> None:
        """From now on the wall clock gains so many ns a day more than before, or (negative) loses them."""
        self._offset_ns = self.time_ns() - self._network.now_ns
        self._since_ns = self._network.now_ns
        self._gain_ns += gain_ns
