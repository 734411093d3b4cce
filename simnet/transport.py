"""The seam: what a program can ask of the machine it runs on, as contracts.

A `Transport` is a machine: it makes sockets and pollers, tells the time and knows names.
`simnet.real` is this computer; in `simnet.virtual` every host of a network is a Transport.  Code above
the seam never asks which one it has.

Which transport?  Each handler may be given one; if it is not, it takes the current one, a context
variable that ``with transport:`` sets.  The default is this computer, so that existing classes, with
constructors that know nothing of transports, run on either without an edit.

This module owns the contracts and the current transport.  It does not own any implementation.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from contextvars import ContextVar
from typing import Any, Protocol, Self, TypeAlias

Address: TypeAlias = Any
"""What the socket family uses: (host, port) for AF_INET, a path for AF_UNIX."""

# Readiness, with the numbers of <poll.h> on Linux, on every transport and platform.
IN = 0x001
PRI = 0x002
OUT = 0x004
ERR = 0x008
HUP = 0x010
NVAL = 0x020
RDHUP = 0x2000

HOSTED = 2_000_000_000
"""From here on descriptors are those of virtual hosts with processes.  Linux gives numbers below fs.nr_open,
the lowest first; that is 1,048,576, or as systemd sets it 1,073,741,816."""


class Clock(Protocol):
    """Two clocks of one machine.  Neither runs backwards unless somebody turned the wall clock."""

    def monotonic_ns(self) -> int:
        """Nanoseconds since some fixed start; the clock of timers and time-outs."""

    def time_ns(self) -> int:
        """Nanoseconds since the Unix epoch; the clock on the wall."""


class Socket(Protocol):
    """The methods of `socket.socket` that handlers use; failures are OSError with the kernel's errno.

    A socket is created blocking, as Python does; the dispatcher makes it non-blocking.
    """

    @property
    def family(self) -> int: ...
    @property
    def type(self) -> int: ...
    def fileno(self) -> int: ...
    def setblocking(self, flag: bool, /) -> None: ...
    def bind(self, address: Address, /) -> None: ...
    def listen(self, backlog: int = ..., /) -> None: ...
    def accept(self) -> tuple[Any, Address]: ...
    def connect(self, address: Address, /) -> None: ...
    def connect_ex(self, address: Address, /) -> int: ...
    def send(self, data: Any, flags: int = ..., /) -> int: ...
    def recv(self, bufsize: int, flags: int = ..., /) -> bytes: ...
    def shutdown(self, how: int, /) -> None: ...
    def getsockname(self) -> Address: ...
    def getpeername(self) -> Address: ...
    def getsockopt(self, level: int, option: int, /) -> Any: ...
    def setsockopt(self, level: int, option: int, value: Any, /) -> None: ...
    def close(self) -> None: ...


class Poller(ABC):
    """Tells which descriptors are ready, level-triggered.

    Interest is kept, not passed anew: a caller says what changed, and the cost of `poll` is that of
    what is ready (select and poll pay for what is registered; that is their nature).

    Attributes:
        is_news: whether the last `poll` found anything that its program has not left alone again and again.
    """

    is_news: bool = True

    @abstractmethod
    def watch(self, fd: int, events: int) -> None:
        """Be interested in `events` (IN, PRI, OUT) of `fd`; 0 forgets it.  Registers or modifies.

        A descriptor that is not open raises OSError(EBADF), at the latest from `poll`.
        """

    @abstractmethod
    def forget(self, fd: int) -> None:
        """Drop `fd`, which may be closed already or never have been watched."""

    @abstractmethod
    def poll(self, timeout: float | None) -> list[tuple[int, int]]:
        """Wait up to `timeout` seconds (None: for ever) and return (fd, events), in the poller's order.

        ERR, HUP and NVAL come unasked.  A signal's handler runs meanwhile, and the wait goes on (PEP 475).
        """

    @abstractmethod
    def close(self) -> None:
        """Release what the poller holds.  It watches nothing afterwards."""


class Wakeup(Protocol):
    """What ends the wait of one loop, at the request of another thread or of a signal's handler."""

    fd: int
    """The descriptor that becomes readable then; -1 if there is none."""

    def check(self) -> None:
        """Raise NotImplementedError if the calling thread is none that this machine knows of."""

    def arm(self, poller: Poller) -> bool:
        """Before `poller` waits: let `set` end it.  False if no descriptor is left for that."""

    def set(self) -> None:
        """End the wait, or the next one; never blocks.  Any thread may call it, and a signal's handler."""

    def clear(self) -> None:
        """The loop has woken up, and will look for what it was woken for."""

    def close(self) -> None:
        """Give the descriptor back."""


class Turner(Protocol):
    """Something that a machine drives: an event loop, one pass at a time."""

    map: dict[int, Any]
    poller: Any
    """The `Poller` that tells what is ready; None of a process, which waits by itself."""

    is_default: bool
    """Whether channels join it that name no map."""

    label: str
    """A name of its own; empty for a loop, which goes by that of its machine."""

    @property
    def asks(self) -> bool:
        """Whether its next pass may find something that nobody has told it of."""

    def turn(self, timeout: float | None) -> bool:
        """Make one pass; True if any handler or timer was called."""

    def next_deadline_ns(self) -> int | None:
        """When the earliest timer is due on the machine's monotonic clock, or None."""

    def next_timer(self) -> str | None:
        """What the earliest timer calls, for reports; None if there is no timer."""

    def close(self) -> None:
        """End for ever: no handler, no timer and no call is made any more."""

    def describe(self, fd: int) -> str | None:
        """Who owns descriptor `fd` in this loop, for reports; None if nobody does."""


