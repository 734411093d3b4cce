"""Processes: blocking code that runs on a virtual host, as a greenlet that stands still while it waits.

A call that has to wait parks the process that made it, and the network goes on; what it waits for wakes it.
Who runs next, where several could, is a pick like any other.  So a program that was written for blocking
sockets runs as it stands, in virtual time, and a run repeats.

What such a program finds in the standard modules meanwhile are those of its host (`interposed`).

Owns processes (`process`), how one waits (`waiting`), how one is ended without a line of its code being run
(`ending`), and where one stands (`standing`).  Does not own what a call waits for: that is the kernel of
`virtual`, of which nothing is imported here; a host is handed in.
"""

from .interposed import interposition
from .kept import keep
from .own_modules import OwnModules
from .process import Process, running

__all__ = ["OwnModules", "Process", "interposition", "keep", "running"]
