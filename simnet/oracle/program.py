"""A program: a list of socket calls on numbered slots.

A slot holds a descriptor (a socket, one end of a pipe, an epoll set) or is empty, and a call on an empty slot
does nothing.  So every part of a program is a program, which is what lets one be shrunk.  Arguments are
plain values, and names stand for what differs between machines; so a program can be printed, read back and
recorded.
"""

from __future__ import annotations

import ast
import re
from typing import Any, TypeAlias

import attrs

SLOTS = 7

_LINE = re.compile(r"s(\d+)\.(\w+)\((.*)\)")


@attrs.frozen(repr=False)
class Call:
    """One call: what, on which slot, with which arguments."""

    op: str
    slot: int
    args: tuple[Any, ...] = ()

    def __repr__(self) -> str:
        return f"s{self.slot}.{self.op}({', '.join(map(repr, self.args))})"


Program: TypeAlias = list[Call]


def parse(line: str) -> Call:
    """The call that was printed as `line`."""
    match = _LINE.fullmatch(line.strip())
    if match is None:
        raise ValueError(f"not a call: {line!r}")
    slot, op, arguments = match.groups()
    return Call(op, int(slot), ast.literal_eval(f"({arguments},)") if arguments else ())
