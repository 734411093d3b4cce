"""Networks whose processes stand still: who frees them in the end.

What the frames of a greenlet hold is hidden from the garbage collector, and by its sockets that is the whole
network.  So a test that ends with a server waiting for clients leaves a network behind for ever.  And if such
a greenlet were dropped, its ``finally`` would run at any moment, in another test.

So as many networks as `KEPT_MAX` with living processes are kept.  When there is one more, the processes of
the oldest are killed, but for half of that number, and those of the rest when the interpreter ends.  Many at
once, because what they leave behind in cycles is collected while every line is refused, and to look through
all that there is takes milliseconds.

Owns that number, and the order.
"""

from __future__ import annotations

import atexit
from contextlib import suppress
from typing import TYPE_CHECKING

from ..errors import UsageError
from ..garbage import collector
from .ending import accept_lines, refuse_lines

if TYPE_CHECKING:
    from ..virtual.engine import Engine

KEPT_MAX = 256
"""Networks with living processes."""

_kept: dict[Engine, int] = {}
"""With the moment at which their first process began, as the collector of garbage counts them."""


def keep(network: Engine) -> None:
    """A process begins on a network."""
    if network not in _kept:
        _kept[network] = collector.moment
        if len(_kept) > KEPT_MAX:
            at_rest = [each for each in _kept if not each.is_passing]
            _kill(at_rest[: len(_kept) - KEPT_MAX // 2])


def began(network: Engine) -> int:
    """The moment since when it has processes; -1 if it has none."""
    return _kept.get(network, -1)


def release(network: Engine) -> None:
    """A process of a network has ended: if it was the last, nothing is hidden from the garbage collector."""
    if not any(host.processes for host in network.hosts.values()):
        _kept.pop(network, None)


def end(network: Engine) -> None:
    """Kill what runs on a network now, for whoever will make others and have nothing of it happen in them."""
    if network in _kept:
        _kill([network])


def _kill(networks: list[Engine]) -> None:
    """What the processes leave behind in cycles goes too, and none of its destructors closes a descriptor of
    this computer by a number that was one of a host."""
    with collector.put_off():
        for network in networks:
            for host in network.hosts.values():
                for process in list(host.processes):
                    with suppress(UsageError):  # its thread is gone, and took the greenlet along
                        process.kill()
            _kept.pop(network, None)
        refuse_lines()
    accept_lines(collector.collect)


@atexit.register
def kill_all() -> None:
    """The interpreter ends."""
    _kill(list(_kept))
