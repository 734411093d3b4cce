"""The calls that a program may be made of: for each, how its arguments are drawn and what is done.

Owns the registry and what is common to all.  The calls themselves are in `calls`, a module per family.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import attrs

from .draws import Draws
from .program import SLOTS

SOCKET, PIPE, EPOLL = "socket", "pipe", "epoll"
ANYTHING = (SOCKET, PIPE, EPOLL)


class Scene:
    """What a generator believes to be in the slots while it writes a program.

    It does not know how calls will end, and need not: an unlikely call is welcome.
    """

    def __init__(self) -> None:
        self.kinds: dict[int, str] = {}
        """What was put where: ``"inet stream"``, ``"pipe"``, ``"epoll"``."""
        self.slot = 0
        """The slot of the call that is being written."""

    def put(self, slot: int, kind: str) -> None:
        self.kinds[slot] = kind

    def occupied(self, draws: Draws) -> int:
        """A slot that holds something; now and then any slot."""
        if not self.kinds or draws.one_in(16):
            return draws.below(SLOTS)
        return draws.pick(list(self.kinds))

    def free(self, draws: Draws) -> int:
        """A slot for something new: mostly an empty one."""
        empty = [slot for slot in range(SLOTS) if slot not in self.kinds]
        return draws.pick(empty) if empty and not draws.one_in(4) else draws.below(SLOTS)

    def holding(self, draws: Draws, kind: str) -> int:
        """A slot with something of which `kind` is a word; any occupied one if there is none."""
        slots = [slot for slot, held in self.kinds.items() if kind in held.split()]
        return draws.pick(slots) if slots else self.occupied(draws)

    def family(self) -> str:
        """The address family of the current slot, or nothing."""
        return self.family_of(self.slot)

    def family_of(self, slot: int) -> str:
        return self.kinds.get(slot, "").partition(" ")[0]


class Draw(Protocol):
    """Draws one argument."""

    def __call__(self, draws: Draws, scene: Scene, /) -> Any: ...


@attrs.frozen
class Operation:
    """One kind of call."""

    name: str
    draw: tuple[Draw, ...]
    run: Callable[..., Any]
    """Called with the session and the slot if it `makes` what is in the slot, else with the session and
    what the slot holds; then with the arguments."""

    on: tuple[str, ...]
    makes: bool


OPERATIONS: dict[str, Operation] = {}


def operation(*draw: Draw, on: tuple[str, ...] = (SOCKET,), makes: bool = False) -> Callable[[Any], Any]:
    """Register a function as the operation of its name."""

    def register(run: Callable[..., Any]) -> Callable[..., Any]:
        name = run.__name__.rstrip("_")
        OPERATIONS[name] = Operation(name, draw, run, on, makes)
        return run

    return register


def any_of(*options: Any) -> Draw:
    """One of `options`; what shall come often is written often."""
    return lambda draws, scene: draws.pick(options)


def a_slot(draws: Draws, scene: Scene) -> int:
    """A slot that something is put into."""
    return scene.free(draws)


def another(draws: Draws, scene: Scene) -> int:
    """A slot that something is looked up in."""
    return scene.occupied(draws)
