"""What a run of a scenario does at every place where something could deviate, and what it carries there.

An anchor is a place, an operation and a count.  After an edit of the program they may mean something else;
the bytes tell.  So a record keeps a little of what each anchored operation carried, in words that a person
reads as well.

Owns the notes of one run, and their place in a record.  Who compares them is `nearby`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import attrs

from ..choices import Point, Scripted
from ..script import Deviation, Script
from ..virtual import Network
from ..virtual.faults import At
from ..virtual.kernel.buffers import ByteQueue
from ..words import ordinal

CARRIED_MAX = 200
"""So many bytes of an operation are kept, its first ones."""

_OPERATIONS_MAX = 20_000

ANCHOR = re.compile(r"the \d+(?:st|nd|rd|th) \w+ of .+")
"""How the anchor of a deviation is written: its sentence without the verb."""


@attrs.frozen
class Carried:
    """What an operation carried: its first bytes, and how many there were."""

    data: bytes
    size: int

    @property
    def is_whole(self) -> bool:
        return len(self.data) == self.size


@attrs.frozen
class Operation:
    """One that a run came to: `where` it was, also by its order in the run (`alias`), and the `nth` there.

    `size` is what the amounts of a deviation are measured by; see `choices.Point`.
    """

    where: str
    alias: str
    op: str
    nth: int
    size: int
    carried: Carried | None

    @classmethod
    def at(cls, point: Point) -> Operation:
        return cls(point.where, point.alias, point.op, point.nth, point.size, _carried(point))


class Attentive(Scripted):
    """The picks of a script, and `operations`: all that it was asked about, in order."""

    def __init__(self, script: Script) -> None:
        super().__init__(script)
        self._operations: dict[tuple[str, str, int], Operation] = {}

    @property
    def operations(self) -> list[Operation]:
        return list(self._operations.values())

    def watches(self, where: str, alias: str) -> bool:
        return True

    def again(self) -> Attentive:
        return Attentive(self.script)

    def spares(self, op: str) -> bool:
        return False

    def pick(self, label: Point, count: int) -> int:
        key = (label.where, label.op, label.nth)
        if key not in self._operations and len(self._operations) < _OPERATIONS_MAX:
            self._operations[key] = Operation.at(label)
        return super().pick(label, count)


def attentive(script: Script, make_network: Callable[..., Network]) -> tuple[Network, Attentive]:
    """A network that runs a script and takes notes.

    `make_network` is called with the supplier of picks as ``choices=``.
    """
    supplier = Attentive(script)
    network = make_network(choices=supplier)
    for happening in script.happenings:
        At(network, happening.at_ns).befall(happening.what, happening.groups, happening.amounts)
    for rule in script.rules:
        network.add_rule(rule)
    return network, supplier


def anchor(deviation: Deviation) -> str:
    """The anchor of a deviation in words: ``the 2nd send of client:1 -> server:7``."""
    return f"the {ordinal(deviation.nth)} {deviation.op} of {deviation.where}"


def carried_by(script: Script, operations: Iterable[Operation]) -> Mapping[str, Carried]:
    """What the anchored operations of a script carried, by their anchors; those without bytes left out."""
    found = {}
    for operation in operations:
        for deviation in script.deviations:
            if operation.carried and is_at(deviation, operation):
                found[anchor(deviation)] = operation.carried
    return found


def is_at(deviation: Deviation, operation: Operation) -> bool:
    """Whether this is the operation that a deviation is anchored on."""
    is_there = deviation.where in (operation.where, operation.alias)
    return is_there and (deviation.op, deviation.nth) == (operation.op, operation.nth)


def _carried(point: Point) -> Carried | None:
    data: Any = point.data
    if isinstance(data, ByteQueue):
        return Carried(data.peek(min(point.size, CARRIED_MAX)), point.size)
    if isinstance(data, (bytes, bytearray, memoryview)) and len(data):
        octets = memoryview(data).cast("B")
        size = point.size if point.op == "recv" else len(octets)  # more may wait than is received at once
        return Carried(bytes(octets[: min(size, CARRIED_MAX)]), size)
    return None
