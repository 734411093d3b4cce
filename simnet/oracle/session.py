"""Runs the calls of a program on one machine, and says of each what a program can see.

A machine is reached through its modules (`socket`, `select`, `os`, `fcntl`), so the same code runs on the
standard modules and on those of a virtual host.
"""

from __future__ import annotations

import socket as std
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import attrs

from ..transport import IN, NVAL, OUT, PRI, RDHUP
from . import calls
from .normal import ERRNO_NAMES, Names, outcome
from .operations import EPOLL, OPERATIONS, SOCKET
from .program import SLOTS, Call

EVERYTHING = IN | PRI | OUT | RDHUP
FIONREAD = 0x541B
SO_DOMAIN = 39
_READABLE = IN | PRI | NVAL
_BYTES = bytes(range(256)) * 300

State: TypeAlias = tuple[tuple[int, int, Any], ...]
"""Of every open descriptor that is no epoll set: slot, poll mask, and what FIONREAD says or its errno."""

assert calls.FAMILIES  # importing them is what registers the operations


@attrs.frozen
class Machine:
    """Where a program runs."""

    modules: Any
    """Has `socket`, `select`, `os` and `fcntl`."""

    ports: Mapping[str, int]
    """The numbers of the explicit ports of a program, which nobody has used lately."""

    own_address: str
    """An IPv4 address of the machine that is no loopback address."""

    first_descriptor: int
    """The number that the next descriptor will have."""


@attrs.frozen
class Raw:
    """A bare descriptor: an end of a pipe."""

    number: int

    def fileno(self) -> int:
        return self.number


class Session:
    """The descriptors of one program on one machine."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.modules = machine.modules
        self._new_poll, self._ioctl = machine.modules.select.poll, machine.modules.fcntl.ioctl
        self.names = Names(dict(machine.ports), machine.first_descriptor)
        self.held: list[Any] = [None] * SLOTS
        self.kinds: list[str] = [""] * SLOTS
        self.filled = False  # from here on amounts are not compared
        self.strayed = False  # an object may have a descriptor that is another's
        self._made: list[Any] = []
        self._position = self._slot = 0
        self._watched: tuple[int, ...] = ()
        self._poll: Any = None
        self._seen: dict[int, tuple[int, int, Any]] = {}  # what was said last, by slot

    def do(self, call: Call, position: int) -> Any:
        """Make the call at this position; its normalised result, or ``None`` where it does not apply."""
        self._position, self._slot = position, call.slot
        operation = OPERATIONS[call.op]
        if operation.makes:
            return outcome(operation.run, self, call.slot, *call.args)
        if self.kinds[call.slot] not in operation.on or self.is_foreign(self.held[call.slot]):
            return None
        return outcome(operation.run, self, self.held[call.slot], *call.args)

    def is_foreign(self, held: Any) -> bool:
        """Whether the descriptor of a socket object is meanwhile another's, of another family.

        Nothing is called on such an object: it reads the structures of one family as those of another, and
        memory that nobody has written.
        """
        if not self.strayed or not hasattr(held, "getsockopt"):
            return False
        try:
            return bool(held.getsockopt(std.SOL_SOCKET, SO_DOMAIN) != held.family)
        except OSError:  # of no socket at all, or of nothing
            return False

    def put(self, slot: int, held: Any, kind: str) -> None:
        """Put something into a slot; what was there is closed."""
        before, self.held[slot] = self.held[slot], held
        if before is not None:
            outcome(self.close, before)
        self.kinds[slot] = kind
        self._made.append(held)

    def put_socket(self, slot: int, sock: Any) -> None:
        sock.setblocking(False)
        self.put(slot, sock, SOCKET)

    def close(self, held: Any) -> None:
        if isinstance(held, Raw):
            self.strayed = True  # a bare number is closed as often as one likes
            self.modules.os.close(held.number)
        else:
            held.close()

    def raw(self, number: int) -> Raw:
        return Raw(number)

    def payload(self, size: int) -> bytes:
        """Bytes that tell which call they come from, and their place in it."""
        start = self._position * 7 & 255
        return _BYTES[start : start + size]

    # --- what is seen ----------------------------------------------------------------------------

    def state(self) -> State:
        """What poll(2) and FIONREAD say of every open descriptor.

        FIONREAD is asked again where there may be something to read, where the mask has changed, and of the
        slot that was called; elsewhere it would say what it said.
        """
        kinds, found, watched = self.kinds, [], []
        for slot, held in enumerate(self.held):
            if held is not None and kinds[slot] != EPOLL:
                fd = held.fileno()
                if fd >= 0:
                    found.append((slot, fd))
                    watched.append(fd)
        if tuple(watched) != self._watched:
            self._watch(tuple(watched))
        masks = dict(self._poll.poll(0)) if watched else {}
        seen, state = self._seen, []
        for slot, fd in found:
            mask = masks.get(fd, 0)
            entry = seen.get(slot)
            if entry is None or entry[1] != mask or mask & _READABLE or slot == self._slot:
                amount = "EBADF" if mask & NVAL else self._readable(fd)
                entry = seen[slot] = (slot, mask, amount)
            state.append(entry)
        return tuple(state)

    def _watch(self, descriptors: tuple[int, ...]) -> None:
        self._poll = self._new_poll()
        for fd in descriptors:
            self._poll.register(fd, EVERYTHING)
        self._watched = descriptors
        self._seen = {}

    def _readable(self, fd: int) -> Any:
        amount = self.readable(fd)
        return ("some" if amount else "none") if self.filled and isinstance(amount, int) else amount

    def readable(self, fd: int) -> Any:
        """What FIONREAD says, or its errno."""
        try:
            buffer = self._ioctl(fd, FIONREAD, b"\0\0\0\0")
        except OSError as error:
            return ERRNO_NAMES[error.errno or 0]
        return int.from_bytes(buffer, "little")

    def eventually(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Whether something comes true within some time of the session's machine."""
        clock = self.modules.time
        deadline_s = clock.monotonic() + seconds
        while not condition():
            if clock.monotonic() >= deadline_s:
                return False
            clock.sleep(0.001)
        return True

    # --- the end ---------------------------------------------------------------------------------

    def end(self) -> None:
        """Close all that is open, whatever the objects believe; nothing is left that may close later."""
        for held in self._made:
            if hasattr(held, "detach"):
                held.detach()
            elif not isinstance(held, Raw):
                outcome(held.close)
        first = self.machine.first_descriptor
        for fd in range(first, first + 2 * len(self._made) + SLOTS):
            outcome(self.modules.os.close, fd)
