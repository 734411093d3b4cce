"""What a demonstration shows while it works: bars on a terminal, a line now and then in a log."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

Advance: TypeAlias = Callable[[int], object]
"""Called with how many are done so far."""

LINE_EVERY_SECONDS = 2.0


class Screen:
    """Prints to standard output.  `console` may be another one, such as a test's."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False)

    def title(self, text: str) -> None:
        """The start of a part."""
        self._console.print()
        self._console.print(text, style="bold", markup=False, soft_wrap=True)

    def say(self, text: str, style: str = "") -> None:
        """One or more lines, as they are; never wrapped, so that they can be copied."""
        self._console.print(text, style=style, markup=False, soft_wrap=True)

    @contextmanager
    def progress(self, what: str, total: int) -> Iterator[Advance]:
        """Show how far something is while the block runs."""
        if not self._console.is_terminal:
            yield self._lines(what, total)
            return
        columns = (TextColumn("  {task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=self._console, transient=True) as bars:
            task = bars.add_task(what, total=total)
            yield lambda done: bars.update(task, completed=done)

    def _lines(self, what: str, total: int) -> Advance:
        """Of a log: say it when a while has passed since the last line."""
        said = time.monotonic()

        def advance(done: int) -> None:
            nonlocal said
            if time.monotonic() - said >= LINE_EVERY_SECONDS:
                said = time.monotonic()
                self.say(f"  {what}: {done} of {total}")

        return advance

    def table(self, title: str, rows: list[tuple[str, str]]) -> None:
        """Two columns: what, and how much."""
        table = Table(title=title, title_justify="left", show_header=False)
        table.add_column()
        table.add_column(justify="right")
        for row in rows:
            table.add_row(*row)
        self._console.print()
        self._console.print(table)
