"""A machine on a virtual network: it is a Transport, with descriptors, ports, names and clocks of its own.

Owns what one machine owns.  Does not own time or traffic: that is the `Network`.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from functools import cached_property
from itertools import count
from random import Random
from typing import TYPE_CHECKING, Any

from ..errors import UsageError
from ..transport import Address, Poller, Transport, Turner
from ..units import SECOND_NS
from . import linux as std
from .clock import HostClock
from .kernel.addresses import ANY, Inet, is_loopback, is_wildcard
from .kernel.descriptors import Descriptors, Holder
from .kernel.file import File
from .kernel.kinds import make_end
from .kernel.ports import Ports
from .kernel.sock import SocketEnd
from .kernel.tcp import TcpEnd
from .modules import Modules
from .names.destinations import source_for
from .pauses import Pausable
from .poller import OrderedPoller, VirtualPoller
from .questions import Questions
from .socket import VirtualSocket
from .spawning import Spawning

if TYPE_CHECKING:
    from ..process import Process
    from .faults import Fault
    from .kernel.tcp_wire import Syn
    from .kernel.udp_layer import UdpLayer
    from .kernel.unix_labels import UnixLabels
    from .kernel.unix_names import UnixNames
    from .link import Path
    from .names.resolver import Resolver
    from .names.zone import HostsFile
    from .network import Network

LOOPBACK = "127.0.0.1"
AF_INET = int(std.AF_INET)
_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?")


class HostWakeup:
    """Makes a loop have something to do at this moment.  It waits for nothing, so there is nothing to end."""

    __slots__ = ("_network", "fd", "set")

    def __init__(self, network: Network, wake: Callable[[], None]) -> None:
        self._network = network
        self.set = wake
        self.fd = -1

    def check(self) -> None:
        self._network.check_thread("call_soon_threadsafe")

    def arm(self, poller: Poller) -> bool:
        return True

    def clear(self) -> None:
        """Nothing to do: there is no descriptor."""

    def close(self) -> None:
        """The same."""


class Host(Pausable, Questions, Spawning, Transport):
    """One machine of a `Network`; made by `Network.host`.

    As a context manager it becomes the current transport, so that handlers made inside live on it.

    Attributes:
        addresses: all that it has but for loopback, IPv4 ones first.
        sockets_max: how many sockets there is memory for, connections that nobody holds included;
            beyond that, ENOBUFS, of AF_UNIX ENOMEM.  None is no limit.
    """

    drives_loops = True
    ends_on_error = True
    making = nullcontext()  # nobody else is on a host
    clock: HostClock

    def __init__(self, network: Network, name: str, number: int, addresses: tuple[str, ...]) -> None:
        if not isinstance(name, str) or not _NAME.fullmatch(name) or name.replace(".", "").isdigit():
            raise UsageError(f"a host name has letters, digits, '.', '_' and '-', not {name!r}")
        self.network = network
        self.name = self.label = name
        self.alias = f"#{number} host"
        self.addresses = addresses
        self.number = network.trace.name(0, name)
        self.clock = HostClock(network)
        self.witness = network.witness
        self.is_up = self.runs = True  # it has power; and its programs have not ended
        self.watches_steps = network.watches_steps
        self.loops: list[Turner] = []
        self.processes: dict[Any, Process] = {}  # those that are alive, each by itself
        self._names: dict[str, int] = {}  # of processes: how many had which
        self.kept: dict[str, Any] = {}
        self.ports = Ports()
        self.paths: dict[str, Path] = {}
        self.connections: dict[tuple[str, int], int] = {}  # how many were opened, by target
        self.accepts: dict[str, int] = {}  # by listener; counted on through a restart
        self.calls: dict[str, int] = {}  # of those that may fail, by name
        self.descriptors = Descriptors()
        self.sockets_max: int | None = None
        self.inodes = count(1)
        self._buffers_max: int | None = None
        self._boot: list[Callable[[], object]] = []

    def __repr__(self) -> str:
        return f"<Host {self.name} {self.address}{'' if self.is_up else ' down'}>"

    # What few programs use is made when it is first asked for, and its rooms are entered only then: worlds
    # are many, and short.

    @cached_property
    def resolver(self) -> Resolver:
        """The functions of the socket module that look names up, as this host has them."""
        from .names.resolver import Resolver

        return Resolver(self)

    @cached_property
    def hosts_file(self) -> HostsFile:
        """Names that this host knows besides those of `Network.names`, and believes first."""
        from .names.zone import HostsFile

        return HostsFile({"localhost": ["127.0.0.1", "::1"]})

    @cached_property
    def udp(self) -> UdpLayer:
        """What it has of UDP besides sockets."""
        from .kernel.udp_layer import UdpLayer

        return UdpLayer(self)

    @cached_property
    def unix_names(self) -> UnixNames:
        """Who has which name of AF_UNIX, and the paths that there are."""
        from .kernel.unix_names import UnixNames

        return UnixNames()

    @cached_property
    def unix_labels(self) -> UnixLabels:
        """What traces call AF_UNIX sockets."""
        from .kernel.unix_labels import UnixLabels

        return UnixLabels(self)

    @cached_property
    def entropy(self) -> Random:
        """Where its processes get what `os.urandom` gives.  It depends on the host's name alone."""
        return Random(f"entropy of {self.name}")

    @cached_property
    def random(self) -> Random:
        """What the functions of `random` draw from in its processes."""
        return Random(f"random of {self.name}")

    @cached_property
    def modules(self) -> Modules:
        """The machine in the shape that existing code expects."""
        return Modules(self)

    # --- life ------------------------------------------------------------------------------------

    @property
    def boots(self) -> bool:
        """Whether any program runs again after a restart."""
        return bool(self._boot)

    def boot(self, program: Callable[[], object]) -> None:
        """Run `program` on this host now, and again whenever the host restarts."""
        self._boot.append(program)
        with self:
            program()

    def crash(self) -> Fault:
        """Lose power: every socket, timer and handler is gone, and no peer is told.

        What peers send gets lost, until `restart`; then it is answered by RST.  No `handle_close` is
        called and nothing is cleaned up: the programs of this host do not run any more.
        """
        return self.network.crash(self.name)

    def kill(self) -> Fault:
        """End its programs, as SIGKILL does: no handler is called, and the kernel closes what they had.

        Peers get a FIN, or a RST where something was not read (RFC 2525, section 2.17); whoever connects is
        refused, until `restart`.
        """
        return self.network.kill(self.name)

    def terminate(self) -> Fault:
        """Ask its programs to end, as SIGTERM does: each process gets one; see `Process.terminate`.

        Handlers that live on the host itself have no say, and end as by `kill`.  When the last process has
        ended, the kernel closes what is open, and the host is as after `kill`, until `restart`.
        """
        return self.network.terminate(self.name)

    def interrupt(self) -> Fault:
        """The same by SIGINT, as Ctrl-C does: KeyboardInterrupt in each process, and `finally`."""
        return self.network.interrupt(self.name)

    def restart(self) -> Fault:
        """Run the programs given to `boot` again, after a crash or `kill`."""
        return self.network.restart(self.name)

    def pause(self) -> Fault:
        """Stop its programs where they are, as SIGSTOP or a virtual machine that gets no processor.

        Its kernel answers, and takes what peers send as long as it has room.  Timers that fall due
        fire when it goes on.
        """
        return self.network.pause(self.name)

    def resume(self) -> Fault:
        """Let its programs go on after `pause`."""
        return self.network.resume(self.name)

    def lose_power(self) -> None:
        """The host's part of a crash."""
        self.is_up = False
        self._end_loops()
        # Last those that have no descriptor: waiting to be accepted, closed, or on their way in a message.
        for file in dict.fromkeys((*(file for _, file in self.sockets()), *self.ports.holders())):
            assert isinstance(file, File)
            file.vanish()
        self._begin_descriptors_anew()
        self.ports = self.ports.again()
        self.udp.lose_power()
        self.unix_names.lose_power()

    def end_programs(self) -> None:
        """The host's part of `kill`."""
        self._end_loops()
        for fd, _ in self.descriptors.items():
            self.descriptors.close(fd)
        self._begin_descriptors_anew()

    def _begin_descriptors_anew(self) -> None:
        """Objects of the programs that ended, which Python may drop at any time, close none of later ones."""
        self.descriptors.vanish()
        before = self.descriptors
        self.descriptors = Descriptors(before.limit, before.system_limit)
        if before.base:
            self.raise_numbers()

    def raise_numbers(self) -> None:
        """From now on descriptors have numbers that this computer cannot have, for processes run here."""
        self.descriptors.count_from(next(self.network.tables))

    def _end_loops(self) -> None:
        self.runs = self.is_stopping = False
        self.end_pauses()
        self.end_processes()
        self.leave_loops()

    def leave_loops(self) -> list[Turner]:
        """Turn its loops no more; returns them."""
        loops, self.loops, self.kept = self.loops, [], {}
        for loop in loops:
            self.network.forget(loop)
            loop.close()
        return loops

    def power_on(self) -> None:
        """The host's part of a restart."""
        self.is_up = self.runs = True
        for program in self._boot:
            with self:
                program()

    # --- transport -------------------------------------------------------------------------------

    def socket(self, family: int = std.AF_INET, type: int = std.SOCK_STREAM, proto: int = 0) -> VirtualSocket:
        if not self.runs:
            raise UsageError(f"host {self.name} is down: no program runs on it")
        self.begin_call("socket")
        return VirtualSocket(self, make_end(self, family, type, proto), proto=proto)

    def poller(
        self,
        kind: str | None = None,
        wake: Callable[[], None] | None = None,
        hand: Callable[[int, int], bool] | None = None,
    ) -> VirtualPoller:
        if kind not in (None, "select", "poll", "epoll"):
            raise UsageError(f"no poller is called {kind!r}; there are select, poll and epoll")
        return (OrderedPoller if kind == "select" else VirtualPoller)(self, wake, hand)

    def adopt(self, loop: Turner) -> None:
        self.loops.append(loop)

    def dismiss(self, loop: Turner) -> None:
        self.loops = [other for other in self.loops if other is not loop]
        self.network.forget(loop)

    def waker(self, loop: Turner) -> Callable[[], None]:
        return self.network.waker(self, loop)

    def wakeup(self, loop: Turner) -> HostWakeup:
        return HostWakeup(self.network, self.waker(loop))

    def drive(self, loop: Turner, timeout: float | None) -> bool:
        return self.network.drive(self, loop, timeout)

    # --- descriptors -----------------------------------------------------------------------------

    @property
    def descriptors_max(self) -> int:
        """How many descriptors a program has, the three standard streams included (RLIMIT_NOFILE)."""
        return self.descriptors.limit

    @descriptors_max.setter
    def descriptors_max(self, limit: int) -> None:
        self.descriptors.limit = limit

    @property
    def files_max(self) -> int | None:
        """How many files may be open on the host (fs.file-max); beyond that, ENFILE.  None is no limit."""
        return self.descriptors.system_limit

    @files_max.setter
    def files_max(self, limit: int | None) -> None:
        self.descriptors.system_limit = limit

    @property
    def buffers_max(self) -> int | None:
        """Bytes that a buffer of its TCP sockets holds, where no program has set it.  None is no limit."""
        return self._buffers_max

    @buffers_max.setter
    def buffers_max(self, limit: int | None) -> None:
        self._buffers_max = limit
        for end in dict.fromkeys(file for _, file in self.sockets()):
            if isinstance(end, TcpEnd):
                end.resize_buffers()

    def check_memory(self, reason: int = errno.ENOBUFS) -> None:
        """Raise OSError if there is no memory for one more socket (inet_create; ENOMEM in unix_create1)."""
        if self.sockets_max is None:
            return
        if sum(isinstance(file, SocketEnd) for _, file in self.sockets()) >= self.sockets_max:
            raise OSError(reason, os.strerror(reason))

    def close(self, fd: int, closer: Holder | None = None) -> None:
        """close(2), which waits if the socket is to linger and something has not arrived (socket(7)).

        Inside a handler it does not wait: what is queued is sent all the same.
        """
        file = self.descriptors.of(fd)
        self.descriptors.close(fd, closer)
        network = self.network
        if file.linger_seconds and (network.process is not None or not network.is_passing):
            deadline_ns = self.deadline_ns(file.linger_seconds)
            self.wait("close", lambda: not file.lingers, deadline_ns, (file,))

    def sockets(self) -> list[tuple[int | None, File]]:
        """Descriptors in order and what is behind them; then what holds a port without a descriptor:
        connections that wait to be accepted, and those whose program has closed them."""
        sockets: list[tuple[int | None, File]] = [*self.descriptors.items()]
        for end in self.ports.holders():
            if isinstance(end, TcpEnd) and (end.orphan or end.listener is not None):
                sockets.append((None, end))
        for _, file in self.descriptors.items():
            sockets += [(None, end) for end in file.without_descriptors()]
        return sockets

    def owner(self, fd: int) -> str:
        """Who uses a descriptor: what its loop says of it."""
        own = [loop for process in self.processes for loop in process.loops]
        return next((text for loop in (*self.loops, *own) if (text := loop.describe(fd))), "")

    # --- waiting ---------------------------------------------------------------------------------

    def deadline_ns(self, timeout: float | None) -> int | None:
        """When a wait of `timeout` seconds that begins now is over; None if it never is."""
        return None if timeout is None else self.network.now_ns + round(timeout * SECOND_NS)

    def wait(
        self,
        call: str,
        condition: Callable[[], object],
        deadline_ns: int | None,
        files: Iterable[File] = (),
        events: int = -1,
    ) -> bool:
        """Let time pass until `condition` is true, or until the deadline; whether it is true.

        What every call that has to wait does, outside of handlers.  Raises NotImplementedError inside one,
        and Deadlock if nothing can happen any more and there is no deadline.  While the host stands still
        nobody is told, in time or not.

        A process stands still meanwhile, and asks again when one of `files` may have one of `events`.
        """
        process = self.network.process
        if process is not None:
            return process.wait(call, condition, deadline_ns, files, events)
        found = self.network.wait(call, lambda: self.parked is None and condition(), deadline_ns)
        if self.parked is None:
            return found
        self.network.wait(call, self.goes_on, None)
        return bool(condition())

    # --- names and routes ------------------------------------------------------------------------

    @property
    def address(self) -> str:
        """The first of its IPv4 addresses."""
        return self.addresses[0]

    def resolve(self, name: Any, family: int = AF_INET) -> str:
        """The address of a name, as connect() and bind() look it up."""
        if family == AF_INET and name.__class__ is str and "hosts_file" not in self.__dict__:
            address = self.network.names.plain.get(name)
            if address is not None:
                effect = self.choose_lookup() if name else None
                if effect is None:
                    return address
                from .names.errors import gaierror

                raise gaierror(std.EAI_AGAIN if effect[0] == "again" else std.EAI_NONAME)
        return self.resolver.address(name, family)

    def getaddrinfo(
        self, host: Any, port: Any, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0
    ) -> list[tuple[Any, Any, int, str, Address]]:
        return self.resolver.getaddrinfo(host, port, family, type, proto, flags)

    def local_address(self, address: str) -> str | None:
        """`address` if a socket of this host may be bound to it."""
        return address if is_wildcard(address) or self._has(address) else None

    def route(self, address: Inet, source: str) -> tuple[Host | None, Inet]:
        """Who has an address, and the address that a socket bound to `source` is then connected to."""
        name, port = address
        if name == ANY:
            name = LOOPBACK if source == ANY else source
        return self if self._has(name) else self.network.host_at(name), (name, port)

    def _has(self, address: str) -> bool:
        return address in self.addresses or is_loopback(address)

    def source_address(self, remote: str) -> str:
        """The own address that a connection to `remote` comes from."""
        return source_for(remote, self.addresses)

    def arrive(self, syn: Syn) -> None:
        """A SYN has arrived: whoever sent one there takes it, or a listener, or it is refused."""
        asking = self.ports.asking((syn.address, syn.port), syn.opener.local)
        listener = self.ports.listener(syn.address, syn.port, syn.opener.local[1])
        if isinstance(asking, TcpEnd):
            asking.on_crossing_syn(syn)
        elif isinstance(listener, TcpEnd):
            listener.on_syn(syn)
        else:
            self.network.refuse(self, syn)
