"""A virtual host as a process on it sees it: a machine whose loops the process runs itself.

In a process, `simnet.loop` and `simnet.asyncore.loop` are what they are on this computer: a call in which one
pass follows the other, and which waits in select or poll until something is ready.  While the process does
something else, nobody is told.  Its channels are its own, as those of another process on this host are.

Handlers that a test makes on the host itself (``with host:``) are turned by the network, beside processes.

Owns that machine, and its way to wait.  Sockets, names and clocks are the host's.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from ..transport import Address, Poller, Turner
from ..undriven import Undriven

if TYPE_CHECKING:
    from ..virtual.host import Host


class Machine(Undriven):
    """What the current transport is in a process of `host`, and in its threads.

    Attributes:
        host: the machine that it is.
    """

    ends_on_error = True

    def __init__(self, host: Host) -> None:
        super().__init__(nullcontext())  # of several threads one runs at a time, until it waits
        self.host, self.network, self.name = host, host.network, host.name
        self.clock, self.witness = host.clock, host.witness

    def __repr__(self) -> str:
        return f"<Machine of a process on {self.name}>"

    @property
    def modules(self) -> Any:
        return self.host.modules

    @property
    def descriptors(self) -> Any:
        """For who looks at what its channels have open."""
        return self.host.descriptors

    def socket(self, family: int, type: int, proto: int = 0) -> Any:
        return self.host.socket(family, type, proto)

    def getaddrinfo(
        self, host: Any, port: Any, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0
    ) -> list[tuple[Any, Any, int, str, Address]]:
        return self.host.getaddrinfo(host, port, family, type, proto, flags)

    def poller(
        self,
        kind: str | None = None,
        wake: Callable[[], None] | None = None,
        hand: Callable[[int, int], bool] | None = None,
    ) -> Poller:
        return WaitingPoller(self.host, kind)

    def wakeup(self, loop: Turner) -> ThreadWakeup:
        return ThreadWakeup(self.host)

    def timers_first(self, ready: int) -> bool:
        return self.host.timers_first(ready)


class WaitingPoller(Poller):
    """A poller of the host's in which a process waits."""

    def __init__(self, host: Host, kind: str | None) -> None:
        self._host = host
        self._call = kind or "poll"
        self._inner = host.poller(kind, self._wake)
        self._waiting: Any = None  # the process or the thread that waits here
        self._is_woken = False

    def watch(self, fd: int, events: int) -> None:
        self._inner.watch(fd, events)

    def forget(self, fd: int) -> None:
        self._inner.forget(fd)

    def poll(self, timeout: float | None) -> list[tuple[int, int]]:
        host, self._is_woken = self._host, False
        ready = self._inner.poll(0.0)
        if ready:
            host.network.patience.looked_and_found(self._call)
        elif timeout == 0:
            host.network.patience.looked_in_vain(self._call)
        else:
            ready = self._wait(timeout)
        host.step(self._call, len(ready))
        return ready

    def _wait(self, timeout: float | None) -> list[tuple[int, int]]:
        ready: list[tuple[int, int]] = []

        def is_over() -> bool:
            ready[:] = self._inner.poll(0.0)
            return bool(ready) or self._is_woken

        host = self._host
        self._waiting = host.network.process
        try:
            host.wait(self._call, is_over, host.deadline_ns(timeout))
        finally:
            self._waiting = None
        return ready

    def end_wait(self) -> None:
        """Let who waits go on, with nothing."""
        self._is_woken = True
        self._wake()

    def _wake(self) -> None:
        if self._waiting is not None:
            self._waiting.wake()

    def close(self) -> None:
        self._inner.close()


class ThreadWakeup:
    """Ends the wait of a loop, at the request of another thread of its process."""

    __slots__ = ("_host", "_poller", "fd")

    def __init__(self, host: Host) -> None:
        self._host = host
        self._poller: WaitingPoller | None = None
        self.fd = -1

    def check(self) -> None:
        self._host.network.check_thread("call_soon_threadsafe")

    def arm(self, poller: Poller) -> bool:
        assert isinstance(poller, WaitingPoller)
        self._poller = poller
        return True

    def set(self) -> None:
        if self._poller is not None:
            self._poller.end_wait()

    def clear(self) -> None:
        """Nothing to do: there is no descriptor."""

    def close(self) -> None:
        self._poller = None
