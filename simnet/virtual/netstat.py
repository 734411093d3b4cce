"""The sockets of every host as a table, in the manner of netstat(8): what a person asks for first."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..units import seconds
from .kernel import addresses

if TYPE_CHECKING:
    from .host import Host

_HEADERS = ("host", "fd", "recv-q", "send-q", "local", "remote", "state", "connection", "owner")


def netstat(hosts: Iterable[Host], now_ns: int) -> str:
    """One row a socket; sockets that lost their descriptor have ``-`` for it.

    recv-q is what waits to be read, send-q what the peer has not read yet; of a listener, recv-q is
    the number of connections that wait to be accepted and send-q its backlog, as on Linux.
    """
    rows: list[tuple[str, ...]] = [_HEADERS]
    for host in hosts:
        rows.extend(_rows(host))
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADERS))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    return "\n".join([f"sockets at t={seconds(now_ns)}", *(line.rstrip() for line in lines)])


def _rows(host: Host) -> Iterable[tuple[str, ...]]:
    if not host.is_up:
        yield (host.name, "-", "", "", "", "", "DOWN", "", "")
    for fd, file in host.sockets():
        received, unsent = file.queues()
        yield (
            host.name,
            "-" if fd is None else str(fd),
            str(received),
            str(unsent),
            *file.names(),
            file.state_name + (" (waits for room)" if file.is_blocked else ""),
            file.label,
            "" if fd is None else host.owner(fd),
        )
    for local in host.ports.time_waits(host.network.now_ns):
        yield (host.name, "-", "0", "0", addresses.text(local), "*", "TIME_WAIT", "", "")
