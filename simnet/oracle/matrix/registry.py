"""Tables of functions, each with the kinds of sockets that it is for.

Owns the two tables: `STATES`, whose functions bring a socket into a state, and `OPERATIONS`, whose
functions do something with it.  Does not own what is in them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from .bench import Bench, Situation
from .kinds import Kind

F = TypeVar("F", bound=Callable[..., object])

GROUPS = ("tcp", "udp", "unix", "unixdg")


class Registry(Generic[F]):
    """Functions by group and name, in the order of their definition."""

    def __init__(self) -> None:
        self._functions: dict[str, dict[str, F]] = {group: {} for group in GROUPS}

    def __call__(self, *groups: str) -> Callable[[F], F]:
        """A decorator: the function is for these groups of kinds; for all, if none is named."""

        def enter(function: F) -> F:
            for group in groups or GROUPS:
                assert function.__name__ not in self._functions[group], f"{function.__name__} is taken"
                self._functions[group][function.__name__] = function
            return function

        return enter

    def of(self, kind: Kind) -> dict[str, F]:
        return self._functions[kind.group]


Build = Callable[[Bench], Situation]
Operation = Callable[[Bench, Situation], "list[str] | None"]
"""What an operation answers, word by word; None where it does not apply."""

STATES: Registry[Build] = Registry()
OPERATIONS: Registry[Operation] = Registry()
