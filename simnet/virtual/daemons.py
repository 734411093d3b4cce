"""Processes that wait: who may do so for ever, and what is told of the others.

A server that waits for clients is at rest when nobody comes; a client that waits for an answer is not.  A
process says of itself which it is, by being a daemon or not.

Owns the two questions.  What follows from the answers is the business of the `engine` and of `quiet`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from .alarm import Alarm

if TYPE_CHECKING:
    from ..process import Process
    from .engine import Engine
    from .host import Host


def others(hosts: Iterable[Host]) -> list[Process]:
    """The processes that are alive and no daemons."""
    return [process for host in hosts for process in host.processes if not process.daemon]


def waiting(hosts: Iterable[Host]) -> list[str]:
    """A line a process: its name, the call that it waits in, and the line of its program."""
    return [process.standing() for host in hosts for process in host.processes]


def only_daemons_wake(network: Engine) -> bool:
    """Whether nothing is planned but that daemons wake up by themselves, and that is."""
    schedule = network.schedule
    queue = schedule.first()
    if queue is None or not _is_of_a_daemon(queue[0][2]):
        return False
    return all(_is_of_a_daemon(entry[2]) for queue in (schedule.heap, *schedule.lanes) for entry in queue)


def _is_of_a_daemon(target: object) -> bool:
    """Whether an entry wakes a daemon that is at rest, or nobody any more."""
    if not isinstance(target, Alarm):
        return False
    process = target.host.processes.get(target.loop)
    if process is None:
        return not target.is_due(target.planned_ns)
    return process.daemon and not process.spins
