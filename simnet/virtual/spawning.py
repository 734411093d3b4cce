"""The processes of a host: they begin here, have names of their own, and end with it.

Owns who is alive, and the names.  What a process does, and how it waits, is `simnet.process`, which is
entered with the first one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from ..errors import UsageError
from ..garbage import collector
from ..transport import Turner

if TYPE_CHECKING:
    from ..process import Process
    from .host import Host
    from .kernel.descriptors import Descriptors
    from .network import Network


class Spawning:
    """That part of a host."""

    name: str
    network: Network
    runs: bool
    loops: list[Turner]
    processes: dict[Any, Process]
    descriptors: Descriptors
    _names: dict[str, int]

    leave_loops: Callable[[], list[Turner]]
    end_programs: Callable[[], None]

    def spawn(
        self,
        function: Callable[..., object],
        *args: Any,
        name: str | None = None,
        daemon: bool = False,
        fresh: Iterable[str] = (),
        **kwargs: Any,
    ) -> Process:
        """Run blocking code on this host, as a process of its own.

        It begins when the network next lets time pass, and stands still whenever a call of it has to wait.

        Args:
            function: what it runs, with `args` and `kwargs`.
            name: what reports and scripts call it; without one, the function's name, with a number behind
                it from the second on.
            daemon: whether it may wait for ever.  A run without an end of its own ends when nothing can
                happen any more but that daemons wake up by themselves; another process that waits then is a
                Deadlock.
            fresh: packages that it imports anew and has for itself, by name: what their modules keep in
                globals is no other process's.

        Raises:
            UsageError: no program runs on this host just now, or another process of it has that name.
        """
        from ..process import OwnModules, Process, interposition, keep

        if not self.runs:
            raise UsageError(f"host {self.name} is down: no program runs on it")
        if not callable(function):
            raise UsageError(f"a process runs a function, not {function!r}")
        host = cast("Host", self)
        name = self._name_of(name, function)
        function = interposition.put_up_for(host, function)
        if not host.descriptors.base:
            if not (self.network.has_processes or self.network.is_passing):
                collector.tidy()
            host.raise_numbers()
        process = Process(host, name, daemon, partial(function, *args, **kwargs))
        if fresh:
            process.own_modules = OwnModules(fresh)
        self.processes[process] = process
        self.network.daemons += daemon
        keep(self.network)
        process.wake()
        return process

    def _name_of(self, given: str | None, function: Callable[..., object]) -> str:
        """The name of a process: no other of this host that is alive has it."""
        name = given or getattr(function, "__name__", type(function).__name__).strip("<>")
        if given is None:
            return self.name_for(name)
        if any(process.name == name for process in self.processes):
            raise UsageError(f"host {self.name} has a process called {name} already")
        return name

    def name_for(self, name: str) -> str:
        """A name that no process and no thread has had: with a number behind it from the second on."""
        nth = self._names[name] = self._names.get(name, 0) + 1
        return name if nth == 1 else f"{name}-{nth}"

    @property
    def is_ending(self) -> bool:
        """Whether just now the frames of a process that was killed are taken down."""
        process = self.network.process
        return process is not None and process.was_killed

    def has(self, turner: Turner) -> bool:
        """Whether a loop or a process still runs here."""
        return turner in self.loops or turner in self.processes

    is_stopping = False
    """Whether its programs have been told to end, and some have not."""

    def signal_programs(self, number: int) -> None:
        """The host's part of `terminate` and `interrupt`."""
        self.is_stopping = True
        for loop in self.leave_loops():
            for fd in [fd for fd in loop.map if self.descriptors.get(fd) is not None]:
                self.descriptors.close(fd)
        for process in [process for process in self.processes if process.leader is process]:
            process.send_signal(number)
        self.process_has_ended()

    def process_has_ended(self) -> None:
        """If it was the last that was to end, the kernel closes what is left."""
        if self.is_stopping and not self.processes:
            self.end_programs()

    def end_processes(self) -> None:
        """All of them, as `Process.kill` does."""
        # Who ends its own host is the last: what goes on until the end of its line is simnet's.
        for process in sorted(self.processes, key=lambda process: process is self.network.process):
            self.network.forget(process)
            process.close()
