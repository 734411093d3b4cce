"""Two machines to run handlers on, real or virtual, without the test knowing which.

A `Stage` has a `server` and a `client` transport and can let time pass until something holds.  On the
virtual stage they are two hosts of a network; on the real one both are this computer, over loopback.
So one test states what a handler does, and runs on both::

    def test_echo(stage):
        with stage.server:
            echo = Echo(stage.address)
        with stage.client:
            talker = Talker(stage.reach(echo.socket), b"hello")
        stage.run(lambda: talker.received == b"hello")

Owns the difference between the two worlds as a test sees it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from tempfile import TemporaryDirectory
from typing import Any

from .errors import Deadlock
from .loop import loop_for
from .real import RealTransport
from .transport import Address, Transport
from .units import SECOND_NS, duration_ns
from .virtual import Network


class Stage(ABC):
    """A server's machine and a client's."""

    server: Transport
    client: Transport
    address: Address
    """Where to bind a server so that the client can reach it; port 0 is any free one."""

    @abstractmethod
    def reach(self, sock: Any) -> Address:
        """The address under which the client reaches a listening socket of the server."""

    @abstractmethod
    def path(self, name: str) -> str:
        """A path on the server's machine where no file is: where a socket of AF_UNIX may be bound.

        AF_UNIX does not leave a machine, so both ends are made on `server`.
        """

    @abstractmethod
    def run(self, until: Callable[[], object], limit: str | float = "5s") -> None:
        """Let time pass until ``until()`` is true.

        Raises Deadlock if it is not after `limit`, in the stage's own time, or never can be.
        """

    @abstractmethod
    def close(self) -> None:
        """Close every channel that is left."""


class VirtualStage(Stage):
    """The hosts ``server`` and ``client`` of a network."""

    def __init__(self, network: Network | None = None) -> None:
        self.network = network if network is not None else Network()
        self.server = self.network.host("server")
        self.client = self.network.host("client")
        self.address = ("", 0)

    def reach(self, sock: Any) -> Address:
        return ("server", sock.getsockname()[1])

    def path(self, name: str) -> str:
        return f"/run/{name}"

    def run(self, until: Callable[[], object], limit: str | float = "5s") -> None:
        if until():
            return
        network, reached = self.network, False
        limit_ns = network.now_ns + duration_ns(limit)

        def is_over() -> bool:
            nonlocal reached
            in_time = network.now_ns <= limit_ns
            reached = in_time and bool(until())
            return reached or not in_time

        network.run(until=is_over)
        if not reached:
            raise Deadlock(f"not reached within {limit} of virtual time\n{network.netstat()}")

    def close(self) -> None:
        """Nothing to do: a network is memory."""


class RealStage(Stage):
    """This computer, with a loop of its own, over loopback."""

    def __init__(self, poller: str | None = None) -> None:
        self.server = self.client = self._machine = RealTransport(poller)
        self._loop = loop_for(self._machine)
        self.address = ("127.0.0.1", 0)
        self._directory: TemporaryDirectory[str] | None = None

    def reach(self, sock: Any) -> Address:
        return sock.getsockname()

    def path(self, name: str) -> str:
        if self._directory is None:
            self._directory = TemporaryDirectory(prefix="simnet")
        return f"{self._directory.name}/{name}"

    def run(self, until: Callable[[], object], limit: str | float = "5s") -> None:
        clock = self._machine.clock
        limit_ns = clock.monotonic_ns() + duration_ns(limit)
        while not until():
            left = limit_ns - clock.monotonic_ns()
            if left <= 0:
                raise Deadlock(f"not reached within {limit}; channels: {list(self._loop.map.values())}")
            self._machine.drive(self._loop, min(left / SECOND_NS, 0.05))

    def close(self) -> None:
        for loop in self._machine.loops:
            for channel in list(loop.map.values()):
                close = getattr(channel, "close", None)  # a map may hold anything that has handlers
                if close is not None:
                    close()
        self._machine.close()
        if self._directory is not None:
            self._directory.cleanup()
