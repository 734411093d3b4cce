"""A host whose programs stand still: somebody has paused it, or it is held up for a while.

Its kernel answers meanwhile, and takes what peers send.  Whoever has something to do is remembered, and does
it when the host goes on; a pass that had begun goes on with what poll has told it.

Owns why a host stands still, and who waits for that.  Which passes are made is the business of the `engine`,
and what has begun in them that of the loops.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..transport import Turner

if TYPE_CHECKING:
    from .network import Network


class Pausable:
    """That part of a host."""

    network: Network
    loops: list[Turner]

    parked: dict[Turner, None] | None = None
    """Who has something to do, while the host stands still."""

    current_pause: object | None = None
    """What stands for the pause that lasts just now; a later one is another object."""

    current_hold: Hold | None = None
    """What holds it up just now."""

    def goes_on(self) -> bool:
        """Whether it does not stand still."""
        return self.parked is None

    @property
    def is_paused(self) -> bool:
        """Whether somebody has paused its programs."""
        return self.current_pause is not None

    def stand_still(self) -> None:
        """The host's part of a pause."""
        self.current_pause = object()
        self._park()

    def go_on(self) -> None:
        """The host's part of the end of a pause."""
        assert self.current_pause is not None
        self.current_pause = None
        self._unpark()

    def hold_up(self, loop: Turner | None, time_ns: int) -> None:
        assert self.current_hold is None, "who stands still is not held up once more"
        self.current_hold = Hold(self)
        self._park()
        assert self.parked is not None
        if loop is not None:
            self.parked[loop] = None
        self.network.schedule.plan(self.network.now_ns + time_ns, self.current_hold)

    def end_hold(self) -> None:
        """The host is held up no longer."""
        self.current_hold = None
        self._unpark()

    def end_pauses(self) -> None:
        """Nobody is left who could go on."""
        self.parked = self.current_pause = self.current_hold = None

    def _park(self) -> None:
        if self.parked is None:
            self.parked = {}
            for loop in self.loops:
                loop.poller.hold(True)

    def _unpark(self) -> None:
        """If nothing keeps it any more, whoever has something to do does it now."""
        if self.current_pause is not None or self.current_hold is not None:
            return
        assert self.parked is not None
        parked, self.parked = self.parked, None
        for loop in self.loops:
            loop.poller.hold(False)
        self.network.runnable.update(dict.fromkeys(parked, self))  # type: ignore[arg-type]


class Hold:
    """One time for which a host is held up; arrives when it is over."""

    __slots__ = ("_host",)

    def __init__(self, host: Pausable) -> None:
        self._host = host

    def arrive(self, item: object) -> None:
        if self._host.current_hold is self:  # else the host has crashed since
            self._host.end_hold()
