"""The guard of one network: what the program on its hosts did past them, and what is made of it.

Owns levels and reports.  How it comes to see anything is `watch`.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from types import FrameType

import attrs

from ..errors import Escaped, UsageError
from ..units import seconds
from .place import Place, matches, place_of
from .ways import FAMILIES, Way

LEVELS = ("error", "warn", "off")


class EscapeWarning(UserWarning):
    """A program went past its virtual host, and the fence only warns."""


def _names(given: Iterable[str]) -> tuple[str, ...]:
    if isinstance(given, str):
        raise UsageError(f"what a fence allows is a list of names, not {given!r}")
    return tuple(given)


@attrs.frozen
class Fence:
    """What is made of a program that goes past its virtual host.

    Args:
        level: ``"error"`` raises `Escaped` there; ``"warn"`` warns, once for each line; ``"off"`` looks away.
        allow: what is let through all the same: names of functions (``"time.perf_counter"``), families
            (``"clocks"``), and modules or packages whose code may do anything (``"myapp.metrics"``).  A ``*``
            stands for any characters.

    Raises:
        UsageError: another level, or a single name in the place of a list.
    """

    level: str = "error"
    allow: tuple[str, ...] = attrs.field(default=(), converter=_names)

    def __attrs_post_init__(self) -> None:
        if self.level not in LEVELS:
            raise UsageError(f"a fence is error, warn or off, not {self.level!r}")

    @classmethod
    def of(cls, given: Fence | str | None) -> Fence:
        """What a user may give for a fence: one, its level, or nothing for the default."""
        if given is None:
            return default()
        return given if isinstance(given, Fence) else cls(given)


_default = [Fence()]


def default() -> Fence:
    """The fence of networks that are given none."""
    return _default[0]


def set_default(fence: Fence) -> None:
    """Say what fence networks have from now on that are given none."""
    _default[:] = [fence]


@attrs.frozen
class Escape:
    """One line of a program that went past its host.

    Attributes:
        way: which one; see `simnet.fence.ways`.
        place: the line, and what it called.
        host: whose program it was; empty for a condition of the test, which runs on no host.
        at_ns: the virtual time of the first call there.
    """

    way: Way
    place: Place
    host: str
    at_ns: int

    def __str__(self) -> str:
        called, name = self.place.called, self.way.name
        what = f"{called}{'' if called == name else f' ({name})'} {FAMILIES[self.way.family]}"
        where = f"{self.place}, {f'host {self.host}, ' if self.host else ''}t={seconds(self.at_ns)}"
        return f"{what}: {where}{f'; instead: {self.way.instead}' if self.way.instead else ''}"


class Guard:
    """Looks at what is gone by, for one network."""

    __slots__ = ("_escapes", "fence", "raised")

    def __init__(self, fence: Fence) -> None:
        self.fence = fence
        self._escapes: dict[Place, Escape] = {}
        self.raised: Escaped | None = None  # since time passes

    def see(self, way: Way, host: str, now_ns: int, frame: FrameType | None) -> None:
        """Somebody goes `way`: raise or warn, unless they may."""
        __tracebackhide__ = True
        allow = self.fence.allow
        if allow and matches(allow, (way.name, way.family)):
            return
        place = place_of(way, allow, frame)
        if place is None:
            return
        escape = Escape(way, place, host, now_ns)
        is_new = self._escapes.setdefault(place, escape) is escape
        if self.fence.level == "error":
            self.raised = Escaped(str(escape))
            self.raised.add_note(
                f"Fence(allow=[{place.called!r}]) lets it through; so do simnet_fence_allow and --allow."
            )
            raise self.raised
        if is_new:
            warnings.warn_explicit(str(escape), EscapeWarning, place.path, place.line)

    @property
    def escapes(self) -> tuple[Escape, ...]:
        """What has been seen so far, each line once, in the order of first calls."""
        return tuple(self._escapes.values())

    def check_swallowed(self) -> None:
        """A run has come to its end without an error: raise what the program raised, and caught."""
        if self.raised is not None:
            raise self.raised
