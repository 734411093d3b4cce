"""pyftpdlib, as it comes from PyPI, on simnet.asyncore: a server on loopback, and one on a virtual host.

Owns how the server is made and run in either world.  What clients see of it is said by the tests.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from simnet import install_asyncore

with install_asyncore(replace=True):  # pyftpdlib keeps what it finds; tests beside it may have another
    from pyftpdlib import handlers, ioloop, servers
    from pyftpdlib.authorizers import DummyAuthorizer

USER, PASSWORD = "ada", "enchantress"
SERVE_PASSES_MAX = 100_000


def handler_for(folder: Path, **settings: Any) -> type[Any]:
    """A class of FTP handlers whose user may do everything in `folder`."""
    authorizer = DummyAuthorizer()
    authorizer.add_user(USER, PASSWORD, str(folder), perm="elradfmwMT")
    return type("Handler", (handlers.FTPHandler,), {"authorizer": authorizer, **settings})


def patient(timeout_s: int) -> dict[str, Any]:
    """Settings with which all of pyftpdlib's time-outs, which are 30 s and 300 s, are longer."""
    settings: dict[str, Any] = {"timeout": timeout_s}
    for name in ("dtp_handler", "passive_dtp", "active_dtp"):
        cls = getattr(handlers.FTPHandler, name)
        settings[name] = type(cls.__name__, (cls,), {"timeout": timeout_s})
    return settings


@contextmanager
def served_on_loopback(folder: Path) -> Iterator[tuple[str, int]]:
    """The address of a server that a thread turns until the end of the `with`."""
    stop = threading.Event()
    with closing(ioloop.IOLoop.factory()) as own_loop:
        server = servers.FTPServer(("127.0.0.1", 0), handler_for(folder), ioloop=own_loop)

        def serve() -> None:
            for _ in range(SERVE_PASSES_MAX):
                if stop.is_set():
                    return
                own_loop.loop(timeout=0.01, blocking=False)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.address
        finally:
            stop.set()
            thread.join(10)


def serve(folder: Path, port: int = 21, **settings: Any) -> None:
    """What a program does that is an FTP server, for a process on a virtual host."""
    servers.FTPServer(("", port), handler_for(folder, **settings)).serve_forever()
