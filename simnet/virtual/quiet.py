"""Nothing can happen any more: is that all right?

A run ends well if nobody waits for what will never come, and if nothing is left of what is over.

Owns what is looked for then.  What is looked for while a run goes on is `witness`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import Deadlock, Livelock, PropertyViolated
from ..transport import IN, OUT
from .daemons import others

if TYPE_CHECKING:
    from .host import Host
    from .network import Network


def check_quiet(network: Network) -> None:
    """Raise Livelock, Deadlock or PropertyViolated if a network must not be at rest as it is."""
    _check_processes(network)
    looks_for_leaks = "no-leak" in network.checks.names
    for host in network.hosts.values():
        if looks_for_leaks and host.loops:
            _check_maps(network, host)
        for loop in host.loops:
            for fd, events in loop.poller.spinning():
                if events & IN:
                    raise Livelock(
                        f"{host.name}: {loop.describe(fd)} is readable and is never read: "
                        f"its loop would spin for ever\n{network.netstat()}"
                    )
        for fd, end in host.descriptors.items():
            if end.is_blocked and any(w.events & OUT for w in end.watchers):
                raise Deadlock(
                    f"{host.name}: {host.owner(fd) or end.label} waits for room that will never come\n"
                    f"{network.netstat()}"
                )
            if looks_for_leaks and end.is_over and not end.watchers and _is_left_open(host, fd):
                name = end.label or "a pipe"
                raise PropertyViolated(
                    "no-leak",
                    f"{host.name}: {name} is over, nobody watches it, and its descriptor {fd} is still open\n"
                    f"{network.netstat()}",
                )


def _check_processes(network: Network) -> None:
    """Nobody waits for ever but who may."""
    stuck = [process.label for process in others(network.hosts.values())]
    if stuck:
        raise Deadlock(
            f"nothing can happen any more, and {', '.join(stuck)} {'waits' if len(stuck) == 1 else 'wait'} "
            f"(who may wait for ever is spawned with daemon=True)\n{network.standstill()}"
        )


def _is_left_open(host: Host, fd: int) -> bool:
    """Whether no channel has this descriptor, on a machine of channels."""
    if host.processes:
        return False  # whose sockets nobody watches while they do something else
    return bool(host.loops) and not any(fd in loop.map for loop in host.loops)


def _check_maps(network: Network, host: Host) -> None:
    """Every channel in a map has a descriptor that is open."""
    for loop in host.loops:
        for fd in loop.map:
            if host.descriptors.get(fd) is None and _is_virtual(loop.map[fd]):
                raise PropertyViolated(
                    "no-leak",
                    f"{host.name}: {loop.describe(fd)} is in the map of its loop under descriptor {fd}, "
                    f"which was closed\n{network.netstat()}",
                )


def _is_virtual(channel: Any) -> bool:
    """Whether a channel has had a socket at all: a map may hold anything that has handlers."""
    return getattr(channel, "socket", None) is not None
