"""Writes one program, call by call: which slot, which arguments, and what is where by then.

Owns the sheet that is written on.  The usual sequences of calls are `idioms`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from .calls.naming import PORTS
from .draws import Draws
from .operations import ANYTHING, EPOLL, OPERATIONS, PIPE, Scene
from .profiles import Profile
from .program import Call, Program

LONG = 3
"""How many times longer than others one program of ten is."""

LIKE_ITS_ORIGIN = ("dup", "detach", "recv_rights", "dup_from")
"""What puts another of the same kind into a slot, as accept() does."""

Idiom: TypeAlias = "Callable[[Writer], None]"


class Writer:
    """Writes one program."""

    def __init__(self, profile: Profile, draws: Draws, idioms: Mapping[str, Idiom]) -> None:
        self.profile = profile
        self.draws = draws
        self.idioms = idioms
        self.scene = Scene()
        self.program: Program = []

    def write(self, length: int | None) -> Program:
        length = length or self.profile.length * (LONG if self.draws.one_in(10) else 1)
        for word in self.profile.opening:
            self.add(word)
        while len(self.program) < length:
            self.add(self.profile.calls.draw(self.draws))
        return self.program

    def add(self, word: str) -> None:
        if word in self.idioms:
            self.idioms[word](self)
            return
        operation = OPERATIONS[word]
        slot = self.slot_for(operation.on, word)
        self.scene.slot = slot
        arguments = tuple(draw(self.draws, self.scene) for draw in operation.draw)
        self.call(word, slot, *arguments)
        if word.endswith("accept") or word in LIKE_ITS_ORIGIN:
            self.scene.put(arguments[0], self.scene.kinds.get(slot, "").replace(" listener", ""))
        elif word == "listen":
            self.scene.put(slot, f"{self.scene.kinds.get(slot, '')} listener")

    def slot_for(self, on: tuple[str, ...], word: str) -> int:
        if on == (EPOLL,):
            return self.scene.holding(self.draws, EPOLL)
        if on != ANYTHING and PIPE in on and self.draws.one_in(2):
            return self.scene.holding(self.draws, PIPE)
        if word.endswith("accept") and not self.draws.one_in(6):
            return self.scene.holding(self.draws, "listener")
        return self.scene.occupied(self.draws)

    def call(self, op: str, slot: int, *args: object) -> None:
        self.program.append(Call(op, slot, args))

    def new_slot(self) -> int:
        return self.scene.free(self.draws)

    def new_socket(self, slot: int, *types: str) -> str:
        """A socket of the profile, of one of `types` if there are any; its kind."""
        kinds = [kind for kind in self.profile.kinds if not types or kind.split()[1] in types]
        kind = self.draws.pick(kinds or self.profile.kinds)
        self.call("socket", slot, *kind.split())
        if kind.startswith("inet6") and "v6only" in self.profile.calls.words and self.draws.one_in(4):
            self.call("setsockopt", slot, ("IPV6_V6ONLY", 1))
        self.scene.put(slot, kind)
        return kind

    def fresh_name(self, slot: int, kind: str) -> None:
        """bind() to a name that nobody has, or, in AF_UNIX, may have."""
        place: tuple[object, ...] = ("lo", 0)
        if kind.startswith("unix"):
            place = (self.draws.pick(("path", "abstract")), 1 + self.draws.below(3))
        else:
            port = self.draws.pick((0, 0, 0, 0, *PORTS))
            place = (self.draws.pick(("lo", "lo", "lo", "lo", "lo", "lo", "any", "own")), port)
        self.call("bind", slot, place)

    def maybe_reuse(self, slot: int) -> None:
        if self.draws.one_in(2):
            self.call("reuse", slot, 1)
