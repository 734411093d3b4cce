"""What two machines say, in words: poll masks by their names, states slot by slot."""

from __future__ import annotations

from collections import Counter
from typing import Any

from ..transport import ERR, HUP, IN, NVAL, OUT, PRI, RDHUP
from .program import Call
from .session import State

_NAMES = {IN: "IN", PRI: "PRI", OUT: "OUT", ERR: "ERR", HUP: "HUP", NVAL: "NVAL", RDHUP: "RDHUP"}


def mask_name(mask: int) -> str:
    """``IN|OUT|RDHUP``, with ``-`` for nothing."""
    return "|".join(name for bit, name in _NAMES.items() if mask & bit) or "-"


def said(result: Any, state: State) -> str:
    """One line for a result and a state."""
    slots = (f"s{slot} {mask_name(mask)} {readable}" for slot, mask, readable in state)
    return f"{result!r}; {', '.join(slots)}"


def kind_of(result: Any) -> str:
    """What sort of result it is: an errno, or a type."""
    return result if isinstance(result, str) else type(result).__name__


def _mask_of(slot: int, state: State) -> int:
    """The poll mask of one slot; -1 if there is none."""
    for other, mask, _ in state:
        if other == slot:
            return mask
    return -1


class Coverage:
    """How often each kind of (call, result, readiness of its slot afterwards) was compared."""

    def __init__(self) -> None:
        self.seen: Counter[tuple[str, str, int]] = Counter()

    def add(self, program: list[Call], log: list[tuple[Any, State]]) -> int:
        """Count what was compared; how many calls that were."""
        calls = 0
        for call, (result, state) in zip(program, log, strict=False):
            if result is None or result == "not simulated":
                continue
            calls += 1
            self.seen[call.op, kind_of(result), _mask_of(call.slot, state)] += 1
        return calls

    @property
    def kinds(self) -> int:
        return len(self.seen)