class Transport(ABC):
    """A machine: sockets, pollers, clocks, names, and who drives the loops that run on it."""

    clock: Clock

    loops: list[Any]
    """The loops that run here."""

    making: AbstractContextManager[object]
    """Held while a loop is looked for and made: threads of a real machine do so at the same time."""
    kept: dict[str, Any]
    """What modules above the seam keep of this machine, by their names: where there is one machine only,
    that would be globals of theirs.  Gone when the machine loses power."""

    modules: Any
    """The machine in the shape that existing code expects: an object with the attributes `socket`, `select`,
    `selectors`, `time`, `os` and `fcntl`, each with the surface of the standard module of that name."""

    witness: Any = None
    """Who is told what channels do when they end; None where nobody looks.  See `simnet.checks`."""

    drives_loops: bool
    """Whether it turns the loops that run on it (a virtual machine), or somebody runs them (a real one)."""

    ends_on_error: bool
    """Whether an exception that a handler lets out ends the run and reaches the test (a virtual
    machine), or is logged and closes the channel, as asyncore documents (a real one)."""

    @abstractmethod
    def socket(self, family: int, type: int, proto: int = 0) -> Any:
        """A new Socket."""

    @abstractmethod
    def poller(
        self,
        kind: str | None = None,
        wake: Callable[[], None] | None = None,
        hand: Callable[[int, int], bool] | None = None,
    ) -> Poller:
        """A new Poller; `kind` is ``"select"``, ``"poll"``, ``"epoll"``, ``"kqueue"`` or None: the default.

        A machine that drives its loops itself calls `wake` when a descriptor becomes ready while
        none was.  Where a whole pass would be this one event, it may call ``hand(fd, events)`` instead,
        which returns False if the loop wants the pass.
        """

    @abstractmethod
    def getaddrinfo(
        self, host: Any, port: Any, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0
    ) -> list[tuple[Any, Any, int, str, Address]]:
        """As `socket.getaddrinfo`; an unknown name raises socket.gaierror."""

    @abstractmethod
    def adopt(self, loop: Turner) -> None:
        """A loop says that it runs here.  A machine that drives its loops remembers it."""

    @abstractmethod
    def dismiss(self, loop: Turner) -> None:
        """A loop does not run here any more, or not for now; it is not closed."""

    @abstractmethod
    def waker(self, loop: Turner) -> Callable[[], None]:
        """What `loop` calls when it has something to do before its next pass: a new timer, changed
        interest.  A machine that drives its loops remembers to."""

    @abstractmethod
    def wakeup(self, loop: Turner) -> Wakeup:
        """What other threads end the waits of `loop` by."""

    @abstractmethod
    def drive(self, loop: Turner, timeout: float | None) -> bool:
        """Let time pass for one pass of `loop`.  False when nothing can ever happen to it again."""

    steps = 0
    """How often poll has found a channel of its loops ready: each is a *step*, and counts from 1."""

    watches_steps = False
    """Whether the next step may be held up; else nobody is asked."""

    def choose_hold(self, nth: int, left: int, data: Any = None) -> int:
        """For how many ns the machine is held up before a step; 0 if it goes on at once.

        Between the answer of poll and what a program does about it time passes on a real machine: it does
        something else, or has done much for other channels.  What happens meanwhile, poll has not told.

        Args:
            nth: which step it is.
            left: how many channels that poll has found ready are not told yet, this one included.
            data: those, for who decides it.
        """
        return 0

    def hold_up(self, loop: Turner | None, time_ns: int) -> None:
        """Let nobody do anything for so long; `loop` makes a pass then, if it is given."""
        raise AssertionError("nobody holds this machine up")

    def timers_first(self, ready: int) -> bool:
        """Whether timers that are due come before so many channels that are ready in the same pass.

        Programs must not rely on either; on a real machine channels come first.
        """
        return False

    def __enter__(self) -> Self:
        _entered.set((*_entered.get(), (self, _current.get())))
        _current.set(self)
        return self

    def __exit__(self, *exc_info: object) -> None:
        entered = _entered.get()
        if entered and entered[-1][0] is self:
            _entered.set(entered[:-1])
            _current.set(entered[-1][1])
            return
        # A generator may leave its `with` while its caller is in another, or in a context that never
        # entered it.
        places = [place for place, (transport, _) in enumerate(entered) if transport is self]
        if places:
            place = places[-1]
            inner = entered[place + 1]
            rest = ((inner[0], entered[place][1]), *entered[place + 2 :])
            _entered.set((*entered[:place], *rest))


_current: ContextVar[Transport | None] = ContextVar("simnet_transport", default=None)
_entered: ContextVar[tuple[tuple[Transport, Transport | None], ...]] = ContextVar(
    "simnet_transports_entered", default=()
)
"""Those that were entered and not left, each with what was current before; the innermost last."""

_default: list[Transport] = []


def current() -> Transport:
    """The transport in force: that of the innermost ``with``, else the default, this computer."""
    transport = _current.get()
    return _default[0] if transport is None else transport


def set_default(transport: Transport) -> None:
    """Name the transport of a context in which nobody chose one.  Called once, on import."""
    _default[:] = [transport]


chosen = _current.get
"""The transport of the innermost ``with``; None if there is none."""

# A virtual machine enters itself around every pass of its loops; the bound methods save it the
# look-ups of `with`.
enter_context = _current.set
leave_context = _current.reset
