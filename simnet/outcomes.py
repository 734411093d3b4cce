"""What a network may decide: every operation at which it could do one thing or another, and what it could do.

A pick is a number, and a number says nothing to a person; so for every operation `OUTCOMES` says what its
options are, in words and from mild to severe.  Option 0 is the textbook and has no words.

Owns the options.  Who picks is `choices`; how a pick is written down is `script`.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from functools import lru_cache

import attrs

from .errors import UsageError
from .units import duration_ns
from .words import Words


@attrs.frozen
class Outcome:
    """One kind of thing that may happen at an operation, from mild to severe in its amount.

    `amounts` maps the size of the operation (bytes, ready channels, nanoseconds) to the amounts that
    are possible then; an outcome without an amount has the one amount 0.  One storm in eight knows an
    outcome that is `seldom`, and it is drawn beside the others: storms without it are what they were.
    """

    name: str
    words: Words = attrs.field(converter=Words)
    amounts: Callable[[int], Sequence[int]]
    seldom: bool = False


def _once(size: int) -> Sequence[int]:
    return (0,)


def _part_of(size: int) -> Sequence[int]:
    return range(size - 1, 0, -1)


def _first_of(size: int) -> Sequence[int]:
    return range(size, 0, -1)


def _up_to(size: int) -> Sequence[int]:
    return range(1, size + 1)


def _delays(size: int) -> Sequence[int]:
    return DELAYS_NS


def _one_of(*amounts: int) -> Callable[[int], Sequence[int]]:
    return lambda size: amounts


def _if_several(size: int) -> Sequence[int]:
    return (0,) if size > 1 else ()


def _if_any(size: int) -> Sequence[int]:
    return (0,) if size else ()


def _bits(size: int) -> Sequence[int]:
    return range(8 * size)


DELAYS_NS = tuple(duration_ns(text) for text in ("1ms", "5ms", "20ms", "100ms", "500ms", "2s", "10s", "60s"))
"""The delays that a script can name."""

_HOLDS_NS = DELAYS_NS[:6]  # what a machine that is busy does to a process; for longer ones there is `pause`

_SIZE_MAX = 1 << 60

CALLS: dict[str, tuple[int, ...]] = {
    "socket": (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM),
    "bind": (errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EACCES),
    "listen": (errno.EADDRINUSE,),
    "setsockopt": (errno.ENOPROTOOPT, errno.EPERM, errno.ENOMEM, errno.ENOBUFS),
    "getsockopt": (errno.ENOPROTOOPT, errno.ENOBUFS),
    "getsockname": (errno.ENOBUFS,),
    "getpeername": (errno.ENOTCONN, errno.ENOBUFS),
    "shutdown": (errno.ENOTCONN,),
}
"""Calls of sockets that a script or a rule may let fail, with the errnos that their man pages have.

