"""Patience with programs that poll without waiting, again and again.

On a real machine time passes with every call.  Here it stands still while a program runs; so whoever looks
until something has changed, and does not wait for it, would look for ever.

Owns when time passes for such a program, and when it is said to be stuck.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import attrs

from ..errors import Livelock
from ..transport import ERR, HUP, IN
from ..units import seconds
from .poller import SPIN_NS

if TYPE_CHECKING:
    from ..process import Process
    from .engine import Engine
    from .host import Host

LOOKS_MAX = 10_000_000
"""Polls that do not wait and find nothing, before their program is said to wait for what cannot come."""

FINDS_MAX = 1_000_000
"""Polls at one moment that find something ready, before their program is said to do nothing with it."""

_LOOKS_AT_ONCE, _LOOK_NS = 100, 1_000  # after so many at one moment, so much time passes
_FINDS_AT_ONCE, _FINDS_NS = 1_000, 1_000_000  # the same, of a process whose polls find something
_FINDS_IN_A_ROW = 100  # and after so many others have a turn

_VAIN_FINDS, _PAUSE_MAX_NS = 10, 10_000_000
"""After so many polls of a process that find what it left as it was the last time, a pause: of a microsecond,
then of two, and so on up to this."""


@attrs.define
class _Spin:
    """A process that finds the same files ready, poll after poll, and does nothing with them."""

    touched: int  # how often anything was done with them
    waits: int  # in how many calls the process had stood still
    since_ns: int
    finds: int = 0
    pause_ns: int = _LOOK_NS
    paused_ns: int = 0  # and not: since when; what holds a host up in a storm is not its doing


class Patience:
    """With the programs of one network."""

    __slots__ = ("_finds", "_found_ns", "_looked_ns", "_looks", "_looks_at_once", "_network", "_spins")

    def __init__(self, network: Engine) -> None:
        self._network = network
        self._looks = 0
        self._looks_at_once, self._looked_ns = 0, -1
        self._finds, self._found_ns = 0, -1
        self._spins: dict[int, _Spin] = {}  # by the number of the process

    def looked_in_vain(self, call: str) -> None:
        """A call that does not wait has found nothing ready.

        Now and then such calls let a little time pass, outside of handlers, as each does on a real machine:
        so whoever looks until the clock is past a deadline gets there.

        Raises:
            Livelock: that has gone on for long, and nothing is planned that could end it.
        """
        network = self._network
        if self._looked_ns != network.now_ns:
            self._looked_ns, self._looks_at_once = network.now_ns, 0
        self._looks += 1
        self._looks_at_once += 1
        if self._looks_at_once % _LOOKS_AT_ONCE:
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

    def looked_and_found(
        self, call: str, host: Host | None = None, events: Sequence[tuple[int, int]] = ()
    ) -> None:
        """A call outside of handlers has found something ready, and time has not passed for it.

        A process that always finds something never waits, and the others of its network would never go on:
        after some finds who is ready has a turn, and after many it stands still for a moment, as it is
        interrupted on a real machine.  It does so after few where it leaves what it finds as it is: another
        thread may be who is to do something.

        Args:
            events: what is ready on `host`: descriptors, and what they are ready for.

        Raises:
            Livelock: that has gone on for long at one moment, or for a second of nothing else if any of it
                is to be read.  Room alone is another matter: who asks for it all the time takes a processor,
                as channels of asyncore do that want to write whenever they can.
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
        if process is None:
            return
        if self._finds % _FINDS_AT_ONCE == 0:
            process.hold_up(call, _FINDS_NS)
            self._found_ns = network.now_ns  # that time moved by itself is no sign of life
        elif self._finds % _FINDS_IN_A_ROW == 0:
            process.give_way()
        if host is not None:
            self._left_alone(process, call, host, events)

    def _left_alone(self, process: Process, call: str, host: Host, events: Sequence[tuple[int, int]]) -> None:
        found = [(file, asked) for fd, asked in events if (file := host.descriptors.get(fd)) is not None]
        touched, now_ns = sum(file.touched for file, _ in found), self._network.now_ns
        spin = self._spins.get(process.ident)
        if spin is None or spin.touched != touched or spin.waits != process.waits:
            self._spins[process.ident] = _Spin(touched, process.waits, now_ns)
            return
        spin.finds += 1
        if spin.finds % _VAIN_FINDS:
            return
        harms = any(_is_to_be_dealt_with(file.poll_mask(), asked) for file, asked in found)
        if harms and spin.paused_ns >= SPIN_NS:
            names = ", ".join(file.label or "a pipe" for file, _ in found)
            raise Livelock(
                f"{process.label} spins: since t={seconds(spin.since_ns)} {call}() finds ready what it does "
                f"nothing with: {names}\n{self._network.netstat()}"
            )
        process.spins = harms
        process.hold_up(call, spin.pause_ns)
        process.spins = False
        spin.paused_ns += spin.pause_ns
        spin.pause_ns = min(2 * spin.pause_ns, _PAUSE_MAX_NS)


def _is_to_be_dealt_with(mask: int, asked: int) -> bool:
    """Whether a file has something to read for who asks for that, or has an error, or was hung up.

    HUP alone is a socket that has not begun to connect.
    """
    return bool(mask & ERR or (mask & IN and (asked & IN or mask & HUP)))
