"""Random programs of socket calls.

A program is a list of `Call`s on numbered slots; a slot holds a socket or is empty, and a call on an empty
slot does nothing.  So every part of a program is a program, which is what lets one be shrunk.

A plain mix of calls seldom fills a backlog, accepts what was reset or meets a port in TIME_WAIT; hence
`PROFILES`, each of which favours one corner.

Owns what is called.  What a call does to a socket is the business of `session`.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import attrs

SLOTS = 6
PORTS = ("P1", "P2")


@attrs.frozen(repr=False)
class Call:
    """One call: what, on which slot, with which arguments."""

    op: str
    slot: int
    args: tuple[object, ...] = ()

    def __repr__(self) -> str:
        return f"Call({self.op!r}, {self.slot}{f', {self.args!r}' if self.args else ''})"


Draw = Callable[[random.Random], tuple[object, ...]]


def _nothing(rng: random.Random) -> tuple[object, ...]:
    return ()


def _slot(rng: random.Random) -> tuple[object, ...]:
    return (rng.randrange(SLOTS),)


def _any_of(*choices: object) -> Draw:
    return lambda rng: (rng.choice(choices),)


def _place(rng: random.Random) -> tuple[object, ...]:
    """An address to bind to, and a port: chosen by the kernel, explicit, or that of another socket."""
    port = rng.choice((0, 0, *PORTS, *PORTS, ("of", rng.randrange(SLOTS))))
    return rng.choice(("own", "own", "own", "any", "other")), port


def _destination(rng: random.Random) -> tuple[object, ...]:
    return (
        rng.choice(
            (*PORTS, *(("of", slot) for slot in range(SLOTS)), *(("of", slot) for slot in range(SLOTS)))
        ),
    )


ARGUMENTS: dict[str, Draw] = {
    "socket": _nothing,
    "bind": _place,
    "listen": _any_of(0, 0, 1, 2, -1),
    "connect": _destination,
    "accept": _slot,
    "send": _any_of(1, 3, 50, 0),
    "recv": _any_of(1, 4, 1000),
    "peek": _any_of(2, 1000),
    "shutdown": _any_of("RD", "WR", "WR", "RDWR"),
    "finish": _nothing,
    "close": _nothing,
    "error": _nothing,
    "sockname": _nothing,
    "peername": _nothing,
    "reuse": _any_of(0, 1, 1),
    "linger": _any_of("reset", "reset", "off"),
    "fill": _nothing,
    "drain": _nothing,
    # Macros: the calls that lead to a common state.
    "serve": _any_of(0, 1, 2),
    "dial": _slot,
    "pair": _slot,
}

FILLING = ("socket", "serve", "dial", "pair")
"""The operations that put a socket into their slot."""


def _weights(text: str) -> dict[str, int]:
    """What is called how often: ``"send 14 recv 14"``."""
    words = text.split()
    return dict(zip(words[::2], map(int, words[1::2]), strict=True))


PROFILES: dict[str, dict[str, int]] = {
    "mixed": dict.fromkeys(ARGUMENTS, 3) | _weights("serve 2 pair 4 fill 0"),
    "data": _weights(
        "pair 4 send 14 recv 14 peek 3 shutdown 6 close 3 error 3 connect 3 peername 1 linger 2 drain 2 "
        "bind 1 listen 1"
    ),
    # Without SHUT_RD: who said it announces no window, and only a probe after 200 ms finds the room.
    "full": _weights("pair 5 fill 6 send 4 drain 8 peek 2 finish 4 close 4 error 2 linger 2 connect 1"),
    "accepting": _weights(
        "serve 4 dial 9 accept 9 send 5 recv 4 linger 3 close 7 shutdown 4 listen 3 connect 4 error 2 "
        "peername 2 socket 2"
    ),
    "ports": _weights(
        "socket 6 reuse 7 bind 12 listen 6 connect 8 accept 5 sockname 5 close 6 shutdown 4 linger 2 recv 1 "
        "error 1 pair 1 dial 2"
    ),
    "connecting": _weights(
        "socket 4 connect 16 serve 2 accept 2 shutdown 6 error 4 recv 4 send 4 close 3 sockname 4 peername 3 "
        "bind 4 listen 3"
    ),
}


def generate(seed: int, profile: str, length: int) -> list[Call]:
    """The program of this seed."""
    rng = random.Random(f"{profile} {seed}")
    weights = PROFILES[profile]
    ops, chances = list(weights), list(weights.values())
    program = [Call("serve", 0, (rng.randrange(2),)), Call("dial", 1, (0,)), Call("socket", 2)]
    occupied = [0, 1, 2]
    while len(program) < length:
        op = rng.choices(ops, chances)[0]
        slot = rng.randrange(SLOTS) if op in FILLING else rng.choice(occupied)
        call = Call(op, slot, ARGUMENTS[op](rng))
        program.append(call)
        if op in FILLING or op == "accept":
            slots = (slot,) if op == "serve" else (slot, *call.args)
            occupied += [int(n) for n in slots if n not in occupied]
    return program