close() is not among them: on Linux it fails for no socket that is open.
"""

OUTCOMES: dict[str, tuple[Outcome, ...]] = {
    "connect": (
        Outcome("loses", "loses {count} SYN", _one_of(1, 2, 3)),
        Outcome("refused", "is refused", _once),
        Outcome("unreachable", "finds no route to the host", _once),
        Outcome("hangs", "is never answered", _once),
        Outcome(
            "fails", "fails with {errno}", _one_of(errno.EADDRNOTAVAIL, errno.ENETUNREACH, errno.EPERM), True
        ),
    ),
    "accept": (
        Outcome("again", "is told to try again", _once),
        Outcome(
            "fails",
            "fails with {errno}",
            _one_of(errno.ECONNABORTED, errno.EMFILE, errno.ENFILE, errno.ENOBUFS),
        ),
        Outcome("reset", "returns a connection that was reset", _once),
    ),
    "send": (
        Outcome("takes", "takes {bytes}", _part_of),
        Outcome("again", "is told to try again", _once),
        Outcome("blocks", "finds no room for {duration}", _delays, True),
        Outcome("fails", "fails with {errno}", _one_of(errno.ENOBUFS, errno.ENOMEM)),
        Outcome("reset", "is reset", _once),
    ),
    "recv": (
        Outcome("again", "is told to try again", _once),
        Outcome("fails", "fails with {errno}", _one_of(errno.ETIMEDOUT, errno.EHOSTUNREACH)),
        Outcome("reset", "is reset", _once),
    ),
    "segment": (
        Outcome("late", "comes {duration} late", _delays),
        Outcome("cut", "is cut after {bytes}", _part_of),
        Outcome("crumbles", "comes in crumbs", _if_several),
        Outcome("lost", "is lost", _once),
        Outcome("burst", "is lost {count} times", _one_of(2, 3, 5, 8), True),
        Outcome("reset", "is reset", _once),
        Outcome("ended", "is followed by a FIN after {bytes}", _first_of, True),
        Outcome("torn", "is followed by a RST after {bytes}", _first_of, True),
        Outcome("last", "is the last that arrives", _once),
        Outcome("flipped", "has bit {count} flipped", _bits),
    ),
    "jitter": (Outcome("late", "adds {duration}", _up_to),),
    "life": (
        Outcome("reset", "ends by a reset after {duration}", _delays),
        Outcome("ended", "ends by a FIN after {duration}", _delays, True),
    ),
    "datagram": (
        Outcome("late", "comes {duration} late", _delays),
        Outcome("twice", "comes twice", _once),
        Outcome("lost", "is lost", _once),
        Outcome("burst", "is lost with the {count} that follow", _one_of(1, 3, 7), True),
        Outcome("refused", "is refused", _once),
        Outcome("fails", "fails with {errno}", _one_of(errno.ENOBUFS, errno.EPERM, errno.ENETUNREACH), True),
        Outcome("truncated", "is truncated to {bytes}", _part_of, True),
        Outcome("flipped", "has bit {count} flipped", _bits),
    ),
    "lookup": (
        Outcome("again", "is told to try again", _once),
        Outcome("fails", "finds no such name", _once),
    ),
    **{call: (Outcome("fails", "fails with {errno}", _one_of(*reasons)),) for call, reasons in CALLS.items()},
    "turn": (Outcome("first", "starts with ready number {count}", lambda size: range(2, size + 1)),),
    "next": (Outcome("first", "goes on with ready number {count}", lambda size: range(2, size + 1)),),
    "timer": (Outcome("first", "comes before what is ready", _once),),
    "step": (Outcome("held", "is held up for {duration}", lambda size: _HOLDS_NS),),
    "wake": (Outcome("first", "goes on with task number {count}", lambda size: range(2, size + 1)),),
    "switch": (
        Outcome("yields", "lets others go first", _if_any),
        Outcome("held", "is held up for {duration}", lambda size: _HOLDS_NS),
    ),
}
"""Every operation at which a network may deviate, with its outcomes from mild to severe.

=========  ========================  =================================================================
operation  belongs to                the size of a Point
=========  ========================  =================================================================
connect    a connection's opener     0
accept     a listener                0
send       an end                    bytes that would be taken
recv       an end                    bytes that would be returned
segment    an end                    bytes in the segment it emits
jitter     an end, a socket of UDP   the link's jitter, ns
life       a connection's opener     0; asked once, when the connection stands
datagram   a socket of UDP           bytes in the datagram it sends
lookup     a host                    0
socket ..  a host                    0; each of `CALLS`
turn       a host, the network       how many channels (or hosts) are ready at once
next       a host                    how many of those that are ready at once are left, from 2 on
timer      a host                    how many channels are ready in the pass in which timers are due; 1 where
                                     a call of a process is woken when its time-out is over
step       a host                    how many channels that poll has found ready are not told yet
wake       a thread of a process     how many tasks of its asyncio loop can go on in one pass
switch     a thread of a process     how many other threads of its process are ready
=========  ========================  =================================================================
"""

PLACES = dict.fromkeys(OUTCOMES, "end") | {
    "accept": "listener",
    "datagram": "socket",
    "lookup": "host",
    **dict.fromkeys(CALLS, "host"),
    "turn": "host",
    "next": "host",
    "timer": "host",
    "step": "host",
    "wake": "thread",
    "switch": "thread",
}
"""What kind of place each operation belongs to; a jitter may be of a ``socket`` as well."""

ORDER = frozenset({("turn", "first"), ("next", "first"), ("timer", "first")})
"""Only in which order a program learns of things that are ready at once."""

BEFALLS = "happening"
"""Stands for the operation in a set of weather, where a pair means a kind of happening."""

GENTLE = ORDER | {
    ("connect", "loses"),
    ("step", "held"),
    ("switch", "yields"),
    ("switch", "held"),
    ("accept", "again"),
    ("send", "takes"),
    ("send", "again"),
    ("send", "blocks"),
    ("recv", "again"),
    ("segment", "late"),
    ("segment", "cut"),
    ("segment", "crumbles"),
    ("segment", "lost"),
    ("segment", "burst"),
    ("jitter", "late"),
    (BEFALLS, "clog"),
    (BEFALLS, "delay_for"),
    (BEFALLS, "swizzle"),
    (BEFALLS, "pause_for"),
    (BEFALLS, "forward"),
    (BEFALLS, "back"),
    (BEFALLS, "hasten"),
    (BEFALLS, "slow"),
    (BEFALLS, "narrow"),
}
"""What TCP hides from a program that is right: everything arrives, only not as on the textbook network.

