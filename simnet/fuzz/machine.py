"""A Hypothesis state machine whose rules are what befalls a network, and the user's own.

`RuleBasedStateMachine` draws which rule comes next.  `NetworkMachine` has rules for time that passes and for
everything that goes wrong between two commands: hosts that are parted, fall and come back, and operations
that deviate.  A subclass adds what its program is told to do, and what must hold.  In the end the network
heals and comes to rest, and whatever was only delayed must have happened.

Owns the rules.  What a happening does is the business of `simnet.virtual.faults`.
"""

from __future__ import annotations

import errno
import gc
import sys
from collections.abc import Callable, Collection, Sequence
from itertools import permutations
from typing import Any, ClassVar, TypeVar

from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from ..outcomes import EVERY
from ..rules import Rule
from ..script import Happening
from ..units import duration, duration_ns
from ..virtual import Network
from ..virtual.host import Host

OPERATIONS = (
    "advance",
    "partition",
    "block",
    "isolate",
    "heal",
    "clog",
    "crash",
    "kill",
    "restart",
    "pause",
    "resume",
    "disturb",
)
"""The rules that a `NetworkMachine` has."""

R = TypeVar("R")

_TIMES = st.sampled_from(["1ms", "20ms", "100ms", "500ms", "2s", "10s", "1min"])
_KINDS: tuple[tuple[str, str, int], ...] = (
    ("segment", "late", duration_ns("500ms")),
    ("segment", "late", duration_ns("2s")),
    ("segment", "cut", 1),
    ("segment", "crumbles", 0),
    ("segment", "lost", 0),
    ("send", "takes", 1),
    ("send", "again", 0),
    ("recv", "again", 0),
    ("accept", "again", 0),
    ("connect", "loses", 1),
    ("segment", "reset", 0),
    ("send", "reset", 0),
    ("recv", "reset", 0),
    ("accept", "fails", errno.EMFILE),
    ("accept", "reset", 0),
    ("connect", "refused", 0),
    ("datagram", "late", duration_ns("500ms")),
    ("datagram", "lost", 0),
    ("datagram", "twice", 0),
)


def _enabled(operation: str, condition: Callable[[Any], object] = bool) -> Callable[[R], R]:
    """A precondition: the machine has this operation, and there is something to do for it."""
    return precondition(  # type: ignore[return-value]
        lambda machine: operation in machine.operations and bool(condition(machine))
    )


def _names(choose: Callable[[Host], bool]) -> Callable[[Any], list[str]]:
    """Of a machine, the names of its hosts for which `choose` is true."""
    return lambda machine: [name for name in machine.hosts if choose(machine.net.host(name))]


def _one_of(choices: Callable[[Any], Sequence[Any]]) -> st.SearchStrategy[Any]:
    """One of what there is at the machine just then."""
    return st.runner().flatmap(lambda machine: st.sampled_from(choices(machine)))


_all = _names(lambda host: True)
_down = _names(lambda host: not host.runs)
_going = _names(lambda host: host.runs and not host.is_paused)
_paused = _names(lambda host: host.is_paused)


def _mortal(machine: NetworkMachine) -> Sequence[str]:
    if machine.may_fall is not None:
        return machine.may_fall
    return _names(lambda host: host.boots)(machine)


def _up(machine: NetworkMachine) -> list[str]:
    return [name for name in _mortal(machine) if machine.net.host(name).is_up]


def _running(machine: NetworkMachine) -> list[str]:
    return [name for name in _mortal(machine) if machine.net.host(name).runs]


def _kinds(machine: NetworkMachine) -> list[tuple[str, str, int]]:
    return [kind for kind in _KINDS if kind[:2] in machine.only]


def _pairs(machine: NetworkMachine) -> list[tuple[str, str]]:
    return list(permutations(machine.hosts, 2))


