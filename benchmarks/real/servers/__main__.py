"""``python -m benchmarks.real.servers MODULE FUNCTION``: an echo server in a process of its own.

Prints its port, and then, for every line that it is sent, the seconds of CPU that it has taken so far.
Ends when its standard input does, and so does not outlive whoever started it.
"""

from __future__ import annotations

import os
import resource
import socket
import sys
import threading
from importlib import import_module

from benchmarks.real.servers import BACKLOG


def main(module: str, function: str) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    listener = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
    listener.setblocking(False)
    threading.Thread(target=answer, daemon=True).start()
    print(listener.getsockname()[1], flush=True)
    getattr(import_module(f"benchmarks.real.servers.{module}"), function)(listener)


def answer() -> None:
    """In a thread that sleeps in read(2), so that no loop has a descriptor more to look at."""
    for _ in sys.stdin:
        used = resource.getrusage(resource.RUSAGE_SELF)
        print(used.ru_utime + used.ru_stime, flush=True)
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