A program that fails in gentle weather is wrong; one that fails when a connection is reset may have
every right to.
"""

CORRUPTION = frozenset({("segment", "flipped"), ("datagram", "flipped"), ("datagram", "truncated")})
"""What checksums hide from programs, nearly always: nobody meets it who does not ask for it.

A datagram is cut short by proxies that take no more than 512 bytes of it (RFC 5625, section 4.4).
"""

WAKES = frozenset({("wake", "first")})
"""Which task of an asyncio loop goes on first: asyncio does not promise it, CPython never changes it, and
many programs rely on it.  Nobody meets it who does not ask for it.
"""

RESTARTS = frozenset({(BEFALLS, "terminate_for")})
"""Rolling restarts: the processes of a host are asked to end, by SIGTERM, and its programs begin again.
Nobody meets them who does not ask for them.
"""

_BEFALLING = GENTLE | {
    (BEFALLS, "partition_for"),
    (BEFALLS, "block_for"),
    (BEFALLS, "isolate_for"),
    (BEFALLS, "flap"),
    (BEFALLS, "kill_for"),
    (BEFALLS, "crash_for"),
    (BEFALLS, "limit_for"),
}

_ALL = frozenset((op, each.name) for op, outcomes in OUTCOMES.items() for each in outcomes)
_ASKED_FOR = (
    CORRUPTION | WAKES | {(call, "fails") for call in CALLS}
)  # most programs cannot even begin, by right

HARSH = (_ALL | _BEFALLING) - _ASKED_FOR
"""Whatever may happen, rare as it is: connections that die without a word, kernels without memory, and
name servers that do not know."""

EVERY = HARSH - {
    ("segment", "ended"),
    ("life", "ended"),
    ("connect", "fails"),
    ("datagram", "fails"),
    ("send", "fails"),
    ("recv", "fails"),
    ("segment", "last"),
    ("lookup", "again"),
    ("lookup", "fails"),
    (BEFALLS, "crash_for"),
    (BEFALLS, "limit_for"),
}
"""Every kind of deviation that a program meets sooner or later, as (operation, outcome).

An early FIN is not in it: a program to which the end of a stream says that it is whole cannot tell, by right.

A way that is cut for a minute at most delays what TCP has to deliver, and loses datagrams.  A program that
is killed and runs again is worth as much to its peers as a reset and a refusal.  After a crash nobody tells
them.
"""


@lru_cache(maxsize=4096)
def options(op: str, size: int) -> int:
    """How many options a pick at operation `op` has, the calm one included."""
    return 1 + sum(len(outcome.amounts(size)) for outcome in OUTCOMES[op])


@lru_cache(maxsize=4096)
def option(op: str, size: int, index: int) -> tuple[str, int]:
    """What option `index` (not 0) means: the outcome's name and its amount."""
    rest = index - 1
    for outcome in OUTCOMES[op]:
        amounts = outcome.amounts(size)
        if rest < len(amounts):
            return outcome.name, amounts[rest]
        rest -= len(amounts)
    raise AssertionError(f"{op} of size {size} has no option {index}")


@lru_cache(maxsize=4096)
def option_index(op: str, size: int, name: str, amount: int, wrap: bool = False) -> int:
    """The option that does `name` with `amount`; 0 where that is not possible at this size.

    With `wrap`, an amount that is out of range means one that is in range: drawn scripts do not know
    the sizes that they will meet.
    """
    index = 1
    for outcome in OUTCOMES[op]:
        amounts = outcome.amounts(size)
        if outcome.name == name:
            if amount in amounts:
                return index + amounts.index(amount)
            return index + amount % len(amounts) if wrap and amounts else 0
        index += len(amounts)
    raise UsageError(f"{op!r} has no outcome {name!r}; it has {', '.join(o.name for o in OUTCOMES[op])}")


def outcome_of(op: str, name: str) -> Outcome:
    """The outcome of that name; UsageError with the names that there are."""
    for outcome in OUTCOMES[op]:
        if outcome.name == name:
            return outcome
    raise UsageError(f"{op!r} has no outcome {name!r}; it has {', '.join(o.name for o in OUTCOMES[op])}")


def check_amount(op: str, outcome: Outcome, amount: int = 0) -> None:
    """Raise UsageError for an amount that is possible at no size of the operation."""
    possible = outcome.amounts(0)
    if possible and amount not in possible:
        known = ", ".join(outcome.words.write(each) for each in possible)
        raise UsageError(f"not possible for a {op}: {outcome.words.write(amount)}; what is: {known}")
    if not possible and amount not in outcome.amounts(_SIZE_MAX):
        raise UsageError(f"not possible for a {op}: {outcome.words.write(amount)}")
