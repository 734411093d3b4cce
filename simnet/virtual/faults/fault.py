"""What a test did to the network, as a thing that it can take back."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType

from ...errors import UsageError


class Fault:
    """A fault that lasts until it is lifted: by `lift`, or at the end of a ``with`` block.

    ``with net.partition("a", "b"): ...`` heals this one partition, and no other.  A fault of a moment to come
    that is lifted before then does not happen.
    """

    def __init__(
        self, what: str, undo: Callable[[], object] | None = None, *, is_planned: bool = False
    ) -> None:
        self._what, self._undo = what, undo
        self._has_begun = not is_planned
        self.is_lifted = False

    def __repr__(self) -> str:
        return f"<Fault {self._what}{', lifted' if self.is_lifted else ''}>"

    def begin(self, done: Fault) -> None:
        """The moment for which it was planned has come; what was done ends once, whoever ends it."""
        self._has_begun, self._undo = True, None if done._undo is None else done.lift

    def lift(self) -> None:
        """End it; nothing happens if that was done before.

        Raises UsageError if it cannot be undone, as a crash: a restart is another happening.
        """
        if self.is_lifted:
            return
        if self._has_begun and self._undo is None:
            raise UsageError(f"{self._what} cannot be lifted: it does not last")
        self.is_lifted = True
        if self._undo is not None:
            self._undo()

    def __enter__(self) -> Fault:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.lift()
