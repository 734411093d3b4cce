"""pyftpdlib, as it comes from PyPI, on simnet.asyncore: a server on loopback, and one on a virtual host.

Its handlers ask the current machine through `asyncore.socket`.  Besides, pyftpdlib has a loop of its own,
and asks `select`, `socket` and `time` by its modules' globals: on a virtual host these are the host's.

Owns how the server is made and turned in either world.  What clients see of it is said by the tests.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from simnet import Host, install_asyncore
from simnet.loop import loop_for

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


class Turned:
    """A loop of pyftpdlib's as one channel of a host's: an epoll is readable while it has something to do."""

    declares_interest = True

    def __init__(self, host: Host, own_loop: Any) -> None:
        self._loop, self._own = loop_for(host), own_loop
        self._timer = self._loop.call_later(0, self.handle_read_event)
        self._loop.add(own_loop.fileno(), self)

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return False

    def handle_read_event(self) -> None:
        """One pass, which does not wait; it tells in how many seconds its earliest timer is due."""
        self._timer.cancel()
        delay = self._own.loop(timeout=0, blocking=False)
        if delay is not None:
            self._timer = self._loop.call_later(delay, self.handle_read_event)

    def handle_error(self) -> None:
        raise  # noqa: PLE0704 - called where the exception is being handled

    handle_close = handle_write_event = handle_expt_event = handle_error


@contextmanager
def asked_of(host: Host) -> Iterator[None]:
    """What pyftpdlib's modules have imported of this computer is the host's."""
    modules = host.modules
    time = modules.time
    twins = {"socket": modules.socket, "select": modules.select, "time": time, "timer": time.monotonic}
    with ExitStack() as stack:
        for name, module in sorted(sys.modules.items()):
            if name.startswith("pyftpdlib."):
                own = {asked: twin for asked, twin in twins.items() if asked in vars(module)}
                stack.enter_context(mock.patch.dict(vars(module), own))
        stack.enter_context(mock.patch.object(ioloop.Epoll, "_poller", modules.select.epoll))
        yield


@contextmanager
def served_on(host: Host, folder: Path, port: int = 21, **settings: Any) -> Iterator[None]:
    """The server, on a virtual host that drives it."""
    # sendfile(2) would be asked of this computer, with the number of a virtual descriptor.
    handler = handler_for(folder, use_sendfile=False, **settings)
    with asked_of(host), host, closing(ioloop.Epoll()) as own_loop:
        servers.FTPServer(("", port), handler, ioloop=own_loop)
        Turned(host, own_loop)
        yield
