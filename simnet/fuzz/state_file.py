"""The file that holds where a search is, written in place: whatever ends the process, it is there.

It is one line of JSON, the name of the search and its state: ``{"search": "storm", "at": 17}``.

Owns that line.  What a state means is known to each search.
"""

from __future__ import annotations

import json
import os
from typing import Any

from ..errors import UsageError
from .searches import Search


class StateFile:
    """A file that is written before each run, as a context manager.

    Raises UsageError if it cannot be written.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._width = 0
        try:
            self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
            os.ftruncate(self._fd, 0)
        except OSError as error:
            raise UsageError(
                f"the state file {os.fspath(path)!r} cannot be written: {error.strerror}"
            ) from None

    def __enter__(self) -> StateFile:
        return self

    def __exit__(self, *exc_info: object) -> None:
        os.close(self._fd)

    def write(self, search: Search) -> None:
        """One system call, so that a reader never sees half of it; blanks cover a longer line before it."""
        line = json.dumps({"search": search.name, "at": search.state()})
        self._width = max(self._width, len(line))
        os.pwrite(self._fd, f"{line:<{self._width}}\n".encode(), 0)


def read_state(path: str | os.PathLike[str]) -> tuple[str, Any]:
    """The name of the search that a file is of, and where that was.

    Raises UsageError if there is no such file, or nothing of that kind in it.
    """
    name = os.fspath(path)
    try:
        with open(path, encoding="utf-8") as file:
            match json.load(file):
                case {"search": str(search), "at": at}:
                    return search, at
    except FileNotFoundError:
        raise UsageError(f"there is nothing to resume: {name} does not exist") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot resume: {name} holds no state of a search: {error}") from None
    raise UsageError(f"cannot resume: {name} holds no state of a search")
