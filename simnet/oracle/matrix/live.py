"""Cells of the live kernel, made by a process of their own in a network namespace of its own.

Owns that process, and when loopback traffic has arrived.

Traffic on loopback goes through the queue of the processor that sends it, first in, first out
(enqueue_to_backlog).  So the process stays on one processor; a datagram that it sends to itself arrives
after all that was sent before, and a few of them after all that this caused: SYN, SYN-ACK, ACK, RST.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from contextlib import suppress

from ...real.modules import MODULES
from ..namespace import Namespace, NoNamespace
from .bench import Bench
from .cells import Cells, Place, make, names
from .routes import acknowledge_at_once

OWN_ADDRESS = "10.0.0.1"
ROUNDS = 4
PATIENCE_S, PATIENCE_PER_CELL_S = 60, 0.01
FAILED = 3


def live_cells(wanted: Iterable[Place]) -> Cells:
    """The cells at these places, on the kernel of this machine.

    Raises:
        NoNamespace: this machine cannot make a private network namespace.
    """
    if not sys.platform.startswith("linux"):
        raise NoNamespace(f"network namespaces are Linux's, and this is {sys.platform}")
    asked = [[place.kind, place.state, place.operation] for place in wanted]
    patience_s = PATIENCE_S + PATIENCE_PER_CELL_S * len(asked)
    ran = subprocess.run(
        [sys.executable, "-m", __name__],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        timeout=patience_s,
    )
    if ran.returncode == FAILED:
        raise NoNamespace(ran.stderr.strip())
    assert ran.returncode == 0, ran.stderr
    return {Place(*place): cell for place, cell in json.loads(ran.stdout)}


class Loopback:
    """Knows when traffic on loopback has arrived."""

    def __init__(self) -> None:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        with suppress(OSError):  # some cells then depend on a delayed ACK
            acknowledge_at_once()
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sock.bind(("127.0.0.1", 0))
        self._sock.connect(self._sock.getsockname())
        self._sock.settimeout(1)

    def settle(self) -> None:
        for _ in range(ROUNDS):
            self._sock.send(b"")
            self._sock.recv(1)


def main() -> None:
    """Read places, write cells."""
    wanted = [Place(*place) for place in json.load(sys.stdin)]
    try:
        Namespace(OWN_ADDRESS)
    except NoNamespace as why:
        print(why, file=sys.stderr)
        sys.exit(FAILED)
    loopback, paths = Loopback(), names()
    with tempfile.TemporaryDirectory() as directory:
        os.chdir(directory)  # names of AF_UNIX sockets are relative to it
        made = make(wanted, lambda kind: Bench(MODULES, kind, paths, loopback.settle))
        json.dump([[[place.kind, place.state, place.operation], cell] for place, cell in made], sys.stdout)
        os.chdir("/")


if __name__ == "__main__":
    main()
