"""The garbage collector and descriptors: what it finds is closed when the program asks for a collection.

An object in a reference cycle is found when the collector runs, which depends on what the whole interpreter
has allocated.  If it closed a socket then, the same run would have a FIN more or less.  While time passes the
collector is kept away (`virtual.engine`); but a test lets time pass in several runs.  In between, as long as
processes are alive, it comes only after very many allocations, more than tests make there.  If it comes all
the same, the descriptors that it would close are left open, and closed at the next `gc.collect()`, be it of a
process or of the test, in their order.

So that a search does not fill the memory meanwhile, garbage is collected before a network begins, now and
then; it is that of earlier ones.

This goes for hosts with processes, for as long as interposition is up.  What else a finalizer does, it does
when the collector runs: a buffered file writes, a generator runs its ``finally``.

Owns whether the collector is at work, and what it has left open.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Protocol

_collect = gc.collect

RARELY = 1_000_000
"""Allocations, less what was freed, before the collector comes between two runs."""

YOUNG_MAX = 100_000
"""Of these so many before it is called when a network begins."""


def run_collector(*args: Any, **kwargs: Any) -> int:
    """`gc.collect`; what this calls is what programs leave behind."""
    return _collect(*args, **kwargs)


class Table(Protocol):
    """Descriptors of a host."""

    base: int

    def get(self, fd: int, /) -> Any: ...

    def close(self, fd: int, /) -> None: ...


class Collector:
    """The collector of this interpreter.

    Attributes:
        is_at_work: whether it runs just now.
        moment: this moment, for `collect_since`: another number whenever something may have grown old.
    """

    def __init__(self) -> None:
        self.is_at_work = self._is_put_off = False
        self.moment = 0
        self._left: list[tuple[Table, int, Any]] = []
        self._thresholds: tuple[int, int, int] | None = None  # what they are while it is not held back

    def watch(self) -> Callable[[], None]:
        """Begin to watch it; returns what ends that."""
        gc.callbacks.append(self._told)
        gc.collect = self.collect

        def end() -> None:
            gc.collect = _collect
            gc.callbacks.remove(self._told)
            self.hold_back(False)
            self.is_at_work = False
            self.moment += 1  # from now on nobody counts
            self._left.clear()

        return end

    def _told(self, phase: str, info: dict[str, int]) -> None:
        self.is_at_work = phase == "start"
        if info["generation"] > 0:
            self.moment += 1

    def hold_back(self, is_wanted: bool) -> None:
        """Whether it is to come rarely from now on."""
        before, now = self._thresholds, gc.get_threshold()
        if is_wanted and now[0] and now[0] < RARELY:
            self._thresholds = now
            gc.set_threshold(RARELY, *now[1:])
        elif not is_wanted and before is not None:
            self._thresholds = None
            if now[0] == RARELY:  # else somebody wants something else
                gc.set_threshold(*before)

    def tidy(self) -> None:
        """A network begins."""
        if gc.get_count()[0] > YOUNG_MAX:
            self.collect()

    def leave(self, table: Table, fd: int) -> None:
        """An object that it has found would close a descriptor."""
        self._left.append((table, fd, table.get(fd)))

    def collect_since(self, moment: int) -> None:
        """Collect at least what was made since that moment.

        Whatever was made since then is young, unless older generations were collected meanwhile.  While time
        passes none is: so that takes as long as one run has left behind, and not the whole interpreter.
        """
        if self.moment == moment:
            self.collect(1)
        else:
            self.collect()

    @contextmanager
    def put_off(self) -> Iterator[None]:
        """Nothing is collected meanwhile: whoever puts it off collects at the end."""
        was = gc.isenabled()
        gc.disable()
        self._is_put_off = True
        try:
            yield
        finally:
            self._is_put_off = False
            if was:
                gc.enable()

    def collect(self, *args: Any, **kwargs: Any) -> int:
        """`gc.collect`, and close what was left."""
        if self._is_put_off:
            return 0
        found = run_collector(*args, **kwargs)
        left, self._left = self._left, []
        for table, fd, file in sorted(left, key=lambda each: (each[0].base, each[1])):
            if table.get(fd) is file:  # else somebody has closed it by its number
                with suppress(OSError):
                    table.close(fd)
        return found


collector = Collector()
