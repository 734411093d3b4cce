"""The properties that come with the box, as one table, and the choice which of them a run is checked for.

Found by reading what went wrong in released packages.  A run is *watched* for some of them: these have a
switch.  Others compare runs, and are functions of `simnet.properties` that a test calls.  And some hold for
every run, because without them it would have no end or no meaning.

Owns names, defaults and switches.  What looks is `simnet.virtual.quiet` and `simnet.virtual.witness`; what
compares is `simnet.properties`.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from functools import cached_property

import attrs

from .errors import UsageError


@attrs.frozen
class Property:
    """What is true of every program of its kind.

    Attributes:
        name: how a switch, a report and `PropertyViolated.name` call it.
        says: the property, as a sentence.
        seen: how a violation shows.
        is_on: whether runs are checked for it unless they are told otherwise; None if it has no switch.
    """

    name: str
    says: str
    seen: str
    is_on: bool | None = None


_TABLE = (
    Property(
        "no-escape",
        "No exception escapes a handler.",
        "The run ends with it, unless the class has a `handle_error` of its own.",
    ),
    Property(
        "progress",
        "Virtual time makes progress: no loop spins while neither bytes nor time move.",
        "`Livelock`.",
    ),
    Property(
        "liveness",
        "After silence everything that is due has happened.",
        "`Deadlock` where something waits for room that will never come; `eventually` for what only the "
        "test knows.",
    ),
    Property(
        "no-leak",
        "Nothing is left of a connection that is over: its descriptor is closed, and in no poller.",
        "Looked for when nothing can happen any more, of TCP, AF_UNIX and pipes.",
        is_on=True,
    ),
    Property(
        "no-use-after-close",
        "After close() no handler is called, and none goes on to send.",
        "Looked for when a program that has closed a living connection sends by it in the same moment, and "
        "where `simnet.asynchat` goes on with what has come.",
        is_on=True,
    ),
    Property(
        "one-close",
        "`handle_close` comes once for a connection.",
        "Looked for when a native dispatcher is told of the end of one connection again.",
        is_on=False,
    ),
    Property(
        "listener-survives",
        "A listener survives any accept that fails.",
        "Looked for when a listener is closed at the moment of an accept that failed.",
        is_on=True,
    ),
    Property(
        "half-close",
        "Output that is queued is delivered after the peer's half-close.",
        "Looked for when a channel closes with output of its own, and its peer has sent all and still reads.",
        is_on=True,
    ),
    Property(
        "segmentation",
        "Any segmentation of the same byte stream gives the same result.",
        "`same_for_any_segmentation` compares runs.",
    ),
    Property(
        "pollers",
        "select, poll and epoll give the same result.",
        "`same_for_any_poller` compares runs.",
    ),
    Property(
        "wall-clock",
        "Steps of the wall clock change nothing but what reads it.",
        "`same_for_any_wall_clock` compares runs.",
    ),
    Property(
        "replies",
        "Reply k belongs to request k, also if others were cancelled.",
        "`Replies` is told of each.",
    ),
)

PROPERTIES = {each.name: each for each in _TABLE}
"""Every property by its name."""

SWITCHED = tuple(each.name for each in _TABLE if each.is_on is not None)
"""Those that a run may be checked for or not."""


@attrs.frozen
class Checks:
    """Which properties runs are checked for.

    Attributes:
        names: of these properties, all of them out of `SWITCHED`.
    """

    names: frozenset[str]

    @classmethod
    def of(cls, given: Checks | str | Iterable[str] | None) -> Checks:
        """The checks that a user asks for.

        Args:
            given: words, as a list or with spaces between them, read from left to right: the name of a
                property switches it on, ``-name`` switches it off, ``all`` and ``-all`` do so with all of
                them.  What is not named stays as `default` has it, which is also what None means.

        Raises UsageError for a word that is neither.
        """
        if given is None:
            return default()
        if isinstance(given, Checks):
            return given
        names = set(default().names)
        for word in given.split() if isinstance(given, str) else given:
            name = word.removeprefix("-")
            meant = SWITCHED if name == "all" else (name,)
            if not set(meant) <= set(SWITCHED):
                known = ", ".join(("all", *SWITCHED))
                close = get_close_matches(name, ("all", *SWITCHED), n=1)
                hint = f"; did you mean {close[0]!r}?" if close else ""
                raise UsageError(
                    f"a check is one of {known}, or such a name behind a '-', not {word!r}{hint}"
                )
            (names.difference_update if word.startswith("-") else names.update)(meant)
        return cls(frozenset(names))

    def changes(self) -> tuple[str, ...]:
        """The words that say only what is not as in the table: ``("-no-leak", "one-close")``."""
        changed = [name for name in SWITCHED if (name in self.names) is not PROPERTIES[name].is_on]
        return tuple(name if name in self.names else f"-{name}" for name in changed)

    def __str__(self) -> str:
        """The words that `of` reads as these checks, whatever the default is."""
        return " ".join(("-all", *(name for name in SWITCHED if name in self.names)))

    def __repr__(self) -> str:
        return f"Checks.of({str(self)!r})"

    @cached_property
    def watches(self) -> bool:
        """Whether anything is looked for while a run goes on, and not only at its end."""
        return bool(self.names - {"no-leak"})


_default = [Checks(frozenset(name for name in SWITCHED if PROPERTIES[name].is_on))]


def default() -> Checks:
    """The checks of networks that are given none."""
    return _default[0]


def set_default(checks: Checks) -> None:
    """Say what networks are checked for from now on that are not told."""
    _default[:] = [checks]
