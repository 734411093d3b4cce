"""What a probe is: an unmodified package in the processes of a virtual network, calm and with faults.

Its program is a module of `tests.unmodified.programs`; ``run(network)`` makes the hosts, spawns clients and
servers as the package ships them, lets the network run, and asserts what came of it.  The same function runs
in both weathers.  What a fault rightly changes, such as a request that has to be made again, it asserts from
what has happened on the network (`happened`).

Owns the probe and one performance of it.  Does not own which probes there are (`table`), nor the page.
"""

from __future__ import annotations

import platform
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version

import attrs

from simnet import Network, Script, parse
from simnet.fence import take_down
from simnet.process.kept import end

STANDARD_LIBRARY = "standard library"


@attrs.frozen
class Performance:
    """What one run came to: seconds of the network and of this computer, and the digest of its trace."""

    simulated_s: float
    real_s: float
    digest: str


@attrs.frozen
class Probe:
    """One package and what of it is exercised.

    Attributes:
        package: its distribution, or `STANDARD_LIBRARY`.
        exercised: what the program does, for the page.
        program: the name of its module in `tests.unmodified.programs`.
        faults: what the second run meets: sentences that `simnet.parse` reads.  Every one has to come true.
        needs: distributions that are exercised with it.
        tools: distributions that it only makes use of.
        latency: of every link.
        names_take: in the second run, how long a look-up of any name takes.
        varies: whether what it sends differs from run to run, as TLS and addresses of objects do.
        until: the first version of Python, as (major, minor), that no longer has it.
    """

    package: str
    exercised: str
    program: str
    faults: tuple[str, ...] = attrs.field(kw_only=True)
    needs: tuple[str, ...] = attrs.field(default=(), kw_only=True)
    tools: tuple[str, ...] = attrs.field(default=(), kw_only=True)
    latency: str = attrs.field(default="10ms", kw_only=True)
    names_take: str | None = attrs.field(default=None, kw_only=True)
    varies: bool = attrs.field(default=False, kw_only=True)
    until: tuple[int, int] | None = attrs.field(default=None, kw_only=True)

    @property
    def version(self) -> str:
        """Of the package here; of the standard library it is that of Python."""
        return platform.python_version() if self.package == STANDARD_LIBRARY else version(self.package)

    @property
    def weather(self) -> tuple[str, ...]:
        """All faults, as sentences."""
        slow = (f"every name takes {self.names_take}",) if self.names_take else ()
        return (*self.faults, *slow)

    @property
    def gone(self) -> str:
        """What is said of it on a Python that no longer has it."""
        return f"gone from Python {self.until[0]}.{self.until[1]}" if self.until else ""

    @property
    def lacks(self) -> str:
        """Why it cannot run on this Python; empty if it can."""
        if self.until is not None and sys.version_info >= self.until:
            return self.gone
        packages = (self.package, *self.needs, *self.tools)
        missing = [name for name in packages if name != STANDARD_LIBRARY and not _is_installed(name)]
        return f"not installed: {', '.join(missing)}" if missing else ""

    def perform(self, with_faults: bool) -> Performance:
        """Run it once.  Raises what its program raises, and AssertionError for a fault that was never met."""
        run = import_module(f"tests.unmodified.programs.{self.program}").run
        with _cleared(self._network(with_faults)) as network:
            began = time.perf_counter()
            run(network)
            took = time.perf_counter() - began
            assert network.unmet() == (), f"never met: {'; '.join(map(str, network.unmet()))}"
            return Performance(network.now, took, network.trace.digest())

    def _network(self, with_faults: bool) -> Network:
        script = Script.of(map(parse, self.faults)) if with_faults else None
        network = Network(script, latency=self.latency)
        network.trace.covers_contents = not self.varies
        if with_faults and self.names_take:
            network.names.delay("*", self.names_take)
        return network


@attrs.frozen
class Refused:
    """A distribution that does not run in the processes of a network.

    Attributes:
        package: the distribution.
        reason: why, for the page.
        program: the module of `tests.unmodified.programs` whose ``run(network)`` shows it; empty if it is
            not to be tried, because it would reach this computer from C, where nobody hears it.
        raises: the name of the exception in which that ends, and a part of its text.
    """

    package: str
    reason: str
    program: str = ""
    raises: tuple[str, str] = ("", "")

    @property
    def lacks(self) -> str:
        """Why it cannot even be tried on this Python; empty if it can."""
        if not self.program:
            return f"not tried: {self.package}"
        return "" if _is_installed(self.package) else f"not installed: {self.package}"

    def perform(self) -> BaseException | None:
        """Try it once; what it raised."""
        run = import_module(f"tests.unmodified.programs.{self.program}").run
        with _cleared(Network()) as network:
            try:
                run(network)
            except Exception as error:
                return error
        return None


@contextmanager
def _cleared(network: Network) -> Iterator[Network]:
    """Nothing of it is left behind: no process that stands still, and no name in a module."""
    try:
        yield network
    finally:
        end(network)
        take_down()


def _is_installed(distribution: str) -> bool:
    try:
        version(distribution)
    except PackageNotFoundError:
        return False
    return True


def happened(network: Network, op: str, outcome: str) -> int:
    """How often an outcome has come to an operation so far: ``happened(network, "recv", "reset")``."""
    return sum((each.op, each.outcome) == (op, outcome) for each in network.recording.deviations)