class NetworkMachine(RuleBasedStateMachine):
    """A state machine on a network: a subclass says who is on it, what they do, and what must hold.

    `boot` puts the programs on their hosts, rules of the subclass let them do something, its invariants are
    checked after every step, and `settled` when all is over: partitions have healed, hosts that were down or
    stood still run again, nothing deviates, and nothing more can happen.

    Every step of a failing run is printed as a line, ``state.crash(host='server')``, and with it the script
    of what befell the network, as ``Network(script=...)`` takes it.  What the rules of the subclass did is
    not in that script.

    Attributes:
        net: the network of this run.
        hosts: the names of its hosts, in the order in which they are made.
        operations: which of `OPERATIONS` may be drawn; all, without it.
        may_fall: which of the hosts may crash and be killed; without it those that `boot` a program, which
            is what runs again.
        only: which kinds of deviation `disturb` may draw, as (operation, outcome).
        options: arguments of `Network`.
        settles_within: how long the network has to come to rest, for programs that never do (they beat, or
            poll); None is until nothing can happen any more.
    """

    hosts: ClassVar[Sequence[str]] = ("server", "client")
    operations: ClassVar[Collection[str]] = OPERATIONS
    may_fall: ClassVar[Sequence[str] | None] = None
    only: ClassVar[Collection[tuple[str, str]]] = EVERY
    options: ClassVar[dict[str, Any]] = {}
    settles_within: ClassVar[str | float | None] = None

    def __init__(self) -> None:
        super().__init__()
        self._error_before = sys.exc_info()[1]
        self.net = Network(**self.options)
        for name in self.hosts:
            self.net.host(name)
        # Between two steps the collector would close what a program has dropped, at moments that depend on
        # the interpreter's memory; within one, `Network.run` keeps it away.
        self._collects = gc.isenabled()
        gc.disable()
        try:
            self.boot()
        except BaseException:
            self._collect_again()
            raise

    def boot(self) -> None:
        """Put the programs on their hosts: ``self.net.host("server").boot(...)``; called once, at first."""

    def settled(self) -> None:
        """Assert what must hold when the network has healed and come to rest; called at the end of a run."""

    # --- time --------------------------------------------------------------------------------------

    @_enabled("advance")
    @rule(time=_TIMES)
    def advance(self, time: str) -> None:
        """Let so much time pass."""
        self.net.run(until=duration(self.net.now_ns + duration_ns(time)))

    # --- ways --------------------------------------------------------------------------------------

    @_enabled("partition", _pairs)
    @rule(pair=_one_of(_pairs))
    def partition(self, pair: tuple[str, str]) -> None:
        """Nothing gets through between two hosts."""
        self._befall("partition", (pair[:1], pair[1:]))

    @_enabled("block", _pairs)
    @rule(pair=_one_of(_pairs))
    def block(self, pair: tuple[str, str]) -> None:
        """Nothing gets through from the first to the second."""
        self._befall("block", (pair[:1], pair[1:]))

    @_enabled("isolate", _pairs)
    @rule(host=_one_of(_all))
    def isolate(self, host: str) -> None:
        """Nothing gets through between one host and any other."""
        self._befall("isolate", ((host,),))

    @_enabled("heal", _pairs)
    @rule()
    def heal(self) -> None:
        """Partitions, blocks and isolations end."""
        self._befall("heal")

    @_enabled("clog", _pairs)
    @rule(pair=_one_of(_pairs), time=_TIMES)
    def clog(self, pair: tuple[str, str], time: str) -> None:
        """What leaves the first for the second waits so long; nothing gets lost."""
        self._befall("clog", (pair[:1], pair[1:]), (duration_ns(time),))

    # --- hosts -------------------------------------------------------------------------------------

    @_enabled("crash", _up)
    @rule(host=_one_of(_up))
    def crash(self, host: str) -> None:
        """A host loses power."""
        self._befall("crash", ((host,),))

    @_enabled("kill", _running)
    @rule(host=_one_of(_running))
    def kill(self, host: str) -> None:
        """The programs of a host end, and its kernel closes what they had."""
        self._befall("kill", ((host,),))

    @_enabled("restart", _down)
    @rule(host=_one_of(_down))
    def restart(self, host: str) -> None:
        """What was given to `Host.boot` runs again."""
        self._befall("restart", ((host,),))

    @_enabled("pause", _going)
    @rule(host=_one_of(_going))
    def pause(self, host: str) -> None:
        """The programs of a host stand still."""
        self._befall("pause", ((host,),))

    @_enabled("resume", _paused)
    @rule(host=_one_of(_paused))
    def resume(self, host: str) -> None:
        """They go on."""
        self._befall("resume", ((host,),))

    # --- operations --------------------------------------------------------------------------------

    @_enabled("disturb", _kinds)
    @rule(host=_one_of(_all), kind=_one_of(_kinds))
    def disturb(self, host: str, kind: tuple[str, str, int]) -> None:
        """The next operation of a kind on a host deviates: ``("send", "takes", 1)``."""
        op, outcome, amount = kind
        self.net.add_rule(Rule(where=host, op=op, outcome=outcome, amount=amount, times=1))

    # --- the end -----------------------------------------------------------------------------------

    def teardown(self) -> None:
        """Heal, come to rest, and require what `settled` asserts; unless the run has failed already."""
        try:
            if sys.exc_info()[1] is self._error_before:
                self._settle()
        finally:
            self._collect_again()
            script = self.net.script()
            note(f"what befell the network:\n{script}\n{script!r}")

    def _collect_again(self) -> None:
        if self._collects:
            gc.enable()

    def _settle(self) -> None:
        self.net.clear_up()
        for host in _down(self):
            self._befall("restart", ((host,),))
        if self.settles_within is None:
            self.net.run()
        else:
            self.net.run(until=duration(self.net.now_ns + duration_ns(self.settles_within)))
        self.settled()

    def _befall(
        self, what: str, groups: tuple[tuple[str, ...], ...] = (), amounts: tuple[int, ...] = ()
    ) -> None:
        happening = Happening(self.net.now_ns, what, groups, amounts)
        self.net.befall(what, groups, amounts)
        self.net.happened.append(happening)
