"""The machine on which the body of a test runs: this computer, or a virtual host, behind one surface.

Inside one virtual host traffic has no latency and is delivered before the call returns, as on Linux's
loopback.  There, though, a busy computer may let a segment wait for a moment; so a test that depends on
something having arrived says what it waits for, and `eventually` waits, on a real machine, in short bounded
polls.  Nothing sleeps.

Owns sockets (all are closed at the end) and waiting.  Does not own any expectation.
"""

from __future__ import annotations

import errno
import fcntl
import itertools
import os
import resource
import select
import shutil
import socket as std
import struct
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest

from simnet import Network, RealTransport
from simnet.transport import ERR, HUP, IN, NVAL, OUT, PRI, RDHUP

EVERYTHING = IN | PRI | OUT | RDHUP
FIONREAD = 0x541B

_NAMES = {IN: "IN", PRI: "PRI", OUT: "OUT", ERR: "ERR", HUP: "HUP", NVAL: "NVAL", RDHUP: "RDHUP"}
_programs = itertools.count(os.getpid() * 997)


def mask_name(mask: int) -> str:
    """``IN|OUT|RDHUP``, with ``-`` for nothing."""
    return "|".join(name for bit, name in _NAMES.items() if mask & bit) or "-"


def outcome(call: Callable[..., Any], *arguments: Any) -> Any:
    """What a call returned, or the name of the errno that it raised."""
    try:
        result = call(*arguments)
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    return "ok" if result is None else result


class Machine:
    """What real and virtual machines have in common."""

    name: str
    patience_s: float
    """How long `eventually` may wait: virtual seconds, or real ones."""

    attempts: int
    """How often a claim may be tried that the rest of the machine can disturb."""

    address: str
    """A loopback address of this test's own: explicit ports on it collide with nobody's."""

    family = std.AF_INET
    """Over what `socket` and all that use it speak TCP."""

    modules: Any
    """`socket`, `select`, `selectors`, `time`, `os` and `fcntl` of this machine."""

    def __init__(self, transport: Any) -> None:
        self.transport = transport
        self.modules = transport.modules
        self._sockets: list[Any] = []
        self._descriptors: list[int] = []
        self._names = itertools.count(1)
        self.number = number = next(_programs)
        self.address = f"127.{number >> 14 & 127 | 64}.{number >> 7 & 127}.{1 + (number & 127)}"

    def close(self) -> None:
        for sock in self._sockets:
            sock.close()
        self._sockets.clear()
        for fd in [*self._descriptors]:
            self.close_descriptor(fd)

    def over(self, family: int) -> Machine:
        """This machine, whose TCP runs over this version of IP from now on."""
        if family != self.family:
            self.needs_ipv6()
            self.family, self.address = family, "::1"
        return self

    def needs_ipv6(self) -> None:
        """Skip the test if there is no IPv6 on loopback."""

    # --- sockets ---------------------------------------------------------------------------------

    def socket(self) -> Any:
        """A new non-blocking TCP socket, with Nagle's algorithm off."""
        return self.keep(self.transport.socket(self.family, std.SOCK_STREAM))

    def open(self, family: int, kind: int, proto: int = 0) -> Any:
        """A new non-blocking socket of any kind."""
        return self.keep(self.modules.socket.socket(family, kind, proto))

    def keep(self, sock: Any) -> Any:
        """The socket, which from now on does not block and is closed at the end."""
        sock.setblocking(False)
        if sock.type == std.SOCK_STREAM and sock.family != std.AF_UNIX:
            sock.setsockopt(std.IPPROTO_TCP, std.TCP_NODELAY, 1)
        self._sockets.append(sock)
        return sock

    def pipe(self) -> tuple[int, int]:
        """The reading and the writing end of a pipe, neither of which blocks."""
        ends = self.modules.os.pipe()
        for fd in ends:
            self.keep_descriptor(fd)
            self.modules.os.set_blocking(fd, False)
        return ends  # type: ignore[no-any-return]

    def epoll(self) -> Any:
        """A new epoll instance, which is closed at the end."""
        epoll = self.modules.select.epoll()
        self._sockets.append(epoll)
        return epoll

    def keep_descriptor(self, fd: int) -> int:
        """The descriptor, which is closed at the end unless `close_descriptor` did."""
        self._descriptors.append(fd)
        return fd

    def close_descriptor(self, fd: int) -> None:
        self._descriptors.remove(fd)
        self.modules.os.close(fd)

    def path(self) -> str:
        """Where no file is, and a socket may be bound."""
        raise NotImplementedError

    def abstract(self) -> str:
        """A name in the abstract namespace that nobody else has (unix(7))."""
        return f"\0simnet-{self.number}-{next(self._names)}"

    def listener(self, backlog: int = 5) -> Any:
        """A listener on a port that the kernel chose."""
        sock = self.socket()
        sock.bind((self.address, 0))
        sock.listen(backlog)
        return sock

    def connecting(self, address: Any) -> Any:
        """A socket whose connect() was called once."""
        sock = self.socket()
        assert sock.connect_ex(address) == errno.EINPROGRESS
        return sock

    def connected(self, listener: Any) -> Any:
        """A socket that is connected and that nobody accepted yet; connect() was called once."""
        sock = self.connecting(listener.getsockname())
        self.wait_for(sock, OUT)
        return sock

    def accept(self, listener: Any) -> Any:
        self.eventually(lambda: self.poll_mask(listener) & IN)
        return self.keep(listener.accept()[0])

    def pair(self, listener: Any = None) -> tuple[Any, Any]:
        """Both ends of a connection: the one that opened it, the accepted one."""
        listener = self.listener() if listener is None else listener
        opener = self.connected(listener)
        return opener, self.accept(listener)

    def closed_address(self) -> tuple[str, int]:
        """An address at which nobody listens."""
        sock = self.socket()
        sock.bind((self.address, 0))
        address = sock.getsockname()
        sock.close()
        return address  # type: ignore[no-any-return]

    # --- readiness -------------------------------------------------------------------------------

    def poll_mask(self, sock: Any) -> int:
        """What poll(2) says of a socket or a descriptor, every event asked for."""
        poller = self.transport.poller("poll")
        poller.watch(sock if isinstance(sock, int) else sock.fileno(), EVERYTHING)
        ready = poller.poll(0)
        poller.close()
        return ready[0][1] if ready else 0

    def mask(self, sock: Any) -> str:
        return mask_name(self.poll_mask(sock))

    def readable_bytes(self, sock: Any) -> int:
        """How many bytes a recv() could return at once (FIONREAD in tcp(7))."""
        raise NotImplementedError

    def ephemeral_ports(self, first: int, last: int) -> None:
        """Set what the kernel chooses from (ip_local_port_range in ip(7)); for the whole network."""
        raise NotImplementedError

    def descriptors_exhausted(self) -> AbstractContextManager[None]:
        """For as long as it lasts, the process has as many descriptors as it may have."""
        raise NotImplementedError

    # --- waiting ---------------------------------------------------------------------------------

    def meanwhile(self, action: Callable[[], object], after_s: float = 0.02) -> None:
        """Plan something that somebody else does in a while, when the test itself waits in a call."""
        raise NotImplementedError

    def pause(self) -> None:
        """Let a little time pass."""
        raise NotImplementedError

    def now_s(self) -> float:
        return float(self.transport.clock.monotonic_ns() / 1e9)

    def eventually(self, condition: Callable[[], object], within_s: float | None = None) -> bool:
        """Whether `condition` holds now or within a bounded time."""
        deadline_s = self.now_s() + (self.patience_s if within_s is None else within_s)
        while not condition():
            if self.now_s() >= deadline_s:
                return False
            self.pause()
        return True

    def wait_for(self, sock: Any, mask: int) -> None:
        """Assert that the poll mask of `sock` is, or becomes, exactly `mask`."""
        self.reaches(sock, mask_name(mask))
        assert self.mask(sock) == mask_name(mask)

    def reaches(self, sock: Any, mask: str) -> bool:
        """Whether the poll mask of `sock` is, or becomes, the one of this name."""
        return self.eventually(lambda: self.mask(sock) == mask)


class RealMachine(Machine):
    """This computer."""

    name = "real"
    patience_s = 2.0
    attempts = 3

    def __init__(self) -> None:
        super().__init__(RealTransport(poller="poll"))
        self._directory: str | None = None
        self._others: list[threading.Timer] = []

    def meanwhile(self, action: Callable[[], object], after_s: float = 0.02) -> None:
        self._others.append(threading.Timer(after_s, action))
        self._others[-1].start()

    def close(self) -> None:
        for other in self._others:
            other.join()
        super().close()
        if self._directory is not None:
            shutil.rmtree(self._directory)

    def needs_ipv6(self) -> None:
        with std.socket(std.AF_INET6, std.SOCK_DGRAM) as sock:
            if outcome(sock.bind, ("::1", 0)) != "ok":
                pytest.skip("this computer has no IPv6 on loopback")

    def path(self) -> str:
        self._directory = self._directory or tempfile.mkdtemp(prefix="simnet-")
        return f"{self._directory}/{next(self._names)}"

    def readable_bytes(self, sock: Any) -> int:
        try:
            return int(struct.unpack("i", fcntl.ioctl(sock.fileno(), FIONREAD, b"\0\0\0\0"))[0])
        except OSError:  # a listener
            return 0

    def ephemeral_ports(self, first: int, last: int) -> None:
        with open("/proc/sys/net/ipv4/ip_local_port_range", "w") as file:
            file.write(f"{first} {last}")

    @contextmanager
    def descriptors_exhausted(self) -> Iterator[None]:
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        highest = max(map(int, os.listdir("/proc/self/fd")))
        resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1, limits[1]))
        spare: list[int] = []
        try:
            while (fd := outcome(os.dup, 0)) != "EMFILE":
                spare.append(fd)
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
            for fd in spare:
                os.close(fd)

    def pause(self) -> None:
        select.select([], [], [], 0.0005)

    def now_s(self) -> float:
        return time.monotonic()


class VirtualMachine(Machine):
    """A host that is alone on its network."""

    name = "virtual"
    patience_s = 0.0
    attempts = 1

    def __init__(self) -> None:
        self.network = Network()
        self.host = self.network.host("machine")
        super().__init__(self.host)

    def path(self) -> str:
        return f"/run/{next(self._names)}"

    def readable_bytes(self, sock: Any) -> int:
        end = self.host.descriptors.get(sock.fileno())
        return 0 if end is None or end.is_listening else end.readable_bytes()

    def meanwhile(self, action: Callable[[], object], after_s: float = 0.02) -> None:
        self.network.at(self.network.now + after_s).call(action)

    def ephemeral_ports(self, first: int, last: int) -> None:
        self.host.ports.first, self.host.ports.last = first, last

    @contextmanager
    def descriptors_exhausted(self) -> Iterator[None]:
        limit = self.host.descriptors_max
        self.host.descriptors_max = 0
        while outcome(self.host.descriptors.check) == "EMFILE":
            self.host.descriptors_max += 1
        self.host.descriptors_max -= 1
        yield
        self.host.descriptors_max = limit

    def pause(self) -> None:
        self.network.run(until=self.network.now + 0.01)
